"""Smoothing of joints over time: the 1 euro filter (Casiez, Roussel, Vogel, CHI 2012)."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from bench.core.arrays import Float64Array
from bench.core.errors import InputError

FILTERS = ("none", "one-euro")


@dataclass(frozen=True)
class OneEuroSettings:
    """Of the filter: speeds are in sizes of the person a second, so that near and far people are smoothed alike."""

    min_cutoff_hz: float = 1.5  # at rest: the lower, the less jitter
    beta: float = 4.0  # how fast the cutoff grows with speed: the higher, the less lag
    speed_cutoff_hz: float = 1.0


class OneEuro:
    """A low-pass filter whose cutoff grows with speed: still joints come to rest, moving ones hardly lag.

    Args:
        rate_hz: frames a second.
        settings: of the filter.
    """

    def __init__(self, rate_hz: float, settings: OneEuroSettings = OneEuroSettings()) -> None:
        if not 0 < rate_hz < math.inf:
            raise InputError(f"a filter at {rate_hz} frames a second is impossible: give a rate above 0")
        self.seconds, self.settings = 1 / rate_hz, settings
        self._states: dict[int, tuple[Float64Array, Float64Array]] = {}

    def __call__(self, joints: Float64Array, people: Sequence[int], sizes: Float64Array) -> Float64Array:
        """Smoothed joints; a person's first frame stays as it is, and who is not there is forgotten.

        Args:
            joints: ``[N, J, 3]`` x, y in pixels and confidence, which stays as it is.
            people: a number for everyone that stays theirs.
            sizes: ``[N]`` of the people in pixels.
        """
        smoothed = joints.copy()
        states: dict[int, tuple[Float64Array, Float64Array]] = {}
        for index, person in enumerate(people):
            now = joints[index, :, :2]
            place, speed = self._states.get(person, (now, np.zeros_like(now)))
            if person in self._states:
                measured = (now - place) / self.seconds / max(float(sizes[index]), 1e-9)
                speed = speed + self._weight(self.settings.speed_cutoff_hz) * (measured - speed)
                cutoff = self.settings.min_cutoff_hz + self.settings.beta * np.abs(speed)
                place = place + self._weight(cutoff) * (now - place)
            states[person] = (place, speed)
            smoothed[index, :, :2] = place
        self._states = states
        return smoothed

    def _weight(self, cutoff_hz: float | Float64Array) -> float | Float64Array:
        """Of the new value, for an exponential filter with this cutoff (equation 6)."""
        return 1 / (1 + 1 / (2 * math.pi * cutoff_hz * self.seconds))
