"""Accuracy on drawn people, which has a table of its own."""

from dataclasses import replace

from bench.core.record import Record
from bench.report import paper
from bench.report.benchmarks import DRAWN, accuracy_cell
from bench.report.measured import Measured, name
from bench.report.section import Section
from bench.report.table import Column, Row, Table


def drawn(measured: Measured) -> Table | None:
    """Accuracy on the synthetic data set, which has nothing to do with COCO's."""
    records = [r for r in measured.of_kind("accuracy") if (r.dataset or "").startswith(DRAWN.dataset)]
    zoo, own = paper.in_order(name(record) for record in records)
    rows = []
    # Sets of another size or seed are other sets: each below the other, the usual one first.
    for dataset in sorted({str(record.dataset) for record in records}):
        here = replace(DRAWN, dataset=dataset)
        for model in (*zoo, *own):
            for size in sorted({record.input for record in records if name(record) == model}):
                record = measured.accuracy(model, size, dataset)
                if record:
                    cells = tuple(accuracy_cell(here, measured, model, size, key, None) for key in here.accuracy)
                    row_names = {
                        "model": model,
                        "input": size,
                        "weights": record.weights or "",
                        "people": _people(record),
                    }
                    rows.append(Row(row_names, cells, f"Data set: {dataset}", highlight=model == paper.BASELINE))
    if not rows:
        return None
    return Table(
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


SECTIONS = (Section("synthetic", DRAWN.title, 120, drawn),)
