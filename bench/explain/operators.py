"""What a network asks of the machine: its operators in order, with multiply-adds and bytes.

An operator is one call of PyTorch's dispatcher by the network's own code, as inference mode makes them: what an
operator calls within itself is part of it.
"""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

ROOT = "(model)"


@dataclass(frozen=True)
class Operator:
    """One call: what it is, where in the network, and what it costs whatever runs it; or one as a runtime runs it."""

    name: str  # as the dispatcher knows it, such as aten::conv2d
    layer: str  # the innermost module that was running
    macs: int  # multiply-adds by torch's own formulas; what has none counts nothing
    bytes: int  # read and written; a view moves nothing
    added: bool = False  # by the runtime, which changes layouts or number types for its own sake
    joined: tuple[str, ...] = ()  # further layers that a runtime computes in the same operator

    @property
    def kind(self) -> str:
        return self.name.split("::")[-1]

    @property
    def is_view(self) -> bool:
        return self.bytes == 0


def trace(model: nn.Module, example: Tensor) -> list[Operator]:
    """The operators of one inference, in order.

    Bytes are those of every tensor that goes in, parameters included, once each, and of every one that comes out;
    a tensor changed in place counts twice. So it is the least that must move if nothing stays in a cache.

    Args:
        model: any module, in evaluation mode.
        example: its input ``[N, 3, H, W]``.
    """
    recorder = _Recorder()
    with torch.inference_mode(), _module_names(model, recorder.where), recorder:
        model(example)
    return recorder.operators


class _Recorder(TorchDispatchMode):
    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operators: list[Operator] = []
        self.where = [ROOT]
        self.counter = FlopCounterMode(display=False)

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        inputs = _tensors((args, kwargs))
        with self.counter:  # counts anew every time
            output = func(*args, **(kwargs or {}))
        self.operators.append(
            Operator(
                name=func._schema.name,
                layer=self.where[-1],
                macs=self.counter.get_total_flops() // 2,  # it counts 2 a multiply-add
                bytes=_moved(inputs, _tensors(output), mutates=func._schema.is_mutable),
            )
        )
        return output


def _moved(inputs: list[Tensor], outputs: list[Tensor], *, mutates: bool) -> int:
    here = {tensor.untyped_storage().data_ptr() for tensor in inputs}
    written = [t for t in outputs if mutates or t.untyped_storage().data_ptr() not in here]
    return sum(map(_size, (*inputs, *written))) if written else 0


def _size(tensor: Tensor) -> int:
    return tensor.numel() * tensor.element_size()


def _tensors(tree: Any) -> list[Tensor]:
    """The tensors in arguments or results, each once."""
    return list({id(leaf): leaf for leaf in tree_leaves(tree) if isinstance(leaf, Tensor)}.values())


@contextmanager
def _module_names(model: nn.Module, where: list[str]) -> Iterator[None]:
    """While it lasts, ``where[-1]`` is the name of the module that runs."""

    def enter(name: str) -> Any:
        return lambda module, inputs: where.append(name)

    def leave(module: nn.Module, inputs: Any, output: Any) -> None:
        where.pop()

    hooks = []
    for name, module in model.named_modules():
        hooks += [module.register_forward_pre_hook(enter(name or ROOT)), module.register_forward_hook(leave)]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


def names(operators: Iterable[Operator]) -> list[str]:
    return [operator.name for operator in operators]
