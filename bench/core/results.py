"""Records on disk: one JSON object per line in ``DIR/KIND.jsonl``.

Records are only ever added, never changed: a re-run adds one, and readers take the newest of equal keys (``newest``).
"""

import contextlib
import json
import os
import stat
import tempfile
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock, Timeout
from pydantic import ValidationError

from bench.core.errors import InputError
from bench.core.record import KINDS, SCHEMA, Record

_STARTED = datetime.now(UTC)  # this process, or a little later
_BLOCK = 2**16  # bytes read at a time from the end of a file


class RecordError(InputError):
    """A records file cannot be used; the message names file and line."""


def append(records: Sequence[Record], folder: Path) -> None:
    """Add records to ``folder/KIND.jsonl``: all of one kind in one locked write and fsync, or none.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full; nothing was added.
        RecordError: the file is no regular file.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for kind in dict.fromkeys(record.kind for record in records):
            text = "".join(record.to_json() + "\n" for record in records if record.kind == kind)
            append_line(folder / f"{kind}.jsonl", text)


def append_once(records: Sequence[Record], folder: Path) -> None:
    """``append``, without records that are there already (same key, same start).

    For work that may have been killed after writing its record and before removing its unfinished parts. That was
    another process: only records whose work began before this one are looked for, so that appending reads no file.
    """
    older = {one.started_at for one in records if datetime.fromisoformat(one.started_at) < _STARTED}
    files = {folder / f"{record.kind}.jsonl" for record in records if older}
    there = {
        (one.key, one.started_at)
        for file in files if file.exists()
        for number, line in lines(file) if any(time in line for time in older)
        for one in [parse(line, f"{file}, line {number}")]
    }  # fmt: skip
    append([record for record in records if (record.key, record.started_at) not in there], folder)


def append_line(path: Path, text: str) -> None:
    """Add whole lines to a file that others may be reading; call it under a lock.

    Only the end of the file is read. A last line without its newline gets one if it is whole JSON, as an editor may
    leave it, and is cut off if not, as a crash leaves it. If the write fails, the file is left as it was.
    """
    refuse_special_file(path)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        start, tail = _last_line(descriptor)
        end = start + len(tail)
        payload = text.encode()
        if tail and _is_json(tail):
            payload = b"\n" + payload
        elif tail:
            warnings.warn(f"{path}: cut off a half-written last line of {len(tail)} bytes", stacklevel=2)
            end = start
        write_at(descriptor, end, payload, path)
    finally:
        os.close(descriptor)


def write_at(descriptor: int, end: int, payload: bytes, path: Path) -> None:
    """Write all of ``payload`` from offset ``end`` of an open file to the disk, or leave the file ending there."""
    try:
        try:
            os.ftruncate(descriptor, end)
            os.lseek(descriptor, end, os.SEEK_SET)
            while payload:
                payload = payload[os.write(descriptor, payload) :]
        except KeyboardInterrupt:
            os.ftruncate(descriptor, end)
            raise
        # Whole by now: an interruption while it settles takes nothing back.
        os.fsync(descriptor)
    except OSError as error:
        os.ftruncate(descriptor, end)
        error.filename = str(path)
        raise


def _last_line(descriptor: int) -> tuple[int, bytes]:
    """Where what follows the last newline begins, and that; nothing where the file ends with a newline."""
    end = start = os.fstat(descriptor).st_size
    tail = b""
    while start > 0:
        size = min(_BLOCK, start)
        os.lseek(descriptor, start - size, os.SEEK_SET)
        block = os.read(descriptor, size)
        found = block.rfind(b"\n")
        if found >= 0:
            return start - size + found + 1, block[found + 1 :] + tail
        start, tail = start - size, block + tail
    return (0, tail) if end else (0, b"")


def _is_json(line: bytes) -> bool:
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False


def read(path: Path) -> list[Record]:
    """All records of a file, or of every ``KIND.jsonl`` anywhere below a folder, in a fixed order.

    A half-written last line is skipped with a warning.

    Raises:
        RecordError: a line is no record; the message names file and line.
        OSError: a file cannot be read.
    """
    return [record for file in record_files(path) for record in read_file(file)]


def record_files(path: Path) -> list[Path]:
    """The records file that a path names, or those below the folder that it names."""
    return sorted(p for kind in KINDS for p in path.rglob(f"{kind}.jsonl")) if path.is_dir() else [path]


def read_file(path: Path) -> Iterator[Record]:
    """The records of one file; raises as ``read`` does."""
    for number, line in lines(path):
        yield parse(line, f"{path}, line {number}")


def lines(path: Path) -> Iterator[tuple[int, str]]:
    """The lines of a records file that are not empty, with their numbers; a half-written last one is left out.

    Raises:
        RecordError: it is no regular file, or no text.
        OSError: it cannot be read.
    """
    refuse_special_file(path)
    try:
        content = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not a records file: byte {error.start} is not UTF-8 text") from error
    whole = content.removeprefix("\ufeff").split("\n")
    # What follows the last newline is empty, or has lost its newline in an editor, or was cut off in writing.
    rest = whole[-1]
    if rest.strip() and not _is_json(rest.encode()):
        whole.pop()
        warnings.warn(f"{path}: skipped a half-written last line of {len(rest)} characters", stacklevel=2)
    for number, line in enumerate(whole, 1):
        if line.strip():
            yield number, line


def parse(line: str, where: str) -> Record:
    """The record on a line.

    Raises:
        RecordError: it is none; the message begins with ``where``.
    """
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        newer = _newer_schema(line)
        if newer is not None:
            raise RecordError(
                f"{where} was written by a newer version of this project (schema {newer}, this version knows up to "
                f"{SCHEMA}): update the project to read it"
            ) from error
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise RecordError(f"{where} is not a record: {field + ': ' if field else ''}{first['msg']}") from error


def _newer_schema(line: str) -> int | None:
    try:
        version = json.loads(line)["schema"]
    except (ValueError, TypeError, KeyError, RecursionError):
        return None
    return version if isinstance(version, int) and version > SCHEMA else None


def refuse_special_file(path: Path) -> None:
    """Raises ``RecordError`` for a device or a pipe, which may never end."""
    try:
        mode = path.stat().st_mode
    except FileNotFoundError:
        return
    if not stat.S_ISREG(mode):
        raise RecordError(f"{path} is no regular file: give a file of records, or a folder with such files")


def newest(records: Iterable[Record]) -> list[Record]:
    """The newest record of every key, in order of first appearance."""
    best: dict[tuple[str, ...], tuple[datetime, Record]] = {}
    for record in records:
        key, time = record.key, datetime.fromisoformat(record.started_at)
        known = best.get(key)
        if known is None or time >= known[0]:
            best[key] = time, record
    return [record for _, record in best.values()]


@contextlib.contextmanager
def only_one(folder: Path, name: str, option: str = "--results") -> Iterator[None]:
    """While it lasts, no other process makes the same thing in a folder: two would take each other's parts.

    Args:
        folder: of the unfinished work; it is made if it is not there.
        name: of what is made: the command, or its one evaluation or training.
        option: that names the folder on the command line, for the message.

    Raises:
        RecordError: one does already.
    """
    folder.mkdir(parents=True, exist_ok=True)
    # A command that was killed has a child that ends a moment after it: see bench.core.supervision.
    lock = FileLock(folder / f".{name}.lock", timeout=1, poll_interval=0.05)
    try:
        with lock:
            try:
                yield
            finally:
                Path(lock.lock_file).unlink(missing_ok=True)
    except Timeout:
        raise RecordError(
            f"another process is at work in {folder} ({name}): wait for it, stop it, or give another {option}"
        ) from None


def open_folder(folder: Path) -> list[Record]:
    """The records that are there; fails before a long measurement rather than after it.

    Raises:
        OSError: the folder cannot be made or written.
        RecordError: a file in it holds what is no record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder) as probe:
            probe.write(b"\0" * 4096)
            probe.flush()
    except OSError as error:
        error.filename = str(folder)
        raise
    return read(folder)
