"""Multiply-adds that a counter leaves out, found from the operators that a network really runs.

The conventions of the counters stay as they were published: some see modules of certain types only, and so neither what
is called as a function (convolutions, matrix products, attention) nor a subclass of a layer, and torchstat sees the
last run of a module only. What they leave out is listed, with its multiply-adds by torch's own formulas.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from pydantic import JsonValue
from torch import Tensor, nn

from bench.complexity.counting import MMCV, TORCHSTAT, thop_types
from bench.explain.operators import trace


@dataclass(frozen=True)
class Multiplying:
    """An operator with multiply-adds, and the innermost module that was running."""

    operator: str  # as the dispatcher knows it, such as aten::conv2d
    module: str
    type: type[nn.Module]
    is_leaf: bool
    macs: int

    @property
    def name(self) -> str:
        """As the lists have it."""
        return f"{self.operator.split('::')[-1]} in {self.type.__name__}"

    @property
    def is_layer(self) -> bool:
        """Whether it is what a convolution or a linear layer is counted by, and not a matrix product beside it."""
        return "conv" in self.operator or self.operator in ("aten::linear", "aten::addmm")


def multiplying(model: nn.Module, example: Tensor) -> list[Multiplying]:
    """The operators of one inference that have multiply-adds, in order.

    Args:
        model: any module, in evaluation mode.
        example: its input ``[N, 3, H, W]``.
    """
    modules = dict(model.named_modules())
    was_fast = torch.backends.mha.get_fastpath_enabled()
    torch.backends.mha.set_fastpath_enabled(False)  # one operator for all of it, which has no formula
    try:
        operators = trace(model, example)
    finally:
        torch.backends.mha.set_fastpath_enabled(was_fast)
    found = []
    for operator in operators:
        if operator.macs:
            module = modules.get(operator.layer, model)
            is_leaf = not any(module.children())
            found.append(Multiplying(operator.name, operator.layer, type(module), is_leaf, operator.macs))
    return found


def passed_over(operators: Sequence[Multiplying]) -> dict[str, dict[str, JsonValue]]:
    """By counter, what it leaves out: how often, and how many multiply-adds that is."""
    by_type = {"mmcv": set(MMCV), "torchstat": set(TORCHSTAT), "thop": thop_types()}
    found = {
        counter: _listed(operators, lambda one, types=types: not _seen(one, types))  # type: ignore[misc]
        for counter, types in by_type.items()
    }
    last = {one.module: index for index, one in enumerate(operators) if _seen(one, by_type["torchstat"])}
    earlier = [one for index, one in enumerate(operators) if last.get(one.module, index) != index and one.is_layer]
    for name, what in _listed(earlier, lambda _one: True).items():
        found["torchstat"][f"earlier runs of {name}"] = what
    return found


def by_operator(operators: Sequence[Multiplying]) -> dict[str, int]:
    """Multiply-adds of each kind of operator, for counters that go by those."""
    found: dict[str, int] = {}
    for one in operators:
        found[one.operator] = found.get(one.operator, 0) + one.macs
    return found


def _seen(one: Multiplying, types: set[type[nn.Module]]) -> bool:
    return one.is_leaf and one.type in types and one.is_layer


def _listed(operators: Sequence[Multiplying], choose: Callable[[Multiplying], bool]) -> dict[str, JsonValue]:
    times: dict[str, int] = {}
    macs: dict[str, int] = {}
    for one in filter(choose, operators):
        times[one.name] = times.get(one.name, 0) + 1
        macs[one.name] = macs.get(one.name, 0) + one.macs
    return {name: {"times": times[name], "macs": macs[name]} for name in sorted(macs, key=lambda name: -macs[name])}
