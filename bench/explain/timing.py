"""What the machine can do at most, and what every operator takes."""

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from bench.backends import cudagraphs
from bench.core.errors import InputError
from bench.product import Product

COPY_BYTES = {"cpu": 2**27, "cuda": 2**30}
EMPTY_CALLS = 1000


@dataclass(frozen=True)
class Peaks:
    """What this machine reached just now, in one precision."""

    macs_per_s: float  # of a large matrix product
    bytes_per_s: float  # read and written by a large copy
    operator_s: float  # a call of an operator on a tensor of one element
    profiler_s: float  # what the profiler adds to a call


@dataclass(frozen=True)
class Timed:
    """One inference under the profiler: what each operator took, in order."""

    names: list[str]
    seconds: list[float]  # on a CPU of the call; on a GPU of its kernels
    within: list[int]  # operators that each one called within itself
    kernels: list[int]
    total_s: float


class PeakMeter:
    """The machine's best of as many rounds as are asked for: it is slower at times, for seconds or minutes."""

    def __init__(self, device: torch.device, dtype: torch.dtype) -> None:
        length = COPY_BYTES[device.type] // dtype.itemsize
        self.device = device
        self.one = torch.ones(1, device=device)
        self.product = Product(device, dtype)
        self.copies = [torch.ones(length, device=device, dtype=dtype) for _ in range(2)]
        self.seconds: list[tuple[float, float, float, float]] = []
        self.round()
        self.seconds.clear()  # the first one warms up

    def round(self) -> None:
        """A matrix product, a copy, empty calls, and those again under the profiler."""
        source, target = self.copies
        with torch.inference_mode():
            multiply = _seconds(self.product, self.device)
            copy = _seconds(lambda: target.copy_(source), self.device)
            empty = _empty_calls(self.one)
            with _profiler(self.device):
                torch.add(self.one, self.one)
                profiled = _empty_calls(self.one)
        self.seconds.append((multiply, copy, empty, profiled))

    def peaks(self) -> Peaks:
        multiply, copy, empty, profiled = (min(values) for values in zip(*self.seconds, strict=True))
        return Peaks(
            macs_per_s=self.product.macs / multiply,
            bytes_per_s=2 * COPY_BYTES[self.device.type] / copy,
            operator_s=empty,
            profiler_s=max(0.0, profiled - empty),
        )


def _seconds(run: Callable[[], Any], device: torch.device) -> float:
    _wait(device)
    start = time.perf_counter()
    run()
    _wait(device)
    return time.perf_counter() - start


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def _empty_calls(one: Tensor) -> float:
    """Seconds a call of an operator that has next to nothing to do; on a GPU the call alone, not the kernel."""
    _wait(one.device)
    start = time.perf_counter()
    for _ in range(EMPTY_CALLS):
        torch.add(one, one)
    return (time.perf_counter() - start) / EMPTY_CALLS


def plain_round(model: nn.Module, example: Tensor) -> float:
    """Seconds of one inference with nothing watching."""
    with torch.inference_mode(), _no_garbage_collection():
        model(example)  # what was done between rounds has emptied the caches
        return _seconds(lambda: model(example), example.device)


def profiled_round(model: nn.Module, example: Tensor) -> Timed:
    """One inference under the profiler, after one that is not counted."""
    device = example.device
    with torch.inference_mode(), _no_garbage_collection(), _profiler(device) as profiler:
        model(example)  # starting the profiler takes long enough for caches to empty and for threads to fall asleep
        total = _seconds(lambda: model(example), device)
    calls = [event for event in profiler.events() if "::" in event.name and event.device_type == DeviceType.CPU]
    both = sorted((c for c in calls if c.cpu_parent is None), key=lambda event: event.time_range.start)
    top = both[len(both) // 2 :]
    trees = [list(_tree(event)) for event in top]
    kernels = [[kernel.duration for event in tree for kernel in event.kernels] for tree in trees]
    return Timed(
        names=[event.name for event in top],
        seconds=[(sum(k) if device.type == "cuda" else e.cpu_time_total) / 1e6
                 for e, k in zip(top, kernels, strict=True)],
        within=[len(tree) - 1 for tree in trees],
        kernels=[len(k) for k in kernels],
        total_s=total,
    )  # fmt: skip


def graph_round(model: nn.Module, example: Tensor) -> Callable[[], float]:
    """A function that replays one inference as a CUDA graph and says how many seconds that took."""
    with torch.inference_mode():
        recorded = cudagraphs.record(model, example)
    return lambda: _seconds(recorded.graph.replay, example.device)


def _profiler(device: torch.device) -> profile:
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    return profile(activities=activities)


def _tree(event: FunctionEvent) -> Iterator[FunctionEvent]:
    yield event
    for child in event.cpu_children:
        yield from _tree(child)


@contextlib.contextmanager
def _no_garbage_collection() -> Iterator[None]:
    gc.collect()
    gc.disable()
    try:
        yield
    finally:
        gc.enable()


def quicker(seconds: Sequence[float]) -> list[int]:
    """Which rounds to heed: the quicker half of them, as other work on the machine only ever adds time."""
    order = sorted(range(len(seconds)), key=lambda index: seconds[index])
    return order[: (len(order) + 1) // 2]


def check_alike(expected: Sequence[str], timed: Timed) -> None:
    """Raises ``InputError`` unless the profiler saw the very operators that were counted."""
    if list(expected) != timed.names:
        at = next((i for i, pair in enumerate(zip(expected, timed.names, strict=False)) if pair[0] != pair[1]), None)
        where = f"the first difference is number {at + 1}" if at is not None else "one has more"
        raise InputError(
            f"the network does not call the same operators every time ({len(expected)}, then {len(timed.names)}; "
            f"{where}): give one whose operators do not change from run to run"
        )
