"""Precisions: number types, and whether a GPU may round float32 to TF32."""

import contextlib
import copy
from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn

# In fp32 all arithmetic is float32. By default, PyTorch lets float32 convolutions on a GPU round their inputs to TF32
# (10 bits of mantissa) where the device can; here that is tf32, for matrix products as well.
DTYPES = {"fp32": torch.float32, "tf32": torch.float32, "fp16": torch.float16, "bf16": torch.bfloat16}


@contextlib.contextmanager
def arithmetic(precision: str) -> Iterator[None]:
    """A context in which a GPU computes float32 in TF32 if the precision is tf32, and in float32 otherwise."""
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
    """A network and its input in a precision: a copy, or the given objects if nothing changes.

    In half precision on a GPU both are in the channels-last layout, which its matrix units need.
    """
    if DTYPES[precision] == example.dtype:
        return model, example
    own = copy.deepcopy(model).to(DTYPES[precision])
    if example.device.type == "cuda":
        channels_last(own)
    return own, place(example, precision, example.device)


def channels_last(model: nn.Module) -> None:
    """Put a network's tensors of four dimensions, weights of convolutions above all, into the channels-last layout.

    ``model.to(memory_format=...)`` fails where a tensor has five, as Dite-HRNet's banks of kernels have.
    """
    for tensor in (*model.parameters(), *model.buffers()):
        if tensor.dim() == 4:
            tensor.data = tensor.data.contiguous(memory_format=torch.channels_last)


def place(batch: Tensor, precision: str, device: torch.device) -> Tensor:
    """A batch as a network in this precision on this device expects it; see ``cast``."""
    dtype = DTYPES[precision]
    if device.type == "cuda" and dtype != torch.float32:
        return batch.to(device).to(dtype, memory_format=torch.channels_last)
    return batch.to(device, dtype)
