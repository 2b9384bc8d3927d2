"""What README and docs quote is what the records give."""

import re
import shutil
from pathlib import Path

import pytest

from bench.core.errors import InputError
from bench.core.results import append, read
from bench.report import quotes, render
from bench.report.command import update_docs
from bench.report.measured import Measured
from bench.report.quotes import Quote
from bench.report.sections import all_sections
from bench.report.table import Cell, Column, Panel, Row, Table, Value
from tests.conftest import ROOT

QUOTED = "OpenVINO is **{}** times as fast. <!-- figure {}: speedup.csv ratio model=a 'cpu=AMD EPYC' -->"
CSV = {"speedup.csv": b"model,cpu,ratio\na,AMD EPYC,4.45\na,Xeon,2.84\nb,AMD EPYC,1.5\nb,Xeon,\n"}


def test_pages_quote_what_the_committed_records_give() -> None:
    """Else: python -m bench.report --update-docs, and mend the prose that it names."""
    measured = Measured(read(ROOT / "results/reference"))
    tables = {section.key: table for section in all_sections() if (table := section.table(measured))}
    report = {f"{key}.csv": render.csv(table, measured).encode() for key, table in tables.items()}
    figures = 0
    for page in quotes.pages(ROOT):
        text = page.read_text()
        assert quotes.with_blocks(text, tables) == text, page
        assert "<sup>" not in text, page  # notes stand below the table itself
        assert not re.search(r"^\|[^|]+\|( — \|)+$", text, re.MULTILINE), page
        assert quotes.unfounded(text, report) == [], page
        figures += len(quotes.FIGURE.findall(text))
    assert figures > 20


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (QUOTED.format("4.5", "4.5"), ""),  # half up, as on paper
        (QUOTED.format("4.45", "4.45"), ""),
        (QUOTED.format("4.4", "4.4"), "the report gives 4.5"),
        (QUOTED.format("5.5", "4.5"), "is not in the paragraph"),
        (QUOTED.format("14.5", "4.5"), "is not in the paragraph"),
        (QUOTED.format("4.5", "4.5").replace("model=a ", ""), "2 values in the report"),
        (QUOTED.format("4.5", "4.5").replace("model=a", "model=c"), "0 values in the report"),
        (QUOTED.format("4.5", "4.5").replace("speedup.csv", "gone.csv"), "0 values in the report"),
        (QUOTED.format("4.5", "4.5").replace("speedup.csv ratio", "the report"), "not to be read"),
        ("from 1.50 to 4.5 <!-- figure 1.50: speedup.csv min ratio --> <!-- figure 4.5: speedup.csv max ratio -->", ""),
        ("Said before.\n\n" + QUOTED.format("", "4.5"), "is not in the paragraph"),
    ],
)
def test_a_figure_is_that_of_the_report_and_stands_before_its_mark(text: str, says: str) -> None:
    found = quotes.unfounded(text, CSV)
    assert len(found) == bool(says), found
    assert says in "".join(found)


def test_blocks_are_written_and_the_rest_of_a_page_stays(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    shutil.copytree(ROOT / "results/reference", tmp_path / "results/reference", ignore=shutil.ignore_patterns("*.json"))
    shutil.copytree(ROOT / "docs", tmp_path / "docs", ignore=shutil.ignore_patterns("images"))
    readme = (ROOT / "README.md").read_text()
    before, after = readme.index("<!-- table5 -->"), readme.index("<!-- /table5 -->")
    (tmp_path / "README.md").write_text(readme[:before] + "<!-- table5 -->\nold\n" + readme[after:])
    assert update_docs(tmp_path) == 0
    assert (tmp_path / "README.md").read_text() == readme
    assert (tmp_path / "docs/backends.md").read_bytes() == (ROOT / "docs/backends.md").read_bytes()
    capsys.readouterr()
    (tmp_path / "docs/timing.md").write_text(QUOTED.format("9.9", "9.9"))
    assert update_docs(tmp_path) == 1
    assert capsys.readouterr().out.startswith("docs/timing.md: 9.9 ")


def test_a_block_may_show_some_precisions_alone() -> None:
    settings = {
        "exact": (("backend", "ncnn"), ("precision", "fp32")),
        "small": (("backend", "mnn"), ("precision", "int8")),
        "best": (("precision", "fp32"),),
        "share": (),
    }
    columns = tuple(Column(key, key, ("measured",), setting=setting) for key, setting in settings.items())
    cells = tuple(Cell((Value(key, "measured"),)) for key in settings)
    table = Table({"model": "Network"}, columns, (Row({"model": "a"}, cells),), panels=(Panel("here", (0, 1, 2, 3)),))
    shown = Quote("speedup", "here", precisions=("fp32",)).markdown({"speedup": table})
    assert "**exact** | **best** | **share** |" in shown
    shown = Quote("speedup", "here", backends=("mnn",), precisions=("int8",)).markdown({"speedup": table})
    assert "| `a` | **small** | **share** |" in shown


def test_a_block_of_what_was_not_measured_is_an_error_and_writes_nothing(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_text("<!-- speedup -->\nold\n<!-- /speedup -->\n")
    records = [record for record in read(ROOT / "results/reference") if record.kind == "complexity"]
    append(records, tmp_path / "results/reference")
    with pytest.raises(InputError, match="no table speedup"):
        update_docs(tmp_path)
    assert "old" in (tmp_path / "README.md").read_text()
