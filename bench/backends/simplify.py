"""Exact rewrites of a network's graph, for every runtime but eager: the same function with less work.

The network is traced by ``torch.export``, so what holds for the graph holds for the function, whatever
modules it is made of. What each rewrite brings in which runtime is in docs/runtimes.md, together with what
was tried and left out.
"""

import contextlib
import logging
import operator
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench import InputError

aten = torch.ops.aten
CONVOLUTION = aten.conv2d.default
PADDED_BY_NAME = aten.conv2d.padding
TRANSPOSED = aten.conv_transpose2d.input
BATCH_NORM = aten._native_batch_norm_legit_no_training.default


def simplify(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """The network as a graph of ATen operators for inputs of the example's very shape, rewritten by ``PASSES``.

    Args:
        model: in evaluation mode; it stays as it is, its other weights are shared.
        example: ``[N, 3, H, W]`` on the model's device and in its precision.

    Returns:
        A module of the same outputs to rounding, for inference only.

    Raises:
        InputError: the model cannot be traced, for example because its path depends on the values of its input.
    """
    graph = trace(model, example)
    for rewrite in PASSES:
        rewrite(graph)
        tidy(graph)
    return graph


def simplified_if_possible(model: nn.Module, example: Tensor) -> nn.Module:
    """``simplify``, or the model itself where it cannot be traced: for runtimes with a tracer of their own."""
    try:
        return simplify(model, example)
    except InputError:
        return model


def trace(model: nn.Module, example: Tensor) -> fx.GraphModule:
    """The network as a functional graph: no operator changes a tensor in place. Raises as ``simplify`` does."""
    try:
        with quiet(), torch.no_grad(), torch.inference_mode(False):
            # An inference tensor cannot be traced; a copy made here is none.
            exported = torch.export.export(model, (example.clone(),)).run_decompositions({})
            traced = exported.module()
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise InputError(f"cannot be traced as a graph: {type(error).__name__}: {reason}") from error
    # Tensors by flat names: a graph looks each up at every call, one attribute instead of a path of them.
    tensors: dict[str, Any] = {}
    for node in list(traced.graph.nodes):
        if node.op == "call_module" and node.target == "_guards_fn":  # checks of the input, newer versions of torch
            traced.graph.erase_node(node)
        if node.op == "get_attr":
            value = operator.attrgetter(node.target)(traced)
            node.target = node.target.replace(".", "_")
            tensors[node.target] = value.detach() if isinstance(value, Tensor) else value
    graph = fx.GraphModule(tensors, traced.graph)
    tidy(graph)
    return graph


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Tracers and exporters think aloud; what matters they raise."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def tidy(graph: fx.GraphModule) -> None:
    """Drop what nothing uses any more, tensors included."""
    graph.graph.eliminate_dead_code()
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for name in [name for name, _ in graph.named_buffers() if name not in used]:
        delattr(graph, name)
    graph.recompile()


def fold_batch_norms(graph: fx.GraphModule) -> None:
    """Batch norm after a convolution, transposed or not, goes into its weight and bias."""
    for node in calls(graph, BATCH_NORM):
        conv, *parameters = node.args[:5]
        uses = [user for user in node.users if user.target is operator.getitem and user.args[1] == 0]
        if not is_call(conv, CONVOLUTION, PADDED_BY_NAME, TRANSPOSED) or len(conv.users) > 1:
            continue
        if len(uses) != len(node.users):  # its statistics are used too
            continue
        weight, bias = conv.args[1], argument(conv, 2)
        if any(not is_constant(part) for part in (weight, *([bias] if bias else []), *(p for p in parameters if p))):
            continue
        scale, shift = _scale_and_shift([held(graph, part) for part in parameters], float(node.args[6]))
        old = held(graph, weight).double()
        if is_call(conv, TRANSPOSED):  # [in, out / groups, kh, kw]
            groups = argument(conv, 6)
            shaped = scale.view(groups, 1, -1, 1, 1)
            new = (old.view(groups, -1, *old.shape[1:]) * shaped).view_as(old)
        else:  # [out, in / groups, kh, kw]
            new = old * scale.view(-1, 1, 1, 1)
        shifted = shift if bias is None else shift + scale * held(graph, bias).double()
        dtype = held(graph, weight).dtype
        with graph.graph.inserting_before(conv):
            folded = constant_node(graph, new.to(dtype), f"{weight.target}_folded")
            shift_node = constant_node(graph, shifted.to(dtype), f"{weight.target}_bias")
        set_arguments(conv, {1: folded, 2: shift_node})
        for use in uses:
            use.replace_all_uses_with(conv)


def _scale_and_shift(parameters: list[Tensor | None], epsilon: float) -> tuple[Tensor, Tensor]:
    """Batch norm as ``x * scale + shift``, in float64."""
    gamma, beta, mean, variance = (None if part is None else part.double() for part in parameters)
    assert mean is not None
    assert variance is not None
    scale = (variance + epsilon).rsqrt()
    scale = scale if gamma is None else scale * gamma
    return scale, (0 if beta is None else beta) - mean * scale


PASSES: tuple[Callable[[fx.GraphModule], None], ...] = (fold_batch_norms,)


# --------------------------------------------------------------------------- nodes of a graph


def calls(graph: fx.GraphModule, *targets: Any) -> list[Any]:
    return [node for node in graph.graph.nodes if is_call(node, *targets)]


def is_call(node: Any, *targets: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in targets


def is_constant(node: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "get_attr"


def held(graph: fx.GraphModule, node: Any) -> Any:
    return None if node is None else getattr(graph, node.target)


def argument(node: Any, index: int) -> Any:
    """The argument at a position, however the call spells it out or leaves it open."""
    formal = node.target._schema.arguments[index]
    return node.args[index] if index < len(node.args) else node.kwargs.get(formal.name, formal.default_value)


def set_arguments(node: Any, changed: dict[int, Any]) -> None:
    """Give the arguments at these positions; those before them are spelt out."""
    count = max(len(node.args), *(index + 1 for index in changed))
    node.args = tuple(changed.get(index, argument(node, index)) for index in range(count))


def constant_node(graph: fx.GraphModule, value: Tensor, name: str) -> fx.Node:
    """A node for a new tensor of the graph, where nodes are being inserted."""
    while hasattr(graph, name):
        name += "_"
    graph.register_buffer(name, value.contiguous())
    return graph.graph.get_attr(name)
