"""Tables as plain data, told apart cell by cell: printed in the paper, measured, or missing.

A ``Table`` is the one source of its Markdown, CSV, LaTeX and HTML (``bench.report.render``).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import ROUND_HALF_UP, Decimal
from typing import Literal

from bench.core.errors import InputError
from bench.core.record import Record
from bench.report import paper
from bench.report.measured import JOINTS, SIZE, Measured, Setting, metric, name, protocol, tags

Origin = Literal["paper", "measured", "missing"]
Number = int | float | str

CUT = "Decimal not known: it is cut off in the text of the paper at hand."
NOT_IN_PAPER = "Not in the paper's table"
OWN = "Other networks"


@dataclass(frozen=True)
class Value:
    """A number as printed, and where it came from."""

    text: str
    origin: Origin


MISSING = Value("", "missing")


@dataclass(frozen=True)
class Cell:
    """One or two values, and what a reader must know of them."""

    values: tuple[Value, ...] = (MISSING,)
    detail: str = ""  # said in smaller type after the value, such as an interval
    tags: tuple[str, ...] = ()  # words such as "quick" that stay with the value everywhere
    notes: tuple[str, ...] = ()  # sentences that go below the table
    hit: bool = False  # the value prints the paper's digits
    extra: Mapping[str, Number] = field(default_factory=dict)  # further columns of the CSV file
    record: Record | None = None
    others: tuple[Record, ...] = ()  # further records behind the value, such as of other seeds

    @property
    def records(self) -> tuple[Record, ...]:
        return (self.record, *self.others) if self.record else ()

    def text(self, origin: Origin) -> str:
        return next((value.text for value in self.values if value.origin == origin), "")


@dataclass(frozen=True)
class Column:
    """A column; ``key`` is the stem of its names in CSV files."""

    key: str
    title: str
    origins: tuple[Origin, ...]  # which numbers it holds; none for words such as a verdict
    group: str = ""  # heading shared with the neighbours that have the same one
    setting: tuple[tuple[str, str], ...] = ()  # what the numbers hold for, where columns repeat for several


@dataclass(frozen=True)
class Row:
    labels: Mapping[str, str]
    cells: tuple[Cell, ...]
    section: str = ""  # heading above the first row of a section
    highlight: bool = False


@dataclass(frozen=True)
class Panel:
    """Some columns of a table that is too wide to be shown at once."""

    title: str
    columns: tuple[int, ...]


@dataclass(frozen=True)
class Table:
    """A table with all that stands around it."""

    key: str  # file name without its ending
    title: str
    labels: Mapping[str, str]  # key in CSV -> heading; an empty heading is for CSV only
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...] = ()
    remarks: tuple[str, ...] = ()  # sentences on how to read it

    @property
    def shown(self) -> tuple[Panel, ...]:
        return self.panels or (Panel("", tuple(range(len(self.columns)))),)

    def records(self, panel: Panel | None = None) -> list[Record]:
        """The records behind it or behind a panel of it, each once."""
        columns = panel.columns if panel else range(len(self.columns))
        cells = (row.cells[index] for row in self.rows for index in columns)
        return list({id(record): record for cell in cells for record in cell.records}.values())


def printed(value: float, unit: int, decimals: int) -> str:
    """A number in units of ``unit``, rounded half up as on paper."""
    step = Decimal(1).scaleb(-decimals)
    return str((Decimal(value) / unit).quantize(step, ROUND_HALF_UP))


def decimals(text: str) -> int:
    """Decimals of a printed number."""
    return len(text.partition(".")[2])


def paper_value(text: str | None) -> Value:
    return Value(text, "paper") if text else MISSING


def paper_cell(text: str | None) -> Cell:
    """A cell of the paper; "72+" is kept, and explained."""
    cut = bool(text) and str(text).endswith("+")
    return Cell((paper_value(text),), notes=(CUT,) if cut else ())


def measured_cell(record: Record | None, text: str, **more: Number) -> Cell:
    if record is None:
        return Cell()
    return Cell((Value(text, "measured"),), extra=more, record=record)


# ----------------------------------------------------------------- Tables I, II, III


@dataclass(frozen=True)
class Benchmark:
    """What sets Tables I, II and III apart."""

    number: int
    roman: str
    title: str
    dataset: str  # as accuracy records name it
    joints: int
    accuracy: Mapping[str, str]  # metric -> heading
    scale: int  # COCO's evaluators give fractions, MPII's percent; the paper prints percent


BENCHMARKS = (
    Benchmark(1, "I", "Comparison on COCO val2017", "coco_val2017", 17, paper.COCO, 100),
    Benchmark(2, "II", "Comparison on COCO test-dev2017", "coco_test-dev2017", 17, paper.COCO, 100),
    Benchmark(3, "III", "Comparison on MPII val", "mpii_val", 16, paper.MPII, 1),
)

COMPLEXITY_COLUMNS = (
    Column("params_m", "paper", ("paper",), "#Params (M)"),
    Column("params_m", "measured", ("measured",), "#Params (M)"),
    Column("gflops", "paper", ("paper",), "GFLOPs"),
    Column("gflops", "measured, paper's unit", ("measured",), "GFLOPs"),
    Column("gflops_mmcv_1e9", "measured, one unit", ("measured",), "GFLOPs"),
)


def comparison(benchmark: Benchmark, measured: Measured) -> Table:
    """Table I, II or III: the paper's rows, then what else was counted at their input sizes."""
    rows = [
        _comparison_row(benchmark, measured, printed_row["model"], printed_row["input"], printed_row)
        for printed_row in paper.table(benchmark.number)
    ]
    known = {(row.labels["model"], row.labels["input"]) for row in rows}
    if benchmark.number != 2:
        # Table II has the cost columns of Table I; extra rows are shown there.
        sizes = list(dict.fromkeys(row.labels["input"] for row in rows))
        evaluated = {name(r) for r in measured.records if r.kind == "accuracy" and r.dataset == benchmark.dataset}
        zoo, own = _others({*measured.models("complexity"), *evaluated})
        for section, models in ((NOT_IN_PAPER, zoo), (OWN, own)):
            for model, size in ((m, s) for m in models for s in sizes if (m, s) not in known):
                if measured.complexity(model, size, benchmark.joints) or measured.accuracy(
                    model, size, benchmark.dataset
                ):
                    rows.append(_comparison_row(benchmark, measured, model, size, {}, section))
    accuracy = tuple(Column(key, title, ("paper", "measured")) for key, title in benchmark.accuracy.items())
    return Table(
        f"table{benchmark.number}",
        f"Table {benchmark.roman}. {benchmark.title}",
        {"model": "", "method": "Method", "backbone": "Backbone", "input": "Input"},
        (*COMPLEXITY_COLUMNS, *accuracy),
        tuple(rows),
        remarks=_comparison_remarks(benchmark, rows),
    )


def _comparison_row(
    benchmark: Benchmark, measured: Measured, model: str, size: str, printed_row: Mapping[str, str], section: str = ""
) -> Row:
    record = measured.complexity(model, size, benchmark.joints)
    params, as_paper, alike = "", "", ""
    exact: dict[str, Number] = {}
    if record:
        unit = "torchstat" if paper.taken_from_lite_hrnet(model) else "mmcv"
        macs = metric(record, f"macs_{unit}")
        exact = {"params": metric(record, "params"), f"macs_{unit}": macs, "macs_mmcv": metric(record, "macs_mmcv")}
        params = printed(exact["params"], 10**6, 2)  # type: ignore[arg-type]
        as_paper = printed(macs, 2**30 if unit == "torchstat" else 10**9, 3)
        alike = printed(metric(record, "macs_mmcv"), 10**9, 3)
    labels = _names(model, section)
    cells = [
        paper_cell(printed_row.get("params_m")),
        measured_cell(record, params, **{"params": exact.get("params", "")}),
        paper_cell(printed_row.get("gflops")),
        measured_cell(record, as_paper, gflops_measured_as=_convention(model)),
        measured_cell(record, alike, macs_mmcv=exact.get("macs_mmcv", "")),
    ]
    for key in benchmark.accuracy:
        cells.append(accuracy_cell(benchmark, measured, model, size, key, printed_row.get(key)))
    return Row({"model": model, **labels, "input": size}, tuple(cells), section, highlight=model == paper.BASELINE)


def _names(model: str, section: str) -> dict[str, str]:
    known = next((r for r in paper.table(1) if r["model"] == model), None)
    if known is None or section == OWN:
        return {"method": model, "backbone": ""}
    return {"method": paper.method(known["method"]), "backbone": known["backbone"]}


def _convention(model: str) -> str:
    return "torchstat, 1 G = 2^30" if paper.taken_from_lite_hrnet(model) else "mmcv, 1 G = 1e9"


def accuracy_cell(
    benchmark: Benchmark, measured: Measured, model: str, size: str, key: str, in_paper: str | None
) -> Cell:
    """The paper's accuracy, and the measured one before it where there is one on the same data set."""
    theirs = paper_cell(in_paper)
    record = measured.accuracy(model, size, benchmark.dataset)
    if record is None or key not in record.metrics or record.metrics[key] < 0:  # -1: nothing to find
        return theirs
    value = record.metrics[key]
    if value > 100 / benchmark.scale:
        raise InputError(
            f"the accuracy record of {model} of {record.started_at} has {key} {value:g}: "
            f"on {benchmark.dataset} it goes from 0 to {100 // benchmark.scale}"
        )
    ours = Value(printed(value * benchmark.scale, 1, 1), "measured")
    both = tuple(v for v in (ours, *theirs.values) if v.origin != "missing")
    return Cell(both, tags=tags(record), notes=(*theirs.notes, *protocol_notes(record)), record=record)


def _comparison_remarks(benchmark: Benchmark, rows: Sequence[Row]) -> tuple[str, ...]:
    remarks = [
        "One multiply-add counts as one. Paper's unit: the Small HRNet and Lite-HRNet figures were taken over from the "
        "Lite-HRNet paper, counted with torchstat and 1 G = 2^30; all others are counted with mmcv and 1 G = 1e9. "
        "One unit: every row with mmcv and 1 G = 1e9, so that they compare.",
    ]
    if not any(cell.text("measured") for row in rows for cell in row.cells[len(COMPLEXITY_COLUMNS) :]):
        remarks.append(f"Accuracy is the paper's: there is no accuracy record on {benchmark.dataset}.")
    else:
        remarks.append(f"Accuracy on {benchmark.dataset}; where it was measured, the measured value comes first.")
    if benchmark.number == 3:
        remarks.append("Input 256x256, 16 joints.")
    return tuple(remarks)


def _others(models: Iterable[str]) -> tuple[list[str], list[str]]:
    """Networks of the paper in its order, and all others."""
    found = set(models)
    zoo = [model for model in paper.models() if model in found]
    return zoo, sorted(found - set(zoo))


DRAWN = Benchmark(0, "", "Accuracy on drawn people", "synthetic", 17, paper.COCO, 100)


def drawn(measured: Measured) -> Table | None:
    """Accuracy on the synthetic data set, which has nothing to do with COCO's."""
    records = [r for r in measured.records if r.kind == "accuracy" and (r.dataset or "").startswith(DRAWN.dataset)]
    zoo, own = _others(name(record) for record in records)
    rows = []
    # Sets of another size or seed are other sets: each below the other, the usual one first.
    for dataset in sorted({str(record.dataset) for record in records}):
        here = replace(DRAWN, dataset=dataset)
        for model in (*zoo, *own):
            for size in sorted({record.input for record in records if name(record) == model}):
                record = measured.accuracy(model, size, dataset)
                if record:
                    cells = tuple(accuracy_cell(here, measured, model, size, key, None) for key in here.accuracy)
                    labels = {"model": model, "input": size, "weights": record.weights or "", "people": _people(record)}
                    rows.append(Row(labels, cells, f"Data set: {dataset}", highlight=model == paper.BASELINE))
    if not rows:
        return None
    return Table(
        "synthetic",
        DRAWN.title,
        {"model": "Model", "input": "Input", "weights": "Weights", "people": "People"},
        tuple(Column(key, title, ("measured",)) for key, title in DRAWN.accuracy.items()),
        tuple(rows),
        remarks=(
            "Data sets of people drawn by this project. They are for checking the harness and for comparing "
            "trainings; the figures say nothing about photographs and do not compare with COCO's.",
        ),
    )


def _people(record: Record) -> str:
    return str(record.metrics.get("people", ""))


# ------------------------------------------------------------------------------ Table V

COLUMNS_A_PANEL = 4


def speed(measured: Measured) -> Table:
    """Table V: FPS of every network on every device and backend, and its ratio to the paper's network."""
    settings = [setting for setting in measured.settings() if setting.in_table5]
    here = {name(r) for r in measured.records if r.kind == "speed" and Setting.of(r) in settings}
    zoo, own = _others(here)
    in_paper = [row["model"] for row in paper.table(5)]
    models = [(model, "") for model in in_paper]
    models += [(model, NOT_IN_PAPER) for model in zoo if model not in in_paper]
    models += [(model, OWN) for model in own]
    columns = [
        Column("ap", "AP", ("paper", "measured")),
        Column("gflops", "GFLOPs", ("paper",)),
        Column("fps_gpu", "FPS", ("paper",), "Paper, GTX 1650 Ti"),
        Column("ratio_gpu", "ratio", ("paper",), "Paper, GTX 1650 Ti"),
        Column("fps_cpu", "FPS", ("paper",), "Paper, i7-10750H"),
        Column("ratio_cpu", "ratio", ("paper",), "Paper, i7-10750H"),
    ]
    base = tuple(range(len(columns)))
    by_panel: dict[str, list[int]] = {}
    for setting in settings:
        by_panel.setdefault(setting.machine, []).append(len(columns))
        columns.append(Column("fps", "FPS", ("measured",), setting.what, setting.labels))
        columns.append(Column("ratio", "ratio", ("measured",), setting.what, setting.labels))
    panels = []
    for machine, starts in by_panel.items():
        for first in range(0, len(starts), COLUMNS_A_PANEL):
            chosen = starts[first : first + COLUMNS_A_PANEL]
            panels.append(Panel(machine, (*base, *(i for start in chosen for i in (start, start + 1)))))
    remarks = [
        f"Batch 1, fp32, input {SIZE}, {JOINTS} joints. FPS = 1 / mean latency, with its 95 % interval.",
        f"Ratio: FPS over that of {paper.BASELINE} in the same column, so that machines compare.",
        f"AP is on COCO val2017 at {SIZE}; GFLOPs are as printed, and Table I has the measured ones.",
    ]
    if not settings:
        remarks.insert(0, "Nothing was timed in this setting yet: run python -m bench.speed.")
    return Table(
        "table5",
        "Table V. Comparison of inference speed",
        {"model": "Model", "name": "In the paper"},
        tuple(columns),
        tuple(_speed_row(measured, settings, model, section) for model, section in models),
        panels=tuple(panels),
        remarks=tuple(remarks),
    )


def _speed_row(measured: Measured, settings: Sequence[Setting], model: str, section: str) -> Row:
    in_table5, in_table1 = paper.row(5, model) or {}, paper.row(1, model) or {}
    baseline = paper.row(5, paper.BASELINE) or {}
    cells = [
        accuracy_cell(BENCHMARKS[0], measured, model, SIZE, "ap", in_table5.get("ap") or in_table1.get("ap")),
        paper_cell(in_table5.get("gflops") or in_table1.get("gflops")),
    ]
    for key in ("fps_gpu", "fps_cpu"):
        fps = in_table5.get(key)
        ratio = printed(float(fps) / float(baseline[key]), 1, 2) if fps else None
        cells += [paper_cell(fps), paper_cell(ratio)]
    for setting in settings:
        cells += _speed_cells(measured.speed(model, setting), measured.speed(paper.BASELINE, setting))
    labels = {"model": model, "name": "" if section == OWN else paper.label(model)}
    return Row(labels, tuple(cells), section, highlight=model == paper.BASELINE)


def _speed_cells(record: Record | None, baseline: Record | None) -> tuple[Cell, Cell]:
    """FPS with its interval, and the ratio to the paper's network."""
    if record is None:
        return Cell(), Cell()
    fps = metric(record, "fps") * (record.batch or 1)
    detail = ""
    extra: dict[str, Number] = {"fps": fps, "protocol": protocol(record)}
    if "fps_ci95_low" in record.metrics:
        low, high = (record.metrics[f"fps_ci95_{end}"] * (record.batch or 1) for end in ("low", "high"))
        detail = f"{printed(low, 1, 1)} to {printed(high, 1, 1)}"
        extra |= {"fps_ci95_low": low, "fps_ci95_high": high}
    speed_cell = Cell(
        (Value(printed(fps, 1, 1), "measured"),),
        detail=detail,
        tags=tags(record),
        notes=protocol_notes(record),
        extra=extra,
        record=record,
    )
    if baseline is None:
        return speed_cell, Cell()
    ratio = fps / (metric(baseline, "fps") * (baseline.batch or 1))
    return speed_cell, Cell((Value(printed(ratio, 1, 2), "measured"),), record=record)


def protocol_notes(record: Record) -> tuple[str, ...]:
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
            because = {"busy": "other work ran on the machine", "throttled": "the GPU was slowed down"}
            notes.append(f"{tag}: {because.get(tag, 'the record has a warning')} meanwhile; see the run below.")
    return tuple(notes)


def more_speed(measured: Measured) -> Table | None:
    """Speeds in other settings than Table V's: larger batches, lower precision, other inputs."""
    rows = []
    for setting in (s for s in measured.settings() if not s.in_table5):
        in_setting = {name(r) for r in measured.records if r.kind == "speed" and Setting.of(r) == setting}
        zoo, own = _others(in_setting)
        for model in (*zoo, *own):
            labels = {
                "model": model, "machine": setting.machine, "device": setting.what, "precision": setting.precision,
                "batch": str(setting.batch), "input": setting.input, "joints": str(setting.joints),
            }  # fmt: skip
            cells = _speed_cells(measured.speed(model, setting), measured.speed(paper.BASELINE, setting))
            rows.append(Row(labels, cells, highlight=model == paper.BASELINE))
    if not rows:
        return None
    return Table(
        "table5_more",
        "Inference speed in other settings",
        {
            "model": "Model", "machine": "Machine", "device": "Device and backend", "precision": "Precision",
            "batch": "Batch", "input": "Input", "joints": "Joints",
        },
        (Column("fps", "images/s", ("measured",)), Column("ratio", "ratio", ("measured",))),
        tuple(rows),
        remarks=(
            "Images a second, with the 95 % interval.",
            f"Ratio: to {paper.BASELINE} in the same setting.",
        ),
    )  # fmt: skip
