"""Graphs of ATen operators as ``torch.export`` traces them: their operators, and what to do with their nodes."""

import contextlib
import io
import logging
import warnings
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.passes.shape_prop import ShapeProp

aten = torch.ops.aten
CONVOLUTION = aten.conv2d.default
PADDED_BY_NAME = aten.conv2d.padding
TRANSPOSED = aten.conv_transpose2d.input
UNARY = (
    aten.relu.default, aten.relu6.default, aten.hardswish.default, aten.hardsigmoid.default, aten.hardtanh.default,
    aten.sigmoid.default, aten.clamp.default,
)  # fmt: skip
BINARY = (aten.add.Tensor, aten.mul.Tensor)
PIXEL_SHUFFLE = aten.pixel_shuffle.default
POOL = aten.adaptive_avg_pool2d.default
STACK = aten.stack.default
VIEW = aten.view.default
BATCH_NORM = aten._native_batch_norm_legit_no_training.default


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Silence tracers and exporters; they raise what matters."""
    logger = logging.getLogger("torch")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)


def find_shapes(graph: fx.GraphModule, example: Any) -> None:
    """Note the shape of every node's tensor, for ``shape``; an error is raised, and not printed as well."""
    with quiet(), contextlib.redirect_stderr(io.StringIO()):
        ShapeProp(graph).propagate(example)


def tidy(graph: fx.GraphModule) -> None:
    """Remove unused nodes and tensors."""
    graph.graph.eliminate_dead_code()
    used = {node.target for node in graph.graph.nodes if node.op == "get_attr"}
    for name in [name for name, _ in graph.named_buffers() if name not in used]:
        delattr(graph, name)
    graph.recompile()


def calls(graph: fx.GraphModule, *targets: Any) -> list[Any]:
    return [node for node in graph.graph.nodes if is_call(node, *targets)]


def is_call(node: Any, *targets: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "call_function" and node.target in targets


def is_constant(node: Any) -> bool:
    return isinstance(node, fx.Node) and node.op == "get_attr"


def tensor_of(graph: fx.GraphModule, node: Any) -> Any:
    return None if node is None else getattr(graph, node.target)


def argument(node: Any, index: int) -> Any:
    """The argument at a position, whether given by position, by keyword, or left at its default."""
    formal = node.target._schema.arguments[index]
    return node.args[index] if index < len(node.args) else node.kwargs.get(formal.name, formal.default_value)


def set_arguments(node: Any, changed: dict[int, Any]) -> None:
    """Set the arguments at these positions; those before them become explicit."""
    count = max(len(node.args), *(index + 1 for index in changed))
    node.args = tuple(changed.get(index, argument(node, index)) for index in range(count))


def shape(node: Any) -> tuple[int, ...]:
    """The shape of a node's tensor, after ``ShapeProp``."""
    return tuple(node.meta["tensor_meta"].shape)


def interleaved(node: Any) -> list[Any]:
    """The tensors ``[N, C, H, W]`` whose channels a ``view`` of their stack has in turn; none for anything else."""
    if not is_call(node, VIEW) or not is_call(node.args[0], STACK) or argument(node.args[0], 1) != 2:
        return []
    parts = list(node.args[0].args[0])
    n, c, *size = shape(parts[0])
    return parts if list(shape(node)) == [n, c * len(parts), *size] and len(size) == 2 else []


def constant_node(graph: fx.GraphModule, value: Tensor, name: str) -> fx.Node:
    """A node for a new tensor of the graph, where nodes are being inserted."""
    while hasattr(graph, name):
        name += "_"
    graph.register_buffer(name, value.contiguous())
    return graph.graph.get_attr(name)
