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
        return (line for line in lines(self.path) if {"work", "part", "content"} <= line.keys())


def lines(path: Path) -> Iterator[dict[str, Any]]:
    """The JSON objects in a file, one a line; what else is there counts as not there."""
    if not path.exists():
        return
    with path.open(encoding="utf-8", errors="replace") as file:
        for text in file:
            with contextlib.suppress(ValueError, RecursionError):
                line = json.loads(text)
                if isinstance(line, dict):
                    yield line


def append_line(path: Path, line: str) -> None:
    """Add a line to a file and wait until the disk has it; a half-written last line is cut off first.

    Raises:
        OSError: it cannot be written; the file is left as it was.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("ab+", buffering=0) as file:  # closing it is to write nothing
        end = _end_of_whole_lines(file)
        file.truncate(end)
        try:
            left = line.encode() + b"\n"
            while left:
                left = left[file.write(left) :]
            os.fsync(file.fileno())
        except OSError as error:
            with contextlib.suppress(OSError):
                file.truncate(end)
            error.filename = str(path)
            raise


def _end_of_whole_lines(file: Any) -> int:
    end: int = file.seek(0, os.SEEK_END)
    position = end
    while position:
        size = min(2**16, position)
        file.seek(position - size)
        found: int = file.read(size).rfind(b"\n")
        if found >= 0:
            return position - size + found + 1
        position -= size
    return 0
