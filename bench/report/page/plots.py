"""Plots of single sections, as data that the page draws: where time goes, frames, learning, the check's self-test."""

from collections.abc import Iterator
from typing import Any

from bench.core.record import Record
from bench.pipeline.described import STAGES
from bench.regress.self_test_conditions import busy_neighbours, condition
from bench.report import curves, paper
from bench.report.measured import Measured, Setting, metric
from bench.report.sections import explain, pipeline, regress


def plots(measured: Measured) -> list[dict[str, Any]]:
    """Each plot with the key of its section, and where it was measured if that is one place."""
    return [*_explained(measured), *_frames(measured), *_learnt(measured), *_tested(measured)]


def _where(setting: Setting) -> dict[str, str]:
    return {
        "machine": setting.machine, "device": setting.device, "gpu": setting.gpu, "precision": setting.precision,
    }  # fmt: skip


def _explained(measured: Measured) -> Iterator[dict[str, Any]]:
    """Stacked bars: the parts of each network's time, in ms."""
    for setting, here in explain.by_setting(measured).items():
        models = sorted(here, key=lambda model: metric(here[model], "latency_ms_measured"))
        yield {
            "section": "explain", "kind": "bars", "title": explain.heading(setting), "x": "ms",
            "where": _where(setting),
            "series": [
                {"name": title, "colour": colour, "y": [paper.label(model) for model in models],
                 "x": [round(here[model].metrics.get(key, 0.0), 4) for model in models]}
                for key, title, colour in explain.parts_of(setting)
            ],
        }  # fmt: skip


def _frames(measured: Measured) -> Iterator[dict[str, Any]]:
    """Frames a second over the number of people, and what each stage takes of a frame."""
    for cells in pipeline.views(measured):
        view = cells.view
        people = pipeline.SHARED if pipeline.SHARED in cells.people else max(cells.people)
        for backend in cells.backends:
            common = {
                "section": "pipeline", "where": {"machine": view.machine, "device": view.device, "gpu": view.gpu,
                                                 "backend": backend, "precision": view.precision},
            }  # fmt: skip
            title = f"{backend}, {view.title}"
            rows = {
                model: [(n, metric(record, "frames_per_s")) for n in cells.people
                        if n and (record := cells.find(backend, model, n))]
                for model in cells.models
            }  # fmt: skip
            yield common | {
                "kind": "lines", "title": f"Frames a second by people: {title}", "x": "People in a frame",
                "y": "Frames a second", "log": True,
                "series": [
                    {"name": paper.label(model), "x": [n for n, _ in row], "y": [round(fps, 4) for _, fps in row]}
                    for model, row in rows.items() if row
                ],
            }  # fmt: skip
            found = [(model, record) for model in cells.models if (record := cells.find(backend, model, people))]
            stages = [stage for stage in STAGES if any(f"stage_{stage}_ms" in r.metrics for _, r in found)]
            yield common | {
                "kind": "bars", "title": f"A frame with {people} people: {title}", "x": "ms",
                "series": [
                    {"name": stage, "colour": pipeline.STAGE_COLOURS[stage],
                     "y": [paper.label(model) for model, _ in found],
                     "x": [round(record.metrics.get(f"stage_{stage}_ms", 0.0), 4) for _, record in found]}
                    for stage in stages
                ],
            }  # fmt: skip


def _learnt(measured: Measured) -> Iterator[dict[str, Any]]:
    for chart in curves.charts(measured):
        yield {
            "section": chart.table, "kind": "lines", "title": f"{chart.title}. {chart.subtitle}", "x": "Epoch",
            "y": "Joints found in training samples, %",
            "series": [
                {"name": line.label, "x": [x for x, _ in points], "y": [round(y, 3) for _, y in points]}
                for line in chart.lines
                for points in line.seeds
            ],
        }  # fmt: skip


def _tested(measured: Measured) -> Iterator[dict[str, Any]]:
    for _, test, records in regress.charts(measured):
        quiet = [record for record in records if not busy_neighbours(record)]
        yield {
            "section": "regress", "kind": "lines", "title": f"How often it says slower: {test.title}",
            "x": "Slow-down that was planted, %", "y": "Comparisons that said slower, %",
            "series": [{
                "name": "said slower", "x": [100 * float(record.options["slower_by"]) for record in quiet],
                "y": [100 * metric(record, "regression") / metric(record, "comparisons") for record in quiet],
                "low": [100 * metric(record, "regression_rate_low") for record in quiet],
                "high": [100 * metric(record, "regression_rate_high") for record in quiet],
            }],
        }  # fmt: skip
        yield {
            "section": "regress", "kind": "steps", "title": f"How soon it knows: {test.title}", "x": "Seconds",
            "y": "Comparisons that came to an answer, %", "series": [_answers(record) for record in records],
        }  # fmt: skip


def _answers(record: Record) -> dict[str, Any]:
    verdicts: Any = record.notes["verdicts"]
    seconds = record.samples["seconds"][0]
    known = sorted(s for s, verdict in zip(seconds, verdicts, strict=True) if verdict != "undecided")
    return {
        "name": condition(record), "x": [0.0, *(round(second, 2) for second in known)],
        "y": [100 * n / len(seconds) for n in range(len(known) + 1)],
    }  # fmt: skip
