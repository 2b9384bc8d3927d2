"""JSON from somebody else, whose numbers and depth can do no harm."""

from __future__ import annotations  # this file is read by Python 3.9 too

import json
from typing import Any

LARGEST = 1e19  # of a number: seeds go up to 2^63
DEEPEST = 12


def loads(text: str) -> Any:
    """What a text holds.

    Raises:
        ValueError: it is no JSON (``json.JSONDecodeError``), is nested too deeply, or holds a number that is none, or
            is out of bounds.
    """
    try:
        value = json.loads(text, parse_constant=_constant)
    except RecursionError:
        raise ValueError("is nested too deeply") from None
    _check(value, 0)
    return value


def _constant(name: str) -> float:
    raise ValueError(f"holds {name}, which is no number")


def _check(value: Any, depth: int) -> None:
    if depth > DEEPEST:
        raise ValueError("is nested too deeply")
    if isinstance(value, dict):
        for one in value.values():
            _check(one, depth + 1)
    elif isinstance(value, list):
        for one in value:
            _check(one, depth + 1)
    elif isinstance(value, (int, float)) and not abs(value) <= LARGEST:
        raise ValueError(f"holds a number beyond {LARGEST:g}")
