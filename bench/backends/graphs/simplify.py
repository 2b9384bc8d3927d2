"""Exact rewrites of a network's graph, for every backend but eager: the same function with less work.

The network is traced by ``torch.export``, so the rewrites apply to the function, whatever modules it is made of.
docs/backends.md says what each rewrite brings in which backend, and what was tried and left out.
"""

import operator
from typing import Any

import torch
from torch import Tensor, fx

from bench.backends.graphs.capture import END
from bench.backends.graphs.operators import (
    BATCH_NORM,
    BINARY,
    CONVOLUTION,
    PADDED_BY_NAME,
    PIXEL_SHUFFLE,
    POOL,
    TRANSPOSED,
    UNARY,
    VIEW,
    argument,
    aten,
    calls,
    constant_node,
    find_shapes,
    is_call,
    is_constant,
    set_arguments,
    shape,
    tensor_of,
    tidy,
)
from bench.backends.graphs.shuffle_blocks import keep_channels_in_place


def simplify(
    graph: fx.GraphModule, example: Tensor, *, shuffle_blocks: bool = True, deeply: bool = False, group: int = 8
) -> fx.GraphModule:
    """Rewrite a traced network into less work, for inputs of exactly the example's shape.

    Args:
        graph: from ``bench.backends.graphs.capture``; changed in place.
        example: ``[N, 3, H, W]`` on the network's device and in its precision.
        shuffle_blocks: let whole tensors go through shuffle blocks, on a CPU.
        deeply: split all transposed convolutions, those of groups too, which pays in runtimes other than PyTorch; in
            PyTorch dense ones are, on a CPU.
        group: input channels up to which the groups of a convolution are joined, on a CPU or in half precision;
            depthwise ones stay.

    Returns:
        The same graph object; its outputs are the same to rounding. For inference only.
    """
    fold_batch_norms(graph)
    on_cpu = example.device.type == "cpu"  # rewrites that were measured only there are done only there
    if on_cpu and shuffle_blocks:
        keep_channels_in_place(graph, example)
    if deeply or on_cpu:
        split_transposed(graph, example, of_groups=deeply)
    if on_cpu or example.dtype in (torch.float16, torch.bfloat16):  # not worth it in float32 on a GPU
        join_groups(graph, group)
    keep_channels_last(graph, example)
    return graph


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
        if any(not is_constant(part) for part in (*([bias] if bias else []), *(p for p in parameters if p))):
            continue
        scale, shift = _scale_and_shift([tensor_of(graph, part) for part in parameters], float(node.args[6]))
        if bank := _bank(graph, conv):
            kernels = tensor_of(graph, bank)  # [bank, out, in / groups, kh, kw]
            with graph.graph.inserting_before(bank.next):
                scaled = (kernels.double() * scale.view(1, -1, 1, 1, 1)).to(kernels.dtype)
                bank.replace_all_uses_with(constant_node(graph, scaled, f"{bank.target}_folded"))
            with graph.graph.inserting_before(conv):
                shift_node = constant_node(graph, shift.to(kernels.dtype), f"{bank.target}_bias")
            set_arguments(conv, {2: shift_node})
            for use in uses:
                use.replace_all_uses_with(conv)
            continue
        if not is_constant(weight):
            continue
        old = tensor_of(graph, weight).double()
        if is_call(conv, TRANSPOSED):  # [in, out / groups, kh, kw]
            groups = argument(conv, 6)
            shaped = scale.view(groups, 1, -1, 1, 1)
            new = (old.view(groups, -1, *old.shape[1:]) * shaped).view_as(old)
        else:  # [out, in / groups, kh, kw]
            new = old * scale.view(-1, 1, 1, 1)
        shifted = shift if bias is None else shift + scale * tensor_of(graph, bias).double()
        dtype = tensor_of(graph, weight).dtype
        with graph.graph.inserting_before(conv):
            folded = constant_node(graph, new.to(dtype), f"{weight.target}_folded")
            shift_node = constant_node(graph, shifted.to(dtype), f"{weight.target}_bias")
        set_arguments(conv, {1: folded, 2: shift_node})
        for use in uses:
            use.replace_all_uses_with(conv)
    tidy(graph)


def _bank(graph: fx.GraphModule, conv: Any) -> Any:
    """The kernels that a convolution of one picture takes a mixture of (Dite-HRNet); none where it does not."""
    weight = conv.args[1]
    if not is_call(conv, CONVOLUTION) or argument(conv, 2) is not None or not is_call(weight, VIEW):
        return None
    product = weight.args[0]
    flat: Any = product.args[1] if is_call(product, aten.matmul.default) else None
    bank: Any = flat.args[0] if is_call(flat, VIEW) else None
    if not is_constant(bank) or any(len(node.users) > 1 for node in (weight, product, flat, bank)):
        return None
    kernels = tensor_of(graph, bank)
    return bank if kernels.dim() == 5 and list(argument(weight, 1)) == list(kernels.shape[1:]) else None


def keep_channels_last(graph: fx.GraphModule, example: Tensor) -> None:
    """For an input with its channels last, weights of convolutions get theirs last too, or every call would copy them.

    How libraries then lay out what they put out is not known when tracing, so views become reshapes.
    """
    if example.is_contiguous() or not example.is_contiguous(memory_format=torch.channels_last):
        return
    for conv in calls(graph, CONVOLUTION, PADDED_BY_NAME, TRANSPOSED):
        if is_constant(conv.args[1]):
            weight = tensor_of(graph, conv.args[1]).contiguous(memory_format=torch.channels_last)
            setattr(graph, conv.args[1].target, weight)
    for view in calls(graph, VIEW):
        view.target = aten.reshape.default
    graph.recompile()


def _scale_and_shift(parameters: list[Tensor | None], epsilon: float) -> tuple[Tensor, Tensor]:
    """Batch norm as ``x * scale + shift``, in float64."""
    gamma, beta, mean, variance = (None if part is None else part.double() for part in parameters)
    assert mean is not None
    assert variance is not None
    scale = (variance + epsilon).rsqrt()
    scale = scale if gamma is None else scale * gamma
    return scale, (0 if beta is None else beta) - mean * scale


def join_groups(graph: fx.GraphModule, channels: int) -> None:
    """Groups of few input channels become groups of up to ``channels``, with zeros between those that did not meet.

    A processor works on 8 or 16 channels at once, and zeros among them take it no time; but the weights grow.
    """
    for conv in calls(graph, CONVOLUTION, PADDED_BY_NAME):
        weight, groups = conv.args[1], argument(conv, 6)
        if groups == 1 or not is_constant(weight):
            continue
        old = tensor_of(graph, weight)  # [out, in / groups, kh, kw]
        outputs, inputs = old.shape[0] // groups, old.shape[1]
        joined = channels // inputs
        if inputs == 1 or joined < 2 or groups % joined:
            continue
        apart = old.view(groups // joined, joined, outputs, inputs, *old.shape[2:])
        new = old.new_zeros(groups // joined, joined, outputs, joined, inputs, *old.shape[2:])
        for index in range(joined):
            new[:, index, :, index] = apart[:, index]
        with graph.graph.inserting_before(conv):
            node = constant_node(
                graph, new.view(old.shape[0], joined * inputs, *old.shape[2:]), f"{weight.target}_joined"
            )
        set_arguments(conv, {1: node, 6: groups // joined})
    tidy(graph)


# ------------------------------------------------------- transposed convolutions in four parts

PARTS = tuple((row, column) for row in (0, 1) for column in (0, 1))  # pixels 2i + row, 2j + column of the output


def split_transposed(graph: fx.GraphModule, example: Tensor, *, of_groups: bool) -> None:
    """A transposed convolution of kernel 4, stride 2, padding 1 becomes four convolutions of kernel 2.

    Each gives the output's pixels of one parity of row and column, from a quarter of the weights: for row 2i the
    kernel's rows 3 and 1 lie over rows i - 1 and i of the input, for row 2i + 1 rows 2 and 0 over i and i + 1. Runtimes
    are better at convolutions, and what follows pixel by pixel is done on the four parts, which are put together only
    where a neighbourhood is looked at: after the last layer of a head that is for the heatmaps alone.

    ``of_groups``: whether to split those of groups of channels, depthwise ones for example, as well.
    """
    find_shapes(graph, example)
    parts: dict[Any, list[Any]] = {}
    whole: dict[Any, Any] = {}
    for node in list(graph.graph.nodes):
        split = [source for source in node.all_input_nodes if source in parts]
        if split and _goes_by_pixel(node, parts):
            with graph.graph.inserting_before(node):
                parts[node] = [_copy_for(graph, node, parts, index) for index in range(4)]
            continue
        if split and is_call(node, POOL) and list(argument(node, 1)) in ([1], [1, 1]):
            with graph.graph.inserting_before(node):
                node.replace_all_uses_with(_pool(graph, node, parts[node.args[0]]))
            continue
        for source in split:
            if source not in whole:
                whole[source] = _put_together(graph, source, parts[source])
            node.replace_input_with(source, whole[source])
        if _splittable(node) and (of_groups or argument(node, 6) == 1):
            parts[node] = _four_convolutions(graph, node)
    tidy(graph)


def _splittable(node: Any) -> bool:
    if not is_call(node, TRANSPOSED):
        return False
    stride, padding, beyond, dilation = (list(argument(node, index)) for index in (3, 4, 5, 7))
    kernel = list(shape(node.args[1])[2:])
    common = ([4, 4], [2, 2], [1, 1], [0, 0], [1, 1])
    return is_constant(node.args[1]) and (kernel, stride, padding, beyond, dilation) == common


def _four_convolutions(graph: fx.GraphModule, node: Any) -> list[Any]:
    entry, bias, groups = node.args[0], argument(node, 2), argument(node, 6)
    weight = tensor_of(graph, node.args[1])  # [in, out / groups, 4, 4], to [out, in / groups, 4, 4]
    inputs, outputs = weight.shape[0] // groups, weight.shape[1]
    turned = weight.view(groups, inputs, outputs, 4, 4).transpose(1, 2).reshape(groups * outputs, inputs, 4, 4)
    rows = ([3, 1], [2, 0])
    found = []
    with graph.graph.inserting_before(node):
        for row, column in PARTS:
            kernel = constant_node(graph, turned[:, :, rows[row]][:, :, :, rows[column]], f"{node.args[1].target}_part")
            edge = [1 - column, column, 1 - row, row]  # left, right, top, bottom
            padded = graph.graph.call_function(aten.constant_pad_nd.default, (entry, edge, 0.0))
            arguments = (padded, kernel, bias, [1, 1], [0, 0], [1, 1], groups)
            found.append(graph.graph.call_function(CONVOLUTION, arguments))
    return found


def _goes_by_pixel(node: Any, parts: dict[Any, list[Any]]) -> bool:
    """Whether a pixel of the output depends on that pixel of the inputs, and on what is the same for all pixels."""
    if is_call(node, CONVOLUTION):
        return _is_pointwise(node)
    if is_call(node, *BINARY):
        size = shape(node)
        others = [shape(source) for source in node.all_input_nodes if source not in parts]
        # A map of one channel is cheap to take apart.
        return all(list(other[-2:]) == [1, 1] or other == (size[0], 1, *size[2:]) for other in others)
    return is_call(node, *UNARY)


def _is_pointwise(node: Any) -> bool:
    """Whether it is a convolution of kernel 1 and stride 1 with constant weights."""
    if not is_call(node, CONVOLUTION) or not is_constant(node.args[1]):
        return False
    kernel = list(shape(node.args[1])[2:])
    return (kernel, *(list(argument(node, index)) for index in (3, 4))) == ([1, 1], [1, 1], [0, 0])


def _copy_for(graph: fx.GraphModule, node: Any, parts: dict[Any, list[Any]], index: int) -> Any:
    """A node for one of the four parts."""
    row, column = PARTS[index]

    def part(source: Any) -> Any:
        if source in parts:
            return parts[source][index]
        size = shape(source) if not is_constant(source) else ()
        if is_call(node, *BINARY) and len(size) == 4 and size[-2:] != (1, 1):
            rows = graph.graph.call_function(aten.slice.Tensor, (source, 2, row, END, 2))
            return graph.graph.call_function(aten.slice.Tensor, (rows, 3, column, END, 2))
        return source

    return graph.graph.node_copy(node, part)


def _pool(graph: fx.GraphModule, node: Any, sources: list[Any]) -> Any:
    """The mean over all pixels, from the means of the four parts."""
    means = [graph.graph.node_copy(node, lambda _, source=source: source) for source in sources]  # type: ignore[misc]
    total = means[0]
    for mean in means[1:]:
        total = graph.graph.call_function(aten.add.Tensor, (total, mean))
    return graph.graph.call_function(aten.mul.Tensor, (total, 0.25))


def _put_together(graph: fx.GraphModule, source: Any, four: list[Any]) -> Any:
    n, c, h, w = shape(source)
    with graph.graph.inserting_after(four[-1]):
        stacked = graph.graph.call_function(aten.stack.default, (four, 2))
    with graph.graph.inserting_after(stacked):
        flat = graph.graph.call_function(aten.view.default, (stacked, [n, 4 * c, h // 2, w // 2]))
    with graph.graph.inserting_after(flat):
        return graph.graph.call_function(PIXEL_SHUFFLE, (flat, 2))
