"""One network in this process, and the record around its sets."""

import contextlib
from collections.abc import Iterator

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bench import backends, cli, machine
from bench.record import Record
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
    started = cli.now()
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
        precision=precision,
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
) -> Record:
    """The record of one network from its sets."""
    metrics: dict[str, int | float] = dict(summarise([result.latency_ms for result in results]))
    samples = {"latency_ms": [result.latency_ms for result in results]}
    if results[0].latency_ms_event:
        samples["latency_ms_event"] = [result.latency_ms_event for result in results]
        event = summarise(samples["latency_ms_event"])
        metrics |= {f"{key}_event": event[key] for key in ("latency_ms_mean", "latency_ms_median")}
    for metric in ("peak_rss_bytes", "rss_before_bytes", "peak_cuda_bytes"):
        values = [getattr(result, metric) for result in results]
        if None not in values:
            metrics[metric] = max(values)
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
        notes=notes or {},
        warnings=sorted({note for result in results for note in result.warnings}),
        machine=machine.this_machine(device),
        software=machine.this_software(backends.load(backend).version()),
        started_at=started_at,
        command=cli.command_line(),
    )


@contextlib.contextmanager
def _threads(count: int | None) -> Iterator[None]:
    before = torch.get_num_threads()
    if count is not None:
        torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)
