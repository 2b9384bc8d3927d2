"""onnx2tf with mends of its quantisation: a program for the Python of its environment, with onnx2tf's own options.

    PYTHON onnx2tf_program.py -i FILE.onnx -o FOLDER -oiqt -cind INPUT SAMPLES.npy 0 1 -tb flatbuffer_direct

``SAMPLES.npy`` holds batches, ``[count, N, H, W, 3]``. The functions that are replaced are the locked version's:

- Samples were of one picture, whatever the batch.
- What only moves values, such as a concatenation, had other ranges before it than after it, and did not change them.
- Biases of depthwise convolutions named a dimension that they do not have.
- Files whose activations have 16 bits were made as well, which LiteRT has not all operators for.
"""

import sys
from collections.abc import Callable
from typing import Any

import numpy as np

MOVES = {  # operators, and the first of their inputs that holds values
    "CONCATENATION": 0, "RESHAPE": 0, "TRANSPOSE": 0, "SQUEEZE": 0, "EXPAND_DIMS": 0, "IDENTITY": 0, "SLICE": 0,
    "STRIDED_SLICE": 0, "SPLIT": 1, "GATHER": 0, "TILE": 0, "SPACE_TO_DEPTH": 0, "DEPTH_TO_SPACE": 0, "PAD": 0,
    "MAX_POOL_2D": 0, "AVERAGE_POOL_2D": 0, "RESIZE_NEAREST_NEIGHBOR": 0, "RESIZE_BILINEAR": 0,
}  # fmt: skip


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
        for name, group in groups.items():
            own = [calibration_ranges[one] for one in group]
            least, most = min(one.min_value for one in own), max(one.max_value for one in own)
            ranges[name] = type(own[0])(least, most)
        return build(model_ir, *arguments, calibration_ranges=ranges, **options)

    return built


def with_dimension_of_bias(quantise: Callable[..., None]) -> Callable[..., None]:
    def quantised(*, tensor: Any, **options: Any) -> None:
        quantise(tensor=tensor, **options)
        tensor.quantization.quantized_dimension = 0

    return quantised


def main() -> None:
    import onnx2tf
    from onnx2tf import tflite_builder
    from onnx2tf.tflite_builder import quantization

    tflite_builder.load_calibration_samples = load_samples
    for name in ("build_integer_quantized_model_ir", "build_full_integer_quantized_model_ir"):
        setattr(tflite_builder, name, with_common_ranges(getattr(tflite_builder, name)))
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
