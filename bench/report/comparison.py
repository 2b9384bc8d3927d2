"""Two folders of records beside each other: what differs between them first, then each network's ratio."""

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import newest
from bench.timing.intervals import student_quantile

# Of a measurement, what must be equal for two records to be of the same; the runtime's version may differ. So may the
# number of threads, but only where each folder has one number alone: other machines have other defaults.
SAME = ("model", "input", "num_joints", "backend", "device", "precision", "batch")
ByThreads = dict[int | None, Record]
LEVEL = 0.95
MAY = 0.01  # a smaller difference is none that matters, whatever the interval


@dataclass(frozen=True)
class DifferenceLine:
    """One network in one runtime, in both folders."""

    model: str
    backend: str
    threads: tuple[int | None, int | None]
    median_ms: tuple[float, float]
    ratio: float  # of the second to the first, of mean latencies
    low: float  # of its 95 % interval; not a number where there are too few sets
    high: float

    @property
    def verdict(self) -> str:
        if math.isnan(self.low):
            return "may differ: needs 3 sets in each"
        if self.high < 1 or self.low > 1:
            return f"differs for sure: {'slower' if self.ratio > 1 else 'faster'}"
        if max(self.high - 1, 1 - self.low) <= MAY:
            return "no difference seen"
        return "may differ"


def show(first: Sequence[Record], second: Sequence[Record], folders: tuple[Path, Path]) -> None:
    """Print both: what differs around the measurements, then the measurements.

    Raises:
        InputError: they have no measurement in common.
    """
    found = lines(first, second)
    if not found:
        raise InputError(
            f"{folders[0]} and {folders[1]} have no timing in common (of the same network, input, runtime, precision)"
        )
    for difference in differences(first, second):
        print(f"differs: {difference}")
    names = [f"{folder.name} ms" for folder in folders]
    rows = [("model", "backend", "threads", *names, "ratio", "95 % interval", "")]
    for line in found:
        interval = "" if math.isnan(line.low) else f"{line.low:.3f} to {line.high:.3f}"
        before, after = (f"{median:.2f}" for median in line.median_ms)
        threads = " | ".join(str(number or "") for number in dict.fromkeys(line.threads))
        rows.append((line.model, line.backend, threads, before, after, f"{line.ratio:.3f}", interval, line.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def lines(first: Sequence[Record], second: Sequence[Record]) -> list[DifferenceLine]:
    """The measurements that both have, in the order of the first; of several of one the newest counts."""
    here, there = _speeds(first), _speeds(second)
    return [_line(*pair) for key in here if key in there for pair in _pairs(here[key], there[key])]


def _pairs(here: ByThreads, there: ByThreads) -> list[tuple[Record, Record]]:
    """Records with equal threads; where each side has one number of threads alone, those two whatever they are."""
    both = sorted((number for number in here if number in there), key=lambda number: number or 0)
    if not both and len(here) == len(there) == 1:
        (one,), (other,) = here.values(), there.values()
        return [(one, other)]
    return [(here[number], there[number]) for number in both]


def differences(first: Sequence[Record], second: Sequence[Record]) -> Iterator[str]:
    """What differs in machine, software and protocol, a line each; a reader must know it before any ratio."""
    for what, read in (
        ("processor", lambda r: r.machine.cpu), ("cores", lambda r: str(r.machine.cores)),
        ("memory GiB", lambda r: f"{r.machine.memory_bytes / 2**30:.1f}"), ("system", lambda r: r.machine.os),
        ("quota", lambda r: str(r.machine.cpu_quota)), ("GPU", lambda r: str(r.machine.gpu)),
        ("Python", lambda r: r.software.python), ("torch", lambda r: r.software.torch),
        ("runtime", lambda r: r.software.runtime), ("threads", lambda r: str(r.threads)),
        ("protocol", lambda r: str(r.protocol.get("name"))),
        ("sources", lambda r: (r.software.git_commit or r.software.source_sha256)[:12]),
    ):  # fmt: skip
        a, b = (sorted({read(record) for record in some if record.kind == "speed"}) for some in (first, second))
        if a != b:
            yield f"{what}: {', '.join(a)} | {', '.join(b)}"


def _speeds(records: Sequence[Record]) -> dict[tuple[object, ...], ByThreads]:
    found: dict[tuple[object, ...], ByThreads] = {}
    for record in sorted(newest(records), key=lambda record: record.started_at):
        if record.kind == "speed" and record.samples.get("latency_ms"):
            found.setdefault(tuple(getattr(record, name) for name in SAME), {})[record.threads] = record
    return dict(sorted(found.items(), key=lambda item: (str(item[0][3]), str(item[0][0]))))


def _line(first: Record, second: Record) -> DifferenceLine:
    ratio, low, high = ratio_interval(first.samples["latency_ms"], second.samples["latency_ms"])
    before, after = (float(np.median(np.concatenate(one.samples["latency_ms"]))) for one in (first, second))
    return DifferenceLine(
        first.model, first.backend or "", (first.threads, second.threads), (before, after), ratio, low, high
    )


def ratio_interval(
    first: Sequence[Sequence[float]], second: Sequence[Sequence[float]], level: float = LEVEL
) -> tuple[float, float, float]:
    """The ratio of mean latencies, second to first, with its interval.

    A set is a process, and processes differ: the interval is Welch's, of the logarithms of the sets' means, with
    Welch and Satterthwaite's degrees of freedom rounded down.

    Args:
        first: latencies in ms, one list a set.
        second: likewise.
        level: of confidence.

    Returns:
        Ratio, low and high end; the ends are not numbers with fewer than three sets in either.
    """
    logs = [np.log([np.mean(one) for one in sets]) for sets in (first, second)]
    difference = float(logs[1].mean() - logs[0].mean())
    if min(map(len, logs)) < 3:
        return math.exp(difference), math.nan, math.nan
    shares = [float(one.var(ddof=1)) / len(one) for one in logs]
    error = math.sqrt(sum(shares))
    if error == 0:
        return math.exp(difference), math.exp(difference), math.exp(difference)
    degrees = sum(shares) ** 2 / sum(share**2 / (len(one) - 1) for share, one in zip(shares, logs, strict=True))
    wide = student_quantile((1 + level) / 2, max(1, int(degrees))) * error
    return math.exp(difference), math.exp(difference - wide), math.exp(difference + wide)
