"""Measurement of pose networks: each command is a folder with a ``__main__``; ``python -m bench`` lists them."""

# What signal is made of: importing signal itself takes milliseconds, in which Ctrl-C is a traceback.
import _signal  # type: ignore[import-not-found]
import os.path
import sys

# As python -m bench.NAME looks for the command, or the installed lightpose does: from here on Ctrl-C ends it, without a
# word at first, then with one line.
_OURS = sys.argv[0] == "-m" and any(part == "bench" or part.startswith("bench.") for part in sys.orig_argv)
if _OURS or os.path.basename(sys.argv[0]).partition(".")[0] == "lightpose":  # noqa: PTH119 - takes no import
    if _signal.getsignal(_signal.SIGINT) is _signal.default_int_handler:
        _signal.signal(_signal.SIGINT, _signal.SIG_DFL)
    from bench.core import interrupts

    interrupts.end_at_once()
