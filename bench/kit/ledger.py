"""Finished sets on disk, one JSON object a line, each surely there before the next set begins.

As ``bench.core.unfinished``, without the packages that this needs. A damaged line counts as not there.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench.kit.console import say


class Ledger:
    """What was finished, by work and part.

    Args:
        path: of the file; it is there while a run is unfinished.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    def parts(self, work: str) -> dict[str, dict[str, Any]]:
        """The finished parts of a piece of work, by name."""
        return {line["part"]: line["content"] for line in self._lines() if line["work"] == work}

    def add(self, work: str, part: str, content: dict[str, Any]) -> None:
        """Once this returns, no power cut loses it.

        Raises:
            OSError: it cannot be written; what was there before is kept.
        """
        append_line(self.path, json.dumps({"work": work, "part": part, "content": content}, separators=(",", ":")))

    def drop(self, works: set[str]) -> None:
        """Forget pieces of work: they have their records, or cannot get any."""
        if not self.path.exists():
            return
        kept = [json.dumps(line, separators=(",", ":")) for line in self._lines() if line["work"] not in works]
        if not kept:
            self.path.unlink()
            return
        new = self.path.with_name(self.path.name + ".new")
        with new.open("w", encoding="utf-8") as file:
            file.writelines(line + "\n" for line in kept)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def _lines(self) -> Iterator[dict[str, Any]]:
        kinds = {"work": str, "part": str, "content": dict}
        return (line for line in lines(self.path) if all(isinstance(line.get(key), kinds[key]) for key in kinds))


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects in a file, one a line; what else is there counts as not there."""
    if not path.exists():
        return
    with path.open("rb") as file:
        for text in file:
            line = _object(text)
            if line is not None:
                yield line


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and wait until the disk has it.

    A last line without its newline gets one if it is a whole object, as an editor may leave it, and is cut off, which
    is said, if not, as a power cut leaves it.

    Raises:
        OSError: it cannot be written; the file is left as it was, without the half of a line.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:  # closing it is to write nothing
        start, tail = _last_line(file)
        end, left = start + len(tail), line.encode() + b"\n"
        if tail and _object(tail) is not None:
            left = b"\n" + left
        elif tail:
            say(f"warning: {path}: cut off a half-written last line of {len(tail)} bytes")
            end = start
        try:
            file.truncate(end)
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(end)
            error.filename = str(path)
            raise


def _object(line: bytes) -> dict[str, Any] | None:
    """The object that a line holds, maybe after an editor's byte-order mark; nothing where it holds anything else."""
    with contextlib.suppress(ValueError, RecursionError):
        found = json.loads(line.decode("utf-8-sig"))
        if isinstance(found, dict):
            return found
    return None


def _last_line(file: Any) -> tuple[int, bytes]:
    """Where what follows the last newline begins, and that; nothing where the file ends with a newline."""
    start = file.seek(0, os.SEEK_END)
    tail = b""
    while start:
        size = min(2**16, start)
        file.seek(start - size)
        block = file.read(size)
        found = block.rfind(b"\n")
        if found >= 0:
            return start - size + found + 1, block[found + 1 :] + tail
        start, tail = start - size, block + tail
    return 0, tail
