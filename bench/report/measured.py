"""What was measured: the records behind every cell, and where they came from."""

import functools
import re
from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from bench.backends import catalogue
from bench.core.errors import InputError
from bench.core.hardware import threads_of
from bench.core.record import Record
from bench.core.results import newest

# Of several records for one cell the first of these counts; what else there is comes last.
PROTOCOLS = ("paper", "steady", "single stream", "ground-truth boxes", "custom", "quick", "random weights")
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


def notes_on_protocol(record: Record) -> tuple[str, ...]:
    """What the words beside a number mean."""
    notes = []
    word = protocol(record)
    if word == "quick":
        how = ", ".join(f"{key} {record.protocol[key]}" for key in ("sets", "rounds") if key in record.protocol)
        notes.append(f"quick: a rough figure only{f' ({how})' if how else ''}.")
    elif word != "paper":
        notes.append(f"{word}: not measured by the paper's protocol; see the run below.")
    for tag in tags(record):
        if tag in ("busy", "throttled", "warned"):
            because = {"busy": "other work ran on the machine", "throttled": "the processor or GPU was slowed down"}
            notes.append(f"{tag}: {because.get(tag, 'the record has a warning')} meanwhile; see the run below.")
    return tuple(notes)


def slug(text: str) -> str:
    """Text as part of a file name."""
    return re.sub(r"[^a-z0-9]+", "-", re.sub(r"\((r|tm)\)", "", text.lower())).strip("-")


def free_key(wanted: str, taken: Container[str]) -> str:
    """A name of a figure that no other one has: processors' names may differ in signs alone, which it has not."""
    key = re.sub(r"[^A-Za-z0-9_.-]+", "-", wanted)[:150]
    while key in taken:
        key += "_"
    return key


def runtime_order(backend: str) -> tuple[int, str]:
    """The place of a runtime in a row of them: as ``bench.backends`` lists them, unknown ones last."""
    known = catalogue.names()
    return known.index(backend) if backend in known else len(known), backend


def machine_name(cpu: str, cores: int, quota: float, kept: str = "") -> str:
    """A machine as tables name it.

    Args:
        cpu: its processor.
        cores: how many it has.
        quota: processors that a container may use; 0 where there is no limit.
        kept: processors that a device's run was told to keep to (``--cores``); empty where it was not.
    """
    limit = f", of which {quota:g} may be used" if quota else ""
    own = f", on processor{'s' if ',' in kept else ''} {kept} alone" if kept else ""
    return f"{cpu}, {cores} core{'s' if cores > 1 else ''}{limit}{own}"


@dataclass(frozen=True, order=True)
class Setting:
    """What must be equal for two speeds to stand in one column."""

    cpu: str
    cores: int
    quota: float  # processors that a container may use; 0: no limit
    kept: str  # processors that the run was told to keep to, such as 4,5,6,7; empty: none in particular
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
        kept = str(record.protocol.get("cores", "")) if record.kind == "speed" else ""
        usable = min(machine.logical_cores, len(kept.split(","))) if kept else machine.logical_cores
        return cls(
            cpu=machine.cpu,
            cores=machine.cores,
            quota=machine.cpu_quota or 0.0,
            kept=kept,
            device=record.device or "unknown device",
            gpu=(machine.gpu or "unknown GPU") if cuda else "",
            backend=record.backend or "unknown backend",
            precision=record.precision or "unknown precision",
            threads=0 if cuda else record.threads or 0,
            batch=record.batch or 1,
            input=record.input,
            # A network measured in the user's own program tells no joint count; it is not a reason to set it apart.
            joints=record.num_joints or JOINTS,
            default_threads=0 if cuda else threads_of(machine.cores, usable, machine.cpu_quota),
        )

    @property
    def in_table5(self) -> bool:
        return (self.batch, self.precision, self.input, self.joints) == (1, "fp32", SIZE, JOINTS)

    @property
    def usual_threads(self) -> bool:
        """Whether nobody asked for another number of threads."""
        return self.threads == self.default_threads

    @property
    def machine(self) -> str:
        return machine_name(self.cpu, self.cores, self.quota, self.kept)

    @property
    def what(self) -> str:
        """Device and backend, as a column of the machine's table is headed."""
        where = self.gpu or f"CPU, {self.threads} thread{'s' if self.threads != 1 else ''}"
        return f"{where}, {self.backend}"

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        """For programs: the parts that may differ within Table V."""
        return (
            ("cpu", self.cpu), ("cores", str(self.cores)), *([("cpu_quota", f"{self.quota:g}")] if self.quota else ()),
            *([("kept_to", self.kept)] if self.kept else ()),
            ("device", self.device), ("gpu", self.gpu), ("backend", self.backend), ("threads", str(self.threads or "")),
        )  # fmt: skip

    @property
    def where(self) -> str:
        """The GPU, or the machine with its threads, as headings name it."""
        return self.gpu or f"{self.machine}, {self.threads} thread{'s' if self.threads != 1 else ''}"

    @property
    def place(self) -> tuple[str, ...]:
        """Machine, device and threads: where several runtimes compare."""
        return self.machine, self.device, self.gpu, str(self.threads)

    @property
    def slug(self) -> str:
        """``MACHINE_DEVICE_BACKEND`` for file names; precision and threads are named where they are unusual."""
        limit = slug(f"{self.quota:g}-allowed") if self.quota else ""
        kept = slug(f"on-{self.kept}") if self.kept else ""
        names = (slug(self.cpu), f"{self.cores}cores", limit, kept, slug(self.gpu))
        machine = "-".join(part for part in names if part)
        parts = [machine, slug(self.device), slug(self.backend)]
        if self.precision != "fp32":
            parts.append(self.precision)
        if not self.usual_threads:
            parts.append(f"{self.threads}threads")
        return "_".join(parts)


@dataclass(frozen=True)
class CommandRun:
    """Records that one command made on one machine."""

    name: str
    records: tuple[Record, ...]


class Measured:
    """The newest records, each with an identifier, found by what a table asks for."""

    def __init__(self, records: Iterable[Record]) -> None:
        self.records = sorted(newest(records), key=lambda record: (record.kind, _time(record), record.key))
        self._kinds: dict[str, list[Record]] = {}
        self._by_network: dict[tuple[str, str, str], list[Record]] = {}
        self._settings: dict[int, Setting] = {}
        self._in_setting: dict[Setting, dict[str, list[Record]]] = {}
        self._ids: dict[int, str] = {}
        for record in self.records:
            alike = self._kinds.setdefault(record.kind, [])
            alike.append(record)
            self._ids[id(record)] = f"{record.kind}-{len(alike)}"
            self._by_network.setdefault((record.kind, name(record), record.input), []).append(record)
            self._settings[id(record)] = setting = Setting.of(record)
            if record.kind == "speed":
                self._in_setting.setdefault(setting, {}).setdefault(name(record), []).append(record)
        self.runs = _runs(self.records)
        self._run_of = {id(record): run for run in self.runs for record in run.records}
        self._described: dict[str, dict[str, str]] = {}

    def id(self, record: Record) -> str:
        """The record's line in records.csv."""
        return self._ids[id(record)]

    def run(self, record: Record) -> CommandRun:
        return self._run_of[id(record)]

    def described(self, run: CommandRun) -> dict[str, str]:
        """What a reader needs to repeat a run and to judge it, as texts by heading."""
        if run.name not in self._described:
            self._described[run.name] = _describe(run)
        return dict(self._described[run.name])

    def setting(self, record: Record) -> Setting:
        return self._settings[id(record)]

    def of_kind(self, kind: str) -> list[Record]:
        return self._kinds.get(kind, [])

    def complexity(self, model: str, size: str, joints: int) -> Record | None:
        """Counts do not depend on the machine: the newest record of any."""
        return best(r for r in self._of("complexity", model, size) if r.num_joints == joints)

    def accuracy(self, model: str, size: str, dataset: str) -> Record | None:
        """Accuracy on this data set and no other, in full precision: the exact runtimes agree in it."""
        found = self._of("accuracy", model, size)
        return best(r for r in found if r.dataset == dataset and r.precision in (None, "fp32"))

    def accuracy_as_run(self, speed: Record, dataset: str) -> Record | None:
        """Accuracy of what a speed record timed: in another precision than fp32 that runtime's own."""
        if speed.precision == "fp32":
            return self.accuracy(name(speed), speed.input, dataset)
        found = self._of("accuracy", name(speed), speed.input)
        run = (speed.backend, speed.precision)
        return best(r for r in found if r.dataset == dataset and (r.backend, r.precision) == run)

    @functools.cached_property
    def settings(self) -> list[Setting]:
        """Where speeds were measured: by machine and device, and then in the order in which runtimes are listed."""
        return sorted(
            self._in_setting,
            key=lambda s: (s.cpu, s.cores, s.quota, s.kept, s.device, s.gpu, runtime_order(s.backend), s),
        )

    def timed(self, setting: Setting) -> list[str]:
        """The networks with a speed in a setting, sorted."""
        return sorted(self._in_setting.get(setting, {}))

    def speed(self, model: str, setting: Setting) -> Record | None:
        return best(self._in_setting.get(setting, {}).get(model, ()))

    def speed_like(self, record: Record, model: str, setting: Setting) -> Record | None:
        """The speed of a network in a setting, timed as another one was: ten minutes of it on a hot device, or a quick
        look, have no ratio to 50 rounds."""
        alike = (one for one in self._in_setting.get(setting, {}).get(model, ()) if protocol(one) == protocol(record))
        return best(alike)

    def models(self, kind: str) -> list[str]:
        """Names of all networks with records of a kind, sorted."""
        return sorted({name(record) for record in self.of_kind(kind)})

    def _of(self, kind: str, model: str, size: str) -> list[Record]:
        return self._by_network.get((kind, model, size), [])


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


def images_per_s(record: Record, of: str = "fps") -> float:
    """Images a second, of a record whose FPS, or an end of their interval, are rounds of a batch."""
    return metric(record, of) * (record.batch or 1)


def interval(record: Record, of: str = "fps") -> tuple[float, float] | None:
    """The ends of a figure's 95 % interval; none of a single process, whose rounds say nothing of other processes."""
    low, high = (record.metrics.get(f"{of}_ci95_{end}") for end in ("low", "high"))
    if low is None or high is None or record.protocol.get("sets") == 1:
        return None
    return low, high


def _describe(run: CommandRun) -> dict[str, str]:
    first = run.records[0]
    machine, software = first.machine, first.software
    memory = f"{machine.memory_bytes / 2**30:.0f} GiB"
    parts = [f"{machine.cpu}, {machine.cores} cores ({machine.logical_cores} logical), {memory}", machine.os]
    if machine.cpu_quota:
        parts.insert(1, f"a container that may use {machine.cpu_quota:g} processors")
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
    parts = [f"{key} {value}" for key, value in wanted]
    if record.weights:
        parts.append(f"weights {record.weights}")
    if record.dataset:
        parts.append(f"data set {record.dataset}")
    if record.kind == "speed":
        parts.insert(0, f"protocol {protocol(record)}")
    return ", ".join(parts)


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


def _runs(records: list[Record]) -> list[CommandRun]:
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
        runs.append(CommandRun(f"{kind} run {counts[kind]}", tuple(members)))
    return runs


def best(records: Iterable[Record]) -> Record | None:
    """The newest of the best protocol among them; none where there are none."""

    def order(record: Record) -> tuple[int, datetime]:
        known = protocol(record)
        return -(PROTOCOLS.index(known) if known in PROTOCOLS else len(PROTOCOLS)), _time(record)

    return max(records, key=order, default=None)


def _time(record: Record) -> datetime:
    return datetime.fromisoformat(record.started_at).astimezone(UTC)
