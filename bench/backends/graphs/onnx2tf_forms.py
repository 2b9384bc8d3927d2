"""Exact rewrites of ONNX files into what onnx2tf and LiteRT get right."""

from typing import Any

import numpy as np

MOST_PLACES = 25  # of a depthwise kernel


def prepare(proto: Any, *, quantised: bool) -> None:
    """Rewrite an ONNX file in place.

    Args:
        proto: an ``onnx.ModelProto``.
        quantised: whether onnx2tf will quantise it.
    """
    _put_blocks_first(proto.graph)
    _make_large_kernels_small(proto.graph, quantised=quantised)
    _split_into_slices(proto.graph)
    _cut_at_six(proto.graph)
    _take_mixed_kernels_apart(proto.graph)
    if quantised:
        _pad_before_pools(proto.graph)
        _copy_shared_weights(proto.graph)


def _put_blocks_first(graph: Any) -> None:
    """Pixels of several maps put together: a concatenation and a DepthToSpace of blocks that come one after the other,
    which is LiteRT's. Of channels in turn, onnx2tf makes four changes of layout and a permutation of channels."""
    from onnx import helper

    constants, nodes = _constants(graph), []
    made_by = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        parts: list[str] = []
        if node.op_type == "DepthToSpace" and told.get("mode") == b"CRD":
            parts = _in_turn(node.input[0], constants, made_by)
        if len(parts) == told.get("blocksize", 0) ** 2 > 0:
            whole = f"{node.output[0]}_blocks"
            nodes.append(helper.make_node("Concat", parts, [whole], f"{node.name}_blocks", axis=1))
            nodes.append(
                helper.make_node(
                    "DepthToSpace", [whole], node.output, node.name, mode="DCR", blocksize=told["blocksize"]
                )
            )
        else:
            nodes.append(node)
    _replace(graph, nodes)
    _drop_unused(graph)


def _in_turn(name: str, constants: dict[str, np.ndarray], made_by: dict[str, Any]) -> list[str]:
    """Tensors ``[N, C, H, W]`` whose channels take turns in one of ``[N, parts x C, H, W]``; empty for another one."""
    view = made_by.get(name)
    stack = made_by.get(view.input[0]) if view is not None and view.op_type == "Reshape" else None
    if stack is None or stack.op_type != "Concat" or [one.i for one in stack.attribute if one.name == "axis"] != [2]:
        return []
    parts: list[Any] = [made_by.get(one) for one in stack.input]
    if any(part is None or part.op_type != "Unsqueeze" for part in parts):
        return []
    alone = all(part.input[1] in constants and constants[part.input[1]].tolist() == [2] for part in parts)
    return [part.input[0] for part in parts] if alone else []


def _make_large_kernels_small(graph: Any, *, quantised: bool) -> None:
    """XNNPACK has depthwise kernels of up to 25 places; larger ones take several times as long. They become a sum of
    kernels, each of every second or third row, or so; or, where each would be rounded for itself, convolutions of
    groups of 8 channels, with zeros between those that do not meet."""
    from onnx import helper

    constants, nodes = _constants(graph), []
    for node in graph.node:
        told = {one.name: helper.get_attribute_value(one) for one in node.attribute}
        weight = constants.get(node.input[1]) if node.op_type == "Conv" else None
        if (
            weight is None or weight.ndim != 4 or weight.shape[1] != 1 or not 1 < told.get("group", 1) == len(weight)
            or np.prod(weight.shape[2:]) <= MOST_PLACES or {*told.get("dilations", [1])} != {1} or "pads" not in told
        ):  # fmt: skip
            nodes.append(node)
        elif quantised:
            _join_channels(graph, node, weight)
            nodes.append(node)
        else:
            nodes += _rows_apart(graph, node, weight, constants, told)
    _replace(graph, nodes)


def _join_channels(graph: Any, node: Any, weight: np.ndarray) -> None:
    channels = next((size for size in (8, 4, 2) if len(weight) % size == 0), 1)
    joined = np.zeros((len(weight), channels, *weight.shape[2:]), weight.dtype)
    joined[np.arange(len(weight)), np.arange(len(weight)) % channels] = weight[:, 0]
    node.input[1] = _constant(graph, f"{node.output[0]}_joined", joined)
    next(one for one in node.attribute if one.name == "group").i //= channels


def _rows_apart(graph: Any, node: Any, weight: np.ndarray, constants: dict[str, np.ndarray], told: Any) -> list[Any]:
    """The sum of convolutions by every ``apart``-th row, from each of the first ones on."""
    from onnx import helper

    rows, columns = weight.shape[2:]
    apart = next((apart for apart in range(2, rows + 1) if -(-rows // apart) * columns <= MOST_PLACES), rows + 1)
    top, left, bottom, right = told["pads"]
    parts = [weight[:, :, first::apart] for first in range(min(apart, rows))]
    pads = [
        (top - first, left, bottom - (rows - 1 - first - (part.shape[2] - 1) * apart), right)
        for first, part in enumerate(parts)
    ]
    if apart > rows or min(min(one) for one in pads) < 0:
        return [node]
    made, nodes = node.output[0], []
    for number, (part, own) in enumerate(zip(parts, pads, strict=True)):
        kernel = _constant(graph, f"{made}_rows_{number}", np.ascontiguousarray(part))
        bias = list(node.input[2:]) if number == 0 else []
        nodes.append(
            helper.make_node(
                "Conv", [node.input[0], kernel, *bias], [f"{made}_part_{number}"], f"{node.name}_rows_{number}",
                group=told["group"], strides=told.get("strides", [1, 1]), dilations=[apart, 1], pads=own,
                kernel_shape=part.shape[2:],
            )
        )  # fmt: skip
    total = nodes[0].output[0]
    for number in range(1, len(parts)):
        before, total = total, made if number == len(parts) - 1 else f"{made}_sum_{number}"
        nodes.append(helper.make_node("Add", [before, f"{made}_part_{number}"], [total], f"{node.name}_add_{number}"))
    return nodes


def _drop_unused(graph: Any) -> None:
    """Remove what nothing takes up."""
    used, nodes = {one.name for one in graph.output}, []
    for node in reversed(graph.node):
        if used & set(node.output):
            nodes.append(node)
            used |= set(node.input)
    _replace(graph, nodes[::-1])


def _split_into_slices(graph: Any) -> None:
    """Slices that together are all channels of a tensor become one split: of two that are equal, onnx2tf makes a split
    along the wrong axis."""
    from onnx import TensorProto, helper

    constants = _constants(graph)
    shapes = {
        one.name: [size.dim_value for size in one.type.tensor_type.shape.dim]
        for one in (*graph.input, *graph.value_info)
    }
    slices: dict[str, list[tuple[int, int, Any]]] = {}
    for node in graph.node:
        told = [constants[name] for name in node.input[1:] if name in constants and constants[name].size == 1]
        if node.op_type == "Slice" and len(told) == len(node.input) - 1 >= 3:
            start, end, axis, step = (int(one.item()) for one in (*told, np.ones(1))[:4])
            if (axis, step) == (1, 1) and len(shapes.get(node.input[0], ())) == 4:
                slices.setdefault(node.input[0], []).append((start, min(end, shapes[node.input[0]][1]), node))
    splits: dict[str, Any] = {}  # by what each slice puts out
    for source, parts in slices.items():
        parts.sort(key=lambda part: part[0])
        sizes = [end - start for start, end, _ in parts]
        starts = [sum(sizes[:place]) for place in range(len(sizes))]
        if len(parts) > 1 and [part[0] for part in parts] == starts and sum(sizes) == shapes[source][1]:
            graph.initializer.append(helper.make_tensor(f"{source}_sizes", TensorProto.INT64, [len(sizes)], sizes))
            outputs = [node.output[0] for _, _, node in parts]
            split = helper.make_node("Split", [source, f"{source}_sizes"], outputs, parts[0][2].name, axis=1)
            splits.update(dict.fromkeys(outputs, split))
    nodes: list[Any] = []
    for node in graph.node:
        new = splits.get(node.output[0], node) if node.op_type == "Slice" else node
        if new is node or not any(new is one for one in nodes):
            nodes.append(new)
    _replace(graph, nodes)


def _cut_at_six(graph: Any) -> None:
    """What is cut to 0 and 1, as hard sigmoids are, becomes ``min(max(6 x, 0), 6) / 6``: onnx2tf makes RELU_0_TO_1 of
    the usual form, which LiteRT lacks in float16 and onnx2tf in int8."""
    from onnx import helper

    constants, nodes = _constants(graph), []
    types = {one.name: one.type.tensor_type.elem_type for one in (*graph.input, *graph.value_info)}
    for node in graph.node:
        slope, offset = 1.0, 0.0
        if node.op_type == "HardSigmoid":
            given = {one.name: one.f for one in node.attribute}
            slope, offset = given.get("alpha", 0.2), given.get("beta", 0.5)
        elif node.op_type != "Clip" or [float(constants.get(name, np.nan)) for name in node.input[1:]] != [0.0, 1.0]:
            nodes.append(node)
            continue
        steps: list[tuple[str, list[float]]] = [("Clip", [0.0, 6.0]), ("Mul", [1 / 6])]
        if offset:
            steps.insert(0, ("Add", [6 * offset]))
        if abs(6 * slope - 1) > 1e-6:  # files have a sixth in float32
            steps.insert(0, ("Mul", [6 * slope]))
        type_ = helper.tensor_dtype_to_np_dtype(types.get(node.input[0], 1))
        value, made = node.input[0], node.output[0]
        for number, (operator, numbers) in enumerate(steps):
            last = number == len(steps) - 1
            names = [
                _constant(
                    graph, f"{made}_cut_{number}_{place}", np.asarray(one if operator == "Clip" else [one], type_)
                )
                for place, one in enumerate(numbers)
            ]
            output = made if last else f"{made}_cut_{number}"
            name = node.name if last else f"{node.name}_{number}"
            nodes.append(helper.make_node(operator, [value, *names], [output], name))
            value = output
    _replace(graph, nodes)


def _take_mixed_kernels_apart(graph: Any) -> None:
    """A convolution by a mixture of kernels becomes that mixture of convolutions by one kernel each: onnx2tf takes only
    constant weights. Dite-HRNet makes such mixtures, a kernel for each picture; in batches of one."""
    from onnx import helper

    constants, nodes = _constants(graph), []
    made_by = {name: node for node in graph.node for name in node.output}
    for node in graph.node:
        view = made_by.get(node.input[1]) if node.op_type == "Conv" else None
        product = made_by.get(view.input[0]) if view is not None and view.op_type == "Reshape" else None
        bank = _matrix(product.input[1], constants, made_by) if product and product.op_type == "MatMul" else None
        if view is None or product is None or bank is None or bank.shape[1] != np.prod(constants[view.input[1]]):
            nodes.append(node)
            continue
        made, count = node.output[0], len(bank)
        shape = _constant(graph, f"{made}_shape", np.array([1, count, 1, 1]))
        sizes = _constant(graph, f"{made}_sizes", np.ones(count, np.int64))
        shares = [f"{made}_share_{number}" for number in range(count)]
        nodes += [
            helper.make_node("Reshape", [product.input[0], shape], [f"{made}_shares"], f"{node.name}_shares"),
            helper.make_node("Split", [f"{made}_shares", sizes], shares, f"{node.name}_split", axis=1),
        ]
        terms = []
        for number, kernel in enumerate(bank):
            part = type(node).FromString(node.SerializeToString())
            weight = _constant(graph, f"{made}_kernel_{number}", kernel.reshape(constants[view.input[1]]))
            part.name, part.input[1:], part.output[:] = f"{node.name}_{number}", [weight], [f"{made}_part_{number}"]
            terms.append(f"{made}_term_{number}")
            nodes += [part, helper.make_node("Mul", [part.output[0], shares[number]], [terms[-1]], f"{part.name}_mul")]
        if len(node.input) > 2:
            terms.append(_constant(graph, f"{made}_bias", constants[node.input[2]].reshape(1, -1, 1, 1)))
        total = terms[0]
        for number, term in enumerate(terms[1:]):
            before, total = total, f"{made}_sum_{number}" if number < len(terms) - 2 else made
            nodes.append(helper.make_node("Add", [before, term], [total], f"{node.name}_add_{number}"))
    _replace(graph, nodes)


def _matrix(name: str, constants: dict[str, np.ndarray], made_by: dict[str, Any]) -> np.ndarray | None:
    """A constant matrix, or what a constant becomes by a reshape."""
    node = made_by.get(name)
    if node is not None and node.op_type == "Reshape" and node.input[0] in constants:
        return constants[node.input[0]].reshape(constants[node.input[1]])
    return constants.get(name)


def _pad_before_pools(graph: Any) -> None:
    """A pool of maxima with an edge becomes a pad and a pool without: onnx2tf pads with the least number of float32,
    beside which int8 holds nothing else. Zeros do for what a ReLU gives; else the outermost values, which every window
    that reaches beyond them holds."""
    from onnx import helper

    nodes, positive = [], {node.output[0] for node in graph.node if node.op_type == "Relu"}
    for node in graph.node:
        told = {one.name: one.ints for one in node.attribute}
        pads = list(told.get("pads", ()))
        # Those that keep the size have a form of their own.
        if node.op_type == "MaxPool" and any(pads) and any(stride != 1 for stride in told.get("strides", ())):
            padded, half = f"{node.output[0]}_padded", len(pads) // 2
            edge = _constant(graph, f"{padded}_edge", np.array([0, 0, *pads[:half], 0, 0, *pads[half:]]))
            mode = "constant" if node.input[0] in positive else "edge"
            nodes.append(helper.make_node("Pad", [node.input[0], edge], [padded], f"{node.name}_pad", mode=mode))
            node.input[0], told["pads"][:] = padded, [0] * len(pads)
        nodes.append(node)
    _replace(graph, nodes)


def _copy_shared_weights(graph: Any) -> None:
    """Operators with a weight or a bias in common get their own: onnx2tf quantises it again for each of them."""
    weights = {one.name: one for one in graph.initializer}
    used: set[str] = set()
    for number, node in enumerate(graph.node):
        for place, name in enumerate(node.input):
            if name in used:
                graph.initializer.add().CopyFrom(weights[name])
                node.input[place] = graph.initializer[-1].name = f"{name}_{number}_{place}"
            elif name in weights:
                used.add(name)


def _constants(graph: Any) -> dict[str, np.ndarray]:
    from onnx import numpy_helper

    return {one.name: numpy_helper.to_array(one) for one in graph.initializer}


def _constant(graph: Any, name: str, value: np.ndarray) -> str:
    from onnx import numpy_helper

    graph.initializer.append(numpy_helper.from_array(value, name))
    return name


def _replace(graph: Any, nodes: list[Any]) -> None:
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]  # those of the graph go with its list
    del graph.node[:]
    graph.node.extend(kept)
