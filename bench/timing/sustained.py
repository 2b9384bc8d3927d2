"""What heat does to latency: figures of rounds that went on for minutes."""

from __future__ import annotations  # this file is read by Python 3.9 too

from collections.abc import Sequence

import numpy as np

WINDOWS = 20  # of equal time
SETTLED = 5  # windows at the end
SLOWER = 1.05  # times the fresh median, from which on a window counts as slower


def figures(latency_ms: Sequence[float]) -> dict[str, float]:
    """Fresh and settled latency, and when it starts to fall behind.

    ``latency_ms_fresh`` is the median of the rounds in the first twentieth of the time, ``latency_ms_settled`` of those
    in its last quarter. ``slower_after_s`` is the start of the twentieth from which on the medians stay more than 5 %
    above the fresh one; absent where the last does not. Time is the sum of the rounds: what lies between is left out.

    Args:
        latency_ms: of rounds one after the other, at least one.
    """
    rounds = np.asarray(latency_ms, float)
    ends_s = np.cumsum(rounds) / 1000
    length_s = ends_s[-1] / WINDOWS
    window = np.minimum(((ends_s - rounds / 1000) / length_s).astype(int), WINDOWS - 1)  # by when a round starts
    fresh = float(np.median(rounds[window == 0]))
    late = rounds[window >= WINDOWS - SETTLED]
    found = {"latency_ms_fresh": fresh, "latency_ms_settled": float(np.median(late if late.size else rounds[-1:]))}
    first_slower = WINDOWS
    for number in reversed(range(WINDOWS)):
        within = rounds[window == number]
        if within.size and np.median(within) <= SLOWER * fresh:
            break
        first_slower = number if within.size else first_slower
    if first_slower < WINDOWS:
        found["slower_after_s"] = float(first_slower * length_s)
    return found
