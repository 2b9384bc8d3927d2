"""Parity: whether two runs of a network computed the same."""

from __future__ import annotations  # this file is read by Python 3.9 too

from collections.abc import Callable, Sequence

import numpy as np

from bench.core.errors import InputError

# Largest difference to eager in float32, relative to the largest output, that counts as the same function. Int8 is
# another function: its bound only separates a quantised network from a broken one; accuracy measures its cost.
TOLERANCE = {"fp32": 1e-4, "tf32": 2e-2, "fp16": 2e-2, "bf16": 1e-1, "int8": 0.5}
# Times the change of a network's outputs where its input changes by the last bit, so much may it differ: runtimes
# sum in other orders at every layer, and some networks amplify that as much as they amplify such a change.
ROUNDINGS = 10.0
# The last bit of these types, in last bits of float32. In half precision the zoo's networks differ by 0.1 to 1.0 times
# their change in float32 multiplied by this (docs/backends.md, "Rounding").
LAST_BIT = {"fp32": 1, "tf32": 2**13, "fp16": 2**13, "bf16": 2**16}
# However much it amplifies: beyond that nobody can tell what is the same function.
MOST = {"fp32": 2e-2, "tf32": 1e-1, "fp16": 1e-1, "bf16": 1e-1}
CHANCE = "dropout may be on in evaluation mode, as functional.dropout is unless told otherwise"


class ParityError(Exception):
    """A backend computes something other than eager; it is not timed."""


def difference(
    expected: Sequence[np.ndarray], found: Sequence[np.ndarray], who: str = "the backend", reference: str = "eager"
) -> float:
    """Largest absolute difference divided by the largest absolute value, over all arrays of the outputs.

    Raises:
        ParityError: another number of arrays, another shape, or a value that is not finite.
    """
    if len(expected) != len(found):
        raise ParityError(f"{who} returns {len(found)} tensors and {reference} {len(expected)}")
    worst = largest = 0.0
    for number, (wanted, given) in enumerate(zip(expected, found)):
        if wanted.shape != given.shape:
            raise ParityError(f"{who} makes {_text(given)} and {reference} {_text(wanted)}")
        for whose, array in ((reference, wanted), (who, given)):
            if not np.isfinite(array).all():
                raise ParityError(_not_finite(number, whose, array))
        if wanted.size:
            worst = max(worst, float(np.abs(wanted.astype(np.float64) - given.astype(np.float64)).max()))
            largest = max(largest, float(np.abs(wanted).max()))
    return worst / largest if largest else worst


def last_bits(images: np.ndarray) -> np.ndarray:
    """The same float32 images with every value moved to the next one, up or down: what rounding does to an input."""
    up = np.random.default_rng(0).random(images.shape) < 0.5
    return np.nextafter(images, np.where(up, np.inf, -np.inf).astype(images.dtype))


def rounding(
    run: Callable[[np.ndarray], Sequence[np.ndarray]],
    images: np.ndarray,
    outputs: Sequence[np.ndarray],
    reference: str = "eager",
) -> float:
    """By how much a network's outputs differ where its input differs by ``last_bits``, relative to the largest.

    Args:
        run: the network.
        images: float32 ``[N, 3, H, W]``.
        outputs: what it makes of them.
        reference: what it is run by, for messages.

    Raises:
        ParityError: a value is not finite.
    """
    return difference(outputs, run(last_bits(images)), reference, reference)


def allowed(precision: str, rounding: float = 0.0) -> float:
    """The largest difference that counts as the same function.

    Args:
        precision: that it is computed in.
        rounding: of the reference in float32 (``rounding``).
    """
    usual = TOLERANCE[precision]
    if precision not in LAST_BIT:  # int8 is no rounding of the same numbers
        return usual
    return max(usual, min(ROUNDINGS * rounding * LAST_BIT[precision], MOST[precision]))


def check(
    expected: Sequence[np.ndarray], found: Sequence[np.ndarray], precision: str, who: str, reference: str = "eager",
    rounding: float = 0.0,
) -> float:  # fmt: skip
    """``difference``, if it is ``allowed``.

    Raises:
        ParityError: it is not.
    """
    worst, most = difference(expected, found, who, reference), allowed(precision, rounding)
    if not worst <= most:
        chance = f"; {reference} itself gives another answer each time: {CHANCE}" if rounding > MOST["fp32"] else ""
        raise ParityError(
            f"{who} ({precision}) differs from {reference} by {worst:.2g} of the largest output, more than {most:.2g}"
            f"{chance}"
        )
    return worst


def check_outputs(outputs: Sequence[object], who: str) -> list[np.ndarray]:
    """The outputs of a network, checked to be arrays of real floating-point numbers.

    Raises:
        InputError: it returned nothing, or something else, which could be neither compared nor decoded.
    """
    if not outputs:
        raise InputError(f"{who} returns nothing: its forward must return heatmaps (is a return missing?)")
    for output in outputs:
        if not isinstance(output, np.ndarray) or output.dtype.kind != "f":
            what = f"{output.dtype} numbers" if isinstance(output, np.ndarray) else type(output).__name__
            raise InputError(f"{who} returns {what}: real floating-point numbers are needed")
        if not output.size:
            raise InputError(f"{who} returns {_text(output)} numbers, which is none: heatmaps are needed")
    return [output for output in outputs if isinstance(output, np.ndarray)]


def check_finite(outputs: Sequence[np.ndarray], who: str) -> None:
    """For outputs that are compared with nothing: raises ``InputError`` if a value is NaN or infinite."""
    for number, output in enumerate(outputs):
        if not np.isfinite(output).all():
            raise InputError(_not_finite(number, who, output))


def _not_finite(number: int, who: str, array: np.ndarray) -> str:
    count = int(np.size(array) - np.isfinite(array).sum())
    return f"output {number} of {who} holds {count} values of {np.size(array)} that are not finite (NaN or infinity)"


def _text(array: np.ndarray) -> str:
    return "x".join(map(str, array.shape)) or "a single number"
