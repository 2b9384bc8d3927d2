"""From the latency of every round to the figures of a record."""

from __future__ import annotations  # this file is read by Python 3.9 too

import math
import statistics
from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

from bench.timing.intervals import student_quantile

RESAMPLES = 2000
MANY = 5000  # rounds of a set
Samples = Sequence[Sequence[float]]


def summarise(samples: Samples) -> dict[str, float]:
    """Mean, median, p90, p99, standard deviation of all rounds, the 95 % interval of the mean, and FPS.

    Args:
        samples: latencies in ms, one list per set (a set is one fresh process).

    Returns:
        Metrics as records name them; without an interval if there are two sets. FPS = 1 / mean latency, as
        in Table V of the paper.
    """
    rounds = np.concatenate([np.asarray(one, float) for one in samples])
    # The mean of the sets' means, because steady sets have different lengths.
    mean = float(np.mean([np.mean(one) for one in samples]))
    metrics = {
        "latency_ms_mean": mean,
        "latency_ms_median": float(np.median(rounds)),
        "latency_ms_p90": float(np.percentile(rounds, 90)),
        "latency_ms_p99": float(np.percentile(rounds, 99)),
        "latency_ms_std": float(rounds.std(ddof=1)) if len(rounds) > 1 else 0.0,
        "fps": 1000 / mean,
    }
    if len(samples) != 2:  # two processes say almost nothing about others: an interval of 3 to 178 FPS
        low, high = mean_interval(samples)
        metrics |= {
            "latency_ms_mean_ci95_low": low,
            "latency_ms_mean_ci95_high": high,
            "fps_ci95_low": 1000 / high,
            "fps_ci95_high": 1000 / low,
        }
    return metrics


def mean_interval(samples: Samples, level: float = 0.95, seed: int = 0) -> tuple[float, float]:
    """Two-level bootstrap confidence interval of the mean latency: over sets, then over rounds within them.

    Processes differ more than rounds within one do, so the set is the unit. With a handful of sets, the plain
    percentile interval is too narrow: resampling n sets shrinks their variance by (n - 1) / n, and the normal shape
    ignores that the spread itself was estimated. Widening corrects both (in the logarithm, so that the interval
    stays positive): by sqrt(n / (n - 1)) and by the ratio of Student's to the normal quantile. One set says nothing
    about other processes; its interval is over rounds only.

    Returns:
        Low and high end, in the unit of the samples.
    """
    random = np.random.default_rng(seed)
    sets = [np.asarray(one, float) for one in samples]
    count = len(sets)
    drawn_means = np.stack([_resampled_means(one, random) for one in sets])  # [sets, RESAMPLES]
    if count == 1:
        means = drawn_means[0]
        widening = 1.0
    else:
        chosen = random.integers(count, size=(count, RESAMPLES))
        # Each time a set is drawn, it has its own resampling of rounds.
        draw = random.integers(RESAMPLES, size=(count, RESAMPLES))
        means = drawn_means[chosen, draw].mean(0)
        quantile = (1 + level) / 2
        student, normal = student_quantile(quantile, count - 1), statistics.NormalDist().inv_cdf(quantile)
        widening = float(np.sqrt(count / (count - 1))) * student / normal
    centre = float(np.log(np.mean([one.mean() for one in sets])))
    tails = np.percentile(np.log(means), [50 * (1 - level), 50 * (1 + level)])
    low, high = np.exp(centre + widening * (tails - centre))
    return float(low), float(high)


def _resampled_means(rounds: npt.NDArray[np.float64], random: np.random.Generator) -> npt.NDArray[np.float64]:
    if len(rounds) > MANY:  # their mean is normal by then, and drawing them all would take gigabytes
        spread = rounds.std(ddof=1) / math.sqrt(len(rounds))
        return np.asarray(rounds.mean() + spread * random.standard_normal(RESAMPLES), np.float64)
    chosen = random.integers(len(rounds), size=(RESAMPLES, len(rounds)))
    means: npt.NDArray[np.float64] = rounds[chosen].mean(1)
    return means
