"""What libraries print from C++, past ``sys.stdout``: kept out of the output of commands."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator


@contextlib.contextmanager
def caught() -> Iterator[list[str]]:
    """While it lasts, all output of this process goes into a file; its lines are in the list afterwards."""
    lines: list[str] = []
    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as file:
        kept = [os.dup(number) for number in (1, 2)]
        try:
            for number in (1, 2):
                os.dup2(file.fileno(), number)
            yield lines
        finally:
            sys.stdout.flush()
            sys.stderr.flush()
            for number, copy in zip((1, 2), kept):
                os.dup2(copy, number)
                os.close(copy)
            file.seek(0)
            text = file.read().decode(errors="replace")
            lines.extend(line.strip() for line in text.splitlines() if line.strip())
