"""What the README tells a user to type works as typed."""

import re
import subprocess
import sys
from pathlib import Path

from bench.core.results import read
from tests.conftest import ROOT

README = (ROOT / "README.md").read_text()


def test_the_own_model_example_runs(tmp_path: Path) -> None:
    source, from_python = re.findall(r"```python\n(.*?)```", README, re.S)
    (shell,) = re.findall(r"```bash\n(.*?)```", README, re.S)
    (tmp_path / "my_model.py").write_text(source)
    for line in shell.splitlines():
        python, *words = line.split()
        assert python == "python"
        if "bench.speed" in words:
            words += ["--device", "cpu", "--threads", "1", "--sets", "1", "--rounds", "2"]  # only to be quick
        done = subprocess.run([sys.executable, *words], cwd=tmp_path, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr
    assert {(record.kind, record.model) for record in read(tmp_path / "results" / "local")} == {
        (kind, model) for kind in ("complexity", "speed") for model in ("my_model:tiny_pose", "lightweight_mobilenetv3")
    }
    assert "my_model:tiny_pose" in (tmp_path / "reports" / "local" / "table5.md").read_text()
    done = subprocess.run([sys.executable, "-c", from_python], capture_output=True, text=True, timeout=300)
    assert float(done.stdout) > 0, done.stderr


def test_every_file_that_the_docs_name_exists() -> None:
    for page in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").glob("*.md")):
        for link in re.findall(r"\]\(([^)#:]+)\)", page.read_text()):
            assert (page.parent / link).exists(), f"{page.name} names {link}"
    assert "./run_all.sh" in README
    assert "./run_tests.sh" in README


def _cells(text: str) -> dict[tuple[str, str], str]:
    """What tables in Markdown say, by the first cell of a row and by heading."""
    found = {}
    headings: list[str] = []
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.removeprefix("| ").removesuffix(" |").split(" | ")]
        if cells[0] == "Model":
            headings = cells
        elif len(cells) > 1 and cells[0] != "---":
            found |= {(cells[0], heading): cell for heading, cell in zip(headings, cells, strict=True)}
    return found


def test_tables_are_shown_as_reported() -> None:
    (shown,) = re.findall(r"<!-- table5 -->\n(.*?)<!-- /table5 -->", README, re.S)
    said = _cells(shown)
    assert len(said) == 9 * 14  # eight networks and a line between, some of the runtimes
    panels = re.findall(r"^## AMD EPYC, 2 cores.*?(?=^## )", (ROOT / "reports" / "table5.md").read_text(), re.S | re.M)
    # Notes stand below the table itself.
    assert said.items() <= _cells(re.sub(r" <sup>[a-z,]+</sup>", "", "".join(panels))).items()
    (ratios,) = re.findall(r"<!-- speedup -->\n(.*?)<!-- /speedup -->", (ROOT / "docs/backends.md").read_text(), re.S)
    assert "Geometric mean" in ratios
    reported = re.sub(r" <sup>[a-z,]+</sup>", "", (ROOT / "reports" / "speedup.md").read_text())
    assert set(ratios.splitlines()) <= set(reported.splitlines())
