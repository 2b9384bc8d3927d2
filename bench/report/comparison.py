"""Two folders of records beside each other: what differs between them first, then each network's ratio."""

import math
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import newest
from bench.report.measured import Setting, best, name, protocol
from bench.timing.intervals import student_quantile

Key = tuple[object, ...]  # of a measurement, what must be equal for two records to be of the same
Place = tuple[str, str]  # machine and GPU
ByThreads = dict[int | None, list[Record]]
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
    apart = list(_apart(first, second, folders))
    found = pairs(first, second)
    if not found:
        nothing = (
            f"{folders[0]} and {folders[1]} have no timing in common (of the same network, input, runtime, precision)"
        )
        raise InputError("; ".join(apart) or nothing)
    for line in apart:
        print(f"not compared: {line}")
    by_place: dict[tuple[Place, Place], list[tuple[Record, Record]]] = {}
    for one, other in found:
        by_place.setdefault((_place(one), _place(other)), []).append((one, other))
    for places, members in by_place.items():
        if len(by_place) > 1:
            print(f"on {' | '.join(dict.fromkeys(map(_said, places)))}:")
        _show(members, folders)


def _show(found: Sequence[tuple[Record, Record]], folders: tuple[Path, Path]) -> None:
    """What differs around some pairs of measurements, and a line for each."""
    for difference in differences(*(list(side) for side in zip(*found, strict=True))):
        print(f"differs: {difference}")
    names = [f"{folder.name} ms" for folder in folders]
    # What is the same of all is not said.
    apart = [what for what in ("precision", "input", "batch") if len({getattr(one, what) for one, _ in found}) > 1]
    rows = [("model", "backend", *apart, "threads", *names, "ratio", "95 % interval", "")]
    for one, line in ((pair[0], line_of(*pair)) for pair in found):
        interval = "" if math.isnan(line.low) else f"{line.low:.3f} to {line.high:.3f}"
        before, after = (f"{median:.2f}" for median in line.median_ms)
        threads = " | ".join(str(number or "") for number in dict.fromkeys(line.threads))
        told = (line.model, line.backend, *(str(getattr(one, what)) for what in apart), threads)
        rows.append((*told, before, after, f"{line.ratio:.3f}", interval, line.verdict))
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)).rstrip())


def pairs(first: Sequence[Record], second: Sequence[Record]) -> list[tuple[Record, Record]]:
    """The measurements that both have, in the order of the first; of several of one the newest of the best protocol.

    They are of the same machine where both sides have records of it. Where they have no machine in common, each must be
    of one machine alone: which of several was meant, nobody knows.
    """
    here, there = _speeds(first), _speeds(second)
    return [
        pair
        for device in here if device in there
        for one, other in _places(here[device], there[device])
        for key, timed in here[device][one].items()
        for pair in _pairs(timed, there[device][other].get(key, {}))
    ]  # fmt: skip


def _places(here: Collection[Place], there: Collection[Place]) -> list[tuple[Place, Place]]:
    """Which machine of one side is compared with which of the other; none where several may be meant."""
    if both := [place for place in here if place in there]:
        return [(place, place) for place in both]
    return list(zip(here, there, strict=True)) if len(here) == len(there) == 1 else []


def _apart(first: Sequence[Record], second: Sequence[Record], folders: tuple[Path, Path]) -> Iterator[str]:
    """Why timings on a device are not compared that both sides have."""
    sides = _speeds(first), _speeds(second)
    for device in sides[0]:
        if device in sides[1] and not _places(sides[0][device], sides[1][device]):
            told = [
                f"{folder} has {device} timings of {'; '.join(sorted(map(_said, side[device])))}"
                for folder, side in zip(folders, sides, strict=True)
            ]
            yield f"{', and '.join(told)}: give folders of one machine each"


def _pairs(here: ByThreads, there: ByThreads) -> list[tuple[Record, Record]]:
    """Records with equal threads; where each side has one number of threads alone, those two whatever they are."""
    both = sorted((number for number in here if number in there), key=lambda number: number or 0)
    if not both and len(here) == len(there) == 1:
        return [_alike(*here.values(), *there.values())]
    return [_alike(here[number], there[number]) for number in both]


def _alike(here: Sequence[Record], there: Sequence[Record]) -> tuple[Record, Record]:
    """The newest of the best protocol that both have; of each its own best where they have none in common."""
    common = set(map(protocol, here)) & set(map(protocol, there))
    one, other = (best(r for r in side if protocol(r) in common or not common) for side in (here, there))
    assert one is not None
    assert other is not None
    return one, other


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


def _speeds(records: Sequence[Record]) -> dict[str, dict[Place, dict[Key, ByThreads]]]:
    """What was timed by device, machine, measurement and threads.

    The runtime's version may differ. So may the number of threads, but only where each side has one number alone: other
    machines have other defaults.
    """
    found: dict[str, dict[Place, dict[Key, ByThreads]]] = {}
    timed = [record for record in newest(records) if record.kind == "speed" and record.samples.get("latency_ms")]
    for record in sorted(timed, key=lambda record: (record.backend or "", name(record))):
        key = (name(record), record.input, record.num_joints, record.backend, record.precision, record.batch)
        at = found.setdefault(record.device or "", {}).setdefault(_place(record), {}).setdefault(key, {})
        at.setdefault(record.threads, []).append(record)
    return found


def _place(record: Record) -> Place:
    setting = Setting.of(record)
    return setting.machine, setting.gpu


def _said(place: Place) -> str:
    return ", ".join(filter(None, place))


def line_of(first: Record, second: Record) -> DifferenceLine:
    """What one of ``pairs`` says."""
    ratio, low, high = ratio_interval(first.samples["latency_ms"], second.samples["latency_ms"])
    before, after = (float(np.median(np.concatenate(one.samples["latency_ms"]))) for one in (first, second))
    return DifferenceLine(
        name(first), first.backend or "", (first.threads, second.threads), (before, after), ratio, low, high
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
