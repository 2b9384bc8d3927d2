"""A section of the report: a table, figures, or both, made from what was measured."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace

from bench.report.measured import Measured
from bench.report.table import Table


@dataclass(frozen=True)
class ReportFigure:
    """A figure that can be drawn."""

    key: str  # file name without its ending
    draw: Callable[[], tuple[bytes, bytes]]  # as PNG and as SVG, the same bytes each time
    main: bool = True  # drawn without ``--figures all``


def _no_pictures(_: Measured) -> Iterable[ReportFigure]:
    return ()


def _no_table(_: Measured) -> Table | None:
    return None


@dataclass(frozen=True)
class Section:
    """One entry of the report. A module in ``bench/report/sections`` lists its own in ``SECTIONS``."""

    key: str  # of its place in the page; its table's files are ``KEY.md``, ``KEY.csv`` and ``KEY.tex``
    title: str  # what precedes its last ". " is its name in the list of contents
    order: int  # of its place in the page, the lowest first
    make_table: Callable[[Measured], Table | None] = _no_table
    pictures: Callable[[Measured], Iterable[ReportFigure]] = _no_pictures
    without_pictures: str = ""  # said where there is no table and nothing to draw; without it the section is left out

    def table(self, measured: Measured) -> Table | None:
        """Its table under its key and title, or nothing where nothing was measured."""
        made = self.make_table(measured)
        return made and replace(made, key=self.key, title=self.title)


@dataclass(frozen=True)
class Shown:
    """A section as far as there is something in it."""

    section: Section
    table: Table | None
    figures: tuple[str, ...]  # names of its files without their endings
