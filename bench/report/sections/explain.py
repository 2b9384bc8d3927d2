"""Why is it slow? The parts of every network's time, as a table and as stacked bars."""

import functools
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.explain.explanation import paragraph
from bench.report import paper, plotting
from bench.report.measured import Measured, Setting, free_key, metric, name, tags
from bench.report.network_rows import network_rows
from bench.report.plotting import DPI, FAINT, INK
from bench.report.section import ReportFigure, Section
from bench.report.table import Cell, Column, Table, Value, in_panels

# The parts of a network's time: metric, heading, colour (Okabe and Ito's). They add up to the whole.
PARTS = (
    ("compute_bound_ms", "Multiply-adds at peak", "#009E73"),
    ("memory_bound_ms", "Memory at peak", "#56B4E9"),
    ("above_bound_ms", "Slower than the bound", "#999999"),
    ("setup_ms", "Set-up of operators", "#E69F00"),
    ("layout_ms", "Changes of layout", "#CC79A7"),  # a runtime's
    ("dispatch_ms", "Calls and Python", "#D55E00"),
)
EAGER = "eager"
UNTRUSTED = "do not trust"
WIDTH, ROW = 8.4, 0.34  # of the figure and for a bar, in inches


def by_setting(measured: Measured) -> dict[Setting, dict[str, Record]]:
    """The newest record of every network in each setting."""
    found: dict[Setting, dict[str, Record]] = {}
    for record in sorted(measured.of_kind("explain"), key=lambda record: record.started_at):
        found.setdefault(measured.setting(record), {})[name(record)] = record
    return dict(sorted(found.items()))


# --------------------------------------------------------------------------------- table


def table(measured: Measured) -> Table | None:
    """A row a network, and a panel a machine, device and input; none where nothing was explained."""
    found = by_setting(measured)
    if not found:
        return None
    columns, panels = in_panels((heading(setting), _columns(setting)) for setting in found)
    rows = network_rows(
        (model for here in found.values() for model in here),
        lambda model: (cell for setting, here in found.items() for cell in _cells(setting, here.get(model))),
    )
    return Table(
        {"model": "Model", "name": "In the paper"},
        columns,
        rows,
        panels=panels,
        remarks=(
            "Must take: multiply-adds at the peak of a large matrix product or bytes at that of a large "
            "copy, whichever takes longer, and an empty call, summed over all operators.",
            "The parts, in percent of the measured time, add up to it. Too small: operators that take longer to "
            "start than their work must take. Changes of layout: operators that a runtime adds to change layouts or "
            "number types; what it takes between operators is part of calls and Python. On a GPU: as a graph is what "
            "a replay of its kernels takes, launched together; the difference is launch overhead, part of calls and "
            "Python.",
            "Set-up: what operators would take on a picture of no pixels, by the line through two sizes. Slower than "
            "the bound: no reason can be seen from here. docs/explain.md has the method.",
        ),
    )


def heading(setting: Setting) -> str:
    where = setting.gpu or setting.machine
    threads = "" if setting.gpu else f", {setting.threads} thread{'s'[: setting.threads != 1]}"
    precision = "" if setting.precision == "fp32" else f", {setting.precision}"
    backend = "" if setting.backend == EAGER else f", {setting.backend}"
    return f"{where}{threads}{backend}{precision}, input {setting.input}"


def parts_of(setting: Setting) -> tuple[tuple[str, str, str], ...]:
    """The parts that are known: PyTorch adds no changes of layout of its own, and a file is for one size of picture."""
    absent = "layout_ms" if setting.backend == EAGER else "setup_ms"
    return tuple(part for part in PARTS if part[0] != absent)


def _columns(setting: Setting) -> list[Column]:
    group = setting.what.rpartition(",")[0] if setting.backend == EAGER else setting.what
    plain = [("latency", "ms"), ("must", "must take ms"), ("operators", "operators"), ("small", "too small")]
    if setting.gpu:
        plain.insert(1, ("graph", "as a graph ms"))
    parts = tuple((key.removesuffix("_ms"), f"{title}, %") for key, title, _ in parts_of(setting))
    where = (*setting.parts, ("precision", setting.precision), ("input", setting.input))
    return [Column(key, title, ("measured",), group, where) for key, title in (*plain, *parts)]


def _cells(setting: Setting, record: Record | None) -> list[Cell]:
    if record is None:
        return [Cell()] * len(_columns(setting))
    total, must = metric(record, "latency_ms_measured"), metric(record, "must_take_ms")
    shown_tags = tuple(tag for tag in tags(record) if tag != "explain")
    shown = [
        (metrics.text("latency_ms_measured", total), {"latency_ms": total}),
        (metrics.text("must_take_ms", must, 3 if setting.gpu else None), {"must_take_ms": must}),
        (f"{metric(record, 'operators'):,}", {}),
        (f"{metric(record, 'small_operators'):,}", {}),
    ]
    if setting.gpu:
        graph = metric(record, "graph_ms")
        launching = 100 * record.metrics.get("launch_overhead_ms", max(0.0, total - graph)) / total
        shown.insert(1, (metrics.text("graph_ms", graph), {"graph_ms": graph, "launch_percent": launching}))
    cells = [Cell((Value(text, "measured"),), extra=extra, record=record) for text, extra in shown]
    cells[0] = Cell(cells[0].values, extra=cells[0].extra, record=record, tags=shown_tags, notes=(paragraph(record),))
    for key, _, _ in parts_of(setting):
        if key not in record.metrics:  # set-up is not known of every network
            cells.append(Cell())
            continue
        value = metric(record, key)
        cells.append(Cell((Value(printed(100 * value / total, 1, 0), "measured"),), extra={key: value}, record=record))
    return cells


# -------------------------------------------------------------------------------- figure


@dataclass(frozen=True)
class Bar:
    label: str
    parts: tuple[float, ...]  # milliseconds, in the order of PARTS
    total: float
    highlight: bool


@dataclass(frozen=True)
class SplitChart:
    """The bars of all networks in one setting, the slowest first."""

    key: str
    title: str
    subtitle: str
    bars: tuple[Bar, ...]
    remarks: tuple[str, ...]
    backend: str = ""  # of all bars


def charts(measured: Measured) -> list[SplitChart]:
    """One chart for each machine, device, thread count and input."""
    found: dict[str, SplitChart] = {}
    for setting, records in by_setting(measured).items():
        key = free_key(f"explain_{setting.slug.replace('_eager', '', 1)}{_size(setting)}", found)
        found[key] = _chart(records, setting, key)
    return list(found.values())


def is_doubtful(record: Record) -> bool:
    """Whether its parts do not add up to the whole."""
    return any(UNTRUSTED in note for note in record.warnings)


def _bar(label: str, record: Record, *, highlight: bool) -> Bar:
    parts = tuple(record.metrics.get(part, 0.0) for part, _, _ in PARTS)
    return Bar(
        label + (" (doubtful)" if is_doubtful(record) else ""), parts, metric(record, "latency_ms_measured"), highlight
    )


def _slowest_first(bars: Iterable[Bar]) -> tuple[Bar, ...]:
    return tuple(sorted(bars, key=lambda bar: (-bar.total, bar.label)))


def _remarks(bars: Iterable[Bar]) -> list[str]:
    remarks = ["Bound by the peaks of a large matrix product and a large copy, measured beside."]
    if any("doubtful" in bar.label for bar in bars):
        remarks.append("Doubtful: measured one by one, the parts do not add up to the whole.")
    return remarks


def side_by_side(measured: Measured) -> list[tuple[SplitChart, float]]:
    """A chart of each network that was explained in several runtimes at one place, and how far these differ: the
    longest time over the shortest. The network whose runtimes differ most comes first."""
    found: dict[tuple[Any, ...], list[tuple[Setting, Record]]] = {}
    for setting, records in by_setting(measured).items():
        for model, record in records.items():
            place = (*setting.place, setting.input, setting.batch, setting.joints, model)
            found.setdefault(place, []).append((setting, record))
    made: list[tuple[SplitChart, float]] = []
    keys: set[str] = set()
    for (*_, model), runs in found.items():
        if len({setting.backend for setting, _ in runs}) < 2:
            continue
        first = runs[0][0]
        bars = [_bar(_runtime(setting), record, highlight=setting.backend == EAGER) for setting, record in runs]
        quantised = any(setting.precision == "int8" for setting, _ in runs)
        where = replace(first, backend=EAGER, precision="fp32").slug.replace(f"_{EAGER}", "", 1)
        key = free_key(f"explain_runtimes_{where}_{model}{_size(first)}", keys)
        keys.add(key)
        chart = SplitChart(
            key,
            f"Where {paper.label(model)}'s time goes in each runtime",
            f"{first.gpu or first.machine}, batch {first.batch}, input {first.input}{_threads(first)}",
            _slowest_first(bars),
            (
                *_remarks(bars), "Set-up is told apart in eager PyTorch alone, changes of layout in runtimes.",
                *(["An int8 runtime is bound by its own product in int8."] if quantised else []),
            ),
        )  # fmt: skip
        times = [bar.total for bar in bars]
        made.append((chart, max(times) / min(times)))
    return sorted(made, key=lambda one: (-one[1], one[0].key))


def _runtime(setting: Setting) -> str:
    half = setting.precision not in ("fp32", "int8") and setting.precision not in setting.backend
    return f"{setting.backend}, {setting.precision}" if half else setting.backend


def _size(setting: Setting) -> str:
    return "" if setting.input == "256x192" else f"_{setting.input}"


def _threads(setting: Setting) -> str:
    return "" if setting.gpu else f", {setting.threads} threads"


def _chart(records: dict[str, Record], setting: Setting, key: str) -> SplitChart:
    bars = [
        _bar(paper.label(model), record, highlight=model == paper.BASELINE) for model, record in records.items()
    ]  # fmt: skip
    remarks = _remarks(bars)
    unknown = [paper.label(model) for model, record in records.items() if "setup_ms" not in record.metrics]
    if unknown and setting.backend == EAGER:
        remarks.append(f"Set-up not told apart: {', '.join(unknown)}.")
    on = setting.gpu or setting.machine
    threads = f"in a machine with {setting.machine}" if setting.gpu else f"{setting.threads} threads"
    return SplitChart(
        key,
        f"Where the time goes on {on}",
        f"{setting.backend}, {setting.precision}, batch {setting.batch}, input {setting.input}, {threads}",
        _slowest_first(bars),
        tuple(remarks),
        setting.backend,
    )


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    """Of eager PyTorch all, of runtimes the network that they differ most on; the others where all are asked for."""
    compared = [chart for chart, _ in side_by_side(measured)]
    for chart in charts(measured):
        if chart.backend == EAGER:
            yield _picture(chart)
    for index, chart in enumerate(compared):
        yield _picture(chart, main=index == 0)
    for chart in charts(measured):
        if chart.backend != EAGER:
            yield _picture(chart, main=not compared)


def _picture(chart: SplitChart, *, main: bool = True) -> ReportFigure:
    drawing = functools.partial(plotting.draw, chart.key, functools.partial(picture, chart))
    return ReportFigure(chart.key, drawing, main=main)


def picture(chart: SplitChart) -> Figure:
    """The chart drawn: milliseconds, and beside them shares."""
    below = textwrap.wrap(" ".join(chart.remarks), int(WIDTH * 15))
    top, bottom = 1.0, 0.55 + 0.16 * len(below)
    height = top + ROW * len(chart.bars) + bottom
    drawn = Figure(figsize=(WIDTH, height), dpi=DPI)
    FigureCanvasAgg(drawn)
    drawn.text(0.15 / WIDTH, 1 - 0.1 / height, chart.title, va="top", color=INK, fontsize=10.5, fontweight="bold")
    drawn.text(0.15 / WIDTH, 1 - 0.31 / height, chart.subtitle, va="top", color=FAINT)
    drawn.text(0.15 / WIDTH, 0.08 / height, "\n".join(below), va="bottom", color=FAINT, fontsize=8, linespacing=1.25)
    names = [drawn.text(0, 0, bar.label, fontsize=9, fontweight="bold") for bar in chart.bars]
    left = 0.25 + max(text.get_window_extent().width for text in names) / DPI
    for text in names:
        text.remove()
    room, gap = WIDTH - left - 0.2, 0.3
    widths = (0.6 * (room - gap), 0.4 * (room - gap))
    frames = ((left, widths[0]), (left + widths[0] + gap, widths[1]))
    axes = [
        drawn.add_axes((x / WIDTH, bottom / height, width / WIDTH, ROW * len(chart.bars) / height))
        for x, width in frames
    ]
    _bars(axes[0], chart.bars, [1.0] * len(chart.bars))
    _bars(axes[1], chart.bars, [bar.total / 100 for bar in chart.bars])
    axes[0].set_xlabel("Milliseconds, measured")
    axes[1].set_xlabel("Percent of the time")
    longest = max(bar.total for bar in chart.bars)
    axes[0].set_xlim(0, 1.13 * longest)  # room for the totals
    for row, bar in enumerate(chart.bars):
        axes[0].text(bar.total + 0.01 * longest, row, printed(bar.total, 1, 1), va="center", color=INK, fontsize=8.5)
    axes[0].set_yticks(range(len(chart.bars)), [bar.label for bar in chart.bars])
    for label, bar in zip(axes[0].get_yticklabels(), chart.bars, strict=True):
        label.set(color=INK, fontweight="bold" if bar.highlight else "normal")
    axes[1].set_yticks([])
    axes[1].set_xlim(0, 100)
    handles, legend = axes[0].get_legend_handles_labels()
    drawn.legend(
        handles, legend, loc="center left", bbox_to_anchor=(0.15 / WIDTH, 1 - 0.78 / height), ncols=len(PARTS),
        frameon=False, fontsize=8, borderpad=0, borderaxespad=0, handlelength=1, handletextpad=0.4, columnspacing=1.2,
        labelcolor=INK,
    )  # fmt: skip
    return drawn


def _bars(axes: Axes, bars: Sequence[Bar], units: Sequence[float]) -> None:
    """Stacked bars, the first on top, each in its unit."""
    start = [0.0] * len(bars)
    for index, (_, title, colour) in enumerate(PARTS):
        if not any(bar.parts[index] for bar in bars):  # a part that none of these can have
            continue
        lengths = [bar.parts[index] / unit for bar, unit in zip(bars, units, strict=True)]
        style: dict[str, Any] = {"height": 0.72, "color": colour, "edgecolor": "white", "linewidth": 0.4}
        axes.barh(range(len(bars)), lengths, left=start, label=title, **style)
        start = [a + b for a, b in zip(start, lengths, strict=True)]
    axes.set_ylim(len(bars) - 0.5, -0.5)
    axes.grid(axis="x", color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.tick_params(axis="y", length=0)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


SECTIONS = (Section("explain", "Why is it slow?", 65, table, _pictures),)
