"""What int8 costs in accuracy and brings in speed, side by side."""

from dataclasses import replace

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report.benchmarks import BENCHMARKS, DRAWN
from bench.report.measured import Measured, metric, name, protocol, tags
from bench.report.section import Section
from bench.report.table import Cell, Column, Row, Table, Value, measured_cell

ENDING = "_int8"
COLUMNS = (
    Column("accuracy_exact", "full precision", ("measured",), "AP, or mean PCKh"),
    Column("accuracy_int8", "int8", ("measured",), "AP, or mean PCKh"),
    Column("accuracy_difference", "difference", ("measured",), "AP, or mean PCKh"),
    Column("fps_exact", "full precision", ("measured",), "FPS, batch 1"),
    Column("fps_int8", "int8", ("measured",), "FPS, batch 1"),
    Column("fps_ratio", "ratio", ("measured",), "FPS, batch 1"),
)


def table(measured: Measured) -> Table | None:
    """A row for every accuracy in int8 that has its counterpart in full precision; none where there is no such pair."""
    found = [r for r in measured.of_kind("accuracy") if r.precision == "int8"]
    rows = []
    for record in sorted(
        found, key=lambda r: (measured.setting(r).machine, r.dataset or "", name(r), r.input, _runtime(r))
    ):
        exact = _exact(measured, record)
        if exact is not None:
            machine = measured.setting(record).machine
            row_names = {
                "model": name(record), "input": record.input, "runtime": (record.backend or "").removesuffix(ENDING),
                "dataset": record.dataset or "", "weights": record.weights or "", "machine": machine,
            }  # fmt: skip
            rows.append(Row(row_names, (*_accuracies(exact, record), *_speeds(measured, record))))
    if not rows:
        return None
    return Table(
        {"model": "Model", "input": "Input", "runtime": "Runtime", "dataset": "Data set", "weights": "Weights",
         "machine": "Machine"},
        COLUMNS,
        tuple(rows),
        remarks=(
            "The same weights on the same pictures; the ranges of int8 come from 64 pictures of the same data set. In "
            "full precision all runtimes agree.",
            "Speeds are of the same runtime and input on that machine, where bench.speed has timed both: with as many "
            "threads as accuracy was measured with, else with one for each core.",
        ),
    )  # fmt: skip


def _runtime(record: Record) -> str:
    """The backend that runs the same file in full precision: ``mnn`` of ``mnn_int8_weights``."""
    return (record.backend or "").partition(ENDING)[0]


def _exact(measured: Measured, record: Record) -> Record | None:
    """The accuracy of the same weights on the same data in full precision, at best in the same runtime."""
    alike = [
        r
        for r in measured.of_kind("accuracy")
        if r.precision in (None, "fp32")
        and (name(r), r.input, r.dataset, r.dataset_fingerprint, r.weights_sha256)
        == (name(record), record.input, record.dataset, record.dataset_fingerprint, record.weights_sha256)
        and all(r.protocol.get(key) == record.protocol.get(key) for key in ("boxes", "flip", "decode"))
    ]
    return min(alike, key=lambda r: (_runtime(r) != _runtime(record), r.backend != "eager"), default=None)


def _accuracies(exact: Record, record: Record) -> tuple[Cell, ...]:
    benchmark = next((b for b in BENCHMARKS if b.dataset == record.dataset), DRAWN)
    key = next(iter(benchmark.accuracy))
    values = [benchmark.scale * metric(r, key) for r in (exact, record)]
    cells = [
        replace(measured_cell(r, printed(value, 1, 1), **{key: value}), tags=tags(r))
        for r, value in zip((exact, record), values, strict=True)
    ]
    difference = values[1] - values[0]
    return *cells, Cell((Value(f"{difference:+.1f}", "measured"),), extra={"difference": difference}, record=record)


def _speeds(measured: Measured, record: Record) -> tuple[Cell, ...]:
    setting = replace(measured.setting(record), batch=1)
    # Accuracy does not depend on the number of threads: as many as it took, else as many as speeds usually take.
    by_threads = [
        [
            measured.speed(name(record), replace(setting, backend=backend, precision=precision, threads=threads))
            for backend, precision in ((_runtime(record), "fp32"), (record.backend or "", "int8"))
        ]
        for threads in (setting.threads, setting.default_threads)
    ]
    found = max(by_threads, key=lambda pair: sum(r is not None for r in pair))
    exact, int8 = (
        replace(measured_cell(r, metrics.text("fps", metric(r, "fps")), fps=metric(r, "fps")), tags=tags(r))
        if r
        else Cell()
        for r in found
    )
    if found[0] is None or found[1] is None or protocol(found[0]) != protocol(found[1]):
        return exact, int8, Cell()
    ratio = metric(found[1], "fps") / metric(found[0], "fps")
    return exact, int8, measured_cell(found[1], printed(ratio, 1, 2), ratio=ratio)


SECTIONS = (Section("int8", "What int8 costs and brings", 50, table),)
