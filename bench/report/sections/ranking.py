"""Ranking by runtime: who is faster than whom on one machine, and how that changes with what runs the networks."""

import functools
import math
import textwrap
from collections.abc import Iterator
from dataclasses import dataclass, replace

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.core import metrics
from bench.core.record import PRECISIONS, Record
from bench.report import newer, paper, plotting
from bench.report.measured import (
    JOINTS,
    SIZE,
    Measured,
    Setting,
    free_key,
    interval,
    metric,
    name,
    notes_on_protocol,
    runtime_order,
    slug,
    tags,
)
from bench.report.plotting import DPI, FAINT, INK
from bench.report.section import ReportFigure, Section
from bench.report.table import COLUMNS_A_PANEL, Cell, Column, Number, Panel, Row, Table, Value

REFERENCE = "eager"
# Okabe and Ito's colours and a grey: neighbours in a chart must be told apart, whatever method they are of.
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#999999", "#7B5EA7", "#D55E00")
STEP, ROW = 0.98, 0.46  # inches a runtime and a network


@dataclass(frozen=True)
class Runtime:
    """One runtime's networks, fastest first."""

    setting: Setting
    records: tuple[Record, ...]

    @property
    def title(self) -> str:
        backend, precision = self.setting.backend, self.setting.precision
        said = precision in ("fp32", "int8") or backend.endswith(precision)
        return backend if said else f"{backend} {precision}"

    @property
    def int8(self) -> bool:
        return self.setting.precision == "int8"

    def rank(self, model: str) -> int | None:
        return next((rank for rank, record in enumerate(self.records, 1) if name(record) == model), None)

    def record(self, model: str) -> Record | None:
        return next((record for record in self.records if name(record) == model), None)


@dataclass(frozen=True)
class MachineRuntimes:
    """Several runtimes on one machine and device: the reference first, int8 last."""

    key: str  # of its figure
    title: str
    runtimes: tuple[Runtime, ...]

    @property
    def reference(self) -> Runtime | None:
        """What the others are compared with."""
        alike = (r for r in self.runtimes if (r.setting.backend, r.setting.precision) == (REFERENCE, "fp32"))
        return next(alike, None)

    @property
    def usual(self) -> bool:
        """Whether all cores of the machine were used, or its GPU."""
        return self.runtimes[0].setting.usual_threads

    @property
    def models(self) -> list[str]:
        """All networks, in the order of the first runtime."""
        return list(dict.fromkeys(name(record) for runtime in self.runtimes for record in runtime.records))


def places(measured: Measured) -> list[MachineRuntimes]:
    """Where two runtimes or more ran two networks or more at batch 1 and Table V's input."""
    groups: dict[tuple[str, ...], list[Setting]] = {}
    for setting in measured.settings:
        if (setting.batch, setting.input, setting.joints) == (1, SIZE, JOINTS):
            groups.setdefault(setting.place, []).append(setting)
    found: list[MachineRuntimes] = []
    for alike, settings in groups.items():
        runtimes = [runtime for setting in settings if len((runtime := _runtime(measured, setting)).records) > 1]
        if len(runtimes) > 1:
            first = settings[0]
            wanted = "_".join(filter(None, ("ranking", *(slug(part) for part in alike))))
            key = free_key(wanted, {place.key for place in found})
            found.append(MachineRuntimes(key, first.where, tuple(sorted(runtimes, key=_order))))
    return found


def _runtime(measured: Measured, setting: Setting) -> Runtime:
    records = [record for model in measured.timed(setting) if (record := measured.speed(model, setting))]
    return Runtime(setting, tuple(sorted(records, key=lambda record: (-metric(record, "fps"), name(record)))))


def _order(runtime: Runtime) -> tuple[int, tuple[int, str]]:
    """From full precision down, int8 last."""
    precision = runtime.setting.precision
    place = PRECISIONS.index(precision) if precision in PRECISIONS else len(PRECISIONS)
    return place, runtime_order(runtime.setting.backend)


def overtaken(runtime: Runtime, reference: Runtime, model: str) -> tuple[list[str], list[str]]:
    """The networks that are faster than a network in the reference and slower here.

    Returns:
        Those of which it is sure, as the intervals do not overlap in either runtime; and the others.
    """
    sure: list[str] = []
    unsure: list[str] = []
    for other in (name(record) for record in reference.records):
        pairs = [(one.record(model), one.record(other)) for one in (reference, runtime)]
        (mine_before, theirs_before), (mine, theirs) = pairs
        if mine_before is None or theirs_before is None or mine is None or theirs is None:
            continue
        if metric(mine_before, "fps") < metric(theirs_before, "fps") and metric(mine, "fps") > metric(theirs, "fps"):
            apart = _apart(mine_before, theirs_before) and _apart(mine, theirs)
            (sure if apart else unsure).append(other)
    return sure, unsure


def _apart(one: Record, other: Record) -> bool:
    """Whether two speeds differ by more than their 95 % intervals; without an interval nobody knows."""
    first, second = interval(one), interval(other)
    return first is not None and second is not None and max(first[0], second[0]) > min(first[1], second[1])


# --------------------------------------------------------------------------------- table


def table(measured: Measured) -> Table | None:
    """Rank and speed of every network in every runtime, and whom it overtakes; none where there is one runtime."""
    found = places(measured)
    if not found:
        return None
    columns: list[Column] = []
    panels = []
    cells: dict[str, list[Cell]] = {model: [] for place in found for model in place.models}
    for place in found:
        for start in range(0, len(place.runtimes), COLUMNS_A_PANEL):
            shown = place.runtimes[start : start + COLUMNS_A_PANEL]
            panels.append(Panel(place.title, tuple(range(len(columns), len(columns) + len(shown)))))
            for runtime in shown:
                title = runtime.title + (" (int8)" if runtime.int8 else "")
                where = (*runtime.setting.parts, ("precision", runtime.setting.precision))
                columns.append(Column("rank", title, ("measured",), setting=where))
                for model, row in cells.items():
                    row.append(_cell(runtime, place.reference, model))
    zoo, own = paper.in_order(cells)
    rows = [
        Row({"model": model, "name": paper.label(model)}, tuple(cells[model]), highlight=model == paper.BASELINE)
        for model in (*zoo, *own)
    ]
    return Table(
        {"model": "Model", "name": "Name"},
        tuple(columns),
        tuple(rows),
        panels=tuple(panels),
        remarks=(
            f"Place by speed among the networks of a column, with FPS; batch 1, input {SIZE}, {JOINTS} joints.",
            f"Passes: networks that are faster in {REFERENCE} and slower here, on the same machine. \"Perhaps\": the "
            "95 % intervals overlap in one of the two, or there are none.",
            "Columns marked int8 are of quantised networks, which are other functions with an accuracy of their own.",
        ),
    )  # fmt: skip


def _cell(runtime: Runtime, reference: Runtime | None, model: str) -> Cell:
    record, rank = runtime.record(model), runtime.rank(model)
    if record is None or rank is None:
        return Cell()
    fps = metric(record, "fps")
    sure, unsure = overtaken(runtime, reference, model) if reference else ([], [])
    details = [f"{metrics.text('fps', fps)} FPS"]
    details += [f"passes {', '.join(map(paper.label, sure))}"] if sure else []
    details += [f"perhaps {', '.join(map(paper.label, unsure))}"] if unsure else []
    extra: dict[str, Number] = {
        "fps": fps, "passes": " ".join(sure), "perhaps_passes": " ".join(unsure),
    }  # fmt: skip
    return Cell(
        (Value(str(rank), "measured"),), detail="; ".join(details), tags=tags(record), notes=notes_on_protocol(record),
        extra=extra, record=record,
    )  # fmt: skip


# -------------------------------------------------------------------------------- figure


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    for place in map(_alike, places(measured)):
        draw = functools.partial(plotting.draw, place.key, functools.partial(picture, place))
        yield ReportFigure(place.key, draw, main=place.usual)


def _alike(place: MachineRuntimes) -> MachineRuntimes:
    """Without newer networks that some runtimes did not run: a place among 19 is another than one among 8."""
    partly = {model for model in newer.names() if not all(runtime.record(model) for runtime in place.runtimes)}
    runtimes = [
        replace(runtime, records=tuple(record for record in runtime.records if name(record) not in partly))
        for runtime in place.runtimes
    ]
    ranked = tuple(runtime for runtime in runtimes if len(runtime.records) > 1)
    return replace(place, runtimes=ranked) if len(ranked) > 1 else place


def picture(place: MachineRuntimes) -> Figure:
    """A line a network through its places in the runtimes."""
    models = place.models
    titles = {model: paper.label(model) for model in models}
    longest = 0.085 * max(map(len, titles.values())) + 0.35  # of a name, in inches
    width = 2 * longest + STEP * (len(place.runtimes) - 1) + 0.7
    title = textwrap.wrap(f"Fastest first, by runtime: {place.title}", int(width * 9.5))
    busy = {word for runtime in place.runtimes for record in runtime.records for word in tags(record)}
    remarks = f"Numbers: frames per second, batch 1, input {SIZE}. Place 1 is the fastest network of its runtime."
    remarks += " Right of the dashed line: int8, other functions." if any(r.int8 for r in place.runtimes) else ""
    remarks += f" Caution, some measurements: {', '.join(sorted(busy))}." if busy else ""
    below = textwrap.wrap(remarks, int(width * 14))
    top, bottom = 0.75 + 0.2 * len(title), 0.25 + 0.16 * len(below)
    height = top + ROW * len(models) + bottom
    drawn = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(drawn)
    drawn.text(0.15 / width, 1 - 0.1 / height, "\n".join(title), va="top", color=INK, fontsize=10.5, fontweight="bold")
    drawn.text(0.15 / width, 0.08 / height, "\n".join(below), va="bottom", color=FAINT, fontsize=8, linespacing=1.25)
    axes = drawn.add_axes((0, bottom / height, 1, ROW * len(models) / height))
    axes.set_xlim(-(longest + 0.35) / STEP, len(place.runtimes) - 1 + (longest + 0.35) / STEP)
    axes.set_ylim(len(models) + 0.5, 0.5)
    axes.set_axis_off()
    for index, runtime in enumerate(place.runtimes):
        axes.plot([index, index], [0.6, len(models) + 0.4], color="#eeeeee", linewidth=1, zorder=1)
        heading = runtime.title.removesuffix("_int8").replace("onnx", "onnx\n").replace("_", "\n")
        heading += "\nint8" if runtime.int8 and "int8" not in heading else ""
        axes.text(index, 0.45, heading, ha="center", va="bottom", fontsize=8, color=INK, linespacing=1.0)
        if runtime.int8 and index and not place.runtimes[index - 1].int8:
            axes.axvline(index - 0.5, color=FAINT, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
    # The same colour in every figure for a network of the paper.
    known = [*paper.models(), *(model for model in models if model not in paper.models())]
    for model in models:
        _line(axes, place, model, titles[model], known.index(model))
    return drawn


def _line(axes: Axes, place: MachineRuntimes, model: str, label: str, number: int) -> None:
    """One network: its line, its speeds on it, and its name at both ends."""
    colour, bold = COLOURS[number % len(COLOURS)], model == paper.BASELINE
    dashes = "-" if number < len(COLOURS) else (0, (5, 2))
    ranks = [runtime.rank(model) for runtime in place.runtimes]
    # A runtime that did not run it leaves a gap.
    heights = [math.nan if rank is None else float(rank) for rank in ranks]
    axes.plot(range(len(ranks)), heights, color=colour, linewidth=3.2 if bold else 1.8, linestyle=dashes, zorder=2)
    weight = "bold" if bold else "normal"
    there = [(index, rank) for index, rank in enumerate(ranks) if rank is not None]
    for index, rank in there:
        record = place.runtimes[index].record(model)
        assert record is not None
        axes.text(
            index, rank, metrics.text("fps", metric(record, "fps")), ha="center", va="center", fontsize=7.5, color=INK,
            fontweight=weight, zorder=4,
            bbox={"boxstyle": "round,pad=0.28", "facecolor": "white", "edgecolor": colour, "linewidth": 1.2},
        )  # fmt: skip
    (first, first_rank), (last, last_rank) = there[0], there[-1]
    reach = 0.36 / STEP
    if first == 0:
        axes.text(first - reach, first_rank, label, ha="right", va="center", fontsize=9, color=INK, fontweight=weight)
    if last == len(ranks) - 1:
        axes.text(last + reach, last_rank, label, ha="left", va="center", fontsize=9, color=INK, fontweight=weight)
    if first > 0 and last < len(ranks) - 1:  # in the middle only: its name stands on its line
        axes.annotate(
            label, (last, last_rank), (0, -15), textcoords="offset points", ha="center", fontsize=7, color=INK
        )


SECTIONS = (Section("ranking", "Ranking by runtime", 30, table, _pictures),)
