"""Measurement of pose networks: each command is a folder with a ``__main__``; ``python -m bench`` lists them."""

import os.path
import sys

# As python -m bench.NAME looks for the command, or the installed lightpose does: from here on Ctrl-C is one line.
if sys.argv[0] == "-m" or os.path.basename(sys.argv[0]).startswith("lightpose"):  # noqa: PTH119 - takes no import
    from bench.core import interrupts

    interrupts.end_at_once()
