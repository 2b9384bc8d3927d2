"""One network in this process, and the record around its sets."""

import contextlib
import math
import statistics
from collections import Counter
from collections.abc import Iterator

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bench import backends, cli, product
from bench.core import machine
from bench.core.record import Record, now
from bench.speed.loop import SetResult, run_set
from bench.speed.statistics import summarise

ROUNDS, WARMUP, SETS = 50, 5, 5  # section IV-D of the paper; several sets, averaged


def measure(
    model: nn.Module,
    example: Tensor,
    *,
    rounds: int = ROUNDS,
    warmup: int = WARMUP,
    backend: str = "eager",
    precision: str = "fp32",
    threads: int | None = None,
    name: str | None = None,
) -> Record:
    """Time a network in this process, by the same loop as ``python -m bench.speed``.

    The command runs several sets, each in a fresh process; this is one set in the caller's process,
    so its interval says nothing about the spread between processes.

    Args:
        model: any module, on the device to time it on; it is timed in evaluation mode and left as it was.
        example: its input ``[N, 3, H, W]``, on the same device.
        rounds: timed rounds.
        warmup: rounds before them, not counted.
        backend: one of ``bench.backends.BACKENDS``.
        precision: fp32, fp16 or bf16.
        threads: CPU threads; by default as torch is set.
        name: what the record calls the model; by default its class.

    Returns:
        A record of kind ``speed``; nothing is written to disk.

    Raises:
        InputError: unknown backend or impossible numbers.
        ParityError: the backend computes something else than eager.
    """
    started = now()
    with _threads(threads):
        used_threads = torch.get_num_threads()
        result = run_set(model, example, backend=backend, precision=precision, rounds=rounds, warmup=warmup)
    return make_record(
        [result],
        model=name or type(model).__name__,
        size=(example.shape[2], example.shape[3]),
        batch=example.shape[0],
        device=str(example.device),
        backend=backend,
        precision="int8" if backends.quantised(backend) else precision,
        threads=used_threads,
        protocol={"name": "in-process", "rounds": rounds, "warmup": warmup, "sets": 1},
        started_at=started,
    )


def make_record(
    results: list[SetResult],
    *,
    model: str,
    size: tuple[int, int],
    batch: int,
    device: str,
    backend: str,
    precision: str,
    threads: int,
    protocol: dict[str, str | int | float | bool],
    started_at: str,
    num_joints: int | None = None,
    seed: int | None = None,
    weights: str | None = None,
    notes: dict[str, JsonValue] | None = None,
    prepared: SetResult | None = None,
) -> Record:
    """The record of one network from its sets, and from the preparation that came before them."""
    metrics: dict[str, int | float] = dict(summarise([result.latency_ms for result in results]))
    samples = {"latency_ms": [result.latency_ms for result in results]}
    if results[0].latency_ms_event:
        samples["latency_ms_event"] = [result.latency_ms_event for result in results]
        event = summarise(samples["latency_ms_event"])
        metrics |= {f"{key}_event": event[key] for key in ("latency_ms_mean", "latency_ms_median")}
    if all(result.product_ms for result in results):
        samples["product_ms"] = [result.product_ms for result in results]
        mean_ms = statistics.mean(statistics.mean(result.product_ms) for result in results)
        metrics["product_macs_per_s"] = 1000 * product.SIDE["cpu"] ** 3 / mean_ms
    for metric in ("peak_rss_bytes", "rss_before_bytes", "peak_cuda_bytes", "model_file_bytes"):
        values = [getattr(result, metric) for result in results]
        if None not in values:
            metrics[metric] = max(values)
    metrics |= _cold_start(results, prepared)
    for kind in results[0].energy_j:
        if all(kind in result.energy_j for result in results):
            metrics[f"energy_{kind}_j_per_image"] = statistics.mean(result.energy_j[kind] for result in results)
    reached = [result.median_ci95_relative for result in results if result.median_ci95_relative is not None]
    if reached and all(map(math.isfinite, reached)):
        metrics["median_ci95_relative"] = max(reached)
        medians = [statistics.median(result.latency_ms) for result in results]
        metrics["median_spread_relative"] = (max(medians) - min(medians)) / statistics.median(medians)
    if results[0].parity is not None:
        metrics["parity_max_relative"] = max(result.parity or 0.0 for result in results)
    return Record(
        kind="speed",
        model=model,
        input=cli.input_text(size),
        num_joints=num_joints,
        backend=backend,
        device=device.partition(":")[0],
        precision=precision,  # type: ignore[arg-type]
        batch=batch,
        threads=threads,
        metrics=metrics,
        samples=samples,
        protocol=protocol,
        weights=weights,
        seed=seed,
        conditions=[result.conditions for result in results],
        notes=(notes or {}) | _of_the_runtime(results),
        warnings=sorted({note for result in results for note in result.warnings}),
        machine=machine.this_machine(device),
        software=machine.this_software(backends.load(backend).version()),
        started_at=started_at,
        command=cli.command_line(),
    )


def _of_the_runtime(results: list[SetResult]) -> dict[str, JsonValue]:
    """What file it runs from, and where it chose something, what in how many of the processes."""
    chosen = Counter(result.note for result in results if result.note)
    notes: dict[str, JsonValue] = {"model_file": results[0].model_file}
    return notes | ({"runs": dict(chosen)} if chosen else {})


def _cold_start(results: list[SetResult], prepared: SetResult | None) -> dict[str, int | float]:
    """Preparation and first inference: from nothing where it was seen, and with what earlier ones left."""
    found: dict[str, int | float] = {}
    everything = [*([prepared] if prepared else []), *results]
    for name, wanted in (("prepare_s", False), ("prepare_cached_s", True)):
        times = [r.prepare_s for r in everything if r.prepared_from_cache is wanted and r.prepare_s is not None]
        if times:
            found[name] = statistics.median(times)
    first = [result.first_inference_ms for result in results if result.first_inference_ms is not None]
    if first:
        found["first_inference_ms"] = statistics.median(first)
    return found


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
