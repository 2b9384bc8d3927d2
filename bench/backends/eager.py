"""PyTorch as it comes: every module called in turn."""

import torch
from torch import Tensor, nn

from bench.backends import Prepared, state_bytes

ABOUT = "PyTorch as it comes: every module called in turn"
DEVICES = ("cpu", "cuda")
PACKAGES = ()
INSTALL = ""
QUANTISED = False


def version() -> str:
    return f"torch {torch.__version__}"


def check(device: str, precision: str) -> None:
    """Anything that torch runs will do."""


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    return Prepared(model, state_bytes(model), "state dict")
