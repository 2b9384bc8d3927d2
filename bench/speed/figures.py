"""The figures of one network from its sets; needs numpy only, because devices make records too."""

from __future__ import annotations  # this file is read by Python 3.9 too

import math
import re
import statistics
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from bench.speed.statistics import summarise
from bench.speed.timed_set import SetResult
from bench.timing import yardstick

_FIGURE = re.compile(r"\d+(?:\.\d+)?")


@dataclass(frozen=True)
class Figures:
    """What a record holds besides what was measured and where."""

    metrics: dict[str, int | float]
    samples: dict[str, list[list[float]]]
    conditions: list[dict[str, Any]]
    warnings: list[str]
    notes: dict[str, Any]


def figures(results: Sequence[SetResult], prepared: SetResult | None = None) -> Figures:
    """The figures of one network.

    Args:
        results: one per set.
        prepared: the result of the preparing process.
    """
    metrics: dict[str, int | float] = dict(summarise([result.latency_ms for result in results]))
    samples = {"latency_ms": [result.latency_ms for result in results]}
    if results[0].latency_ms_event:
        samples["latency_ms_event"] = [result.latency_ms_event for result in results]
        event = summarise(samples["latency_ms_event"])
        metrics.update({f"{key}_event": event[key] for key in ("latency_ms_mean", "latency_ms_median")})
    if all(result.product_ms for result in results):
        samples["product_ms"] = [result.product_ms for result in results]
        mean_ms = statistics.mean(statistics.mean(result.product_ms) for result in results)
        metrics["product_macs_per_s"] = 1000 * yardstick.MACS / mean_ms
    for metric in ("peak_rss_bytes", "rss_before_bytes", "peak_cuda_bytes", "model_file_bytes"):
        values = [getattr(result, metric) for result in results]
        if None not in values:
            metrics[metric] = max(values)
    metrics.update(_cold_start(results, prepared))
    for kind in results[0].energy_j:
        if all(kind in result.energy_j for result in results):
            metrics[f"energy_{kind}_j_per_image"] = statistics.mean(result.energy_j[kind] for result in results)
    reached = [result.median_ci95_relative for result in results if result.median_ci95_relative is not None]
    if reached and all(map(math.isfinite, reached)):
        metrics["median_ci95_relative"] = max(reached)
        medians = [statistics.median(result.latency_ms) for result in results]
        metrics["median_spread_relative"] = (max(medians) - min(medians)) / statistics.median(medians)
    if results[0].parity is not None:
        metrics["parity_max_relative"] = max(result.parity or 0.0 for result in results)
    return Figures(
        metrics,
        samples,
        [result.conditions for result in results],
        [cases[-1][1] for cases in kinds_of_warnings(("", note) for one in results for note in one.warnings)],
        _of_the_backend(results),
    )


def _of_the_backend(results: Sequence[SetResult]) -> dict[str, Any]:
    """The kind of file it runs from, and what the backend chose, with the number of processes for each choice."""
    chosen = Counter(result.note for result in results if result.note)
    notes: dict[str, Any] = {"model_file": results[0].model_file}
    return {**notes, "runs": dict(chosen)} if chosen else notes


def _cold_start(results: Sequence[SetResult], prepared: SetResult | None) -> dict[str, int | float]:
    """Time to prepare, from scratch and from the cache, and of the first inference."""
    found: dict[str, int | float] = {}
    everything = [*([prepared] if prepared else []), *results]
    for name, wanted in (("prepare_s", False), ("prepare_cached_s", True)):
        times = [r.prepare_s for r in everything if r.prepared_from_cache is wanted and r.prepare_s is not None]
        if times:
            found[name] = statistics.median(times)
    first = [result.first_inference_ms for result in results if result.first_inference_ms is not None]
    if first:
        found["first_inference_ms"] = statistics.median(first)
    return found


def kinds_of_warnings(notes: Iterable[tuple[str, str]]) -> list[list[tuple[str, str]]]:
    """Warnings grouped by kind, the worst of each kind last; those of one kind differ only in their figure.

    Args:
        notes: whose warning, and the warning, such as ``machine busy: other processes used 0.4 cores``.
    """
    kinds: dict[str, list[tuple[float, str, str]]] = {}
    for who, note in notes:
        number = _FIGURE.search(note)
        kind = note[: number.start()] + note[number.end() :] if number else note
        kinds.setdefault(kind, []).append((float(number[0]) if number else 0.0, who, note))
    return [[(who, note) for _, who, note in sorted(cases)] for _, cases in sorted(kinds.items())]
