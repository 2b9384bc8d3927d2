"""The layers of a network in its files: every operator of an exported file is named ``LAYER/OPERATOR``.

A layer is a module by its path, such as ``backbone.stem.conv``; ``(model)`` is the network itself. Tracing knows the
module that each operator was called in. Rewrites add operators that no module called: they belong to the layer whose
weights they use, or else to the layer that their input comes from. ``bench.explain`` reads the names back.
"""

import ast
from collections.abc import Iterator
from typing import Any

from torch import fx, nn

from bench.backends.graphs.operators import aten, is_constant
from bench.backends.profiles import ROOT, operator_name

STACK = "nn_module_stack"  # where torch.export notes the modules of a node


def name_layers(graph: fx.GraphModule, model: nn.Module) -> None:
    """Give every operator of a simplified graph a layer.

    Args:
        graph: what ``simplify`` made of the traced network.
        model: the network itself.
    """
    paths = {path.replace(".", "_"): path for path, _ in model.named_modules() if path}
    operators = [node for node in graph.graph.nodes if node.op == "call_function"]
    added = [node for node in operators if _layer(node) is None]
    for node in added:
        weights = (_path_of(source.target, paths) for source in node.all_input_nodes if is_constant(source))
        _set_layer(node, next((path for path in weights if path), None))
    for node in added:
        user = next(iter(node.users), None)
        if node.target is aten.constant_pad_nd.default and user is not None:
            _set_layer(node, _layer(user))
    for node in added:
        sources = (_layer(source) for source in node.all_input_nodes if not is_constant(source))
        _set_layer(node, next((layer for layer in sources if layer), ""))


def carry(graph: nn.Module, exported: Any) -> None:
    """Give the operators of a graph's export the layers that they have in the graph.

    Args:
        graph: from ``name_layers``; of any other module nothing is known but what its export says.
        exported: the ``torch.export.ExportedProgram`` of it.
    """
    if not isinstance(graph, fx.GraphModule):
        return
    own, its = _operators(graph.graph), _operators(exported.graph)
    for before, after in zip(own, its, strict=False):
        if before.target is not after.target:  # of another order: what follows cannot be told
            return
        after.meta[STACK] = before.meta.get(STACK, {})


def by_operator(graph: fx.Graph) -> dict[str, str]:
    """The layer of every operator of an exported graph, by its name there."""
    return {node.name: _layer(node) or ROOT for node in graph.nodes if node.op == "call_function"}


def name_in_onnx(proto: Any) -> None:
    """Name the operators of an exported ONNX file after their layers, in place.

    The exporter's notes go: they repeat the layer, and the paths of this machine's source files.
    """
    layers: dict[str, str] = {}  # by tensor
    for number, node in enumerate(proto.graph.node):
        notes = {entry.key: entry.value for entry in node.metadata_props}
        scopes = ast.literal_eval(notes.get("pkg.torch.onnx.name_scopes", "[]"))
        source = next((layers[tensor] for tensor in node.input if tensor in layers), ROOT)
        layer = (scopes[-2] or ROOT) if len(scopes) > 1 else source
        layers.update(dict.fromkeys(node.output, layer))
        node.name = operator_name(layer, f"{node.op_type}_{number}")
        del node.metadata_props[:]


def _operators(graph: fx.Graph) -> Iterator[Any]:
    return (node for node in graph.nodes if node.op == "call_function")


def _layer(node: Any) -> str | None:
    """The innermost module of a node; empty: the network itself; none: not known."""
    stack = node.meta.get(STACK)
    return list(stack.values())[-1][0].removeprefix("L['self']").lstrip(".") if stack else None


def _set_layer(node: Any, layer: str | None) -> None:
    if _layer(node) is None and layer is not None:
        node.meta[STACK] = {"": ("", "torch.nn.Module")} | ({layer: (layer, "torch.nn.Module")} if layer else {})


def _path_of(constant: str, paths: dict[str, str]) -> str | None:
    """The module that a constant is of, ``backbone_stem_conv_weight_folded`` for example: the longest that fits."""
    fitting = [flat for flat in paths if constant.startswith(f"{flat}_")]
    return paths[max(fitting, key=len)] if fitting else None
