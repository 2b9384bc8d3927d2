"""How each format is written, run and read: ``write(model, example, metadata, path)``, ``load(path)``.

``load`` returns a function from a batch ``[N, 3, H, W]`` to heatmaps and the metadata that the file holds, as text.
"""

import io
import json
import logging
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.backends.onnxruntime import DYNAMO, OPSET

INPUT, OUTPUT = "images", "heatmaps"
RT_INFO = "lightpose"  # where an OpenVINO file keeps the metadata
EXTRA_FILE = "metadata.json"  # and a TorchScript one

Run = Callable[[Tensor], Tensor]
Metadata = Mapping[str, str]


@dataclass(frozen=True)
class Format:
    """A kind of file."""

    name: str
    suffix: str
    packages: tuple[str, ...]  # beside torch, to write it and to check it
    extra: str  # of this project, that installs them
    write: Callable[[nn.Module, Tensor, Metadata, Path, bool], None]  # the last says whether any batch size is taken
    load: Callable[[Path], tuple[Run, dict[str, str]]]


def _write_onnx(model: nn.Module, example: Tensor, metadata: Metadata, path: Path, dynamic: bool) -> None:
    import onnx

    options: dict[str, Any] = {"external_data": False, "verbose": False} if DYNAMO else {}
    if dynamic and DYNAMO:
        options["dynamic_shapes"] = ({0: torch.export.Dim("batch")},)
    elif dynamic:
        options["dynamic_axes"] = {INPUT: {0: "batch"}, OUTPUT: {0: "batch"}}
    with _silence():
        torch.onnx.export(
            model, (example,), str(path), dynamo=DYNAMO, opset_version=OPSET, input_names=[INPUT],
            output_names=[OUTPUT], **options,
        )  # fmt: skip
    graph = onnx.load(path)
    onnx.helper.set_model_props(graph, dict(metadata))
    onnx.save(graph, path)


def _load_onnx(path: Path) -> tuple[Run, dict[str, str]]:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(path.read_bytes(), options, providers=["CPUExecutionProvider"])

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(session.run([OUTPUT], {INPUT: images.numpy()})[0])

    return run, dict(session.get_modelmeta().custom_metadata_map)


def _openvino() -> Any:
    """The package, without the one that would report its use to its makers."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it fails, which is allowed for
    import openvino

    return openvino


def _write_openvino(model: nn.Module, example: Tensor, metadata: Metadata, path: Path, dynamic: bool) -> None:
    openvino = _openvino()
    batch = -1 if dynamic else example.shape[0]
    with _silence():
        graph = openvino.convert_model(model, example_input=example, input=[(batch, *example.shape[1:])])
    graph.inputs[0].set_names({INPUT})
    graph.outputs[0].set_names({OUTPUT})
    for key, value in metadata.items():
        graph.set_rt_info(value, [RT_INFO, key])
    openvino.save_model(graph, path, compress_to_fp16=False)


def _load_openvino(path: Path) -> tuple[Run, dict[str, str]]:
    openvino = _openvino()
    graph = openvino.Core().read_model(path)
    keys = graph.get_rt_info([RT_INFO]).value
    # In the kind of numbers that were exported, where the processor would rather take smaller ones.
    compiled = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})

    def run(images: Tensor) -> Tensor:
        return torch.from_numpy(compiled({INPUT: images.numpy()})[OUTPUT])

    return run, {key: str(graph.get_rt_info([RT_INFO, key]).value) for key in keys}


def _write_torchscript(model: nn.Module, example: Tensor, metadata: Metadata, path: Path, dynamic: bool) -> None:
    # By tracing: the networks have no control flow that depends on values, and scripting knows less of Python. A trace
    # takes any batch size, unless the network fixed one; that is checked where it is asked for.
    with _silence():
        traced: Any = torch.jit.trace(model, (example,))  # type: ignore[no-untyped-call]
        torch.jit.save(traced, str(path), _extra_files={EXTRA_FILE: json.dumps(dict(metadata))})  # type: ignore[no-untyped-call]


def _load_torchscript(path: Path) -> tuple[Run, dict[str, str]]:
    held = {EXTRA_FILE: ""}
    with _silence():
        loaded: Any = torch.jit.load(str(path), _extra_files=held)  # type: ignore[no-untyped-call]
    return loaded, json.loads(held[EXTRA_FILE])


@contextmanager
def _silence() -> Iterator[None]:
    """Exporters report on what they do, on every channel there is."""
    log = logging.getLogger("torch.onnx")
    level = log.level
    with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        log.setLevel(logging.ERROR)
        try:
            yield
        finally:
            log.setLevel(level)


FORMATS = {
    format.name: format
    for format in (
        Format("onnx", ".onnx", ("onnx", "onnxscript", "onnxruntime"), "onnxruntime", _write_onnx, _load_onnx),
        Format("openvino", ".xml", ("openvino",), "openvino", _write_openvino, _load_openvino),
        Format("torchscript", ".pt", (), "", _write_torchscript, _load_torchscript),
    )
}
