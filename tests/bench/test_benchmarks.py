"""Every benchmark starts: what it imports is there, and it says what it is for."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


def _help(script: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(script), "--help"], cwd=ROOT, capture_output=True, text=True, timeout=300
    )


def test_every_benchmark_starts_and_says_what_it_is_for() -> None:
    assert len(SCRIPTS) > 10
    with ThreadPoolExecutor(2) as pool:
        for script, done in zip(SCRIPTS, pool.map(_help, SCRIPTS), strict=True):
            assert done.returncode == 0, f"{script.name}: {done.stderr}"
            assert done.stdout.startswith("usage: "), script.name


def test_the_curves_of_the_latency_check_are_those_of_docs() -> None:
    """Drawn with a fixed seed from records that come along, so the page's table can be made anew."""
    done = subprocess.run(
        [sys.executable, str(ROOT / "benchmarks" / "sequential_curves.py")], cwd=ROOT, capture_output=True, text=True,
        timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    table = [line for line in done.stdout.splitlines() if line.startswith("| ")]
    page = (ROOT / "docs" / "regress.md").read_text()
    assert [line for line in table if line not in page] == []
