"""One set: one network in one process, compared with its reference, and timed."""

from __future__ import annotations  # this file is read by Python 3.9 too

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from bench.backends import catalogue
from bench.opening import Opened, Reference
from bench.speed import energy
from bench.timing import conditions, parity
from bench.timing.clock import Inference, time_rounds, warm_up

ENERGY_S = 2.0  # counters of a GPU move in steps of up to a tenth of a second


@dataclass
class SetResult:
    """The result of one process; plain values, so a worker can send it as JSON."""

    latency_ms: list[float]
    latency_ms_event: list[float] = field(default_factory=list)
    parity: float | None = None  # worst difference to eager, relative to the largest output
    peak_rss_bytes: int | None = None
    rss_before_bytes: int | None = None
    peak_cuda_bytes: int | None = None
    prepare_s: float | None = None  # until it can run: export and compilation, or opening a finished artifact
    prepared_from_cache: bool = False
    first_inference_ms: float | None = None
    model_file_bytes: int | None = None
    model_file: str = ""
    note: str = ""  # what the backend chose to run
    product_ms: list[float] = field(default_factory=list)  # of large matrix products, right after the timed rounds
    energy_j: dict[str, float] = field(default_factory=dict)  # per image, by device
    median_ci95_relative: float | None = None
    conditions: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


def time_set(
    opened: Opened,
    until: Any,
    warmup: int,
    *,
    device: str,
    expected: Reference | None,
    count_energy: bool = True,
    ready: Callable[[], None] = lambda: None,
) -> SetResult:
    """Compare with the reference, then time.

    Args:
        opened: from ``open_network``.
        until: see ``bench.timing.clock.time_rounds``.
        warmup: rounds before the timed ones.
        device: that it was opened on.
        expected: what the network computes; None for the reference itself.
        count_energy: whether to read the machine's energy counters, in rounds of their own.
        ready: called before the warm-up.

    Raises:
        ParityError: it computes something other than the reference.
        InputError: impossible numbers of rounds.
    """
    artifact, session = opened.artifact, opened.session
    worst, remarks = None, []
    if expected is None:
        parity.check_finite(opened.outputs, artifact.backend)
    else:
        try:
            worst = expected.check(artifact, opened.outputs)
        except parity.ParityError as error:
            raise parity.ParityError(f"{error}: not timed") from error
        remarks = [remark] if (remark := expected.remark(artifact, worst)) else []
    ready()
    with session.computing():
        inference = session.bind(opened.images)
        warm_up(inference, warmup)
        watch = conditions.Watch()
        before = state(device)
        rounds = time_rounds(inference, until, watch)
        after = state(device)
        spent = _energy(inference, device, len(opened.images)) if count_energy else {}
    around, notes = conditions.judge(before, after, rounds.elapsed_s, len(rounds.latency_ns))
    return SetResult(
        latency_ms=rounds.latency_ms,
        latency_ms_event=rounds.device_ms,
        parity=worst,
        peak_rss_bytes=conditions.peak_memory_bytes(),
        peak_cuda_bytes=session.peak_device_bytes() or None,
        prepare_s=opened.prepare_s,
        prepared_from_cache=opened.from_cache,
        first_inference_ms=1000 * opened.first_s,
        model_file_bytes=artifact.size_bytes,
        model_file=catalogue.find(artifact.backend).file,
        note=session.note or artifact.note,
        energy_j=spent,
        median_ci95_relative=rounds.median_ci95_relative,
        conditions={**around, **watch.found()},
        warnings=[*remarks, *notes, *watch.warnings()],
    )


def state(device: str) -> conditions.State:
    """The machine's state now, with the GPU's if the device is one."""
    found = conditions.cpu_state()
    if device.startswith("cuda"):
        from bench.core import machine  # which devices do without

        found.update(machine.gpu_state(device))
    return found


def _energy(inference: Inference, device: str, images: int) -> dict[str, float]:
    """Joules an image, in rounds of their own: the timed ones may be over before a counter has moved."""
    before = energy.read(device)
    if not before:
        return {}
    count, start = 0, time.perf_counter()
    while time.perf_counter() - start < ENERGY_S:
        inference()
        count += 1
    return {name: joules / count / images for name, joules in energy.spent(before, energy.read(device)).items()}
