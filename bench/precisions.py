"""What networks compute in: types of numbers, and what a GPU may round them to on the way."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

from bench.core.errors import InputError

# In fp32 all arithmetic is float32. PyTorch by itself lets convolutions of float32 on a GPU round their inputs to
# TF32, of 10 bits, where the device knows it; that is tf32 here, for matrix products as well.
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


def check(precision: str, device: str) -> None:
    """Raises ``InputError`` for a precision that there is not, or not on a device."""
    if precision not in DTYPES:
        raise InputError(f"unknown precision {precision!r}: choose from {', '.join(DTYPES)}")
    if precision == "tf32" and not device.startswith("cuda"):
        raise InputError("precision tf32 is of CUDA devices only: give --device cuda, or --precision fp32")


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """While it lasts, float32 on a GPU is computed in TF32 if that is the precision, and in float32 if not."""
    settings: tuple[Any, ...] = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [one.allow_tf32 for one in settings]
    for one in settings:
        one.allow_tf32 = precision == "tf32"
    try:
        yield
    finally:
        for one, allowed in zip(settings, before, strict=True):
            one.allow_tf32 = allowed


def cast(model: nn.Module, example: Tensor, precision: str) -> tuple[nn.Module, Tensor]:
    """A network and its input in a precision: a copy, or the very ones where nothing changes.

    In half precision on a GPU both have their channels last, as its matrix units want them.
    """
    dtype = DTYPES[precision]
    if dtype == example.dtype:
        return model, example
    own = copy.deepcopy(model).to(dtype)
    if example.device.type == "cuda":
        return own.to(memory_format=torch.channels_last), example.to(dtype, memory_format=torch.channels_last)
    return own, example.to(dtype)
