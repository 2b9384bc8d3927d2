"""What must be true of a record besides its form. Figures are worked out anew here, by definition, from the samples."""

import math
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta

import numpy as np

from bench.core.record import Record

TOLERANCE = 1e-9  # relative: sums may be formed in another order
FIRST_YEAR = 2020  # of this project's records, with a margin
POSITIVE = ("fps", "latency_ms", "ratio", "base_ms", "head_ms", "params", "macs_", "people_per_s", "peak_")
SHARES = ("ap", "ar", "pckh", "network_share")


def problems(record: Record) -> list[str]:
    """What is wrong with a record, a line each; nothing if it is sound."""
    return [*_time(record), *_ranges(record), *_samples(record), *_summary(record), *_intervals(record)]


def summary(samples: Sequence[Sequence[float]]) -> dict[str, float]:
    """The figures of a record of kind speed, from latencies in ms, one list a set.

    The mean is that of the sets' means (Table V of the paper gives FPS = 1 / mean latency); the others are of all
    rounds; the standard deviation has n - 1 below.
    """
    rounds = np.concatenate([np.asarray(one, float) for one in samples])
    mean = float(np.mean([np.mean(one) for one in samples]))
    return {
        "fps": 1000 / mean,
        "latency_ms_mean": mean,
        "latency_ms_median": float(np.median(rounds)),
        "latency_ms_p90": float(np.percentile(rounds, 90)),
        "latency_ms_p99": float(np.percentile(rounds, 99)),
        "latency_ms_std": float(np.std(rounds, ddof=1)) if len(rounds) > 1 else 0.0,
    }


def _time(record: Record) -> Iterator[str]:
    started = datetime.fromisoformat(record.started_at)
    if started.year < FIRST_YEAR or started > datetime.now(UTC) + timedelta(days=1):
        yield f"started_at {record.started_at} is no time at which it can have been measured"


def _ranges(record: Record) -> Iterator[str]:
    for name, value in record.metrics.items():
        if name.startswith(POSITIVE) and value <= 0:
            yield f"{name} {value:g} is not above 0"
        # -1 is COCO's word for a metric that nobody in the set counts for.
        if name.startswith(SHARES) and not (
            0 <= value <= 1 or value == -1 or (name.startswith("pckh") and value <= 100)
        ):
            yield f"{name} {value:g} is no share"


def _samples(record: Record) -> Iterator[str]:
    for name, sets in record.samples.items():
        if any(not one for one in sets) or not sets:
            yield f"samples.{name} has a set without rounds"
        elif name.startswith("latency_ms") and min(min(one) for one in sets) <= 0:
            yield f"samples.{name} has a latency that is not above 0"
    if record.kind != "speed":
        return
    if "latency_ms" not in record.samples:
        yield "samples.latency_ms is missing: the figures of a record of kind speed follow from it"
        return
    sets, protocol = record.samples["latency_ms"], record.protocol
    if protocol.get("sets", len(sets)) != len(sets):
        yield f"protocol.sets is {str(protocol['sets'])[:40]}, and there are samples of {len(sets)}"
    if "budget_s" not in protocol and any(len(one) != protocol.get("rounds", len(one)) for one in sets):
        told, have = str(protocol["rounds"])[:40], ", ".join(str(len(one)) for one in sets)
        yield f"protocol.rounds is {told}, and the sets have {have}"


def _summary(record: Record) -> Iterator[str]:
    if record.kind != "speed":
        return
    for sample, ending in (("latency_ms", ""), ("latency_ms_event", "_event")):
        sets = record.samples.get(sample)
        if not sets or not all(sets) or min(map(min, sets)) <= 0:
            continue  # said above
        for name, value in summary(sets).items():
            told = record.metrics.get(name + ending)
            if told is None and not ending:
                yield f"{name} is missing"
            elif told is not None and not math.isclose(told, value, rel_tol=TOLERANCE, abs_tol=TOLERANCE):
                yield f"{name + ending} is {told:.12g}, and samples.{sample} give {value:.12g}"


def _intervals(record: Record) -> Iterator[str]:
    """Ends of intervals stand in the right order; around the figure itself, where it is in the record."""
    for name in record.metrics:
        if name.endswith("_low"):
            stem = name.removesuffix("_low")
            figure = record.metrics.get(stem.removesuffix("_ci95"))
            high = record.metrics.get(stem + "_high")
            if high is None:
                yield f"{stem}_high is missing"
            elif record.metrics[name] > high:
                yield f"{name} {record.metrics[name]:g} is above {stem}_high {high:g}"
            elif stem.endswith("_ci95") and figure is not None and not record.metrics[name] <= figure <= high:
                yield f"{stem.removesuffix('_ci95')} {figure:g} is outside of its own interval"
        elif name.endswith("_high") and name.removesuffix("_high") + "_low" not in record.metrics:
            yield f"{name.removesuffix('_high')}_low is missing"
