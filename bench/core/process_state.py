"""What of this process belongs to the command: put back after code of the user's own has run in it."""

import contextlib
import functools
import os
import signal
import sys
import threading
from collections.abc import Iterator
from typing import Any, TextIO

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


class FilesClosedError(Exception):
    """Files are closed, or lead elsewhere, that are the command's own: nothing can be relied on any more."""


@contextlib.contextmanager
def kept() -> Iterator[None]:
    """Around code of the user's own: working folder, arguments, streams and signals are the command's again afterwards.

    What the code prints goes to standard error, as standard output is for results. A process that it has forked, and
    that comes out of it as this one does, ends here: it would do the command's work a second time.

    Raises:
        FilesClosedError: it closed standard output, standard error, or all files that it could find.
    """
    if threading.current_thread() is not threading.main_thread():  # what is put back belongs to all threads
        yield
        return
    process, files = os.getpid(), _files()
    folder, argv, streams = _folder(), (sys.argv, list(sys.argv)), (sys.stdin, sys.stdout, sys.stderr)
    handlers = {number: signal.getsignal(number) for number in _SIGNALS}
    sys.stdout = sys.stderr
    try:
        yield
    finally:
        if os.getpid() != process:
            os._exit(0)
        sys.stdin, sys.stdout, sys.stderr = streams[0], _opened(streams[1], 1), _opened(streams[2], 2)
        sys.argv, sys.argv[:] = argv
        for number, handler in handlers.items():
            if handler is not None and signal.getsignal(number) is not handler:  # none: not set by Python
                signal.signal(number, handler)
        if folder is not None and _folder() != folder:
            with contextlib.suppress(OSError):
                os.chdir(folder)
        if _files() != files:
            raise FilesClosedError


def _opened(stream: TextIO, number: int) -> TextIO:
    """A stream, made anew if it was closed: the file below stays open then."""
    return os.fdopen(number, "w", buffering=1, closefd=False) if getattr(stream, "closed", False) else stream


def _folder() -> str | None:
    """None of a folder that was removed."""
    with contextlib.suppress(OSError):
        return os.getcwd()  # noqa: PTH109  at every inference
    return None


def _files() -> list[Any]:
    """What standard output, standard error, and a file that nobody else knows of lead to."""
    return [_file(number) for number in (1, 2, _unknown_file())]


def _file(number: int) -> Any:
    with contextlib.suppress(OSError):
        status = os.fstat(number)
        return status.st_dev, status.st_ino
    return None


@functools.cache
def _unknown_file() -> int:
    """Open for as long as this process runs; whoever closes it closes everything."""
    return os.open(os.devnull, os.O_RDONLY)
