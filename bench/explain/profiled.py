"""One inference with nothing watching, and one under torch's profiler."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch.autograd import DeviceType  # type: ignore[attr-defined]
from torch.autograd.profiler_util import FunctionEvent
from torch.profiler import ProfilerActivity, profile

from bench.core.errors import InputError
from bench.timing.clock import Fixed, Inference, no_garbage_collection, once, time_rounds


@dataclass(frozen=True)
class Profile:
    """One inference under the profiler: what each operator took, in order."""

    names: list[str]  # of this one and of the one before it, which must be alike
    seconds: list[float]  # on a CPU of the call; on a GPU of its kernels
    within: list[int]  # operators that each one called within itself
    kernels: list[int]
    total_s: float


def plain_round(inference: Inference) -> float:
    """Seconds of one inference with nothing watching: the second of two, as what was done between rounds has emptied
    the caches."""
    return time_rounds(inference, Fixed(2)).latency_ns[-1] / 1e9


def profiled_round(inference: Inference, device: torch.device) -> Profile:
    """One inference under the profiler, after one that is not counted."""
    with no_garbage_collection(), profiler_of(device) as profiler:
        inference()  # starting the profiler takes long enough for caches to empty and for threads to fall asleep
        _, total = once(inference)
    calls = [event for event in profiler.events() if "::" in event.name and event.device_type == DeviceType.CPU]
    both = sorted((c for c in calls if c.cpu_parent is None), key=lambda event: event.time_range.start)
    top = both[len(both) // 2 :]
    trees = [list(_tree(event)) for event in top]
    kernels = [[kernel.duration for event in tree for kernel in event.kernels] for tree in trees]
    return Profile(
        names=[event.name for event in both],
        seconds=[(sum(k) if device.type == "cuda" else e.cpu_time_total) / 1e6
                 for e, k in zip(top, kernels, strict=True)],
        within=[len(tree) - 1 for tree in trees],
        kernels=[len(k) for k in kernels],
        total_s=total,
    )  # fmt: skip


def profiler_of(device: torch.device) -> profile:
    """torch's profiler for what a device does."""
    activities = [ProfilerActivity.CPU] + ([ProfilerActivity.CUDA] if device.type == "cuda" else [])
    return profile(activities=activities)


def _tree(event: FunctionEvent) -> Iterator[FunctionEvent]:
    yield event
    for child in event.cpu_children:
        yield from _tree(child)


def quicker(seconds: Sequence[float]) -> list[int]:
    """Which rounds to heed: the quicker half of them, as other work on the machine only ever adds time."""
    order = sorted(range(len(seconds)), key=lambda index: seconds[index])
    return order[: (len(order) + 1) // 2]


def check_alike(expected: Sequence[str], found: Profile) -> None:
    """Raises ``InputError`` unless the profiler saw the very operators that were counted, both times."""
    twice = [*expected, *expected]
    if twice != found.names:
        pairs = enumerate(zip(twice, found.names, strict=False))
        at = next((i % len(expected) for i, (wanted, seen) in pairs if wanted != seen), None)
        where = f"the first difference is number {at + 1}" if at is not None else "one has more"
        raise InputError(
            f"the network does not call the same operators every time ({len(twice)} in two runs, then "
            f"{len(found.names)}; {where}): give one whose operators do not change from run to run"
        )
