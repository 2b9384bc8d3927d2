"""Whether trainings tell the rows of a table apart, and what it would take if not: plain statistics of seeds."""

import itertools
import math
import statistics
from collections.abc import Mapping, Sequence

from bench.timing.intervals import student_quantile

Rows = Mapping[str, Sequence[float]]  # each row's figures, one a seed
# Normal quantiles of a two-sided error of 5 % and of a power of 80 %.
ERROR, POWER = 1.959964, 0.841621


def spread(rows: Rows) -> float | None:
    """The standard deviation from seed to seed within rows, pooled; none where no row has two seeds."""
    degrees = sum(len(row) - 1 for row in rows.values())
    if degrees < 1:
        return None
    return math.sqrt(sum(statistics.variance(row) * (len(row) - 1) for row in rows.values() if len(row) > 1) / degrees)


def told_apart(rows: Rows, level: float = 0.95) -> bool:
    """Whether the means of two rows at least differ by more than seeds do.

    Student's test of every pair with the pooled spread, and Bonferroni's correction for the number of pairs.
    """
    rows = {name: row for name, row in rows.items() if row}
    deviation, degrees = spread(rows), sum(len(row) - 1 for row in rows.values())
    pairs = list(itertools.combinations(rows.values(), 2))
    if deviation is None or not pairs:
        return False
    quantile = student_quantile(1 - (1 - level) / 2 / len(pairs), degrees)
    return any(
        abs(statistics.mean(a) - statistics.mean(b)) > quantile * deviation * math.sqrt(1 / len(a) + 1 / len(b))
        for a, b in pairs
    )


def seeds_needed(deviation: float, difference: float) -> int:
    """Seeds a row for a difference of two means to be found in four cases of five, with a two-sided error of 5 %.

    Args:
        deviation: from seed to seed.
        difference: that is to be found, in the same unit.
    """
    return max(2, math.ceil(2 * ((ERROR + POWER) * deviation / difference) ** 2))
