"""When pairs have said enough: an anytime-valid confidence interval of the ratio, and what it decides.

It rests on signs: of the pairs of two sides whose true ratio is m, as many lie above m as below, however heavy the
tails. Somebody who bets on "above" at even odds, pair by pair, multiplies a stake of 1 by 1 + b or 1 - b; if m is true,
the stake ever gets to 1 / a with a probability of a at most (Ville's inequality), however the size b of each bet is
chosen before its sign is known. What is mixed here are bets of many sizes; half of the stake goes all in each time,
which is best where all pairs agree. A single bad pair, however bad, counts as one sign.

A pair that is close to m says little, and gets a smaller bet: in proportion to its distance, up to a knee, as in
Huber's estimator. The knee is twice the error that its own blocks show; bets with larger knees, which suit pairs that
differ by more than that, are mixed in. Which of the two sides is called the new one changes the sign of a pair's
logarithm and nothing else, so that among pairs as far from m, whose blocks disagree as much, half lie on either side.

Source: Waudby-Smith and Ramdas, "Estimating means of bounded random variables by betting", JRSS B 86 (2024); Howard and
Ramdas, "Sequential estimation of quantiles with applications to A/B testing and best-arm identification", Bernoulli 28
(2022).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import stats

Verdict = Literal["regression", "faster", "clear", "undecided"]

# Both sets of pairs, the first and the one that confirms, keep to it.
ERROR_RATE = 0.05
# Of its own standard errors, how far a pair is from the ratio in question that gets whole bets.
WHOLE_BET_AT = 2.0
# What part of the stake goes to bets of which size, and how far a pair must be from the ratio to get all of it.
_SIZES, _KNEES = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.95), (0.0, 0.02, 0.04)
BETS = np.array([1.0, *_SIZES * len(_KNEES)])
KNEES = np.array([0.0, *np.repeat(_KNEES, len(_SIZES))])
STAKES = np.array([0.5, *[0.5 / (len(BETS) - 1)] * (len(BETS) - 1)])


@dataclass(frozen=True)
class Interval:
    """A ratio of latencies, new over old, and the ends that hold it."""

    ratio: float
    low: float
    high: float

    @property
    def precision(self) -> float:
        """Half of the width, relative to the ratio: 0.03 for 3 %; infinite where an end is not known yet."""
        return (self.high / self.low) ** 0.5 - 1 if self.low > 0 else math.inf


def anytime_interval(
    log_ratios: Sequence[float], errors: Sequence[float] | None = None, error_rate: float = ERROR_RATE
) -> Interval:
    """An interval of the ratio that holds the truth at *all* numbers of pairs at once, but for ``error_rate``.

    It is an anytime-valid confidence interval (a confidence sequence): the comparison may stop after any pair. An
    ordinary interval that is computed after every pair misses far more often than it says. The truth is the median of
    the pairs.

    Args:
        log_ratios: a pair's logarithm of new over old latency, one a pair.
        errors: standard error of each, from within the pair; by default all are trusted.
        error_rate: between 0 and 1, half of it for either end.

    Returns:
        The median, and its ends: 0 and infinity while there are too few pairs to tell.
    """
    values = np.asarray(log_ratios, float)
    if not len(values):
        return Interval(1.0, 0.0, math.inf)
    low = _refuted_up_to(values, errors, error_rate)
    high = -_refuted_up_to(-values, errors, error_rate)
    return Interval(math.exp(float(np.median(values))), math.exp(low), math.exp(high))


def _refuted_up_to(values: np.ndarray, errors: Sequence[float] | None, error_rate: float) -> float:
    """Below which value the truth is not, by bets on "above"; minus infinity where that is not known of any."""
    enough = math.log(2 / error_rate)

    def is_refuted(truth: float) -> bool:
        return bool(log_stakes(values - truth, errors)[-1] >= enough)

    # The higher what is betted on, the less is won: from where all bets are whole up to where none is won.
    low = float(values.min()) - max([*KNEES, *(WHOLE_BET_AT * error for error in errors or ())]) - 1e-9
    high = float(values.max())
    if not is_refuted(low):
        return -math.inf
    for _ in range(50):
        middle = (low + high) / 2
        low, high = (middle, high) if is_refuted(middle) else (low, middle)
    return low


def log_stakes(away: np.ndarray, errors: Sequence[float] | None = None) -> np.ndarray:
    """What became of a stake of 1 that was bet on pairs lying above a ratio, as a logarithm.

    Args:
        away: how far pairs lie above it, in their order, ``[..., pairs]``; 0 is no bet.
        errors: standard error of each pair; by default all are trusted.

    Returns:
        After each pair, ``[..., pairs]``.
    """
    doubt = WHOLE_BET_AT * np.asarray(np.zeros(away.shape[-1]) if errors is None else errors, float)
    whole_at = np.maximum(np.maximum(KNEES[:, None], doubt), 1e-12)
    far = np.abs(away)[..., None, :]
    bets = BETS[:, None] * np.sign(away)[..., None, :] * np.minimum(1, far / whole_at)
    with np.errstate(divide="ignore"):  # all is lost: minus infinity
        by_bet = np.log1p(bets).cumsum(-1)
    highest = by_bet.max(-2)
    found: np.ndarray = highest + np.log(np.einsum("b,...bn->...n", STAKES, np.exp(by_bet - highest[..., None, :])))
    return found


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
