"""The choice itself: which candidates keep within limits, in which order, and which of them nobody beats.

The report's page makes the same choice in the browser (``bench/report/page/page.js``); tests hold the two together.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core.metrics import printed
from bench.report.candidates import Candidate

Verdict = Literal["fits", "maybe", "out"]
Front = Literal["yes", "maybe", "no"]
VERDICTS: tuple[Verdict, ...] = ("fits", "maybe", "out")
MIB = 2**20


@dataclass(frozen=True)
class Limits:
    """What a network has to keep within; ``None``: no limit."""

    max_ms: float | None = None
    min_ap: float | None = None
    max_mib: float | None = None
    max_memory_mib: float | None = None

    @property
    def best(self) -> str:
        """What comes first if nobody says: the most accurate within a time, else the fastest."""
        return "latency" if self.max_ms is None else "ap"


@dataclass(frozen=True)
class Choice:
    """A candidate, and what the limits say of it."""

    candidate: Candidate
    verdict: Verdict
    reasons: tuple[str, ...]  # why it is out, or only maybe within
    front: Front  # whether no other that remains is as accurate and faster


def choose(candidates: Sequence[Candidate], limits: Limits, dataset: str, best: str | None = None) -> list[Choice]:
    """All candidates: those that fit, those that may, and those that do not, the best first in each.

    Args:
        candidates: of one machine and device; one for each network and backend.
        limits: what they have to keep within.
        dataset: whose AP counts.
        best: ``ap``, ``latency``, ``size`` or ``memory``; by default ``Limits.best``.
    """
    judged = {candidate: judge(candidate, limits, dataset) for candidate in candidates}
    remain = [candidate for candidate, (verdict, _) in judged.items() if verdict != "out"]
    order = _order(best or limits.best, dataset)
    choices = [
        Choice(candidate, verdict, reasons, on_front(candidate, remain, dataset) if verdict != "out" else "no")
        for candidate, (verdict, reasons) in judged.items()
    ]
    return sorted(choices, key=lambda choice: (VERDICTS.index(choice.verdict), *order(choice.candidate)))


def judge(candidate: Candidate, limits: Limits, dataset: str) -> tuple[Verdict, tuple[str, ...]]:
    """Whether a candidate keeps within limits.

    Maybe: the 95 % interval of its latency reaches the limit, or it has no interval. What is not known is out.
    """
    out: list[str] = []
    maybe: list[str] = []
    if limits.max_ms is not None:
        low, high = candidate.ms_interval or (candidate.ms, None)
        took = f"{short(candidate.ms)} ms" + (f" ({short(low)} to {short(high)})" if high is not None else "")
        if low > limits.max_ms:
            out.append(f"{took} is above {limits.max_ms:g} ms")
        elif high is None:
            maybe.append(f"{took} has no interval: measure it in 3 sets or more")
        elif high > limits.max_ms:
            maybe.append(f"{took} reaches {limits.max_ms:g} ms")
    if limits.min_ap is not None:
        accuracy = candidate.accuracies.get(dataset)
        if accuracy is None:
            out.append(f"no AP is known on {dataset}{' in int8' if candidate.precision == 'int8' else ''}")
        elif accuracy.value < limits.min_ap:
            of = {"paper": ", the paper's,", "publisher": ", its publisher's,"}.get(accuracy.origin, "")
            out.append(f"AP {printed(accuracy.value, 1, 1)}{of} is below {limits.min_ap:g}")
    for value, limit, what in (
        (candidate.file_bytes, limits.max_mib, "file"),
        (candidate.memory_bytes, limits.max_memory_mib, "memory"),
    ):
        if limit is not None and value is None:
            out.append(f"its {what} was not recorded")
        elif limit is not None and value is not None and value / MIB > limit:
            out.append(f"{what} of {short(value / MIB)} MiB is above {limit:g} MiB")
    return ("out" if out else "maybe" if maybe else "fits"), tuple(out or maybe)


def on_front(candidate: Candidate, others: Sequence[Candidate], dataset: str) -> Front:
    """Whether nothing else is at least as accurate and faster.

    ``no``: something is, for sure, as the 95 % intervals of the latencies are apart. ``maybe``: something that is as
    accurate has an interval that overlaps, or one of the two has none. Without an AP there is no place on the front.
    """
    mine = candidate.accuracies.get(dataset)
    if mine is None:
        return "no"
    front: Front = "yes"
    low, high = candidate.ms_interval or (candidate.ms, candidate.ms)
    for other in others:
        theirs = other.accuracies.get(dataset)
        if other is candidate or theirs is None or theirs.value < mine.value:
            continue
        known = candidate.ms_interval is not None and other.ms_interval is not None
        their_low, their_high = other.ms_interval or (other.ms, other.ms)
        if known and their_high < low:
            return "no"
        if their_low <= high if known else other.ms <= candidate.ms:
            front = "maybe"
    return front


def _order(best: str, dataset: str) -> Callable[[Candidate], tuple[bool | float | str, ...]]:
    """What sorts the best first; what is not known comes last."""

    def order(candidate: Candidate) -> tuple[bool | float | str, ...]:
        accuracy = candidate.accuracies.get(dataset)
        ap = -accuracy.value if accuracy else 0.0
        first = {
            "ap": ap, "latency": candidate.ms, "size": candidate.file_bytes, "memory": candidate.memory_bytes,
        }[best]  # fmt: skip
        unknown = first is None or (best == "ap" and accuracy is None)
        return unknown, first or 0.0, candidate.ms, ap, candidate.model, candidate.backend, candidate.precision

    return order


def short(value: float) -> str:
    """A latency or a size as one reads it: three digits."""
    return printed(value, 1, 3 if value < 1 else 2 if value < 10 else 1 if value < 100 else 0)
