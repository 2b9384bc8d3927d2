"""The open half of a backend: an artifact opened on this machine, arrays in and arrays out."""

from __future__ import annotations  # this file is read by Python 3.9 too

import abc
import contextlib
from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.timing.clock import Inference


@dataclass(frozen=True)
class Port:
    """An input of a file, as the file has it."""

    name: str
    shape: tuple[int | None, ...]  # none where any size is taken, or the file does not say
    type: str = "float32"  # as numpy calls it


class Session(abc.ABC):
    """An open network. Use it as a context manager, or call ``close()``.

    ``run`` is one inference from array to arrays. ``bind`` is for timing: it places the input where the backend needs
    it, so on a GPU nothing is copied inside the timed region.
    """

    from_cache: bool | None = None  # whether ``prepare`` found earlier work; None if it caches nothing
    note: str = ""  # for readers of its timings
    inputs: tuple[Port, ...] = ()  # of a session that was opened from a file
    outputs: tuple[str, ...] = ()  # likewise: their names, in the order in which ``run`` returns them
    metadata: Mapping[str, str] = {}  # what the file says of itself; nobody changes it

    def prepare(self, images: np.ndarray) -> None:
        """Do once what inputs of this shape need: compile, record, choose kernels. Call it before ``bind``."""
        return

    @abc.abstractmethod
    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """Outputs for ``images``, float32 ``[N, 3, H, W]``, as float32 arrays that the caller may keep."""

    def bind(self, images: np.ndarray) -> Inference:
        """An inference of ``images`` that can be repeated within ``computing()``; by default ``run``."""
        return Inference(lambda: self.run(images))

    def computing(self) -> AbstractContextManager[None]:
        """The context in which an ``Inference`` must run."""
        return contextlib.nullcontext()

    def peak_device_bytes(self) -> int:
        """Peak memory on a GPU since ``bind``; 0 on a CPU."""
        return 0

    def close(self) -> None:
        """Release its resources."""
        return

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
