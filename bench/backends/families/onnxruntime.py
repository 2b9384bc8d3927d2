"""ONNX Runtime: on the CPU in float32 and int8, and its CUDA and TensorRT providers."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import math
import os
import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact, OnDisk
from bench.backends.catalogue import Backend
from bench.backends.native_output import caught
from bench.backends.session import Port, Session
from bench.core.errors import InputError, first_line
from bench.core.library_settings import forbid_telemetry
from bench.timing.clock import Inference

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_BUILD = ("onnx", "onnxscript")
_OPEN = ("onnxruntime",)
_INSTALL = "pip install 'lightpose-bench[onnxruntime]'"
_ON_GPU = ("fp32", "tf32", "fp16")  # numpy has no bfloat16 to hand over
BACKENDS = (
    Backend(
        "onnxruntime", "ONNX Runtime on the CPU, from the simplified graph", 70, ("cpu",), ("fp32",), _BUILD, _OPEN,
        _INSTALL, "onnx", opens=(".onnx",),
    ),
    Backend(
        "onnxruntime_cuda", "ONNX Runtime with its CUDA provider", 80, ("cuda",), _ON_GPU, _BUILD, _OPEN,
        "pip install onnxruntime-gpu onnx onnxscript", "onnx", opens=(".onnx",),
    ),
    Backend(
        "onnxruntime_tensorrt", "ONNX Runtime with its TensorRT provider", 90, ("cuda",), _ON_GPU, _BUILD, _OPEN,
        "pip install onnxruntime-gpu onnx onnxscript tensorrt", "onnx", opens=(".onnx",),
    ),
    Backend(
        "onnxruntime_int8", "ONNX Runtime on the CPU in int8, quantised after training by a few pictures", 70, ("cpu",),
        ("fp32",), _BUILD, _OPEN, _INSTALL, "onnx", takes_onnx=True, quantises=True, minutes=2,
    ),
)  # fmt: skip
PROVIDERS = {
    "onnxruntime": "CPUExecutionProvider", "onnxruntime_int8": "CPUExecutionProvider",
    "onnxruntime_cuda": "CUDAExecutionProvider", "onnxruntime_tensorrt": "TensorrtExecutionProvider",
}  # fmt: skip
_VERSION_SUFFIXES = {
    "onnxruntime_int8": ", int8", "onnxruntime_cuda": ", CUDA provider",
    "onnxruntime_tensorrt": ", TensorRT provider",
}  # fmt: skip
_NUMPY = {
    "tensor(float)": "float32", "tensor(float16)": "float16", "tensor(double)": "float64", "tensor(uint8)": "uint8",
    "tensor(int8)": "int8",
}  # fmt: skip
_INTEGER = ("QuantizeLinear", "QLinearConv", "ConvInteger", "DynamicQuantizeLinear")  # operators of int8 networks


def version(backend: Backend) -> str:
    return f"onnxruntime {import_onnxruntime().__version__}{_VERSION_SUFFIXES.get(backend.name, '')}"


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    """The CPU package has no GPU providers, and both packages cannot be installed together."""
    provider = PROVIDERS[backend.name]
    if provider in import_onnxruntime().get_available_providers():
        return None
    return f"backend {backend.name} needs ONNX Runtime with {provider}: in an environment of its own, {backend.install}"


def import_onnxruntime() -> Any:
    """The package, with telemetry off: it reports usage to its makers by default."""
    forbid_telemetry()  # the call below comes too late for a file that it keeps
    import onnxruntime

    with contextlib.suppress(AttributeError):
        onnxruntime.disable_telemetry_events()
    return onnxruntime


def build(backend: Backend, network: Network) -> Artifact:
    """An ONNX file of the simplified graph, quantised for the int8 backend.

    Raises:
        InputError: the network cannot be exported.
    """
    from bench.backends.graphs import onnx_export

    made = quantise(network) if backend.quantises else onnx_export.export(network)
    precision = "int8" if backend.quantises else network.precision
    return Artifact(
        backend.name, precision, (made.path,), from_cache=made.from_cache, size_bytes=made.path.stat().st_size,
    )  # fmt: skip


def quantise(network: Network) -> Made:
    """The int8 file.

    Weights get one scale per output channel, activations one per tensor, from the smallest and the largest value
    that the calibration inputs produce. Weights use only half of their range: processors without VNNI add pairs of
    products in 16 bits, which overflows otherwise, and a file must work on any processor.
    """
    from bench.backends.calibration import inputs_for
    from bench.backends.graphs import onnx_export
    from bench.backends.graphs.operators import quiet

    inputs = inputs_for(network.example, network.calibration, network.normalisation, network.codec)

    def make(path: Path) -> None:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self, name: str) -> None:
                self.feeds: Iterator[dict[str, Any]] = ({name: one.numpy()} for one in inputs)

            def get_next(self) -> dict[str, Any] | None:
                return next(self.feeds, None)

        exported = onnx_export.export(network)
        prepared = path.with_suffix(".prepared")
        with quiet():
            quant_pre_process(exported.path, prepared, skip_symbolic_shape=True)
            graph = onnx.load(prepared).graph
            name = graph.input[0].name
            # There is no int8 kernel for it: it would compute in float32, on coarser numbers.
            transposed = [node.name for node in graph.node if node.op_type == "ConvTranspose"]
            quantization.quantize_static(
                prepared, path, Reader(name), per_channel=True, quant_format=quantization.QuantFormat.QDQ,
                activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=transposed, reduce_range=True,
            )  # fmt: skip
        prepared.unlink()

    return network.file("onnx-int8", ".onnx", make, import_onnxruntime().__version__, *onnx_export.versions(), *inputs)


def on_disk(path: Path) -> OnDisk:
    """An ONNX file with the files that hold its weights, which must lie beside it, and what it computes in.

    Raises:
        InputError: it is no ONNX file, it is cut short, or a file of its weights is missing or lies elsewhere.
    """
    import onnx

    try:
        graph = onnx.load(path, load_external_data=False).graph
    except OSError:
        raise
    except Exception as error:
        raise InputError(f"{path} is no ONNX file, or is cut short: get the file again") from error
    if not graph.node or not graph.output:
        raise InputError(f"{path} is no ONNX file: it has no operators")
    beside: dict[str, None] = {}
    for tensor in graph.initializer:
        for entry in tensor.external_data:
            if entry.key == "location":
                beside[entry.value] = None
    for name in beside:
        if Path(name).is_absolute() or ".." in Path(name).parts or "\\" in name:
            raise InputError(f"{path} is refused: it names {name!r} as a file of its weights, which is not beside it")
        if not (path.parent / name).is_file():
            raise InputError(f"{path} keeps its weights in {name}, and {path.parent / name} is not there")
    quantised = any(node.op_type in _INTEGER for node in graph.node)
    halves = any(one.type.tensor_type.elem_type == onnx.TensorProto.FLOAT16 for one in graph.input)
    sizes = {onnx.TensorProto.FLOAT: 0, onnx.TensorProto.FLOAT16: 0}
    for tensor in graph.initializer:
        if tensor.data_type in sizes:
            sizes[tensor.data_type] += math.prod(tensor.dims)
    halves = halves or sizes[onnx.TensorProto.FLOAT16] > sizes[onnx.TensorProto.FLOAT]
    files = (path, *(path.parent / name for name in beside))
    return OnDisk(files, "int8" if quantised else "fp16" if halves else "fp32")


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    """A session with one of the providers, which must not silently leave the network to another one.

    Raises:
        InputError: the file cannot be opened, or the provider cannot start, for example because a library is missing.
    """
    if device.startswith("cuda"):
        return _GpuSession(backend, artifact, device, threads)
    return _CpuSession(artifact, threads)


def open_session(
    path: Path, threads: int, providers: Sequence[Any], settings: Mapping[str, Any] | None = None, *,
    beside: bool = False,
) -> Any:  # fmt: skip
    """ONNX Runtime's own session, with further settings by name; ``beside``: the weights are in files beside it."""
    onnxruntime = import_onnxruntime()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    for name, value in (settings or {}).items():
        setattr(options, name, value)
    try:
        content = str(path) if beside else path.read_bytes()  # the path where weights lie in files of their own
        return onnxruntime.InferenceSession(content, options, providers=list(providers))
    except Exception as error:
        raise InputError(f"{path} cannot be opened by ONNX Runtime: {first_line(error)}") from error


def _reason(said: Sequence[str]) -> str:
    """What ONNX Runtime logged of a provider that failed, without time, colours and its own functions' names."""
    plain = [re.sub(r"\x1b\[[0-9;]*m", "", line) for line in said]
    found = next((line for line in plain if "rror" in line and not line.startswith("*")), "it gave no reason")
    return re.sub(r"^.* : FAIL : |^[-0-9]+ [0-9:.]+ \[[^\]]*\] ", "", found)[:400]


class _OrtSession(Session):
    def __init__(self, artifact: Artifact, threads: int, providers: Sequence[Any]) -> None:
        self.session = open_session(artifact.file, threads, providers, beside=len(artifact.files) > 1)

    def read_ports(self) -> None:
        """What the file says of its inputs, its outputs and itself."""
        self.inputs = tuple(
            Port(
                one.name, tuple(size if isinstance(size, int) else None for size in one.shape),
                _NUMPY.get(one.type, one.type),
            )
            for one in self.session.get_inputs()
        )  # fmt: skip
        self.outputs = tuple(one.name for one in self.session.get_outputs())
        self.metadata = self.session.get_modelmeta().custom_metadata_map
        self.name = self.inputs[0].name if self.inputs else ""

    def close(self) -> None:
        del self.session


class _CpuSession(_OrtSession):
    def __init__(self, artifact: Artifact, threads: int) -> None:
        super().__init__(artifact, threads, ["CPUExecutionProvider"])
        self.read_ports()

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return list(self.session.run(None, {self.name: images}))


class _GpuSession(_OrtSession):
    """Input and outputs stay on the device."""

    def __init__(self, backend: Backend, artifact: Artifact, device: str, threads: int) -> None:
        self.device = int(device.partition(":")[2] or 0)
        provider = PROVIDERS[backend.name]
        tf32 = artifact.precision == "tf32"
        own = {"device_id": self.device, "use_tf32": int(tf32)}
        providers: list[Any] = [("CUDAExecutionProvider", own)]
        if backend.name == "onnxruntime_tensorrt":
            from bench.core.files import cache_path

            if not tf32:
                os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # the provider has no option for it
            options = {
                "device_id": self.device, "trt_fp16_enable": artifact.precision == "fp16",
                "trt_engine_cache_enable": True, "trt_engine_cache_path": str(cache_path("tensorrt")),
            }  # fmt: skip
            providers.insert(0, (provider, options))
        with caught() as said:
            super().__init__(artifact, threads, providers)
        if provider not in self.session.get_providers():
            raise InputError(f"ONNX Runtime could not start its {provider}: {_reason(said)}")
        self.read_ports()

    def _bound(self, images: np.ndarray) -> Any:
        onnxruntime = import_onnxruntime()
        binding = self.session.io_binding()
        placed = images.astype(self.inputs[0].type)
        binding.bind_ortvalue_input(self.name, onnxruntime.OrtValue.ortvalue_from_numpy(placed, "cuda", self.device))
        for exit_ in self.session.get_outputs():
            binding.bind_output(exit_.name, "cuda", self.device)
        return binding

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        binding = self._bound(images)
        self.session.run_with_iobinding(binding)
        return [np.asarray(output, np.float32) for output in binding.copy_outputs_to_cpu()]

    def bind(self, images: np.ndarray) -> Inference:
        binding, session = self._bound(images), self.session
        return Inference(lambda: session.run_with_iobinding(binding), binding.synchronize_outputs)
