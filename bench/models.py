"""Networks as the commands name them: of the zoo, on a timm backbone, or the user's own."""

import importlib
import importlib.util
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import zoo
from bench.core.errors import InputError

if TYPE_CHECKING:
    from torch import nn


def model_names(text: str) -> list[str]:
    """``NAME,NAME`` as a list of names, each once; ``all`` in it stands for the networks of the paper.

    Raises:
        InputError: it names nothing.
    """
    parts = [part.strip() for part in text.split(",") if part.strip()]
    if not parts:
        raise InputError("--models names no model: give all, or names separated by commas")
    return list(dict.fromkeys(name for part in parts for name in (zoo.list_models() if part == "all" else [part])))


def check_names(names: Sequence[str]) -> None:
    """Fail on a name that cannot be right, before any work and without building anything.

    Raises:
        InputError: no such network, or no such file.
    """
    for name in names:
        if not is_factory(name) and ":timm/" not in name:
            zoo.model_card(name)
        where = name.rpartition(":")[0]
        if is_factory(name) and where.endswith(".py") and not Path(where).is_file():
            raise InputError(f"no file {where}: give the path of a Python file, then a colon and a function")


def source_file(name: str) -> Path | None:
    """The file that defines a network of the user's own, where its name says so."""
    where = name.rpartition(":")[0]
    return Path(where) if is_factory(name) and where.endswith(".py") and Path(where).is_file() else None


def recorded_name(name: str) -> str:
    """What records call a network: its name; for a factory in a file, without the folders."""
    where, separator, factory = name.rpartition(":")
    return f"{Path(where).stem}:{factory}" if separator and where.endswith(".py") else name


def build(name: str, *, num_joints: int = 17, seed: int = 0, options: Mapping[str, str] | None = None) -> "nn.Module":
    """A network in evaluation mode, its weights drawn from ``seed``.

    Args:
        name: of the zoo, with ``:timm/``, ``path/to/file.py:factory`` or ``package.module:factory``.
        num_joints: for networks of the zoo; a factory is called without arguments.
        seed: of the weights.
        options: for networks of the zoo, such as ``attention``.

    Raises:
        InputError: the factory cannot be found, fails, or returns no module.
        ZooError: unknown name.
    """
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_factory(name):
            return _from_factory(name).eval()
        return zoo.create_model(name, num_joints=num_joints, **(options or {})).eval()


def is_factory(name: str) -> bool:
    """Whether a name stands for the user's own network."""
    return ":" in name and ":timm/" not in name


def _from_factory(name: str) -> "nn.Module":
    from torch import nn

    where, _, attribute = name.rpartition(":")
    module = _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
    factory = getattr(module, attribute, None)
    if not callable(factory):
        raise InputError(f"{where} has no function {attribute!r}: give FILE.py:FUNCTION or MODULE:FUNCTION")
    try:
        model = factory()
    except Exception as error:
        raise InputError(f"{name} failed: {type(error).__name__}: {error}") from error
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} returned {type(model).__name__}: it must return a torch.nn.Module")
    return model


def _import_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"no file {path}: give the path of a Python file, then a colon and a function")
    module = importlib.util.module_from_spec(spec)
    # A file may import its neighbours, and its classes must be found again by name (export, pickling).
    sys.path.insert(0, str(path.parent.resolve()))
    sys.modules.setdefault(path.stem, module)
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise InputError(f"{path} cannot be imported: {type(error).__name__}: {error}") from error
    return module


def _import_module(name: str) -> object:
    sys.path.insert(0, str(Path.cwd()))
    try:
        return importlib.import_module(name)
    except Exception as error:
        raise InputError(f"module {name} cannot be imported: {type(error).__name__}: {error}") from error
