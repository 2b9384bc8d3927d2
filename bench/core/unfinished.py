"""Unfinished work on disk: finished parts survive any interruption and are not repeated.

A file holds parts of any number of pieces of work, one JSON object per line. Adding a part returns once it is on the
disk, so a kill loses only the part in progress; a part added again replaces the earlier one. These are working files: a
line that is damaged, or whose content does not fit, is ignored, and that part is made again.

    work = Unfinished(folder / "speed.partial", SetResult).work(measurement.identity(runtime))
    for name in ("set 1", "set 2"):
        if name not in work.parts:
            work.add(name, time_one_set())
    append_once([record_of(work.parts, work.started_at)], folder)
    work.drop()
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Generic, TypeVar

from filelock import FileLock
from pydantic import TypeAdapter, ValidationError

from bench.core.files import whole_file
from bench.core.record import now
from bench.core.results import append_line, refuse_special_file

Part = TypeVar("Part")
_TEXTS = ("work", "started_at", "part")  # of a line, beside its content


class Unfinished(Generic[Part]):
    """The file of unfinished work.

    Args:
        path: of the file, which exists while there is unfinished work. The lock is ``.lock`` beside it.
        part: the type of a part, a dataclass or anything else that pydantic can check.
    """

    def __init__(self, path: Path, part: type[Part]) -> None:
        self.path = path
        self.lock = FileLock(path.parent / ".lock")
        self._adapter = TypeAdapter(part)

    def work(self, identity: str) -> "Work[Part]":
        """A piece of work with its finished parts; none if it is new.

        Args:
            identity: a text that differs if anything differs that could change a part.
        """
        key = hashlib.sha256(identity.encode()).hexdigest()
        started_at = ""
        parts: dict[str, Part] = {}
        for line in self._lines():
            if line["work"] == key:
                with suppress(ValidationError):
                    parts[line["part"]] = self._adapter.validate_python(line.get("content"))
                    started_at = started_at or line["started_at"]
        return Work(self, key, started_at or now(), parts)

    def add(self, line: dict[str, Any], content: Part) -> None:
        whole = line | {"content": self._adapter.dump_python(content, mode="json")}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.lock:
            append_line(self.path, json.dumps(whole, separators=(",", ":")) + "\n")

    def drop(self, key: str) -> None:
        if not self.path.exists():
            return
        with self.lock:
            kept = [line for line in self._lines() if line["work"] != key]
            if not kept:
                self.path.unlink(missing_ok=True)
                return
            with whole_file(self.path) as partial, partial.open("w", encoding="utf-8") as file:
                file.writelines(json.dumps(line, separators=(",", ":")) + "\n" for line in kept)

    def _lines(self) -> Iterator[dict[str, Any]]:
        refuse_special_file(self.path)
        if not self.path.exists():
            return
        with self.path.open(encoding="utf-8", errors="replace") as file:
            for text in file:
                with suppress(ValueError, RecursionError):
                    line = json.loads(text)
                    if isinstance(line, dict) and all(isinstance(line.get(name), str) for name in _TEXTS):
                        yield line


class Work(Generic[Part]):
    """One piece of work: when it started, and its parts by name."""

    def __init__(self, file: Unfinished[Part], key: str, started_at: str, parts: dict[str, Part]) -> None:
        self.started_at = started_at
        self.parts = parts
        self._file = file
        self._key = key

    def add(self, name: str, part: Part) -> None:
        """Write a part to disk; once this returns, no kill loses it.

        Raises:
            OSError: it cannot be written; earlier content is kept.
        """
        self._file.add({"work": self._key, "started_at": self.started_at, "part": name}, part)
        self.parts[name] = part

    def drop(self) -> None:
        """Remove it: it has its record, or cannot get one."""
        self._file.drop(self._key)
