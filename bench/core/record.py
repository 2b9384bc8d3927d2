"""The one schema of a measurement: what is measured and how (``Measurement``), and what came out (``Record``).

``bench.core.results`` reads and writes records; ``docs/record.schema.json`` is the JSON Schema.
"""

import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Literal, get_args

from pydantic import BaseModel, ConfigDict, Field, JsonValue, field_validator

from bench.core import metrics as known

Precision = Literal["fp32", "tf32", "fp16", "bf16", "int8"]  # from full precision down
PRECISIONS: tuple[Precision, ...] = get_args(Precision)
Kind = Literal["complexity", "speed", "accuracy", "train", "explain", "regress", "pipeline"]
KINDS: tuple[Kind, ...] = get_args(Kind)
SCHEMA: Literal[2] = 2  # what is written; 1 is read as well
# Entries of a protocol that say what came out, how the work was spread, or which of two equal programs did it.
OUTCOMES = frozenset(
    {
        "verdict",
        "unconfirmed",
        "base_commit",
        "head_commit",
        "changed_files",
        "base_started_at",
        "ahead",
        "interval",
        "evaluator",
    }
)
Metric = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_@.]*$")]
LARGEST = 1e21  # of any metric: what is larger was not measured
Number = Annotated[int | float, Field(ge=-LARGEST, le=LARGEST)]
Scalar = str | int | float | bool


def printable(value: Any) -> Any:
    """A text, or those within lists and mappings, with what is no UTF-8 written out: in ``caf\\udce9.json`` a byte of a
    file's name. No file of records could hold it."""
    if isinstance(value, str):
        return value if value.isascii() else value.encode(errors="backslashreplace").decode()
    if isinstance(value, Mapping):
        return {printable(name): printable(one) for name, one in value.items()}
    return [printable(one) for one in value] if isinstance(value, list | tuple) else value


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Machine(_Strict):
    """What a record was made on. Two records of equal ``Machine`` may be compared in time."""

    os: str
    cpu: str = Field(description="its name; in a virtual machine with its vector instructions")
    cores: int = Field(ge=1, le=2**31, description="physical cores")
    logical_cores: int = Field(ge=1, le=2**31)
    memory_bytes: int = Field(ge=1, le=2**62)
    cpu_mhz_max: float | None = Field(None, description="none where the system does not tell")
    cpu_quota: float | None = Field(None, gt=0, description="processors that a container may use; none: no limit")
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


class Measurement(_Strict):
    """What is measured and how: all that can change the answer, known before anything is run."""

    kind: Kind
    model: str = Field(min_length=1)
    options: dict[str, Scalar] = Field(default_factory=dict)
    input: str = Field(pattern=r"^\d+x\d+$", description="height x width")
    num_joints: int | None = Field(None, ge=1, le=2**31)
    network_sha256: str | None = Field(
        None, description="of the files that define the user's own network, or of timm's version"
    )
    backend: str | None = None
    device: str | None = Field(None, description="cpu or cuda")
    precision: Precision | None = None
    batch: int | None = Field(None, ge=1, le=2**31)
    threads: int | None = Field(None, ge=1, le=2**31)
    protocol: dict[str, Scalar] = Field(default_factory=dict, description="how it was measured; has a name")
    dataset: str | None = None
    dataset_fingerprint: str | None = None
    weights: str | None = Field(None, description="where the weights came from; 'random' for fresh ones")
    weights_sha256: str | None = None
    seed: int | None = None

    _printable = field_validator("model", "options", "protocol", "dataset", "weights", mode="before")(printable)

    def identity(self, runtime: str) -> str:
        """One text for one measurement: it differs if anything that can change the answer differs.

        Resuming, ``--missing`` and ``Record.key`` all use it. Where a measurement was made is not part of it.

        Args:
            runtime: name and version of what runs the network, as ``Software.runtime`` has it.
        """
        what = self.model_dump(mode="json", include=set(Measurement.model_fields), exclude_none=True)
        protocol = {name: value for name, value in self.protocol.items() if name not in OUTCOMES}
        # The same weights under another file name are the same weights; a training's weights are what came out of it.
        if self.kind == "train":
            for name in ("weights", "weights_sha256"):
                what.pop(name, None)
        elif self.weights_sha256 is not None:
            what.pop("weights", None)
        return json.dumps(what | {"protocol": protocol, "runtime": runtime}, sort_keys=True)


class Record(Measurement):
    """One measurement of one network, and what came out."""

    schema_version: Literal[1, 2] = Field(SCHEMA, alias="schema")
    metrics: dict[Metric, Number] = Field(description=known.description())
    samples: dict[Metric, list[list[float]]] = Field(default_factory=dict, description="every round, one list a set")
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

    _printable_too = field_validator("warnings", "notes", "command", mode="before")(printable)

    @field_validator("started_at")
    @classmethod
    def _is_a_time(cls, value: str) -> str:
        time = datetime.fromisoformat(value)
        if time.tzinfo is None:
            raise ValueError("has no time zone")
        if not 1970 <= time.year <= 9000:
            raise ValueError("is not in the years 1970 to 9000")
        return value

    @property
    def key(self) -> tuple[str, ...]:
        """Records of equal key measure the same thing on the same machine; the newest counts."""
        where = self.machine.model_dump_json(include={"cpu", "cores", "cpu_quota", "gpu"})
        return self.identity(self.software.runtime), where

    @property
    def emulated(self) -> str:
        """What speaks for an emulated processor, whose timings belong in no table; empty where nothing does."""
        device = self.notes.get("device")
        return str(device.get("emulated", "")) if isinstance(device, dict) else ""

    def to_json(self) -> str:
        """The record as one line, without its newline."""
        return self.model_dump_json(by_alias=True, exclude_none=True)


def complete(measurement: Measurement, **found: Any) -> Record:
    """A measurement with what came out of it; ``found`` holds the fields that a record adds."""
    return Record(**(measurement.model_dump(include=set(Measurement.model_fields)) | found))


def now(ago_s: float = 0.0) -> str:
    """The time as records write it, or so many seconds before."""
    return (datetime.now(UTC) - timedelta(seconds=ago_s)).isoformat(timespec="milliseconds")


def json_schema() -> str:
    """The JSON Schema of a record, as text."""
    return json.dumps(Record.model_json_schema(by_alias=True), indent=1) + "\n"
