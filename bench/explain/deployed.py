"""What a runtime runs of a network, and how long each of its operators takes, by the runtime's own profiler."""

import contextlib
import statistics
import time
from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from bench.backends import catalogue, precisions
from bench.backends.profiles import Executed
from bench.core.errors import InputError
from bench.explain.findings import Findings
from bench.explain.operators import Operator
from bench.explain.peaks import PeakMeter
from bench.explain.plan import WARMUP
from bench.explain.profiled import plain_round, quicker
from bench.explain.runtime_peaks import RuntimeMeter
from bench.opening import Opened, Reference, open_network, reference
from bench.speed.timed_set import state
from bench.timing import conditions, parity
from bench.timing.clock import no_garbage_collection, once, warm_up

TURNS = 3  # a round: an inference takes little of it


def measure(
    model: nn.Module, example: Tensor, backend: str, *, precision: str, threads: int, rounds: int,
    ready: Callable[[], None], who: str,
) -> Findings:  # fmt: skip
    """Build a network for a backend and time it, with the runtime's profiler and without, in turns.

    Raises:
        InputError: its runtime tells nothing of its operators, or it cannot be built, or does not compute the same as
            eager PyTorch.
    """
    catalogue.profiler_of(backend)
    images = example.cpu().contiguous().numpy()
    artifact = catalogue.build(backend, model, example, precision=precision, threads=threads)
    device = str(example.device)
    expected = reference(model, images, device=device, threads=threads, who=who)
    meter = PeakMeter(example.device, _arithmetic(backend, artifact.precision), calls=False)
    opened = open_network(lambda: artifact, images, device=device, threads=threads, who=who, built=True)
    with contextlib.ExitStack() as stack:
        plain = stack.enter_context(opened.session)
        remarks = _check(expected, opened)
        watched = stack.enter_context(catalogue.open_profiled(artifact, device=device, threads=threads))
        runtime = stack.enter_context(RuntimeMeter(backend, threads))
        stack.enter_context(plain.computing())
        inference = plain.bind(images)
        warm_up(inference, WARMUP)
        for _ in range(WARMUP):
            watched.run(images)
            watched.collect()
        ready()
        watch = conditions.Watch()
        before, started = state(device), time.perf_counter()
        alone: list[float] = []
        profiled: list[float] = []
        for _ in range(rounds):
            meter.round()
            runtime.round()
            for _ in range(TURNS):
                alone.append(plain_round(inference))
                with no_garbage_collection():
                    for _ in range(2):  # the first empties the caches of what ran before
                        _, seconds = once(lambda: watched.run(images))
                        watched.collect()
                profiled.append(seconds)
            watch(time.perf_counter_ns())
        around, warnings = conditions.judge(before, state(device), time.perf_counter() - started, rounds)
        profile = watched.profile()
        cost = runtime.found().scaled(added(alone, profiled) / max(1, len(profile.operators)))
    operators = [_operator(one) for one in profile.operators]
    seconds, between = typical(profile.seconds[WARMUP + 1 :: 2], profiled, cost.within_s, cost.outside_s)
    peaks = meter.peaks()
    return Findings(
        operators=operators,
        seconds=seconds,
        between_s=between,
        plain_s=alone,
        profiled_s=profiled,
        kernels=0,
        small=None,
        small_operators=None,
        small_s=None,
        no_small="what a runtime runs is made for one size of picture",
        graph_s=[],
        peaks=cost.peaks(peaks),
        conditions={**around, **watch.found()},
        warnings=[*remarks, *warnings],
        kept=plain.note or artifact.note,
    )


def added(alone: Sequence[float], profiled: Sequence[float]) -> float:
    """Seconds that a profiler adds to an inference, by the quicker rounds without it and with it."""
    without, with_it = (statistics.fmean(totals[index] for index in quicker(totals)) for totals in (alone, profiled))
    return with_it - without


def typical(
    rounds: Sequence[Sequence[float]], totals: Sequence[float], within_s: float, outside_s: float
) -> tuple[list[float], float]:
    """Seconds of every operator and of what is between them: means of the quicker rounds, less the profiler's cost.

    Means, because those of the parts add up to that of the whole.

    Args:
        rounds: of every operator, a row a round.
        totals: of the rounds.
        within_s: what the profiler adds to an operator's own time.
        outside_s: what it adds between two of them.
    """
    chosen = quicker(totals)
    means = [statistics.fmean(values) for values in zip(*(rounds[index] for index in chosen), strict=True)]
    between = statistics.fmean(totals[index] - sum(rounds[index]) for index in chosen)
    return [max(0.0, mean - within_s) for mean in means], max(0.0, between - len(means) * outside_s)


def _operator(executed: Executed) -> Operator:
    return Operator(
        name=executed.what,
        layer=executed.layer,
        macs=executed.macs,
        bytes=executed.bytes,
        added=executed.added,
        joined=tuple(layer for layer in executed.layers if layer != executed.layer),
    )


def _arithmetic(backend: str, precision: str) -> torch.dtype:
    """The numbers that a large product is measured in: those of the arithmetic, not of a file."""
    found = catalogue.find(backend)
    return torch.float32 if found.quantises or found.rounds_to else precisions.DTYPES.get(precision, torch.float32)


def _check(expected: Reference, opened: Opened) -> list[str]:
    """What there is to warn of. Nobody needs to hear where the time of something else goes."""
    try:
        remark = expected.remark(opened.artifact, expected.check(opened.artifact, opened.outputs))
        return [remark] if remark else []
    except parity.ParityError as error:
        raise InputError(f"{error}: --differences names the layer where it begins") from error
