"""Standard streams that are closed, or that nobody reads."""

import os
import sys
from typing import NoReturn


def open_what_is_closed() -> None:
    """A standard stream that was closed from the start goes nowhere, rather than to the next file that is opened."""
    for number in range(3):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)
    sys.stdout = sys.stdout or os.fdopen(1, "w", closefd=False)
    sys.stderr = sys.stderr or os.fdopen(2, "w", closefd=False)


def forget_output() -> None:
    """What still waits for standard output goes nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def leave_quietly() -> NoReturn:
    """Standard output was closed by its reader, as ``| head`` does: nobody wants the rest."""
    forget_output()
    sys.exit(0)
