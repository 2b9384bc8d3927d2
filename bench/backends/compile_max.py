"""``torch.compile`` over the simplified graph in the mode that tries out kernels."""

import torch
from torch import Tensor, nn

from bench.backends import Prepared
from bench.backends import compile as default

ABOUT = "torch.compile, mode max-autotune"
DEVICES = default.DEVICES
PACKAGES = ()
INSTALL = ""
QUANTISED = False


def version() -> str:
    return f"torch {torch.__version__}, inductor max-autotune"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` where there is nothing to compile with."""
    default.check_compiler("compile_max", device)


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Compile for inputs of the example's shape; raises as ``bench.backends.compile`` does."""
    return default.prepare_in_mode(model, example, "max-autotune")
