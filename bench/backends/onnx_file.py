"""A network as an ONNX file, made from its simplified graph once and cached by content."""

import importlib.metadata
import io
import logging
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench.backends.cache import cached, content
from bench.backends.graph import BATCH_NORM, aten, calls, quiet, tidy
from bench.backends.simplify import simplified_if_possible

PACKAGES = ("onnx", "onnxscript")
OPSET = 18
GROUP = 16  # input channels a group: ONNX Runtime has a convolution for these, and multiplies matrices for fewer
# Before torch 2.9 the exporter on torch.export was not the default yet, and breaks with newer versions of onnxscript.
DYNAMO = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)


def export(model: nn.Module, example: Tensor) -> tuple[Path, bool]:
    """The model for inputs of the example's shape as a file in the user's cache folder, and whether it was there.

    Raises:
        InputError: the model cannot be exported.
    """

    def make(path: Path) -> None:
        # Not in place: no gain was seen in ONNX Runtime.
        graph = simplified_if_possible(model, example, in_place=False, deeply=True, group=GROUP)
        if not DYNAMO and isinstance(graph, fx.GraphModule):
            _name_batch_norms(graph)
        write(graph, example, path)

    key = content(model, example, OPSET, DYNAMO, importlib.metadata.version("onnxscript"))
    return cached("onnx", key, ".onnx", make)


def _name_batch_norms(graph: fx.GraphModule) -> None:
    """The older exporter knows those that could not be folded by another operator only."""
    for node in calls(graph, BATCH_NORM):
        with graph.graph.inserting_before(node):
            known = graph.graph.call_function(aten.batch_norm.default, (*node.args[:5], False, *node.args[5:], False))
        for user in list(node.users):
            user.replace_all_uses_with(known)  # statistics, in the tuple's other places, are empty in evaluation mode
    tidy(graph)


def write(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a network as it is. Raises whatever the exporter does."""
    with quiet(), redirect_stdout(io.StringIO()), torch.no_grad(), torch.inference_mode(False):
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        new_only: Any = {"external_data": False, "verbose": False} if DYNAMO else {}
        torch.onnx.export(module, (example.clone(),), path, dynamo=DYNAMO, opset_version=OPSET, **new_only)
