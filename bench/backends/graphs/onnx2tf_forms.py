"""Exact rewrites of ONNX files into what onnx2tf and LiteRT get right."""

from typing import Any

import numpy as np

from bench.core.errors import InputError


def prepare(proto: Any, *, quantised: bool) -> None:
    """Rewrite an ONNX file in place.

    Args:
        proto: an ``onnx.ModelProto``.
        quantised: whether onnx2tf will quantise it.

    Raises:
        InputError: it cannot be quantised.
    """
    if quantised and any(node.op_type in ("MatMul", "Gemm") for node in proto.graph.node):
        raise InputError("cannot be turned into litert in int8: onnx2tf quantises products of matrices wrongly")
    _split_into_slices(proto.graph)
    _write_hard_sigmoids_out(proto.graph)
    if quantised:
        _copy_shared_weights(proto.graph)


def _split_into_slices(graph: Any) -> None:
    """Slices that together are all channels of a tensor become one split: of two that are equal, onnx2tf makes a split
    along the wrong axis."""
    from onnx import TensorProto, helper, numpy_helper

    constants = {one.name: numpy_helper.to_array(one) for one in graph.initializer}
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


def _write_hard_sigmoids_out(graph: Any) -> None:
    """As ``min(max(x + 3, 0), 6) / 6``: onnx2tf ends the usual one with RELU_0_TO_1, which LiteRT lacks in float16."""
    from onnx import TensorProto, helper

    types = {one.name: one.type.tensor_type.elem_type for one in graph.value_info}
    nodes = []
    for node in graph.node:
        alpha, beta = (
            {one.name: one.f for one in node.attribute}.get(name, usual)
            for name, usual in (("alpha", 0.2), ("beta", 0.5))
        )
        if node.op_type != "HardSigmoid" or abs(alpha - 1 / 6) > 1e-6 or beta != 0.5:
            nodes.append(node)
            continue
        given, made = node.input[0], node.output[0]
        for name, value in (("three", 3.0), ("zero", 0.0), ("six", 6.0), ("sixth", 1 / 6)):
            graph.initializer.append(
                helper.make_tensor(f"{made}_{name}", types.get(given) or TensorProto.FLOAT, [], [value])
            )
        nodes += [
            helper.make_node("Add", [given, f"{made}_three"], [f"{made}_moved"], f"{node.name}_add"),
            helper.make_node(
                "Clip", [f"{made}_moved", f"{made}_zero", f"{made}_six"], [f"{made}_cut"], f"{node.name}_clip"
            ),
            helper.make_node("Mul", [f"{made}_cut", f"{made}_sixth"], [made], node.name),
        ]
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


def _replace(graph: Any, nodes: list[Any]) -> None:
    kept = [type(node).FromString(node.SerializeToString()) for node in nodes]  # those of the graph go with its list
    del graph.node[:]
    graph.node.extend(kept)
