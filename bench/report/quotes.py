"""What the project's pages quote from the report: blocks of tables, which are written, and figures, which are checked.

A block stands between ``<!-- KEY -->`` and ``<!-- /KEY -->``; ``BLOCKS`` says what goes into it. A figure in prose is
followed, in its paragraph, by where it comes from:

    OpenVINO is 4.5 times as fast. <!-- figure 4.5: speedup.csv ratio model=lite_hrnet_18 backend=openvino -->

That is: in ``speedup.csv`` of the report, the column ``ratio`` of the one row in which the columns named have these
values (a value with blanks in quotes), rounded to as many decimals. ``min ratio``, ``max ratio`` and ``median ratio``
take it from several rows.
"""

import csv
import io
import re
import shlex
import statistics
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from bench.core.errors import InputError
from bench.core.metrics import printed
from bench.report import render
from bench.report.table import Panel, Table, decimals

FIGURE = re.compile(r"<!-- figure (\S+): (\S+)\.csv (?:(min|max|median) )?(\w+)((?: [^>]*?)?) -->")
OVER: dict[str, Callable[[Iterable[float]], float]] = {"min": min, "max": max, "median": statistics.median}


@dataclass(frozen=True)
class Quote:
    """Some rows and columns of a table."""

    table: str
    panel: str  # what the titles of its panels begin with
    backends: tuple[str, ...] = ()  # whose columns are shown; none: all
    precisions: tuple[str, ...] = ()  # likewise

    def markdown(self, tables: Mapping[str, Table]) -> str:
        table = tables.get(self.table)
        panels = [panel for panel in table.shown if panel.title.startswith(self.panel)] if table else []
        if table is None or not panels:
            raise InputError(f"there is no table {self.table} of {self.panel} to quote: the records do not give it")
        indices = dict.fromkeys(index for panel in panels for index in panel.columns if self._shows(table, index))
        return render.markdown_rows(_without_notes(table), Panel("", tuple(indices)))

    def _shows(self, table: Table, index: int) -> bool:
        setting = dict(table.columns[index].setting)
        wanted = (("backend", self.backends), ("precision", self.precisions))
        return all(not some or key not in setting or setting[key] in some for key, some in wanted)


def _without_notes(table: Table) -> Table:
    """Notes stand below the table itself."""
    rows = [replace(row, cells=tuple(replace(cell, notes=()) for cell in row.cells)) for row in table.rows]
    return replace(table, rows=tuple(rows))


VNNI = "Intel(R) Xeon(R) Processor (AVX-512, VNNI, BF16, FP16), 2 cores"
BLOCKS = {
    "table5": Quote("table5", "AMD EPYC, 2 cores", ("eager", "onnxruntime", "openvino")),
    "speedup": Quote("speedup", "AMD EPYC, 2 cores, 2 threads"),
    "speedup_vnni": Quote("speedup", VNNI, precisions=("fp32",)),
    "speedup_vnni_reduced": Quote("speedup", VNNI, precisions=("fp16", "bf16", "int8")),
    "pipeline": Quote("pipeline", "openvino: AMD EPYC"),
}


def pages(root: Path) -> list[Path]:
    """The pages of a checkout that may quote the report."""
    return [root / "README.md", *sorted((root / "docs").glob("*.md"))]


def with_blocks(text: str, tables: Mapping[str, Table]) -> str:
    """A page with each of its blocks as the tables have it."""
    for key, block in BLOCKS.items():
        marks = re.compile(rf"(<!-- {key} -->\n).*?(<!-- /{key} -->)", re.DOTALL)
        if marks.search(text):
            made = block.markdown(tables)
            text = marks.sub(lambda found, made=made: found[1] + made + found[2], text)  # type: ignore[misc]
    return text


def unfounded(text: str, report: Mapping[str, bytes]) -> list[str]:
    """Each figure of a page that the report does not give, and what it gives instead."""
    found = []
    for paragraph in re.split(r"\n\s*\n", text):
        for mark in FIGURE.finditer(paragraph):
            quoted, table, over, column, filters = mark.groups()
            if not re.search(rf"(?<![\d.,]){re.escape(quoted)}(?![\d]|[.,]\d)", FIGURE.sub("", paragraph)):
                found.append(f"{quoted} ({mark[0]}) is not in the paragraph before it")
                continue
            wanted = dict(part.partition("=")[::2] for part in shlex.split(filters))
            values = _values(report.get(f"{table}.csv", b"").decode(), column, wanted)
            if not values or (not over and len(set(values)) > 1):
                found.append(f"{quoted} ({mark[0]}): {len(set(values))} values in the report where there must be one")
                continue
            value = OVER[over](values) if over else values[0]
            given = printed(value, 1, decimals(quoted))
            if given != quoted.replace(",", ""):
                found.append(f"{quoted} ({mark[0]}): the report gives {given}")
        if "<!-- figure" in FIGURE.sub("", paragraph):
            broken = paragraph[paragraph.index("<!-- figure") :][:80]
            found.append(f"not to be read, or of no figure: {' '.join(broken.split())}")
    return found


def _values(table: str, column: str, wanted: Mapping[str, str]) -> list[float]:
    rows = csv.DictReader(io.StringIO(table))
    alike = [row for row in rows if all(row.get(key) == value for key, value in wanted.items())]
    return [float(row[column].replace(",", "")) for row in alike if row.get(column)]
