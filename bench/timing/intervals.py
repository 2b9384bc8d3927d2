"""Confidence intervals that need only numpy; those of a whole record are in ``bench.speed.statistics``."""

from __future__ import annotations  # this file is read by Python 3.9 too

import math
from collections.abc import Sequence

import numpy as np


def median_interval(rounds: Sequence[float], level: float = 0.95) -> tuple[float, float]:
    """Distribution-free confidence interval of the median: between two order statistics.

    The number of values below the true median is binomial, which gives the two ranks. It assumes that rounds are
    independent, so it does not cover a slow spell that affects all of them.

    Returns:
        Low and high end, in the unit of the values; smallest and largest value if there are too few.
    """
    ordered = np.sort(np.asarray(rounds, float))
    count = len(ordered)
    below = binomial_quantile((1 - level) / 2, count)
    return float(ordered[max(below - 1, 0)]), float(ordered[min(count - below, count - 1)])


def binomial_quantile(probability: float, count: int) -> int:
    """The least k with P(X <= k) >= probability for X binomial of ``count`` fair coins (scipy's ``binom.ppf``)."""
    k = np.arange(count + 1)
    log_factorial = np.concatenate(([0.0], np.cumsum(np.log(np.arange(1, count + 1)))))
    log_mass = log_factorial[count] - log_factorial[k] - log_factorial[count - k] - count * math.log(2)
    return int(np.searchsorted(np.cumsum(np.exp(log_mass)), probability * (1 - 1e-12)))


def student_quantile(probability: float, degrees: int) -> float:
    """The t that Student's distribution of whole degrees of freedom stays below with a probability from 0.5 to 1.

    Source: the finite sums of Abramowitz and Stegun, 26.7.3 and 26.7.4, turned round by bisection.
    """
    low, high = 0.0, math.pi / 2  # the angle whose tangent is t / sqrt(degrees)
    for _ in range(80):
        middle = (low + high) / 2
        sine, cosine = math.sin(middle), math.cos(middle)
        term, total = (cosine, 0.0) if degrees % 2 else (1.0, 0.0)
        for power in range(2 + degrees % 2, degrees + 1, 2):
            total += term
            term *= cosine * cosine * (power - 1) / power
        central = 2 / math.pi * (middle + sine * total) if degrees % 2 else sine * total
        low, high = (middle, high) if (1 + central) / 2 < probability else (low, middle)
    return math.sqrt(degrees) * math.tan((low + high) / 2)


def relative_precision(rounds: Sequence[float]) -> float:
    """Half-width of the median's 95 % confidence interval, relative to the median; infinite below six values."""
    if len(rounds) < 6:  # even the full range covers the median with less than 95 %
        return float("inf")
    low, high = median_interval(rounds)
    return (high - low) / 2 / float(np.median(np.asarray(rounds, float)))


def rounds_for_percentile(percentile: float, confidence: float = 0.99) -> int:
    """Rounds that a percentile needs: 662 for p99, 64 for p90.

    With that many, at least two rounds lie beyond the true percentile with this confidence, so the figure does not
    rest on a single round.

    Source: MLPerf's arithmetic of early stopping (Reddi et al., "MLPerf Inference Benchmark", ISCA 2020, and the
    inference rules' table of one exceedance at 99 % confidence).
    """
    below = percentile / 100
    count = 1
    while below**count + count * (1 - below) * below ** (count - 1) > 1 - confidence:
        count += 1
    return count
