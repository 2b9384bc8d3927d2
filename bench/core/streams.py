"""Standard streams that are closed, that nobody reads, or that cannot write every letter."""

import codecs
import io
import os
import sys
from typing import NoReturn

WRITTEN_OUT = "bench.written_out"  # what becomes of a letter that an encoding does not have


def open_what_is_closed() -> None:
    """A standard stream that was closed from the start goes nowhere, rather than to the next file that is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def write_every_letter() -> None:
    """A letter that a stream's encoding does not have is written out as ``\\u2014``, which JSON reads as that letter.

    Consoles of Windows and locales such as ``de_DE`` have some 200 letters, and a command whose work is done is not to
    fail on the others.
    """
    codecs.register_error(WRITTEN_OUT, _written_out)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors=WRITTEN_OUT)


def _written_out(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return "".join(f"\\u{units[at] << 8 | units[at + 1]:04x}" for at in range(0, len(units), 2)), error.end


def forget_output() -> None:
    """What still waits for standard output goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def leave_quietly() -> NoReturn:
    """Standard output was closed by its reader, as ``| head`` does: nobody wants the rest."""
    forget_output()
    sys.exit(0)
