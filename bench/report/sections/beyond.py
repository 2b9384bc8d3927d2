"""Beyond the paper: the newer networks beside its Tables I and V, their figure, and the audit of what was published."""

import functools
from collections.abc import Iterable
from decimal import ROUND_DOWN, Decimal

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report import newer
from bench.report.benchmarks import BENCHMARKS, DRAWN, accuracy_cell
from bench.report.measured import JOINTS, SIZE, Measured, name
from bench.report.section import ReportFigure, Section
from bench.report.sections import fig5
from bench.report.sections.table5 import speed_cells
from bench.report.table import Cell, Column, Panel, Row, Table, Value, decimals, measured_cell, paper_cell
from zoo.registry import model_card
from zoo.weights.catalogue import Entry

INPUTS = (SIZE, "384x288")
# How a counter's figures are shown: the two of the paper's tables and the libraries', all at 1 G = 1e9.
COUNTERS = ("mmcv", "torchstat", "fvcore", "torch")
COCO = BENCHMARKS[0]

BOXES = "Boxes: of a person detector of AP 56.4 on people, unless said otherwise."
PAGE_ONLY = (
    "The page says that boxes of a detector (person AP 56.4) are behind the figure; the committed configuration leaves "
    "them out, and would evaluate on ground-truth boxes as it stands."
)
CUT = "The digits appear in units of 2^20 multiply-adds, by torchstat, if they are cut and not rounded."
ROUNDED = "The digits appear in units of 2^20 multiply-adds, by torchstat, rounded or cut."
ONE_UNIT = "The digits appear with 1 G = 1e9, by mmcv."
UNKNOWN = "No way of counting prints these digits."
NO_WEIGHTS = "No trained weights were published: the figure cannot be measured again."


def table(measured: Measured) -> Table:
    """The newer networks: cost, published and measured accuracy, and speed in the settings of Table V."""
    settings = [setting for setting in measured.settings if setting.in_table5]
    settings = [setting for setting in settings if set(measured.timed(setting)) & set(newer.names())]
    columns = [
        Column("params_m", "published", ("paper",), "#Params (M)"),
        Column("params_m", "measured", ("measured",), "#Params (M)"),
        Column("gmacs", "published", ("paper",), "Multiply-adds (G)"),
        *(Column(f"gmacs_{counter}", counter, ("measured",), "Multiply-adds (G)") for counter in COUNTERS),
        Column("ap", "published", ("paper",), "AP, COCO val2017"),
        Column("boxes", "boxes and training data", (), "AP, COCO val2017"),
        Column("ap", "measured", ("measured",), "AP, COCO val2017"),
        Column("ap_drawn", "AP on drawn people", ("measured",)),
    ]
    first = len(columns)
    panels = [Panel("Cost and accuracy", tuple(range(first)))]
    for setting in settings:
        own = len(columns), len(columns) + 1
        panels.append(Panel(f"{setting.machine}: {setting.what}", (1, first - 4, *own), about=own))
        columns.append(Column("fps", "FPS", ("measured",), setting.what, setting.parts))
        columns.append(Column("ratio", "ratio", ("measured",), setting.what, setting.parts))
    rows = []
    for model in newer.names():
        for size in INPUTS:
            known = measured.complexity(model, size, JOINTS) or measured.accuracy(model, size, COCO.dataset)
            if size != SIZE and not known and not newer.figures(model, size, "coco") and not newer.cost(model, size):
                continue
            cells = _cells(measured, model, size)
            for setting in settings:
                cells += speed_cells(measured, model, setting) if size == SIZE else (Cell(), Cell())
            card = model_card(model)
            names = {"model": model, "method": card.method, "backbone": card.backbone, "input": size}
            rows.append(Row(names, tuple(cells)))
    remarks = [
        "Networks that the paper does not have. One multiply-add counts as one, 1 G = 1e9. mmcv and torchstat are the "
        "conventions of the paper's tables; torchstat cannot count linear layers on joints, so SimCC networks and "
        "transformers have no figure of it. Products in attention count by some libraries only.",
        f"{BOXES} Of several published checkpoints, the one that was trained on the least data; the audit has all.",
        "Ratio: FPS over that of lightweight_mobilenetv3 in the same setting (Table V).",
    ]
    if not settings:
        remarks.append("None of them was timed in Table V's setting yet: run python -m bench.speed --models newer.")
    return Table(
        {"model": "", "method": "Method", "backbone": "Backbone", "input": "Input"}, tuple(columns), tuple(rows),
        panels=tuple(panels) if settings else (), remarks=tuple(remarks),
    )  # fmt: skip


def _cells(measured: Measured, model: str, size: str) -> list[Cell]:
    cost, record = newer.cost(model, size), measured.complexity(model, size, JOINTS)
    giga = cost.get("macs", "") if cost.get("unit") == "G" else ""
    mega = f"{cost['macs']} M of 2^20" if cost.get("unit") == "M" else ""
    found = {} if record is None else record.metrics
    counts = [found.get(f"macs_{counter}") for counter in COUNTERS]
    entry = next(iter(newer.figures(model, size, "coco")), None)
    params = metrics.text("params", found["params"], 2) if "params" in found else ""
    words = f"{entry.boxes}; {entry.training_data}" if entry else ""
    return [
        paper_cell(cost.get("params_m")),
        measured_cell(record, params, **({"params": found["params"]} if params else {})),
        paper_cell(giga or mega),
        *(
            Cell() if count is None else measured_cell(record, printed(count, 10**9, 3), macs=count)
            for count in counts
        ),
        paper_cell(newer.percent(entry, "AP") if entry else None),
        Cell((Value(words, "paper"),)) if words else Cell(),
        accuracy_cell(COCO, measured, model, size, "ap", None),
        accuracy_cell(DRAWN, measured, model, size, "ap", None),
    ]  # fmt: skip


# ----------------------------------------------------------------------------------------------- the audit


def audit(measured: Measured) -> Table:
    """What was published of the newer networks, figure by figure, against what is measured here."""
    rows = [_cost_row(measured, row) for row in newer.costs()]
    for model in newer.names():
        for size in INPUTS:
            rows += [_accuracy_row(measured, model, size, index) for index in range(len(_entries(model, size)))]
    rows += [_flip_row(measured, row, flip=flip) for row in newer.costs() if row["ap_flip"] for flip in (True, False)]
    return Table(
        {"what": "Figure", "model": "Model", "input": "Input", "condition": "Condition"},
        (
            Column("published", "published", ("paper",)),
            Column("measured", "measured", ("measured",)),
            Column("verdict", "verdict", ()),
        ),
        tuple(rows),
        remarks=(
            "Multiply-adds: RTMPose's in G of 1e9, Dite-HRNet's in M of 2^20. AP is on COCO val2017, with the flip "
            "test unless said otherwise; to measure it from the published weights needs the data set and the boxes.",
        ),
    )


def _entries(model: str, size: str) -> list[Entry]:
    return newer.figures(model, size, "coco")


def _cost_row(measured: Measured, row: dict[str, str]) -> Row:
    """Multiply-adds; the parameters stand beside them."""
    record = measured.complexity(row["model"], row["input"], int(row["joints"]))
    names = {
        "what": f"multiply-adds ({row['unit']}), parameters {row['params_m']} M", "model": row["model"],
        "input": row["input"], "condition": f"{row['joints']} joints",
    }  # fmt: skip
    counter, unit = ("mmcv", 10**9) if row["unit"] == "G" else ("torchstat", 2**20)
    count = record.metrics.get(f"macs_{counter}") if record else None
    if record is None or count is None:
        return Row(names, (paper_cell(row["macs"]), Cell(), _unmeasured(f"{row['input']} --joints {row['joints']}")))
    verdict, note = _cost_verdict(row, record, count, unit)
    value = Cell(
        (Value(printed(count, unit, 2 if row["unit"] == "M" else 3), "measured"),), record=record,
        extra={f"macs_{counter}": count, "params": record.metrics["params"]},
    )  # fmt: skip
    return Row(names, (paper_cell(row["macs"]), value, Cell((Value(verdict, "measured"),), notes=(note,))))


def _cost_verdict(row: dict[str, str], record: Record, count: float, unit: int) -> tuple[str, str]:
    digits = decimals(row["macs"])
    cut = Decimal(count) / Decimal(unit)
    is_cut = str(cut.quantize(Decimal(1).scaleb(-digits), ROUND_DOWN)) == row["macs"]
    is_rounded = printed(count, unit, digits) == row["macs"]
    params = printed(record.metrics["params"], 10**6, decimals(row["params_m"])) == row["params_m"]
    params_cut = str(
        (Decimal(record.metrics["params"]) / 10**6).quantize(Decimal(1).scaleb(-decimals(row["params_m"])), ROUND_DOWN)
    )
    alike = "reproduced" if params else "reproduced, parameters cut" if params_cut == row["params_m"] else ""
    if not alike or not (is_cut or is_rounded):
        return "not reproducible", UNKNOWN
    if row["unit"] == "G":
        return (alike, ONE_UNIT) if is_rounded else ("not reproducible", UNKNOWN)
    return (f"{alike}, in other units", ROUNDED) if is_rounded else (f"{alike}, in other units, cut", CUT)


def _accuracy_row(measured: Measured, model: str, size: str, index: int) -> Row:
    entry = _entries(model, size)[index]
    names = {
        "what": "AP",
        "model": model,
        "input": size,
        "condition": f"{entry.boxes}; trained on {entry.training_data}",
    }
    notes = [PAGE_ONLY] if "by its page only" in entry.boxes else []
    notes += [] if entry.url else [NO_WEIGHTS]
    record = measured.accuracy(model, size, COCO.dataset)
    same = record is not None and record.weights == "published" and index == 0
    cell = accuracy_cell(COCO, measured, model, size, "ap", None) if same else Cell()
    return _compared(names, newer.percent(entry, "AP"), cell, tuple(notes))


def _flip_row(measured: Measured, row: dict[str, str], *, flip: bool) -> Row:
    """RTMPose's AIC+COCO checkpoints, once more: two tables of the page, with the flip test and without."""
    names = {
        "what": "AP", "model": row["model"], "input": row["input"],
        "condition": f"AIC+COCO, {'with' if flip else 'without'} the flip test",
    }  # fmt: skip
    found = [
        record for record in measured.of_kind("accuracy")
        if (name(record), record.input, record.dataset) == (row["model"], row["input"], COCO.dataset)
        and record.protocol.get("flip") is flip and "aic" in str(record.weights)
    ]  # fmt: skip
    record = found[-1] if found else None
    text = printed(record.metrics["ap"] * 100, 1, 1) if record and "ap" in record.metrics else ""
    return _compared(names, row["ap_flip" if flip else "ap_no_flip"], measured_cell(record, text), (PAGE_ONLY,))


def _compared(names: dict[str, str], published: str, cell: Cell, notes: tuple[str, ...]) -> Row:
    ours = cell.text("measured")
    verdict = "not measured" if not ours else "reproduced" if ours == published else f"off by {_gap(ours, published)}"
    origin = Value(verdict, "measured" if ours else "missing")
    return Row(names, (paper_cell(published), cell, Cell((origin,), notes=notes)))


def _gap(ours: str, published: str) -> str:
    return f"{Decimal(ours) - Decimal(published):+}"


def _unmeasured(how: str) -> Cell:
    note = f"No complexity record: run python -m bench.complexity --models newer --input {how}."
    return Cell((Value("not measured", "missing"),), notes=(note,))


def pictures(measured: Measured) -> Iterable[ReportFigure]:
    """Both generations in one figure, where a newer network has a speed and an AP."""
    for chart in fig5.charts(measured, beyond=True):
        yield ReportFigure(chart.key, functools.partial(fig5.draw, chart), main=chart.main)


SECTIONS = (
    Section("beyond", "Beyond the paper. Newer networks", 22, table, pictures),
    Section("beyond_audit", "Audit of the newer networks' published figures", 151, audit),
)
