"""One comparison: pairs are drawn until they settle it, and a regression is drawn anew before it is believed."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median

from bench.regress.pairs import Pair
from bench.regress.sequential import Interval, Verdict, anytime_interval, decide

DrawPair = Callable[[], Pair]
Show = Callable[[int, Interval], None]


@dataclass(frozen=True)
class Comparison:
    """What came out for one network."""

    verdict: Verdict
    interval: Interval  # of the set that decided
    base_ms: float
    head_ms: float
    # One list a set, of what was measured in it; a second set is there where the first said regression.
    samples: dict[str, list[list[float]]]
    processes: int  # of the new side, in all sets
    seconds: float

    @property
    def unconfirmed(self) -> bool:
        """Whether a first set said regression and a fresh one did not."""
        return self.verdict != "regression" and any(len(sets) > 1 for sets in self.samples.values())


def compare(draw: DrawPair, threshold: float, budget_s: float, show: Show) -> Comparison:
    """Draw pairs of fresh processes until the question is settled.

    A set ends as soon as its interval lies above or below ``1 + threshold``, or its time is up. A regression is
    reported if a second set of fresh pairs says so as well; what that one says counts. It may take what the first has
    left of its time, too: so nothing takes longer than ``budget_s``, and what may be a regression twice that.

    Args:
        draw: times one pair.
        threshold: what is still allowed, 0.05 for 5 %.
        budget_s: time of a set; the pair that is being timed then still counts.
        show: called after every pair with the number of pairs in its set, and the interval.
    """
    began = time.monotonic()
    sets = [_draw_set(draw, threshold, began + budget_s, show)]
    if _verdict(sets[0], threshold) == "regression":
        sets.append(_draw_set(draw, threshold, began + 2 * budget_s, show))
    everything = [pair for one in sets for pair in one]
    return Comparison(
        verdict=_verdict(sets[-1], threshold),
        interval=_interval(sets[-1]),
        base_ms=median(pair.base_ms for pair in everything),
        head_ms=median(pair.head_ms for pair in everything),
        samples={
            "log_ratio": [[pair.log_ratio for pair in one] for one in sets],
            "log_ratio_error": [[pair.error for pair in one] for one in sets],
        },
        processes=len(everything),
        seconds=time.monotonic() - began,
    )


def _draw_set(draw: DrawPair, threshold: float, until: float, show: Show) -> list[Pair]:
    pairs: list[Pair] = []
    while not pairs or (_verdict(pairs, threshold) == "undecided" and time.monotonic() < until):
        pairs.append(draw())
        show(len(pairs), _interval(pairs))
    return pairs


def _interval(pairs: Sequence[Pair]) -> Interval:
    return anytime_interval([pair.log_ratio for pair in pairs], [pair.error for pair in pairs])


def _verdict(pairs: Sequence[Pair], threshold: float) -> Verdict:
    return decide(_interval(pairs), threshold)
