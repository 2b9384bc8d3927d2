"""What Ctrl-C does before there is anything to lose, and afterwards."""

import math
import os
import signal
import time
from types import FrameType


def end_at_once() -> None:
    """While a command still imports what it needs: one line and exit status 130, whatever is being imported."""
    if signal.getsignal(signal.SIGINT) in (signal.default_int_handler, signal.SIG_DFL):  # workers ignore Ctrl-C
        signal.signal(signal.SIGINT, _end)


def raise_in_python() -> None:
    """From now on Ctrl-C is a ``KeyboardInterrupt``, which the command itself deals with."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, _raise)


def received() -> bool:
    """Whether Ctrl-C was pressed: what is imported then may turn it into an error of its own, as NumPy does."""
    return _received


def ignore() -> None:
    """All is done or said, and what remains is to leave."""
    if signal.getsignal(signal.SIGINT) in (_end, _raise, signal.default_int_handler):
        signal.signal(signal.SIGINT, signal.SIG_IGN)


_received = False
_last = -math.inf
_ONCE_S = 0.5  # what a terminal sends to all, the process that waits passes on as well


def _raise(_signal: int, _frame: FrameType | None) -> None:
    global _received, _last
    _received = True
    again, _last = time.monotonic() - _last < _ONCE_S, time.monotonic()
    if not again:
        raise KeyboardInterrupt


def _end(_signal: int, _frame: FrameType | None) -> None:
    os.write(2, b"interrupted before anything was measured\n")
    os._exit(130)
