"""What ``torch.compile`` makes of the simplified graph, its kernels recorded as a CUDA graph."""

import torch
from torch import Tensor, nn

from bench.backends import Prepared, cudagraphs
from bench.backends import compile as default

ABOUT = "torch.compile, layouts kept, its kernels recorded once and replayed together (CUDA graph)"
DEVICES = ("cuda",)
PACKAGES = ()
INSTALL = ""
QUANTISED = False
# Left to itself, the compiler puts channels last in float32 too: small_hrnet_w16 on an H200 takes 1.00 ms instead of
# 0.73 then. In half precision they are last already.
KEEP_LAYOUT = {"layout_optimization": False}


def version() -> str:
    return f"torch {torch.__version__}, inductor, CUDA {torch.version.cuda}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` where there is nothing to compile with or to record on."""
    cudagraphs.check_device("compile_cudagraphs", device)
    default.check_compiler("compile_cudagraphs", device)


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Compile for inputs of the example's shape, and record; raises as ``bench.backends.compile`` does."""
    cudagraphs.check_device("compile_cudagraphs", example.device.type)
    compiled = default.prepare_in_mode(model, example, None, KEEP_LAYOUT)
    return Prepared(
        cudagraphs.record(compiled.run, example), compiled.file_bytes, compiled.file, from_cache=compiled.from_cache
    )
