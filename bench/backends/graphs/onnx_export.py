"""A network as an ONNX file, made once from its simplified graph and cached."""

import importlib.metadata
import io
import logging
from contextlib import redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, fx, nn

from bench.backends.building import Made, Network
from bench.backends.graphs import layers
from bench.backends.graphs.operators import BATCH_NORM, aten, calls, quiet, tidy
from bench.backends.graphs.simplify import simplify

PACKAGES = ("onnx", "onnxscript")
OPSET = 18
GROUP = 16  # input channels a group: ONNX Runtime has a convolution for these, and multiplies matrices for fewer
# Before torch 2.9 the exporter on torch.export was not the default yet, and breaks with newer versions of onnxscript.
DYNAMO = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)


def export(network: Network, *, group: int = GROUP, shuffle_blocks: bool = False) -> Made:
    """The network for inputs of the example's shape as an ONNX file.

    Args:
        network: what is exported; a file stays as it is.
        group: as in ``simplify``.
        shuffle_blocks: as in ``simplify``; in ONNX Runtime and MNN it brings nothing.

    Raises:
        InputError: the network cannot be exported.
    """
    if network.onnx is not None:
        return Made(network.onnx, True)

    def make(path: Path) -> None:
        graph = simplify(
            network.captured.graph(), network.example, shuffle_blocks=shuffle_blocks, deeply=True, group=group
        )
        layers.name_layers(graph, network.model)
        if not DYNAMO:
            _name_batch_norms(graph)
        write(graph, network.example, path)

    return network.file("onnx", ".onnx", make, *versions(), group, shuffle_blocks)


def versions() -> tuple[object, ...]:
    """What a file made by way of ONNX depends on, besides the network."""
    return OPSET, DYNAMO, importlib.metadata.version("onnxscript")


def _name_batch_norms(graph: fx.GraphModule) -> None:
    """Replace batch norms that could not be folded by the only form that the older exporter knows."""
    for node in calls(graph, BATCH_NORM):
        with graph.graph.inserting_before(node):
            known = graph.graph.call_function(aten.batch_norm.default, (*node.args[:5], False, *node.args[5:], False))
        for user in list(node.users):
            user.replace_all_uses_with(known)  # statistics, in the tuple's other places, are empty in evaluation mode
    tidy(graph)


def write(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a network as it is, its operators named after their layers. Raises whatever the exporter raises.

    Exporters of torch before 2.9 know no layers of a graph: operators keep the names that they give.
    """
    import onnx

    with quiet(), redirect_stdout(io.StringIO()), torch.no_grad(), torch.inference_mode(False):
        logging.getLogger("torch.onnx").setLevel(logging.ERROR)
        if not DYNAMO:
            torch.onnx.export(module, (example.clone(),), path, dynamo=False, opset_version=OPSET)
            return
        exported = torch.export.export(module, (example.clone(),))
        layers.carry(module, exported)
        program = torch.onnx.export(exported, (), dynamo=True, opset_version=OPSET, verbose=False, optimize=False)
        assert program is not None
        _optimize(program)
        program.save(path, external_data=False)
        proto = onnx.load(path)
        layers.name_in_onnx(proto)
        onnx.save(proto, path)


def _optimize(program: torch.onnx.ONNXProgram) -> None:
    """What the exporter's own optimizer does, without its rule that joins two slices into a split.

    That rule looks through the whole graph at every operator: minutes for the thousands of Dite-HRNet. It finds
    nothing here, as ``torch.export`` keeps splits whole.
    """
    import onnxscript.optimizer
    from onnx_ir.passes import common
    from onnxscript import rewriter

    defaults = getattr(rewriter, "_DEFAULT_REWRITE_RULES", ())  # no public name has them all
    rules = [rule for rule in defaults if rule.name != "SlicesSplit"]
    if not rules:  # a version that keeps them elsewhere
        program.optimize()
        return
    model = program.model
    for _ in range(2):
        onnxscript.optimizer.fold_constants(model, onnx_shape_inference=True)
        rewriter.rewrite(model, rules)
    finish = (
        common.RemoveUnusedNodesPass(), common.LiftConstantsToInitializersPass(lift_all_constants=True, size_limit=0),
        common.DeduplicateInitializersPass(), common.CommonSubexpressionEliminationPass(), common.OutputFixPass(),
        common.NameFixPass(),
    )  # fmt: skip
    for one in finish:
        one(model)
