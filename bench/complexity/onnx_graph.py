"""Parameters and multiply-adds of an ONNX file, counted from its graph.

Two conventions. ``macs_mmcv`` counts a graph's operators as mmcv's counter counts the layers of the same kind
(``bench.complexity.counting``): a file whose batch norms were folded into convolutions has none to count.
``macs_onnx`` counts the multiply-adds of convolutions and matrix products alone, and no bias.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bench.core.errors import InputError

Shape = tuple[int, ...]
Shapes = Mapping[str, Shape]

_PER_OUTPUT = ("Relu", "PRelu", "LeakyRelu", "Clip", "Resize", "Upsample")
_PER_INPUT = ("MaxPool", "AveragePool", "GlobalAveragePool", "GlobalMaxPool")
_FREE = (  # that move data, or that no counter of the paper's counts
    "Add", "Sub", "Mul", "Div", "Concat", "Split", "Slice", "Reshape", "Transpose", "Squeeze", "Unsqueeze", "Flatten",
    "Identity", "Constant", "ConstantOfShape", "Shape", "Gather", "Cast", "Pad", "Expand", "Range", "Dropout",
    "QuantizeLinear", "DequantizeLinear",
)  # fmt: skip


def count(path: Path, size: tuple[int, int]) -> tuple[dict[str, int | float], dict[str, int]]:
    """Metrics of a graph for one image, and operators that neither convention counts, with how often each occurs.

    Args:
        path: of an ONNX file.
        size: height, width of its input.

    Raises:
        InputError: the graph has a convolution or a matrix product whose shapes are not known.
    """
    import onnx

    model = onnx.load(path, load_external_data=False)
    _fix_input(model, size)
    try:
        model = onnx.shape_inference.infer_shapes(model)
    except Exception as error:
        raise InputError(f"{path.name}: its shapes cannot be inferred: {' '.join(str(error).split())[:200]}") from error
    graph = model.graph
    weights = {one.name: tuple(one.dims) for one in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            for attribute in node.attribute:
                if attribute.name == "value":
                    weights[node.output[0]] = tuple(attribute.t.dims)
    shapes = dict(weights)
    for value in (*graph.input, *graph.value_info, *graph.output):
        if value.type.tensor_type.HasField("shape"):
            shapes.setdefault(value.name, tuple(one.dim_value for one in value.type.tensor_type.shape.dim))
    products, mmcv, unknown = 0, 0, Counter[str]()
    for node in graph.node:
        of_node = _PRODUCTS.get(node.op_type)
        if of_node is None:
            if node.op_type in _PER_OUTPUT:
                mmcv += _elements(shapes, node.output[0])
            elif node.op_type in _PER_INPUT:
                mmcv += _elements(shapes, node.input[0])
            elif node.op_type in ("BatchNormalization", "LayerNormalization", "InstanceNormalization"):
                mmcv += 2 * _elements(shapes, node.input[0])
            elif node.op_type not in _FREE:
                unknown[node.op_type] += 1
            continue
        found = of_node(node, shapes)
        if not found:
            raise InputError(f"{path.name}: the shapes of {node.op_type} {node.name or node.output[0]!r} are not known")
        products += found
        mmcv += found
        if node.op_type in ("Conv", "ConvTranspose") and len(node.input) > 2 and node.input[2]:
            mmcv += _elements(shapes, node.output[0])
    params = sum(math.prod(weights[name]) for name in _learnt(graph, weights))
    return {"params": params, "macs_mmcv": mmcv, "macs_onnx": products}, dict(sorted(unknown.items()))


def _fix_input(model: Any, size: tuple[int, int]) -> None:
    """One image of the size, in place of what is open; shapes that were written down for others are forgotten."""
    known = {one.name for one in model.graph.initializer}
    for value in model.graph.input:
        dims = value.type.tensor_type.shape.dim
        if value.name in known or len(dims) != 4:
            continue
        last = dims[3].dim_value == 3 != dims[1].dim_value
        for dim, fixed in zip(dims, (1, *size, 3) if last else (1, 3, *size), strict=True):
            dim.Clear()
            dim.dim_value = fixed
    del model.graph.value_info[:]
    for value in model.graph.output:
        value.type.tensor_type.ClearField("shape")


def _elements(shapes: Shapes, name: str) -> int:
    return math.prod(shapes.get(name, (0,)))


def _convolution(node: Any, shapes: Shapes) -> int:
    return _elements(shapes, node.output[0]) * math.prod(shapes.get(node.input[1], (0, 0))[1:])


def _transposed(node: Any, shapes: Shapes) -> int:
    return _elements(shapes, node.input[0]) * math.prod(shapes.get(node.input[1], (0, 0))[1:])


def _product(node: Any, shapes: Shapes) -> int:
    """``[..., M, K] x [..., K, N]``; of a Gemm the first factor may be transposed."""
    turned = any(attribute.name == "transA" and attribute.i for attribute in node.attribute)
    inner = shapes.get(node.input[0], (0,))[0 if turned else -1]
    return _elements(shapes, node.output[0]) * inner


_PRODUCTS: dict[str, Callable[[Any, Shapes], int]] = {
    "Conv": _convolution, "ConvTranspose": _transposed, "Gemm": _product, "MatMul": _product,
}  # fmt: skip


# Of each operator, the inputs that are learnt: not running statistics of batch norms, nor shapes and limits.
_LEARNT = {
    "Conv": (1, 2), "ConvTranspose": (1, 2), "Gemm": (0, 1, 2), "MatMul": (0, 1), "BatchNormalization": (1, 2),
    "LayerNormalization": (1, 2), "InstanceNormalization": (1, 2), "PRelu": (1,), "Add": (0, 1), "Mul": (0, 1),
}  # fmt: skip
_SAME = ("Identity", "Transpose", "Cast", "Reshape", "Squeeze", "Unsqueeze", "DequantizeLinear")  # of a weight, itself


def _learnt(graph: Any, weights: Shapes) -> set[str]:
    """Names of the weights that a network learns, each once however often it is used."""
    source = {name: name for name in weights}
    found: set[str] = set()
    for node in graph.node:
        if node.op_type in _SAME and node.input[0] in source:
            source[node.output[0]] = source[node.input[0]]
        places = _LEARNT.get(node.op_type, ())
        found |= {source[name] for place, name in enumerate(node.input) if place in places and name in source}
    return found
