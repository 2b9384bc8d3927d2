"""What the pipeline command prints: a line a cell, with the share of each stage."""

from collections.abc import Sequence

from rich.table import Table

from bench import cli
from bench.core.metrics import text
from bench.core.record import Record
from bench.pipeline.described import STAGES, what

# Headings of metrics that only some cells have.
EXTRA = {
    "dropped_share": "dropped %", "age_ms_median": "age ms", "age_ms_p90": "age p90", "error_relative": "error %",
    "jitter_relative": "jitter %", "lag_frames": "lag frames", "frame_ms_settled": "settled ms",
}  # fmt: skip


def print_records(records: Sequence[Record]) -> None:
    """A table for each network and backend."""
    for model, backend in dict.fromkeys((record.model, record.backend or "") for record in records):
        mine = [record for record in records if (record.model, record.backend) == (model, backend)]
        _print(f"{model}, {backend}", mine)


def _print(who: str, records: Sequence[Record]) -> None:
    first = records[0]
    where = first.machine.gpu if first.device == "cuda" else f"{first.machine.cpu}, {first.threads} threads"
    stages = [stage for stage in STAGES if any(f"stage_{stage}_ms" in record.metrics for record in records)]
    extra = [name for name in EXTRA if any(name in record.metrics for record in records)]
    sizes = {str(record.protocol.get("size", "")) for record in records}
    size = f", frames {next(iter(sizes))}" if len(sizes) == 1 and all(sizes) else ""
    table = Table()
    for heading in ("frames", "batching", "flip"):
        table.add_column(heading)
    for heading in ("frames/s", "ms", "95 % interval", "people/s", f"{'/'.join(stages)} %",
                    *(EXTRA[name] for name in extra)):  # fmt: skip
        table.add_column(heading, justify="right")
    for record in records:
        m = record.metrics
        total = sum(m.get(f"stage_{stage}_ms", 0.0) for stage in stages) or 1.0
        low, high = (m.get(f"frame_ms_mean_ci95_{end}") for end in ("low", "high"))
        sets = record.protocol["sets"]
        table.add_row(
            what(record, size=not size), str(record.protocol["batching"]), "yes" if record.protocol["flip"] else "no",
            text("frames_per_s", m["frames_per_s"]), text("frame_ms_mean", m["frame_ms_mean"]),
            f"{text('frame_ms_mean', low)} to {text('frame_ms_mean', high)}" if low and high and sets != 1
            else f"none of {sets} set{'s'[: sets != 1]}",
            text("people_per_s", m["people_per_s"]),
            " / ".join(f"{100 * m.get(f'stage_{stage}_ms', 0.0) / total:.0f}" for stage in stages),
            *(text(name, m[name]) if name in m else "—" for name in extra),
        )  # fmt: skip
    cli.show_table(table, f"{who}; {where}, {first.precision}, {first.input}{size}")
    worst = max((record.metrics["discrepancy_relative"] for record in records), key=abs)
    cli.output().print(f"  The stages add up to the time of a frame within {100 * abs(worst):.1f} %.")
