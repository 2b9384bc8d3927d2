"""One run at a time: two that time at once would measure each other."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import json
import os
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.core.errors import InputError


@contextlib.contextmanager
def alone(path: Path) -> Iterator[None]:
    """Holds a lock file while the block runs; one that a killed run or a power cut left is removed.

    Raises:
        InputError: another run holds it.
        OSError: it cannot be written.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    _remove_if_stale(path)
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        raise InputError(_taken(path)) from None
    try:
        os.write(descriptor, json.dumps(_me(os.getpid())).encode())
        os.fsync(descriptor)
        yield
    finally:
        os.close(descriptor)
        with contextlib.suppress(FileNotFoundError):
            path.unlink()


def _remove_if_stale(path: Path) -> None:
    try:
        text = path.read_text(errors="replace")
    except OSError:
        return
    if sys.platform != "win32" and (_is_running(text) or (not text and _is_new(path))):
        return
    aside = path.with_name(f"{path.name}.{os.getpid()}")
    try:
        path.replace(aside)  # on Windows not while its process has it open
        if aside.read_text(errors="replace") != text:  # another run has just begun, and this is its lock
            aside.replace(path)
            raise InputError(_taken(path))
        aside.unlink()
    except OSError:
        return


def _is_running(text: str) -> bool:
    try:
        told = json.loads(text)
        pid = int(told["pid"])
    except (ValueError, KeyError, TypeError):
        return False  # a power cut came between its name and its content
    return bool(told == _me(pid)) and _exists(pid)


def _is_new(path: Path) -> bool:
    """Whether its process may be about to write its content."""
    try:
        return abs(time.time() - path.stat().st_mtime) < 10
    except OSError:
        return True


def _exists(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except PermissionError:
        return True
    except (OSError, OverflowError):
        return False
    return True


def _me(pid: int) -> dict[str, Any]:
    """What tells a process from another one that got its number later, or after the next boot."""
    told: dict[str, Any] = {"pid": pid}
    with contextlib.suppress(OSError):
        told["boot"] = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with contextlib.suppress(OSError, IndexError):
        # The name, in parentheses, may hold anything; the 20th entry after it is when the process started.
        told["started"] = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[19]
    return told


def _taken(path: Path) -> str:
    return f"another run of this kit is going on (by its lock {path}): wait until it has ended"
