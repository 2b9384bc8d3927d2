"""Which files a file of the user's own rests on, as far as its text tells: nothing is imported or run."""

import ast
import os
import warnings
from collections.abc import Iterator, Sequence
from pathlib import Path

# Endings of what a network is built from besides Python. Not of logs and tables, which change while it runs.
_READ = (
    ".json", ".yaml", ".yml", ".toml", ".ini", ".cfg", ".safetensors", ".pt", ".pth", ".ckpt", ".pkl", ".npy", ".npz",
)  # fmt: skip
_LONGEST_NAME = 255


def files_behind(files: Sequence[Path], roots: Sequence[Path]) -> list[Path]:
    """Python files; the modules that they import, and that these import; and the files that are named in any of them.

    Imports in functions count too, and so does a module or file that a text names, as ``import_module("helper")`` and
    ``torch.load("best.pth")`` do. Names that are put together from parts are not seen, nor what lies elsewhere, such as
    an installed package.

    Args:
        files: where to begin.
        roots: the folders that modules are imported from, the first one first.

    Returns:
        The first file, then the others in the order of their paths.
    """
    first, *others = dict.fromkeys(file.resolve() for file in files)
    found = {first, *others}
    todo = [first, *others]
    while todo:
        new = set(_named_in(todo.pop(), roots)) - found
        found |= new
        todo += [path for path in new if path.suffix == ".py"]
    return [first, *sorted(found - {first})]


def _named_in(file: Path, roots: Sequence[Path]) -> Iterator[Path]:
    """The files that a Python file imports or names itself."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of its escape sequences; its import says it
            tree = ast.parse(file.read_bytes())
    except (OSError, SyntaxError, ValueError, RecursionError, MemoryError):
        return  # whoever imports it will say so
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield from module_files(alias.name, roots)
        elif isinstance(node, ast.ImportFrom):
            places = [*file.parents[node.level - 1 : node.level]] if node.level else roots
            for alias in node.names:
                parts = [part for part in (node.module, alias.name) if part not in (None, "*")]
                yield from module_files(".".join(parts), places)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and len(node.value) <= _LONGEST_NAME:
            yield from module_files(node.value, roots)
            if node.value.lower().endswith(_READ) and node.value.isprintable():
                there = (place / node.value for place in (file.parent, Path.cwd()))
                yield from (path.resolve() for path in there if _can_be_read(path))


def module_files(name: str, roots: Sequence[Path]) -> list[Path]:
    """The files that importing a module runs, with the packages around it, from the first folder that has any of them.

    The last part of the name may be something that is defined in the module before it.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return []
    for root in roots:
        at, found = root, []
        for part in parts:
            at /= part
            if _can_be_read(package := at / "__init__.py"):
                found.append(package.resolve())
            elif _can_be_read(module := at.with_suffix(".py")):
                found.append(module.resolve())
                break
            elif not os.path.isdir(at):  # noqa: PTH112 - a folder may be a package without that file
                break
        if found:
            return found
    return []


def _can_be_read(path: Path) -> bool:
    """Whether it is a file that this user may read; a name may be of any place, and this raises nothing."""
    return os.path.isfile(path) and os.access(path, os.R_OK)  # noqa: PTH113
