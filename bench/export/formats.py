"""How each format is written, run and read: ``write(network, path)``, ``load(path)``.

``load`` returns a function from a batch ``[N, 3, H, W]`` to heatmaps and the metadata that the file holds, as text.
Files for a batch of one are those that the runtimes of ``bench.backends`` make: simplified, and quantised if asked for.
"""

import io
import json
from collections.abc import Callable, Mapping
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.backends import onnx_file, onnxruntime, onnxruntime_int8, openvino, openvino_int8
from bench.backends.calibration import inputs_for
from bench.backends.graph import quiet

INPUT, OUTPUT = "images", "heatmaps"
RT_INFO = "lightpose"  # where an OpenVINO file keeps the metadata
EXTRA_FILE = "metadata.json"  # and a TorchScript one

Run = Callable[[Tensor], Any]


@dataclass(frozen=True)
class Network:
    """What is to be written."""

    model: nn.Module  # on the CPU, in evaluation mode and float32
    example: Tensor  # ``[N, 3, H, W]``; N is 1, or 2 where any number is to be taken
    metadata: Mapping[str, str]
    dynamic_batch: bool
    int8: bool


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    name: str
    suffix: str
    packages: tuple[str, ...]  # beside torch, to write it and to check it
    install: str
    write: Callable[[Network, Path], None]
    load: Callable[[Path], tuple[Run, dict[str, str]]]
    int8_packages: tuple[str, ...] | None = None  # to quantise; none where that is not possible


def _write_onnx(network: Network, path: Path) -> None:
    import onnx

    if network.dynamic_batch:
        _write_dynamic_onnx(network, path)
        graph = onnx.load(path)
    elif network.int8:
        inputs = inputs_for(network.example, None)
        graph = onnx.load(onnxruntime_int8.quantise(network.model, network.example, inputs)[0])
    else:
        graph = onnx.load(onnx_file.export(network.model, network.example)[0])
    names = {graph.graph.input[0].name: INPUT, graph.graph.output[0].name: OUTPUT}
    for value in (*graph.graph.input, *graph.graph.output):
        value.name = names.get(value.name, value.name)
    for node in graph.graph.node:
        node.input[:] = [names.get(name, name) for name in node.input]
        node.output[:] = [names.get(name, name) for name in node.output]
    onnx.helper.set_model_props(graph, dict(network.metadata))
    onnx.save(graph, path)


def _write_dynamic_onnx(network: Network, path: Path) -> None:
    """Not simplified: that is done for inputs of one shape."""
    if onnx_file.DYNAMO:
        options: dict[str, Any] = {"external_data": False, "verbose": False}
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    else:
        options = {"dynamic_axes": {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}}
    with quiet(), redirect_stdout(io.StringIO()):
        torch.onnx.export(
            network.model, (network.example,), str(path), dynamo=onnx_file.DYNAMO, opset_version=onnx_file.OPSET,
            input_names=[INPUT], output_names=[OUTPUT], **options,
        )  # fmt: skip


def _load_onnx(path: Path) -> tuple[Run, dict[str, str]]:
    session = onnxruntime.open_session(path, ["CPUExecutionProvider"])
    return onnxruntime.on_cpu(path), dict(session.get_modelmeta().custom_metadata_map)


def _write_openvino(network: Network, path: Path) -> None:
    package = openvino.import_openvino()
    model, example = network.model, network.example
    if network.dynamic_batch:
        with quiet():
            graph = package.convert_model(model, example_input=example, input=[(-1, *example.shape[1:])])
    elif network.int8:
        made, _ = openvino_int8.quantise(model, example, inputs_for(example, None))
        graph = package.Core().read_model(made)
    else:
        graph = package.Core().read_model(openvino.convert(model, example)[0])
    graph.inputs[0].set_names({INPUT})
    graph.outputs[0].set_names({OUTPUT})
    for key, value in network.metadata.items():
        graph.set_rt_info(value, [RT_INFO, key])
    package.save_model(graph, path, compress_to_fp16=False)


def _load_openvino(path: Path) -> tuple[Run, dict[str, str]]:
    graph = openvino.import_openvino().Core().read_model(path)
    keys = graph.get_rt_info([RT_INFO]).value
    told = {key: str(graph.get_rt_info([RT_INFO, key]).value) for key in keys}
    return openvino.on_cpu(path, "f32"), told


def _write_torchscript(network: Network, path: Path) -> None:
    # By tracing: the networks have no control flow that depends on values, and scripting knows less of Python. A trace
    # takes any batch size, unless the network fixed one; that is checked where it is asked for.
    with quiet():
        traced: Any = torch.jit.trace(network.model, (network.example,))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(path), _extra_files={EXTRA_FILE: json.dumps(dict(network.metadata))})  # type: ignore[no-untyped-call]


def _load_torchscript(path: Path) -> tuple[Run, dict[str, str]]:
    held = {EXTRA_FILE: ""}
    with quiet():
        loaded: Any = torch.jit.load(str(path), _extra_files=held)  # type: ignore[no-untyped-call]
    return loaded, json.loads(held[EXTRA_FILE])


FORMATS = {
    format.name: format
    for format in (
        Format("onnx", ".onnx", onnxruntime.PACKAGES, onnxruntime.INSTALL, _write_onnx, _load_onnx, ()),
        Format("openvino", ".xml", openvino.PACKAGES, openvino.INSTALL, _write_openvino, _load_openvino,
               openvino_int8.PACKAGES),
        Format("torchscript", ".pt", (), "", _write_torchscript, _load_torchscript),
    )
}  # fmt: skip
