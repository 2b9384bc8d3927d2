"""Random numbers that are the same on every platform and with every version of numpy."""

from collections.abc import Sequence
from typing import TypeVar

import numpy as np
import numpy.typing as npt

T = TypeVar("T")
Range = tuple[float, float]
BLOCK = 256


class RandomNumbers:
    """A stream of random numbers of its own for every key.

    Made from the raw 64-bit words of PCG64, which numpy promises never to change (unlike what ``Generator`` makes of
    them), and from sums and products of these, which round alike everywhere.

    Args:
        key: whole numbers from 0, such as seed, picture, purpose.
    """

    def __init__(self, *key: int) -> None:
        self._bits = np.random.PCG64(np.random.SeedSequence(key))
        self._drawn: list[float] = []

    def __call__(self) -> float:
        """A number in [0, 1), a multiple of 2^-53."""
        if not self._drawn:
            self._drawn = self.many(BLOCK).tolist()
        return self._drawn.pop()

    def many(self, count: int) -> npt.NDArray[np.float64]:
        """Numbers in [0, 1), float64 ``[count]``."""
        words: npt.NDArray[np.uint64] = self._bits.random_raw(count)
        return (words >> np.uint64(11)).astype(np.float64) * 2.0**-53

    def between(self, low: float, high: float) -> float:
        if not self._drawn:  # as in a call, which would take longer: this is where most numbers are drawn
            self._drawn = self.many(BLOCK).tolist()
        return low + (high - low) * self._drawn.pop()

    def bell(self, mean: float, deviation: float) -> float:
        """Nearly a normal distribution, within three deviations: the sum of three even ones."""
        return mean + deviation * 2 * (self() + self() + self() - 1.5)

    def whole(self, low: int, high: int) -> int:
        """A whole number from low to high, both included."""
        return low + int(self() * (high - low + 1))

    def chance(self, probability: float) -> bool:
        return self() < probability

    def pick(self, options: Sequence[T]) -> T:
        return options[int(self() * len(options))]
