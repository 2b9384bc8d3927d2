"""The record of what a network costs on paper."""

import torch
from torch import nn

from bench import cli
from bench.complexity.counting import COUNTERS
from bench.core import machine
from bench.core.record import Record, now


def measure(
    model: nn.Module, size: tuple[int, int], *, name: str | None = None, num_joints: int | None = None
) -> Record:
    """Count a network's parameters and multiply-adds for one image.

    Args:
        model: any module that takes ``[1, 3, H, W]``; counted in evaluation mode and left as it was.
        size: height, width of the input.
        name: what the record calls the model; by default its class.
        num_joints: noted in the record.

    Returns:
        A record of kind ``complexity`` with integer metrics ``params`` and ``macs_mmcv``,
        ``macs_torchstat``, ``macs_fvcore``, ``macs_thop``, ``macs_torch``, without those of
        counters that refuse the network. Operations and modules that a
        counter passes over stand in ``notes["skipped"]``, with how often each occurs.
    """
    started = now()
    example = torch.zeros(1, 3, *size, device=next(iter(model.parameters()), torch.empty(0)).device)
    was_training = model.training
    model.eval()
    try:
        counts = {counter: count(model, example) for counter, count in COUNTERS.items()}
    finally:
        model.train(was_training)
    return Record(
        kind="complexity",
        model=name or type(model).__name__,
        input=cli.input_text(size),
        num_joints=num_joints,
        metrics={
            "params": sum(p.numel() for p in model.parameters()),
            **{f"macs_{counter}": total for counter, (total, _) in counts.items() if total is not None},
        },
        protocol={"name": "paper"},
        notes={"skipped": {counter: skipped for counter, (_, skipped) in counts.items() if skipped}},
        machine=machine.this_machine(),
        software=machine.this_software(f"torch {torch.__version__}", ("fvcore", "thop")),
        started_at=started,
        command=cli.command_line(),
    )
