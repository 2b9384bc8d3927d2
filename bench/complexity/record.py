"""The record of what a network costs on paper."""

from pathlib import Path

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bench import cli
from bench.backends import catalogue
from bench.complexity import onnx_graph
from bench.complexity.counting import COUNTERS
from bench.complexity.passed_over import by_operator, multiplying, passed_over
from bench.complexity.plan import PROTOCOL, ComplexityPlan
from bench.core import machine
from bench.core.record import Measurement, Record, complete, now


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
        counters that refuse the network. Operations and modules that a counter passes over stand in
        ``notes["skipped"]``, with how often each occurs; where they have multiply-adds, with those too.
    """
    started = now()
    example = torch.zeros(1, 3, *size, device=next(iter(model.parameters()), torch.empty(0)).device)
    was_training = model.training
    model.eval()
    try:
        counts = {counter: count(model, example) for counter, count in COUNTERS.items()}
        skipped = _skipped({counter: names for counter, (_, names) in counts.items()}, model, example)
    finally:
        model.train(was_training)
    return complete(
        Measurement(
            kind="complexity",
            model=name or type(model).__name__,
            input=cli.input_text(size),
            num_joints=num_joints,
            protocol=PROTOCOL,
        ),
        metrics={
            "params": sum(p.numel() for p in model.parameters()),
            **{f"macs_{counter}": total for counter, (total, _) in counts.items() if total is not None},
        },
        notes={"skipped": skipped},
        machine=machine.this_machine(),
        software=machine.this_software(catalogue.version("eager"), ("fvcore", "thop")),
        started_at=started,
        command=cli.command_line(),
    )


def measure_onnx(plan: ComplexityPlan) -> Record:
    """Count an ONNX file by its graph; see ``bench.complexity.onnx_graph``."""
    started = now()
    found, unknown = onnx_graph.count(Path(plan.model), plan.input)
    return complete(
        plan.measurement(),
        metrics=found,
        notes={"skipped": {"onnx": dict(unknown)} if unknown else {}, "counted": "from the graph"},
        machine=machine.this_machine(),
        software=machine.this_software(catalogue.version("eager"), ("onnx",)),
        started_at=started,
        command=cli.command_line(),
    )


def _skipped(counted: dict[str, dict[str, int]], model: nn.Module, example: Tensor) -> dict[str, JsonValue]:
    """What the counters say that they do not know, with multiply-adds, and what they do not even see."""
    operators = multiplying(model, example)
    unseen, macs = passed_over(operators), by_operator(operators)
    found: dict[str, JsonValue] = {}
    for counter, names in counted.items():
        listed = dict(unseen.get(counter, {}))
        for name, times in names.items():
            known = macs.get(name) or macs.get(f"aten::{name}")
            listed[name] = {"times": times, "macs": known} if known and counter in ("fvcore", "torch") else times
        if listed:
            found[counter] = listed
    return found
