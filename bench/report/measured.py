"""What was measured: the records behind every cell, and where they came from."""

import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.backends import BACKENDS
from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import newest

# Of several records for one cell the first of these counts; what else there is comes last.
PROTOCOLS = ("paper", "steady", "ground-truth boxes", "custom", "quick", "random weights")
SIZE, JOINTS = "256x192", 17  # of Table V


def name(record: Record) -> str:
    """The network as a row of its own: with options, it is another one than without."""
    options = ", ".join(f"{key}={value}" for key, value in sorted(record.options.items()))
    return f"{record.model} ({options})" if options else record.model


def protocol(record: Record) -> str:
    return str(record.protocol.get("name", "unnamed"))


def tags(record: Record) -> tuple[str, ...]:
    """Words that stand beside a number: how it was measured, if not by the paper's protocol, and trouble."""
    unusual = () if protocol(record) == "paper" else (protocol(record),)
    trouble = {"busy" if "busy" in note else "throttled" if "throttled" in note else "warned"
               for note in record.warnings}  # fmt: skip
    return (*unusual, *sorted(trouble))


def slug(text: str) -> str:
    """Text as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", text.lower())).strip("-")


def runtime_order(backend: str) -> tuple[int, str]:
    """The place of a runtime in a row of them: as ``bench.backends`` lists them, unknown ones last."""
    return BACKENDS.index(backend) if backend in BACKENDS else len(BACKENDS), backend


@dataclass(frozen=True, order=True)
class Setting:
    """What must be equal for two speeds to stand in one column."""

    cpu: str
    cores: int
    device: str
    gpu: str
    backend: str
    precision: str
    threads: int  # 0 on a GPU, where they do not matter
    batch: int
    input: str
    joints: int
    default_threads: int = field(compare=False)

    @classmethod
    def of(cls, record: Record) -> "Setting":
        machine = record.machine
        cuda = record.device == "cuda"
        return cls(
            cpu=machine.cpu,
            cores=machine.cores,
            device=record.device or "unknown device",
            gpu=(machine.gpu or "unknown GPU") if cuda else "",
            backend=record.backend or "unknown backend",
            precision=record.precision or "unknown precision",
            threads=0 if cuda else record.threads or 0,
            batch=record.batch or 1,
            input=record.input,
            # A network measured in the user's own program tells no joint count; it is not a reason to set it apart.
            joints=record.num_joints or JOINTS,
            default_threads=0 if cuda else min(machine.cores, machine.logical_cores),
        )

    @property
    def in_table5(self) -> bool:
        return (self.batch, self.precision, self.input, self.joints) == (1, "fp32", SIZE, JOINTS)

    @property
    def machine(self) -> str:
        return f"{self.cpu}, {self.cores} core{'s' if self.cores > 1 else ''}"

    @property
    def what(self) -> str:
        """Device and backend, as a column of the machine's table is headed."""
        where = self.gpu or f"CPU, {self.threads} thread{'s' if self.threads != 1 else ''}"
        return f"{where}, {self.backend}"

    @property
    def labels(self) -> tuple[tuple[str, str], ...]:
        """For programs: the parts that may differ within Table V."""
        return (
            ("cpu", self.cpu), ("cores", str(self.cores)), ("device", self.device), ("gpu", self.gpu),
            ("backend", self.backend), ("threads", str(self.threads or "")),
        )  # fmt: skip

    @property
    def place(self) -> tuple[str, ...]:
        """Machine, device and threads: where several runtimes compare."""
        return self.machine, self.device, self.gpu, str(self.threads)

    @property
    def slug(self) -> str:
        """``MACHINE_DEVICE_BACKEND`` for file names; precision and threads are named where they are unusual."""
        machine = "-".join(part for part in (slug(self.cpu), f"{self.cores}cores", slug(self.gpu)) if part)
        parts = [machine, self.device, slug(self.backend)]
        if self.precision != "fp32":
            parts.append(self.precision)
        if self.threads != self.default_threads:
            parts.append(f"{self.threads}threads")
        return "_".join(parts)


@dataclass(frozen=True)
class Run:
    """Records that one command made on one machine."""

    name: str
    records: tuple[Record, ...]


class Measured:
    """The newest records, each with an identifier, found by what a table asks for."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = sorted(newest(records), key=lambda record: (record.kind, _time(record), record.key))
        self._ids: dict[int, str] = {}
        counts: dict[str, int] = {}
        for record in self.records:
            counts[record.kind] = counts.get(record.kind, 0) + 1
            self._ids[id(record)] = f"{record.kind}-{counts[record.kind]}"
        self.runs = _runs(self.records)
        self._run_of = {id(record): run for run in self.runs for record in run.records}

    def id(self, record: Record) -> str:
        """The record's line in records.csv."""
        return self._ids[id(record)]

    def run(self, record: Record) -> Run:
        return self._run_of[id(record)]

    def complexity(self, model: str, size: str, joints: int) -> Record | None:
        """Counts do not depend on the machine: the newest record of any."""
        return _best(r for r in self._of("complexity", model, size) if r.num_joints == joints)

    def accuracy(self, model: str, size: str, dataset: str) -> Record | None:
        """Accuracy on this data set and no other, in full precision: the exact runtimes agree in it."""
        found = self._of("accuracy", model, size)
        return _best(r for r in found if r.dataset == dataset and r.precision in (None, "fp32"))

    def settings(self) -> list[Setting]:
        """Where speeds were measured: by machine and device, and then in the order in which runtimes are listed."""
        found = {Setting.of(record) for record in self.records if record.kind == "speed"}
        return sorted(found, key=lambda s: (s.cpu, s.cores, s.device, s.gpu, runtime_order(s.backend), s))

    def speed(self, model: str, setting: Setting) -> Record | None:
        return _best(r for r in self._of("speed", model, setting.input) if Setting.of(r) == setting)

    def models(self, kind: str) -> list[str]:
        """Names of all networks with records of a kind, sorted."""
        return sorted({name(record) for record in self.records if record.kind == kind})

    def _of(self, kind: str, model: str, size: str) -> list[Record]:
        return [r for r in self.records if r.kind == kind and name(r) == model and r.input == size]


def metric(record: Record, key: str) -> float:
    """A number that a record of its kind must hold.

    Raises:
        InputError: it does not.
    """
    if key not in record.metrics:
        raise InputError(
            f"the {record.kind} record of {record.model} of {record.started_at} has no metric {key!r}: "
            f"measure it again with python -m bench.{record.kind}"
        )
    return record.metrics[key]


def describe_run(run: Run) -> dict[str, str]:
    """What a reader needs to repeat a run and to judge it, as texts by heading."""
    first = run.records[0]
    machine, software = first.machine, first.software
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    parts = [f"{machine.cpu}, {machine.cores} cores ({machine.logical_cores} logical), {memory}", machine.os]
    if machine.gpu:
        parts.insert(1, f"{machine.gpu}, driver {machine.gpu_driver or 'unknown'}")
    version = f"commit {software.git_commit[:10]}" if software.git_commit else f"sources {software.source_sha256[:10]}"
    changed = ", with uncommitted changes" if software.git_dirty else ""
    runtimes = sorted({record.software.runtime for record in run.records} | {f"torch {software.torch}"})
    packages = [f"{package} {number}" for package, number in sorted(software.packages.items())]
    project = f"this project {software.project}, {version}{changed}"
    versions = [f"Python {software.python}", *runtimes, *packages, project]
    times = sorted(_time(record) for record in run.records)
    ends = list(dict.fromkeys(time.strftime("%Y-%m-%d %H:%M") for time in (times[0], times[-1])))
    described = {
        "command": first.command,
        "machine": "; ".join(parts),
        "software": ", ".join(versions),
        "started": " to ".join(ends) + " UTC",
        "records": ", ".join(dict.fromkeys(name(record) for record in run.records)),
    }
    how = _how(first)
    if how:
        described["measured"] = how
    trouble = _warnings(run.records)
    if trouble:
        described["warnings"] = trouble
    return described


def _how(record: Record) -> str:
    wanted = [(key, record.protocol[key]) for key in ("sets", "rounds", "warmup", "image") if key in record.protocol]
    words = [f"{key} {value}" for key, value in wanted]
    if record.weights:
        words.append(f"weights {record.weights}")
    if record.dataset:
        words.append(f"data set {record.dataset}")
    if record.kind == "speed":
        words.insert(0, f"protocol {protocol(record)}")
    return ", ".join(words)


def _warnings(records: Iterable[Record]) -> str:
    """Each kind of warning once: how many records have it, and the worst case."""
    found: dict[str, list[tuple[float, str, int]]] = {}
    total = 0
    for index, record in enumerate(records):
        total += 1
        for note in record.warnings:
            numbers = [float(number) for number in re.findall(r"\d+(?:\.\d+)?", note)]
            found.setdefault(re.sub(r"\d+(?:\.\d+)?", "#", note), []).append((max(numbers, default=0), note, index))
    lines = []
    for _, cases in sorted(found.items()):
        count = len({index for _, _, index in cases})
        lines.append(f"{max(cases)[1]} ({count} of {total} records{', the worst case' if len(cases) > 1 else ''})")
    return "; ".join(lines)


def _runs(records: list[Record]) -> list[Run]:
    groups: dict[str, list[Record]] = {}
    for record in records:
        software = record.software.model_dump_json(exclude={"runtime"})  # one command may try several
        same = (record.kind, record.command, record.machine.model_dump_json(), software, protocol(record))
        groups.setdefault("\n".join(same), []).append(record)
    counts: dict[str, int] = {}
    runs = []
    for members in groups.values():
        kind = members[0].kind
        counts[kind] = counts.get(kind, 0) + 1
        runs.append(Run(f"{kind} run {counts[kind]}", tuple(members)))
    return runs


def _best(records: Iterable[Record]) -> Record | None:
    def order(record: Record) -> tuple[int, datetime]:
        known = protocol(record)
        return -(PROTOCOLS.index(known) if known in PROTOCOLS else len(PROTOCOLS)), _time(record)

    return max(records, key=order, default=None)


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record.started_at).astimezone(UTC)
