"""A table as Markdown, CSV and LaTeX."""

import csv as csv_format
import io
import itertools
import re
import string
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence

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

MARKDOWN_LEGEND = (
    f"**Bold**: measured, from the records below. *Italic*: printed in the paper. {DASH}: no such number "
    "(not measured, or not in the paper)."
)


def markdown(table: Table, measured: Measured) -> str:
    """A table for GitHub and other Markdown readers."""
    notes = footnotes(table)
    lines = [f"# {table.title}", "", MARKDOWN_LEGEND, "", *_markdown_list(table.remarks)]
    for panel in table.shown:
        lines += [f"## {_escape_markdown(panel.title)}", ""] if panel.title else []
        lines += [*markdown_rows(table, panel), ""]
    lines += [f"<sup>{mark}</sup> {_escape_markdown(note)}  " for note, mark in notes.items()]
    lines += ["", "## Where the measured numbers come from", "", *_markdown_sources(table, measured)]
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def markdown_rows(table: Table, panel: Panel) -> list[str]:
    """The lines of a panel, headings first."""
    notes, row_headings = footnotes(table), row_headings_of(table)
    columns = [table.columns[index] for index in panel.columns]
    headings = [title for _, title in row_headings] + [_flat_title(column) for column in columns]
    lines = [
        _markdown_row(map(_escape_markdown, headings)),
        _markdown_row(["---"] * len(row_headings) + ["---:" if column.origins else "---" for column in columns]),
    ]
    section = ""
    for row in table.rows:
        if row.section != section:
            section = row.section
            lines.append(_markdown_row([f"{section}:"] + [""] * (len(headings) - 1)))
        texts = [_markdown_label(key, row) for key, _ in row_headings]
        lines.append(_markdown_row(texts + [_markdown_cell(row.cells[i], notes) for i in panel.columns]))
    return lines


def _markdown_sources(table: Table, measured: Measured) -> list[str]:
    found = sources(table, measured)
    if not found:
        return ["Nothing in this table was measured."]
    runs = {run.name: run for run in measured.runs}
    lines = ["Every record has its line in [records.csv](records.csv)."]
    for run, models in found:
        told = measured.described(runs[run])
        lines += ["", f"**{run}**: `{told.pop('command')}`", ""]
        told["records"] = models
        lines += [f"- {heading}: {_escape_markdown(text)}" for heading, text in told.items()]
    return lines


def _markdown_list(sentences: tuple[str, ...]) -> list[str]:
    return [*(f"- {_escape_markdown(sentence)}" for sentence in sentences), ""] if sentences else []


def _markdown_row(texts: Iterable[str]) -> str:
    return f"| {' | '.join(texts)} |"


def _markdown_label(key: str, row: Row) -> str:
    text = row.names.get(key, "")
    if not text:
        return DASH
    return f"`{text}`" if key == "model" else _escape_markdown(text)


def _markdown_cell(cell: Cell, notes: Mapping[str, str]) -> str:
    style = {"paper": "*{}*", "measured": "**{}**", "missing": "{}"}
    text = " / ".join(style[value.origin].format(_escape_markdown(value.text or DASH)) for value in cell.values)
    text += f" {CHECK}" if cell.hit else ""
    text += f" ({cell.detail})" if cell.detail else ""
    text += "".join(f" *{tag}*" for tag in cell.tags)
    return text + (f" <sup>{marks(cell, notes)}</sup>" if cell.notes else "")


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
    notes = footnotes(table)
    parts = [
        "% Made by python -m bench.report. Needs \\usepackage{booktabs} and \\usepackage{graphicx}.",
        *(_latex_panel(table, panel, notes, measured, first=index == 0) for index, panel in enumerate(table.shown)),
    ]
    return "\n".join(parts)


def _latex_panel(table: Table, panel: Panel, notes: Mapping[str, str], measured: Measured, *, first: bool) -> str:
    row_headings = row_headings_of(table)
    columns = [table.columns[index] for index in panel.columns]
    alignment = "l" * len(row_headings) + "".join("r" if column.origins else "l" for column in columns)
    top, rules, start = ["" for _ in row_headings], [], len(row_headings) + 1
    for group, indices in groups(table, panel):
        span = len(indices)
        top.append(f"\\multicolumn{{{span}}}{{c}}{{{_escape_latex(group)}}}")
        if group:
            rules.append(f"\\cmidrule(lr){{{start}-{start + span - 1}}}")
        start += span
    head = [title for _, title in row_headings] + [column.title for column in columns]
    lines = [
        "\\begin{table*}[t]",
        "\\centering",
        f"\\caption{{{_latex_caption(table, panel)}}}",
        f"\\label{{tab:{table.key}}}" if first else "",
        "\\resizebox{\\textwidth}{!}{%",
        f"\\begin{{tabular}}{{{alignment}}}",
        "\\toprule",
        f"{' & '.join(top)} \\\\" if rules else "",
        " ".join(rules),
        f"{' & '.join(map(_escape_latex, head))} \\\\",
        "\\midrule",
    ]
    section = ""
    for row in table.rows:
        if row.section != section:
            section = row.section
            lines.append("\\midrule")
            lines.append(f"\\multicolumn{{{len(alignment)}}}{{l}}{{\\emph{{{_escape_latex(section)}}}}} \\\\")
        texts = [_escape_latex(row.names.get(key, "")) or "---" for key, _ in row_headings]
        texts += [_latex_cell(row.cells[index], notes) for index in panel.columns]
        lines.append(f"{' & '.join(texts)} \\\\")
    lines += ["\\bottomrule", "\\end{tabular}}"]
    used = {note for row in table.rows for index in panel.columns for note in row.cells[index].notes}
    below = [f"\\textsuperscript{{{mark}}} {_escape_latex(note)}" for note, mark in notes.items() if note in used]
    below += [f"{_escape_latex(run)}: {_latex_run(run, measured)}" for run, _ in sources(table, measured, panel)]
    if below:
        lines.append("\\par\\smallskip\\begin{minipage}{\\textwidth}\\raggedright\\footnotesize")
        lines += [f"{line}\\par" for line in below]
        lines.append("\\end{minipage}")
    return "\n".join(line for line in [*lines, "\\end{table*}", ""] if line) + "\n"


def _latex_run(run: str, measured: Measured) -> str:
    told = measured.described(next(r for r in measured.runs if r.name == run))
    wanted = ("command", "machine", "software", "started", "measured", "warnings")
    return _escape_latex("; ".join(told[key] for key in wanted if key in told)) + "."


def _latex_caption(table: Table, panel: Panel) -> str:
    title = re.sub(r"^Table [IVX]+\. ", "", table.title)
    parts = [title + (f": {panel.title}" if panel.title else ""), *(remark.rstrip(".") for remark in table.remarks)]
    legend = "\\textbf{Bold}: measured. \\textit{Italic}: printed in the paper. ---: neither."
    return f"{'. '.join(map(_escape_latex, parts))}. {legend}"


def _latex_cell(cell: Cell, notes: Mapping[str, str]) -> str:
    style = {"paper": "\\textit{%s}", "measured": "\\textbf{%s}", "missing": "%s"}
    text = " / ".join(style[value.origin] % (_escape_latex(value.text) or "---") for value in cell.values)
    text += " $\\surd$" if cell.hit else ""
    text += f" {{\\footnotesize({_escape_latex(cell.detail)})}}" if cell.detail else ""
    text += "".join(f" {{\\footnotesize {_escape_latex(tag)}}}" for tag in cell.tags)
    return text + (f"\\textsuperscript{{{marks(cell, notes)}}}" if cell.notes else "")


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
