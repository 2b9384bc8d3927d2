"""The audit of the paper's cost columns: which way of counting prints its digits, cell by cell."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report import paper
from bench.report.benchmarks import BENCHMARKS, Benchmark
from bench.report.measured import Measured, metric
from bench.report.section import Section
from bench.report.table import Cell, Column, Number, Row, Table, Value, decimals, paper_cell

Verdict = Literal["reproduced", "reproduced in other units", "not reproducible", "not measured"]


@dataclass(frozen=True)
class Convention:
    """A counter, and how many multiply-adds it prints as 1 G."""

    counter: str
    unit: int

    @property
    def title(self) -> str:
        return f"{self.counter} {'1e9' if self.unit == 10**9 else '2^30'}"


OURS = Convention("mmcv", 10**9)  # of the paper's own rows, and the units that all rows are compared in
LITE_HRNET = Convention("torchstat", 2**30)  # of the rows taken over from the Lite-HRNet paper
# Only these four can reproduce a cell: with two or three digits, one of many counters will fit by chance.
TABLES = (OURS, LITE_HRNET, Convention("mmcv", 2**30), Convention("torchstat", 10**9))
VERDICTS = (2, 4)  # columns of the table
LIBRARIES = tuple(Convention(counter, 10**9) for counter in ("fvcore", "thop", "torch"))

ONCE = (
    "mmcv for Lite-HRNet: the path that the published code runs twice in every fusion is computed, and counted, once; "
    "counted twice no unit prints the paper's digits either."
)
PARAMS_OK = "The parameters, in millions, print the paper's digits."
OURS_OK = "Counted by mmcv with 1 G = 1e9, as in the other rows of the paper's own measurement."
OTHER_UNITS = (
    "Taken over from the Lite-HRNet paper, in its units: counted by torchstat with 1 G = 2^30 the digits appear; in "
    "the units of the other rows (mmcv, 1e9) the figure is larger, so the printed ones do not compare."
)
OTHER_UNITS_ELSEWHERE = "Not in the units of the other rows (mmcv, 1e9), but in the ones marked."
VIPNAS = (
    "The printed 2.8 M, 0.69 G and AP 67.8 are the ViPNAS paper's and belong to no released network: the released one "
    "has 5.90 M parameters and its authors report AP 70.0."
)
UNKNOWN = "No way of counting prints the paper's digits: what was measured here is another network."
MEASURE = "No complexity record: run python -m bench.complexity --input {inputs} --joints {joints}."


def audit(measured: Measured) -> Table:
    """Every #Params and GFLOPs cell of Tables I, II and III against every convention."""
    rows = [
        _row(benchmark, measured, printed_row)
        for benchmark in BENCHMARKS
        for printed_row in paper.table(benchmark.number)
    ]
    columns = (
        Column("params_m", "paper", ("paper",), "#Params (M)"),
        Column("params_m", "measured", ("measured",), "#Params (M)"),
        Column("params_verdict", "verdict", (), "#Params (M)"),
        Column("gflops", "paper", ("paper",), "GFLOPs"),
        Column("gflops_verdict", "verdict", (), "GFLOPs"),
        *(Column(_key(c), c.title, ("measured",), "GFLOPs, in the tables' conventions") for c in TABLES),
        *(Column(_key(c), c.title, ("measured",), "GFLOPs, by libraries") for c in LIBRARIES),
    )
    return Table(
        {"table": "Table", "model": "Model", "input": "Input"},
        columns,
        tuple(rows),
        remarks=(
            summary(rows),
            "The check mark stands where a value, rounded to the paper's decimals, prints the paper's digits. "
            "1e9 and 2^30 say how many multiply-adds are 1 G.",
            "The libraries count otherwise than the tables did (what each skips is in its record): they are shown for "
            "comparison and decide nothing.",
        ),
    )


def summary(rows: Sequence[Row]) -> str:
    """How many rows reproduce: a row does if both of its cells do."""
    both = [[row.cells[index].values[0].text for index in VERDICTS] for row in rows]
    good = [pair for pair in both if all(word.startswith("reproduced") for word in pair)]
    other = [pair for pair in good if "reproduced in other units" in pair]
    unmeasured = sum("not measured" in pair for pair in both)
    bad = len(both) - len(good) - unmeasured
    if unmeasured == len(rows):
        return "Nothing to audit yet: no row was measured."
    text = f"{len(good)} of {len(rows)} rows reproduce to the printed digit, {len(other)} of them in other units"
    text += f"; {bad} {'does' if bad == 1 else 'do'} not" if bad else ""
    return text + (f"; {unmeasured} not measured." if unmeasured else ".")


def _key(convention: Convention) -> str:
    return f"gflops_{convention.title.replace(' ', '_').replace('^', '')}"


def _row(benchmark: Benchmark, measured: Measured, printed_row: dict[str, str]) -> Row:
    model, size = printed_row["model"], printed_row["input"]
    record = measured.complexity(model, size, benchmark.joints)
    row_names = {"table": benchmark.roman, "model": model, "input": size}
    highlight = model == paper.BASELINE
    params, gflops = paper_cell(printed_row["params_m"]), paper_cell(printed_row["gflops"])
    if record is None:
        inputs = dict.fromkeys(row["input"] for row in paper.table(benchmark.number))
        how = MEASURE.format(inputs=",".join(inputs), joints=benchmark.joints)
        unknown = Cell((Value("not measured", "missing"),), notes=(how,))
        blank = [Cell()] * (len(TABLES) + len(LIBRARIES))
        return Row(row_names, (params, Cell(), unknown, gflops, unknown, *blank), highlight=highlight)
    count = metric(record, "params")
    params_hit = _prints(count, 10**6, printed_row["params_m"])
    hits = [
        c for c in (*TABLES, *LIBRARIES) if _prints(metric(record, f"macs_{c.counter}"), c.unit, printed_row["gflops"])
    ]
    params_verdict: Verdict = "reproduced" if params_hit else "not reproducible"
    gflops_verdict = _gflops_verdict(hits)
    cells = [
        params,
        Cell(
            (Value(metrics.text("params", count), "measured"),), hit=params_hit, extra={"params": count}, record=record
        ),
        Cell((Value(params_verdict, "measured"),), notes=(PARAMS_OK if params_hit else _no(model),)),
        gflops,
        Cell(
            (Value(gflops_verdict, "measured"),),
            notes=_reasons(model, gflops_verdict, hits),
            extra={"gflops_printed_by": ", ".join(hit.title for hit in hits)},
        ),
        *(_count_cell(record, convention, convention in hits) for convention in (*TABLES, *LIBRARIES)),
    ]
    return Row(row_names, tuple(cells), highlight=highlight)


def _count_cell(record: Record, convention: Convention, hit: bool) -> Cell:
    macs = metric(record, f"macs_{convention.counter}")
    once = convention == OURS and record.model.startswith("lite_hrnet_")
    exact: dict[str, Number] = {f"macs_{convention.counter}": macs}
    value = Value(printed(macs, convention.unit, 3), "measured")
    return Cell((value,), notes=(ONCE,) if once else (), hit=hit, extra=exact, record=record)


def _prints(value: float, unit: int, text: str) -> bool:
    return printed(value, unit, decimals(text)) == text


def _gflops_verdict(hits: Sequence[Convention]) -> Verdict:
    if OURS in hits:
        return "reproduced"
    return "reproduced in other units" if any(hit in TABLES for hit in hits) else "not reproducible"


def _reasons(model: str, verdict: Verdict, hits: Sequence[Convention]) -> tuple[str, ...]:
    if verdict == "reproduced":
        return (OURS_OK,)
    if verdict == "reproduced in other units":
        return (OTHER_UNITS if LITE_HRNET in hits and paper.taken_from_lite_hrnet(model) else OTHER_UNITS_ELSEWHERE,)
    if hits:
        names = " and ".join(hit.counter for hit in hits)
        return (_no(model), f"That {names} comes to the printed figure is chance: the tables were not counted so.")
    return (_no(model),)


def _no(model: str) -> str:
    return VIPNAS if model == "vipnas_mobilenetv3" else UNKNOWN


SECTIONS = (Section("audit", "Audit of the paper's cost columns", 150, audit),)
