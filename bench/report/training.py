"""Tables IV and VI, and the networks trained here, from the records of ``bench.train``.

What was trained on one data set with one budget has columns of its own: nothing stands beside the paper's figures
as if it were of the same data.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from bench.core.metrics import printed
from bench.core.record import Record
from bench.report import paper
from bench.report.measured import Measured, tags
from bench.report.separation import seeds_needed, spread, told_apart
from bench.report.table import OWN, Cell, Column, Panel, Row, Table, Value, paper_cell

METRICS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar": "AR"}
COLUMNS = METRICS | {"seeds": "Seeds"}  # of every budget
IN_PAPER = "Paper, COCO val2017, 256x192"
NOT_MEASURED = Value("not measured", "missing")


@dataclass(frozen=True, order=True)
class Budget:
    """What must be equal for two trainings to stand in one column."""

    dataset: str
    validation: str
    validation_fingerprint: str
    input: str
    epochs: int
    samples: int
    batch: int
    precision: str
    processes: int

    @classmethod
    def of(cls, record: Record) -> "Budget":
        told = record.protocol
        return cls(
            dataset=record.dataset or "unknown data",
            validation=str(told.get("validation", "")),
            validation_fingerprint=str(told.get("validation_fingerprint", "")),
            input=record.input,
            epochs=int(told.get("epochs", 0)),
            samples=int(told.get("samples_an_epoch", 0)),
            batch=record.batch or 0,
            precision=record.precision or "",
            processes=int(told.get("processes", 1)),
        )

    @property
    def what(self) -> str:
        """The heading of its panel."""
        batch = f"batch {self.batch}" + (f" x {self.processes}" if self.processes > 1 else "")
        length = f"{self.epochs} epochs of {self.samples} samples, {batch}, {self.precision}"
        return f"Trained on {self.dataset}, scored on {self.validation}, {self.input}, {length}"

    @property
    def short(self) -> str:
        """The heading of its columns."""
        return f"Measured on {self.validation}, {self.input}"

    @property
    def parts(self) -> tuple[tuple[str, str], ...]:
        return (
            ("dataset", self.dataset), ("validation", self.validation), ("input", self.input),
            ("epochs", str(self.epochs)), ("samples_an_epoch", str(self.samples)), ("batch", str(self.batch)),
            ("precision", self.precision), ("processes", str(self.processes)),
        )  # fmt: skip


@dataclass(frozen=True)
class Ablation:
    """What sets Tables IV and VI apart."""

    number: int
    roman: str
    title: str
    column: str  # of the paper's rows
    option: str  # of the records
    fixed: Mapping[str, str]  # the other option
    heading: str
    row_names: Mapping[str, str]  # the paper's name for each row


ABLATIONS = (
    Ablation(
        4, "IV", "Weight generation functions of the loss", "weight", "loss", {"attention": "parallel"}, "F",
        {"none": "None (plain squared error)", "x": "F(x) = x", "2x": "F(x) = 2x", "x^2": "F(x) = x^2",
         "e^x": "F(x) = e^x"},
    ),
    Ablation(
        6, "VI", "Attention blocks in the head", "attention", "attention", {"loss": "x"}, "Attention",
        {"none": "None", "se": "SE block", "cbam": "CBAM", "parallel": "The paper's"},
    ),
)  # fmt: skip


def _rows(which: Ablation) -> dict[str, dict[str, str]]:
    """The paper's rows by the option of the records."""
    return {("mse" if row[which.column] == "none" and which.option == "loss" else row[which.column]): row
            for row in paper.table(which.number)}  # fmt: skip


def of_ablation(which: Ablation, measured: Measured) -> list[Record]:
    """The trainings that belong to Table IV or VI."""
    return [
        record for record in measured.of_kind("train")
        if record.model == paper.BASELINE and record.options.get(which.option) in _rows(which)
        and all(record.options.get(key) == value for key, value in which.fixed.items())
    ]  # fmt: skip


def named(which: Ablation, record: Record) -> str:
    """A training's row, as the paper calls it."""
    return which.row_names[_rows(which)[str(record.options[which.option])][which.column]]


def ablation(which: Ablation, measured: Measured) -> Table:
    """Table IV or VI: the paper's figures, then those of every data set and budget that it was trained with."""
    rows, trained = _rows(which), of_ablation(which, measured)
    # A column with one row compares nothing; it belongs to the table of networks.
    tried = [
        budget for budget, members in by_budget(trained).items()
        if len({record.options[which.option] for record in members}) > 1
    ]  # fmt: skip
    # Rows that differ by no more than seeds do are no measurement of what the table is about.
    budgets = [budget for budget in tried if told_apart(_seeds(which, budget, trained))]
    columns = [Column(key, title, ("paper",), IN_PAPER) for key, title in METRICS.items()]
    columns += _columns(budgets)
    made = []
    for option, row in rows.items():
        cells = [paper_cell(row[key]) for key in METRICS]
        for budget in budgets:
            cells += _cells([r for r in trained if r.options[which.option] == option and Budget.of(r) == budget])
        cells += [] if budgets else [Cell((NOT_MEASURED,)), *[Cell()] * (len(COLUMNS) - 1)]
        names = {which.option: option, "name": which.row_names[row[which.column]]}
        made.append(Row(names, tuple(cells), highlight=option in ("x", "parallel")))
    return Table(
        {which.option: "", "name": which.heading},
        tuple(columns),
        tuple(made),
        panels=_panels(columns, len(METRICS), budgets),
        remarks=(
            *(() if tried and not budgets else _remarks(budgets, f"python -m bench.train --table {which.number}")),
            *(_what_it_takes(which, budget, trained) for budget in tried if budget not in budgets),
        ),
    )


def _seeds(which: Ablation, budget: Budget, trained: Sequence[Record]) -> dict[str, list[float]]:
    """AP in percent of each row, one a seed: of equal seeds the newest."""
    found: dict[str, dict[int | None, float]] = {}
    for record in sorted(trained, key=lambda record: record.started_at):
        if Budget.of(record) == budget and record.metrics.get("ap", -1) >= 0:
            found.setdefault(named(which, record), {})[record.seed] = 100 * record.metrics["ap"]
    return {row: list(seeds.values()) for row, seeds in found.items()}


def _what_it_takes(which: Ablation, budget: Budget, trained: Sequence[Record]) -> str:
    """What a budget gave that tells no rows apart, and the budget that the spread of its seeds asks for."""
    rows = _seeds(which, budget, trained)
    if not rows:
        return f"Not measured. {budget.what}: no training has an AP, which is what the table is of."
    means = [sum(seeds) / len(seeds) for seeds in rows.values()]
    deviation = spread(rows)
    gave = f"Not measured. {budget.what}: AP of {printed(min(means), 1, 2)} to {printed(max(means), 1, 2)}"
    if deviation is None:
        return f"{gave} with one seed a row, which says nothing of chance: train with --seeds 0,1 at least."
    theirs = [float(row["ap"]) for row in paper.table(which.number)]
    difference = max(theirs) - min(theirs)
    seeds = seeds_needed(deviation, difference)
    times = [r.metrics["seconds"] for r in trained if Budget.of(r) == budget and "seconds" in r.metrics]
    hours = len(rows) * seeds * sum(times) / len(times) / 3600 if times else None
    return (
        f"{gave} with a standard deviation of {printed(deviation, 1, 2)} from seed to seed, which tells no two rows "
        f"apart. To find the paper's largest difference, {printed(difference, 1, 2)}, in four cases of five takes "
        f"{seeds} seeds a row where seeds differ as here"
        + (f", {printed(hours, 1, 0)} hours of such trainings" if hours else "")
        + "; and trainings long enough for AP to come near the paper's, as a difference at the end cannot be seen at "
        "the start."
    )


def of_networks(measured: Measured) -> list[Record]:
    """The trainings of networks as they are, with the paper's loss."""
    return [
        record for record in measured.of_kind("train")
        if "ap" in record.metrics and record.options.get("loss") == "x"
        and record.options.get("attention", "parallel") == "parallel"
    ]  # fmt: skip


def networks(measured: Measured) -> Table | None:
    """All networks trained here, on every data set and with every budget; none where nothing was."""
    trained = of_networks(measured)
    budgets = list(by_budget(trained))
    if not budgets:
        return None
    _, own = paper.in_order(record.model for record in trained)
    models = [*((model, "") for model in paper.models()), *((model, OWN) for model in own)]
    rows = []
    for model, section in models:
        printed_row = paper.row(1, model) or {}
        cells = [paper_cell(printed_row.get("ap"))]
        for budget in budgets:
            cells += _cells([r for r in trained if r.model == model and Budget.of(r) == budget])
        names = {"model": model, "name": "" if section == OWN else paper.label(model)}
        rows.append(Row(names, tuple(cells), section, highlight=model == paper.BASELINE))
    columns = [Column("ap", "AP", ("paper",), IN_PAPER), *_columns(budgets)]
    return Table(
        {"model": "Model", "name": "In the paper"},
        tuple(columns),
        tuple(rows),
        panels=_panels(columns, 1, budgets),
        remarks=_remarks(budgets, "python -m bench.train --table models"),
    )


def by_budget(records: Iterable[Record]) -> dict[Budget, list[Record]]:
    groups: dict[Budget, list[Record]] = {}
    for record in records:
        groups.setdefault(Budget.of(record), []).append(record)
    return dict(sorted(groups.items()))


def _columns(budgets: Sequence[Budget]) -> list[Column]:
    if not budgets:
        return [Column(f"trained_{key}", title, ("measured",), "Measured") for key, title in COLUMNS.items()]
    return [
        Column(f"trained_{key}", title, ("measured",), budget.short, budget.parts)
        for budget in budgets
        for key, title in COLUMNS.items()
    ]


def _panels(columns: Sequence[Column], first: int, budgets: Sequence[Budget]) -> tuple[Panel, ...]:
    """The paper's columns beside those of one budget at a time."""
    width = len(COLUMNS)
    return tuple(
        Panel(budget.what, (*range(first), *range(first + i * width, first + (i + 1) * width)))
        for i, budget in enumerate(budgets)
    )


def _cells(records: Sequence[Record]) -> list[Cell]:
    """Mean of each metric over the seeds, and from where to where they go; of equal seeds, the newest counts."""
    by_seed = {record.seed: record for record in sorted(records, key=lambda record: record.started_at)}
    chosen = [by_seed[seed] for seed in sorted(by_seed, key=lambda seed: -1 if seed is None else seed)]
    count = Cell((Value(str(len(chosen)), "measured"),), record=chosen[0]) if chosen else Cell()
    return [*(_cell(chosen, key) for key in METRICS), count]


def _cell(records: Sequence[Record], key: str) -> Cell:
    values = [record.metrics[key] for record in records if record.metrics.get(key, -1) >= 0]  # -1: nothing to find
    if not values:
        return Cell()
    mean, low, high = (100 * value for value in (sum(values) / len(values), min(values), max(values)))
    return Cell(
        (Value(printed(mean, 1, 2), "measured"),),
        detail=f"{printed(low, 1, 2)} to {printed(high, 1, 2)}" if len(values) > 1 else "",
        tags=tuple(dict.fromkeys(tag for record in records for tag in tags(record) if tag != "custom")),
        extra={f"trained_{key}_low": low, f"trained_{key}_high": high},
        record=records[0],
        others=tuple(records[1:]),
    )


def _remarks(budgets: Sequence[Budget], command: str) -> tuple[str, ...]:
    if not budgets:
        return (f"Nothing was trained for this table yet: run {command}.",)
    remarks = [
        "In percent. Measured: the mean over seeds after the last epoch, and the lowest and the highest of them. "
        "All rows of a column had the same data, budget and seeds.",
    ]
    if any(budget.dataset.startswith("synthetic") for budget in budgets):
        remarks.append(
            "Synthetic people are drawn, not photographed: these figures compare rows with each other, and say "
            "nothing of accuracy on photographs."
        )
    return tuple(remarks)
