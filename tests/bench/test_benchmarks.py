"""Every benchmark starts: what it imports is there, and it says what it is for."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from bench.core.results import append, read
from bench.explain import options as explain_options
from bench.speed import options as speed_options
from benchmarks import gpu_records, kill_anywhere
from tests.bench.test_record import make
from tests.conftest import ROOT

SCRIPTS = sorted((ROOT / "benchmarks").glob("*.py"))


# One process for all, which imports torch once.
HELP = """
import contextlib, io, os, runpy, sys
sys.path.insert(0, os.path.dirname(sys.argv[1]))  # as for a script that is called by itself
for script in sys.argv[1:]:
    sys.argv[:] = [script, "--help"]
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        try:
            runpy.run_path(script, run_name="__main__")
            status = "none"
        except SystemExit as error:
            status = error.code or 0
    assert status == 0, f"{script}: exit status {status}"
    assert said.getvalue().startswith("usage: "), f"{script}: {said.getvalue()}"
print("all")
"""


def test_every_benchmark_starts_and_says_what_it_is_for() -> None:
    assert len(SCRIPTS) > 10
    done = subprocess.run([sys.executable, "-c", HELP, *SCRIPTS], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert (done.returncode, done.stdout) == (0, "all\n"), done.stderr


def test_kill_anywhere_sees_what_a_kill_must_not_do(tmp_path: Path) -> None:
    folder = tmp_path / "results" / "local"
    (folder / "predictions").mkdir(parents=True)
    (folder / "predictions" / "a.json").write_text("[1]")
    append([make(), make(model="n", metrics={"ap": 0.5, "people_per_s": 3.0}, kind="accuracy")], folder)
    before, whole = kill_anywhere.contents(tmp_path), kill_anywhere.outcome(tmp_path)
    assert kill_anywhere.damage(tmp_path, before) == []
    assert kill_anywhere.differences(whole, whole) == []
    append([make(started_at="2026-01-02T00:00:00+00:00")], folder)
    with (folder / "accuracy.jsonl").open("a") as file:
        file.write('{"kind": "accu')
    (folder / "predictions" / "a.json").write_text("[1, ")
    said = " ".join(kill_anywhere.damage(tmp_path, before))
    for fault in ("has a measurement twice", "ends with a half-written line", "a.json is half-written"):
        assert fault in said
    (folder / "accuracy.jsonl").unlink()
    assert "accuracy.jsonl lost what it held" in kill_anywhere.damage(tmp_path, before)
    append([make(model="n", metrics={"ap": 0.4, "people_per_s": 4.0}, kind="accuracy")], folder)
    (folder / ".left").touch()
    said = " ".join(kill_anywhere.differences(whole, kill_anywhere.outcome(tmp_path)))
    for fault in (".left is left over", "a.json differs", "other metrics: {'ap': 0.4}, {'ap': 0.5} undisturbed"):
        assert fault in said


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


def test_the_steps_of_the_gpu_are_commands_that_parse(tmp_path: Path) -> None:
    """They run where a GPU is lent for minutes: a misspelt option must not be found there."""
    parsers = {"bench.speed": speed_options.parse, "bench.explain": explain_options.parse}
    commands = [gpu_records.command(step, tmp_path) for step in gpu_records.STEPS]
    for one in commands:
        if one[1] != "pytest":
            parsers[one[1]](one[2:])
        else:
            assert one[2:] == ["-q", "-m", "gpu", "-n", "8", "tests"]


def test_what_fp16_takes_over_its_bound_is_as_in_the_report() -> None:
    over = gpu_records.over_bounds(read(ROOT / "results" / "reference" / "nvidia-h200"))
    assert over["lightweight_mobilenetv3"] == pytest.approx(13.2, abs=0.1)
    assert len(over) == 7  # of the eighth none was timed in fp16


def test_a_step_that_cannot_run_here_is_named_and_nothing_else_happens(tmp_path: Path) -> None:
    script = [sys.executable, str(ROOT / "benchmarks" / "gpu_records.py"), str(tmp_path / "none")]
    done = subprocess.run([*script, "--steps", "onnxruntime_cuda"], cwd=ROOT, capture_output=True, text=True,
                          env=os.environ | {"CUDA_VISIBLE_DEVICES": ""}, timeout=300)  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "onnxruntime_cuda: exit status 2" in done.stdout
    assert not (tmp_path / "none").exists()
