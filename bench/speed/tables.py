"""What the speed command prints: one line per record, and a matrix of networks and backends."""

from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bench import cli
from bench.backends import catalogue
from bench.backends.catalogue import Backend
from bench.core import machine
from bench.core.errors import InputError
from bench.core.metrics import text
from bench.core.record import Record


def print_backends() -> None:
    """Every backend: what it is, its devices, and its version here or how to install it."""
    table = Table(show_lines=False)
    for heading in ("backend", "what it is", "devices", "here"):
        table.add_column(heading, overflow="fold")
    for backend in catalogue.catalogue().values():
        table.add_row(backend.name, backend.about, ", ".join(backend.devices), _here(backend))
    cli.show_table(table)


def _here(backend: Backend) -> str:
    """The version, or the reason why it cannot be used."""
    if backend.devices == ("cuda",) and not machine.cuda_devices():
        return "no CUDA device here"
    try:
        device = backend.devices[0]
        catalogue.resolve(backend.name, device, backend.precisions[0])
    except InputError as error:
        return str(error)
    return catalogue.version(backend.name)


def print_speeds(records: Sequence[Record], left_out: Sequence[str]) -> None:
    """Speeds with confidence intervals; cold starts; a matrix of networks and backends if there are several."""
    _print_lines(records)
    if any(record.backend != "eager" for record in records):
        _print_starts(records)
    for batch in dict.fromkeys(record.batch for record in records):
        here = [record for record in records if record.batch == batch]
        if len({record.backend for record in here}) > 1 and len({record.model for record in here}) > 1:
            _print_matrix(here, left_out)


def _print_lines(records: Sequence[Record]) -> None:
    several = len({record.batch for record in records}) > 1
    inputs = len({record.input for record in records}) > 1
    steady = any("median_ci95_relative" in record.metrics for record in records)
    table = Table()
    _add_columns(table, "model", *(["input"] if inputs else []), "backend", *(["batch"] if several else []),
                 "FPS" if {record.batch for record in records} == {1} else "images/s", "95 % interval", "mean ms",
                 "median ms", "reached" if steady else "p90 ms", "peak MiB")  # fmt: skip
    for record in records:
        m, batch = record.metrics, record.batch or 1
        low, high = (m.get(f"fps_ci95_{end}") for end in ("low", "high"))
        sets = record.protocol["sets"]
        reached = f"± {m['median_ci95_relative']:.1%}" if "median_ci95_relative" in m else "unknown"
        table.add_row(
            record.model, *([record.input] if inputs else []), record.backend, *([str(batch)] if several else []),
            text("fps", m["fps"] * batch),
            f"{text('fps', low * batch)} to {text('fps', high * batch)}" if low and high and sets != 1
            else f"none of {sets} set{'s'[: sets != 1]}",
            *(text(name, m[name]) for name in ("latency_ms_mean", "latency_ms_median")),
            reached if steady else text("latency_ms_p90", m["latency_ms_p90"]),
            text("peak_rss_bytes", m.get("peak_cuda_bytes", m.get("peak_rss_bytes", 0))),
        )  # fmt: skip
    cli.show_table(table, _where(records))
    rates = [record.metrics["product_macs_per_s"] / 1e9 for record in records if "product_macs_per_s" in record.metrics]
    if rates:
        found = f"{min(rates):.0f}" + (f" to {max(rates):.0f}" if len(rates) > 1 else "")
        cli.output().print(f"  After each, large matrix products ran at {found} G multiply-adds a second.")


def _print_starts(records: Sequence[Record]) -> None:
    """Preparation, first inference, and the size of files to ship."""
    energies = sorted({key for record in records for key in record.metrics if key.startswith("energy_")})
    table = Table()
    _add_columns(table, "model", "backend", "prepare s", "from cache s", "first ms", "file MiB",
                 *(f"J/image, {key.split('_')[1]}" for key in energies))  # fmt: skip
    for record in records:
        m = record.metrics
        table.add_row(
            record.model, record.backend,
            *(text(key, m[key]) if key in m else "—" for key in ("prepare_s", "prepare_cached_s")),
            *(text(key, m[key]) for key in ("first_inference_ms", "model_file_bytes")),
            *(f"{m[key]:.3g}" if key in m else "—" for key in energies),
        )  # fmt: skip
    cli.show_table(table, "cold start, and the files to ship")


def _add_columns(table: Table, *headings: str) -> None:
    for heading in headings:
        table.add_column(heading, justify="left" if heading in ("model", "backend") else "right", no_wrap=True)


def _print_matrix(records: Sequence[Record], left_out: Sequence[str]) -> None:
    """Images per second, networks down and backends across; the fastest exact one of each network is bold."""
    runtimes = list(dict.fromkeys(record.backend or "" for record in records))
    table = Table()
    table.add_column("model", no_wrap=True)
    for runtime in runtimes:
        table.add_column(runtime.replace("onnx", "onnx-\n").replace("_", "\n"), justify="right")
    inputs = len({record.input for record in records}) > 1
    for model, size in dict.fromkeys((record.model, record.input) for record in records):
        mine = {record.backend: record for record in records if (record.model, record.input) == (model, size)}
        exact = [_speed(record) for record in mine.values() if record.precision != "int8"]
        cells = []
        for runtime in runtimes:
            record = mine.get(runtime)
            shown = "—" if record is None else f"{text('fps', _speed(record))}{_mark(record)}"
            cells.append(Text(shown, style="bold") if record and exact and _speed(record) == max(exact) else shown)
        table.add_row(f"{model}, {size}" if inputs else model, *cells)
    cli.show_table(table, f"images a second; {_where(records)}")
    remarks = []
    if any(_mark(record) for record in records):
        remarks.append("! measured on a busy or throttled machine")
    if any(record.precision == "int8" for record in records):
        remarks.append("int8 is another function: python -m bench.accuracy --backend NAME measures its accuracy")
    for line in (*remarks, *(f"left out: {reason}" for reason in left_out)):
        cli.output().print(f"  {line}")


def _speed(record: Record) -> float:
    return record.metrics["fps"] * (record.batch or 1)


def _mark(record: Record) -> str:
    notes = " ".join(record.warnings)
    return "!" if "busy" in notes or "throttled" in notes else ""


def _where(records: Sequence[Record]) -> str:
    first = records[0]
    where = first.machine.gpu if first.device == "cuda" else f"{first.machine.cpu}, {first.threads} threads"
    batch = f", batch {first.batch}" if len({record.batch for record in records}) == 1 else ""
    size = f", {first.input}" if len({record.input for record in records}) == 1 else ""
    precisions = ", ".join(dict.fromkeys(record.precision or "" for record in records))
    return f"{where}, {precisions}{size}{batch}"
