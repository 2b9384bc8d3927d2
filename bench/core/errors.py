"""Errors that a command reports as one line."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import re
import signal

_NO_MEMORY = re.compile(
    r"out of memory|allocate memory(?! in static TLS)|unable to allocate|insufficient memory|MemoryError|bad.alloc",
    re.I,
)
_ASKED_FOR = re.compile(r"(?:allocate|size) ([0-9]+(?:\.[0-9]+)?) ?(bytes|[KMGTPE]i?B)?", re.I)
_KILLED = 9  # SIGKILL, which Windows does not name
_LESS = "give fewer or smaller things at a time"


class InputError(ValueError):
    """Bad usage or bad input: one line that says what was wrong, where, and what would be right."""


def described(error: BaseException) -> str:
    """An exception of a library or of a user's own code, on one line; of memory, how much was asked for."""
    text = _in_limits(text_of(error))
    if (cause := _of_memory(error)) is not None:
        found = _ASKED_FOR.search(text_of(cause))
        asked = f", {_size(*found.groups())} asked for at once" if found else ""
        return f"out of memory{asked}: {_LESS}"
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def text_of(error: BaseException) -> str:
    """What an exception says, on one line; nothing where that fails, as code of a user's own may."""
    try:
        return " ".join(str(error).split())
    except Exception:
        return ""


def _in_limits(text: str) -> str:
    return text if len(text) <= 800 else f"{text[:500]} ... {text[-200:]}"


def is_of_memory(error: BaseException) -> bool:
    """Whether memory could not be had, whichever library says so; also where a library made another error of that."""
    return _of_memory(error) is not None


def _of_memory(error: BaseException | None) -> BaseException | None:
    """The error, or the one that it was made of, that says so."""
    while error is not None and not (isinstance(error, MemoryError) or _NO_MEMORY.search(text_of(error))):
        error = error.__cause__
    return error


def _size(number: str, unit: str | None) -> str:
    """``824.6 GB`` of a number of bytes; what has a unit already stays as it is."""
    if unit and unit.lower() != "bytes":
        return f"{number} {unit}"
    return bytes_text(float(number))


def bytes_text(size: float) -> str:
    """A number of bytes as ``824.6 GB``."""
    units = ["bytes", "kB", "MB", "GB", "TB", "PB"]
    while size >= 1000 and len(units) > 1:
        size /= 1000
        units.pop(0)
    return f"{size:.4g} {units[0]}"


def first_line(error: object) -> str:
    """What an exception says first, for a message of one line."""
    return next(iter(str(error).strip().splitlines()), "no message")


def in_short(error: BaseException) -> str:
    """``described`` by the first line alone: converters tell long stories."""
    return described(error) if is_of_memory(error) else f"{type(error).__name__}: {first_line(error)}"


def last_line(text: str, otherwise: str = "no message") -> str:
    """What a process said last, which is why it failed."""
    return next(reversed(text.strip().splitlines()), otherwise)


def how_it_died(status: int, said: str) -> str:
    """How a process ended that gave no answer, on one line, for a message that begins with whose it was.

    Args:
        status: as ``subprocess`` has it: minus the number of the signal that ended it.
        said: what it printed; the last line tells why, or the text of an exception of C++ that nothing caught.
    """
    if status == -_KILLED:
        return f"was killed (signal {_KILLED}), most likely for want of memory: {_LESS}"
    thrown = re.findall(r"what\(\): *(.*)", said)
    last = RuntimeError((thrown or [last_line(said)])[-1][:300])
    if is_of_memory(last):
        return f"died: {described(last)}"
    died = f"died {_of_signal(-status) if status < 0 else f'with status {status}'}"
    return f"{died}: {last}" if said else died


def _of_signal(number: int) -> str:
    with contextlib.suppress(ValueError):
        return f"of {signal.Signals(number).name} (signal {number})"
    return f"of signal {number}"
