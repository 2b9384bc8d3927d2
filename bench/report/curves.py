"""Learning curves: how the rows of Tables IV and VI and the networks learnt, budget by budget."""

import functools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from bench.core.record import Record
from bench.report import paper, plotting
from bench.report.measured import Measured
from bench.report.plotting import DPI, FAINT, INK
from bench.report.section import ReportFigure
from bench.report.training import ABLATIONS, Budget, by_budget, named, of_ablation, of_networks

# Okabe and Ito's, and dashes once they are used up.
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#222222", "#999999")
WIDTH, HEIGHT, KEY = 8.0, 3.4, 2.7  # of the figure, its axes, and the names beside them, in inches

Points = tuple[tuple[float, float], ...]


@dataclass(frozen=True)
class CurveLine:
    """A row's curves, one a seed: epochs and percent."""

    label: str
    seeds: tuple[Points, ...]

    @property
    def end(self) -> float:
        """The mean over seeds after the last epoch."""
        return sum(points[-1][1] for points in self.seeds) / len(self.seeds)


@dataclass(frozen=True)
class CurveChart:
    key: str
    table: str  # that it belongs to
    title: str
    subtitle: str
    lines: tuple[CurveLine, ...]  # the one that ends highest first


def charts(measured: Measured) -> list[CurveChart]:
    """A chart for each table of trainings and each budget with more than one row in it."""
    found: list[CurveChart] = []
    for which in ABLATIONS:
        for budget, records in by_budget(of_ablation(which, measured)).items():
            rows = [(named(which, record), record) for record in records]
            found += _chart(f"table{which.number}", which.title, budget, rows, found)
    for budget, records in by_budget(of_networks(measured)).items():
        rows = [(paper.label(record.model), record) for record in records]
        found += _chart("training", "Networks trained with this project", budget, rows, found)
    return found


def _chart(
    table: str, title: str, budget: Budget, rows: Sequence[tuple[str, Record]], before: Sequence[CurveChart]
) -> list[CurveChart]:
    """None where there is nothing to compare."""
    line_names = list(dict.fromkeys(label for label, _ in rows))
    if len(line_names) < 2:
        return []
    lines = [CurveLine(label, tuple(_points(record) for name, record in rows if name == label)) for label in line_names]
    number = 1 + sum(chart.table == table for chart in before)
    lines.sort(key=lambda line: (-line.end, line.label))
    return [CurveChart(f"{table}_curves_{number}", table, f"{title}: learning curves", budget.what, tuple(lines))]


def _points(record: Record) -> Points:
    history: Any = record.notes["history"]
    return tuple((row["epoch"], 100 * row["accuracy"]) for row in history)


def pictures(table: str, measured: Measured) -> Iterator[ReportFigure]:
    """The charts that belong to a table, to be drawn."""
    for chart in charts(measured):
        if chart.table == table:
            yield ReportFigure(
                chart.key, functools.partial(plotting.draw, chart.key, functools.partial(picture, chart))
            )


def picture(chart: CurveChart) -> Figure:
    subtitle = textwrap.wrap(chart.subtitle, int(WIDTH * 13.5))
    top, bottom, left = 0.42 + 0.17 * len(subtitle), 0.5, 0.6
    height = top + HEIGHT + bottom
    drawn = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(drawn)
    drawn.text(0.15 / WIDTH, 1 - 0.1 / height, chart.title, va="top", color=INK, fontsize=10.5, fontweight="bold")
    drawn.text(0.15 / WIDTH, 1 - 0.31 / height, "\n".join(subtitle), va="top", color=FAINT, linespacing=1.25)
    axes = drawn.add_axes((left / WIDTH, bottom / height, (WIDTH - left - KEY) / WIDTH, HEIGHT / height))
    for index, line in enumerate(chart.lines):
        style: dict[str, Any] = {"color": COLOURS[index % len(COLOURS)], "linewidth": 1.6}
        style["linestyle"] = "-" if index < len(COLOURS) else (0, (4, 2))
        for number, points in enumerate(line.seeds):
            label = f"{line.label}: {line.end:.1f}" if number == 0 else None
            axes.plot(*zip(*points, strict=True), label=label, alpha=0.9 if number == 0 else 0.45, **style)
    axes.set_xlabel("Epoch")
    axes.set_ylabel("Joints found in training samples, %")
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.set_ylim(0, None)
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    axes.legend(
        loc="center left", bbox_to_anchor=(1.02, 0.5), frameon=False, fontsize=8.5, labelcolor=INK, handlelength=1.4,
        title="at the end, mean of seeds", title_fontsize=8, alignment="left",
    )  # fmt: skip
    return drawn
