"""Processes that end with the one that started them."""

import ctypes
import signal
import sys

_END_WITH_PARENT = 1  # PR_SET_PDEATHSIG of Linux


def start_worker(_: int = 0) -> None:
    """What a process that makes data does first: leave Ctrl-C to its parent, and end with it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    if sys.platform == "linux":  # a worker that waits to hand over a batch would wait for ever
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
