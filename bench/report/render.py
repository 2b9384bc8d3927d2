"""A table as Markdown, CSV and LaTeX."""

import csv as csv_format
import functools
import io
import itertools
import re
import string
import unicodedata
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import jinja2

from bench.core.record import Record
from bench.report.measured import Measured, name
from bench.report.table import Cell, Column, Number, Panel, Row, Table

DASH = "—"
CHECK = "✓"


def footnotes(table: Table) -> dict[str, str]:
    """Every note of a table with its mark (a, b, ...), in order of first appearance."""
    lengths = itertools.count(1)
    letters = ("".join(word) for n in lengths for word in itertools.product(string.ascii_lowercase, repeat=n))
    notes = dict.fromkeys(note for row in table.rows for cell in row.cells for note in cell.notes)
    return dict(zip(notes, letters, strict=False))


def marks(cell: Cell, notes: Mapping[str, str]) -> str:
    """The marks of a cell's notes, such as ``a,b``."""
    return ",".join(sorted(notes[note] for note in dict.fromkeys(cell.notes)))


def row_headings_of(table: Table) -> list[tuple[str, str]]:
    return [(key, title) for key, title in table.headings.items() if title]


def groups(table: Table, panel: Panel) -> Iterator[tuple[str, list[int]]]:
    """Neighbouring columns under their common heading."""
    for group, indices in itertools.groupby(panel.columns, key=lambda index: table.columns[index].group):
        yield group, list(indices)


def sources(table: Table, measured: Measured, panel: Panel | None = None) -> list[tuple[str, str]]:
    """The runs behind a table or a panel of it, and which of their networks it shows."""
    by_run: dict[str, list[Record]] = {}
    for record in table.records(panel):
        by_run.setdefault(measured.run(record).name, []).append(record)
    order = [run.name for run in measured.runs]
    return [(run, ", ".join(dict.fromkeys(map(name, by_run[run])))) for run in sorted(by_run, key=order.index)]


# ------------------------------------------------------------------------------ Markdown


def markdown(table: Table, measured: Measured) -> str:
    """A table for GitHub and other Markdown readers."""
    template = _markdown_environment().get_template("table.md.jinja")
    text = template.render(table=table, sources=lambda table: _told_sources(table, measured))
    return re.sub(r"\n{3,}", "\n\n", text).rstrip() + "\n"


def markdown_rows(table: Table, panel: Panel) -> str:
    """The lines of a panel, headings first."""
    template: Any = _markdown_environment().get_template("rows.md.jinja").module
    return str(template.rows_of(table, panel))


@functools.cache
def _markdown_environment() -> jinja2.Environment:
    return _text_environment(_escape_markdown)


def _text_environment(escaped: Callable[[str], str], **delimiters: Any) -> jinja2.Environment:
    """Of a text format: what its templates call, and ``escaped``, which escapes its special characters."""
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(Path(__file__).parent),
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
        **delimiters,
    )
    environment.filters["escaped"] = escaped
    environment.globals.update(
        footnotes=footnotes,
        marks=marks,
        row_headings_of=row_headings_of,
        flat_title=_flat_title,
        dash=DASH,
        check=CHECK,
    )
    return environment


def _told_sources(table: Table, measured: Measured) -> list[tuple[str, dict[str, str]]]:
    """The runs behind a table, and what is told of each; of its records, those that the table shows."""
    runs = {run.name: run for run in measured.runs}
    return [(run, measured.described(runs[run]) | {"records": models}) for run, models in sources(table, measured)]


def _escape_markdown(text: str) -> str:
    return re.sub(r"([\\|*_`<>\[\]])", r"\\\1", text)


def _flat_title(column: Column) -> str:
    return f"{column.group}: {column.title}" if column.group else column.title


# ----------------------------------------------------------------------------------- CSV


def csv(table: Table, measured: Measured) -> str:
    """A table for programs: paper and measured in columns of their own, and a status column for each pair.

    Where columns repeat for several settings, each setting gets a line of its own.
    """
    settings = list(dict.fromkeys(column.setting for column in table.columns if column.setting)) or [()]
    lines = [_csv_line(table, row, setting, measured) for row in table.rows for setting in settings]
    return _csv_text(lines)


def _csv_line(table: Table, row: Row, setting: tuple[tuple[str, str], ...], measured: Measured) -> dict[str, Number]:
    line: dict[str, Number] = {key: row.names.get(key, "") for key in table.headings}
    here = [
        (column, cell) for column, cell in zip(table.columns, row.cells, strict=True) if column.setting in ((), setting)
    ]
    for key, group in itertools.groupby(here, key=lambda pair: pair[0].key):
        pairs = list(group)
        if pairs[0][0].setting:
            line |= dict(setting)
        filled = []
        for column, cell in pairs:
            for origin in column.origins:
                line[f"{key}_{origin}"] = cell.text(origin)
                filled += [origin] if cell.text(origin) else []
            line |= cell.extra
        if pairs[0][0].origins:
            line[f"{key}_status"] = " and ".join(filled) or "missing"
        else:
            line[key] = pairs[0][1].values[0].text
        records = list({id(record): record for _, cell in pairs for record in cell.records}.values())
        if any("measured" in column.origins for column, _ in pairs):
            line[f"{key}_record"] = " ".join(map(measured.id, records))
    cells = [cell for _, cell in here]
    line["tags"] = " ".join(dict.fromkeys(tag for cell in cells for tag in cell.tags))
    line["notes"] = " ".join(dict.fromkeys(note for cell in cells for note in cell.notes))
    return line


def records_csv(measured: Measured) -> str:
    """Every record that the report could draw on, a line each, in the order of their identifiers."""
    rows = []
    for record in measured.records:
        machine, software = record.machine, record.software
        rows.append(
            {
                "record": measured.id(record),
                "run": measured.run(record).name,
                "model": name(record),
                "input": record.input,
                "num_joints": record.num_joints,
                "backend": record.backend,
                "device": record.device,
                "precision": record.precision,
                "batch": record.batch,
                "threads": record.threads,
                "protocol": record.protocol.get("name"),
                "sets": record.protocol.get("sets"),
                "rounds": record.protocol.get("rounds"),
                "dataset": record.dataset,
                "weights": record.weights,
                "started_at": record.started_at,
                "cpu": machine.cpu,
                "cores": machine.cores,
                "gpu": machine.gpu,
                "os": machine.os,
                "python": software.python,
                "torch": software.torch,
                "runtime": software.runtime,
                "git_commit": software.git_commit,
                "git_dirty": software.git_dirty,
                "source_sha256": software.source_sha256,
                "command": record.command,
                "warnings": "; ".join(record.warnings),
            }
        )
    return _csv_text(rows)


def _csv_text(rows: Sequence[Mapping[str, object]]) -> str:
    """Rows that may differ in their columns, which stand in the order of their first appearance."""
    columns = dict.fromkeys(column for row in rows for column in row)
    text = io.StringIO()
    writer = csv_format.DictWriter(text, list(columns), lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


# --------------------------------------------------------------------------------- LaTeX


def latex(table: Table, measured: Measured) -> str:
    r"""A table for ``\input`` into a paper, with booktabs."""
    notes = functools.partial(_latex_notes, measured=measured)
    return _latex_template().render(table=table, notes_below=notes).rstrip() + "\n"


@functools.cache
def _latex_template() -> jinja2.Template:
    delimiters = {
        "block_start_string": "<%", "block_end_string": "%>", "variable_start_string": "<<",
        "variable_end_string": ">>", "comment_start_string": "<#", "comment_end_string": "#>",
    }  # fmt: skip
    environment = _text_environment(_escape_latex, **delimiters)
    environment.globals.update(caption=_caption, group_spans=_group_spans)
    return environment.get_template("table.tex.jinja")


@dataclass(frozen=True)
class _Span:
    """Neighbouring columns under one heading, counted from 1 with those of the rows' names."""

    group: str
    first: int
    last: int


def _group_spans(table: Table, panel: Panel) -> list[_Span]:
    spans, before = [], len(row_headings_of(table))
    for group, indices in groups(table, panel):
        spans.append(_Span(group, before + 1, before + len(indices)))
        before += len(indices)
    return spans


def _latex_notes(table: Table, panel: Panel, measured: Measured) -> Iterator[str]:
    """What stands below a panel: the notes of its cells, and the runs that its numbers come from."""
    used = {note for row in table.rows for index in panel.columns for note in row.cells[index].notes}
    for note, mark in footnotes(table).items():
        if note in used:
            yield f"\\textsuperscript{{{mark}}} {_escape_latex(note)}"
    if absent := table.absent_in(panel):
        yield f"Not measured here: {_escape_latex(', '.join(absent))}."
    for run, _ in sources(table, measured, panel):
        told = measured.described(next(r for r in measured.runs if r.name == run))
        wanted = ("command", "machine", "software", "started", "measured", "warnings")
        text = "; ".join(told[key] for key in wanted if key in told)
        yield f"{_escape_latex(run)}: {_escape_latex(text)}."


def _caption(table: Table, panel: Panel) -> list[str]:
    """Its sentences, without their full stops."""
    title = re.sub(r"^Table [IVX]+\. ", "", table.title)
    return [title + (f": {panel.title}" if panel.title else ""), *(remark.rstrip(".") for remark in table.remarks)]


_LATEX = {
    "\\": r"\textbackslash{}", "{": r"\{", "}": r"\}", "&": r"\&", "%": r"\%", "$": r"\$", "#": r"\#", "_": r"\_",
    "~": r"\textasciitilde{}", "^": r"\textasciicircum{}", "—": "---", "–": "--", "×": r"$\times$", "<": r"$<$",
    ">": r"$>$", "|": r"$|$", '"': "''",
}  # fmt: skip


def _escape_latex(text: str) -> str:
    """Text that any LaTeX sets: special characters escaped, others as near as ASCII comes."""
    out = []
    for character in text:
        plain = unicodedata.normalize("NFKD", character).encode("ascii", "ignore").decode()
        out.append(_LATEX.get(character) or plain or "?")
    return "".join(out).replace("--", "-{}-") if "--" in text else "".join(out)
