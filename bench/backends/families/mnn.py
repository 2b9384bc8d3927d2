"""MNN on the CPU, from an ONNX file of the simplified graph.

Its command ``mnnconvert`` and its package ``MNN.tools`` install other packages and send the machine's identity to their
makers. Neither is used: the extension's own converter is called by itself.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import functools
import importlib.metadata
import os
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.native_output import caught
from bench.backends.session import Port, Session
from bench.core.errors import InputError

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_BUILD = ("MNN", "onnx", "onnxscript")
_INSTALL = "pip install 'lightpose-bench[mnn]'"
BACKENDS = (
    Backend("mnn", "MNN on the CPU", 120, ("cpu",), ("fp32",), _BUILD, ("MNN",), _INSTALL, "mnn", (".mnn",), True),
    Backend(
        "mnn_fp16", "MNN on the CPU, float16 in its file, and in its arithmetic where the processor has it", 121,
        ("cpu",), ("fp32",), _BUILD, ("MNN",), _INSTALL, "mnn", (".mnn",), True, rounds_itself=True, rounds_to="fp16",
    ),
    Backend(
        "mnn_int8_weights", "MNN on the CPU, weights of 8 bits in its file, activations in float32", 121, ("cpu",),
        ("fp32",), _BUILD, ("MNN",), _INSTALL, "mnn", takes_onnx=True, quantises=True,
    ),
)  # fmt: skip
_VERSION_SUFFIXES = {"mnn_fp16": ", fp16", "mnn_int8_weights": ", 8-bit weights"}
_OPTIONS = {"mnn": (), "mnn_fp16": ("--fp16",), "mnn_int8_weights": ("--weightQuantBits", "8")}
_CONVERT = "import sys, _tools; _tools.mnnconvert(sys.argv)"
_REDUCTIONS = ("ReduceL1", "ReduceL2", "ReduceLogSum", "ReduceLogSumExp", "ReduceSumSquare")
WINOGRAD_LEVEL, LEAST_MEMORY = 3, 1  # Winograd's larger tiles cost small_hrnet_w16 1.6e-4 of its largest output


def version(backend: Backend) -> str:
    return f"MNN {importlib.metadata.version('MNN')}{_VERSION_SUFFIXES.get(backend.name, '')}"


def build(backend: Backend, network: Network) -> Artifact:
    """One file, in float32 or smaller.

    Raises:
        InputError: the network cannot be converted.
    """
    made = convert(network, _OPTIONS[backend.name])
    return Artifact(
        backend.name, "int8" if backend.quantises else network.precision, (made.path,), from_cache=made.from_cache,
        size_bytes=made.path.stat().st_size,
    )  # fmt: skip


def convert(network: Network, options: tuple[str, ...]) -> Made:
    """What MNN's converter makes of the ONNX file.

    Raises:
        InputError: the network cannot be exported or converted.
    """
    from bench.backends import converters
    from bench.backends.graphs import onnx_export
    from bench.backends.profilers.mnn_operators import describe, description_of

    def make(path: Path) -> None:
        exported = onnx_export.export(network)
        with tempfile.TemporaryDirectory(prefix="lightpose-") as folder:
            source = _as_it_reads_it(exported.path, Path(folder))
            command = (sys.executable, "-c", _CONVERT, "-f", "ONNX", "--modelFile", source, "--MNNModel", path)
            converters.run((*command, "--bizCode", "lightpose", *options), "MNN's converter", (path,))
        # What it has no operator for shows when it is run.
        with _Session(path, 1, network.precision) as session:
            session.run(network.example.numpy())
        describe(exported.path, description_of(path))

    return network.file("mnn", ".mnn", make, importlib.metadata.version("MNN"), *onnx_export.versions(), options)


def _as_it_reads_it(path: Path, folder: Path) -> Path:
    """The ONNX file, or a copy in the folder in which MNN's converter and kernels find what they compute right.

    Of some reductions the converter knows the axes as an attribute only, as they were before opset 18, and reduces all
    axes where they are an input, without a word. And convolutions of 7x7 run in tiles of Winograd's that are off by
    4e-4 of the largest output; with a column of zeros the kernel is no square, and none are used.
    """
    import onnx

    model = onnx.load(path)
    graph = model.graph
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    changed = False
    for number, node in enumerate(graph.node):
        if len(node.input) < 2 or node.input[1] not in constants:
            continue
        constant = onnx.numpy_helper.to_array(constants[node.input[1]])
        if node.op_type in _REDUCTIONS:
            del node.input[1]
            node.attribute.append(onnx.helper.make_attribute("axes", constant.tolist()))
        elif _runs_in_poor_tiles(node, constant):
            wider = np.pad(constant, ((0, 0), (0, 0), (0, 0), (0, 1)))
            graph.initializer.append(onnx.numpy_helper.from_array(wider, f"wider_{number}"))
            node.input[1] = graph.initializer[-1].name
            told = {one.name: one for one in node.attribute}
            if "kernel_shape" in told:
                told["kernel_shape"].ints[1] += 1
            if "pads" not in told:
                told["pads"] = node.attribute.add(name="pads", type=onnx.AttributeProto.INTS, ints=[0] * 4)
            told["pads"].ints[3] += 1
        else:
            continue
        changed = True
    if not changed:
        return path
    onnx.save(model, folder / "network.onnx")
    return folder / "network.onnx"


def _runs_in_poor_tiles(node: Any, weight: np.ndarray) -> bool:
    """Whether it is a convolution of 7x7, not depthwise, of stride 1, that tells its edges."""
    if node.op_type != "Conv" or weight.shape[1] == 1 or weight.shape[2:] != (7, 7):
        return False
    told = {one.name: one for one in node.attribute}
    alone = all(set(told[name].ints) == {1} for name in ("strides", "dilations") if name in told)
    return alone and ("auto_pad" not in told or told["auto_pad"].s == b"NOTSET")


@functools.cache
def import_mnn() -> tuple[Any, Any, bool]:
    """``MNN.expr``, ``MNN.nn``, and whether it computes in float16: it only says so on its way in."""
    with caught() as lines:
        from MNN import expr, nn
    return expr, nn, any("fp16:1" in line for line in lines)


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    return _Session(artifact.file, threads, artifact.precision)


class _Session(Session):
    def __init__(self, path: Path, threads: int, precision: str) -> None:
        expr, nn, in_half = import_mnn()
        with caught():
            # Precision "low" is float16 where the processor has it, and float32 where not.
            settings: dict[str, Any] = {
                "backend": "CPU", "numThread": threads or os.cpu_count() or 1,
                "precision": "low" if precision == "fp16" else "high",
            }  # fmt: skip
            manager = nn.create_runtime_manager((settings,))
            manager.set_hint(WINOGRAD_LEVEL, LEAST_MEMORY)
            try:
                self.module = nn.load_module_from_file(str(path), [], [], runtime_manager=manager)
                told = self.module.get_info()
            except Exception as error:
                raise InputError(f"{path} cannot be opened by MNN: {error}") from error
        self.expr, self.path, self.manager = expr, path, manager
        self.outputs = tuple(told["outputNames"])
        self.inputs = tuple(
            Port(name, tuple(size if size > 0 else None for size in one.shape))
            for name, one in zip(told["inputNames"], told["inputs"])
        )
        if precision == "fp16":
            self.note = f"float16 weights, float{16 if in_half else 32} arithmetic"

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        expr = self.expr
        entry = expr.const(images, list(images.shape), expr.NCHW, expr.float)
        found = self.module.forward([entry])
        if len(found) != len(self.outputs):
            raise InputError(f"{self.path} cannot be run by MNN: it gives {len(found)} outputs of {len(self.outputs)}")
        return [np.array(self._read(output), np.float32) for output in found]

    def _read(self, output: Any) -> np.ndarray:
        expr = self.expr
        if output.data_format == expr.NC4HW4:
            output = expr.convert(output, expr.NCHW)
        return output.read()

    def close(self) -> None:
        del self.module, self.manager
