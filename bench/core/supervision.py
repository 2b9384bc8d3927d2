"""A command works in a child of the process that the user started, which waits for it and says how it ended.

A library that aborts, a crash in native code, the system that kills for want of memory, or code of the user's own that
ends the process behind Python's back: each is one line and exit status 2, and none of them passes for success. On Linux
only, where the kernel ends the child with its parent; elsewhere a command works in its own process.
"""

import contextlib
import mmap
import os
import signal
import sys
from collections.abc import Iterator
from types import FrameType
from typing import NoReturn

from bench.core import address_space
from bench.core.errors import how_it_died

SAID_BY_ITSELF = (2, 130)  # statuses of a child that has written its line before it left at once
_STATUS, _NAME, _LINE = 8, 1024, 4096  # bytes

# What the child says and its parent reads when the child has ended: its exit status, whose code it was running, and a
# line that it could not print itself.
_said: mmap.mmap | None = None


def work_in_child() -> int | None:
    """Return in a child process; in this one wait for it, and leave with the status that it reports.

    Returns:
        The process id of the parent; None where there is no child, and the caller goes on in its own process.
    """
    global _said
    if sys.platform != "linux":
        return None
    _said = mmap.mmap(-1, _STATUS + _NAME + _LINE)
    parent = os.getpid()
    sys.stdout.flush()  # or both would write what waits in it
    sys.stderr.flush()
    # No signal comes between: one that came before the fork is the parent's, and is passed on.
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGHUP})
    child = os.fork()
    received = _pass_on_signals(child) if child else []
    signal.pthread_sigmask(signal.SIG_SETMASK, before)
    if child:
        _, ended = os.waitpid(child, 0)
        _leave(_said, os.waitstatus_to_exitcode(ended), received)
    return parent


def report_end(status: int) -> None:
    """Say that the command comes to its end in good order, whatever happens to the process from now on."""
    if _said is not None:
        _said[:_STATUS] = str(status).encode().ljust(_STATUS, b"\0")


@contextlib.contextmanager
def running(name: str) -> Iterator[None]:
    """Around code of the user's own: if the process dies, it is named."""
    if _said is None:
        yield
        return
    place = slice(_STATUS, _STATUS + _NAME)
    before = _said[place]
    _said[place] = name.encode(errors="replace")[:_NAME].ljust(_NAME, b"\0")
    try:
        yield
    finally:
        _said[place] = before


def say_for_me(line: str) -> None:
    """Have the parent print a line on standard error, which is closed here."""
    if _said is not None:
        _said[_STATUS + _NAME :] = line.encode(errors="replace")[:_LINE].ljust(_LINE, b"\0")


def _pass_on_signals(child: int) -> list[int]:
    """What is sent to this process is meant for the child; returns the signals that came, in the end."""
    received: list[int] = []

    def pass_on(number: int, _frame: FrameType | None) -> None:
        received.append(number)
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, number)

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, pass_on)
    return received


def _leave(said: mmap.mmap, ended: int, received: list[int]) -> NoReturn:
    """Leave as the child has left, or say how it died.

    Args:
        said: by the child.
        ended: its exit status, or minus the number of the signal that ended it.
        received: signals that this process passed on.
    """
    parts = said[:_STATUS], said[_STATUS : _STATUS + _NAME], said[_STATUS + _NAME :]
    status, name, last = (part.rstrip(b"\0").decode(errors="replace") for part in parts)
    if last:
        with contextlib.suppress(OSError):
            os.write(2, last.encode())
    if status:
        os._exit(int(status))
    if -ended in received:
        signal.signal(-ended, signal.SIG_DFL)
        os.kill(os.getpid(), -ended)
    if ended not in SAID_BY_ITSELF:
        line = f"error: {_how(name, ended)}"
        with contextlib.suppress(OSError):
            os.write(2, f"{' '.join(line.split())}\n".encode())
    os._exit(ended if ended in SAID_BY_ITSELF else 2)


def _how(name: str, ended: int) -> str:
    if ended == 0:
        who = name or "something"
        return f"{who} ended the command's process, with exit(0) in a thread, in C or the like: it must return"
    return f"{name + ': ' if name else ''}the command's process {how_it_died(ended, '')}{address_space.hint()}"
