"""Each runtime and precision of a network in one row: speed, accuracy, what is shipped and what it needs."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report.benchmarks import BENCHMARKS, DRAWN, Benchmark
from bench.report.measured import Measured, Setting, metric, name, tags
from bench.report.section import Section
from bench.report.sections.ranking import REFERENCE
from bench.report.table import Cell, Column, Row, Table, Value, measured_cell

ACCURACIES = (*BENCHMARKS, DRAWN)
SHOWN = {
    "parity_max_relative": "difference from eager",
    "model_file_bytes": "file, MiB",
    "peak_rss_bytes": "memory, MiB",
    "first_inference_ms": "first inference, ms",
}
ENERGY = {  # shown where some machine could tell it
    "energy_cpu_j_per_image": "processor, J an image",
    "energy_gpu_j_per_image": "GPU, J an image",
}
FORMATS = {"parity_max_relative": "{:.1e}", **dict.fromkeys(ENERGY, "{:.2g}")}  # the others: as everywhere


def table(measured: Measured) -> Table | None:
    """A row for every network, input and runtime timed at batch 1; none where nothing but eager was timed."""
    found = [(setting, record) for setting in _settings(measured) for record in _records(measured, setting)]
    if all(setting.backend == REFERENCE for setting, _ in found):
        return None
    measured_on = [
        one for one in ACCURACIES if any(measured.accuracy_as_run(record, one.dataset) for _, record in found)
    ]
    energy = {key: title for key, title in ENERGY.items() if any(key in record.metrics for _, record in found)}
    shown = SHOWN | energy
    found.sort(key=lambda pair: (pair[0].where, pair[0].input, name(pair[1])))  # stable: runtimes stay in order
    rows = [_row(measured, shown, measured_on, setting, record) for setting, record in found]
    columns = (
        Column("fps", "FPS", ("measured",)),
        Column("latency_ms_median", "median, ms", ("measured",)),
        Column("ratio", f"FPS over {REFERENCE}'s", ("measured",)),
        *(Column(key, title, ("measured",)) for key, title in shown.items()),
        *(Column(f"accuracy_{one.dataset}", one.title, ("measured",), "AP, or mean PCKh") for one in measured_on),
    )
    return Table(
        {"model": "Network", "input": "Input", "backend": "Runtime", "precision": "Precision", "machine": "", "gpu": "",
         "threads": ""},
        columns, tuple(rows),
        remarks=(
            "Batch 1. Difference from eager: the largest over all outputs, over the largest output, before anything "
            "is timed. Memory: the most that the process that times had, with PyTorch where the runtime needs it.",
            "Accuracy is that of the same runtime and precision at that input; runtimes in fp32 agree, so any of them "
            "counts for all. Random weights have none.",
            *((
                "Joules: of all processor packages, or of the whole board of the GPU, what they draw while they wait "
                "included.",
            ) if energy else ()),
        ),
    )  # fmt: skip


def _settings(measured: Measured) -> Iterator[Setting]:
    return (setting for setting in measured.settings if setting.batch == 1 and setting.usual_threads)


def _records(measured: Measured, setting: Setting) -> list[Record]:
    return [record for model in measured.timed(setting) if (record := measured.speed(model, setting))]


def _row(
    measured: Measured, shown: Iterable[str], accuracies: list[Benchmark], setting: Setting, record: Record
) -> Row:
    fps = metric(record, "fps")
    eager = measured.speed_like(record, name(record), replace(setting, backend=REFERENCE, precision="fp32"))
    ratio = None if eager is None else fps / metric(eager, "fps")
    cells = [
        replace(measured_cell(record, metrics.text("fps", fps), fps=fps), tags=tags(record)),
        _metric(record, "latency_ms_median"),
        Cell() if ratio is None else measured_cell(record, printed(ratio, 1, 2), ratio=ratio),
        *(_metric(record, key) for key in shown),
        *(_accuracy_cell(one, measured.accuracy_as_run(record, one.dataset)) for one in accuracies),
    ]
    names = {
        "model": name(record), "input": record.input, "backend": setting.backend, "precision": setting.precision,
        "machine": setting.machine, "gpu": setting.gpu, "threads": str(setting.threads or ""),
    }  # fmt: skip
    return Row(names, tuple(cells), section=setting.where)


def _metric(record: Record, key: str) -> Cell:
    value = record.metrics.get(key)
    if value is None:
        return Cell()
    text = FORMATS[key].format(value) if key in FORMATS else metrics.text(key, value)
    return measured_cell(record, text, **{key: value})


def _accuracy_cell(benchmark: Benchmark, record: Record | None) -> Cell:
    if record is None:
        return Cell()
    key = next(iter(benchmark.accuracy))
    value = benchmark.scale * metric(record, key)
    return Cell((Value(printed(value, 1, 1), "measured"),), tags=tags(record), extra={key: value}, record=record)


SECTIONS = (Section("runtimes", "Runtimes: speed, accuracy, file and memory", 49, table),)
