"""The catalogue of backends, and the two functions through which every network is built and run.

A backend has two halves. ``build`` turns a network, an example input and a precision into an ``Artifact``; only this
half imports PyTorch or a converter. ``open_artifact`` turns an artifact into a ``Session`` on this machine, arrays in
and arrays out; it imports its runtime and numpy only. Both are in the family's file, ``families/NAME.py``, which lists
its backends in ``BACKENDS``. The catalogue finds these files by itself, and reading it imports no runtime.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import functools
import importlib
import importlib.util
import pkgutil
import types
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.backends.adapted import adapted
from bench.backends.artifact import Artifact, OnDisk
from bench.backends.session import Session
from bench.core.errors import InputError

if TYPE_CHECKING:
    from bench.backends.profiles import ProfiledSession, Value

PRECISIONS = ("fp32", "tf32", "fp16", "bf16")  # to ask for; backends that quantise compute in int8


@dataclass(frozen=True)
class Backend:
    """A way to run a network."""

    name: str
    about: str  # what it is, in a line
    rank: int  # its place in lists; int8 backends come last
    devices: tuple[str, ...]  # cpu, cuda
    precisions: tuple[str, ...] = ("fp32",)  # to ask for
    build_packages: tuple[str, ...] = ()  # to build the artifact, besides torch
    open_packages: tuple[str, ...] = ()  # to open it
    install: str = ""  # the command that installs them
    file: str = "state dict"  # the kind of file that it runs from
    opens: tuple[str, ...] = ()  # endings of files that it opens as they are, whoever made them
    takes_onnx: bool = False  # whether its build half makes its own file of an ONNX file as well
    quantises: bool = False  # computes in int8
    rounds_itself: bool = False  # gets the network in float32 and converts it to the precision itself
    rounds_to: str = ""  # the precision that it converts to, whatever is asked for
    in_memory: bool = False  # the artifact is the network itself
    minutes: int = 1  # that making its artifact takes at most for a network of the paper, on two cores
    family: str = ""  # its file's name; set by the catalogue


class Conversions:
    """What to say before artifacts are made, which takes long once: each network once, and how long for the first of a
    backend."""

    def __init__(self) -> None:
        self.told: set[str] = set()

    def note(self, backend: str, who: str, model: str) -> str:
        """A line; empty where nothing is converted, or all is said.

        Args:
            backend: its name.
            who: the network and this backend, as progress names them.
            model: the network, as on the command line.
        """
        found = find(backend)
        if found.name == "eager" or Path(model).suffix.lower() in found.opens or who in self.told:
            return ""
        first = found.name not in self.told
        self.told |= {who, found.name}
        if not first:
            return f"converting {who}"
        longest = "a minute" if found.minutes == 1 else f"{found.minutes} minutes"
        return (
            f"converting {who}: the first time up to {longest} for a network of the paper, and longer for one of more "
            "operators, such as Dite-HRNet; then from the cache folder"
        )


@functools.cache
def catalogue() -> dict[str, Backend]:
    """All backends by name, in the order of lists."""
    import bench.backends.families as folder

    found: list[Backend] = []
    for module in pkgutil.iter_modules(folder.__path__):
        family = importlib.import_module(f"{folder.__name__}.{module.name}")
        for backend in getattr(family, "BACKENDS", ()):
            object.__setattr__(backend, "family", module.name)
            found.append(backend)
    return {backend.name: backend for backend in sorted(found, key=lambda one: (one.quantises, one.rank))}


def names() -> list[str]:
    return list(catalogue())


def find(name: str) -> Backend:
    """A backend by name.

    Raises:
        InputError: no such backend.
    """
    if name not in catalogue():
        raise InputError(f"unknown backend {name!r}: choose from {', '.join(catalogue())}")
    return catalogue()[name]


def family_of(backend: Backend) -> types.ModuleType:
    """The file with its two halves."""
    return importlib.import_module(f"bench.backends.families.{backend.family}")


def resolve(name: str, device: str, precision: str, *, here: bool = True) -> str:
    """The precision that really runs when a backend is asked for a precision on a device. Only this decides it.

    Args:
        name: of the backend.
        device: cpu, cuda or cuda:N.
        precision: one of ``PRECISIONS``; for backends that quantise also int8, as records name it.
        here: require that its packages are installed and that this machine can run it.

    Raises:
        InputError: no such backend, or not on this device, in this precision or, with ``here``, on this machine.
    """
    backend = find(name)
    kind = device.partition(":")[0]
    if precision == "int8" and not backend.quantises:
        raise InputError(f"backend {name} does not quantise: choose from {', '.join(PRECISIONS)}")
    if precision not in (*PRECISIONS, "int8"):
        raise InputError(f"unknown precision {precision!r}: choose from {', '.join(PRECISIONS)}")
    if precision == "tf32" and kind != "cuda":
        raise InputError("precision tf32 needs a CUDA device: give --device cuda, or --precision fp32")
    asked = "fp32" if precision in ("int8", backend.rounds_to) else precision
    if kind not in backend.devices or asked not in backend.precisions:
        if backend.devices == ("cuda",) and kind != "cuda":
            raise InputError(f"backend {name} runs on CUDA devices only: give --device cuda")
        where = {"cpu": "the CPU", "cuda": "CUDA devices"}
        devices = " or ".join(where[one] for one in backend.devices)
        raise InputError(
            f"backend {name} runs on {devices} in {' or '.join(backend.precisions)}: "
            f"give --device {backend.devices[0]} --precision {backend.precisions[0]}"
        )
    if here:
        require(backend, (*backend.build_packages, *backend.open_packages))
        missing = lacking(backend, kind, precision)
        if missing:
            raise InputError(missing)
    return "int8" if backend.quantises else backend.rounds_to or precision


def require(backend: Backend, packages: Sequence[str]) -> None:
    """Raise ``InputError`` if a package is not installed."""
    absent = [package for package in dict.fromkeys(packages) if importlib.util.find_spec(package) is None]
    if absent:
        raise InputError(f"backend {backend.name} needs {', '.join(absent)}: install with {backend.install}")


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    """What this machine lacks, besides packages, to run a backend on a device in a precision; None if nothing."""
    check = getattr(family_of(backend), "lacking", None)
    found: str | None = check(backend, device, precision) if check else None
    return found


def usable(device: str, precision: str) -> tuple[list[str], dict[str, str]]:
    """The backends that run on a device in a precision here, and for every other one the reason why it does not."""
    good: list[str] = []
    reasons: dict[str, str] = {}
    for name in catalogue():
        try:
            resolve(name, device, precision)
            good.append(name)
        except InputError as error:
            reasons[name] = str(error)
    return good, reasons


def version(name: str) -> str:
    """Name and version of the runtime, as records have them."""
    backend = find(name)
    found: str = family_of(backend).version(backend)
    return found


def reference_of(model: Any) -> str:
    """The backend that says what a model computes: eager; of a model file, its own."""
    return str(model.backend) if _is_file(model) else "eager"


def _is_file(model: Any) -> bool:
    """Whether it is a ``bench.model_files.ModelFile``, which this module does not import."""
    return hasattr(model, "runs_as_it_is")


def build(
    name: str,
    model: Any,
    example: Any,
    *,
    precision: str = "fp32",
    threads: int = 0,
    calibration: Any = None,
    portable: bool = False,
) -> Artifact:
    """The build half: prepare a network for a backend.

    Args:
        name: of the backend.
        model: a ``torch.nn.Module`` in evaluation mode and float32, on the device to run on; it is not changed. Or a
            ``bench.model_files.ModelFile``: a file is an artifact already, where it is not made into another file.
        example: its input ``[N, 3, H, W]``, a float32 tensor on the same device.
        precision: as ``resolve`` takes it.
        threads: CPU threads that it will run with, for choices made by timing; 0: as many as torch uses.
        calibration: normalised inputs ``[N, 3, H, W]`` from which a backend that quantises chooses its ranges; by
            default drawn people.
        portable: build for another machine than this one.

    Raises:
        InputError: see ``resolve``; or the network cannot be built for it.
    """
    from bench.backends.building import Network

    resolved = resolve(name, str(example.device), precision)
    backend = find(name)
    is_file = _is_file(model)
    if is_file and model.runs_as_it_is(backend):
        opened: Artifact = model.artifact(backend, resolved)
        return opened
    cast = not (backend.quantises or backend.rounds_itself)
    if is_file:
        network = Network.of_file(model, backend, example, resolved, threads, calibration)
    else:
        network = Network.in_precision(model, example, resolved, threads, calibration, cast=cast)
    family = family_of(backend)
    half = getattr(family, "build_portable", family.build) if portable else family.build
    artifact: Artifact = half(backend, network)
    return model.described(artifact) if is_file else artifact


def open_artifact(artifact: Artifact, *, device: str = "cpu", threads: int = 0) -> Session:
    """The open half: open an artifact for one inference at a time.

    Args:
        artifact: from ``build``, or from files built on another machine.
        device: cpu, cuda or cuda:N.
        threads: CPU threads; 0: the runtime's own choice.

    Raises:
        InputError: its runtime is not installed or cannot open it here.
    """
    backend = find(artifact.backend)
    require(backend, backend.open_packages)
    try:
        session: Session = family_of(backend).open_artifact(backend, artifact, device, threads)
    except InputError as error:
        if not artifact.from_cache:
            raise
        raise InputError(f"{error}; if the file was damaged, remove it, and it is made again") from error
    return adapted(session, artifact.metadata)


def openers(ending: str) -> list[str]:
    """The backends that open files of an ending as they are, in the order of lists: the first is the file's own."""
    return [backend.name for backend in catalogue().values() if ending in backend.opens]


def on_disk(name: str, path: Path) -> OnDisk:
    """A file that somebody brought, and what it needs beside it, before it is opened.

    Raises:
        InputError: a part is missing, lies elsewhere, or the file is broken.
    """
    look = getattr(family_of(find(name)), "on_disk", None)
    found: OnDisk = look(path) if look else OnDisk((path,))
    return found


def profiler_of(name: str) -> types.ModuleType:
    """The file that reads the profiler of a backend's runtime (``bench/backends/profilers``).

    Raises:
        InputError: no such backend, or its runtime tells nothing of its operators.
    """
    backend = find(name)
    if importlib.util.find_spec(f"bench.backends.profilers.{backend.family}") is None:
        reason = getattr(family_of(backend), "NO_PROFILER", "nothing reads what its runtime tells of operators")
        raise InputError(f"backend {name} cannot be explained: {reason}")
    return importlib.import_module(f"bench.backends.profilers.{backend.family}")


def shows_values(name: str) -> bool:
    """Whether what every operator of a backend's file puts out can be seen."""
    try:
        return hasattr(profiler_of(name), "values")
    except InputError:
        return False


def values(artifact: Artifact, images: Any, *, threads: int = 0) -> list[Value]:
    """What every operator of a file puts out for images ``[N, 3, H, W]``, on the CPU, in order."""
    found: list[Value] = profiler_of(artifact.backend).values(artifact, images, threads)
    return found


def build_unquantised(name: str, model: Any, example: Any) -> Artifact:
    """The file in float32 that a backend's file is made of: both call equal operators by equal names."""
    from bench.backends.building import Network

    backend = find(name)
    artifact: Artifact = profiler_of(name).unquantised(backend, Network.in_precision(model, example, "fp32", 0, None))
    return artifact


def open_profiled(artifact: Artifact, *, device: str = "cpu", threads: int = 0) -> ProfiledSession:
    """``open_artifact``, with the runtime's own profiler on.

    Raises:
        InputError: see ``open_artifact`` and ``profiler_of``; or it cannot be profiled on this device.
    """
    backend = find(artifact.backend)
    profiler = profiler_of(backend.name)
    require(backend, backend.open_packages)
    session: ProfiledSession = profiler.open_profiled(backend, artifact, device, threads)
    return session


def open_for_pixels(
    artifact: Artifact, *, mean: Sequence[float], std: Sequence[float], device: str = "cpu", threads: int = 0
) -> Session | None:
    """As ``open_artifact``, for images as uint8 ``[N, 3, H, W]``, which the runtime itself normalises.

    Args:
        mean, std: of pixels divided by 255, in the order of the network's channels.

    Returns:
        None where the runtime cannot do that, or does not do it faster.
    """
    backend = find(artifact.backend)
    opener = getattr(family_of(backend), "open_for_pixels", None)
    if opener is None:
        return None
    require(backend, backend.open_packages)
    session: Session = opener(backend, artifact, device, threads, mean, std)
    return session
