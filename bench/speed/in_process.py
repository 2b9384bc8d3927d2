"""One network timed in the caller's own process."""

import torch
from torch import Tensor, nn

from bench import cli
from bench.backends import catalogue
from bench.core.record import Measurement, Record, now
from bench.opening import open_network, reference
from bench.speed.options import ROUNDS, WARMUP
from bench.speed.record import complete_record
from bench.speed.timed_set import SetResult, time_set
from bench.timing.clock import Fixed


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
    """Time a network in this process, with the same loop as ``python -m bench.speed``.

    The command runs several sets, each in a fresh process; this is one set in the caller's process,
    so its interval says nothing about the spread between processes.

    Args:
        model: any module, on the device to time it on; it is timed in evaluation mode and not changed.
        example: its input ``[N, 3, H, W]``, on the same device.
        rounds: timed rounds.
        warmup: rounds before them, not counted.
        backend: one of ``bench.backends.catalogue.names()``.
        precision: fp32, fp16 or bf16.
        threads: CPU threads; by default torch's setting.
        name: what the record calls the model; by default its class.

    Returns:
        A record of kind ``speed``; nothing is written to disk.

    Raises:
        InputError: unknown backend or impossible numbers.
        ParityError: the backend computes something other than eager.
    """
    started = now()
    count = threads or torch.get_num_threads()
    device = str(example.device)
    resolved = catalogue.resolve(backend, device, precision)
    who = name or type(model).__name__
    was_training = model.training
    model.eval()
    try:
        result = _one_set(model, example, rounds, warmup, backend, precision, count, who)
    finally:
        model.train(was_training)
    measurement = Measurement(
        kind="speed",
        model=who,
        input=cli.input_text((example.shape[2], example.shape[3])),
        backend=backend,
        device=example.device.type,
        precision=resolved,  # type: ignore[arg-type]
        batch=example.shape[0],
        threads=count,
        protocol={"name": "in-process", "rounds": rounds, "warmup": warmup, "sets": 1},
    )
    return complete_record(measurement, [result], device=device, started_at=started)


def _one_set(
    model: nn.Module, example: Tensor, rounds: int, warmup: int, backend: str, precision: str, threads: int, who: str
) -> SetResult:
    device, images = str(example.device), example.cpu().numpy()
    expected = None
    if (backend, precision) != ("eager", "fp32"):
        expected = reference(model, images, device=device, threads=threads, who=who)
    opened = open_network(
        lambda: catalogue.build(backend, model, example, precision=precision, threads=threads),
        images, device=device, threads=threads, who=who,
    )  # fmt: skip
    with opened.session:
        return time_set(opened, Fixed(rounds), warmup, device=device, expected=expected)
