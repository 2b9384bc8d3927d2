"""Joins convolutions to what follows them, as oneDNN computes them in one call.

On a CPU in float32, a convolution, the addition after it and the activation become one call, with the weights laid out
in advance as oneDNN needs them.
"""

from typing import Any

import torch
from torch import Tensor, fx

from bench.backends.graphs.operators import CONVOLUTION, argument, aten, calls, find_shapes, is_constant, shape, tidy

ACTIVATIONS = {
    aten.relu.default: "relu",
    aten.hardswish.default: "hardswish",
    aten.hardsigmoid.default: "hardsigmoid",
    aten.sigmoid.default: "sigmoid",
}


def join_activations(graph: fx.GraphModule, example: Tensor) -> None:
    """Convolution, a tensor added to it, activation: one call of oneDNN each, in place of two or three."""
    for view in calls(graph, aten.view.default):
        view.target = aten.reshape.default  # oneDNN chooses the layout of what it puts out
    graph.recompile()
    find_shapes(graph, example)
    for conv in calls(graph, CONVOLUTION):
        if not is_constant(conv.args[1]):  # made for every picture: there is nothing to lay out in advance
            continue
        entry, weight, bias = conv.args[0], conv.args[1], argument(conv, 2)
        stride, padding, dilation = (list(argument(conv, index)) for index in (3, 4, 5))
        groups = argument(conv, 6)
        added = _added(conv)
        last = added[0] if added else conv
        activation = _activation(last, plain=added is None)
        if activation:
            last = activation[0]
        name, scalars = activation[1:] if activation else ("none", [])
        with torch.inference_mode(False), torch.no_grad(), graph.graph.inserting_before(last):
            packed = torch.ops.mkldnn._reorder_convolution_weight(
                getattr(graph, weight.target), padding, stride, dilation, groups, list(shape(entry))
            )
            laid_out = _attribute(graph, f"{weight.target}_packed", packed)
            call: Any = torch.ops.mkldnn._convolution_pointwise
            arguments: list[Any] = [laid_out, bias, padding, stride, dilation, groups]
            if added:
                call, first = call.binary, [entry, added[1]]
                arguments += ["add", 1.0, name if activation else None, scalars, ""]
            else:
                call, first = call.default, [entry]
                arguments += [name, scalars, ""]
            joined = graph.graph.call_function(call, (*first, *arguments))
        joined.meta = last.meta
        last.replace_all_uses_with(joined)
        graph.graph.eliminate_dead_code()
    tidy(graph)


def _added(conv: Any) -> tuple[Any, Any] | None:
    """The sum that a convolution alone goes into, and the other tensor, where both have one shape."""
    user = next(iter(conv.users))
    if len(conv.users) > 1 or user.target is not aten.add.Tensor or len(user.args) != 2 or user.kwargs:
        return None
    other = user.args[1] if user.args[0] is conv else user.args[0]
    if not isinstance(other, fx.Node) or other is conv or shape(other) != shape(conv):
        return None
    return user, other


def _activation(node: Any, *, plain: bool) -> tuple[Any, str, list[float]] | None:
    """The activation that a node alone goes into, as oneDNN calls it; after a sum it knows ReLU only."""
    user = next(iter(node.users))
    if len(node.users) > 1:
        return None
    if user.target in ACTIVATIONS and (plain or user.target is aten.relu.default):
        return user, ACTIVATIONS[user.target], []
    if plain and user.target is aten.relu6.default:
        return user, "hardtanh", [0.0, 6.0]
    if plain and user.target is aten.hardtanh.default:
        return user, "hardtanh", [float(argument(user, 1)), float(argument(user, 2))]
    return None


def _attribute(graph: fx.GraphModule, name: str, value: Tensor) -> Any:
    """A node for a tensor of oneDNN's own layout."""
    while hasattr(graph, name):
        name += "_"
    graph.register_buffer(name, value, persistent=False)
    return graph.graph.get_attr(name)
