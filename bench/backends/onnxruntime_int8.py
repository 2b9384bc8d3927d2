"""ONNX Runtime in int8: static quantisation after training, of weights and activations (QDQ)."""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.backends import Prepared, only_cpu, onnx_file
from bench.backends import onnxruntime as exact
from bench.backends.cache import cached, content
from bench.backends.calibration import inputs_for
from bench.backends.graph import quiet

ABOUT = "ONNX Runtime on the CPU in int8, quantised after training by a few pictures"
DEVICES = ("cpu",)
PACKAGES = exact.PACKAGES
INSTALL = exact.INSTALL
QUANTISED = True


def version() -> str:
    return f"{exact.version()}, int8"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    only_cpu("onnxruntime_int8", device, precision)


def prepare(model: nn.Module, example: Tensor, calibration: Sequence[Tensor] | None = None) -> Prepared:
    """Export, quantise (or take from the cache), open a session.

    Args:
        model: in float32 on the CPU.
        example: ``[N, 3, H, W]``.
        calibration: normalised inputs ``[N, 3, H, W]``; by default drawn people.

    Raises:
        InputError: another device or precision, or no export is possible.
    """
    check(example.device.type, "fp32" if example.dtype == torch.float32 else "another")
    path, found = quantise(model, example, inputs_for(example, calibration))
    return Prepared(exact.on_cpu(path), path.stat().st_size, "onnx", from_cache=found)


def quantise(model: nn.Module, example: Tensor, inputs: Sequence[Tensor]) -> tuple[Path, bool]:
    """The int8 file in the user's cache folder, and whether it was there.

    Weights get a scale for every output channel, activations one a tensor, from the least and the largest value
    that the inputs bring about. Weights keep to half of their range: processors without VNNI add pairs of products
    up in 16 bits, which overflow otherwise, and a file is for any processor.
    """

    def make(path: Path) -> None:
        import onnx
        from onnxruntime import quantization
        from onnxruntime.quantization.shape_inference import quant_pre_process

        class Reader(quantization.CalibrationDataReader):  # type: ignore[misc]
            def __init__(self, name: str) -> None:
                self.feeds: Iterator[dict[str, Any]] = ({name: one.numpy()} for one in inputs)

            def get_next(self) -> dict[str, Any] | None:
                return next(self.feeds, None)

        exported, _ = onnx_file.export(model, example)
        prepared = path.with_suffix(".prepared")
        with quiet():
            quant_pre_process(exported, prepared, skip_symbolic_shape=True)
            graph = onnx.load(prepared).graph
            name = graph.input[0].name
            # There is no int8 kernel for it: it would compute in float32 on coarser numbers.
            transposed = [node.name for node in graph.node if node.op_type == "ConvTranspose"]
            quantization.quantize_static(
                prepared, path, Reader(name), per_channel=True, quant_format=quantization.QuantFormat.QDQ,
                activation_type=quantization.QuantType.QUInt8, weight_type=quantization.QuantType.QInt8,
                nodes_to_exclude=transposed, reduce_range=True,
            )  # fmt: skip
        prepared.unlink()

    return cached("onnx-int8", content(model, example, version(), tensors=inputs), ".onnx", make)
