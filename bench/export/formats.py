"""How each format is written and read. Imports nothing heavy: what writes or reads a file imports its own.

A file for one image at a time is the artifact that ``bench.backends`` builds, with names for its input and outputs and
with metadata. One for any number of images holds the network as it is: rewriting is done for inputs of one shape.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.output_kinds import KINDS

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from bench.backends.building import Network

    RunArrays = Callable[[np.ndarray], list[np.ndarray]]

INPUT = "images"
EXTRA_FILE = "metadata.json"  # where a TorchScript file keeps the metadata


@dataclass(frozen=True)
class ExportSource:
    """What is to be written."""

    model: Any  # a network on the CPU, in evaluation mode and float32; or a ``bench.model_files.ModelFile``
    example: Tensor  # ``[N, 3, H, W]``; N is 1, or 2 where any number is to be taken
    metadata: Mapping[str, str]
    dynamic_batch: bool
    int8: bool

    @property
    def from_file(self) -> bool:
        """Whether it is a file, whose input and outputs keep their names."""
        return hasattr(self.model, "onnx_for")

    def network(self, backend: str) -> Network:
        """For the build half of a backend."""
        from bench.backends import catalogue
        from bench.backends.building import Network

        if self.from_file:
            return Network.of_file(self.model, catalogue.find(backend), self.example, "fp32", 0, None)
        return Network.in_precision(self.model, self.example, "fp32", 0, None)

    @property
    def outputs(self) -> tuple[str, ...]:
        """Names of its outputs."""
        return KINDS[self.metadata["output_kind"]].arrays


@dataclass(frozen=True)
class Format:
    """A kind of file: ``write(source, path)``, ``metadata(path)``, and the backends that open it."""

    name: str
    suffix: str
    write: Callable[[ExportSource, Path], None]
    metadata: Callable[[Path], dict[str, str]]
    backend: str | None = None  # none for TorchScript, which PyTorch itself opens
    int8_backend: str | None = None  # none where it cannot be quantised
    beside: str = ""  # ending of a second file that is written beside it


def _write_onnx(source: ExportSource, path: Path) -> None:
    import onnx

    from bench.backends.families import onnxruntime
    from bench.backends.graphs import onnx_export

    network = source.network("onnxruntime")
    if source.dynamic_batch:
        _write_dynamic_onnx(source, path)
        graph = onnx.load(path)
    elif source.int8:
        graph = onnx.load(onnxruntime.quantise(network).path)
    else:
        graph = onnx.load(onnx_export.export(network).path)
    if not source.from_file:
        _rename(graph, source)
    onnx.helper.set_model_props(graph, dict(source.metadata))
    onnx.save(graph, path)


def _rename(graph: Any, source: ExportSource) -> None:
    """Give the input and the outputs of a graph the names that files of this project have."""
    entries = [graph.graph.input[0].name, *(value.name for value in graph.graph.output)]
    names = dict(zip(entries, (INPUT, *source.outputs), strict=True))
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]


def _write_dynamic_onnx(source: ExportSource, path: Path) -> None:
    import torch

    from bench.backends.graphs import onnx_export
    from bench.backends.graphs.operators import quiet

    if onnx_export.DYNAMO:
        options: dict[str, Any] = {"external_data": False, "verbose": False}
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        options = {"dynamic_axes": {name: {0: "batch"} for name in (INPUT, *source.outputs)}}
    with quiet(), redirect_stdout(io.StringIO()):
        torch.onnx.export(
            source.model, (source.example,), str(path), dynamo=onnx_export.DYNAMO, opset_version=onnx_export.OPSET,
            input_names=[INPUT], output_names=list(source.outputs), **options,
        )  # fmt: skip


def _onnx_metadata(path: Path) -> dict[str, str]:
    import onnx

    return {entry.key: entry.value for entry in onnx.load(path).metadata_props}


def _write_openvino(source: ExportSource, path: Path) -> None:
    from bench.backends.families import openvino
    from bench.backends.graphs.operators import quiet

    package = openvino.import_openvino()
    network = source.network("openvino")
    if source.dynamic_batch:
        with quiet():
            shape = (-1, *source.example.shape[1:])
            graph = package.convert_model(source.model, example_input=source.example, input=[shape])
    else:
        # Not the artifact that is timed: that one prefers the kernels that are fastest on this very machine.
        made = openvino.quantise(network) if source.int8 else openvino.convert(network)
        graph = package.Core().read_model(made.path)
    if not source.from_file:
        graph.inputs[0].set_names({INPUT})
        for output, name in zip(graph.outputs, source.outputs, strict=True):
            output.set_names({name})
    for key, value in source.metadata.items():
        graph.set_rt_info(value, [openvino.RT_INFO, key])
    package.save_model(graph, path, compress_to_fp16=False)


def _openvino_metadata(path: Path) -> dict[str, str]:
    from bench.backends.families import openvino

    return openvino.read_metadata(openvino.import_openvino().Core().read_model(path))


def _write_torchscript(source: ExportSource, path: Path) -> None:
    # By tracing: the networks have no control flow that depends on values, and scripting knows less of Python. A trace
    # takes any batch size, unless the network fixed one; that is checked where it is asked for.
    import torch

    from bench.backends.graphs.operators import quiet

    content = io.BytesIO()  # given a path, torch ends the whole process where the disk is full
    with quiet():
        traced: Any = torch.jit.trace(source.model, (source.example,))  # type: ignore[no-untyped-call]
        extra = {EXTRA_FILE: json.dumps(dict(source.metadata))}
        torch.jit.save(traced, content, _extra_files=extra)  # type: ignore[no-untyped-call]
    path.write_bytes(content.getbuffer())


def load_torchscript(path: Path) -> tuple[Any, dict[str, str]]:
    """The traced network, and the metadata beside it."""
    import torch

    from bench.backends.graphs.operators import quiet

    found = {EXTRA_FILE: ""}
    with quiet():
        loaded: Any = torch.jit.load(str(path), _extra_files=found)  # type: ignore[no-untyped-call]
    return loaded, json.loads(found[EXTRA_FILE])


FORMATS = {
    format.name: format
    for format in (
        Format("onnx", ".onnx", _write_onnx, _onnx_metadata, "onnxruntime", "onnxruntime_int8"),
        Format("openvino", ".xml", _write_openvino, _openvino_metadata, "openvino", "openvino_int8", ".bin"),
        Format("torchscript", ".pt", _write_torchscript, lambda path: load_torchscript(path)[1]),
    )
}
