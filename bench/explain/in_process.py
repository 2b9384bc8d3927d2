"""One network, explained in this process, and the record of it."""

import statistics
import time
from collections.abc import Callable, Sequence

import numpy as np
import torch
from torch import Tensor, nn

from bench import cli
from bench.backends import catalogue, precisions
from bench.backends.families.cuda_graphs import Recorded
from bench.backends.families.pytorch import on_cuda
from bench.backends.session import Session
from bench.core.errors import InputError, described
from bench.core.record import Measurement, Record, now
from bench.explain import deployed
from bench.explain.findings import SMALLEST, Findings, conclude, quick
from bench.explain.operators import Operator, names, trace
from bench.explain.options import ROUNDS
from bench.explain.peaks import PeakMeter, Peaks
from bench.explain.plan import WARMUP, protocol
from bench.explain.profiled import Profile, check_alike, plain_round, profiled_round, quicker
from bench.speed.timed_set import state
from bench.timing import conditions, parity
from bench.timing.clock import Inference, warm_up


def explain(
    model: nn.Module,
    example: Tensor,
    *,
    backend: str = "eager",
    rounds: int = ROUNDS,
    precision: str = "fp32",
    threads: int = 0,
    name: str | None = None,
    ready: Callable[[], None] = lambda: None,
) -> Record:
    """Measure where a network's time goes, in this process.

    Args:
        model: any module, on the device to explain it on; run in evaluation mode and left as it was. Or a
            ``bench.model_files.ModelFile``, which takes float32 ``[N, 3, H, W]``.
        example: its input ``[N, 3, H, W]``, on the same device.
        backend: what runs it: eager, or one whose runtime tells what its operators take.
        rounds: timed with nothing watching, and as many under the profiler, in turns.
        precision: one of ``bench.backends.catalogue.PRECISIONS``; the peaks are measured in it too.
        threads: CPU threads; 0: as many as torch uses. Eager PyTorch keeps the process's.
        name: what the record calls the model; by default its class.
        ready: called when all is prepared, before the first round.

    Returns:
        A record of kind ``explain``; nothing is written to disk. ``docs/explain.md`` defines its metrics.

    Raises:
        InputError: the network fails, returns no numbers, or does not call the same operators every time; or the device
            lacks the precision; or the backend tells nothing of its operators, or does not compute the same.
    """
    started, device, who = now(), str(example.device), name or type(model).__name__
    resolved = catalogue.resolve(backend, device, precision)
    was_training = isinstance(model, nn.Module) and model.training
    if was_training:
        model.eval()
    try:
        if backend == "eager":
            artifact = catalogue.build("eager", model, example, precision=precision)
            with catalogue.open_artifact(artifact, device=device) as session, session.computing():
                batch = precisions.place(example, resolved, example.device)
                found = _measure(artifact.network, batch, session, rounds, ready, who)
        else:
            found = deployed.measure(
                model, example, backend, precision=precision, threads=threads or torch.get_num_threads(),
                rounds=rounds, ready=ready, who=who,
            )  # fmt: skip
    finally:
        if was_training:
            model.train()
    measurement = Measurement(
        kind="explain",
        model=who,
        input=cli.input_text((example.shape[-2], example.shape[-1])),
        backend=backend,
        device=example.device.type,
        precision=resolved,  # type: ignore[arg-type]
        batch=example.shape[0],
        threads=torch.get_num_threads() if backend == "eager" else threads or torch.get_num_threads(),
        protocol=protocol(rounds),
    )
    return conclude(found, example, measurement, started)


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
        small_s=quick(small_plain) if small else None,
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
