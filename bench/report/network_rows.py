"""Rows that stand for networks, as several tables have them."""

from collections.abc import Callable, Iterable

from bench.report import paper
from bench.report.table import OWN, Cell, Row


def network_rows(models: Iterable[str], cells: Callable[[str], Iterable[Cell]]) -> tuple[Row, ...]:
    """A row for each network: the paper's in its order, then all others by name, in a section of their own."""
    in_paper, others = paper.in_order(models)
    return tuple(
        Row(
            {"model": model, "name": paper.label(model) if section == "" else ""},
            tuple(cells(model)),
            section,
            highlight=model == paper.BASELINE,
        )
        for section, names in (("", in_paper), (OWN, others))
        for model in names
    )
