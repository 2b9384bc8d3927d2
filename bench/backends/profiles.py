"""What a runtime's own profiler tells: the operators as it runs them, and the time that each takes.

Operators of a file are named ``LAYER/OPERATOR`` (``bench.backends.graphs.layers``). A runtime joins several into one,
and adds some of its own, such as changes of layout.
"""

from __future__ import annotations

import abc
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.backends.session import Session

ROOT = "(model)"  # the layer of operators that the network calls itself
LAYOUT = "(changes of layout)"  # and of number types: of no layer
CONVERSIONS = ("QuantizeLinear", "DequantizeLinear", "FakeQuantize", "FakeConvert", "Cast", "Convert")


@dataclass(frozen=True)
class Part:
    """An operator of the file."""

    name: str  # ``LAYER/OPERATOR``
    kind: str  # as the file has it
    macs: int = 0

    @property
    def layer(self) -> str:
        return layer_of(self.name)


@dataclass(frozen=True)
class Executed:
    """An operator as a runtime runs it."""

    name: str  # the runtime's
    kind: str  # the runtime's, for example Conv or Reorder
    parts: tuple[Part, ...]  # the file's operators that it computes; none: the runtime added it
    bytes: int  # of its inputs, weights included, and its outputs; 0: it only looks at data in another way
    kernel: str = ""  # what computes it, where the runtime tells

    @property
    def added(self) -> bool:
        """Whether the network does not ask for it: it changes layouts or number types, for the runtime's own sake."""
        return all(part.kind in CONVERSIONS for part in self.parts)

    @property
    def what(self) -> str:
        """All that it does, such as Conv+Relu."""
        doing = [part.kind for part in self.parts if part.kind not in CONVERSIONS]
        return "+".join(dict.fromkeys(doing)) or self.kind

    @property
    def layer(self) -> str:
        """The layer that it is of: of several, that of its first multiply-adds, or else the first."""
        asked = [part for part in self.parts if part.kind not in CONVERSIONS]
        return next((part.layer for part in asked if part.macs), asked[0].layer) if asked else LAYOUT

    @property
    def layers(self) -> tuple[str, ...]:
        """All layers that it computes something of."""
        return tuple(dict.fromkeys(part.layer for part in self.parts if part.kind not in CONVERSIONS))

    @property
    def macs(self) -> int:
        return sum(part.macs for part in self.parts)


@dataclass(frozen=True)
class Profile:
    """Rounds under a runtime's profiler."""

    operators: tuple[Executed, ...]  # in the order in which they ran
    seconds: tuple[tuple[float, ...], ...]  # a row a round, of every operator


@dataclass(frozen=True)
class Value:
    """What an operator of a file, or a module, puts out."""

    tensor: str  # the same in all precisions
    layer: str
    name: str  # of the operator's kind, or of the module's class
    array: np.ndarray  # float32
    is_output: bool = False  # of the network


class ProfiledSession(Session):
    """A session whose runtime notes what each operator takes."""

    def collect(self) -> None:
        """Keep what the runtime noted of the last inference: called after each, outside of what is timed."""
        return

    def __enter__(self) -> ProfiledSession:
        return self

    @abc.abstractmethod
    def profile(self) -> Profile:
        """All inferences since it was opened; it is not used after this.

        Raises:
            InputError: the runtime's notes cannot be understood.
        """


def operator_name(layer: str, operator: str) -> str:
    return f"{layer or ROOT}/{operator.replace('/', '_')}"


def layer_of(name: str) -> str:
    """The layer in an operator's name, to which a quantiser may have added; the name itself, where it has none.

    PyTorch's own exporter writes ``/backbone/conv/Conv``, which is the layer ``backbone.conv``.
    """
    if name.startswith("/"):
        return ".".join(name.split("/")[1:-1]) or ROOT
    return name.partition("/")[0] or ROOT


def layers_of(operators: Iterable[tuple[str, str, Sequence[str]]]) -> dict[str, str]:
    """The layers of a file's operators, by name: of one whose name tells none, that of what it reads, or else its kind.

    Args:
        operators: name, kind and the names of those that are read from, of each, in order.
    """
    found: dict[str, str] = {}
    by_kind: dict[str, str] = {}
    for name, kind, sources in operators:
        layer = layer_of(name) if "/" in name else next((found[one] for one in sources if one in found), None)
        if layer is None:
            by_kind[name] = f"({kind})"
        else:
            found[name] = layer
    return found | by_kind


def is_of_kind(layer: str) -> bool:
    """Whether it stands for the operators of one kind that no layer is known of."""
    return layer.startswith("(") and layer not in (ROOT, LAYOUT)
