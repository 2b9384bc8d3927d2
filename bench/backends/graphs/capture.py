"""Tracing: the function that a network computes, whatever modules, closures and default arguments it is made of."""

import functools
import hashlib
import operator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench.backends.graphs.operators import argument, aten, calls, quiet, tidy
from bench.core.errors import InputError, in_short

END = 2**63 - 1  # the end of an open slice


@dataclass(frozen=True)
class Captured:
    """A traced network."""

    program: Any  # torch.export.ExportedProgram
    example: Tensor

    @functools.cached_property
    def _digest(self) -> "hashlib._Hash":
        digest = hashlib.sha256()
        x = self.example
        for part in (tuple(x.shape), x.stride(), x.dtype, str(x.device), torch.__version__):
            digest.update(repr(part).encode() + b"\0")
        for source in sorted(Path(__file__).parents[1].rglob("*.py")):  # the rewrites
            digest.update(source.read_bytes())
        _add_graph(digest, self.program.graph_module)
        signature = self.program.graph_signature
        tensors = dict(self.program.state_dict) | dict(self.program.constants)
        for placed in signature.input_specs:
            if placed.target is not None:
                _add_value(digest, placed.target, tensors.get(placed.target))
        digest.update(repr([(spec.kind, spec.target) for spec in signature.output_specs]).encode())
        return digest

    def key(self, *also: object) -> str:
        """A hash of everything that decides the result: operators and their connections, attributes, constants,
        weights, the input, versions, and ``also``."""
        digest = self._digest.copy()
        for part in also:
            if isinstance(part, Tensor):
                _add_value(digest, "", part)
            else:
                digest.update(repr(part).encode() + b"\0")
        return digest.hexdigest()[:32]

    def graph(self) -> fx.GraphModule:
        """The network as a functional graph: no operator changes a tensor in place. Each call returns a new graph.

        Raises:
            InputError: it cannot be written so.
        """
        try:
            with quiet(), torch.no_grad(), torch.inference_mode(False):
                traced = self.program.run_decompositions({}).module()
        except Exception as error:
            raise _untraceable(error) from error
        # Tensors by flat names: a graph looks each up at every call, one attribute instead of a path of them.
        tensors: dict[str, Any] = {}
        for node in list(traced.graph.nodes):
            if node.op == "call_module" and node.target == "_guards_fn":  # checks of the input, newer versions of torch
                traced.graph.erase_node(node)
            if node.op == "get_attr":
                value = operator.attrgetter(node.target)(traced)
                node.target = node.target.replace(".", "_")
                tensors[node.target] = value.detach() if isinstance(value, Tensor) else value
        traced.graph._tracer_cls = (
            None  # torch 2.11 cannot read a graph back from a file with torch.export's own tracer
        )
        graph = fx.GraphModule(tensors, traced.graph)
        for node in calls(graph, aten.slice.Tensor):
            if [argument(node, index) for index in (2, 3, 4)] in ([0, END, 1], [None, None, 1]):
                node.replace_all_uses_with(node.args[0])  # torch 2.6 writes the colon of x[:, 1:] down
        tidy(graph)
        return graph


def capture(model: nn.Module, example: Tensor) -> Captured:
    """Trace a network for inputs of the example's very shape.

    Args:
        model: in evaluation mode; it stays as it is.
        example: ``[N, 3, H, W]`` on the model's device and in its precision.

    Raises:
        InputError: it cannot be traced, for example because its path depends on the values of its input.
    """
    try:
        with quiet(), torch.no_grad(), torch.inference_mode(False):
            # An inference tensor cannot be traced; a copy made here is none.
            return Captured(torch.export.export(model, (example.clone(),)), example)
    except Exception as error:
        raise _untraceable(error) from error


def _untraceable(error: Exception) -> InputError:
    return InputError(f"cannot be traced as a graph: {in_short(error)}")


def _add_graph(digest: "hashlib._Hash", module: fx.GraphModule) -> None:
    """Operators, their arguments, and how they are connected; nodes by number, as names come from modules."""
    numbers: dict[fx.Node, str] = {}
    for node in module.graph.nodes:
        numbers[node] = f"%{len(numbers)}"
        shown = fx.node.map_arg((node.args, node.kwargs), functools.partial(_reference, numbers))
        target = "" if node.op == "placeholder" else str(node.target)
        digest.update(f"{node.op} {target} {shown!r}\n".encode())
        if node.op == "get_attr":
            value = operator.attrgetter(node.target)(module)
            if isinstance(value, fx.GraphModule):
                _add_graph(digest, value)
            else:
                _add_value(digest, "", value)


def _reference(numbers: dict[fx.Node, str], node: fx.Node) -> Any:
    return _Reference(numbers[node])


@dataclass(frozen=True)
class _Reference:
    """A node by its number."""

    number: str

    def __repr__(self) -> str:
        return self.number


def _add_value(digest: "hashlib._Hash", name: str, value: Any) -> None:
    if isinstance(value, Tensor):
        flat = value.detach().cpu().flatten().contiguous()  # as bytes, since NumPy has no bfloat16
        digest.update(
            f"{name} {value.dtype} {tuple(value.shape)}\n".encode() + flat.view(torch.uint8).numpy().tobytes()
        )
    else:
        digest.update(f"{name} {value!r}\n".encode())
