"""Measurement of pose networks: each command is a folder with a ``__main__``; ``python -m bench`` lists them."""

import sys

if sys.argv[0] == "-m":  # python -m bench.NAME looks for the command: from here on Ctrl-C ends it with one line
    from bench.core import interrupts

    interrupts.end_at_once()
