"""What a check found, as records."""

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bench import backends, cli
from bench.core import machine
from bench.core.record import Record, now
from bench.models import recorded_name
from bench.regress.compare import Comparison
from bench.regress.pairs import Job
from bench.regress.selftest import Condition, Outcome, rates
from bench.regress.sequential import ERROR_RATE

Told = Mapping[str, str | int | float | bool]


def comparison_record(job: Job, found: Comparison, threshold: float, budget_s: float, told: Told) -> Record:
    """One network, new code against old; ``told`` says what the old one is."""
    interval = found.interval
    metrics = {
        "ratio": interval.ratio, "base_ms": found.base_ms, "head_ms": found.head_ms, "processes": found.processes,
        "seconds": found.seconds,
    }  # fmt: skip
    if interval.low > 0:
        metrics |= {"ratio_low": interval.low, "ratio_high": interval.high, "precision_relative": interval.precision}
    protocol = {
        **told, "threshold": threshold, "error_rate": ERROR_RATE, "budget_s": budget_s, "verdict": found.verdict,
        "unconfirmed": found.unconfirmed,
    }  # fmt: skip
    return _record(job, metrics=metrics, samples=found.samples, protocol=protocol)


def baseline_record(job: Job, medians: Sequence[float], sample: str, started_at: str) -> Record:
    """Latencies to compare with later: the median of each of some fresh processes, in ms."""
    metrics = {sample: statistics.median(medians), "processes": len(medians)}
    return _record(
        job, metrics=metrics, samples={sample: [list(medians)]}, protocol={"name": "baseline"}, started_at=started_at
    )


def self_test_record(
    job: Job, condition: Condition, outcomes: Sequence[Outcome], settings: Mapping[str, float]
) -> Record:
    """All comparisons that were made under one condition."""
    return _record(
        job,
        options={"slower_by": condition.planted, "busy_neighbour": condition.busy},
        metrics=rates(outcomes),
        samples={
            "ratio": [[outcome.ratio for outcome in outcomes]],
            "seconds": [[outcome.seconds for outcome in outcomes]],
            "pairs": [[float(outcome.pairs) for outcome in outcomes]],
            # Every pair of every set, one list a set.
            "log_ratio": [one for outcome in outcomes for one in outcome.log_ratios],
        },
        protocol={"name": "self-test", "error_rate": ERROR_RATE, **settings},
        notes={"verdicts": [outcome.verdict for outcome in outcomes]},
    )


def _record(job: Job, **what: Any) -> Record:
    """A record with all that one comparison shares with another."""
    return Record(
        kind="regress",
        model=recorded_name(job.model),
        input=cli.input_text(job.input),
        num_joints=job.num_joints,
        backend=job.backend,
        device=job.device.partition(":")[0],
        precision="int8" if backends.quantised(job.backend) else "fp32",
        batch=job.batch,
        threads=job.threads,
        weights="random",
        seed=0,
        machine=machine.this_machine(job.device),
        software=machine.this_software(backends.load(job.backend).version()),
        command=cli.command_line(),
        **{"started_at": now(), **what},
    )
