"""PyTorch as it comes: every module called in turn."""

from typing import Any

import torch
from torch import Tensor, nn

PACKAGES = ()


def version() -> str:
    return f"torch {torch.__version__}"


def check(device: str, precision: str) -> None:
    """Anything that torch runs will do."""


def prepare(model: nn.Module, example: Tensor) -> Any:
    return model
