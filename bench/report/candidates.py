"""Everything that was timed, with what a choice needs: how fast, how accurate, how large, and by whose figures."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal

from bench.core.record import Record
from bench.report import newer, paper
from bench.report.benchmarks import BENCHMARKS
from bench.report.measured import Measured, Setting, interval, metric, name, protocol, tags

OWN = "your own"  # method of a network that is in no table of the paper
PUBLISHED = {"coco_val2017": ("coco", "AP"), "mpii_val": ("mpii", "PCKh")}  # publishers' words for data set and metric


@dataclass(frozen=True)
class Accuracy:
    """An AP, or a PCKh, in percent, and whose it is."""

    value: float
    origin: Literal["measured", "paper", "publisher"]
    record: str = ""  # behind a measured one


@dataclass(frozen=True, eq=False)
class Candidate:
    """A network as it was timed once. Times are of a batch."""

    record: Record
    model: str
    label: str
    method: str
    setting: Setting
    protocol: str
    tags: tuple[str, ...]
    fps: float  # batches a second, 1 / mean latency
    fps_interval: tuple[float, float] | None  # 95 %
    file_bytes: float | None
    memory_bytes: float | None  # of the GPU, where the network ran there
    params: float | None
    accuracies: Mapping[str, Accuracy]  # by data set

    @property
    def backend(self) -> str:
        return self.setting.backend

    @property
    def precision(self) -> str:
        return self.setting.precision

    @property
    def ms(self) -> float:
        """Mean latency."""
        return 1000 / self.fps

    @property
    def ms_interval(self) -> tuple[float, float] | None:
        """Its 95 % interval."""
        return (1000 / self.fps_interval[1], 1000 / self.fps_interval[0]) if self.fps_interval else None


def candidates(measured: Measured, records: Iterable[Record] | None = None) -> list[Candidate]:
    """A candidate for each speed record.

    Args:
        measured: what was measured.
        records: speed records, older ones too; by default those that count, one for each network in each setting.
    """
    if records is None:
        found = (measured.speed(model, s) for s in measured.settings for model in measured.timed(s))
        records = [record for record in found if record]
    known = datasets(measured)
    return [_candidate(measured, record, known) for record in records]


def _candidate(measured: Measured, record: Record, known: Iterable[str]) -> Candidate:
    setting, model, told = Setting.of(record), name(record), record.metrics
    counted = measured.complexity(model, setting.input, setting.joints)
    in_paper = paper.row(1, model) or {}
    return Candidate(
        record=record,
        model=model,
        label=paper.label(model),
        method=paper.method(in_paper["method"]) if in_paper else OWN,
        setting=setting,
        protocol=protocol(record),
        tags=tags(record),
        fps=metric(record, "fps"),
        fps_interval=interval(record),
        file_bytes=told.get("model_file_bytes"),
        memory_bytes=told.get("peak_cuda_bytes" if setting.device == "cuda" else "peak_rss_bytes"),
        params=metric(counted, "params") if counted else _paper_params(in_paper),
        accuracies={dataset: found for dataset in known if (found := _accuracy(measured, record, dataset))},
    )


def _paper_params(row: Mapping[str, str]) -> float | None:
    return float(row["params_m"]) * 1e6 if "params_m" in row else None


def datasets(measured: Measured) -> list[str]:
    """The data sets with an accuracy: the paper's, and those measured on."""
    theirs = [benchmark.dataset for benchmark in BENCHMARKS]
    ours = sorted({record.dataset for record in measured.of_kind("accuracy") if record.dataset})
    return list(dict.fromkeys([*theirs, *ours]))


def _accuracy(measured: Measured, record: Record, dataset: str) -> Accuracy | None:
    """The measured accuracy, else the paper's, else its publisher's. An int8 network has its own, or none."""
    model = name(record)
    if record.precision == "int8":
        alike = [
            one
            for one in measured.of_kind("accuracy")
            if (name(one), one.input, one.dataset, one.precision, one.backend)
            == (model, record.input, dataset, "int8", record.backend)
        ]
        here = Setting.of(record).machine
        best = max(alike, key=lambda one: (measured.setting(one).machine == here, one.started_at), default=None)
        return _measured(measured, best)
    found = _measured(measured, measured.accuracy(model, record.input, dataset))
    return found or _printed(model, record.input, dataset) or _published(model, record.input, dataset)


def _measured(measured: Measured, record: Record | None) -> Accuracy | None:
    if record is None:
        return None
    value, scale = (record.metrics["ap"], 100) if "ap" in record.metrics else (record.metrics.get("pckh", -1), 1)
    return Accuracy(value * scale, "measured", measured.id(record)) if value >= 0 else None  # -1: nothing to find


def _printed(model: str, size: str, dataset: str) -> Accuracy | None:
    for benchmark in BENCHMARKS:
        row = paper.row(benchmark.number, model, size) if benchmark.dataset == dataset else None
        key = "ap" if "ap" in benchmark.accuracy else "pckh"
        if row and row[key]:
            return Accuracy(float(row[key]), "paper")
    return None


def _published(model: str, size: str, dataset: str) -> Accuracy | None:
    theirs, word = PUBLISHED.get(dataset, ("", ""))
    entry = next(iter(newer.figures(model, size, theirs)), None)
    text = newer.percent(entry, word) if entry else ""
    return Accuracy(float(text), "publisher") if text else None
