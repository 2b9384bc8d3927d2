"""The one schema of a measurement, and its files.

A record is one JSON object on one line of ``DIR/KIND.jsonl``. Records are only ever added, never
changed: a re-run adds one, and readers take the newest of equal keys (``newest``).
``python -m bench.core.record`` prints the JSON Schema (kept in ``docs/record.schema.json``).
"""

import json
import os
import warnings
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from pathlib import Path
from typing import Annotated, Literal

from filelock import FileLock
from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, field_validator

from bench.core.errors import InputError

Kind = Literal["complexity", "speed", "accuracy", "train", "explain", "regress"]
KINDS: tuple[Kind, ...] = ("complexity", "speed", "accuracy", "train", "explain", "regress")
Metric = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_@.]*$")]
Scalar = str | int | float | bool


class RecordError(InputError):
    """A records file cannot be used; the message names file and line."""


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Machine(_Strict):
    """What a record was made on. Two records of equal ``Machine`` may be compared in time."""

    os: str
    cpu: str
    cores: int = Field(ge=1, description="physical cores")
    logical_cores: int = Field(ge=1)
    memory_bytes: int = Field(ge=1)
    cpu_mhz_max: float | None = Field(None, description="none where the system does not tell")
    gpu: str | None = None
    gpu_memory_bytes: int | None = None
    gpu_driver: str | None = None
    gpu_mhz_max: int | None = Field(None, description="highest SM clock")


class Software(_Strict):
    """What a record was made with."""

    python: str
    torch: str
    runtime: str = Field(description="name and version of what ran the network")
    project: str
    packages: dict[str, str] = Field(default_factory=dict)
    git_commit: str | None = None
    git_dirty: bool | None = None
    source_sha256: str = Field(description="SHA-256 over the sources of zoo and bench")


class Record(_Strict):
    """One measurement of one network."""

    schema_version: Literal[1] = Field(1, alias="schema")
    kind: Kind
    model: str = Field(min_length=1)
    options: dict[str, Scalar] = Field(default_factory=dict)
    input: str = Field(pattern=r"^\d+x\d+$", description="height x width")
    num_joints: int | None = Field(None, ge=1)
    backend: str | None = None
    device: str | None = Field(None, description="cpu or cuda")
    precision: Literal["fp32", "tf32", "fp16", "bf16", "int8"] | None = None
    batch: int | None = Field(None, ge=1)
    threads: int | None = Field(None, ge=1)
    metrics: dict[Metric, int | float] = Field(description="numbers, with their units in the name")
    samples: dict[Metric, list[list[float]]] = Field(default_factory=dict, description="every round, one list a set")
    protocol: dict[str, Scalar] = Field(default_factory=dict, description="how it was measured; has a name")
    dataset: str | None = None
    dataset_fingerprint: str | None = None
    weights: str | None = Field(None, description="where the weights came from; 'random' for fresh ones")
    weights_sha256: str | None = None
    seed: int | None = None
    conditions: list[dict[str, JsonValue]] = Field(
        default_factory=list, description="the machine's state around each set"
    )
    warnings: list[str] = Field(default_factory=list, description="what may make the figures unfit for use")
    notes: dict[str, JsonValue] = Field(default_factory=dict, description="what else a reader needs")
    machine: Machine
    software: Software
    started_at: str = Field(description="ISO 8601, UTC")
    command: str

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False, populate_by_name=True)

    @field_validator("started_at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        if datetime.fromisoformat(value).tzinfo is None:
            raise ValueError("has no time zone")
        return value

    @property
    def key(self) -> tuple[str, ...]:
        """Records of equal key measure the same thing; the newest counts."""
        identity = self.model_dump(
            include={
                "kind", "model", "options", "input", "num_joints", "backend", "device", "precision",
                "batch", "threads", "dataset", "dataset_fingerprint", "weights_sha256",
            }
        )  # fmt: skip
        machine = self.machine.model_dump(include={"cpu", "cores", "gpu"})
        # A latency check that lets more pass answers another question.
        protocol = [self.protocol.get(part, "") for part in ("name", "threshold")]
        return tuple(json.dumps(part, sort_keys=True) for part in (identity, machine, protocol))

    def to_json(self) -> str:
        """The record as one line, without its newline."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def append(records: Sequence[Record], folder: Path) -> None:
    """Add records to ``folder/KIND.jsonl``: all of them, in one locked write and fsync, or none.

    Raises:
        OSError: the folder cannot be made or written, or the disk is full; nothing was added.
        RecordError: the end of a file is not a record.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with FileLock(folder / ".lock"):
        for kind in {record.kind for record in records}:
            lines = "".join(record.to_json() + "\n" for record in records if record.kind == kind)
            append_line(folder / f"{kind}.jsonl", lines)


def append_line(path: Path, lines: str) -> None:
    """Add whole lines to a file that others may be reading; call it under a lock.

    A half-written last line, left by a crash, is cut off first. If the write fails, the file is
    left as it was.
    """
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        end = _end_of_last_line(descriptor, path)
        write_at(descriptor, end, lines.encode(), path)
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


def _end_of_last_line(descriptor: int, path: Path) -> int:
    with os.fdopen(os.dup(descriptor), "rb") as file:
        file.seek(0)
        content = file.read()
    end = content.rfind(b"\n") + 1
    if end < len(content):
        warnings.warn(f"{path}: cut off a half-written last line of {len(content) - end} bytes", stacklevel=2)
    return end


def read(path: Path) -> list[Record]:
    """All records of a file, or of every ``KIND.jsonl`` anywhere below a folder, in a fixed order.

    A half-written last line is skipped with a warning.

    Raises:
        RecordError: a line is no record; the message names file and line.
    """
    files = [path] if path.is_file() else sorted(p for kind in KINDS for p in path.rglob(f"{kind}.jsonl"))
    return [record for file in files for record in _read_file(file)]


def _read_file(path: Path) -> Iterator[Record]:
    try:
        content = path.read_bytes().decode()
    except UnicodeDecodeError as error:
        raise RecordError(f"{path} is not a records file: byte {error.start} is not UTF-8 text") from error
    lines = content.split("\n")
    # What follows the last newline is empty, or was cut off in writing.
    for number, line in enumerate(lines[:-1], 1):
        if line.strip():
            yield _parse(line, f"{path}, line {number}")
    if lines[-1]:
        warnings.warn(f"{path}: skipped a half-written last line of {len(lines[-1])} characters", stacklevel=2)


def _parse(line: str, where: str) -> Record:
    try:
        return Record.model_validate_json(line)
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(map(str, first["loc"]))
        raise RecordError(
            f"{where} is not a record: {field + ': ' if field else ''}{first['msg']}; "
            "delete the line, or measure again into another folder with --results"
        ) from error


def newest(records: Iterable[Record]) -> list[Record]:
    """The newest record of every key, in order of first appearance."""
    best: dict[tuple[str, ...], Record] = {}
    for record in records:
        known = best.get(record.key)
        if known is None or _time(record) >= _time(known):
            best[record.key] = record
    return list(best.values())


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record.started_at)


def json_schema() -> str:
    """The JSON Schema of a record, as text."""
    return json.dumps(Record.model_json_schema(by_alias=True), indent=1) + "\n"


if __name__ == "__main__":
    print(json_schema(), end="")
