"""What a run says on a console that may be slow and old."""

from __future__ import annotations  # this file is read by Python 3.9 too

import sys


def say(text: str) -> None:
    """A line, in letters that any console has."""
    print(text.encode("ascii", "replace").decode(), file=sys.stderr, flush=True)
