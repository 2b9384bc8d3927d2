"""ONNX Runtime's TensorRT provider, its engines kept in the user's cache folder."""

import os

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from bench.backends import Prepared, onnxruntime, onnxruntime_cuda

ABOUT = "ONNX Runtime with its TensorRT provider"
DEVICES = ("cuda",)
PACKAGES = onnxruntime.PACKAGES
INSTALL = "pip install onnxruntime-gpu onnx onnxscript tensorrt"
QUANTISED = False
PROVIDER = "TensorrtExecutionProvider"


def version() -> str:
    return f"{onnxruntime.version()}, TensorRT provider"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    onnxruntime_cuda.check_provider("onnxruntime_tensorrt", PROVIDER, device)


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Export and build an engine. Raises ``InputError`` where that is not possible."""
    check(example.device.type, "")
    if not torch.backends.cudnn.allow_tf32:
        os.environ["NVIDIA_TF32_OVERRIDE"] = "0"  # the provider has no option for it
    options = {
        "device_id": example.device.index or 0,
        "trt_fp16_enable": example.dtype == torch.float16,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(user_cache_path("lightpose-bench") / "tensorrt"),
    }
    return onnxruntime_cuda.prepare_with(PROVIDER, options, model, example)
