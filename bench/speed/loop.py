"""The timed loop: one network, one process, one set."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bench import backends, precisions
from bench.core import machine
from bench.core.errors import InputError
from bench.speed import energy
from bench.speed.statistics import relative_precision

# Largest difference to eager in float32, relative to the largest output, that passes for the same function. Int8 is
# another function: the bound only tells a quantised network from a broken one, and accuracy says what it costs.
PARITY_TOLERANCE = {"fp32": 1e-4, "tf32": 2e-2, "fp16": 2e-2, "bf16": 1e-1, "int8": 0.5}

ENERGY_S = 2.0  # counters of a GPU move in steps of up to a tenth of a second

# NVML's reasons that slow a GPU down against its owner's will, by bit.
THROTTLING = {4: "power cap", 8: "hardware slowdown", 32: "thermal slowdown", 64: "hardware thermal slowdown",
              128: "power brake"}  # fmt: skip


State = dict[str, Any]
Run = Callable[[Tensor], Any]


class ParityError(Exception):
    """A backend computes something else than eager; it is not timed."""


@dataclass
class SetResult:
    """What one process found: plain values, so that a worker can send them as JSON."""

    latency_ms: list[float]
    latency_ms_event: list[float] = field(default_factory=list)
    parity: float | None = None  # worst difference to eager, relative to the largest output
    peak_rss_bytes: int | None = None
    rss_before_bytes: int | None = None
    peak_cuda_bytes: int | None = None
    prepare_s: float | None = None  # export or compilation, up to when it can be called
    prepared_from_cache: bool = False
    first_inference_ms: float | None = None
    model_file_bytes: int | None = None
    model_file: str = ""
    note: str = ""  # of the runtime, on what it runs
    product_ms: list[float] = field(default_factory=list)  # of large matrix products right after the timed rounds
    energy_j: dict[str, float] = field(default_factory=dict)  # an image, by what spent it
    median_ci95_relative: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Steady:
    """Rounds until the 95 % interval of the median is narrow enough, or the time is up."""

    budget_s: float
    precision: float = 0.01  # half of the interval, relative to the median


def run_set(
    model: nn.Module,
    example: Tensor,
    *,
    backend: str,
    precision: str,
    rounds: int,
    warmup: int,
    steady: Steady | None = None,
    ready: Callable[[], None] = lambda: None,
) -> SetResult:
    """Prepare the backend, check it against eager, then time it; see ``bench.speed.measure``.

    With ``steady``, ``rounds`` is how many are timed between two looks at the interval. ``ready`` is called before
    the warm-up.
    """
    if precision != "int8":
        precisions.check(precision, str(example.device))
    if rounds < 1 or warmup < 0:
        raise InputError(f"{rounds} rounds after {warmup} of warm-up are impossible: time at least 1 round")
    device = example.device
    runtime = backends.load(backend)
    if precision == "int8" and not runtime.QUANTISED:
        raise InputError(f"backend {backend} does not quantise: choose from {', '.join(precisions.DTYPES)}")
    runtime.check(str(device), "fp32" if precision == "int8" else precision)
    if runtime.QUANTISED:
        precision = "int8"
    was_training = model.training
    model.eval()
    try:
        computed = "fp32" if precision == "int8" else precision  # int8 is made from float32
        timed_model, timed_example = precisions.cast(model, example, computed)
        with torch.inference_mode(), precisions.arithmetic(computed):
            prepared, prepare_s = _stopwatch(lambda: runtime.prepare(timed_model, timed_example), device)
            output, first_s = _stopwatch(lambda: prepared.run(timed_example), device)
            parity = None
            if backend != "eager" or precision != "fp32":
                with precisions.arithmetic("fp32"):
                    reference = model(example)
                parity = _difference(reference, output)
                if not parity <= PARITY_TOLERANCE[precision]:
                    raise ParityError(
                        f"backend {backend} ({precision}) differs from eager by {parity:.2g} of the largest output, "
                        f"more than {PARITY_TOLERANCE[precision]:g}: not timed"
                    )
            ready()
            result = _time(prepared.run, timed_example, rounds, warmup, steady)
    finally:
        model.train(was_training)
    result.parity = parity
    result.prepare_s, result.prepared_from_cache = prepare_s, prepared.from_cache
    result.first_inference_ms = first_s * 1000
    result.model_file_bytes, result.model_file = prepared.file_bytes, prepared.file
    result.note = prepared.note
    result.peak_rss_bytes = _peak_rss()
    if device.type == "cuda":
        result.peak_cuda_bytes = torch.cuda.max_memory_allocated(device)
    return result


def _stopwatch(work: Callable[[], Any], device: torch.device) -> tuple[Any, float]:
    """What the work returns, and the seconds until it was done."""
    start = time.perf_counter()
    done = work()
    if device.type == "cuda":
        torch.cuda.synchronize(device)
    return done, time.perf_counter() - start


def _time(run: Run, example: Tensor, rounds: int, warmup: int, steady: Steady | None) -> SetResult:
    cuda = example.device.type == "cuda"
    for _ in range(warmup):
        run(example)
    timed = _cuda_rounds if cuda else _cpu_rounds
    latency_ns: list[int] = []
    events: list[Events] = []
    before = _state(example.device)
    if cuda:
        torch.cuda.reset_peak_memory_stats(example.device)
    reached = None
    with _no_garbage_collection():
        started = time.perf_counter()
        while True:
            timed(run, example, rounds, latency_ns, events)
            if steady is None:
                break
            reached = relative_precision(latency_ns)
            if reached <= steady.precision or time.perf_counter() - started >= steady.budget_s:
                break
        elapsed = time.perf_counter() - started
    after = _state(example.device)
    conditions, notes = _judge(before, after, elapsed, len(latency_ns))
    return SetResult(
        latency_ms=[ns / 1e6 for ns in latency_ns],
        latency_ms_event=[first.elapsed_time(last) for first, last in events],
        conditions=conditions,
        warnings=notes,
        energy_j=_energy(run, example),
        median_ci95_relative=reached,
    )


def _energy(run: Run, example: Tensor) -> dict[str, float]:
    """Joules an image, in rounds of their own: the timed ones may be over before a counter has moved."""
    device = str(example.device)
    before = energy.read(device)
    if not before:
        return {}
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < ENERGY_S:
        _stopwatch(lambda: run(example), example.device)
        count += 1
    return {
        name: joules / count / example.shape[0] for name, joules in energy.spent(before, energy.read(device)).items()
    }


Events = tuple[torch.cuda.Event, torch.cuda.Event]


def _cpu_rounds(run: Run, example: Tensor, rounds: int, latency_ns: list[int], events: list[Events]) -> None:
    clock = time.perf_counter_ns
    for _ in range(rounds):
        start = clock()
        run(example)
        latency_ns.append(clock() - start)


def _cuda_rounds(run: Run, example: Tensor, rounds: int, latency_ns: list[int], events: list[Events]) -> None:
    clock = time.perf_counter_ns
    for _ in range(rounds):
        first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
        torch.cuda.synchronize(example.device)
        start = clock()
        first.record()
        run(example)
        last.record()
        torch.cuda.synchronize(example.device)
        latency_ns.append(clock() - start)
        events.append((first, last))


def _state(device: torch.device) -> State:
    state = machine.cpu_state()
    return state | machine.gpu_state(str(device)) if device.type == "cuda" else state


def _judge(before: State, after: State, elapsed: float, rounds: int) -> tuple[State, list[str]]:
    """The machine's state around the timed rounds, and what speaks against trusting them."""
    conditions: dict[str, Any] = {"elapsed_s": round(elapsed, 3)}
    for name in ("load_average", "cpu_mhz", *(key for key in before if key.startswith("gpu_"))):
        for when, state in (("before", before), ("after", after)):
            if state.get(name) is not None:
                conditions[f"{name}_{when}"] = state[name]
    spent = {name: after[name] - before[name] for name in ("busy_s", "own_s", "stolen_s")}
    others = max(0.0, spent["busy_s"] - spent["stolen_s"] - spent["own_s"]) / elapsed
    stolen = spent["stolen_s"] / elapsed
    if before["page_faults"] is not None:
        conditions["page_faults_per_round"] = round((after["page_faults"] - before["page_faults"]) / rounds, 1)
    conditions |= {"others_cores": round(others, 3), "stolen_cores": round(stolen, 3)}
    notes = []
    # Processor time is counted in steps of 10 ms or so: short measurements cannot tell.
    if others > 0.1 and elapsed > 0.2 and spent["busy_s"] - spent["own_s"] > 0.1:
        notes.append(f"machine busy: other processes used {others:.1f} cores while it was timed")
    if stolen > 0.05 and elapsed > 0.2 and spent["stolen_s"] > 0.1:
        notes.append(f"machine busy: the hypervisor took away {stolen:.1f} cores while it was timed")
    reasons = before.get("gpu_throttle_reasons", 0) | after.get("gpu_throttle_reasons", 0)
    notes += [f"GPU throttled: {text}" for bit, text in THROTTLING.items() if reasons & bit]
    return conditions, notes


def _difference(reference: Any, output: Any) -> float:
    """Largest absolute difference over the largest absolute value, over all tensors of the outputs."""
    expected, found = tree_leaves(reference), tree_leaves(output)
    if len(expected) != len(found):
        raise ParityError(f"the backend returns {len(found)} tensors and eager {len(expected)}: not timed")
    largest = max(float(tensor.abs().max()) for tensor in expected)
    worst = max(float((a.double() - b.double()).abs().max()) for a, b in zip(expected, found, strict=True))
    return worst / largest if largest else worst


def _peak_rss() -> int | None:
    """This process's peak resident memory in bytes.

    Not ``getrusage``: a process starts there with its parent's peak.
    """
    status = Path("/proc/self/status")
    if status.exists():
        for line in status.read_text().splitlines():
            if line.startswith("VmHWM"):
                return int(line.split()[1]) * 1024
    return None


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
