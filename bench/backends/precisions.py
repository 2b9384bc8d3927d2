"""What networks compute in: types of numbers, and what a GPU may round them to on the way."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

# In fp32 all arithmetic is float32. PyTorch by itself lets convolutions of float32 on a GPU round their inputs to
# TF32, of 10 bits, where the device knows it; that is tf32 here, for matrix products as well.
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


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
    if DTYPES[precision] == example.dtype:
        return model, example
    own = copy.deepcopy(model).to(DTYPES[precision])
    if example.device.type == "cuda":
        own = own.to(memory_format=torch.channels_last)
    return own, place(example, precision, example.device)


def place(batch: Tensor, precision: str, device: torch.device) -> Tensor:
    """A batch as a network of this precision on this device takes it; see ``cast``."""
    dtype = DTYPES[precision]
    if device.type == "cuda" and dtype != torch.float32:
        return batch.to(device).to(dtype, memory_format=torch.channels_last)
    return batch.to(device, dtype)
