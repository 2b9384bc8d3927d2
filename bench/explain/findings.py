"""What was measured of a network, and the record of it: the split, its layers, and the check that all adds up."""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from pydantic import JsonValue
from torch import Tensor

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.record import Measurement, Record, complete
from bench.explain.operators import Operator
from bench.explain.peaks import Peaks
from bench.explain.plan import TOLERANCE
from bench.explain.profiled import quicker
from bench.explain.split import Group, at_no_pixels, grouped, split, together, work

SMALLEST = (64, 64)  # the smallest input on which every network of the zoo calls the same operators
MS, US = 1e3, 1e6


@dataclass(frozen=True)
class Findings:
    """What was counted and timed, before anything is concluded from it."""

    operators: list[Operator]
    seconds: list[float]  # of every operator, without the profiler's cost
    between_s: float  # what passes between operators, likewise; not of use on a GPU, which does not wait
    plain_s: list[float]  # rounds with nothing watching
    profiled_s: list[float]
    kernels: int
    small: list[float] | None  # ``seconds`` on the smallest input, and its operators
    small_operators: list[Operator] | None
    small_s: float | None  # a round there with nothing watching
    no_small: str | None  # why there is none
    graph_s: list[float]
    peaks: Peaks
    conditions: dict[str, Any]  # the machine's state meanwhile
    warnings: list[str]  # what speaks against trusting it
    kept: str = ""  # what the backend chose to run


def quick(seconds: Sequence[float]) -> float:
    """The median of the quicker half."""
    return statistics.median(seconds[index] for index in quicker(seconds))


def conclude(m: Findings, example: Tensor, measurement: Measurement, started_at: str) -> Record:
    """The split, the layers, and the check that everything adds up."""
    cuda = example.device.type == "cuda"
    plain = quick(m.plain_s)
    if cuda:  # a replayed graph is the independent measure of the kernels
        graph = quick(m.graph_s)
        discrepancy = (sum(m.seconds) - graph) / plain
        scale = min(1.0, plain / sum(m.seconds))
    else:  # and a run with nothing watching that of everything
        found = sum(m.seconds) + m.between_s
        discrepancy = found / plain - 1
        scale = plain / found
    seconds = [scale * value for value in m.seconds]
    call = 0.0 if cuda else m.peaks.operator_s
    fixed = _fixed(m, scale, example)
    costs = [
        split(operator, taken, m.peaks, call=call, fixed=start)
        for operator, taken, start in zip(m.operators, seconds, fixed, strict=True)
    ]
    whole = together(costs)
    between = max(0.0, plain - whole.seconds)
    small = [cost for cost in costs if cost.small]
    metrics: dict[str, int | float] = {
        "operators": len(costs),
        "views": sum(operator.is_view for operator in m.operators),
        "macs": whole.macs,
        "bytes": whole.bytes,
        "macs_per_byte": whole.intensity,
        "latency_ms_measured": plain * MS,
        "compute_bound_ms": whole.compute * MS,
        "memory_bound_ms": whole.memory * MS,
        "dispatch_ms": (whole.dispatch + between) * MS,
        "above_bound_ms": whole.above * MS,
        "dispatch_between_ms": between * MS,
        "must_take_ms": whole.must * MS,
        "faster_than_bound_ms": whole.faster * MS,
        "small_operators": len(small),
        "small_operators_ms": sum(cost.seconds for cost in small) * MS,
        "latency_ms_instrumented": quick(m.profiled_s) * MS,
        "discrepancy_relative": discrepancy,
        "peak_macs_per_s": m.peaks.macs_per_s,
        "peak_bytes_per_s": m.peaks.bytes_per_s,
        "operator_overhead_us": m.peaks.operator_s * US,
        "profiler_overhead_us": m.peaks.profiler_s * US,
    }
    if measurement.backend != "eager":
        added = [operator.added for operator in m.operators]
        metrics |= {"layout_ms": whole.layout * MS, "layout_operators": sum(added)}
        metrics["joined_operators"] = sum("+" in operator.name for operator in m.operators)
    if m.small is not None:
        metrics["setup_ms"] = whole.setup * MS
    if m.small_s is not None:
        metrics["latency_ms_smallest"] = m.small_s * MS
    if cuda:
        metrics |= {"kernels": m.kernels, "graph_ms": graph * MS, "launch_overhead_ms": max(0.0, plain - graph) * MS}
    by_layer = grouped([operator.layer for operator in m.operators], m.operators, costs)
    by_kind = grouped([operator.kind for operator in m.operators], m.operators, costs)
    notes: dict[str, JsonValue] = {
        "layers": [_row(group, plain) for group in by_layer],
        "kinds": [_row(group, plain) for group in by_kind],
    }
    if m.kept:
        notes["runs"] = m.kept
    if m.no_small:
        notes["no_setup"] = m.no_small
    else:
        notes["smallest"] = cli.input_text(SMALLEST)
    return complete(
        measurement,
        metrics=metrics,
        samples={"latency_ms": [[value * MS for value in m.plain_s]],
                 "latency_ms_instrumented": [[value * MS for value in m.profiled_s]]},
        conditions=[m.conditions],
        warnings=[*_warnings(discrepancy), *m.warnings],
        notes=notes,
        machine=machine.this_machine(str(example.device)),
        software=machine.this_software(catalogue.version(measurement.backend or "eager")),
        started_at=started_at,
        command=cli.command_line(),
    )  # fmt: skip


def _fixed(m: Findings, scale: float, example: Tensor) -> list[float]:
    """Of every operator, what it would take beyond its bound on a picture of no pixels; 0 where that is not known."""
    if m.small is None or m.small_operators is None:
        return [0.0] * len(m.operators)
    pixels = (example.shape[-2] * example.shape[-1], SMALLEST[0] * SMALLEST[1])
    pairs = zip(m.operators, m.small_operators, m.seconds, m.small, strict=True)
    return [
        at_no_pixels(scale * taken, scale * taken_small, pixels)
        - at_no_pixels(work(operator, m.peaks), work(small, m.peaks), pixels)
        for operator, small, taken, taken_small in pairs
    ]


def _row(group: Group, total: float) -> dict[str, JsonValue]:
    """A layer or a kind of operator as records hold it: names and rounded numbers."""
    cost = group.cost
    return {
        "name": group.name,
        "kinds": list(group.kinds),
        "operators": cost.operators,
        "ms": round(cost.seconds * MS, 5),
        "share": round(cost.seconds / total, 5),
        "macs": cost.macs,
        "bytes": cost.bytes,
        "macs_per_byte": round(cost.intensity, 3),
        "must_take_ms": round(cost.must * MS, 5),
        "bound": cost.bound,
        "times_bound": round(cost.seconds / cost.must, 2) if cost.must else None,
        **({"joined": list(group.joined)} if group.joined else {}),
    }


def _warnings(discrepancy: float) -> list[str]:
    if abs(discrepancy) <= TOLERANCE:
        return []
    return [f"the parts, measured one by one, add up to {1 + discrepancy:.0%} of the whole: do not trust the split; "
            "run again when the machine is idle"]  # fmt: skip
