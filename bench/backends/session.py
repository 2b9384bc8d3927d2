"""The second half of a backend: an artifact opened on this machine, arrays in and arrays out."""

from __future__ import annotations  # this file is read by Python 3.9 too

import abc
import contextlib
from contextlib import AbstractContextManager
from typing import Any

import numpy as np

from bench.timing.clock import Inference


class Session(abc.ABC):
    """An open network. Use it as a context manager, or call ``close()``.

    ``run`` is one inference from array to arrays. ``bind`` is for timing: what it returns runs on an input that is
    where the backend wants it already, so that on a GPU nothing is copied inside the timed region.
    """

    from_cache: bool | None = None  # whether ``prepare`` made use of an earlier one; none where it does not matter
    note: str = ""  # what a reader of its timings must know

    def prepare(self, images: np.ndarray) -> None:
        """Do what is done once for inputs of this shape: compile, record, choose kernels. Before ``bind``."""
        return

    @abc.abstractmethod
    def run(self, images: np.ndarray) -> list[np.ndarray]:
        """Outputs for ``images``, float32 ``[N, 3, H, W]``: arrays of their own, float32."""

    def bind(self, images: np.ndarray) -> Inference:
        """One inference of ``images``, to be run again and again within ``computing()``; on a CPU that is ``run``."""
        return Inference(lambda: self.run(images))

    def computing(self) -> AbstractContextManager[None]:
        """What must be set while an ``Inference`` runs."""
        return contextlib.nullcontext()

    def peak_device_bytes(self) -> int:
        """Memory of a device of its own, since ``bind``; 0 on a CPU."""
        return 0

    def close(self) -> None:
        """Give back what it took."""
        return

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *_: Any) -> None:
        self.close()
