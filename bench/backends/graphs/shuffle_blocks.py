"""Shuffle blocks in place: an exact rewrite that moves no channels, for blocks that process half of them one by one.

A block such as Lite-HRNet's splits its channels, weights one half, convolves it depthwise, weights it again,
concatenates both halves and shuffles them. Splitting, concatenating and shuffling move all the data and compute
nothing. Here the whole tensor goes through the block and keeps its order. The half that only passes gets weights of one
and kernels with a single one. Instead of the data, the weights of the following layers are shuffled.
"""

import operator
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, fx
from torch.fx.passes.shape_prop import TensorMetadata

from bench.backends.graphs.operators import (
    BINARY,
    CONVOLUTION,
    POOL,
    UNARY,
    argument,
    aten,
    constant_node,
    find_shapes,
    interleaved,
    is_call,
    is_constant,
    set_arguments,
    shape,
    tensor_of,
    tidy,
)

SPLITS = (aten.split.Tensor, aten.split_with_sizes.default)
NEAREST = aten.upsample_nearest2d.vec
BILINEAR = aten.upsample_bilinear2d.vec
ONE = 40.0  # its sigmoid is 1 to the last bit, in double precision too


class _CannotFollowError(Exception):
    """Something looks at the channels in their order, or all of them."""


@dataclass(frozen=True)
class _View:
    """What a tensor of the old graph is in the new one: channels of a tensor, one position for each of its own."""

    tensor: Any
    channels: int
    positions: tuple[int, ...]

    @property
    def whole(self) -> bool:
        return len(self.positions) == self.channels

    @property
    def in_order(self) -> bool:
        return self.positions == tuple(range(self.channels))

    def part(self, start: int, stop: int) -> "_View":
        return _View(self.tensor, self.channels, self.positions[start:stop])

    def of(self, tensor: Any) -> "_View":
        """The same channels of another tensor."""
        return _View(tensor, self.channels, self.positions)


def _whole(node: Any) -> _View:
    """All of a tensor's channels, if it has such, in their order."""
    channels = shape(node)[1] if len(shape(node)) > 1 else 0
    return _View(node, channels, tuple(range(channels)))


def keep_channels_in_place(graph: fx.GraphModule, example: Tensor) -> None:
    """Rewrite all shuffle blocks of the kind above, if what follows each of them can be shuffled instead.

    Args:
        graph: batch norms folded; changed in place.
        example: ``[N, 3, H, W]``, of the shape that the graph is for.
    """
    find_shapes(graph, example)
    blocks = {node: block for node in graph.graph.nodes if (block := _block(node))}
    if not blocks:
        return
    rewriter = _Rewriter(graph, blocks)
    output = next(node for node in graph.graph.nodes if node.op == "output")
    before = output.args
    try:
        for node in list(graph.graph.nodes):
            with graph.graph.inserting_before(node):
                rewriter.visit(node)
    except _CannotFollowError:
        output.args = before
    tidy(graph)


# ------------------------------------------------------------------------------------- finding


@dataclass(frozen=True)
class _Block:
    """A shuffle of ``passed`` and the last of ``steps``, which start from the other half of the same tensor."""

    passed: Any
    processed: Any
    steps: tuple[Any, ...]


def _block(node: Any) -> _Block | None:
    parts = interleaved(node)
    if len(parts) != 2 or not (passed := _range(parts[0])):
        return None
    source, _, half = passed
    start = (source, half, 2 * half)
    if passed[1] != 0 or shape(source)[1] != 2 * half:
        return None
    steps = _steps(parts[1], start)
    return _Block(parts[0], parts[1], tuple(steps)) if steps else None


def _steps(node: Any, start: tuple[Any, int, int]) -> list[Any]:
    """The operators from a range of channels to a node, if each treats channels and places alike but one by one."""
    if _range(node) == start:
        return [node]
    if _keeps_place(node):
        before = _steps(node.args[0], start)
    elif is_call(node, aten.mul.Tensor) and len(node.all_input_nodes) == 2:
        before = next(filter(None, (_steps(source, start) for source in node.all_input_nodes)), [])
    else:
        return []
    return [*before, node] if before else []


def _range(node: Any) -> tuple[Any, int, int] | None:
    """Source, first channel and the one after the last, of a range of channels."""
    if is_call(node, aten.slice.Tensor) and argument(node, 1) == 1 and argument(node, 4) == 1:
        places = range(shape(node.args[0])[1])[argument(node, 2) : argument(node, 3)]
        return node.args[0], places.start, places.stop
    if is_call(node, operator.getitem) and is_call(node.args[0], *SPLITS) and argument(node.args[0], 2) == 1:
        whole, sizes = node.args[0].args[0], argument(node.args[0], 1)
        if isinstance(sizes, int):
            start = node.args[1] * sizes
            return whole, start, min(start + sizes, shape(whole)[1])
        start = sum(sizes[: node.args[1]])
        return whole, start, start + sizes[node.args[1]]
    return None


def _keeps_place(conv: Any) -> bool:
    """Whether it is a depthwise convolution that could leave a channel as it is."""
    if not _is_depthwise(conv) or list(argument(conv, 3)) not in ([1], [1, 1]):
        return False
    kernel = shape(conv.args[1])[2:]
    padding, dilation = _pair(argument(conv, 4)), _pair(argument(conv, 5))
    return all(2 * pad == step * (size - 1) for size, pad, step in zip(kernel, padding, dilation, strict=True))


def _is_convolution(node: Any) -> bool:
    """Whether it is one whose weights and bias are constants."""
    if not is_call(node, CONVOLUTION):
        return False
    return is_constant(node.args[1]) and (argument(node, 2) is None or is_constant(argument(node, 2)))


def _is_dense(node: Any) -> bool:
    return _is_convolution(node) and argument(node, 6) == 1


def _is_depthwise(node: Any) -> bool:
    return _is_convolution(node) and shape(node.args[1])[:2] == (argument(node, 6), 1)


def _pair(values: Sequence[int]) -> list[int]:
    return list(values) * (2 // len(values))


# ----------------------------------------------------------------------------------- rewriting


class _Rewriter:
    """Goes through a graph node by node and puts the new form of each before it, where there is one."""

    def __init__(self, graph: fx.GraphModule, blocks: dict[Any, _Block]) -> None:
        self.graph = graph
        self.blocks = blocks
        self.steps = {step for block in blocks.values() for step in block.steps}
        self.stacks = {node.args[0] for node in blocks}
        self.starts = {part for block in blocks.values() for part in (block.passed, block.steps[0])}
        self.views: dict[Any, _View] = {}

    def visit(self, node: Any) -> None:
        if node.op == "output":
            node.args = fx.map_arg(node.args, self.plain)
        elif node.op == "call_function":
            new = self.rewritten(node)
            if new is not None:
                self.views[node] = new

    def view(self, node: Any) -> _View:
        """What a node is now; itself if nothing was said."""
        return self.views[node] if node in self.views else _whole(node)

    def plain(self, node: Any) -> Any:
        """A tensor of the new graph with just the channels of a node, in their order."""
        if node not in self.views:
            return node
        view = self.views[node]
        if view.in_order:
            return view.tensor
        first = view.positions[0]
        if view.positions != tuple(range(first, first + len(view.positions))):
            raise _CannotFollowError
        arguments = (view.tensor, 1, first, first + len(view.positions))
        return self.graph.graph.call_function(aten.slice.Tensor, arguments)

    def rewritten(self, node: Any) -> _View | None:
        """The new form of a node, its inputs being done; none if it stays as it is."""
        if node in self.blocks:
            return self.shuffled(self.blocks[node])
        if node in self.stacks or (is_call(node, *SPLITS) and argument(node, 2) == 1):
            return None  # their parts are what matters
        if (found := _range(node)) and (node in self.starts or found[0] in self.views):
            return self.view(found[0]).part(*found[1:])
        if node in self.steps:
            return self.convolved(node) if is_call(node, CONVOLUTION) else self.weighted(node)
        viewed = [self.views[source] for source in node.all_input_nodes if source in self.views]
        if not viewed:
            return None
        if is_call(node, POOL) or (is_call(node, *UNARY, NEAREST, BILINEAR) and viewed[0].whole):
            return viewed[0].of(self.copied(node, {node.all_input_nodes[0]: viewed[0].tensor}))
        if is_call(node, aten.cat.default) and argument(node, 1) == 1:
            return self.beside(node)
        if _is_dense(node):
            whole = range(shape(node)[1])
            return _whole(self.dense(node, whole, len(whole), whole, 0.0))
        if _is_depthwise(node) and viewed[0].whole:
            return self.convolved(node)
        if is_call(node, *BINARY) and len(node.all_input_nodes) == 2 and not all(view.in_order for view in viewed):
            return self.combined(node)
        return self.copied_plainly(node)

    def copied(self, node: Any, sources: dict[Any, Any]) -> Any:
        copy = self.graph.graph.node_copy(node, lambda source: sources.get(source, source))
        copy.meta = dict(node.meta)
        return copy

    def copied_plainly(self, node: Any) -> _View:
        """A copy that sees the channels as ever."""
        if not isinstance(node.meta.get("tensor_meta"), TensorMetadata):
            raise _CannotFollowError
        return _whole(self.copied(node, {source: self.plain(source) for source in node.all_input_nodes}))

    def shuffled(self, block: _Block) -> _View:
        """The halves in turn: where they are."""
        passed, processed = self.view(block.passed), self.view(block.processed)
        pairs = zip(passed.positions, processed.positions, strict=True)
        return _View(processed.tensor, processed.channels, tuple(position for pair in pairs for position in pair))

    def beside(self, node: Any) -> _View:
        views = [self.view(source) for source in node.args[0]]
        positions: list[int] = []
        offset = 0
        for view in views:
            positions += [offset + position for position in view.positions]
            offset += view.channels
        new = self.graph.graph.call_function(node.target, ([view.tensor for view in views], 1))
        return _View(new, offset, tuple(positions))

    def convolved(self, conv: Any) -> _View:
        """A depthwise convolution of a view; a channel that is not of it passes."""
        view = self.view(conv.args[0])
        old, bias = tensor_of(self.graph, conv.args[1]), tensor_of(self.graph, argument(conv, 2))
        places = list(view.positions)
        kernels, shifts = old.new_zeros(view.channels, *old.shape[1:]), old.new_zeros(view.channels)
        kernels[:, 0, old.shape[2] // 2, old.shape[3] // 2] = 1
        kernels[places] = old
        if bias is not None:
            shifts[places] = bias
        return view.of(self.convolution(conv, view.tensor, kernels, shifts, view.channels))

    def convolution(self, conv: Any, entry: Any, weight: Tensor, bias: Tensor, groups: int) -> Any:
        name = conv.args[1].target
        kernel = constant_node(self.graph, weight, f"{name}_placed")
        shift = constant_node(self.graph, bias, f"{name}_placed_bias")
        new = self.copied(conv, {})
        set_arguments(new, {0: entry, 1: kernel, 2: shift, 6: groups})
        return new

    def dense(self, conv: Any, rows: range, outputs: int, places: Sequence[int], fill: float) -> Any:
        """Some outputs of an ordinary convolution at some places among ``outputs``; the others are ``fill``."""
        view = self.view(conv.args[0])
        old, bias = tensor_of(self.graph, conv.args[1])[list(rows)], tensor_of(self.graph, argument(conv, 2))
        weight = old.new_zeros(outputs, view.channels, *old.shape[2:])
        weight[torch.tensor(places).unsqueeze(1), torch.tensor(view.positions)] = old
        shift = old.new_full((outputs,), fill)
        shift[list(places)] = old.new_zeros(len(rows)) if bias is None else bias[list(rows)]
        return self.convolution(conv, view.tensor, weight, shift, 1)

    def weighted(self, node: Any) -> _View:
        """A product of a view and weights; a channel that is not of it is multiplied by one."""
        main = next(source for source in node.all_input_nodes if source in self.steps)
        gate = next(source for source in node.all_input_nodes if source is not main)
        view = self.view(main)
        return view.of(self.copied(node, {main: view.tensor, gate: self.arranged(gate, view, None, 1.0)}))

    def combined(self, node: Any) -> _View:
        """A sum or product, its inputs in one order."""
        first, second = node.all_input_nodes
        if len(shape(first)) == len(shape(second)) == 4:
            for main, other in ((first, second), (second, first)):
                view = self.view(main)
                if view.whole and view.channels == shape(node)[1] and (tensor := self.in_order_of(view, other)):
                    return view.of(self.copied(node, {main: view.tensor, other: tensor}))
        raise _CannotFollowError

    def in_order_of(self, view: _View, other: Any) -> Any:
        """A node as a tensor that goes with a whole view; none if there is no way."""
        seen = self.view(other)
        if seen == view.of(seen.tensor):
            return seen.tensor
        try:
            return self.plain(other) if shape(other)[1] == 1 else self.arranged(other, view, None, 0.0)
        except _CannotFollowError:
            return None

    def arranged(self, node: Any, like: _View, rows: range | None, fill: float) -> Any:
        """What a node is, or its channels ``rows``, with channels where a view has them; the others are ``fill``."""
        if rows is None and len(node.users) > 1:  # it would be computed twice
            raise _CannotFollowError
        if _is_dense(node):
            rows = range(shape(node)[1]) if rows is None else rows
            if len(rows) == len(like.positions):
                return self.dense(node, rows, like.channels, like.positions, fill)
        if is_call(node, NEAREST) or (is_call(node, BILINEAR, *UNARY) and like.whole):
            source = node.args[0]
            return self.copied(node, {source: self.arranged(source, like, rows, fill)})
        if is_call(node, aten.sigmoid.default) and fill == 1:
            source = node.args[0]
            return self.copied(node, {source: self.arranged(source, like, rows, ONE)})
        if rows is None and (found := _range(node)):
            return self.arranged(found[0], like, range(*found[1:]), fill)
        raise _CannotFollowError
