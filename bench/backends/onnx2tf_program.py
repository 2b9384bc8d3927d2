"""onnx2tf with mends: a program for the Python of its environment, with onnx2tf's own options.

    PYTHON onnx2tf_program.py -i FILE.onnx -o FOLDER -oiqt -cind INPUT SAMPLES.npy 0 1 -tb flatbuffer_direct

``SAMPLES.npy`` holds batches, ``[count, N, H, W, 3]``. The functions that are replaced are the locked version's:

- Of two products by constants with a ReLU between them, one product was made, without the ReLU.
- Samples were of one picture, whatever the batch.
- Products with a constant matrix were products of two matrices, whose int8 form has one scale for all columns: they
  become fully connected layers, in float too.
- What LiteRT has no int8 form for, or none that is good enough, was refused: it stays in float32, with all that only
  leads to it.
- What only moves values, such as a concatenation, had other ranges before it than after it, and did not change them;
  those of a sigmoid are fixed.
- What LiteRT has no float16 form for was in float16 in files of float16: it stays in float32, between casts.
- Biases of depthwise convolutions named a dimension that they do not have.
- Files whose activations have 16 bits were made as well, which LiteRT has not all operators for.
"""

import dataclasses
import sys
from collections.abc import Callable
from typing import Any

import numpy as np

MOVES = {  # operators, and the first of their inputs that holds values
    "CONCATENATION": 0, "RESHAPE": 0, "TRANSPOSE": 0, "SQUEEZE": 0, "EXPAND_DIMS": 0, "IDENTITY": 0, "SLICE": 0,
    "STRIDED_SLICE": 0, "SPLIT": 1, "GATHER": 0, "TILE": 0, "SPACE_TO_DEPTH": 0, "DEPTH_TO_SPACE": 0, "PAD": 0,
    "MAX_POOL_2D": 0, "AVERAGE_POOL_2D": 0, "RESIZE_NEAREST_NEIGHBOR": 0, "RESIZE_BILINEAR": 0,
}  # fmt: skip
WITH_WEIGHTS = {"CONV_2D", "DEPTHWISE_CONV_2D", "TRANSPOSE_CONV", "FULLY_CONNECTED"}
# A softmax in int8 has steps of 1/256, above what attention gives most places.
IN_FLOAT = {"BATCH_MATMUL", "DIV", "SOFTMAX"}
NOT_IN_HALF = {"MAX_POOL_2D", "RESIZE_BILINEAR", "SIGN"}  # what LiteRT has no float16 form for


def load_samples(*, custom_input_op_name_np_data_path: Any, input_names: list[str]) -> list[dict[str, Any]]:
    ((name, path, _, _),) = custom_input_op_name_np_data_path
    return [{name: batch} for batch in np.load(path)]


def with_common_ranges(build: Callable[..., Any]) -> Callable[..., Any]:
    """A function that quantises, for ranges in which all that holds the same values has one."""

    def built(model_ir: Any, *arguments: Any, calibration_ranges: Any, **options: Any) -> Any:
        ranges = dict(calibration_ranges)
        groups: dict[str, list[str]] = {}
        for operator in model_ir.operators:
            if operator.op_type in MOVES:
                first = MOVES[operator.op_type]
                inputs = operator.inputs[first:] if operator.op_type == "CONCATENATION" else [operator.inputs[first]]
                names = [name for name in (*inputs, *operator.outputs) if name in ranges]
                joined = list(dict.fromkeys(one for name in names for one in groups.get(name, [name])))
                groups.update(dict.fromkeys(joined, joined))
        sigmoids = {name for one in model_ir.operators if one.op_type == "LOGISTIC" for name in one.outputs}
        for name, group in groups.items():
            own = [calibration_ranges[one] for one in group]
            least, most = min(one.min_value for one in own), max(one.max_value for one in own)
            if not sigmoids.isdisjoint(group) and 0 <= least <= most <= 1:
                least, most = 0.0, 255 / 256  # a sigmoid has no other form than this
            ranges[name] = type(own[0])(least, most)
        return build(model_ir, *arguments, calibration_ranges=ranges, **options)

    return built


def with_parts_in_float(build: Callable[..., Any]) -> Callable[..., Any]:
    """A function that quantises, for networks some of whose operators stay in float32."""
    from onnx2tf.tflite_builder import ir, quantization

    def built(model_ir: Any, *arguments: Any, **options: Any) -> Any:
        whole = quantization._clone_model_ir(model_ir)
        quantization._elide_identity_operators(whole)
        apart = in_float(whole)
        part = quantization._clone_model_ir(whole)
        part.operators = [part.operators[place] for place in range(len(whole.operators)) if place not in apart]
        made = {name for place in apart for name in whole.operators[place].outputs}
        part.outputs = [name for name in whole.outputs if name not in made]
        result = build(part, *arguments, **options)
        if not apart:
            return result
        merged, names = result.model_ir, {}
        places = {name: place for place, operator in enumerate(whole.operators) for name in operator.outputs}
        first, last = -1.0, float(len(whole.operators))  # where the input is quantised, and the outputs no longer are
        ordered = [
            (places.get(operator.outputs[0], first if operator.op_type == "QUANTIZE" else last), operator)
            for operator in merged.operators
        ]
        for place in sorted(apart):
            operator = whole.operators[place]
            for name in (*operator.inputs, *operator.outputs):
                own = whole.tensors.get(name)
                if own is None or name in names or merged.tensors[name].dtype == own.dtype:
                    continue
                names[name] = f"{name}_in_float"
                merged.tensors[names[name]] = dataclasses.replace(own, name=names[name])
                if name in made:
                    ordered.append((place + 0.5, ir.OperatorIR("QUANTIZE", [names[name]], [name])))
                elif own.data is None:
                    ordered.append((place - 0.5, ir.OperatorIR("DEQUANTIZE", [name], [names[name]])))
            operator.inputs = [names.get(name, name) for name in operator.inputs]
            operator.outputs = [names.get(name, name) for name in operator.outputs]
            ordered.append((place, operator))
        merged.operators = [operator for _, operator in sorted(ordered, key=lambda one: one[0])]
        quantised = iter(merged.outputs)
        merged.outputs = [names.get(name, name) if name in made else next(quantised) for name in whole.outputs]
        return result

    return built


def in_float(model_ir: Any) -> set[int]:
    """The places of the operators that stay in float32: those without an int8 form, those in ``IN_FLOAT``, and what
    only leads to them, back to the nearest layer with weights."""
    from onnx2tf.tflite_builder import quantization

    users: dict[str, set[int]] = {name: {-1} for name in model_ir.outputs}
    found: set[int] = set()
    for place, operator in reversed(list(enumerate(model_ir.operators))):
        followers = set().union(*(users.get(name, set()) for name in operator.outputs))
        supported = operator.op_type in quantization._STRICT_FULL_INTEGER_SUPPORTED_OPS - IN_FLOAT
        if not supported or (followers and followers <= found and operator.op_type not in WITH_WEIGHTS):
            found.add(place)
        for name in operator.inputs:
            users.setdefault(name, set()).add(place)
    return found


def with_casts(clone: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """A function that makes a network in float16 of one in float32, for operators that LiteRT has only in float32."""
    from onnx2tf.tflite_builder import ir

    def cloned(model_ir: Any) -> Any:
        half, operators = clone(model_ir), []
        for place, operator in enumerate(half.operators):
            names: dict[str, str] = {}
            if operator.op_type in NOT_IN_HALF:
                touched = dict.fromkeys((*operator.inputs, *operator.outputs))
                names = {name: f"{name}_single_{place}" for name in touched if _type(half, name) == "FLOAT16"}
            for name, single in names.items():
                half.tensors[single] = dataclasses.replace(model_ir.tensors[name], name=single)
                if name in operator.inputs and half.tensors[name].data is None:
                    operators.append(_cast(ir, name, single, "FLOAT16", "FLOAT32"))
            outputs = [name for name in operator.outputs if name in names]
            operator.inputs = [names.get(name, name) for name in operator.inputs]
            operator.outputs = [names.get(name, name) for name in operator.outputs]
            operators.append(operator)
            operators += [_cast(ir, names[name], name, "FLOAT32", "FLOAT16") for name in outputs]
        half.operators = operators
        return half

    return cloned


def _type(model_ir: Any, name: str) -> str:
    return str(model_ir.tensors[name].dtype) if name in model_ir.tensors else ""


def _cast(ir: Any, given: str, made: str, before: str, after: str) -> Any:
    return ir.OperatorIR("CAST", [given], [made], {"inDataType": before, "outDataType": after})


def with_layers_of_constants(build: Callable[[Any, Any], None], layer: Callable[[Any, Any], None]) -> Any:
    """A function that makes an operator of a product of matrices, for those by a constant: ``layer`` makes theirs."""

    def built(node: Any, context: Any) -> None:
        constant = context.get_constant_array(node.inputs[1].name)
        rank = len(context.get_tensor_shape(node.inputs[0].name))
        (layer if rank > 1 and constant is not None and np.ndim(constant) == 2 else build)(node, context)

    return built


def with_dimension_of_bias(quantise: Callable[..., None]) -> Callable[..., None]:
    def quantised(*, tensor: Any, **options: Any) -> None:
        quantise(tensor=tensor, **options)
        tensor.quantization.quantized_dimension = 0

    return quantised


def main() -> None:
    import onnx2tf
    from onnx2tf import tflite_builder
    from onnx2tf.tflite_builder import op_registry, quantization
    from onnx2tf.tflite_builder.passes import graph_cleanup
    from onnx2tf.tflite_builder.passes.activation_fusion import optimize_fuse_activation_chains
    from onnx2tf_layouts import keep_channels_last  # type: ignore[import-not-found]  # it lies beside this file

    lower = tflite_builder.lower_onnx_to_ir

    def with_channels_last(**options: Any) -> Any:
        model_ir = keep_channels_last(lower(**options))
        optimize_fuse_activation_chains(model_ir)  # those that changes of layout stood before
        return model_ir

    tflite_builder.lower_onnx_to_ir = with_channels_last
    products = op_registry._DISPATCH_REGISTRY["MatMul"]
    layer = op_registry.build_fully_connected_from_gemm_or_matmul
    build = with_layers_of_constants(products.builder, layer)
    op_registry._DISPATCH_REGISTRY["MatMul"] = dataclasses.replace(products, builder=build)
    graph_cleanup._optimize_fold_consecutive_mul_constants_chains = lambda *_, **__: {}
    tflite_builder.clone_model_ir_with_float16 = with_casts(tflite_builder.clone_model_ir_with_float16)
    tflite_builder.load_calibration_samples = load_samples
    for name in ("build_integer_quantized_model_ir", "build_full_integer_quantized_model_ir"):
        setattr(tflite_builder, name, with_parts_in_float(with_common_ranges(getattr(tflite_builder, name))))
    quantization._quantize_bias_tensor = with_dimension_of_bias(quantization._quantize_bias_tensor)
    del quantization._STRICT_FULL_INTEGER_SAME_QPARAM_INDICES["MEAN"]  # a mean's range is smaller, and may be
    tflite_builder.strict_int16_activation_skip_reasons = lambda _: ["not wanted"]
    try:
        onnx2tf.main()
    except Exception as error:
        cause: BaseException = error
        while cause.__cause__ is not None:  # where it began says why
            cause = cause.__cause__
        sys.exit(f"{type(cause).__name__}: {cause}")


if __name__ == "__main__":
    main()
