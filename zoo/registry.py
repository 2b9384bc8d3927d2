"""Every network by name: its card and where it is built.

A network stands in a file of its own in this folder: a function that builds it, under
``@network(ModelCard(...))``. Nothing else has to be changed to add one. The cards are read from
the text of those files, so that names and cards can be had without importing PyTorch; they
therefore consist of literals, or names of literals in the same file.
"""

import ast
import difflib
import functools
import importlib
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import zoo
from zoo.errors import ZooError

if TYPE_CHECKING:
    from torch import nn

Size = tuple[int, int]  # height, width


@dataclass(frozen=True)
class ModelCard:
    """What a network is, where each choice in it comes from, and what a decoder has to know."""

    name: str
    method: str
    backbone: str
    label: str  # the short name in Table V, Fig. 5 and plots
    paper: str
    source: str
    quirks: tuple[str, ...] = ()
    table_row: int = 0  # its place among the light networks of the paper's Table I; 0 for newer ones
    output_kind: str = "heatmap"  # or "simcc": a pair of vectors along x [N, J, s * W] and y [N, J, s * H]
    split_ratio: float = 0.0  # s, bins a pixel of the input; for "simcc" only
    weights_joints: int = 0  # published weights may have this many, of which the first 17 are COCO's
    udp: bool = False  # crops, targets and decoding measure sizes between pixel centres (W - 1), not edges
    # Of pictures in RGB order with values from 0 to 1: the network's input is (picture - mean) / std.
    mean: tuple[float, float, float] = (0.485, 0.456, 0.406)
    std: tuple[float, float, float] = (0.229, 0.224, 0.225)


Builder = TypeVar("Builder", bound="Callable[..., nn.Module]")


def network(card: ModelCard) -> Callable[[Builder], Builder]:
    """Marks the function that builds the network of ``card``.

    The function takes the number of joints and the input's height and width, and has options, if
    any, as keyword-only parameters.
    """
    del card  # read from the file's text

    def mark(builder: Builder) -> Builder:
        return builder

    return mark


@dataclass(frozen=True)
class _Entry:
    card: ModelCard
    module: str
    function: str


def list_models(generation: str = "all") -> list[str]:
    """Names of networks: those of the paper, in the order of its Table I, then the newer ones.

    Args:
        generation: ``"paper"`` for the former only, ``"newer"`` for the latter, ``"all"`` for both.

    Raises:
        ZooError: no such generation.
    """
    if generation not in ("all", "paper", "newer"):
        raise ZooError(f"unknown generation {generation!r}: give all, paper or newer")
    return [
        name
        for name, entry in _entries().items()
        if generation == "all" or (generation == "paper") == bool(entry.card.table_row)
    ]


def model_card(name: str) -> ModelCard:
    """The card of a network.

    Raises:
        ZooError: no such network.
    """
    return _entry(name).card


def builder(name: str) -> "Callable[..., nn.Module]":
    """The function that builds a network.

    Raises:
        ZooError: no such network.
    """
    entry = _entry(name)
    found: Callable[..., nn.Module] = getattr(importlib.import_module(entry.module), entry.function)
    return found


def _entry(name: str) -> _Entry:
    entries = _entries()
    if name not in entries:
        near = difflib.get_close_matches(name, entries, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(entries)}"
        raise ZooError(f"unknown model {name!r}: {hint}")
    return entries[name]


@functools.cache
def _entries() -> dict[str, _Entry]:
    files = sorted(file for folder in zoo.__path__ for file in Path(folder).glob("*.py"))
    entries = [entry for file in files for entry in _in_file(file)]
    entries.sort(key=lambda entry: entry.card.table_row or math.inf)  # stable: newer ones by file, in its order
    return {entry.card.name: entry for entry in entries}


def _in_file(file: Path) -> list[_Entry]:
    """The networks that a file defines, in its order."""
    text = file.read_text("utf-8")
    if "@network(" not in text:
        return []
    constants: dict[str, ast.expr] = {}
    found = []
    for node in ast.parse(text).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            constants[node.targets[0].id] = node.value
        if isinstance(node, ast.FunctionDef):
            found += [
                _Entry(_card(decorator.args[0], constants), f"zoo.{file.stem}", node.name)
                for decorator in node.decorator_list
                if isinstance(decorator, ast.Call) and isinstance(decorator.func, ast.Name)
                if decorator.func.id == "network"
            ]
    return found


def _card(call: ast.expr, constants: dict[str, ast.expr]) -> ModelCard:
    def value(node: ast.expr) -> Any:
        return ast.literal_eval(_Literals(constants).visit(node))

    assert isinstance(call, ast.Call)
    return ModelCard(
        *(value(argument) for argument in call.args),
        **{keyword.arg: value(keyword.value) for keyword in call.keywords if keyword.arg},
    )


class _Literals(ast.NodeTransformer):
    """Replaces the names of a file's constants by what they are."""

    def __init__(self, constants: dict[str, ast.expr]) -> None:
        self.constants = constants

    def visit_Name(self, node: ast.Name) -> ast.expr:
        return self.visit(self.constants[node.id]) if node.id in self.constants else node
