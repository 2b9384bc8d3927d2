"""What onnx2tf makes computes the same with its channels last, and loses the changes of layout it can do without."""

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.backends.onnx2tf_layouts import FIRST, LAST, keep_channels_last


@dataclass
class Tensor:
    """As onnx2tf has it."""

    name: str
    dtype: str
    shape: list[int]
    shape_signature: list[int] | None = None
    data: Any = None
    logical_layout: str = "UNKNOWN"
    physical_layout: str = "UNKNOWN"


@dataclass
class Operator:
    op_type: str
    inputs: list[str]
    outputs: list[str]
    options: dict[str, Any] = field(default_factory=dict)


@dataclass
class Graph:
    """Made operator by operator, each computed as it is added."""

    tensors: dict[str, Tensor] = field(default_factory=dict)
    operators: list[Operator] = field(default_factory=list)
    inputs: list[str] = field(default_factory=list)
    outputs: list[str] = field(default_factory=list)

    def constant(self, value: Any, dtype: type = np.int32) -> str:
        array = np.asarray(value, dtype)
        name = f"c{len(self.tensors)}"
        self.tensors[name] = Tensor(name, str(array.dtype).upper(), list(array.shape), data=array)
        return name

    def add(self, op_type: str, inputs: list[str], shapes: list[list[int]], **options: Any) -> list[str]:
        names = [f"t{len(self.tensors) + place}" for place in range(len(shapes))]
        self.tensors |= {name: Tensor(name, "FLOAT32", shape) for name, shape in zip(names, shapes, strict=True)}
        self.operators.append(Operator(op_type, inputs, names, options))
        return names

    def shape(self, name: str) -> list[int]:
        return self.tensors[name].shape

    def change(self, name: str, order: tuple[int, ...]) -> str:
        shape = [self.shape(name)[place] for place in order]
        return self.add("TRANSPOSE", [name, self.constant(order)], [shape])[0]

    def compute(self, values: dict[str, np.ndarray]) -> list[np.ndarray]:
        found = values | {name: one.data for name, one in self.tensors.items() if one.data is not None}
        for one in self.operators:
            made = compute(one, [found[name] for name in one.inputs])
            for name, value in zip(one.outputs, made, strict=True):
                assert list(value.shape) == self.shape(name), (one, value.shape)
                found[name] = value
        return [found[name] for name in self.outputs]


def compute(operator: Operator, inputs: list[np.ndarray]) -> list[np.ndarray]:
    told, first = operator.options, inputs[0]
    match operator.op_type:
        case "TRANSPOSE":
            return [first.transpose(inputs[1])]
        case "RESHAPE":
            return [first.reshape(inputs[1])]
        case "RELU":
            return [np.maximum(first, 0)]
        case "ADD":
            return [first + inputs[1]]
        case "MEAN":
            return [first.mean(tuple(inputs[1]), keepdims=True)]
        case "CONCATENATION":
            return [np.concatenate(inputs, told["axis"])]
        case "PAD":
            return [np.pad(first, inputs[1])]
        case "SLICE":
            begin, size = inputs[1:]
            ends = [b + s if s >= 0 else n for b, s, n in zip(begin, size, first.shape, strict=True)]
            return [first[tuple(slice(b, e) for b, e in zip(begin, ends, strict=True))]]
        case "STRIDED_SLICE":
            begin, end, step = inputs[1:]
            return [
                first[
                    tuple(
                        slice(
                            None if told["beginMask"] >> axis & 1 else begin[axis],
                            None if told["endMask"] >> axis & 1 else end[axis],
                            step[axis],
                        )
                        for axis in range(4)
                    )
                ]
            ]
        case "SPLIT":
            return np.split(inputs[1], told["numSplits"], int(first[0]))
        case "CONV_2D":  # of one pixel, on channels that are last
            return [first @ inputs[1]]
        case "CUMSUM":  # what has no form with channels last here
            return [first.cumsum(1)]
    raise AssertionError(operator)


KINDS = (
    "RELU", "ADD", "constant", "gate", "MEAN", "CONCATENATION", "PAD", "SLICE", "STRIDED_SLICE", "SPLIT", "turns",
    "CONV_2D", "CUMSUM", "pixel",
)  # fmt: skip


def drawn(draw: Any) -> Graph:
    graph = Graph()
    graph.inputs = [graph.add("INPUT", [], [[2, 3, 6, 4]])[0]]
    graph.operators.clear()
    second = [graph.change(graph.inputs[0], FIRST)]  # tensors with their channels second
    for _ in range(draw(st.integers(1, 12))):
        name = draw(st.sampled_from(second))
        n, c, h, w = shape = graph.shape(name)
        like = [one for one in second if graph.shape(one) == shape]
        match draw(st.sampled_from(KINDS)):
            case "ADD":
                second += graph.add("ADD", [name, draw(st.sampled_from(like))], [shape])
            case "constant":
                bias = graph.constant(np.arange(c).reshape(1, c, 1, 1) / 7, np.float32)
                second += graph.add("ADD", draw(st.permutations([name, bias])), [shape])
            case "gate":
                one = graph.add("MEAN", [name, graph.constant([2, 3])], [[n, c, 1, 1]], keepDims=True)
                second += graph.add("ADD", [name, *one], [shape])
            case "MEAN":
                axes = draw(st.sampled_from(([1], [-1], [2, 3], [-1, -2])))
                made = [1 if axis in [place % 4 for place in axes] else size for axis, size in enumerate(shape)]
                second += graph.add("MEAN", [name, graph.constant(axes)], [made], keepDims=True)
            case "CONCATENATION":
                parts = [name, draw(st.sampled_from(like))]
                axis = draw(st.sampled_from((1, 2, 3, -1, -3)))
                made = [2 * size if place == axis % 4 else size for place, size in enumerate(shape)]
                second += graph.add("CONCATENATION", parts, [made], axis=axis, fusedActivationFunction="NONE")
            case "PAD":
                pads = draw(st.lists(st.integers(0, 1), min_size=8, max_size=8))
                edge = np.array(pads).reshape(4, 2)
                made = [size + int(edge[place].sum()) for place, size in enumerate(shape)]
                second += graph.add("PAD", [name, graph.constant(edge)], [made])
            case "SLICE":
                begin = [draw(st.integers(0, size - 1)) for size in shape]
                size = [draw(st.sampled_from((-1, 1))) for _ in shape]
                made = [1 if one == 1 else n - b for one, n, b in zip(size, shape, begin, strict=True)]
                second += graph.add("SLICE", [name, graph.constant(begin), graph.constant(size)], [made])
            case "STRIDED_SLICE":
                masks = {mask: draw(st.integers(0, 15)) for mask in ("beginMask", "endMask")}
                step = [draw(st.integers(1, 2)) for _ in shape]
                begin, end = [draw(st.integers(0, n - 1)) for n in shape], shape
                ends = [graph.constant(one) for one in (begin, end, step)]
                starts = [0 if masks["beginMask"] >> axis & 1 else begin[axis] for axis in range(4)]
                made = [-(-(n - b) // s) for n, b, s in zip(shape, starts, step, strict=True)]
                second += graph.add("STRIDED_SLICE", [name, *ends], [made], **masks)
            case "SPLIT":
                axis = draw(st.integers(0, 3))
                if shape[axis] % 2 == 0:
                    made = [size // 2 if place == axis else size for place, size in enumerate(shape)]
                    second += graph.add("SPLIT", [graph.constant([axis]), name], [made, list(made)], numSplits=2)
            case "turns":  # channels of several in turn
                parts = [draw(st.sampled_from(like)) for _ in range(draw(st.integers(2, 3)))]
                single = [n, c, 1, h, w]
                stack = [graph.add("RESHAPE", [one, graph.constant(single)], [single])[0] for one in parts]
                made = [n, c, len(parts), h, w]
                whole = graph.add("CONCATENATION", stack, [made], axis=2, fusedActivationFunction="NONE")
                made = [n, c * len(parts), h, w]
                second += graph.add("RESHAPE", [*whole, graph.constant(made)], [made])
            case "CONV_2D":
                weight = graph.constant(np.arange(c * 4).reshape(c, 4) % 5 - 2, np.float32)
                made = graph.add("CONV_2D", [graph.change(name, LAST), weight], [[n, h, w, 4]])
                second.append(graph.change(made[0], FIRST))
            case "pixel":  # a reshape that changes the layout of one pixel
                if (h, w) == (1, 1):
                    last = graph.add("RESHAPE", [name, graph.constant([n, 1, 1, c])], [[n, 1, 1, c]])
                    second += graph.add("RESHAPE", [*last, graph.constant(shape)], [shape])
            case one:
                second += graph.add(one, [name], [shape])
    graph.outputs = draw(st.lists(st.sampled_from(second), min_size=1, max_size=2, unique=True))
    return graph


@settings(max_examples=100, deadline=None)
@given(st.data())
def test_any_graph_computes_the_same(data: st.DataObject) -> None:
    graph = drawn(data.draw)
    values = {graph.inputs[0]: np.random.default_rng(0).standard_normal(graph.shape(graph.inputs[0]))}
    wanted, names = graph.compute(values), list(graph.outputs)
    assert keep_channels_last(graph) is graph
    assert graph.outputs == names
    for before, after in zip(wanted, graph.compute(values), strict=True):
        layouts = [one for one in (before, before.transpose(LAST)) if one.shape == after.shape]
        assert any(np.allclose(after, one, rtol=0, atol=1e-9) for one in layouts)


@pytest.mark.parametrize("quantised", [False, True])
def test_large_depthwise_kernels_compute_the_same_in_small_ones(quantised: bool) -> None:
    """Of any size, stride and edge; one channel, or as many as no group of 8 goes into, too."""
    onnx = pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    from bench.backends.graphs.onnx2tf_forms import MOST_PLACES, prepare

    numbers, changed = np.random.default_rng(0), 0
    for channels, kernel, stride, edge in (
        (8, (7, 7), 1, (3, 3)), (12, (7, 7), 2, (3, 3)), (3, (9, 5), 1, (4, 2)), (8, (5, 11), 2, (2, 5)),
        (2, (31, 1), 1, (15, 0)), (8, (7, 7), 1, (0, 0)), (1, (7, 7), 1, (3, 3)), (8, (3, 27), 1, (1, 13)),
        (8, (5, 5), 1, (2, 2)),
    ):  # fmt: skip
        weight = numbers.standard_normal((channels, 1, *kernel)).astype(np.float32)
        bias = numbers.standard_normal(channels).astype(np.float32)
        groups = {"group": channels} if channels > 1 else {}
        conv = onnx.helper.make_node(
            "Conv", ["x", "w", "b"], ["y"], "conv", strides=[stride] * 2, pads=[*edge, *edge], **groups
        )
        entry, out = (
            onnx.helper.make_tensor_value_info(name, 1, shape)
            for name, shape in (("x", [2, channels, 32, 30]), ("y", None))
        )
        constants = [onnx.numpy_helper.from_array(value, name) for value, name in ((weight, "w"), (bias, "b"))]
        graph = onnx.helper.make_graph([conv], "one", [entry], [out], constants)
        model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 18)])
        images = {"x": numbers.standard_normal((2, channels, 32, 30)).astype(np.float32)}
        (wanted,) = ReferenceEvaluator(model).run(None, images)
        prepare(model, quantised=quantised)
        (found,) = ReferenceEvaluator(model).run(None, images)
        np.testing.assert_allclose(found, wanted, rtol=0, atol=2e-5)
        now = {one.name: one.dims for one in model.graph.initializer}
        kernels = [now[node.input[1]] for node in model.graph.node if node.op_type == "Conv"]
        if quantised:
            changed += kernels[0][1] > 1
        elif len(kernels) > 1:
            changed += 1
            assert all(np.prod(one[2:]) <= MOST_PLACES for one in kernels)
    assert changed == (6 if quantised else 5)


def test_nothing_is_changed_between_convolutions() -> None:
    """A gate, and halves of channels that change places, between two convolutions: no change of layout is left."""
    graph = Graph()
    graph.inputs = [graph.add("INPUT", [], [[1, 6, 5, 8]])[0]]
    graph.operators.clear()
    weight = graph.constant(np.eye(8), np.float32)
    (conv,) = graph.add("CONV_2D", [graph.inputs[0], weight], [[1, 6, 5, 8]])
    (relu,) = graph.add("RELU", [graph.change(conv, FIRST)], [[1, 8, 6, 5]])
    (mean,) = graph.add("MEAN", [relu, graph.constant([2, 3])], [[1, 8, 1, 1]], keepDims=True)
    (gated,) = graph.add("ADD", [relu, mean], [[1, 8, 6, 5]])
    halves = graph.add("SPLIT", [graph.constant([1]), gated], [[1, 4, 6, 5]] * 2, numSplits=2)
    (whole,) = graph.add("CONCATENATION", halves[::-1], [[1, 8, 6, 5]], axis=1, fusedActivationFunction="NONE")
    graph.outputs = graph.add("CONV_2D", [graph.change(whole, LAST), weight], [[1, 6, 5, 8]])
    keep_channels_last(graph)
    assert [one.op_type for one in graph.operators] == [
        "CONV_2D", "RELU", "MEAN", "ADD", "SPLIT", "CONCATENATION", "CONV_2D",
    ]  # fmt: skip
