"""OpenVINO in int8: static quantisation after training by nncf."""

import importlib.metadata
import io
import logging
from collections.abc import Sequence
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.backends import Prepared, only_cpu
from bench.backends import openvino as exact
from bench.backends.cache import cached, content
from bench.backends.calibration import inputs_for
from bench.backends.graph import quiet

ABOUT = "OpenVINO on the CPU in int8, quantised after training by a few pictures (nncf)"
DEVICES = ("cpu",)
PACKAGES = (*exact.PACKAGES, "nncf")
INSTALL = exact.INSTALL
QUANTISED = True


def version() -> str:
    return f"{exact.version()}, nncf {importlib.metadata.version('nncf')}, int8"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    only_cpu("openvino_int8", device, precision)


def prepare(model: nn.Module, example: Tensor, calibration: Sequence[Tensor] | None = None) -> Prepared:
    """Convert, quantise (or take from the cache), compile.

    Args:
        model: in float32 on the CPU.
        example: ``[N, 3, H, W]``.
        calibration: normalised inputs ``[N, 3, H, W]``; by default drawn people.

    Raises:
        InputError: another device or precision, or no conversion is possible.
    """
    check(example.device.type, "fp32" if example.dtype == torch.float32 else "another")
    path, found = quantise(model, example, inputs_for(example, calibration))
    # Layers that stay in floating point compute in float32.
    return Prepared(exact.on_cpu(path, "f32"), exact.file_bytes(path), "openvino xml + bin", from_cache=found)


def quantise(model: nn.Module, example: Tensor, inputs: Sequence[Tensor]) -> tuple[Path, bool]:
    """The int8 file in the user's cache folder, and whether it was there.

    Weights keep to half of their range, as ``bench.backends.onnxruntime_int8`` says why.
    """

    def make(path: Path) -> None:
        openvino = exact.import_openvino()
        with quiet(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            import nncf
            from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

            logging.getLogger("nncf").setLevel(logging.ERROR)
            # Not in place: a channel that only passes a block would be rounded to int8 at every step of it.
            converted = openvino.Core().read_model(exact.convert(model, example, in_place=False)[0])
            batches = nncf.Dataset([one.numpy() for one in inputs])
            # MIXED: hard swishes and sigmoids are not symmetric about zero.
            quantised = nncf.quantize(
                converted, batches, preset=nncf.QuantizationPreset.MIXED, subset_size=len(inputs),
                advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
            )  # fmt: skip
        openvino.save_model(quantised, path, compress_to_fp16=False)

    return cached("openvino-int8", content(model, example, version(), tensors=inputs), ".xml", make)
