"""The record of one cell from its sets."""

import statistics
from collections.abc import Sequence
from typing import Any

import numpy as np

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.record import Record, complete
from bench.pipeline.cell import CellResult
from bench.pipeline.described import STAGES
from bench.pipeline.plan import PipelinePlan
from bench.speed.figures import kinds_of_warnings
from bench.speed.statistics import summarise
from bench.timing import sustained
from bench.timing.intervals import rounds_for_percentile

PERCENTILES = (90, 99)


def figures(plan: PipelinePlan, results: Sequence[CellResult], parity: float | None = None) -> dict[str, int | float]:
    """The metrics of one cell.

    Args:
        plan: what was measured.
        results: one a set.
        parity: worst difference from eager.
    """
    frames = sum(result.frames for result in results)
    people = sum(result.people for result in results)
    found: dict[str, int | float] = {
        name.replace("latency_ms", "frame_ms").replace("fps", "frames_per_s"): value
        for name, value in summarise([result.frame_ms for result in results]).items()
        if not name.startswith("latency_ms_p")
    }
    if plan.scenario == "streams":  # side by side: frames a second are not 1 / time of a frame
        found = {name: value for name, value in found.items() if not name.startswith("frames_per_s")}
        found["frames_per_s"] = frames / sum(result.elapsed_s for result in results)
    found |= {
        "people_per_s": found["frames_per_s"] * people / frames,
        "people_a_frame": people / frames,
        "frames": frames,
        "detections": sum(result.detections for result in results),
    }
    found |= _percentiles("frame_ms", [value for result in results for value in result.frame_ms])
    total = 0.0
    for stage in STAGES:
        if stage in results[0].stage_ms:
            value = sum(result.stage_ms[stage] * result.frames for result in results) / frames
            found[f"stage_{stage}_ms"] = value
            total += value
    whole = statistics.mean(value for result in results for value in result.frame_ms)
    found["discrepancy_relative"] = (total - whole) / whole
    if plan.scenario == "paced":
        ages = [value for result in results for value in result.age_ms]
        found |= {
            "dropped_share": sum(r.dropped for r in results) / max(sum(r.arrived for r in results), 1),
            "age_ms_mean": statistics.mean(ages), "age_ms_median": statistics.median(ages),
        } | _percentiles("age_ms", ages)  # fmt: skip
    if plan.for_s and plan.scenario == "single stream":
        heat = sustained.figures(results[0].frame_ms)
        found |= {name.replace("latency_ms", "frame_ms"): value for name, value in heat.items()}
    found |= results[0].quality  # the same in every set
    if parity is not None:
        found["parity_max_relative"] = parity
    return found


def _percentiles(name: str, values: Sequence[float]) -> dict[str, float]:
    """Those for which there are values enough."""
    return {
        f"{name}_p{percentile}": float(np.percentile(values, percentile))
        for percentile in PERCENTILES
        if len(values) >= rounds_for_percentile(percentile)
    }


def complete_record(
    plan: PipelinePlan, results: Sequence[CellResult], *, started_at: str, parity: float | None, notes: dict[str, Any],
    warnings: Sequence[str] = (),
) -> Record:  # fmt: skip
    """The record of one cell.

    Args:
        plan: what was measured.
        results: one a set.
        started_at: when the first set began.
        parity: worst difference from eager; None for eager itself.
        notes: what else a reader needs.
        warnings: of preparing it; the sets have their own.
    """
    timed = [note for result in results for note in result.warnings]
    return complete(
        plan.measurement(),
        metrics=figures(plan, results, parity),
        samples={"frame_ms": [[round(value, 4) for value in result.frame_ms] for result in results]},
        conditions=[result.conditions for result in results],
        notes=notes,
        warnings=[
            *dict.fromkeys(warnings),
            *(cases[-1][1] for cases in kinds_of_warnings(("", note) for note in timed)),
        ],
        machine=machine.this_machine(plan.network.device),
        software=machine.this_software(catalogue.version(plan.network.backend)),
        started_at=started_at,
        command=cli.command_line(),
    )
