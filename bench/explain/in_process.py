"""One network, explained in this process, and the record of it."""

import statistics
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bench import cli
from bench.backends import catalogue, precisions
from bench.backends.families.cuda_graphs import Recorded
from bench.backends.families.pytorch import on_cuda
from bench.backends.session import Session
from bench.core import machine
from bench.core.errors import InputError, described
from bench.core.record import Measurement, Record, complete, now
from bench.explain.operators import Operator, names, trace
from bench.explain.options import ROUNDS
from bench.explain.peaks import PeakMeter, Peaks
from bench.explain.plan import TOLERANCE, WARMUP, protocol
from bench.explain.profiled import Profile, check_alike, plain_round, profiled_round, quicker
from bench.explain.split import Group, at_no_pixels, grouped, split, together, work
from bench.speed.timed_set import state
from bench.timing import conditions, parity
from bench.timing.clock import Inference, warm_up

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


def explain(
    model: nn.Module,
    example: Tensor,
    *,
    rounds: int = ROUNDS,
    precision: str = "fp32",
    name: str | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Record:
    """Measure where a network's time goes, in this process.

    Args:
        model: any module, on the device to explain it on; run in evaluation mode and left as it was.
        example: its input ``[N, 3, H, W]``, on the same device.
        rounds: timed with nothing watching, and as many under the profiler, in turns.
        precision: one of ``bench.backends.catalogue.PRECISIONS``; the peaks are measured in it too.
        name: what the record calls the model; by default its class.
        ready: called when all is prepared, before the first round.

    Returns:
        A record of kind ``explain``; nothing is written to disk. ``docs/explain.md`` defines its metrics.

    Raises:
        InputError: the network fails, returns no numbers, or does not call the same operators every time; or the device
            lacks the precision.
    """
    started, device, who = now(), str(example.device), name or type(model).__name__
    resolved = catalogue.resolve("eager", device, precision)
    was_training = model.training
    model.eval()
    try:
        artifact = catalogue.build("eager", model, example, precision=precision)
        with catalogue.open_artifact(artifact, device=device) as session, session.computing():
            batch = precisions.place(example, resolved, example.device)
            found = _measure(artifact.network, batch, session, rounds, ready, who)
    finally:
        model.train(was_training)
    measurement = Measurement(
        kind="explain",
        model=who,
        input=cli.input_text((example.shape[-2], example.shape[-1])),
        backend="eager",
        device=example.device.type,
        precision=resolved,  # type: ignore[arg-type]
        batch=example.shape[0],
        threads=torch.get_num_threads(),
        protocol=protocol(rounds),
    )
    return _conclude(found, example, measurement, started)


def _measure(
    model: nn.Module, example: Tensor, session: Session, rounds: int, ready: Callable[[], None], who: str
) -> Findings:
    """Count and time; see ``explain``."""
    device = example.device
    inference = _check_and_bind(session, example, who)
    operators = trace(model, example)
    small_example, small_operators, reason = _smaller(model, example, operators)
    warm_up(inference, WARMUP)
    check_alike(names(operators), profiled_round(inference, device))
    meter = PeakMeter(device, example.dtype)
    replay = on_cuda(Recorded(model, example).graph.replay, device) if device.type == "cuda" else None
    small = session.bind(_array(small_example)) if small_example is not None else None
    plain, small_plain, graph = [], [], []
    profiles: list[Profile] = []
    small_profiles: list[Profile] = []
    ready()
    watch = conditions.Watch()
    before, started = state(str(device)), time.perf_counter()
    for _ in range(rounds):
        meter.round()
        plain.append(plain_round(inference))
        profiles.append(profiled_round(inference, device))
        if replay:
            graph.append(plain_round(replay))
        if small:
            small_plain.append(plain_round(small))
            small_profiles.append(profiled_round(small, device))
        watch(time.perf_counter_ns())
    around, warnings = conditions.judge(before, state(str(device)), time.perf_counter() - started, rounds)
    for profile in profiles:
        check_alike(names(operators), profile)
    peaks, cuda = meter.peaks(), device.type == "cuda"
    seconds, between = _typical(profiles, peaks, cuda=cuda)
    return Findings(
        operators=operators,
        seconds=seconds,
        between_s=between,
        plain_s=plain,
        profiled_s=[profile.total_s for profile in profiles],
        kernels=sum(profiles[0].kernels),
        small=_typical(small_profiles, peaks, cuda=cuda)[0] if small else None,
        small_operators=small_operators,
        small_s=_quick(small_plain) if small else None,
        no_small=reason,
        graph_s=graph,
        peaks=peaks,
        conditions={**around, **watch.found()},
        warnings=warnings,
    )


def _check_and_bind(session: Session, example: Tensor, who: str) -> Inference:
    """An inference of the example, which returns what can be a network's answer."""
    images = _array(example)
    try:
        outputs = session.run(images)
    except Exception as error:
        size = cli.input_text((example.shape[-2], example.shape[-1]))
        raise InputError(f"{who} fails on an input of {size}: {described(error)}") from error
    parity.check_finite(parity.check_outputs(outputs, who), who)
    return session.bind(images)


def _array(batch: Tensor) -> np.ndarray:
    return batch.float().cpu().contiguous().numpy()


def _smaller(
    model: nn.Module, example: Tensor, operators: Sequence[Operator]
) -> tuple[Tensor | None, list[Operator] | None, str | None]:
    """The smallest input, if the network does the same on it, or why not."""
    height, width = SMALLEST
    if example.shape[-2] * example.shape[-1] < 4 * height * width:
        return None, None, f"the input has less than four times the pixels of {cli.input_text(SMALLEST)}"
    layout = torch.contiguous_format if example.is_contiguous() else torch.channels_last
    small = example[..., :height, :width].contiguous(memory_format=layout)
    try:
        found = trace(model, small)
    except Exception as error:
        return None, None, f"it fails on {cli.input_text(SMALLEST)}: {described(error)}"
    if names(found) != names(operators):
        return None, None, f"it calls other operators on {cli.input_text(SMALLEST)}"
    return small, found, None


def _typical(rounds: Sequence[Profile], peaks: Peaks, *, cuda: bool) -> tuple[list[float], float]:
    """Seconds of every operator and of what is between them: medians of the quicker rounds, less the profiler's cost.

    What the profiler adds to a call lies outside the call's own time, but within that of the operator it is made by.
    """
    chosen = [rounds[index] for index in quicker([profile.total_s for profile in rounds])]
    medians = [statistics.median(values) for values in zip(*(profile.seconds for profile in chosen), strict=True)]
    between = statistics.median(profile.total_s - sum(profile.seconds) for profile in chosen)
    if cuda:  # kernels do not wait for the profiler
        return medians, between
    within, cost = rounds[0].within, peaks.profiler_s
    seconds = [max(0.0, median - inner * cost) for median, inner in zip(medians, within, strict=True)]
    return seconds, max(0.0, between - len(seconds) * cost)


def _quick(seconds: Sequence[float]) -> float:
    return statistics.median(seconds[index] for index in quicker(seconds))


def _conclude(m: Findings, example: Tensor, measurement: Measurement, started_at: str) -> Record:
    """The split, the layers, and the check that everything adds up."""
    cuda = example.device.type == "cuda"
    plain = _quick(m.plain_s)
    if cuda:  # a replayed graph is the independent measure of the kernels
        graph = _quick(m.graph_s)
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
        "latency_ms_instrumented": _quick(m.profiled_s) * MS,
        "discrepancy_relative": discrepancy,
        "peak_macs_per_s": m.peaks.macs_per_s,
        "peak_bytes_per_s": m.peaks.bytes_per_s,
        "operator_overhead_us": m.peaks.operator_s * US,
        "profiler_overhead_us": m.peaks.profiler_s * US,
    }
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
        software=machine.this_software(catalogue.version("eager")),
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
    }


def _warnings(discrepancy: float) -> list[str]:
    if abs(discrepancy) <= TOLERANCE:
        return []
    return [f"the parts, measured one by one, add up to {1 + discrepancy:.0%} of the whole: do not trust the split; "
            "run again when the machine is idle"]  # fmt: skip
