"""Exact rewrites of a simplified graph into operators that OpenVINO has, with channels innermost in memory.

As traced, these are general data movements, and each costs OpenVINO a change of layout and back. Other runtimes are as
fast or faster with the traced form. docs/backends.md has the gains.
"""

from typing import Any

import torch
from torch import Tensor, fx

from bench.backends.graphs.operators import (
    PIXEL_SHUFFLE,
    POOL,
    VIEW,
    argument,
    aten,
    calls,
    find_shapes,
    interleaved,
    shape,
    tidy,
)


def use_its_operators(graph: fx.GraphModule, example: Tensor) -> None:
    """Write shuffled channels, pixels put together and means over blocks as OpenVINO knows them.

    Args:
        graph: what ``simplify`` made; changed in place.
        example: ``[N, 3, H, W]``, of the shape that the graph is for.
    """
    find_shapes(graph, example)
    for rewrite, target in ((_blocks_of_pixels, PIXEL_SHUFFLE), (_shuffle, VIEW), (_means, POOL)):
        for node in calls(graph, target):
            with graph.graph.inserting_before(node):
                new = rewrite(graph.graph, node)
            if new is not None:
                new.meta = node.meta
                node.replace_all_uses_with(new)
    tidy(graph)


def _blocks_of_pixels(graph: fx.Graph, node: Any) -> Any:
    """A pixel shuffle of interleaved parts: DepthToSpace of parts that come one after the other (``blocks_first``)."""
    parts = interleaved(node.args[0])
    n, c, h, w = shape(node)
    block = argument(node, 1)
    if len(parts) != block**2:
        return None
    whole = graph.call_function(aten.cat.default, (parts, 1))
    split = graph.call_function(VIEW, (whole, [n, block, block, c, h // block, w // block]))
    placed = graph.call_function(aten.permute.default, (split, [0, 3, 4, 1, 5, 2]))
    copied = graph.call_function(aten.clone.default, (placed,), {"memory_format": torch.contiguous_format})
    return graph.call_function(VIEW, (copied, [n, c, h, w]))


def _shuffle(graph: fx.Graph, node: Any) -> Any:
    """Channels of several tensors in turn: ShuffleChannels."""
    parts = interleaved(node)
    if not parts:
        return None
    whole = graph.call_function(aten.cat.default, (parts, 1))
    return graph.call_function(aten.channel_shuffle.default, (whole, len(parts)))


def _means(graph: fx.Graph, node: Any) -> Any:
    """An adaptive average pooling whose windows are all of one size: AvgPool."""
    (height, width), (rows, columns) = shape(node.args[0])[2:], shape(node)[2:]
    if (rows, columns) == (1, 1) or height % rows or width % columns:
        return None
    window = [height // rows, width // columns]
    return graph.call_function(aten.avg_pool2d.default, (node.args[0], window, window))
