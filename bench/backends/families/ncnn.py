"""ncnn on the CPU, from the files that its converter pnnx makes of the network as it is."""

from __future__ import annotations  # this file is read by Python 3.9 too

import importlib.metadata
import importlib.util
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.backends.artifact import Artifact, OnDisk
from bench.backends.catalogue import Backend
from bench.backends.native_output import caught
from bench.backends.session import Port, Session
from bench.core.errors import InputError

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_INSTALL = "pip install 'lightpose-bench[ncnn]'"
BACKENDS = (
    Backend(
        "ncnn", "ncnn on the CPU", 110, ("cpu",), ("fp32",), ("ncnn", "pnnx"), ("ncnn",), _INSTALL, "ncnn param + bin",
        opens=(".param",), takes_onnx=True,
    ),
    Backend(
        "ncnn_fp16", "ncnn on the CPU, float16 in its file, and in its arithmetic where the processor has it", 111,
        ("cpu",), ("fp32",), ("ncnn", "pnnx"), ("ncnn",), _INSTALL, "ncnn param + bin", (".param",), True,
        rounds_itself=True, rounds_to="fp16",
    ),
)  # fmt: skip
NO_PROFILER = "ncnn has one that prints (NCNN_BENCHMARK), and its package is built without it"


def version(backend: Backend) -> str:
    return f"ncnn {importlib.metadata.version('ncnn')}{', fp16' if backend.rounds_to else ''}"


def build(backend: Backend, network: Network) -> Artifact:
    """A ``param`` file with its ``bin``.

    Raises:
        InputError: the network cannot be converted, or holds what ncnn has no layer for.
    """
    made = convert(network)
    files = (made.path, made.path.with_suffix(".bin"))
    return Artifact(
        backend.name, network.precision, files, from_cache=made.from_cache,
        size_bytes=sum(file.stat().st_size for file in files),
    )  # fmt: skip


def convert(network: Network) -> Made:
    """The network as pnnx converts it: folded and joined by its own rules, for one picture.

    Raises:
        InputError: it cannot be converted, or holds what ncnn has no layer for.
    """
    import tempfile

    import torch

    from bench.backends import converters
    from bench.backends.graphs.operators import quiet

    if network.onnx is None:
        # Its own tracer would follow a path that depends on values without a word; this one refuses it.
        _ = network.captured
    single = network.example[:1].contiguous()

    def make(path: Path) -> None:
        with tempfile.TemporaryDirectory(prefix="lightpose-") as folder:
            script = Path(folder) / ("network.pt" if network.onnx is None else "network.onnx")
            if network.onnx is not None:
                shutil.copy(network.onnx, script)
            else:
                with quiet(), torch.no_grad(), torch.inference_mode(False):
                    traced = torch.jit.trace(network.model, (single.clone(),), check_trace=False)  # type: ignore[no-untyped-call]
                    traced.save(str(script))
            weights, shape = path.with_suffix(".bin"), ",".join(map(str, single.shape))
            beside = {
                f"{key}={Path(folder) / name}": None
                for key, name in (
                    ("pnnxparam", "a.param"), ("pnnxbin", "a.bin"), ("pnnxpy", "a.py"), ("pnnxonnx", "a.onnx"),
                    ("ncnnpy", "b.py"),
                )
            }  # fmt: skip
            converters.run(
                (
                    _pnnx(), script, f"inputshape=[{shape}]", f"fp16={int(network.precision == 'fp16')}",
                    f"ncnnparam={path}", f"ncnnbin={weights}", *beside,
                ),
                "pnnx", (path, weights),
            )  # fmt: skip
        with _Session(path, 1, network.precision) as session:  # what it has no layer for shows when it is opened
            session.run(single.numpy())

    return network.file("ncnn", ".param", make, *_versions(), network.precision)


def _pnnx() -> Path:
    """The converter's program; its package is not imported, as that would import torch."""
    spec = importlib.util.find_spec("pnnx")
    assert spec is not None
    assert spec.origin is not None
    return Path(spec.origin).with_name("pnnx.exe" if sys.platform == "win32" else "pnnx")


def _versions() -> tuple[str, ...]:
    return importlib.metadata.version("ncnn"), importlib.metadata.version("pnnx")


def on_disk(path: Path) -> OnDisk:
    """A ``param`` file, with the ``bin`` file that must lie beside it.

    Raises:
        InputError: there is no such ``bin`` file, or the ``param`` file is not one.
    """
    if not path.read_bytes()[:8].startswith(b"7767517"):
        raise InputError(f"{path} is no param file of ncnn in text form: it must begin with 7767517")
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise InputError(f"{path} keeps its weights in {weights.name}, and {weights} is not there")
    return OnDisk((path, weights))


def _entry_shape(path: Path, name: str) -> tuple[int | None, ...]:
    """What the ``param`` file says of its input, if anything; ncnn knows no batches, and this backend takes any."""
    sizes: dict[str, int] = {}
    for line in path.read_text(errors="replace").splitlines():
        layer = line.split()
        if layer[:1] == ["Input"] and name in layer[4:]:
            told = (part.partition("=") for part in layer if "=" in part)
            sizes = {key: int(value) for key, _, value in told if value.isdecimal() and int(value)}
    return None, sizes.get("2"), sizes.get("1"), sizes.get("0")


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    """A network of ncnn's; a batch goes through it picture by picture, as it knows no batches."""
    return _Session(artifact.file, threads, artifact.precision)


class _Session(Session):
    def __init__(self, path: Path, threads: int, precision: str) -> None:
        import ncnn

        self.ncnn, self.path = ncnn, path
        self.net = ncnn.Net()
        options = self.net.opt
        options.num_threads = threads or ncnn.get_physical_big_cpu_count()
        options.use_vulkan_compute = False
        # Left open, ncnn takes half precision wherever the processor has it.
        options.use_bf16_storage = options.use_bf16_packed = False
        half = precision == "fp16"
        options.use_fp16_packed = options.use_fp16_storage = options.use_fp16_arithmetic = half
        with caught() as lines:
            failed = self.net.load_param(str(path)) or self.net.load_model(str(path.with_suffix(".bin")))
        if failed:
            raise InputError(f"{path} cannot be opened by ncnn: {lines[0] if lines else 'it does not say why'}")
        self.inputs = tuple(Port(name, _entry_shape(path, name)) for name in self.net.input_names())
        self.outputs = tuple(self.net.output_names())
        self.entry = self.inputs[0].name if self.inputs else ""
        if half:
            self.note = "float16 weights, float16 arithmetic" if ncnn.cpu_support_arm_asimdhp() else (
                "float16 weights, float32 arithmetic"
            )  # fmt: skip

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        found = [self._run_one(image) for image in np.ascontiguousarray(images)]
        return [np.stack(each) for each in zip(*found)]

    def _run_one(self, image: np.ndarray) -> list[np.ndarray]:
        extractor = self.net.create_extractor()
        extractor.input(self.entry, self.ncnn.Mat(image))
        found = []
        for name in self.outputs:
            failed, output = extractor.extract(name)
            if failed:
                raise InputError(f"{self.path} cannot be run by ncnn: {name} could not be computed")
            found.append(np.array(output, np.float32))
        return found

    def close(self) -> None:
        self.net.clear()
