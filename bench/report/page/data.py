"""What the page shows, as plain data for its script: speeds, tables, plots, and the records behind them."""

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.core import metrics
from bench.core.record import Record
from bench.report import paper
from bench.report.benchmarks import BENCHMARKS
from bench.report.candidates import Candidate, candidates, datasets
from bench.report.measured import PROTOCOLS, Measured, Setting, machine_name, name, runtime_order
from bench.report.page import plots
from bench.report.render import footnotes, row_headings_of, sources
from bench.report.section import Shown
from bench.report.table import Cell, Column, Row, Table

ORIGINS = {"measured": "m", "paper": "p", "missing": "-"}


def page_data(
    sections: Sequence[Shown], measured: Measured, records: Sequence[Record], sets: Mapping[str, Sequence[Record]]
) -> dict[str, Any]:
    """Everything the page needs, as JSON knows it.

    Args:
        sections: of the report, with their tables and the names of their figures.
        measured: the records that count.
        records: all records, those included that newer ones replace.
        sets: the folders that records come from; nothing where there is only one.
    """
    ids = {id(record): measured.id(record) for record in measured.records}
    timed = [record for record in records if record.kind == "speed"]
    older = sorted((r for r in timed if id(r) not in ids), key=lambda r: (r.started_at, r.key))
    ids |= {id(record): f"older-{number}" for number, record in enumerate(older, 1)}
    speeds = candidates(measured, [*measured.of_kind("speed"), *older])
    settings = sorted({one.setting for one in speeds}, key=_setting_order)
    places = {setting: number for number, setting in enumerate(settings)}
    folder = {id(record): name for name, members in sets.items() for record in members}
    of_kind = (r for r in measured.records if r.kind != "speed")
    found = [*of_kind, *(one.record for one in speeds)]
    return {
        "protocols": PROTOCOLS,
        "baseline": paper.BASELINE,
        "methods": list(dict.fromkeys(one.method for one in speeds)),
        "datasets": {dataset: _dataset(dataset) for dataset in datasets(measured)},
        "sets": list(sets) if len(sets) > 1 else [],
        "settings": [_setting(setting) for setting in settings],
        "speeds": [_speed(one, places[one.setting], ids, folder if len(sets) > 1 else {}) for one in speeds],
        "checks": [_check(record, ids[id(record)]) for record in measured.of_kind("regress") if _is_check(record)],
        "records": {ids[id(record)]: _record(record, measured) for record in found},
        "runs": {run.name: measured.described(run) for run in measured.runs},
        "metrics": _metrics(found),
        "sections": [_section(shown, measured) for shown in sections],
        "plots": plots.plots(measured),
    }  # fmt: skip


def _setting_order(setting: Setting) -> tuple[Any, ...]:
    return (
        setting.cpu,
        setting.cores,
        setting.quota,
        setting.kept,
        setting.device,
        setting.gpu,
        runtime_order(setting.backend),
        setting,
    )


def _setting(setting: Setting) -> dict[str, Any]:
    return {
        "machine": setting.machine, "device": setting.device, "gpu": setting.gpu, "backend": setting.backend,
        "precision": setting.precision, "threads": setting.threads, "usual": setting.usual_threads,
        "batch": setting.batch, "input": setting.input, "joints": setting.joints,
    }  # fmt: skip


def _dataset(dataset: str) -> dict[str, Any]:
    known = next((benchmark for benchmark in BENCHMARKS if benchmark.dataset == dataset), None)
    if known is None:
        return {
            "title": "drawn people (synthetic)" if dataset == "synthetic" else dataset,
            "metric": "AP",
            "joints": 17,
        }
    metric = "AP" if "ap" in known.accuracy else "PCKh"
    return {"title": known.title.removeprefix("Comparison on "), "metric": metric, "joints": known.joints}


def _speed(one: Candidate, setting: int, ids: Mapping[int, str], folder: Mapping[int, str]) -> dict[str, Any]:
    record = one.record
    return _without_nothing({
        "record": ids[id(record)], "model": one.model, "label": one.label, "method": one.method, "setting": setting,
        "fps": one.fps, "fps_interval": one.fps_interval, "file_bytes": one.file_bytes,
        "memory_bytes": one.memory_bytes, "params": one.params, "tags": list(one.tags), "protocol": one.protocol,
        "at": record.started_at, "revision": (record.software.git_commit or record.software.source_sha256)[:10],
        "set": folder.get(id(record)), "logs": _logs(record),
        "ap": {
            dataset: [found.value, found.origin, *([ids_of] if (ids_of := found.record) else [])]
            for dataset, found in one.accuracies.items()
        },
    })  # fmt: skip


def _logs(record: Record) -> list[float] | None:
    """Mean and variance of the logarithms of the sets' mean latencies, and how many: all that a ratio needs."""
    means = [float(np.mean(one)) for one in record.samples.get("latency_ms", []) if one]
    if not means or min(means) <= 0:
        return None
    logs = [math.log(mean) for mean in means]
    return [float(np.mean(logs)), float(np.var(logs, ddof=1)) if len(logs) > 1 else 0.0, len(logs)]


def _is_check(record: Record) -> bool:
    return record.protocol.get("name") not in ("self-test", "baseline") and "ratio" in record.metrics


def _check(record: Record, identifier: str) -> dict[str, Any]:
    """A comparison of two revisions by the latency check."""
    told = record.protocol
    whole = f", frames of {told['people']} people" if "people" in told else ""  # as bench.pipeline times them
    return _without_nothing({
        "record": identifier, "model": f"{name(record)}, {record.backend}{whole}", "at": record.started_at,
        "base": str(told.get("base_commit", ""))[:10], "head": str(told.get("head_commit", ""))[:10],
        "ratio": record.metrics["ratio"], "low": record.metrics.get("ratio_low"),
        "high": record.metrics.get("ratio_high"), "verdict": told.get("verdict"),
        "machine": Setting.of(record).machine, "device": record.device, "backend": record.backend,
    })  # fmt: skip


def _record(record: Record, measured: Measured) -> dict[str, Any]:
    """What the page tells of a record; its run has command, machine and software."""
    try:
        run = measured.run(record).name
    except KeyError:  # an older one
        run = ""
    return _without_nothing({
        "kind": record.kind, "model": name(record), "input": record.input, "backend": record.backend,
        "device": record.device, "precision": record.precision, "batch": record.batch, "threads": record.threads,
        "dataset": record.dataset, "weights": record.weights, "seed": record.seed, "at": record.started_at,
        "protocol": record.protocol.get("name"), "sets": record.protocol.get("sets"),
        "rounds": record.protocol.get("rounds"), "warnings": record.warnings, "run": run,
        "command": "" if run else record.command, "machine": Setting.of(record).machine, "gpu": record.machine.gpu,
        "runtime": record.software.runtime,
        "metrics": {key: _rounded(value) for key, value in record.metrics.items()},
    })  # fmt: skip


def _rounded(value: float) -> float:
    """Seven digits: more are nobody's measurement, and take room."""
    return value if isinstance(value, int) else float(f"{value:.7g}")


def _without_nothing(told: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in told.items() if value not in (None, "", [], {})}


def _metrics(records: Sequence[Record]) -> dict[str, Any]:
    names = sorted({key for record in records for key in record.metrics})
    found = {key: metrics.find(key) or metrics.Metric(key, "", key, "neither", 3) for key in names}
    return {
        key: {"label": one.label, "unit": metrics.heading(key), "decimals": one.decimals, "per": one.per,
              "times": one.times}
        for key, one in found.items()
    }  # fmt: skip


# ------------------------------------------------------------------------------ tables


def _section(shown: Shown, measured: Measured) -> dict[str, Any]:
    section, table = shown.section, shown.table
    return _without_nothing({
        "key": section.key, "title": section.title, "figures": list(shown.figures),
        "without": "" if table or shown.figures else section.without_pictures,
        "table": table and _table(table, measured),
    })  # fmt: skip


def _table(table: Table, measured: Measured) -> dict[str, Any]:
    notes = footnotes(table)
    order = {note: number for number, note in enumerate(notes)}
    return _without_nothing({
        "headings": row_headings_of(table), "columns": [_column(column) for column in table.columns],
        "rows": [_row(row, order, measured) for row in table.rows],
        "remarks": list(table.remarks), "notes": list(notes), "runs": [run for run, _ in sources(table, measured)],
    })  # fmt: skip


def _column(column: Column) -> dict[str, Any]:
    where = dict(column.setting)
    if "cpu" in where:
        cpu, cores, quota = where.pop("cpu"), int(where.pop("cores")), float(where.pop("cpu_quota", 0))
        where["machine"] = machine_name(cpu, cores, quota, where.pop("kept_to", ""))
    return _without_nothing({
        "key": column.key, "title": column.title, "group": column.group, "words": not column.origins or None,
        "where": {key: value for key, value in where.items() if value},
    })  # fmt: skip


def _row(row: Row, notes: Mapping[str, int], measured: Measured) -> dict[str, Any]:
    return _without_nothing({
        "names": dict(row.names), "section": row.section, "highlight": row.highlight or None,
        "cells": [_cell(cell, notes, measured) for cell in row.cells],
    })  # fmt: skip


def _cell(cell: Cell, notes: Mapping[str, int], measured: Measured) -> dict[str, Any] | int:
    """0 stands for an empty cell, of which there are many."""
    made = _without_nothing({
        "v": [[value.text, ORIGINS[value.origin]] for value in cell.values if value.text or len(cell.values) > 1],
        "d": cell.detail, "t": list(cell.tags), "n": [notes[note] for note in dict.fromkeys(cell.notes)],
        "hit": 1 if cell.hit else None, "r": [measured.id(record) for record in cell.records],
    })  # fmt: skip
    return made or 0
