"""How far the latency check is to be trusted: its self-test as a table and as curves."""

import functools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from bench.core.metrics import printed
from bench.core.record import Record
from bench.regress.self_test_conditions import busy_neighbours, condition
from bench.report import plotting
from bench.report.measured import Measured, Setting, free_key, metric
from bench.report.plotting import FAINT, INK
from bench.report.section import ReportFigure, Section
from bench.report.table import Cell, Column, Row, Table, Value, in_panels

HEADINGS = {
    "comparisons": "Comparisons", "regression": "Said slower", "clear": "Said clear", "faster": "Of these faster",
    "undecided": "Undecided", "seconds_median": "Seconds, median", "seconds_max": "Seconds, longest",
    "pairs_median": "Pairs, median", "pair_log_ratio_std": "Spread of pairs, %",
}  # fmt: skip
# Of the curves over time: slow-down and how many busy processes ran beside it, Okabe and Ito's colours.
COLOURS = {
    (0.0, 0): "#009E73", (0.0, 1): "#56B4E9", (0.0, 2): "#0072B2", (0.05, 0): "#999999", (0.1, 0): "#E69F00",
    (0.1, 1): "#F0E442", (0.1, 2): "#CC79A7", (0.2, 0): "#D55E00",
}  # fmt: skip
WIDTH, HEIGHT = 8.4, 3.1  # of the figure, and of its axes, in inches


@dataclass(frozen=True, order=True)
class SelfTestSetting:
    """All conditions of one self-test."""

    setting: Setting
    model: str
    threshold: float
    budget_s: float

    @classmethod
    def of(cls, record: Record) -> "SelfTestSetting":
        told = record.protocol
        return cls(Setting.of(record), record.model, float(told["threshold"]), float(told["budget_s"]))

    @property
    def title(self) -> str:
        where, threads = self.setting.gpu or self.setting.machine, self.setting.threads
        return (
            f"{self.model} on {where}, {threads} thread{'s'[: threads != 1]}, input {self.setting.input}; "
            f"slow-down that is let pass: {100 * self.threshold:.3g} %, budget of a set {self.budget_s:g} s"
        )


def tests(measured: Measured) -> dict[SelfTestSetting, list[Record]]:
    """The records of every self-test, by slow-down."""
    found: dict[SelfTestSetting, list[Record]] = {}
    for record in measured.of_kind("regress"):
        if record.protocol.get("name") == "self-test":
            found.setdefault(SelfTestSetting.of(record), []).append(record)
    return {test: sorted(found[test], key=_order) for test in sorted(found)}


def _order(record: Record) -> tuple[float, int]:
    return float(record.options["slower_by"]), busy_neighbours(record)


def _columns(test: SelfTestSetting) -> list[Column]:
    what = (("model", test.model), ("threshold", f"{test.threshold:g}"), *test.setting.parts)
    return [Column(key, title, ("measured",), "", what) for key, title in HEADINGS.items()]


def table(measured: Measured) -> Table | None:
    """A row a condition and a panel a self-test; none where there was none."""
    found = tests(measured)
    if not found:
        return None
    conditions = {_order(record): condition(record) for records in found.values() for record in records}
    columns, panels = in_panels((test.title, _columns(test)) for test in found)
    rows = []
    for order in sorted(conditions):
        by_test = [next((r for r in records if _order(r) == order), None) for records in found.values()]
        cells = tuple(cell for record in by_test for cell in _cells(record))
        rows.append(Row({"condition": conditions[order][0].upper() + conditions[order][1:]}, cells))
    return Table(
        {"condition": "New code"},
        columns,
        tuple(rows),
        panels=panels,
        remarks=(
            "Every comparison is one that python -m bench.regress would have made, of code with itself; slower by so "
            "much: one side was kept busy for that share of every round.",
            "Behind a count, the exact 95 % interval of its rate. Spread: the standard deviation of the logarithm of a "
            "pair's ratio.",
        ),
    )


def _cells(record: Record | None) -> list[Cell]:
    if record is None:
        return [Cell()] * len(HEADINGS)
    cells = []
    for key in HEADINGS:
        value = record.metrics.get(key)
        if key == "faster":
            value = float(record.notes["verdicts"].count("faster"))  # type: ignore[union-attr]
        if value is None:
            cells.append(Cell())
            continue
        shown = printed(100 * value, 1, 1) if key == "pair_log_ratio_std" else printed(value, 1, 0)
        ends = [record.metrics.get(f"{key}_rate_{end}") for end in ("low", "high")]
        rate = f"{100 * ends[0]:.1f} to {100 * ends[1]:.1f} %" if ends[0] is not None and ends[1] is not None else ""
        cells.append(Cell((Value(shown, "measured"),), detail=rate, extra={key: value}, record=record))
    return cells


def charts(measured: Measured) -> list[tuple[str, SelfTestSetting, list[Record]]]:
    """File name, self-test and records of each figure."""
    named: dict[str, tuple[str, SelfTestSetting, list[Record]]] = {}
    for test, records in tests(measured).items():
        key = free_key(f"regress_{test.setting.slug}_{test.model}_{100 * test.threshold:g}percent", named)
        named[key] = (key, test, records)
    return list(named.values())


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    for key, test, records in charts(measured):
        yield ReportFigure(key, functools.partial(plotting.draw, key, functools.partial(_picture, test, records)))


def _picture(test: SelfTestSetting, records: Sequence[Record]) -> Figure:
    """Detection against slow-down, and what was decided against time."""
    lines = textwrap.wrap(test.title, int(WIDTH * 13.5))
    top, bottom = 0.45 + 0.17 * len(lines) + 0.3, 0.55
    height = top + HEIGHT + bottom
    title = "How often the latency check says “slower”, and how soon it knows"
    drawn = plotting.headed(WIDTH, height, title, lines)
    left, gap = 0.6, 0.75
    width = (WIDTH - left - gap - 0.2) / 2
    frames = ((left, width), (left + width + gap, width))
    one, other = (drawn.add_axes((x / WIDTH, bottom / height, wide / WIDTH, HEIGHT / height)) for x, wide in frames)
    _detection(one, test, [record for record in records if not busy_neighbours(record)])
    _decided(other, records)
    for axes in (one, other):
        axes.set_ylim(-3, 103)
        axes.grid(color="#e6e6e6", linewidth=0.6)
        axes.set_axisbelow(True)
        for side in ("top", "right"):
            axes.spines[side].set_visible(False)
    return drawn


def _detection(axes: Axes, test: SelfTestSetting, records: Sequence[Record]) -> None:
    slower = [100 * float(record.options["slower_by"]) for record in records]
    rate = [100 * metric(record, "regression") / metric(record, "comparisons") for record in records]
    low = [100 * metric(record, "regression_rate_low") for record in records]
    high = [100 * metric(record, "regression_rate_high") for record in records]
    errors = [np.subtract(rate, low).clip(0), np.subtract(high, rate).clip(0)]
    axes.errorbar(slower, rate, yerr=errors, color="#0072B2", marker="o", markersize=5, capsize=3, linewidth=1.4)
    axes.axvline(100 * test.threshold, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)))
    axes.annotate(
        "let pass", (100 * test.threshold, 88), (-4, 0), textcoords="offset points", rotation=90, ha="right",
        va="center", color=FAINT, fontsize=8,
    )  # fmt: skip
    axes.set_xlabel("Slow-down that was planted, %")
    axes.set_ylabel("Comparisons that said slower, %")
    axes.set_xticks(slower)


def _decided(axes: Axes, records: Sequence[Record]) -> None:
    """Share of the comparisons that had come to an answer by a time."""
    longest = max(metric(record, "seconds_max") for record in records)
    for record in records:
        verdicts = record.notes["verdicts"]
        seconds = record.samples["seconds"][0]
        known = sorted(s for s, v in zip(seconds, verdicts, strict=True) if v != "undecided")  # type: ignore[arg-type]
        times = [0.0, *known, longest]
        shares = [100 * n / len(seconds) for n in (*range(len(known) + 1), len(known))]
        colour = COLOURS.get(_order(record), "#0072B2")
        label = condition(record)
        axes.step(times, shares, where="post", color=colour, linewidth=1.6, label=label)
    axes.set_xlabel("Seconds")
    axes.set_ylabel("Comparisons that came to an answer, %")
    axes.set_xlim(0, 1.02 * longest)
    axes.legend(
        loc="lower center", bbox_to_anchor=(0.45, 1.0), ncols=2, frameon=False, fontsize=8, handlelength=1.4,
        columnspacing=1.2, labelcolor=INK, borderaxespad=0.2,
    )  # fmt: skip


SECTIONS = (Section("regress", "Latency check: how often it errs", 140, table, _pictures),)
