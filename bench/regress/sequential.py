"""When pairs have said enough: an interval that may be looked at after every pair, and what it decides."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Verdict = Literal["regression", "faster", "clear", "undecided"]

# Both sets of pairs, the first and the one that confirms, keep to it.
ERROR_RATE = 0.05
# Fewer say nothing about how pairs differ from each other.
LEAST_PAIRS = 3
# Variance of the true mean, in units of the pairs' own, that the interval is best for: pairs differ by a percent or so,
# and what is to be told is several times that. With 1, it would take 5 pairs to say anything, and a tenth fewer where
# it takes dozens.
PRIOR_VARIANCE = 10.0


@dataclass(frozen=True)
class Interval:
    """A ratio of latencies, new over old, and the ends that hold it."""

    ratio: float
    low: float
    high: float

    @property
    def precision(self) -> float:
        """Half of the width, relative to the ratio: 0.03 for 3 %."""
        return (self.high / self.low) ** 0.5 - 1 if self.low > 0 else math.inf


def any_time_interval(log_ratios: Sequence[float], error_rate: float = ERROR_RATE) -> Interval:
    """An interval of the ratio that holds the truth at *all* numbers of pairs at once, but for ``error_rate``.

    So it may be looked at after every pair, and drawing pairs may stop at whichever look one likes; an ordinary
    interval, looked at again and again, misses far more often than it says. It inverts a t-test that is valid at
    any time: the likelihood ratio of "mean mu" against "mean mu + sigma * N(0, g)" with the scale-invariant prior
    on sigma is a martingale of mean 1 if mu is true, so it exceeds 1 / error_rate ever with that probability at
    most (Ville's inequality). Exact for normal differences, whatever their variance.

    Source: Lai, "On confidence sequences", Annals of Statistics 4 (1976); Wang and Ramdas, "Anytime-valid t-tests and
    confidence sequences for Gaussian means with unknown variance", Sequential Analysis 44 (2025).

    Args:
        log_ratios: a pair's logarithm of new over old latency, one a pair.
        error_rate: between 0 and 1.

    Returns:
        From 0 to infinity while there are too few pairs to tell.
    """
    values = np.asarray(log_ratios, float)
    count = len(values)
    centre = float(np.exp(values.mean())) if count else 1.0
    if count < LEAST_PAIRS:
        return Interval(centre, 0.0, math.inf)
    # With u = t^2 / (n - 1), the likelihood ratio is below 1 / error_rate where
    # (1 + u) / (1 + u * shrink) < (sqrt(1 / shrink) / error_rate) ^ (2 / n).
    shrink = 1 / (1 + count * PRIOR_VARIANCE)
    bound = (shrink**-0.5 / error_rate) ** (2 / count)
    if bound * shrink >= 1:
        return Interval(centre, 0.0, math.inf)
    largest_u = (bound - 1) / (1 - bound * shrink)
    half = math.sqrt(largest_u * (count - 1)) * float(values.std(ddof=1)) / math.sqrt(count)
    return Interval(centre, centre * math.exp(-half), centre * math.exp(half))


def welch_interval(old: Sequence[float], new: Sequence[float], error_rate: float = ERROR_RATE) -> Interval:
    """The interval of the ratio of two groups of processes that were not timed side by side; for one look.

    Args:
        old: logarithms of latencies, one a process.
        new: likewise.
        error_rate: between 0 and 1.
    """
    found = stats.ttest_ind(new, old, equal_var=False).confidence_interval(1 - error_rate)
    centre = math.exp(float(np.mean(new)) - float(np.mean(old)))
    return Interval(centre, math.exp(float(found.low)), math.exp(float(found.high)))


def decide(interval: Interval, threshold: float) -> Verdict:
    """What an interval says of a change that may slow down by ``threshold`` (0.05 for 5 %)."""
    if interval.low > 1 + threshold:
        return "regression"
    if interval.high < 1:
        return "faster"
    return "clear" if interval.high < 1 + threshold else "undecided"
