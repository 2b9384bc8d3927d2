"""How much faster than eager PyTorch each runtime is, and how near to what the machine could do."""

import statistics
from collections.abc import Iterable, Sequence

from bench.core.metrics import printed
from bench.core.record import PRECISIONS, Record
from bench.report import paper
from bench.report.measured import Measured, metric, name, notes_on_protocol, protocol, tags
from bench.report.section import Section
from bench.report.sections.ranking import REFERENCE, MachineRuntimes, Runtime, places
from bench.report.table import Cell, Column, Row, Table, Value, in_panels
from bench.timing import yardstick

MEAN, MEAN_OF_OTHERS = "Geometric mean", "Geometric mean of the others"  # of the paper's networks, of all others
Ratios = dict[str, dict[str, float]]  # to eager, by title of the runtime and by network


def table(measured: Measured) -> Table | None:
    """Ratios of speed to eager, the best exact runtime, and its share of the peak; none where eager ran alone."""
    found = [(place, ratios) for place in places(measured) if (ratios := _ratios(place))]
    if not found:
        return None
    columns, panels = in_panels((place.title, _columns(place)) for place, _ in found)
    zoo, own = paper.in_order(model for place, _ in found for model in place.models)
    rows = [
        Row(
            {"model": model, "name": paper.label(model)},
            tuple(cell for place, ratios in found for cell in _cells(measured, place, ratios, model)),
            highlight=model == paper.BASELINE,
        )
        for model in (*zoo, *own)
    ]
    # Apart: a runtime that ran on the paper's networks alone must not stand against one that ran on others too.
    means = [
        Row({"model": "", "name": title}, tuple(cell for place, ratios in found for cell in _means(place, ratios, of)),
            section="Over several networks")
        for title, of in ((MEAN, zoo), (MEAN_OF_OTHERS, own)) if of
    ]  # fmt: skip
    return Table(
        {"model": "", "name": "Network"},
        columns,
        (*rows, *means),
        panels=panels,
        remarks=(
            f"FPS over that of {REFERENCE}, of the same network on the same machine by the same protocol; batch 1.",
            f"{REFERENCE} is in fp32. Best exact: the fastest runtime in fp32, {REFERENCE} included; int8 is another "
            "function.",
            f"{MEAN}: over the paper's networks.",
            *_explanations(found),
        ),
    )


def _explanations(found: Iterable[tuple[MachineRuntimes, Ratios]]) -> list[str]:
    """What the columns beside the best runtime are, as far as there are such."""
    devices = {place.runtimes[0].setting.device for place, _ in found}
    texts = {
        "cpu": "Of peak: its multiply-adds a second, in percent of those of a large matrix product with as many "
        "threads: timed in each process right after the network, the median over the processes; where that is not "
        "recorded, by the mean latency and the best product that bench.explain met there.",
        "cuda": "Times its bound: its latency over what bench.explain found that its operators must take there in that "
        "precision, at the peaks of a large matrix product and a large copy.",
    }
    return [text for device, text in texts.items() if device in devices]


def _ratios(place: MachineRuntimes) -> Ratios:
    """Of every runtime, eager itself included; empty where eager did not run."""
    reference = place.reference
    if reference is None:
        return {}
    return {runtime.title: _against(reference, runtime) for runtime in place.runtimes}


def _against(reference: Runtime, runtime: Runtime) -> dict[str, float]:
    found = {}
    for record in runtime.records:
        eager = reference.record(name(record))
        if eager is not None and protocol(eager) == protocol(record):
            found[name(record)] = metric(record, "fps") / metric(eager, "fps")
    return found


def _best(place: MachineRuntimes, ratios: Ratios, model: str, precision: str) -> Runtime | None:
    """The runtime with the highest ratio to eager; the one with the highest FPS where eager was not timed."""
    alike = [r for r in place.runtimes if r.setting.precision == precision]
    compared = {r.title: ratios[r.title][model] for r in alike if model in ratios[r.title]}
    of_fps = {r.title: metric(record, "fps") for r in alike if (record := r.record(model))}
    speeds = compared or of_fps
    return max((r for r in alike if r.title in speeds), key=lambda r: speeds[r.title], default=None)


def _others(place: MachineRuntimes) -> list[Runtime]:
    return [runtime for runtime in place.runtimes if runtime is not place.reference]


def _precisions(place: MachineRuntimes) -> list[str]:
    """Those in which there is a best runtime to be named."""
    return [p for p in PRECISIONS if p != "int8" and any(runtime.setting.precision == p for runtime in place.runtimes)]


def _columns(place: MachineRuntimes) -> list[Column]:
    found = [
        Column("ratio", r.title, ("measured",), setting=(*r.setting.parts, ("precision", r.setting.precision)))
        for r in _others(place)
    ]
    where = place.runtimes[0].setting.parts
    for precision in _precisions(place):
        own = (*where, ("precision", precision))
        title = "best exact" if precision == "fp32" else f"best {precision}"
        found.append(Column("best", title, ("measured",), setting=own))
        if place.runtimes[0].setting.device == "cuda":
            found.append(Column("times_bound", f"times its bound, {precision}", ("measured",), setting=own))
        elif precision == "fp32":
            found.append(Column("peak_percent", "of peak, %", ("measured",), setting=own))
    return found


def _cells(measured: Measured, place: MachineRuntimes, ratios: Ratios, model: str) -> list[Cell]:
    cells = [_cell(ratios[runtime.title].get(model), runtime.record(model)) for runtime in _others(place)]
    for precision in _precisions(place):
        best = _best(place, ratios, model, precision)
        record = best.record(model) if best else None
        cuda = place.runtimes[0].setting.device == "cuda"
        more = _bound if cuda else _share if precision == "fp32" else None
        if best is None or record is None:
            cells += [Cell()] * (2 if more else 1)
            continue
        runtime = best.title.removesuffix(f" {precision}")
        cells.append(_cell(ratios[best.title].get(model), record, runtime))
        if more:
            cells.append(more(measured, place, record))
    return cells


def _cell(ratio: float | None, record: Record | None, detail: str = "") -> Cell:
    if record is None:
        return Cell()
    if ratio is None:
        return Cell(detail=detail, extra={"runtime": detail} if detail else {})
    return Cell(
        (Value(printed(ratio, 1, 2), "measured"),), detail=detail, tags=tags(record), notes=notes_on_protocol(record),
        extra={"ratio": ratio} | ({"runtime": detail} if detail else {}), record=record,
    )  # fmt: skip


def _means(place: MachineRuntimes, ratios: Ratios, models: Sequence[str]) -> list[Cell]:
    cells = [
        _mean(ratio for model, ratio in ratios[runtime.title].items() if model in models) for runtime in _others(place)
    ]
    for column in _columns(place)[len(cells) :]:
        best = [
            ratios[runtime.title][model]
            for model in place.models
            if model in models
            and (runtime := _best(place, ratios, model, dict(column.setting)["precision"]))
            and model in ratios[runtime.title]
        ]
        cells.append(_mean(best) if column.key == "best" else Cell())
    return cells


def _mean(values: Iterable[float]) -> Cell:
    found = list(values)
    if not found:
        return Cell()
    mean = statistics.geometric_mean(found)
    return Cell((Value(printed(mean, 1, 2), "measured"),), detail=f"of {len(found)}", extra={"ratio": mean})


def _share(measured: Measured, place: MachineRuntimes, record: Record) -> Cell:
    """Multiply-adds a second over the peak, where both were measured."""
    explained = _explained(measured, place, "fp32")
    of_this = _of_this(explained, record)
    if of_this is None:
        return Cell()
    macs = metric(of_this, "macs")
    if "product_ms" in record.samples:
        percent, peaked = 100 * macs / yardstick.MACS * _products_worth(record), record
    else:
        peaked = max(explained, key=lambda r: metric(r, "peak_macs_per_s"))
        percent = 100 * macs / metric(peaked, "peak_macs_per_s") * metric(record, "fps")
    extra = {"percent": percent, "macs": macs}
    return Cell((Value(printed(percent, 1, 0), "measured"),), extra=extra, record=of_this, others=(peaked,))


def _products_worth(record: Record) -> float:
    """Inferences in the time of a large matrix product: the median over processes, as the machine's speed changes."""
    pairs = zip(record.samples["product_ms"], record.samples["latency_ms"], strict=True)
    return statistics.median(statistics.median(beside) / statistics.median(own) for beside, own in pairs)


def _bound(measured: Measured, place: MachineRuntimes, record: Record) -> Cell:
    """Latency over what the operators must take, where both were measured."""
    of_this = _of_this(_explained(measured, place, record.precision or ""), record)
    if of_this is None:
        return Cell()
    must = metric(of_this, "must_take_ms")
    times = 1000 / metric(record, "fps") / must
    extra = {"times": times, "must_take_ms": must}
    return Cell((Value(printed(times, 1, 1), "measured"),), extra=extra, record=of_this)


def _explained(measured: Measured, place: MachineRuntimes, precision: str) -> list[Record]:
    here = place.runtimes[0].setting.place
    return [
        r for r in measured.of_kind("explain")
        if measured.setting(r).place == here and r.precision == precision and r.backend in (None, "eager")
    ]  # fmt: skip


def _of_this(explained: Iterable[Record], record: Record) -> Record | None:
    return next((r for r in explained if name(r) == name(record) and r.input == record.input), None)


SECTIONS = (Section("speedup", f"Runtimes against {REFERENCE}", 40, table),)
