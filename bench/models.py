"""Models as the commands name them: networks of the zoo, on a timm backbone or the user's own, and model files.

A network is built in memory and goes through the build half of a backend; a file is an artifact already
(``bench.model_files``). Imports nothing heavy.
"""

import argparse
import functools
import hashlib
import importlib
import importlib.metadata
import importlib.util
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from bench.backends import catalogue
from bench.backends.artifact import digest
from bench.core.errors import InputError
from bench.core.neighbours import keep, neighbours
from bench.core.processes import user_code
from bench.core.sources import files_behind, module_files
from bench.model_files.endings import endings, is_checkpoint, is_file

if TYPE_CHECKING:
    from torch import nn

    from bench.codecs.codec import Codec
    from bench.model_files.reading import AnyFile

USUAL_INPUT, USUAL_JOINTS = (256, 192), 17
GROUPS = ("all", "paper", "newer")  # that stand for several networks of the zoo
_INSTALLED = {"site-packages", "dist-packages"}  # folders of packages that their version tells apart


@dataclass(frozen=True)
class Model:
    """A model that was asked for, and the input that it takes."""

    name: str  # as on the command line
    input: tuple[int, int]  # height, width
    num_joints: int
    file: "AnyFile | None" = None  # where the name is a file

    @property
    def network_name(self) -> str:
        """Of the network: of a checkpoint, the zoo's; otherwise as records name the model."""
        return str(getattr(self.file, "network", None) or recorded_name(self.name))

    @property
    def planned(self) -> dict[str, Any]:
        """Fields of a plan, as plain values."""
        told = self.file.model_dump(mode="json") if self.file else None
        return {"model": self.name, "num_joints": self.num_joints, "input": self.input, "file": told}

    def own_backend(self, device: str) -> str:
        """What runs it where nothing else is asked for: eager; of a file, the first that opens it on the device."""
        if self.file is None or is_checkpoint(self.name):
            return "eager"
        kind = device.partition(":")[0]
        able = [catalogue.find(name) for name in catalogue.openers(self.file.path.suffix.lower())]
        return next((backend.name for backend in able if kind in backend.devices), self.file.backend)


def choose(
    arguments: argparse.Namespace,
    names: Sequence[str],
    given: tuple[int, int] | None,
    usual: tuple[int, int] = USUAL_INPUT,
) -> list[Model]:
    """The one way from names to models: files looked into, everything checked that can be before any work.

    Args:
        arguments: ``joints`` and ``model_info`` of them, as far as a command has these options.
        names: from ``model_names``.
        given: height, width that was asked for, if any.
        usual: what networks take otherwise; a file says its own.

    Raises:
        InputError: there is no such network or file, or a file is not what it, its sidecar or the options say.
    """
    check_names([name for name in names if not is_file(name)])
    info, joints = getattr(arguments, "model_info", ()), getattr(arguments, "joints", None)
    files: dict[str, AnyFile] = {}
    if info or any(map(is_file, names)):
        from bench.model_files.reading import read_files

        files = read_files(names, info=info, size=given, joints=joints)
    found = []
    for name in names:
        file = files.get(name)
        size = (file.size if file else None) or given or usual
        found.append(Model(name, size, (file.num_joints if file else None) or joints or USUAL_JOINTS, file))
    return found


def pairs(
    models: Sequence[Model], device: str, backends: Sequence[str], left_out: dict[str, str]
) -> list[tuple[Model, str]]:
    """Which model runs in which backend, backend by backend.

    Raises:
        InputError: a file runs in none of the backends that were asked for.
    """
    if not backends:
        return [(model, model.own_backend(device)) for model in models]
    found = []
    for backend in backends:
        for model in models:
            try:
                if model.file:
                    model.file.check_backend(backend)
                found.append((model, backend))
            except InputError as error:
                left_out[f"{model.name}, {backend}"] = str(error)
    for model in models:
        if model not in [one for one, _ in found]:
            raise InputError(left_out[f"{model.name}, {backends[0]}"])
    return found


def model_names(text: str) -> list[str]:
    """``NAME,NAME`` as a list of names, each once; ``all``, ``paper`` and ``newer`` among them stand for several.

    Raises:
        InputError: there are none.
    """
    import zoo

    names: list[str] = []
    for part in (part.strip() for part in text.split(",")):
        names += zoo.list_models(part) if part in GROUPS else [part] if part else []
    if not names:
        raise InputError("--models names no model: give paper, all, or names separated by commas")
    return list(dict.fromkeys(names))


def check_names(names: Sequence[str]) -> None:
    """Fail on a name that cannot be right, before any work and without building anything.

    Raises:
        InputError: no such network, or no such file.
    """
    for name in names:
        if is_file(name):
            raise InputError(f"{name} is a model file, and this command takes networks alone: give a name of the zoo")
        if not is_factory(name) and ":timm/" not in name:
            _check_name_of_the_zoo(name)
        where, _, function = name.rpartition(":")
        if is_factory(name) and not (where and function):
            raise InputError(f"no network {name!r}: give path/to/file.py:function or package.module:function")
        if is_factory(name) and where.endswith(".py") and not Path(where).is_file():
            raise InputError(f"no file {where}: give the path of a Python file, then a colon and a function")


def _check_name_of_the_zoo(name: str) -> None:
    """Raises ``InputError`` for a name that is no network's, and says so if it is a file's."""
    import zoo

    try:
        zoo.model_card(name)
    except zoo.ZooError as error:
        if name.endswith(".py"):
            raise InputError(f"{name} names no function: give {name}:FUNCTION, which returns the network") from error
        if os.path.exists(name):  # noqa: PTH110 - whatever stands in the name, this raises nothing
            known = ", ".join(endings())
            raise InputError(f"no network is called {name}, and a model file ends in one of {known}") from error
        raise


def source_files(name: str) -> list[Path]:
    """The files that define a network of the user's own, as far as they are found without importing anything.

    The file that has the factory, and those of the user's own that it rests on; of an installed package, it alone.
    """
    where = name.rpartition(":")[0]
    if not is_factory(name) or not where:
        return []
    if where.endswith(".py"):
        file = Path(where)
        return _files_behind([file], file.parent.resolve()) if file.is_file() else []
    module = Path(*where.split("."))
    for root in (Path.cwd(), *map(Path, sys.path)):
        for place in (root / module.with_suffix(".py"), root / module / "__init__.py"):
            if place.is_file():
                if _INSTALLED.intersection(root.parts) or place.is_relative_to(Path(os.__file__).parent):
                    return [place]
                return _files_behind([place, *module_files(where, [root])], root.resolve())
    return []


def _files_behind(files: Sequence[Path], folder: Path) -> list[Path]:
    """Without this project's own, whose hash is in every record."""
    own = [Path(__file__).resolve().parents[1] / room for room in ("bench", "zoo")]
    found = files_behind(files, [folder, Path.cwd()])
    return [found[0], *(path for path in found[1:] if not any(room in path.parents for room in own))]


def network_sha256(name: str, file: Mapping[str, Any] | None = None) -> str | None:
    """Of what defines a model besides the project's own sources: the user's files, or the version of timm.

    Args:
        name: of the model.
        file: as a plan holds it, of a model that is a file.
    """
    return str(file["sha256"]) if file else _network_sha256(name)


def precision_of(file: Mapping[str, Any] | None, backend: str, device: str, asked: str, *, here: bool = False) -> str:
    """``catalogue.resolve``; a file that computes in less than float32 by itself does so wherever float32 is asked for.

    Args:
        file: as a plan holds it, of a model that is a file.
    """
    resolved = catalogue.resolve(backend, device, asked, here=here)
    own = file.get("precision", "fp32") if file else "fp32"
    return str(own) if resolved == "fp32" else resolved


@functools.cache
def _network_sha256(name: str) -> str | None:
    if ":timm/" in name:
        return hashlib.sha256(f"timm {importlib.metadata.version('timm')}".encode()).hexdigest()
    files = source_files(name)
    return digest(files) if files else None


def recorded_name(name: str) -> str:
    """What records call a model: its name; of a file, and of a factory in a file, without the folders."""
    if is_file(name):
        return Path(name).name
    where, separator, factory = name.rpartition(":")
    return f"{Path(where).stem}:{factory}" if separator and where.endswith(".py") else name


def is_factory(name: str) -> bool:
    """Whether a name stands for the user's own network."""
    return ":" in name and ":timm/" not in name and not is_file(name)


def own_weights(name: str) -> str:
    """Where the weights of a model come from that is not told which to take, as records have it."""
    return "the file's own" if is_file(name) else "the factory's own" if is_factory(name) else "random"


def build(
    name: str,
    *,
    num_joints: int = 17,
    input_size: tuple[int, int] = (256, 192),
    seed: int = 0,
    options: Mapping[str, str] | None = None,
    any_type: bool = False,
) -> "nn.Module":
    """A network in evaluation mode, its weights drawn from ``seed``.

    Args:
        name: of the zoo, with ``:timm/``, ``path/to/file.py:factory`` or ``package.module:factory``.
        num_joints: for networks of the zoo; a factory is called without arguments.
        input_size: height and width, for networks of the zoo: some are made for one size.
        seed: of the weights.
        options: for networks of the zoo, such as ``attention``.
        any_type: of a factory's weights: a training keeps the type that they have. Records of all else say float32.

    Raises:
        InputError: unknown name; or the factory cannot be found, fails, hangs, ends the process or returns no module.
    """
    import torch

    import zoo

    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        if is_factory(name):
            return _from_factory(name, any_type=any_type).eval()
        return zoo.create_model(name, num_joints=num_joints, input_size=input_size, **(options or {})).eval()


def codec_of_name(name: str, input_size: tuple[int, int]) -> "Codec":
    """What a network sees and what its output means: by its card or, of the user's own, by the module itself.

    Raises:
        InputError: see ``build``; or the module declares a kind that there is not.
    """
    import zoo
    from bench.codecs.codec import codec_of

    if is_factory(name):
        return codec_of(build(name, input_size=input_size, any_type=True), input_size, name)
    if ":timm/" in name:
        return codec_of(None, input_size, name)
    card = zoo.model_card(name)
    declared = SimpleNamespace(output_kind=card.output_kind, udp=card.udp, split_ratio=card.split_ratio or 2.0)
    return codec_of(declared, input_size, name)


def _folder(where: str) -> Path:
    """In which a file or module of the user's own finds its neighbours."""
    return Path(where).parent if where.endswith(".py") else Path.cwd()


def take_up(name: str) -> None:
    """Before a network runs: imports in its functions find its neighbours, and not those of the one built last."""
    if is_factory(name):
        with neighbours(_folder(name.rpartition(":")[0])):
            pass  # its folder is the last place to look in from now on, and the modules of others are set aside


def _from_factory(name: str, *, any_type: bool) -> "nn.Module":
    import torch
    from torch import nn
    from torch.nn.parameter import is_lazy

    where, _, attribute = name.rpartition(":")
    if not {"", str(Path.cwd())}.intersection(sys.path):
        sys.path.append(str(Path.cwd()))  # python -m has it there, and the installed command has not
    with neighbours(_folder(where)):
        module = _import_file(Path(where)) if where.endswith(".py") else _import_module(where)
        factory = getattr(module, attribute, None)
        if not callable(factory):
            raise InputError(f"{where} has no function {attribute!r}: give FILE.py:FUNCTION or MODULE:FUNCTION")
        with user_code(name):
            model = factory()
    if not isinstance(model, nn.Module):
        raise InputError(f"{name} returned {type(model).__name__}: it must return a torch.nn.Module")
    for key, weight in model.named_parameters():
        if not any_type and is_lazy(weight):
            raise InputError(
                f"{name} has weights that get their shapes with the first input ({key}): call it once in the factory"
            )
        if not any_type and weight.is_floating_point() and weight.dtype != torch.float32:
            raise InputError(
                f"{name} has weights of {str(weight.dtype).removeprefix('torch.')} ({key}), and would be recorded as "
                "float32: return it with .float(); --precision chooses another"
            )
    quantised = None if any_type else _quantised(model)
    if quantised:
        raise InputError(
            f"{name} has quantised weights ({quantised}), and would be recorded as float32: return it as it was "
            "before; backends in int8, such as onnxruntime_int8, quantise it themselves"
        )
    return model


def _quantised(model: "nn.Module") -> str | None:
    """The name of a weight in a compressed form: of PyTorch's quantised modules, or of a library such as torchao."""
    from torch.utils._python_dispatch import is_traceable_wrapper_subclass
    from torch.utils._pytree import tree_leaves

    for key, value in model.state_dict().items():  # modules keep such weights packed, beside other things
        for leaf in tree_leaves(value):
            if getattr(leaf, "is_quantized", False) or is_traceable_wrapper_subclass(leaf):
                return key
    return None


def _import_file(path: Path) -> object:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise InputError(f"no file {path}: give the path of a Python file, then a colon and a function")
    module = importlib.util.module_from_spec(spec)
    keep(path.stem, module)
    with user_code(str(path), "cannot be imported"):
        try:
            spec.loader.exec_module(module)
        except ImportError as error:
            if "relative import" not in str(error):
                raise
            raise InputError(
                f"{error}: a file that imports its neighbours with a dot is part of a package; give it as "
                "PACKAGE.MODULE:FUNCTION, from the folder that has the package"
            ) from error
    return module


def _import_module(name: str) -> object:
    with user_code(f"module {name}", "cannot be imported"):
        return importlib.import_module(name)
