"""Table V: speed on every machine, device and backend, and speeds in other settings than the paper's."""

from collections.abc import Sequence

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report import newer, paper
from bench.report.benchmarks import BENCHMARKS, accuracy_cell
from bench.report.measured import (
    JOINTS,
    SIZE,
    Measured,
    Setting,
    images_per_s,
    interval,
    notes_on_protocol,
    protocol,
    tags,
)
from bench.report.section import Section
from bench.report.table import (
    COLUMNS_A_PANEL,
    NOT_IN_PAPER,
    OWN,
    Cell,
    Column,
    Number,
    Panel,
    Row,
    Table,
    Value,
    paper_cell,
)


def speed(measured: Measured) -> Table:
    """Table V: FPS of every network on every device and backend, and its ratio to the paper's network."""
    settings = [setting for setting in measured.settings if setting.in_table5]
    zoo, own = paper.in_order(model for setting in settings for model in measured.timed(setting))
    own = [model for model in own if model not in newer.names()]  # they have a table of their own
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
        columns.append(Column("fps", "FPS", ("measured",), setting.what, setting.parts))
        columns.append(Column("ratio", "ratio", ("measured",), setting.what, setting.parts))
    panels = []
    for machine, starts in by_panel.items():
        for first in range(0, len(starts), COLUMNS_A_PANEL):
            chosen = starts[first : first + COLUMNS_A_PANEL]
            panels.append(Panel(machine, (*base, *(i for start in chosen for i in (start, start + 1)))))
    remarks = [
        f"Batch 1, fp32, input {SIZE}, {JOINTS} joints. FPS = 1 / mean latency, with its 95 % interval.",
        f"Ratio: FPS over that of {paper.BASELINE} in the same column, by the same protocol, so that machines compare.",
        f"AP is on COCO val2017 at {SIZE}; GFLOPs are as printed, and Table I has the measured ones.",
    ]
    if not settings:
        remarks.insert(0, "Nothing was timed in this setting yet: run python -m bench.speed.")
    return Table(
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
        cells += speed_cells(measured, model, setting)
    row_names = {"model": model, "name": "" if section == OWN else paper.label(model)}
    return Row(row_names, tuple(cells), section, highlight=model == paper.BASELINE)


def speed_cells(measured: Measured, model: str, setting: Setting) -> tuple[Cell, Cell]:
    """FPS with its interval, and the ratio to the paper's network by the same protocol."""
    record = measured.speed(model, setting)
    if record is None:
        return Cell(), Cell()
    baseline = measured.speed_like(record, paper.BASELINE, setting)
    if baseline is None:
        return speed_cell(record), Cell()
    ratio = images_per_s(record) / images_per_s(baseline)
    return speed_cell(record), Cell((Value(printed(ratio, 1, 2), "measured"),), record=record)


def speed_cell(record: Record) -> Cell:
    """Images a second with their interval."""
    fps = images_per_s(record)
    detail = ""
    extra: dict[str, Number] = {"fps": fps, "protocol": protocol(record)}
    if ends := interval(record):
        low, high = (end * (record.batch or 1) for end in ends)
        detail = f"{metrics.text('fps', low)} to {metrics.text('fps', high)}"
        extra |= {"fps_ci95_low": low, "fps_ci95_high": high}
    return Cell(
        (Value(metrics.text("fps", fps), "measured"),),
        detail=detail,
        tags=tags(record),
        notes=notes_on_protocol(record),
        extra=extra,
        record=record,
    )


def more_speed(measured: Measured) -> Table | None:
    """Speeds in other settings than Table V's: larger batches, lower precision, other inputs."""
    rows = []
    for setting in (s for s in measured.settings if not s.in_table5):
        zoo, own = paper.in_order(measured.timed(setting))
        for model in (*zoo, *own):
            row_names = {
                "model": model, "machine": setting.machine, "device": setting.what, "precision": setting.precision,
                "batch": str(setting.batch), "input": setting.input, "joints": str(setting.joints),
            }  # fmt: skip
            cells = speed_cells(measured, model, setting)
            rows.append(Row(row_names, cells, highlight=model == paper.BASELINE))
    if not rows:
        return None
    return Table(
        {
            "model": "Model", "machine": "Machine", "device": "Device and backend", "precision": "Precision",
            "batch": "Batch", "input": "Input", "joints": "Joints",
        },
        (Column("fps", "images/s", ("measured",)), Column("ratio", "ratio", ("measured",))),
        tuple(rows),
        remarks=(
            "Images a second, with the 95 % interval.",
            f"Ratio: to {paper.BASELINE} in the same setting, by the same protocol.",
        ),
    )  # fmt: skip


SECTIONS = (
    Section("table5", "Table V. Comparison of inference speed", 20, speed),
    Section("table5_more", "Inference speed in other settings", 60, more_speed),
)
