"""Where a backend's numbers part from float32: layer by layer, the first large difference.

Half precision cannot hold values above 65,504; int8 cannot hold small values beside a few that are far larger. Either
ruins the output, and only the layers between tell where it began.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.backends import catalogue, precisions
from bench.backends.families.pytorch import arrays
from bench.backends.profiles import ROOT, Value
from bench.core.errors import InputError
from bench.timing import parity

HALF = {"fp16": 65_504.0, "bf16": float(torch.finfo(torch.bfloat16).max)}  # the largest number of each


@dataclass(frozen=True)
class Boundary:
    """What one operator or module puts out, compared with float32."""

    layer: str
    name: str  # of the operator, or of the module's class
    difference: float  # root mean square of the difference over that of the values: a usual channel's; or infinity
    largest: float  # value in float32, without its sign
    usual: float  # root mean square of the values in float32: a usual channel's
    not_finite: int  # values that are no number, or infinity


@dataclass(frozen=True)
class Differences:
    """All boundaries in the order in which the network computes them."""

    boundaries: tuple[Boundary, ...]
    tolerance: float
    precision: str
    backend: str

    @property
    def first(self) -> int | None:
        """The place of the first large difference."""
        large = (index for index, one in enumerate(self.boundaries) if not one.difference <= self.tolerance)
        return next(large, None)

    def sentence(self) -> str:
        """What was found, in words; every number is one of the boundaries'."""
        if self.first is None:
            worst = max(self.boundaries, key=lambda one: one.difference)
            return (
                f"no layer differs from float32 by more than {self.tolerance:g} of its values; the most, {worst.layer} "
                f"({worst.name}), by {worst.difference:.2g}"
            )
        found = self.boundaries[self.first]
        before = self.boundaries[self.first - 1] if self.first else None
        began = f"; what is computed before it, {before.layer}, by {before.difference:.2g}" if before else ""
        where = f"{found.layer} ({found.name})"
        if found.not_finite:
            end = HALF.get(self.precision, np.inf)
            why = f", and {self.precision} ends at {end:,.0f}" if found.largest > end else ""
            return (
                f"the first large difference is at {where}: {found.not_finite:,} of its values are not finite in "
                f"{self.precision}; in float32 the largest is {found.largest:,.6g}{why}"
            )
        return (
            f"the first large difference is at {where}: it differs from float32 by {found.difference:.2g} of its values"
            f"{began}; its largest value is {found.largest / found.usual if found.usual else np.inf:,.0f} times what a "
            "channel usually holds"
        )

    def to_json(self) -> dict[str, Any]:
        told = [asdict(one) | {"difference": min(one.difference, 1e30)} for one in self.boundaries]
        return {
            "backend": self.backend, "precision": self.precision, "tolerance": self.tolerance, "boundaries": told,
            "first": self.first, "says": self.sentence(),
        }  # fmt: skip


def find(model: nn.Module, example: Tensor, backend: str, *, precision: str = "fp32", threads: int = 0) -> Differences:
    """Compare a backend with float32 at every layer.

    A quantised or rounded file is compared with the same file in float32, whose outputs are compared with eager's. A
    network in PyTorch, and one in half precision in a runtime that shows nothing between, is compared with eager,
    module by module.

    Raises:
        InputError: the backend shows nothing between input and output, or its file in float32 differs from eager.
    """
    resolved = catalogue.resolve(backend, str(example.device), precision)
    if catalogue.shows_values(backend) and example.device.type == "cpu":
        images = example.contiguous().numpy()
        wanted = catalogue.values(catalogue.build_unquantised(backend, model, example), images, threads=threads)
        _check(model, example, wanted, backend)
        artifact = catalogue.build(backend, model, example, precision=precision, threads=threads)
        given = catalogue.values(artifact, images, threads=threads)
    elif resolved in HALF:
        wanted = module_values(model, example)
        given = module_values(*precisions.cast(model, example, resolved))
    else:
        raise InputError(
            f"backend {backend} ({resolved}) shows nothing between its input and its outputs: give --backend "
            "onnxruntime_int8 or openvino_int8, or --precision fp16 or bf16"
        )
    return compare(wanted, given, resolved, backend)


def compare(wanted: Sequence[Value], given: Sequence[Value], precision: str, backend: str) -> Differences:
    """The differences of tensors that both have, in the order of the first."""
    by_name = {value.tensor: value for value in given}
    boundaries = [_boundary(one, by_name[one.tensor].array) for one in wanted if one.tensor in by_name]
    if not boundaries:
        raise InputError(f"backend {backend} has no tensor in common with float32: nothing can be compared")
    return Differences(tuple(boundaries), parity.TOLERANCE[precision], precision, backend)


def _boundary(wanted: Value, given: np.ndarray) -> Boundary:
    expected, found = (array.astype(np.float64) for array in (wanted.array, given))
    usual, largest = _channels(expected), float(np.abs(expected).max(initial=0.0))
    finite = np.isfinite(found)
    difference = np.inf
    if expected.shape == found.shape and finite.all():
        parts = [apart / own for apart, own in zip(_channels(expected - found), usual, strict=True) if own]
        difference = float(np.median(parts)) if parts else float(np.abs(found).max(initial=0.0))
    holds = float(np.median([own for own in usual if own] or [0.0]))
    return Boundary(wanted.layer, wanted.name, difference, largest, holds, int((~finite).sum()))


def _channels(values: np.ndarray) -> list[float]:
    """Root mean squares of the channels of ``[N, C, ...]``, or of all values where there are none.

    Of channels, because one that is far larger than the others hides what became of these.
    """
    rows = np.moveaxis(values, 1, 0).reshape(values.shape[1], -1) if values.ndim >= 3 else values.reshape(1, -1)
    return [float(value) for value in np.sqrt(np.mean(rows**2, axis=1))]


def _check(model: nn.Module, example: Tensor, values: Sequence[Value], backend: str) -> None:
    """The file in float32 must be the network; where it is not, the last module that it has tells where it begins."""
    modules = module_values(model, example)
    outputs = _outputs(modules)
    rounding = parity.rounding(
        lambda images: _outputs(module_values(model, torch.from_numpy(images))), example.numpy(), outputs
    )
    try:
        parity.check(outputs, _outputs(values), "fp32", f"backend {backend}", rounding=rounding)
    except parity.ParityError as error:
        known = [index for index, one in enumerate(modules) if any(_equal(one.array, value.array) for value in values)]
        after = modules[known[-1] + 1 if known else 0]
        last = f" after {modules[known[-1]].layer}" if known else ""
        raise InputError(f"{error}, in float32 too: it begins{last} at {after.layer} ({after.name})") from error


def _outputs(values: Sequence[Value]) -> list[np.ndarray]:
    return [value.array for value in values if value.is_output]


def _equal(wanted: np.ndarray, given: np.ndarray) -> bool:
    """Whether both hold the same, to rounding."""
    return wanted.shape == given.shape and bool(
        np.abs(wanted - given).max(initial=0.0) <= 10 * parity.TOLERANCE["fp32"] * np.abs(wanted).max(initial=0.0)
    )


def module_values(model: nn.Module, example: Tensor) -> list[Value]:
    """What every module puts out, in order, of all calls."""
    found: list[Value] = []
    with torch.inference_mode(), _noting(model, found):
        model(example)
    return found


@contextmanager
def _noting(model: nn.Module, found: list[Value]) -> Iterator[None]:
    calls: dict[str, int] = {}

    def note(path: str) -> Any:
        def hook(module: nn.Module, inputs: Any, output: Any) -> None:
            calls[path] = calls.get(path, 0) + 1
            for number, array in enumerate(arrays(output)):
                name = f"{path}:{calls[path]}:{number}"
                found.append(Value(name, path, type(module).__name__, array.astype(np.float32), is_output=path == ROOT))

        return hook

    hooks = [module.register_forward_hook(note(path or ROOT)) for path, module in model.named_modules()]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()
