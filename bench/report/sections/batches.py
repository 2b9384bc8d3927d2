"""What larger batches bring: images a second and energy by batch, of networks timed at several batches."""

import functools
import itertools
import math
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from matplotlib.figure import Figure

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.report import paper, plotting
from bench.report.measured import Measured, Setting, free_key, images_per_s, metric, protocol, tags
from bench.report.network_rows import network_rows
from bench.report.plotting import INK
from bench.report.section import ReportFigure, Section
from bench.report.sections.ranking import COLOURS
from bench.report.sections.table5 import speed_cell
from bench.report.table import Cell, Column, Table, in_panels, measured_cell

COUNTER = "mmcv"  # whose multiply-adds stand beside the speeds: Table I's convention
WIDTH, HEIGHT, LABELS = 6.6, 3.9, 2.15  # of the figure without its title and remarks, and of the names, in inches
ENERGY = "energy_gpu_j_per_image"
APART = 0.045  # of the axes' height, between two names


@dataclass(frozen=True)
class View:
    """One device, runtime and precision at two batches or more."""

    setting: Setting  # its batch is 1 whatever was timed
    batches: tuple[int, ...]

    @property
    def title(self) -> str:
        """As panels and figures name it."""
        one = self.setting
        where = f"{one.gpu} in {one.machine}" if one.gpu else one.where
        return f"{one.backend}, {one.precision}, input {one.input}: {where}"

    def record(self, measured: Measured, model: str, batch: int) -> Record | None:
        """The speed of a network at a batch."""
        return measured.speed(model, replace(self.setting, batch=batch))

    def models(self, measured: Measured) -> list[str]:
        """Networks timed at two of the batches or more: the paper's in its order, then the others."""
        timed = [model for batch in self.batches for model in measured.timed(replace(self.setting, batch=batch))]
        zoo, own = paper.in_order(model for model in timed if timed.count(model) > 1)
        return [*zoo, *own]


def views(measured: Measured) -> list[View]:
    """Where a network was timed at two batches or more."""
    found: dict[Setting, set[int]] = {}
    for setting in measured.settings:
        found.setdefault(replace(setting, batch=1), set()).add(setting.batch)
    several = [View(setting, tuple(sorted(batches))) for setting, batches in found.items() if len(batches) > 1]
    return [view for view in several if view.models(measured)]


def table(measured: Measured) -> Table | None:
    """A row a network, a panel a device, runtime and precision; none where nothing was timed at several batches."""
    found = views(measured)
    if not found:
        return None
    columns, panels = in_panels((view.title, _columns(view)) for view in found)
    shown = {view: view.models(measured) for view in found}
    return Table(
        {"model": "Model", "name": "In the paper"},
        columns,
        network_rows(
            (model for models in shown.values() for model in models),
            lambda model: (cell for view in found for cell in _cells(measured, view, model, shown[view])),
        ),
        panels=panels,
        remarks=(
            "Images a second, with the 95 % interval; the energy of an image where the machine tells it.",
            f"Multiply-adds of one image, as {COUNTER} counts them.",
        ),
    )  # fmt: skip


def _columns(view: View) -> list[Column]:
    where = (*view.setting.parts, ("precision", view.setting.precision), ("input", view.setting.input))
    speeds = [
        Column("fps", str(batch), ("measured",), "Images a second, by batch", (*where, ("batch", str(batch))))
        for batch in view.batches
    ]
    return [
        Column("gmacs", "multiply-adds (G)", ("measured",), setting=where),
        *speeds,
        Column("gain", "times the smallest batch's", ("measured",), setting=where),
    ]


def _cells(measured: Measured, view: View, model: str, shown: Sequence[str]) -> list[Cell]:
    if model not in shown:
        return [Cell()] * (len(view.batches) + 2)
    counted, macs = _multiply_adds(measured, view, model)
    cells = [Cell() if macs is None else measured_cell(counted, printed(macs, 10**9, 2), macs=macs)]
    records = [view.record(measured, model, batch) for batch in view.batches]
    cells += [_speed(record) for record in records]
    timed = [record for record in records if record]
    if protocol(timed[0]) != protocol(timed[-1]):
        return [*cells, Cell()]
    gain = images_per_s(timed[-1]) / images_per_s(timed[0])
    return [*cells, replace(measured_cell(timed[-1], printed(gain, 1, 1), gain=gain), others=(timed[0],))]


def _multiply_adds(measured: Measured, view: View, model: str) -> tuple[Record | None, float | None]:
    """The record of its complexity, and its multiply-adds; none where nobody has counted them."""
    counted = measured.complexity(model, view.setting.input, view.setting.joints)
    return counted, counted.metrics.get(f"macs_{COUNTER}") if counted else None


def _speed(record: Record | None) -> Cell:
    """Images a second with their interval, and the energy of an image."""
    if record is None:
        return Cell()
    cell = speed_cell(record)
    if ENERGY not in record.metrics:
        return cell
    joules = metric(record, ENERGY)
    details = filter(None, (cell.detail, f"{metrics.text(ENERGY, joules)} J"))
    return replace(cell, detail=", ".join(details), extra={**cell.extra, ENERGY: joules})


# -------------------------------------------------------------------------------- figure


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    taken: dict[str, None] = {}
    for view in views(measured):
        key = free_key(f"batches_{view.setting.slug}", taken)
        taken[key] = None
        yield ReportFigure(key, functools.partial(plotting.draw, key, functools.partial(picture, measured, view)))


def picture(measured: Measured, view: View) -> Figure:
    """Images a second over the batch, a line a network, its name at the line's end."""
    models = view.models(measured)
    records = {model: [view.record(measured, model, batch) for batch in view.batches] for model in models}
    words = {word for row in records.values() for record in row if record for word in tags(record)}
    words.discard("steady")  # which is no weaker than the paper's protocol
    remarks = f"Both axes are logarithmic. G: multiply-adds of an image in billions, as {COUNTER} counts them."
    remarks += f" Caution, some measurements: {', '.join(sorted(words))}." if words else ""
    lines, below = textwrap.wrap(view.title, int(WIDTH * 13.5)), textwrap.wrap(remarks, int(WIDTH * 15))
    top, bottom = 0.5 + 0.17 * len(lines), 0.6 + 0.16 * len(below)
    height = top + HEIGHT + bottom
    drawn = plotting.headed(WIDTH, height, "Images a second, by batch", lines, below)
    axes = drawn.add_axes((0.75 / WIDTH, bottom / height, (WIDTH - 0.75 - LABELS) / WIDTH, HEIGHT / height))
    axes.set_xscale("log", base=2)
    axes.set_yscale("log")
    known = [*paper.models(), *(model for model in models if model not in paper.models())]
    ends: dict[str, float] = {}
    for model, row in records.items():
        points = [(record.batch or 1, images_per_s(record)) for record in row if record]
        colour, bold = COLOURS[known.index(model) % len(COLOURS)], model == paper.BASELINE
        axes.plot(*zip(*points, strict=True), color=colour, marker="o", markersize=4, linewidth=3 if bold else 1.6)
        ends[model] = points[-1][1]
    axes.set_xticks(view.batches, [str(batch) for batch in view.batches])
    axes.minorticks_off()
    axes.yaxis.set_major_formatter("{x:,.0f}")
    axes.set_xlabel("Images in a batch")
    axes.set_ylabel("Images a second")
    axes.grid(color="#e6e6e6", linewidth=0.6)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    low, high = (math.log(limit) for limit in axes.get_ylim())
    heights = {model: (math.log(end) - low) / (high - low) for model, end in ends.items()}
    for model, place in _apart(heights).items():
        axes.annotate(
            _label(measured, view, model), (1, heights[model]), (1.06, place), xycoords="axes fraction", va="center",
            fontsize=8.5, color=INK, fontweight="bold" if model == paper.BASELINE else "normal", annotation_clip=False,
            arrowprops={"arrowstyle": "-", "color": COLOURS[known.index(model) % len(COLOURS)], "shrinkA": 1},
        )  # fmt: skip
    return drawn


def _label(measured: Measured, view: View, model: str) -> str:
    _, macs = _multiply_adds(measured, view, model)
    return paper.label(model) + (f", {printed(macs, 10**9, 2)} G" if macs else "")


def _apart(heights: dict[str, float]) -> dict[str, float]:
    """The same heights, neighbours moved apart as far as their names would overlap."""
    placed = dict(sorted(heights.items(), key=lambda item: item[1]))
    for _ in range(200):  # each round moves less: enough for any figure that can be read
        for below, above in itertools.pairwise(placed):
            overlap = APART - (placed[above] - placed[below])
            if overlap > 0:
                placed[below] -= overlap / 2
                placed[above] += overlap / 2
    return placed


SECTIONS = (Section("batches", "Larger batches", 58, table, _pictures),)
