"""Modules beside a file of the user's own: each such file finds those of its own folder, and installed ones stay."""

import contextlib
import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType


class _Folder:
    """A folder with modules of the user's own."""

    def __init__(self) -> None:
        self.loaded_before = frozenset(sys.modules)  # may lie there too, as this project's own do
        self.set_aside: dict[str, ModuleType] = {}  # while their names are for others


_folders: dict[Path, _Folder] = {}


@contextlib.contextmanager
def neighbours(folder: Path) -> Iterator[None]:
    """Import from a folder first, as a script there does; modules that came from other such folders are set aside.

    What was loaded before from elsewhere stays what it is. Afterwards the folder is the last place to look in, for
    imports in functions; a neighbour that has the name of an installed package leaves that name to the package.
    """
    folder = folder.resolve()
    for other, members in _folders.items():
        if other != folder:
            _set_aside(members, _of(other))
            # It was put last. The working folder may be in the path by itself, first.
            if sys.path[-1] == str(other):
                sys.path.pop()
    own = _folders.setdefault(folder, _Folder())
    for name, module in own.set_aside.items():
        sys.modules.setdefault(name, module)
    own.set_aside.clear()
    sys.path.insert(0, str(folder))
    try:
        yield
    finally:
        if str(folder) in sys.path:
            sys.path.remove(str(folder))
        outside = [place for place in sys.path if Path(place).resolve() not in (*_folders, Path.cwd())]
        installed = {name for name in _of(folder) if "." not in name and PathFinder.find_spec(name, outside)}
        _set_aside(own, [name for name in _of(folder) if name.partition(".")[0] in installed])
        if str(folder) not in sys.path:
            sys.path.append(str(folder))


def keep(name: str, module: ModuleType) -> None:
    """Let a file's classes be found again by name (export, pickling), unless the name is another module's."""
    if name not in sys.modules or any(name in _of(folder) for folder in _folders):
        sys.modules[name] = module


def _set_aside(members: _Folder, names: list[str]) -> None:
    members.set_aside |= {name: sys.modules.pop(name) for name in names}


def _of(folder: Path) -> list[str]:
    """Names of the modules that came from a folder, with all that is in its packages."""
    before = _folders[folder].loaded_before
    loaded = {name: module for name, module in sys.modules.items() if name not in before}
    tops = {name for name, module in loaded.items() if "." not in name and folder in _places(module)}
    return [name for name in loaded if name.partition(".")[0] in tops]


def _places(module: ModuleType) -> list[Path]:
    """The folders in which a module lies, as a file or as a package."""
    packages = getattr(module, "__path__", None)  # a package without __init__.py may have several
    if packages is not None:
        return [Path(place).parent.resolve() for place in packages]
    file = getattr(module, "__file__", None)
    return [Path(file).parent.resolve()] if isinstance(file, str) else []
