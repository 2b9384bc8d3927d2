"""Annotations and predictions, checked as they become arrays."""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from bench.core.arrays import Float64Array, Int64Array
from bench.core.errors import InputError


def ids(items: Sequence[Mapping[str, Any]], key: str, name: Callable[[int], str]) -> Int64Array:
    """One whole number of all items.

    Raises:
        InputError: an item has it not.
    """
    for number, item in enumerate(items):
        if not isinstance(item, Mapping) or not isinstance(item.get(key), (int, np.integer)):
            raise InputError(f"{name(number)}: {key} is not a whole number")
    return np.array([item[key] for item in items], np.int64)


def column(
    items: Sequence[Mapping[str, Any]], key: str, shape: tuple[int, ...], name: Callable[[int], str]
) -> Float64Array:
    """One field of all items as an array ``[N, *shape]``.

    Raises:
        InputError: an item has it not, or not in this shape, or not finite; the message gives the item's name.
    """
    if not items:
        return np.empty((0, *shape))
    with contextlib.suppress(KeyError, TypeError, ValueError):
        values = np.array([item[key] for item in items], np.float64)
        if values.shape == (len(items), *shape) and np.isfinite(values).all():
            return values
    for number, item in enumerate(items):
        if key not in item:
            raise InputError(f"{name(number)} has no {key}")
        try:
            value = np.array(item[key], np.float64)
        except (TypeError, ValueError):
            value = np.array(np.nan)
        if value.shape != shape:
            wanted = " x ".join(map(str, shape)) or "1"
            raise InputError(f"{name(number)}: {key} is not {wanted} numbers")
        if not np.isfinite(value).all():
            raise InputError(f"{name(number)}: {key} holds what is not a finite number")
    raise AssertionError("an array of good items is good")
