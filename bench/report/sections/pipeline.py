"""From a frame to everybody's joints: frames a second over the number of people, and what each stage takes."""

import functools
import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Patch

from bench.core import metrics
from bench.core.metrics import printed
from bench.core.record import Record
from bench.core.skeletons import COCO
from bench.pipeline.described import STAGES, what
from bench.report import paper, plotting
from bench.report.measured import Measured, Setting, best, free_key, interval, metric, name, runtime_order, tags
from bench.report.network_rows import network_rows
from bench.report.plotting import INK
from bench.report.section import ReportFigure, Section
from bench.report.table import Cell, Column, Row, Table, Value, in_panels

USUAL_SIZE = "1280x720"  # of the frames that are shown without ``--figures all``
SHARED = 8  # people in the columns and bars that compare ways of doing it
# Okabe and Ito's: stages from the bottom of a bar up, and networks.
STAGE_COLOURS = dict(zip(STAGES, ("#999999", "#E69F00", "#56B4E9", "#0072B2", "#CC79A7", "#D55E00"), strict=True))
COLOURS = ("#0072B2", "#56B4E9", "#009E73", "#CC79A7", "#E69F00", "#999999", "#7B5EA7", "#D55E00")
MARKS = "os^vDP*X"
WIDTH = 8.4  # of figures, in inches


@dataclass(frozen=True, order=True)
class View:
    """Frames of one size on one machine: where runtimes and networks compare."""

    machine: str
    device: str
    gpu: str
    threads: int
    precision: str
    input: str
    size: str

    @classmethod
    def of(cls, record: Record) -> "View":
        setting = Setting.of(record)
        size = str(record.protocol["size"])
        return cls(
            setting.machine, setting.device, setting.gpu, setting.threads, setting.precision, setting.input, size
        )

    @property
    def title(self) -> str:
        where = self.gpu or f"{self.machine}, {self.threads} thread{'s'[: self.threads != 1]}"
        return f"{where}, {self.precision}, input {self.input}, frames {self.size}"


@dataclass(frozen=True)
class Cells:
    """The records of one view, by what tells them apart."""

    view: View
    records: tuple[Record, ...]

    @functools.cached_property
    def _by_key(self) -> dict[tuple[str, str, int, str, bool], Record]:
        alike: dict[tuple[str, str, int, str, bool], list[Record]] = {}
        for record in self.records:
            told = record.protocol
            way = str(told["batching"]), bool(told["flip"])
            alike.setdefault((record.backend or "", name(record), int(told["people"]), *way), []).append(record)
        return {key: found for key, records in alike.items() if (found := best(records))}

    def find(
        self, backend: str, model: str, people: int, batching: str = "batched", flip: bool = False
    ) -> Record | None:
        """One person is looked at one by one, whatever is asked for."""
        way = "one by one" if people == 1 else batching
        return self._by_key.get((backend, model, people, way, flip))

    @property
    def backends(self) -> list[str]:
        return sorted({record.backend or "" for record in self.records}, key=runtime_order)

    @property
    def models(self) -> list[str]:
        zoo, own = paper.in_order({name(record) for record in self.records})
        return [*zoo, *own]

    @property
    def people(self) -> list[int]:
        return sorted({int(record.protocol["people"]) for record in self.records})


def _is_plain(record: Record) -> bool:
    """One frame of a drawn scene after the other, with the boxes of the scene, by a network of COCO's joints."""
    told = record.protocol
    usual = record.num_joints == len(COCO.joints) and "joints_sha256" not in told
    one_by_one = (told["scenario"], told["source"], told["boxes"]) == ("single stream", "scenes", "given")
    return usual and one_by_one and not told.get("for_s") and not told.get("draw")


def views(measured: Measured) -> list[Cells]:
    """What was measured one frame after the other, by machine and size of frames."""
    found: dict[View, list[Record]] = {}
    for record in measured.of_kind("pipeline"):
        if _is_plain(record):
            found.setdefault(View.of(record), []).append(record)
    return [Cells(view, tuple(found[view])) for view in sorted(found)]


# --------------------------------------------------------------------------------- tables


def table(measured: Measured) -> Table | None:
    """A row a network, and a panel a runtime on a machine; none where nothing was measured."""
    found = views(measured)
    if not found:
        return None
    chosen = [(cells, backend) for cells in found for backend in cells.backends]
    columns, panels = in_panels(
        (f"{backend}: {cells.view.title}", _columns(cells, backend)) for cells, backend in chosen
    )
    rows = network_rows(
        (model for cells, _ in chosen for model in cells.models),
        lambda model: (cell for cells, backend in chosen for cell in _cells(cells, backend, model)),
    )
    return Table(
        {"model": "Model", "name": "In the paper"},
        columns,
        rows,
        panels=panels,
        remarks=(
            "Frames a second of drawn scenes with exactly so many people, from the JPEG file to everybody's joints, "
            "up to 8 people in an inference, without the flip test, with the scenes' own boxes (no detector).",
            f"One by one, and with flip: the same of {SHARED} people. Outside the network: the share of the time of a "
            f"frame with {SHARED} people that is not the network's. docs/pipeline.md has the method.",
        ),
    )


def _columns(cells: Cells, backend: str) -> list[Column]:
    view = cells.view
    where = (
        ("machine", view.machine), ("gpu", view.gpu), ("threads", str(view.threads)), ("backend", backend),
        ("precision", view.precision), ("input", view.input), ("size", view.size),
    )  # fmt: skip
    found = [
        Column("fps", str(people), ("measured",), "People", (*where, ("people", str(people))))
        for people in cells.people
    ]
    if SHARED in cells.people:
        found += [
            Column("each_fps", "one by one", ("measured",), f"{SHARED} people", where),
            Column("flip_fps", "with flip", ("measured",), f"{SHARED} people", where),
            Column("outside", "outside the network, %", ("measured",), f"{SHARED} people", where),
        ]
    return found


def _cells(cells: Cells, backend: str, model: str) -> list[Cell]:
    found = [_speed(cells.find(backend, model, people)) for people in cells.people]
    if SHARED in cells.people:
        batched = cells.find(backend, model, SHARED)
        found += [
            _speed(cells.find(backend, model, SHARED, "one by one")),
            _speed(cells.find(backend, model, SHARED, flip=True)),
            _outside(batched),
        ]
    return found


def _speed(record: Record | None) -> Cell:
    if record is None:
        return Cell()
    ends = [f"frame_ms_mean_ci95_{end}" for end in ("low", "high")] if interval(record, "frame_ms_mean") else []
    extra: dict[str, Any] = {
        key: record.metrics[key]
        for key in ("frame_ms_mean", *ends, "people_per_s", *(f"stage_{stage}_ms" for stage in STAGES))
        if key in record.metrics
    }
    shown = metrics.text("frames_per_s", metric(record, "frames_per_s"))
    shown_tags = tuple(tag for tag in tags(record) if tag != "single stream")
    return Cell((Value(shown, "measured"),), tags=shown_tags, extra=extra, record=record)


def _outside(record: Record | None) -> Cell:
    if record is None:
        return Cell()
    share = 1 - metric(record, "stage_network_ms") / metric(record, "frame_ms_mean")
    return Cell((Value(printed(100 * share, 1, 0), "measured"),), extra={"share": share}, record=record)


FIGURES = {
    "frames_per_s": "frames/s", "frame_ms_mean": "ms a frame", "people_per_s": "people/s",
    "dropped_share": "dropped, %", "age_ms_median": "age, ms", "frame_ms_settled": "settled, ms",
    "error_relative": "error, %", "jitter_relative": "jitter, %", "lag_frames": "lag, frames",
}  # fmt: skip


def other_table(measured: Measured) -> Table | None:
    """A row a record of the other scenarios and sources; none where there are none."""
    records = [record for record in measured.of_kind("pipeline") if not _is_plain(record)]
    if not records:
        return None
    shown = [key for key in FIGURES if any(key in record.metrics for record in records)]
    names = {id(record): _names(measured, record) for record in records}
    records.sort(key=lambda record: tuple(names[id(record)].values()))
    rows = [
        Row(
            names[id(record)],
            tuple(
                Cell((Value(metrics.text(key, record.metrics[key]), "measured"),), extra={key: record.metrics[key]},
                     record=record) if key in record.metrics else Cell()
                for key in shown
            ),
        )
        for record in records
    ]  # fmt: skip
    return Table(
        {
            "model": "Model",
            "backend": "Backend",
            "precision": "Precision",
            "input": "Input",
            "scenario": "Scenario",
            "frames": "Frames",
            "machine": "Machine",
            "gpu": "GPU",
            "threads": "Threads",
        },
        tuple(Column(key, FIGURES[key], ("measured",)) for key in shown),
        tuple(rows),
        remarks=(
            "Dropped: frames that the next one overtook. Age: from a frame's arrival to its answer. Error, jitter and "
            "lag are of drawn videos, where the truth is known, over the root of the area of a person's box.",
        ),
    )


def _names(measured: Measured, record: Record) -> dict[str, str]:
    """All that a row is of, in the order of rows."""
    setting, told = measured.setting(record), record.protocol
    return {
        "machine": setting.machine, "gpu": setting.gpu, "threads": str(setting.threads or ""), "model": name(record),
        "backend": setting.backend, "precision": setting.precision, "input": record.input,
        "scenario": str(told["scenario"]),
        "frames": f"{what(record)}, {told['batching']}{', flip' if told['flip'] else ''}",
    }  # fmt: skip


# -------------------------------------------------------------------------------- figures


def _pictures(measured: Measured) -> Iterator[ReportFigure]:
    taken: dict[str, None] = {}
    for cells in views(measured):
        main = cells.view.size == USUAL_SIZE
        for kind, draw in (("people", curves), ("stages", bars)):
            if kind == "people" and len(cells.people) < 2:
                continue
            place = cells.view.gpu or cells.view.machine
            key = free_key(
                f"pipeline_{kind}_{place}_{cells.view.threads}threads_{cells.view.precision}_{cells.view.size}", taken
            )
            taken[key] = None
            yield ReportFigure(key, functools.partial(plotting.draw, key, functools.partial(draw, cells)), main)


def curves(cells: Cells) -> Figure:
    """Frames a second over the number of people: axes a runtime, a line a network."""
    drawn, axes = _page("Frames a second, by the number of people in a frame", cells, cells.backends, 3.2, key=0.75)
    for number, (one, backend) in enumerate(zip(axes, cells.backends, strict=True)):
        for index, model in enumerate(cells.models):
            points = [
                (people, metric(record, "frames_per_s"))
                for people in cells.people
                if people and (record := cells.find(backend, model, people))
            ]
            if points:
                one.plot(
                    *zip(*points, strict=True), color=COLOURS[index % len(COLOURS)], marker=MARKS[index % len(MARKS)],
                    markersize=4, linewidth=1.4, label=paper.label(model),
                )  # fmt: skip
        one.set_xscale("log", base=2)
        one.set_yscale("log")
        one.set_xticks([people for people in cells.people if people], [str(p) for p in cells.people if p])
        one.yaxis.set_major_formatter("{x:g}")
        one.yaxis.set_minor_formatter("{x:g}")
        one.tick_params(which="minor", labelsize=7)
        one.set_xlabel("People in a frame")
        one.set_title(backend, fontsize=9, color=INK, loc="left")
        if number == 0:
            one.set_ylabel("Frames a second")
    limits = [one.get_ylim() for one in axes]
    for one in axes:
        one.set_ylim(min(low for low, _ in limits), max(high for _, high in limits))
    handles, legend = axes[0].get_legend_handles_labels()
    drawn.legend(
        handles, legend, loc="lower center", ncols=3, frameon=False, fontsize=7.5, labelcolor=INK, handlelength=1.6,
        columnspacing=1.2,
    )  # fmt: skip
    return drawn


def bars(cells: Cells) -> Figure:
    """What each stage takes of a frame: axes a runtime, a bar a network."""
    people = SHARED if SHARED in cells.people else max(cells.people)
    height = 0.5 + 0.26 * len(cells.models)
    title = f"Where the time of a frame with {people} people goes"
    drawn, axes = _page(title, cells, cells.backends, height, key=0.3, left=1.8)
    for number, (one, backend) in enumerate(zip(axes, cells.backends, strict=True)):
        found = [(model, cells.find(backend, model, people)) for model in reversed(cells.models)]
        rows = [(model, record) for model, record in found if record is not None]
        for row, (_, record) in enumerate(rows):
            start = 0.0
            for stage in STAGES:
                width = record.metrics.get(f"stage_{stage}_ms", 0.0)
                one.barh(row, width, left=start, height=0.7, color=STAGE_COLOURS[stage], linewidth=0)
                start += width
            one.annotate(
                metrics.text("frame_ms_mean", metric(record, "frame_ms_mean")), (start, row), (3, 0),
                textcoords="offset points", va="center", fontsize=7.5, color=INK,
            )  # fmt: skip
        one.set_yticks(range(len(rows)), [paper.label(model) for model, _ in rows], fontsize=7.5)
        if number:
            one.set_yticklabels([])
        one.set_xlabel("Milliseconds a frame")
        one.set_title(backend, fontsize=9, color=INK, loc="left")
    widest = max(one.get_xlim()[1] for one in axes)
    for one in axes:
        one.set_xlim(0, 1.12 * widest)
    shown = [stage for stage in STAGES if any(f"stage_{stage}_ms" in r.metrics for r in cells.records)]
    patches = [Patch(color=STAGE_COLOURS[stage]) for stage in shown]
    drawn.legend(patches, shown, loc="lower center", ncols=len(shown), frameon=False, fontsize=8, labelcolor=INK)
    return drawn


def _page(
    title: str, cells: Cells, backends: Sequence[str], height: float, *, key: float, left: float = 0.65
) -> tuple[Figure, list[Axes]]:
    """A figure with a title and axes side by side, and room for a key below; inches."""
    lines = textwrap.wrap(cells.view.title, int(WIDTH * 13.5))
    top, gap = 0.62 + 0.17 * len(lines), 0.45
    whole = top + height + 0.45 + key
    drawn = plotting.headed(WIDTH, whole, title, lines)
    wide = (WIDTH - left - 0.2 - gap * (len(backends) - 1)) / len(backends)
    axes = [
        drawn.add_axes(
            ((left + number * (wide + gap)) / WIDTH, (key + 0.45) / whole, wide / WIDTH, height / whole)
        )
        for number in range(len(backends))
    ]  # fmt: skip
    for one in axes:
        one.grid(color="#e6e6e6", linewidth=0.6)
        one.set_axisbelow(True)
        for side in ("top", "right"):
            one.spines[side].set_visible(False)
    return drawn, axes


SECTIONS = (
    Section("pipeline", "From a frame to everybody's joints", 115, table, _pictures),
    Section("pipeline_scenarios", "Frames at a camera's rate, in streams, and on videos", 116, other_table),
)
