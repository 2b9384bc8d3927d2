"""Tables I, II and III: cost and accuracy on COCO val2017, COCO test-dev2017 and MPII val."""

import functools
from collections.abc import Mapping, Sequence

from bench.core import metrics
from bench.core.metrics import printed
from bench.report import newer, paper
from bench.report.benchmarks import BENCHMARKS, Benchmark, accuracy_cell
from bench.report.measured import Measured, metric, name
from bench.report.section import Section
from bench.report.table import NOT_IN_PAPER, OWN, Column, Number, Row, Table, measured_cell, paper_cell

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
    known = {(row.names["model"], row.names["input"]) for row in rows}
    if benchmark.number != 2:
        # Table II has the cost columns of Table I; extra rows are shown there.
        sizes = list(dict.fromkeys(row.names["input"] for row in rows))
        evaluated = {name(r) for r in measured.of_kind("accuracy") if r.dataset == benchmark.dataset}
        zoo, own = paper.in_order({*measured.models("complexity"), *evaluated})
        own = [model for model in own if model not in newer.names()]  # they have a table of their own
        for section, models in ((NOT_IN_PAPER, zoo), (OWN, own)):
            for model, size in ((m, s) for m in models for s in sizes if (m, s) not in known):
                if measured.complexity(model, size, benchmark.joints) or measured.accuracy(
                    model, size, benchmark.dataset
                ):
                    rows.append(_comparison_row(benchmark, measured, model, size, {}, section))
    accuracy = tuple(Column(key, title, ("paper", "measured")) for key, title in benchmark.accuracy.items())
    return Table(
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
        params = metrics.text("params", metric(record, "params"), 2)
        as_paper = printed(macs, 2**30 if unit == "torchstat" else 10**9, 3)
        alike = metrics.text("macs_mmcv", metric(record, "macs_mmcv"))
    row_names = _names(model, section)
    cells = [
        paper_cell(printed_row.get("params_m")),
        measured_cell(record, params, **{"params": exact.get("params", "")}),
        paper_cell(printed_row.get("gflops")),
        measured_cell(record, as_paper, gflops_measured_as=_convention(model)),
        measured_cell(record, alike, macs_mmcv=exact.get("macs_mmcv", "")),
    ]
    for key in benchmark.accuracy:
        cells.append(accuracy_cell(benchmark, measured, model, size, key, printed_row.get(key)))
    return Row({"model": model, **row_names, "input": size}, tuple(cells), section, highlight=model == paper.BASELINE)


def _names(model: str, section: str) -> dict[str, str]:
    known = next((r for r in paper.table(1) if r["model"] == model), None)
    if known is None or section == OWN:
        return {"method": model, "backbone": ""}
    return {"method": paper.method(known["method"]), "backbone": known["backbone"]}


def _convention(model: str) -> str:
    return "torchstat, 1 G = 2^30" if paper.taken_from_lite_hrnet(model) else "mmcv, 1 G = 1e9"


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


SECTIONS = tuple(
    Section(
        key=f"table{benchmark.number}",
        title=f"Table {benchmark.roman}. {benchmark.title}",
        order=70 + benchmark.number,
        make_table=functools.partial(comparison, benchmark),
    )
    for benchmark in BENCHMARKS
)
