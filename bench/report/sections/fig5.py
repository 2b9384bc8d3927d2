"""Fig. 5: speed against accuracy, circles as large as the networks, every one named."""

import functools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from bench.report import newer, paper, plotting
from bench.report.benchmarks import BENCHMARKS, DRAWN, Benchmark, accuracy_cell
from bench.report.measured import JOINTS, SIZE, Measured, Setting, free_key, interval, metric, tags
from bench.report.placement import Box, Circle, LabelPlace, place
from bench.report.plotting import DPI, FAINT, INK
from bench.report.section import ReportFigure, Section
from zoo.registry import model_card

# Okabe and Ito's colours, told apart by colour-blind readers too.
COLOURS = {
    "SimpleBaseline": "#0072B2",
    "ViPNAS": "#009E73",
    "Small HRNet": "#CC79A7",
    "Lite-HRNet": "#E69F00",
    (OURS := paper.method("Ours")): "#D55E00",
}
# The newer networks are hollow circles, so that their methods may share colours with the paper's.
COLOURS |= {
    "RTMPose": "#0072B2", "SimCC": "#009E73", "ViTPose": "#CC79A7", "CSPNeXt-UDP": "#E69F00", "Dite-HRNet": "#000000",
}  # fmt: skip
DRAWN_PEOPLE = "drawn people (synthetic)"
OWN, OWN_COLOUR = "your own", "#56B4E9"
NAMELESS = "For want of room without a name:"
MOST_NAMES = 16  # more take minutes to place, and nobody finds one of them
WIDTH, HEIGHT = 6.4, 4.0  # of the axes and what is beside them, in inches
LARGEST = 42.0  # diameter of the largest circle, in points


@dataclass(frozen=True)
class Bubble:
    """A network in the figure."""

    model: str
    label: str
    method: str
    fps: float
    interval: tuple[float, float] | None
    ap: float
    ap_measured: bool
    params: float
    highlight: bool = False
    newer: bool = False  # than the paper: a hollow circle


@dataclass(frozen=True)
class BubbleChart:
    """What one figure shows, and what it has to say about it."""

    key: str
    title: str
    subtitle: str
    dataset: str  # what the AP is on
    bubbles: tuple[Bubble, ...]
    remarks: tuple[str, ...]
    main: bool = True  # the first runtime of its machine and device: drawn without ``--figures all``


def charts(measured: Measured, *, beyond: bool = False) -> list[BubbleChart]:
    """One chart for each machine, device, backend and precision with speeds at batch 1 and Table V's input.

    ``beyond``: with the newer networks too, where there is one to show; otherwise without.

    AP is COCO's, or in charts of their own that on drawn people. Where no network has both a speed and an AP there
    is nothing to draw. The main one of a machine and device is of the first runtime in the catalogue's order.
    """
    found: dict[str, BubbleChart] = {}
    seen: set[tuple[str, str, str, str]] = set()
    first = "beyond" if beyond else "fig5"
    for stem, benchmark in ((first, BENCHMARKS[0]), (f"{first}_synthetic", DRAWN)):
        for setting in measured.settings:
            # An int8 network is another one: its speed does not go with the accuracy in full precision.
            if setting.precision != "int8" and (setting.batch, setting.input, setting.joints) == (1, SIZE, JOINTS):
                key = free_key(f"{stem}_{setting.slug}", found)
                chart = _chart(measured, setting, key, benchmark, beyond=beyond)
                # Of COCO there are the paper's figures; a single network on drawn people compares with nothing.
                enough = len(chart.bubbles) > (chart.dataset == DRAWN_PEOPLE)
                if enough and (not beyond or any(bubble.newer for bubble in chart.bubbles)):
                    where = (stem, setting.machine, setting.device, setting.gpu)
                    main = where not in seen and setting.precision == "fp32" and setting.usual_threads
                    found[key] = replace(chart, main=main)
                    seen |= {where} if main else set()
    return list(found.values())


def _chart(measured: Measured, setting: Setting, key: str, benchmark: Benchmark, *, beyond: bool) -> BubbleChart:
    zoo, own = paper.in_order(measured.timed(setting))
    own = [model for model in own if beyond or model not in newer.names()]
    records = {model: record for model in (*zoo, *own) if (record := measured.speed(model, setting))}
    tags_of = {model: " ".join(tags(record)) for model, record in records.items()}
    alike = len(set(tags_of.values())) == 1
    bubbles, absent = [], []
    for model, record in records.items():
        in_paper = paper.row(1, model) or {}
        after = model in newer.names()
        published = newer.figures(model, SIZE, "coco")
        publisher = newer.percent(published[0], "AP") if published else in_paper.get("ap")
        accuracy = accuracy_cell(benchmark, measured, model, SIZE, "ap", publisher if benchmark.number else None)
        counted = measured.complexity(model, SIZE, JOINTS)
        params = metric(counted, "params") if counted else float(in_paper.get("params_m", 0)) * 1e6
        ap = accuracy.text("measured") or accuracy.text("paper")
        if not ap or not params:
            absent.append(f"{model} ({'no AP' if not ap else 'no complexity record'})")
            continue
        method = paper.method(in_paper["method"]) if in_paper else model_card(model).method if after else OWN
        label = model_card(model).label if after else paper.label(model)
        bubbles.append(
            Bubble(
                model=model,
                label=label + (f" ({tags_of[model]})" if tags_of[model] and not alike else ""),
                method=method,
                fps=metric(record, "fps"),
                interval=interval(record),
                ap=float(ap),
                ap_measured=bool(accuracy.text("measured")),
                params=params,
                highlight=model == paper.BASELINE,
                newer=after,
            )
        )
    remarks = ["Circle area: parameters. Point: the mean."]
    if any(bubble.interval for bubble in bubbles):
        remarks.append("Bar: 95 % interval.")
    if alike and any(tags_of.values()):
        remarks.append(f"Caution, all measurements: {next(iter(tags_of.values())).replace(' ', ', ')}.")
    if any(bubble.ap_measured for bubble in bubbles) and not all(bubble.ap_measured for bubble in bubbles):
        remarks.append(f"* AP from the paper{' or the publisher of the network' if beyond else ''}.")
    if any(bubble.newer for bubble in bubbles):
        remarks.append("Hollow: networks of after the paper; published AP with the boxes of a person detector.")
    if absent:
        remarks.append(f"Not shown: {', '.join(absent)}.")
    on = setting.gpu or setting.machine
    threads = f"in a machine with {setting.machine}" if setting.gpu else f"{setting.threads} threads"
    subtitle = f"{setting.backend}, {setting.precision}, batch 1, input {SIZE}, {threads}"
    dataset = "COCO val2017" if benchmark.number else DRAWN_PEOPLE
    return BubbleChart(key, f"Speed and accuracy on {on}", subtitle, dataset, tuple(bubbles), tuple(remarks))


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    for chart in charts(measured):
        yield ReportFigure(chart.key, functools.partial(draw, chart), main=chart.main)


def draw(chart: BubbleChart) -> tuple[bytes, bytes]:
    """The chart as PNG and SVG, in the first size that has room for every name.

    Where none has, or there are more names than anyone would read, some circles have none, as the figure then says.
    """
    with plotting.style(chart.key):
        if len(chart.bubbles) > MOST_NAMES:
            chart = _with_names(chart, MOST_NAMES)
        while True:
            for growth in range(8):
                figure, texts = _figure(chart, 1.2**growth)
                if texts is None:
                    continue
                png = plotting.as_bytes(figure, "png")
                if not texts or not collisions(figure, texts):
                    return png, plotting.as_bytes(figure, "svg")
            chart = _with_names(chart, sum(bool(bubble.label) for bubble in chart.bubbles) // 2)


def _with_names(chart: BubbleChart, most: int) -> BubbleChart:
    """At most so many names: the paper's networks' first, then those of the fastest."""
    named = sorted((bubble for bubble in chart.bubbles if bubble.label), key=lambda b: (b.method == OWN, -b.fps))
    kept = {bubble.model for bubble in named[:most]}
    bubbles = tuple(b if b.model in kept else replace(b, label="") for b in chart.bubbles)
    remarks = [remark for remark in chart.remarks if not remark.startswith(NAMELESS)]
    nameless = sum(not bubble.label for bubble in bubbles)
    circles = "1 circle" if nameless == 1 else f"{nameless} circles"
    return replace(chart, bubbles=bubbles, remarks=(*remarks, f"{NAMELESS} {circles}."))


def _figure(chart: BubbleChart, scale: float) -> tuple[Figure, list[Any] | None]:
    """The figure, and its names' texts in order, or ``None`` where there is no room for them."""
    width = WIDTH * scale
    key_width = (LARGEST + 44) / 72  # of the key of sizes, in inches; it stands beside the title
    title = textwrap.wrap(chart.title, int((width - key_width) * 11.5))
    subtitle = textwrap.wrap(chart.subtitle, int((width - key_width) * 13.5))
    below = textwrap.wrap(" ".join(chart.remarks), int(width * 15))
    heading = max(0.1 + 0.19 * len(title) + 0.17 * len(subtitle), LARGEST / 72 + 0.02)
    top, bottom = heading + 0.32, 0.55 + 0.16 * len(below)
    height = HEIGHT * scale + top + bottom
    figure = Figure(figsize=(width, height), dpi=DPI)
    FigureCanvasAgg(figure)
    left, right = 0.7, 0.15
    axes = figure.add_axes((left / width, bottom / height, 1 - (left + right) / width, HEIGHT * scale / height))

    def write(x: float, y: float, text: str, **style: Any) -> None:
        """Text at so many inches from the left and the top."""
        figure.text(x / width, 1 - y / height, text, **{"va": "top", "color": INK, **style})

    write(0.15, 0.1, "\n".join(title), fontsize=10.5, fontweight="bold")
    write(0.15, 0.12 + 0.19 * len(title), "\n".join(subtitle), fontsize=9, color=FAINT)
    write(0.15, height - 0.08, "\n".join(below), va="bottom", fontsize=8, color=FAINT, linespacing=1.25)
    axes.set_xlabel("Frames per second, measured")
    axes.set_ylabel(f"AP on {chart.dataset} ({_whose(chart.bubbles)})")
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    unit = LARGEST**2 / max(10e6, *(bubble.params for bubble in chart.bubbles))
    _method_key(figure, chart.bubbles, (0.15 / width, 1 - (top - 0.14) / height))
    _size_key(figure, chart.bubbles, unit, (width - right, height - 0.06 - LARGEST / 72), (width, height))
    # Those with a name first, so that names and circles go together.
    bubbles = sorted(chart.bubbles, key=lambda bubble: not bubble.label)
    circles = _circles(axes, bubbles, unit)
    texts = [
        figure.text(0, 0, _label(bubble, chart.bubbles), fontsize=9, color=INK,
                    fontweight="bold" if bubble.highlight else "normal", va="bottom", ha="left", zorder=6)
        for bubble in bubbles
        if bubble.label
    ]  # fmt: skip
    boxes = [text.get_window_extent() for text in texts]
    obstacles = [_bar(axes, bubble) for bubble in chart.bubbles if bubble.interval]
    frame = axes.get_window_extent()
    places = place(
        [(box.width, box.height) for box in boxes],
        circles,
        obstacles,
        Box(frame.x0, frame.y0, frame.x1, frame.y1),
    )
    if places is None:
        return figure, None
    for text, box, found in zip(texts, boxes, places, strict=True):
        x, y = figure.transFigure.inverted().transform((found.box.x0 - box.x0, found.box.y0 - box.y0))
        text.set_position((x, y))
        _draw_leader(figure, found)
    return figure, texts


def _whose(bubbles: Sequence[Bubble]) -> str:
    measured = [bubble.ap_measured for bubble in bubbles]
    some = "measured; * from the paper" if any(measured) else "from the paper"
    return "measured" if all(measured) else some


def _label(bubble: Bubble, all_bubbles: Sequence[Bubble]) -> str:
    mixed = any(other.ap_measured for other in all_bubbles)
    return bubble.label + (" *" if mixed and not bubble.ap_measured else "")


def _circles(axes: Axes, bubbles: Sequence[Bubble], unit: float) -> list[Circle]:
    """Draw the circles, choose limits that hold them whole, and say where they are in pixels."""
    pixels = DPI / 72
    radii = [math.sqrt(bubble.params * unit) / 2 * pixels + 1.5 * pixels for bubble in bubbles]
    frame = axes.get_window_extent()
    speeds = [end for bubble in bubbles for end in (bubble.fps, *(bubble.interval or ()))]
    x_low, x_high = _limits([b.fps for b in bubbles], radii, frame.width, [0.0, *speeds])
    axes.set_xlim(x_low, x_high)
    axes.set_ylim(*_limits([b.ap for b in bubbles], radii, frame.height, [], least=2.0))
    axes.set_xticks([tick for tick in axes.get_xticks() if 0 <= tick <= x_high])
    for bubble in sorted(bubbles, key=lambda bubble: -bubble.params):
        colour = COLOURS.get(bubble.method, OWN_COLOUR)
        edge, line = (INK, 1.8) if bubble.highlight else (colour, 1.0)
        face = "none" if bubble.newer else _pale(colour)
        style = {"facecolor": face, "edgecolor": edge, "linewidth": line, "zorder": 3}
        axes.scatter([bubble.fps], [bubble.ap], s=bubble.params * unit, clip_on=False, **style)  # type: ignore[arg-type]
        if bubble.interval:
            axes.plot(bubble.interval, [bubble.ap] * 2, color=INK, linewidth=1, marker="|", markersize=5, zorder=4)
        axes.plot([bubble.fps], [bubble.ap], marker="o", markersize=2.6, color=INK, zorder=5)
    centres = axes.transData.transform([(bubble.fps, bubble.ap) for bubble in bubbles])
    return [Circle(float(x), float(y), radius) for (x, y), radius in zip(centres, radii, strict=True)]


def _limits(
    values: Sequence[float], radii: Sequence[float], pixels: float, also: Sequence[float], *, least: float = 0.0
) -> tuple[float, float]:
    """Ends of an axis of so many pixels that hold every circle whole, and span the least at least."""
    low, high = min([*values, *also]), max([*values, *also])
    missing = max(0.0, least - (high - low)) / 2
    low, high = low - missing, high + missing
    margin = 0.02 * pixels
    for _ in range(60):
        scale = (high - low) / pixels
        low = min([low, *(v - (r + margin) * scale for v, r in zip(values, radii, strict=True))])
        high = max([high, *(v + (r + margin) * scale for v, r in zip(values, radii, strict=True))])
    high = max([high, *(value + (high - low) * 0.02 for value in also)])
    return low, high


def _pale(colour: str) -> tuple[float, float, float, float]:
    red, green, blue = mpl.colors.to_rgb(colour)
    return red, green, blue, 0.38


def _bar(axes: Axes, bubble: Bubble) -> Box:
    """The interval's bar in pixels."""
    low, high = bubble.interval or (bubble.fps, bubble.fps)
    (x0, y0), (x1, _) = axes.transData.transform([(low, bubble.ap), (high, bubble.ap)])
    half = 3 * DPI / 72
    return Box(float(x0), float(y0) - half, float(x1), float(y0) + half)


def _draw_leader(figure: Figure, found: LabelPlace) -> None:
    if found.leader:
        ends = figure.transFigure.inverted().transform(found.leader)
        line = Line2D(ends[:, 0], ends[:, 1], transform=figure.transFigure, color=FAINT, linewidth=0.7, zorder=5)
        figure.add_artist(line)


def _method_key(figure: Figure, bubbles: Sequence[Bubble], where: tuple[float, float]) -> None:
    """What the colours mean, in a row above the axes."""
    handles = []
    for method, hollow in dict.fromkeys((bubble.method, bubble.newer) for bubble in bubbles):
        colour = COLOURS.get(method, OWN_COLOUR)
        edge, line = (INK, 1.4) if method == OURS else (colour, 1.0)
        face = "none" if hollow else _pale(colour)
        style = {"markerfacecolor": face, "markeredgecolor": edge, "markeredgewidth": line}
        handles.append(Line2D([], [], linestyle="", marker="o", markersize=6, label=method, **style))  # type: ignore[arg-type]
    figure.legend(
        handles=handles, loc="center left", bbox_to_anchor=where, ncols=6, frameon=False, fontsize=8, borderpad=0,
        borderaxespad=0, labelcolor=INK, handletextpad=0.1, columnspacing=1.2,
    )  # fmt: skip


def _size_key(
    figure: Figure, bubbles: Sequence[Bubble], unit: float, corner: tuple[float, float], page: tuple[float, float]
) -> None:
    """What the sizes mean: circles in one another that stand on a corner given in inches."""
    right, bottom = corner
    centre = right - (36 + LARGEST / 2) / 72
    above = math.inf
    for millions in reversed(_round_sizes(bubbles)):
        diameter = math.sqrt(millions * 1e6 * unit) / 72
        if above - diameter < 9 / 72:  # no room for its number below the last one
            continue
        above = diameter
        x, y, top = centre / page[0], (bottom + diameter / 2) / page[1], (bottom + diameter) / page[1]
        figure.add_artist(
            Line2D([x], [y], transform=figure.transFigure, marker="o", markersize=diameter * 72, markerfacecolor="none",
                   markeredgecolor=FAINT, markeredgewidth=0.8)
        )  # fmt: skip
        ends = [x, (right - 32 / 72) / page[0]]
        figure.add_artist(Line2D(ends, [top, top], transform=figure.transFigure, color=FAINT, linewidth=0.6))
        figure.text((right - 29 / 72) / page[0], top, f"{millions:g} M", fontsize=7.5, color=INK, va="center_baseline")


def _round_sizes(bubbles: Sequence[Bubble]) -> list[float]:
    largest = max(bubble.params for bubble in bubbles) / 1e6
    power = 10.0 ** math.floor(math.log10(largest))
    factor = next(factor for factor in (10, 5, 2, 1) if power * factor <= largest * 1.1)
    return [power * factor / (10 if factor in (1, 10) else 5), power * factor / 2, power * factor]


def collisions(figure: Figure, texts: Sequence[Any]) -> list[str]:
    """What touches what in a figure that was drawn: names, circles, the axes' frame, the figure's edge."""
    axes = figure.axes[0]
    frame = axes.get_window_extent()
    inside = Box(frame.x0, frame.y0, frame.x1, frame.y1)
    boxes = [Box(extent.x0, extent.y0, extent.x1, extent.y1) for extent in (text.get_window_extent() for text in texts)]
    circles = []
    for collection in axes.collections:
        ((x, y),) = axes.transData.transform(collection.get_offsets())  # type: ignore[arg-type]
        (size,) = collection.get_sizes()  # type: ignore[attr-defined]
        circles.append(Circle(float(x), float(y), math.sqrt(size) / 2 * DPI / 72))
    found = []
    for index, box in enumerate(boxes):
        word = texts[index].get_text()
        found += [f"{word} over {texts[i].get_text()}" for i in range(index) if box.overlaps(boxes[i])]
        found += [f"{word} over a circle" for circle in circles if circle.overlaps(box)]
        found += [] if box.inside(inside) else [f"{word} outside the frame"]
    for circle in circles:
        point = Box(circle.x, circle.y, circle.x, circle.y)
        found += [] if point.grown(circle.radius).inside(inside) else ["a circle is cut off"]
    page = Box(0, 0, figure.bbox.width, figure.bbox.height)
    for text in (*figure.texts, *(legend for legend in figure.legends), axes.xaxis.label, axes.yaxis.label):
        extent = text.get_window_extent()
        if not Box(extent.x0, extent.y0, extent.x1, extent.y1).inside(page):
            found.append("something is cut off at the figure's edge")
    return found


SECTIONS = (
    Section(
        "fig5",
        "Fig. 5. Speed and accuracy",
        10,
        pictures=_pictures,
        without_pictures="Nothing to draw yet: no network has both a measured speed and an AP.",
    ),
)
