"""LiteRT (formerly TensorFlow Lite) with XNNPACK on the CPU, from what onnx2tf makes of the simplified graph.

In that graph transposed convolutions are ordinary ones. The converter lives in an environment of its own.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import importlib.metadata
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.native_output import caught
from bench.backends.session import Port, Session
from bench.core.errors import InputError, first_line
from bench.timing.clock import Inference

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_BUILD = ("onnx", "onnxscript", "ai_edge_litert")
_INSTALL = "pip install 'lightpose-bench[litert]'"
BACKENDS = (
    Backend(
        "litert", "LiteRT with XNNPACK on the CPU", 130, ("cpu",), ("fp32",), _BUILD, ("ai_edge_litert",), _INSTALL,
        "tflite", (".tflite",), True, minutes=2,
    ),
    Backend(
        "litert_fp16", "LiteRT with XNNPACK on the CPU, its file, input and outputs in float16", 131, ("cpu",),
        ("fp32",), _BUILD, ("ai_edge_litert",), _INSTALL, "tflite", takes_onnx=True, rounds_itself=True,
        rounds_to="fp16", minutes=2,
    ),
    Backend(
        "litert_int8", "LiteRT with XNNPACK on the CPU in int8, quantised after training by a few pictures", 130,
        ("cpu",), ("fp32",), _BUILD, ("ai_edge_litert",), _INSTALL, "tflite", takes_onnx=True, quantises=True,
        minutes=2,
    ),
)  # fmt: skip
_VERSION_SUFFIXES = {"litert_fp16": ", fp16", "litert_int8": ", int8"}
_CONVERTER = "onnx2tf"
_PROGRAM = Path(__file__).parents[1] / "onnx2tf_program.py"
GROUP = 8  # input channels a group: XNNPACK's convolutions take as long for 2 or 4, and longer for 16
# It writes several files; these are in their names.
_FORMS = {"fp32": "float32", "fp16": "float16", "int8": "integer_quant"}
NO_PROFILER = "LiteRT's profiler cannot be reached from Python, and XNNPACK runs the network as one operator"


def version(backend: Backend) -> str:
    return f"ai-edge-litert {importlib.metadata.version('ai-edge-litert')}{_VERSION_SUFFIXES.get(backend.name, '')}"


def build(backend: Backend, network: Network) -> Artifact:
    """A ``tflite`` file.

    Raises:
        InputError: the network cannot be exported or converted, or comes out with wrong shapes.
    """
    made = convert(network)
    return Artifact(
        backend.name, network.precision, (made.path,), from_cache=made.from_cache,
        size_bytes=made.path.stat().st_size,
    )  # fmt: skip


def convert(network: Network) -> Made:
    """What onnx2tf makes of the ONNX file, with channels last.

    In int8, weights get one scale per output channel, activations one per tensor, from the smallest and the largest
    value that the calibration inputs produce; input and outputs stay float32, and so does what
    ``bench/backends/onnx2tf_program.py`` leaves in it, such as attention.

    Raises:
        InputError: the network cannot be exported or converted, or comes out with wrong shapes.
    """
    import shutil
    import tempfile

    from bench.backends import converter_environments, converters
    from bench.backends.calibration import inputs_for
    from bench.backends.graphs import onnx2tf_forms, onnx_export

    inputs = []
    if network.precision == "int8":
        inputs = inputs_for(network.example, network.calibration, network.normalisation, network.codec)

    def make(path: Path) -> None:
        import onnx

        # Where numbers are rounded, halves of channels that pass through whole blocks would be rounded in every one.
        whole = network.precision == "fp32"
        proto = onnx.load(onnx_export.export(network, group=GROUP, shuffle_blocks=whole).path)
        onnx2tf_forms.prepare(proto, quantised=bool(inputs))
        graph = proto.graph
        with tempfile.TemporaryDirectory(prefix="lightpose-") as folder:
            entry, samples = Path(folder) / "network.onnx", Path(folder) / "samples.npy"
            onnx.save(proto, entry)
            python = converter_environments.python_of(_CONVERTER)
            command: list[str | Path] = [python, _PROGRAM, "-i", entry, "-o", folder]
            if inputs:
                np.save(samples, np.stack([one.numpy().transpose(0, 2, 3, 1) for one in inputs]))
                command += ["-oiqt", "-cind", graph.input[0].name, samples, "0", "1"]  # their mean and scale
            written = Path(folder) / f"network_{_FORMS[network.precision]}.tflite"
            converters.run((*command, "-tb", "flatbuffer_direct", "-nuo", "-v", "error"), _CONVERTER, (written,))
            shutil.move(written, path)
        # Wrong shapes show when it is run.
        with _Session(path, 1) as session:
            found = [output.shape for output in session.run(network.example.numpy())]
        wanted = [tuple(size.dim_value for size in one.type.tensor_type.shape.dim) for one in graph.output]
        if found != wanted:
            raise InputError(f"cannot be turned into litert: its outputs come out as {found} instead of {wanted}")

    return network.file(_CONVERTER, ".tflite", make, *_versions(), *onnx_export.versions(), network.precision, *inputs)


def _versions() -> tuple[str, ...]:
    from bench.backends import converter_environments

    return converter_environments.folder_of(_CONVERTER).name, importlib.metadata.version("ai-edge-litert")


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    return _Session(artifact.file, threads)


class _Session(Session):
    """Inputs and outputs of four dimensions have their channels last in the file, unless its input has three channels
    as its second; here they have them second. Integers of quantised files are turned from and into real numbers."""

    def __init__(self, path: Path, threads: int) -> None:
        with caught():  # it tells of its delegate
            from ai_edge_litert.interpreter import Interpreter

            try:
                self.interpreter = Interpreter(model_path=str(path), num_threads=threads or os.cpu_count() or 1)
                self.interpreter.allocate_tensors()
            except (RuntimeError, ValueError) as error:
                raise InputError(f"{path} cannot be opened by LiteRT: {first_line(error)}") from error
        entries = self.interpreter.get_input_details()
        self.entry, self.exits = entries[0], self.interpreter.get_output_details()
        shape = [int(size) for size in self.entry.get("shape_signature", self.entry["shape"])]
        self.channels_last = not (len(shape) == 4 and shape[1] == 3 != shape[3])
        if self.channels_last and len(shape) == 4:
            shape = [shape[0], shape[3], shape[1], shape[2]]
        known = tuple(size if size > 0 else None for size in shape)
        self.inputs = (Port(self.entry["name"], known), *(Port(one["name"], ()) for one in entries[1:]))
        self.outputs = tuple(exit_["name"] for exit_ in self.exits)

    def place(self, images: np.ndarray) -> np.ndarray:
        """Images ``[N, 3, H, W]`` as the file takes them, ``[N, H, W, 3]``."""
        placed = images.transpose(0, 2, 3, 1) if self.channels_last else images
        scale, zero = self.entry["quantization"]
        if scale:
            limits = np.iinfo(self.entry["dtype"])
            placed = np.clip(np.rint(placed / scale + zero), limits.min, limits.max)
        return np.ascontiguousarray(placed, self.entry["dtype"])

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return self._run(self.place(images))

    def bind(self, images: np.ndarray) -> Inference:
        placed = self.place(images)
        return Inference(lambda: self._run(placed))

    def _run(self, placed: np.ndarray) -> list[np.ndarray]:
        self.interpreter.set_tensor(self.entry["index"], placed)
        self.interpreter.invoke()
        return [self._read(exit_) for exit_ in self.exits]

    def _read(self, exit_: Any) -> np.ndarray:
        value: Any = self.interpreter.get_tensor(exit_["index"])  # a copy
        scale, zero = exit_["quantization"]
        if scale:
            value = (value.astype(np.float32) - zero) * np.float32(scale)
        last = value.ndim == 4 and self.channels_last
        return np.asarray(value.transpose(0, 3, 1, 2) if last else value, np.float32)

    def close(self) -> None:
        del self.interpreter
