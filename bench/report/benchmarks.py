"""What accuracy is measured on: COCO, MPII and drawn people, and the cell that shows it."""

from collections.abc import Mapping
from dataclasses import dataclass

from bench.core.errors import InputError
from bench.core.metrics import printed
from bench.report import paper
from bench.report.measured import Measured, notes_on_protocol, tags
from bench.report.table import Cell, Value, paper_cell


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

DRAWN = Benchmark(0, "", "Accuracy on drawn people", "synthetic", 17, paper.COCO, 100)


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
    return Cell(both, tags=tags(record), notes=(*theirs.notes, *notes_on_protocol(record)), record=record)
