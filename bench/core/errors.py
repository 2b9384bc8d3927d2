"""Errors that a command reports as one line."""

from __future__ import annotations  # this file is read by Python 3.9 too


class InputError(ValueError):
    """Bad usage or bad input: one line that says what was wrong, where, and what would be right."""


def first_line(error: object) -> str:
    """What an exception says first, for a message of one line."""
    return next(iter(str(error).strip().splitlines()), "no message")


def last_line(text: str, otherwise: str = "no message") -> str:
    """What a process said last, which is why it failed."""
    return next(reversed(text.strip().splitlines()), otherwise)
