"""What a runtime takes for operators that have next to nothing to do, and what its profiler adds to them."""

import functools
from dataclasses import dataclass, replace
from types import TracebackType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.backends import catalogue
from bench.explain.peaks import Peaks
from bench.timing.clock import once

OPERATORS = 32
TELLING_S = 1e-6  # what a profiler adds to an operator, from which on it can be told from nothing
CHANNELS, SIDE = 1024, 32  # of a large product in int8, which PyTorch does not measure


class Nothing(nn.Module):
    """Operators on three numbers, which no runtime joins."""

    def forward(self, x: Tensor) -> Tensor:
        for _ in range(OPERATORS):
            x = torch.softmax(x, 1)
        return x


class Product(nn.Module):
    """A large matrix product, as a convolution."""

    def __init__(self) -> None:
        super().__init__()
        self.first, self.large = nn.Conv2d(3, CHANNELS, 1), nn.Conv2d(CHANNELS, CHANNELS, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.large(self.first(x))
        return found


@dataclass(frozen=True)
class RuntimeCost:
    """Seconds an operator."""

    operator_s: float  # of an operator that has next to nothing to do
    within_s: float  # that the profiler adds to its own time
    outside_s: float  # and between two of them
    macs_per_s: float | None  # of a large product in int8

    def scaled(self, added_s: float) -> "RuntimeCost":
        """With a profiler that adds as much to an operator of a network as was measured there.

        It adds more there than to a chain of empty ones: what it needs has left the caches by the next operator. How
        much of it is within an operator's own time is as in the chain.
        """
        empty = self.within_s + self.outside_s
        factor = max(1.0, added_s / empty) if empty >= TELLING_S else 1.0
        return replace(self, within_s=self.within_s * factor, outside_s=self.outside_s * factor)

    def peaks(self, peaks: Peaks) -> Peaks:
        """The machine's, with this runtime's calls."""
        return replace(
            peaks, operator_s=self.operator_s, profiler_s=self.within_s + self.outside_s,
            macs_per_s=self.macs_per_s or peaks.macs_per_s,
        )  # fmt: skip


class RuntimeMeter:
    """A chain of empty operators in the runtime, with its profiler and without, as many rounds as are asked for."""

    def __init__(self, backend: str, threads: int) -> None:
        own = catalogue.find(backend)
        # Nothing is there to be quantised: the runtime is the same.
        plain = next(b for b in catalogue.catalogue().values() if b.family == own.family and not b.quantises)
        example = torch.linspace(-1, 1, 3).view(1, 3, 1, 1)
        self.images = example.numpy()
        artifact = catalogue.build(plain.name, Nothing().eval(), example, threads=threads)
        self.alone: Any = catalogue.open_artifact(artifact, threads=threads)
        self.watched: Any = catalogue.open_profiled(artifact, threads=threads)
        self.seconds: list[tuple[float, float]] = []
        self.product: Any = None
        if own.quantises:
            torch.manual_seed(0)
            picture = torch.randn(1, 3, SIDE, SIDE)
            made = catalogue.build(backend, Product().eval(), picture, threads=threads, calibration=[picture])
            self.product, self.picture = catalogue.open_profiled(made, threads=threads), picture.numpy()
        self.round()
        self.seconds.clear()  # the first one warms up

    def round(self) -> None:
        taken = []
        for session in (self.alone, self.watched):
            for _ in range(2):
                _, seconds = once(functools.partial(session.run, self.images))
                if session is self.watched:
                    session.collect()
            taken.append(seconds)
        self.seconds.append((taken[0], taken[1]))
        if self.product is not None:
            self.product.run(self.picture)
            self.product.collect()

    def found(self) -> RuntimeCost:
        alone, watched = (min(values) for values in zip(*self.seconds, strict=True))
        profile = self.watched.profile()
        count = max(1, len(profile.operators))
        own = min(sum(row) for row in profile.seconds) / count
        # All of the unwatched time may have been the operators'; what they take beyond it is the profiler's.
        within = max(0.0, own - alone / count)
        return RuntimeCost(own - within, within, max(0.0, (watched - alone) / count - within), self._macs_per_s())

    def _macs_per_s(self) -> float | None:
        if self.product is None:
            return None
        profile = self.product.profile()
        seconds = np.array(profile.seconds).min(0)
        return float(max(one.macs / taken for one, taken in zip(profile.operators, seconds, strict=True) if taken))

    def __enter__(self) -> "RuntimeMeter":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for session in (self.alone, self.watched, self.product):
            if session is not None:
                session.close()
