"""What a check found, as records."""

import math
import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.record import Record, complete, now
from bench.regress.compare import Comparison
from bench.regress.plan import RegressPlan
from bench.regress.self_test import Condition, Outcome, rates
from bench.regress.sequential import ERROR_RATE

Scalars = Mapping[str, str | int | float | bool]


def comparison_record(
    plan: RegressPlan, found: Comparison, threshold: float, base: Scalars, prepare_s: Any = None
) -> Record:
    """One network, new code against old.

    Args:
        plan: what was timed.
        found: what came out.
        threshold: what was let pass.
        base: what the old code is and how long pairs of both may be drawn, for the protocol.
        prepare_s: seconds that it took to make each side ready, by its name.
    """
    interval = found.interval
    metrics = {
        "ratio": interval.ratio, "base_ms": found.base_ms, "head_ms": found.head_ms, "processes": found.processes,
        "seconds": found.seconds,
    }  # fmt: skip
    if math.isfinite(interval.precision):
        metrics |= {"ratio_low": interval.low, "ratio_high": interval.high, "precision_relative": interval.precision}
    protocol = {
        **base, "threshold": threshold, "error_rate": ERROR_RATE, "verdict": found.verdict,
        "unconfirmed": found.unconfirmed,
    }  # fmt: skip
    notes = {"prepare_s": prepare_s} if prepare_s else {}
    began = now(found.seconds)
    return _record(plan, protocol, metrics=metrics, samples=found.samples, notes=notes, started_at=began)


def baseline_record(plan: RegressPlan, medians: Sequence[float], sample: str, started_at: str) -> Record:
    """Latencies to compare with later: the median of each of some fresh processes, in ms."""
    metrics = {sample: statistics.median(medians), "processes": len(medians)}
    samples = {sample: [list(medians)]}
    return _record(plan, {"name": "baseline"}, metrics=metrics, samples=samples, started_at=started_at)


def self_test_record(
    plan: RegressPlan,
    condition: Condition,
    outcomes: Sequence[Outcome],
    settings: Mapping[str, float],
    started_at: str = "",
) -> Record:
    """All comparisons that were made under one condition; ``started_at`` is when the first began, by default now."""
    return _record(
        plan,
        {"name": "self-test", "error_rate": ERROR_RATE, **settings},
        {"slower_by": condition.planted, "busy_neighbours": condition.neighbours},
        metrics=rates(outcomes),
        samples={
            "ratio": [[outcome.ratio for outcome in outcomes]],
            "seconds": [[outcome.seconds for outcome in outcomes]],
            "pairs": [[float(outcome.pairs) for outcome in outcomes]],
            # Every pair of every set, one list a set.
            "log_ratio": [one for outcome in outcomes for one in outcome.log_ratios],
            "log_ratio_error": [one for outcome in outcomes for one in outcome.errors],
        },
        notes={"verdicts": [outcome.verdict for outcome in outcomes]},
        started_at=started_at or now(),
    )


def _record(plan: RegressPlan, protocol: dict[str, Any], options: dict[str, Any] | None = None, **found: Any) -> Record:
    """A record with all that one comparison shares with another."""
    return complete(
        plan.measurement(protocol, options),
        machine=machine.this_machine(plan.device),
        software=machine.this_software(catalogue.version(plan.backend)),
        command=cli.command_line(),
        **{"started_at": now(), **found},
    )
