"""Plots of single sections, as data that the page draws: where time goes, learning curves, the check's self-test."""

from collections.abc import Iterator
from typing import Any

from bench.core.record import Record
from bench.regress.self_test_conditions import busy_neighbours, condition
from bench.report import curves, paper
from bench.report.measured import Measured, Setting, metric
from bench.report.sections import explain, regress


def plots(measured: Measured) -> list[dict[str, Any]]:
    """Each plot with the key of its section, and where it was measured if that is one place."""
    return [*_explained(measured), *_learnt(measured), *_tested(measured)]


def _where(setting: Setting) -> dict[str, str]:
    return {"machine": setting.machine, "device": setting.device, "precision": setting.precision}


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
                for key, title, colour in explain.PARTS
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
