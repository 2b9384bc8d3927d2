"""Tables as plain data, told apart cell by cell: printed in the paper, measured, or missing.

A ``Table`` is the one source of its Markdown, CSV and LaTeX (``bench.report.render``) and of what the page shows.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal

from bench.core.record import Record

Origin = Literal["paper", "measured", "missing"]
Number = int | float | str

CUT = "Decimal not known: it is cut off in the text of the paper at hand."
NOT_IN_PAPER = "Not in the paper's table"
OWN = "Other networks"
COLUMNS_A_PANEL = 4  # of a runtime each: more do not fit a page


@dataclass(frozen=True)
class Value:
    """A number as printed, and where it came from."""

    text: str
    origin: Origin


MISSING = Value("", "missing")


@dataclass(frozen=True)
class Cell:
    """One or two values, and what a reader must know of them."""

    values: tuple[Value, ...] = (MISSING,)
    detail: str = ""  # said in smaller type after the value, such as an interval
    tags: tuple[str, ...] = ()  # words such as "quick" that stay with the value everywhere
    notes: tuple[str, ...] = ()  # sentences that go below the table
    hit: bool = False  # the value prints the paper's digits
    extra: Mapping[str, Number] = field(default_factory=dict)  # further columns of the CSV file
    record: Record | None = None
    others: tuple[Record, ...] = ()  # further records behind the value, such as of other seeds

    @property
    def records(self) -> tuple[Record, ...]:
        return (self.record, *self.others) if self.record else ()

    @property
    def says_something(self) -> bool:
        return bool(self.detail) or any(value.text for value in self.values)

    def text(self, origin: Origin) -> str:
        return next((value.text for value in self.values if value.origin == origin), "")


@dataclass(frozen=True)
class Column:
    """A column; ``key`` is the stem of its names in CSV files."""

    key: str
    title: str
    origins: tuple[Origin, ...]  # which numbers it holds; none for words such as a verdict
    group: str = ""  # heading shared with the neighbours that have the same one
    setting: tuple[tuple[str, str], ...] = ()  # what the numbers hold for, where columns repeat for several


@dataclass(frozen=True)
class Row:
    names: Mapping[str, str]  # what stands in front of the cells, by key in CSV
    cells: tuple[Cell, ...]
    section: str = ""  # heading above the first row of a section
    highlight: bool = False

    @property
    def who(self) -> str:
        """The network that it is of, or else its name; nothing where it is of several networks."""
        return self.names.get("model", next((name for name in self.names.values() if name), ""))


@dataclass(frozen=True)
class Panel:
    """Some columns of a table that is too wide to be shown at once."""

    title: str
    columns: tuple[int, ...]
    about: tuple[int, ...] = ()  # those of them that it is there for, where other panels have the rest as well


@dataclass(frozen=True)
class Table:
    """A table with all that stands around it."""

    headings: Mapping[str, str]  # above the rows' names, by key in CSV; an empty one is for CSV only
    columns: tuple[Column, ...]
    rows: tuple[Row, ...]
    panels: tuple[Panel, ...] = ()
    remarks: tuple[str, ...] = ()  # sentences on how to read it
    key: str = ""  # file name without its ending; its section gives it, and the title
    title: str = ""

    @property
    def shown(self) -> tuple[Panel, ...]:
        return self.panels or (Panel("", tuple(range(len(self.columns)))),)

    def rows_in(self, panel: Panel) -> tuple[Row, ...]:
        """The rows that have something in what a panel is about: the others would be dashes alone."""
        about = panel.about or panel.columns
        return tuple(row for row in self.rows if any(row.cells[index].says_something for index in about))

    def absent_in(self, panel: Panel) -> list[str]:
        """Of whom the table has a row, and a panel has none."""
        there = {row.who for row in self.rows_in(panel)}
        return [who for who in dict.fromkeys(row.who for row in self.rows) if who and who not in there]

    def records(self, panel: Panel | None = None) -> list[Record]:
        """The records behind it or behind a panel of it, each once."""
        columns = panel.columns if panel else range(len(self.columns))
        cells = (row.cells[index] for row in self.rows for index in columns)
        return list({id(record): record for cell in cells for record in cell.records}.values())


def in_panels(parts: Iterable[tuple[str, Sequence[Column]]]) -> tuple[tuple[Column, ...], tuple[Panel, ...]]:
    """The columns of all parts, and a panel for each: its title, and which of the columns are its own."""
    columns: list[Column] = []
    panels = []
    for title, own in parts:
        panels.append(Panel(title, tuple(range(len(columns), len(columns) + len(own)))))
        columns += own
    return tuple(columns), tuple(panels)


def decimals(text: str) -> int:
    """Decimals of a printed number."""
    return len(text.partition(".")[2])


def paper_value(text: str | None) -> Value:
    return Value(text, "paper") if text else MISSING


def paper_cell(text: str | None) -> Cell:
    """A cell of the paper; "72+" is kept, and explained."""
    cut = bool(text) and str(text).endswith("+")
    return Cell((paper_value(text),), notes=(CUT,) if cut else ())


def measured_cell(record: Record | None, text: str, **more: Number) -> Cell:
    if record is None:
        return Cell()
    return Cell((Value(text, "measured"),), extra=more, record=record)
