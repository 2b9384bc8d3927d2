"""What ``torch.compile`` makes of the simplified graph, its kernels recorded as a CUDA graph."""

import torch
from torch import Tensor, nn

from bench.backends import Prepared, cudagraphs
from bench.backends import compile as default

ABOUT = "torch.compile, its default mode, the kernels recorded once and replayed together (CUDA graph)"
DEVICES = ("cuda",)
PACKAGES = ()
INSTALL = ""
QUANTISED = False


def version() -> str:
    return f"torch {torch.__version__}, inductor, CUDA {torch.version.cuda}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` where there is nothing to compile with or to record on."""
    cudagraphs.check_device("compile_cudagraphs", device)
    default.check_compiler("compile_cudagraphs", device)


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Compile for inputs of the example's shape, and record; raises as ``bench.backends.compile`` does."""
    cudagraphs.check_device("compile_cudagraphs", example.device.type)
    compiled = default.prepare_in_mode(model, example, None)
    run = cudagraphs.runner(*cudagraphs.record(compiled.run, example))
    return Prepared(run, compiled.file_bytes, compiled.file, from_cache=compiled.from_cache)
