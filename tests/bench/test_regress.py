"""The latency check: its statistics against simulated processes, the command on real repositories, what it refuses."""

import argparse
import io
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import psutil
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.core import processes
from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import read
from bench.regress import baseline, output, pairs, self_test, sides
from bench.regress.command import conclude
from bench.regress.compare import Comparison, compare
from bench.regress.pairs import Pair
from bench.regress.plan import RegressPlan
from bench.regress.records import comparison_record, self_test_record
from bench.regress.self_test import CONDITIONS, Condition, Outcome, SelfTest
from bench.regress.sequential import Interval, anytime_interval, decide, log_stakes
from bench.regress.sides import Side, SideProcess
from bench.report import command as report
from bench.report.page.html import data_of
from tests.commands import command
from tests.conftest import ROOT

main = command("regress")
NETWORK = '''
from torch import nn


def tiny():
    """One layer after another, each of the same size."""
    layers = [nn.Conv2d(16, 16, 3, padding=1) for _ in range({layers})]
    return nn.Sequential(nn.Conv2d(3, 16, 4, 4), *layers, nn.Conv2d(16, 17, 1))
'''
PLAN = RegressPlan("tiny", 17, (64, 32), 1, "cpu", "eager", 1)


# The statistics


def noise_of(kind: str, random: np.random.Generator, count: int) -> np.ndarray:
    """Logarithms of ratios around a median of zero."""
    if kind == "normal":
        return 0.015 * random.standard_normal(count)
    if kind == "heavy":  # no mean at all
        return 0.02 * random.standard_cauchy(count)
    return np.where(random.random(count) < 0.3, random.choice([-0.4, 0.4], count), 0.01 * random.standard_normal(count))


@pytest.mark.parametrize("kind", ["normal", "heavy", "bad pairs"])
@pytest.mark.parametrize("weighted", [False, True])
def test_the_truth_is_refuted_at_any_look_in_one_sequence_of_twenty(kind: str, weighted: bool) -> None:
    """However heavy the tails, and however the errors of pairs differ."""
    random = np.random.default_rng(0)
    refuted = 0
    for _ in range(1000):
        noise = noise_of(kind, random, 100)
        errors = list(random.choice([0.01, 0.1], 100)) if weighted else None
        refuted += any(log_stakes(side * noise, errors).max() >= math.log(40) for side in (-1, 1))
    assert refuted <= 0.05 * 1000 + 2 * math.sqrt(1000 * 0.05 * 0.95)
    assert refuted > 0  # else it would be needlessly cautious


def test_students_interval_looked_at_as_often_misses_far_too_often() -> None:
    random = np.random.default_rng(0)
    missed = 0
    for _ in range(40):
        logs = noise_of("normal", random, 100)
        ends = [stats.t.interval(0.95, n - 1, logs[:n].mean(), stats.sem(logs[:n])) for n in range(3, 101)]
        missed += any(not low <= 0 <= high for low, high in ends)
    assert missed > 6  # 2 would be right


@given(st.lists(st.tuples(st.floats(-0.3, 0.3), st.floats(0, 0.2)), min_size=1, max_size=40), st.floats(-0.3, 0.3))
def test_the_interval_is_what_no_bet_refutes(drawn: list[tuple[float, float]], truth: float) -> None:
    logs, errors = map(list, zip(*drawn, strict=True))
    found, away = anytime_interval(logs, errors), np.subtract(logs, truth)
    above, below = (log_stakes(side * away, errors)[-1] for side in (1, -1))
    low, high = (math.log(end) if end > 0 else -math.inf for end in (found.low, found.high))
    if min(abs(truth - low), abs(truth - high)) > 1e-6 and abs(max(above, below) - math.log(40)) > 1e-9:
        assert (above >= math.log(40)) == (truth < low)
        assert (below >= math.log(40)) == (truth > high)


def test_six_pairs_that_agree_are_enough_and_one_bad_one_changes_little() -> None:
    agreed = [0.10, 0.12, 0.09, 0.11, 0.13, 0.10]
    assert anytime_interval(agreed[:5]).low == 0
    found = anytime_interval(agreed)
    # Nearly up to the pair that is closest: on what lies within its knee, no whole bet is made.
    assert math.exp(0.08) < found.low <= math.exp(0.09)
    assert math.exp(0.13) <= found.high < math.exp(0.14)
    slow = [0.10, 0.12, 0.09, 0.11, 0.13, 0.08, 0.14, 0.10, 0.11, 0.12, 0.09, 0.13, 0.10, 0.11]
    for bad in (-0.05, -0.5, -5.0):
        assert anytime_interval([*slow[:5], bad, *slow[5:]]).low > 1.05
    # However much its blocks disagree, a pair counts in full that is farther away than that.
    assert anytime_interval([3.3] * 6, [0.3] * 6).low > 1.05
    # A pair whose own blocks disagree counts for less, and takes little away.
    opposed = [*slow[:5], -0.5, -0.5, *slow[5:]]
    believed = anytime_interval(opposed, [0.01] * len(opposed))
    doubted = anytime_interval(opposed, [0.01] * 5 + [0.5] * 2 + [0.01] * 9)
    assert believed.low < doubted.low


@given(st.lists(st.floats(-0.3, 0.3), min_size=3, max_size=40), st.floats(-1, 1))
def test_an_interval_follows_its_ratios(logs: list[float], shift: float) -> None:
    here, there = anytime_interval(logs), anytime_interval([log + shift for log in logs])
    assert here.low <= here.ratio <= here.high
    assert math.isclose(there.ratio, here.ratio * math.exp(shift), rel_tol=1e-9)
    # The other way round it says the same.
    back = anytime_interval([-log for log in logs])
    if here.low > 0:
        assert math.isclose(back.high, 1 / here.low, rel_tol=1e-6)
    if math.isfinite(here.high):
        assert math.isclose(back.low, 1 / here.high, rel_tol=1e-6)
    assert here.precision >= 0


@given(st.lists(st.floats(-0.3, 0.3), min_size=2, max_size=40))
def test_the_error_of_a_pair_is_the_same_whichever_side_is_new(logs: list[float]) -> None:
    """What a pair's bet and number of blocks depend on must not tell which side is slower."""
    assert pairs.median_error(logs) == pytest.approx(pairs.median_error([-log for log in logs]), abs=1e-15)


def test_the_error_of_a_median_is_that_of_medians() -> None:
    random = np.random.default_rng(1)
    drawn = 0.05 * random.standard_normal((4000, 24))
    assert np.mean([pairs.median_error(row) for row in drawn]) == pytest.approx(np.median(drawn, 1).std(), rel=0.1)


def test_what_an_interval_decides() -> None:
    assert decide(Interval(1.2, 1.06, 1.3), 0.05) == "regression"
    assert decide(Interval(1.2, 1.04, 1.3), 0.05) == "undecided"
    assert decide(Interval(1.0, 0.98, 1.04), 0.05) == "clear"
    assert decide(Interval(0.9, 0.8, 0.99), 0.05) == "faster"
    assert decide(anytime_interval([0.1] * 5), 0.05) == "undecided"  # too few, whatever they say


def simulated(slower: float, spread: float, noise: random.Random) -> Comparison:
    def draw() -> Pair:
        log = math.log1p(slower) + noise.gauss(0, spread)
        return Pair(10.0, 10.0 * math.exp(log), log, 0.005, 1.0)

    began = time.monotonic()
    # The clock of a comparison stands still here: as many pairs as it takes.
    found = compare(draw, 0.05, 3600, lambda _count, _interval: None)
    assert time.monotonic() - began < 3600
    return found


@pytest.mark.parametrize("spread", [0.03, 0.1])
def test_processes_that_differ_do_not_deceive_it(spread: float) -> None:
    """Between processes that differ by 3 or 10 %: no false alarm, and no slow-down of 20 % that is let pass."""
    noise = random.Random(1)
    same = [simulated(0.0, spread, noise) for _ in range(10)]
    assert not [found for found in same if found.verdict == "regression"]
    slower = [simulated(0.2, spread, noise) for _ in range(10)]
    assert sum(found.verdict == "regression" for found in slower) >= 9
    for found in slower:
        assert len(found.samples["log_ratio"]) == (1 if found.verdict != "regression" and not found.unconfirmed else 2)
        assert found.processes == sum(map(len, found.samples["log_ratio"]))


def test_a_regression_that_a_fresh_set_does_not_show_is_none() -> None:
    noise = random.Random(2)
    drawn: list[Pair] = []

    def draw() -> Pair:  # a slow spell that hits one side only, and ends
        log = (0.3 if len(drawn) < 6 else 0.0) + noise.gauss(0, 0.01)
        drawn.append(Pair(10.0, 10.0, log, 0.005, 1.0))
        return drawn[-1]

    found = compare(draw, 0.05, 3600, lambda _count, _interval: None)
    assert found.verdict in ("clear", "faster")
    assert found.unconfirmed
    assert len(found.samples["log_ratio"]) == 2


# The command


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Somebody's own repository with a network that got ten times as deep; temporary files go to a folder beside it."""
    root = tmp_path / "own"
    (root / "models").mkdir(parents=True)
    (tmp_path / "tmp").mkdir()
    monkeypatch.setenv("TMPDIR", str(tmp_path / "tmp"))
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GITHUB_STEP_SUMMARY"):
        monkeypatch.delenv(name, raising=False)
    git(root, "init", "--quiet", "--initial-branch", "main")
    for layers in (4, 40):
        (root / "models" / "net.py").write_text(NETWORK.format(layers=layers))
        (root / ".gitignore").write_text("__pycache__\n")
        git(root, "add", ".")
        git(root, "commit", "--quiet", "-m", f"{layers} layers")
    git(root, "tag", "deep")
    monkeypatch.chdir(root)
    yield root
    assert_nothing_is_left(root)


def git(root: Path, *arguments: str) -> str:
    person = ["-c", "user.name=a", "-c", "user.email=a@b.c", "-c", "commit.gpgsign=false"]
    return subprocess.run(
        ["git", "-C", str(root), *person, *arguments], check=True, capture_output=True, text=True
    ).stdout


def assert_nothing_is_left(root: Path) -> None:
    """No worktree, no temporary file, no process; those that end of themselves get a moment."""
    temporary = root.parent / "tmp"

    def left() -> list[object]:
        folders = [*temporary.glob("bench-regress-*"), *(root / ".git").glob("worktrees/*")]
        return [*folders, *(one for one in psutil.process_iter() if is_worker_of(one, temporary))]

    until = time.monotonic() + 20
    while left() and time.monotonic() < until:
        time.sleep(0.1)
    assert not left()
    assert len(git(root, "worktree", "list").splitlines()) == 1


def is_worker_of(process: psutil.Process, temporary: Path) -> bool:
    try:
        return "worker.py" in " ".join(process.cmdline()) and process.environ().get("TMPDIR", "").startswith(
            str(temporary)
        )
    except psutil.Error:
        return False


SETTINGS = ("--models", "models/net.py:tiny", "--input", "64x64")
QUICK = ("--backend", "onnxruntime")  # its processes start without PyTorch


def regress(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.regress", *arguments], capture_output=True, text=True, timeout=500, **options
    )


def test_a_network_that_became_slower_is_told_of_everywhere(repository: Path, tmp_path: Path) -> None:
    """Ten times as many layers, in somebody's own repository; from a folder of it, beside a file that changed.

    By the action for other repositories, as it runs once everything is installed, with its own defaults.
    """
    folder = ROOT / ".github" / "actions" / "latency"
    action = yaml.safe_load((folder / "action.yml").read_text())
    given = {"base": "deep~1", "models": "net.py:tiny", "input": "64x64", "backend": "onnxruntime"}
    inputs = {name: given.get(name, told.get("default")) for name, told in action["inputs"].items()}
    variables = {
        "PYTHON": sys.executable, "FOLDER": str(tmp_path / "out"), "GITHUB_OUTPUT": str(tmp_path / "outputs"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "summary.md"),
    }  # fmt: skip
    for name, value in action["runs"]["steps"][-1]["env"].items():
        if name not in variables:
            variables[name] = inputs[re.fullmatch(r"\$\{\{ inputs\.(\w+) }}", value)[1]]  # type: ignore[index]
    (tmp_path / "summary.md").write_text("before\n")
    (repository / "models" / "new.txt").write_text("not committed")
    done = subprocess.run(
        [folder / "check.sh"], env=os.environ | variables, cwd=repository / "models", capture_output=True, text=True,
        timeout=500,
    )  # fmt: skip
    assert done.returncode == 1, done.stderr
    (record,) = read(tmp_path / "out" / "results")
    assert record.protocol["verdict"] == "regression"
    assert record.protocol["base_commit"] == git(repository, "rev-parse", "deep~1").strip()
    assert record.protocol["changed_files"] == 1
    assert "1 changed files: compared as it is" in done.stderr
    assert record.metrics["ratio_low"] > 1.05
    assert record.metrics["head_ms"] > 1.05 * record.metrics["base_ms"]
    first, second = record.samples["log_ratio"]
    assert len(first) >= 6 <= len(second)
    said = anytime_interval(second, record.samples["log_ratio_error"][1])
    assert set(record.notes["prepare_s"]) == {"deep~1", "the working tree"}
    assert "net.py:tiny: prepared for onnxruntime: deep~1 " in done.stderr
    assert (said.low, said.high) == (record.metrics["ratio_low"], record.metrics["ratio_high"])
    assert "SLOWER" in done.stdout
    outputs = dict(line.split("=") for line in (tmp_path / "outputs").read_text().splitlines())
    assert set(outputs) == set(action["outputs"])
    markdown = Path(outputs["markdown"]).read_text()
    assert "**Slower by more than 5 %: `net:tiny`.**" in markdown
    assert (tmp_path / "summary.md").read_text() == "before\n" + markdown
    (entry,) = json.loads(Path(outputs["benchmark-json"]).read_text())
    assert entry["value"] == pytest.approx(record.metrics["head_ms"], abs=1e-4)
    assert entry["unit"] == "ms"
    assert git(repository, "status", "--porcelain").strip() == "?? models/new.txt"
    workflow = yaml.safe_load((ROOT / ".github" / "workflows" / "latency.yml").read_text())
    (job,) = workflow["jobs"].values()
    assert set(job["steps"][-1]["with"]) <= set(action["inputs"])


@pytest.mark.parametrize("place", ["a folder", "a pipe", "nowhere/summary.md"])
def test_a_summary_that_cannot_be_written_changes_no_verdict(
    place: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """GitHub names the file of the summary; what was asked for is written all the same."""
    (tmp_path / "a folder").mkdir()
    os.mkfifo(tmp_path / "a pipe")
    monkeypatch.setenv("GITHUB_STEP_SUMMARY", str(tmp_path / place))
    told = {"name": "against a revision", "base": "y", "head_commit": "z"}
    slower = comparison_record(PLAN, simulated(0.5, 0.01, random.Random(0)), 0.05, told)
    asked = argparse.Namespace(
        json=True, markdown=tmp_path / "told.md", benchmark_json=tmp_path / "told.json", strict=False
    )
    assert conclude([slower], asked) == 1
    assert "SLOWER" in asked.markdown.read_text()
    assert json.loads(asked.benchmark_json.read_text())[0]["value"] > 0
    assert "warning: GITHUB_STEP_SUMMARY: nothing is added" in " ".join(capsys.readouterr().err.split())


def test_the_same_code_is_not_called_slower(repository: Path, tmp_path: Path) -> None:
    """Nor do its processes take the working tree for the base: that one is ten times as deep."""
    (repository / "models" / "net.py").write_text(NETWORK.format(layers=4))
    done = regress("--base", "deep~1", *SETTINGS, *QUICK, "--budget", "30", "--json", "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    (record,) = read(tmp_path / "r")
    assert json.loads(done.stdout) == json.loads(record.to_json())
    assert record.protocol["verdict"] in ("clear", "faster", "undecided")
    assert 0.5 < record.metrics["ratio"] < 2
    if record.protocol["verdict"] == "undecided":
        assert "undecided" in done.stderr


HRNET = RegressPlan("small_hrnet_w16", 17, (64, 64), 1, "cpu", "onnxruntime", 1)


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Side:
    """This tree, a network prepared, so that the processes that time it only open a file."""
    return sides.prepared(Side("here", ROOT, ROOT), HRNET, tmp_path_factory.mktemp("here"))


def test_a_slow_down_planted_in_a_worker_is_one(here: Side) -> None:
    """Twice the time by waiting: what the self-test plants takes that time, however long a round is."""
    found = pairs.time_pair(here, replace(here, name="slower", slower=1.0), HRNET, random.Random(0))
    assert math.exp(found.log_ratio) == pytest.approx(2, rel=0.4)  # other tests run beside it


STUCK = """
import subprocess, sys, time
from bench.core.workers import conversation

lines, say = conversation()
lines.get()
say({"round_ms": 1.0, "started": subprocess.Popen(["sleep", "300"]).pid})
time.sleep(300)
"""


def test_a_side_that_hangs_is_ended_with_all_that_it_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "worker.py").write_text(STUCK)
    monkeypatch.setattr(sides, "WORKER", tmp_path / "worker.py")
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    with SideProcess(Side("here", tmp_path, tmp_path), RegressPlan("net", 17, (64, 64), 1, "cpu", "eager", 1)) as side:
        started = psutil.Process(side.first_answer()["started"])
        side.limit_s = 0.2  # of --timeout
        with pytest.raises(
            InputError, match=r"^net in here took more than 0\.2 s: it hangs, or needs a longer --timeout"
        ):
            side.time(3)
    started.wait(10)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lets a process choose")
def test_with_one_thread_both_sides_are_kept_to_one_processor(here: Side, monkeypatch: pytest.MonkeyPatch) -> None:
    allowed: list[set[int]] = []
    timed = SideProcess.time

    def look(worker: SideProcess, rounds: int) -> list[float]:
        allowed.append(os.sched_getaffinity(worker.process.pid))
        return timed(worker, min(rounds, 2))

    monkeypatch.setattr(SideProcess, "time", look)
    pairs.time_pair(here, here, HRNET, random.Random(0))
    assert 2 * pairs.BLOCKS <= len(allowed) <= 6 * pairs.BLOCKS  # a noisy pair gets more
    assert all(len(one) == 1 and one == allowed[0] for one in allowed)
    allowed.clear()
    pairs.time_pair(here, here, replace(HRNET, threads=2), random.Random(0))
    assert all(one == os.sched_getaffinity(0) for one in allowed)


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL, signal.SIGTERM])
def test_whatever_ends_it_nothing_stays_behind(repository: Path, tmp_path: Path, blow: signal.Signals) -> None:
    process = subprocess.Popen(
        [sys.executable, "-m", "bench.regress", "--base", "HEAD", *SETTINGS, "--results", str(tmp_path / "r")],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    until = time.monotonic() + 120
    while not any(
        is_worker_of(child, tmp_path / "tmp") for child in psutil.Process(process.pid).children(recursive=True)
    ):
        assert time.monotonic() < until, "no worker was started"
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    os.kill(process.pid, blow)
    _, stderr = process.communicate(timeout=60)
    assert "Traceback" not in stderr
    if blow is signal.SIGINT:
        assert process.returncode == 130
    assert not (tmp_path / "r" / "regress.jsonl").exists()
    # The fixture looks for what is left.


BAD = {
    "does not import": ("import nothing_of_this_name\n", "No module named 'nothing_of_this_name'"),
    "is no Python": ("def tiny(:\n", "cannot be imported: SyntaxError"),
    "lacks the network": ("def other(): pass\n", "has no function 'tiny'"),
    "has another interface": ("def tiny():\n    return 3\n", "returned int: it must return a torch.nn.Module"),
    "dies": ("import os\ndef tiny():\n    os.abort()\n", "its process died of SIGABRT (signal 6)"),
    "gives no numbers": (
        NETWORK.format(layers=4) + "\n\nwhole = tiny\n\n\ndef tiny():\n    found = whole()\n"
        "    nn.init.constant_(found[-1].bias, float('nan'))\n    return found\n",
        ": output 0 of the network holds 4352 values of 4352 that are not finite (NaN or infinity)",
    ),
    "hangs": (
        "import time\ndef tiny():\n    time.sleep(1000)\n",
        "took more than 20 s: it hangs, or needs a longer --timeout",
    ),
}


@pytest.mark.parametrize("what", BAD)
def test_a_base_that_cannot_be_timed_is_named(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    monkeypatch.setattr(processes, "_limit_s", 20)  # --timeout
    source, message = BAD[what]
    (repository / "models" / "net.py").write_text(source)
    git(repository, "commit", "--quiet", "--all", "-m", "bad")
    git(repository, "tag", "bad")
    (repository / "models" / "net.py").write_text(NETWORK.format(layers=4))
    with pytest.raises(InputError, match=re.escape(message)) as error:
        main(["--base", "bad", *SETTINGS, "--quiet", "--results", str(tmp_path / "r")])
    assert re.search(r" in bad(: | took )", str(error.value))
    assert "\n" not in str(error.value)
    assert not read(tmp_path / "r")


def test_bad_usage_is_one_line(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(message: str, *arguments: str) -> None:
        with pytest.raises(InputError, match=re.escape(message)):
            main([*arguments, "--quiet", "--results", str(tmp_path / "r")])

    fails("there is no revision 'v9'", "--base", "v9", *SETTINGS)
    fails("there is no revision '--all'", "--base=--all", *SETTINGS)
    fails("--update stores a baseline", "--base", "HEAD", "--update", *SETTINGS)
    (tmp_path / "file").write_text("")
    for nowhere in (tmp_path / "file" / "baseline.jsonl", tmp_path):  # found out before any network is timed
        fails("argument --baseline: ", "--baseline", str(nowhere), "--update", *SETTINGS)
    fails("--budget is for pairs", "--baseline", str(tmp_path / "none.jsonl"), "--budget", "60", *SETTINGS)
    summary = ("--markdown", str(tmp_path / "summary"))
    fails("--update compares nothing", "--baseline", str(tmp_path / "b.jsonl"), "--update", *summary, *SETTINGS)
    fails("--self-test is of the check", "--self-test", "1", "--benchmark-json", str(tmp_path / "x.json"), *SETTINGS)
    fails("--strict is of a comparison, and --update", "--baseline", str(tmp_path / "b"), "--update", "--strict")
    fails("--strict is of a comparison, and --self-test", "--self-test", "1", "--strict", *SETTINGS)
    fails("--threshold is of a comparison", "--baseline", str(tmp_path / "b"), "--update", "--threshold", "5%")
    fails("give two files", "--base", "HEAD", *summary, "--benchmark-json", str(tmp_path / "summary"), *SETTINGS)
    fails("give one size at a time", "--base", "HEAD", "--input", "64x64,96x64")
    fails(
        "--skeleton has no effect here: joints are looked for with --people", "--base", "HEAD", "--skeleton", "j.json"
    )
    fails("make it with --baseline 'my latencies.jsonl' --update", "--baseline", "my latencies.jsonl", *SETTINGS)
    fails("unknown backend", "--base", "HEAD", "--backend", "magic")
    fails("1000 threads are more than", "--base", "HEAD", "--threads", "1000")
    fails("takes one network at a time", "--self-test", "1", "--models", "all")
    fails("what can be told is 0%, 10%, 20%", "--self-test", "1", "--planted", "0%,5%", *SETTINGS)
    fails("give --self-test N with it", "--base", "HEAD", "--planted", "0%", *SETTINGS)
    fails("'-3%' is no share", "--self-test", "1", "--planted=-3%", *SETTINGS)
    fails("there is no baseline", "--baseline", str(tmp_path / "none.jsonl"), *SETTINGS)
    (tmp_path / "broken.jsonl").write_text('{"schema": 1,\n')
    fails("broken.jsonl, line 1 is not a record", "--baseline", str(tmp_path / "broken.jsonl"), *SETTINGS)
    for arguments in (("--base", "HEAD", "--baseline", "x"), (), ("--base", "HEAD", "--threshold", "120%")):
        with pytest.raises(InputError):
            main([*arguments])
    with monkeypatch.context() as of_another_user:
        of_another_user.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
        fails("belongs to another user", "--base", "HEAD", "--models", "small_hrnet_w16")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    fails("is no git repository", "--base", "HEAD", "--models", "small_hrnet_w16")
    with monkeypatch.context() as without_git:
        without_git.setenv("PATH", str(tmp_path))
        fails("git is not installed", "--base", "HEAD", "--models", "small_hrnet_w16")


def test_a_summary_says_of_each_network_what_sets_it_apart() -> None:
    """A model file has a runtime and an input of its own; and frames of people are no batch."""
    told = {"name": "against a revision", "base": "main"}

    def made(**changed: Any) -> Record:
        return comparison_record(replace(PLAN, **changed), simulated(0.0, 0.03, random.Random(0)), 0.05, told)

    alike = [made(), made(model="other")]
    assert output.title(alike) == "this code against main: eager, cpu, 1 thread, 64x32, batch 1"
    assert "| `other` |" in output.markdown(alike)
    mixed = [made(), made(model="net.onnx", backend="onnxruntime", input=(96, 64))]
    assert output.title(mixed) == "this code against main: batch 1"
    assert "| `net.onnx, onnxruntime, cpu, 1 thread, 96x64` |" in output.markdown(mixed)
    people = [made(people=2, batch=2)]
    assert output.title(people).endswith("64x32, frames of 2 people")
    assert json.loads(output.github_benchmark(people))[0]["name"] == "tiny, eager, cpu, 64x32, 2 people"
    checks = data_of(report.make([*alike, *people])["index.html"].decode())["checks"]
    assert len({check["model"] for check in checks}) == 3


# Stored latencies


def test_a_baseline_of_this_machine_is_compared_with_and_no_other(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(baseline, "PROCESSES", 3)
    stored = tmp_path / "b.jsonl"
    common = ["--baseline", str(stored), *SETTINGS, *QUICK, "--quiet", "--results", str(tmp_path / "r")]
    assert main([*common, "--update"]) == 0
    (record,) = read(stored)
    assert len(record.samples["latency_ms_median"][0]) == 3
    (repository / "models" / "net.py").write_text(NETWORK.format(layers=300))
    assert main([*common, "--threshold", "20%"]) == 1
    assert "SLOWER" in capsys.readouterr().out
    (found,) = read(tmp_path / "r")
    assert found.protocol["name"] == "against a baseline"
    assert [len(one) for one in found.samples["latency_ms_median"]] == [3, 3]  # a regression is confirmed

    for latencies in ([], [[]], [[1.0]], [[0.0, 1.0]], [[-1.0, 2.0]], [[1.0, 2.0]] * 2, None):
        samples = {} if latencies is None else {"latency_ms_median": latencies}
        stored.write_text(json.dumps(json.loads(record.to_json()) | {"samples": samples}) + "\n")
        with pytest.raises(InputError, match=r"samples.latency_ms_median of .* must be one list of two latencies"):
            main(common)

    for part, name, value in (("machine", "cpu", "another one"), ("software", "torch", "1.0")):
        changed = json.loads(record.to_json())
        changed[part][name] = value
        stored.write_text(json.dumps(changed) + "\n")
        with pytest.raises(InputError, match=f"{name} {value} there, "):
            main(common)
    other = json.loads(record.to_json()) | {"threads": 2}
    stored.write_text(json.dumps(other) + "\n")
    with pytest.raises(
        InputError, match=r"has no models/net\.py:tiny with onnxruntime, 64x64, 17 joints, batch 1, 1 threads"
    ):
        main(common)


# The check's own error rates


def test_a_self_test_goes_on_where_it_stopped(tmp_path: Path) -> None:
    made: list[Condition] = []

    def fake(condition: Condition) -> Comparison:
        if len(made) == 10:
            made.append(condition)
            raise KeyboardInterrupt
        made.append(condition)
        verdict = "regression" if condition.planted >= 0.1 else "clear"
        ratio = 1 + condition.planted
        return Comparison(
            verdict,
            Interval(ratio, 0.9, 1.1),
            10,
            10,
            {"log_ratio": [[math.log(ratio)] * 3], "log_ratio_error": [[0.01] * 3]},
            3,
            5.0,
        )

    settled = {"threshold": 0.05, "budget_s": 10.0}
    test = SelfTest(PLAN, settled, self_test.conditions(0.05), tmp_path)
    with pytest.raises(KeyboardInterrupt):
        test.run(4, fake, lambda _word: None)
    done = test.run(4, fake, lambda _word: None)
    assert all(len(outcomes) == 4 for outcomes in done.values())
    assert len(made) == 4 * 7 + 1  # nothing is planted that is let pass; the one that was interrupted was made twice
    # Of another threshold nothing is taken over.
    SelfTest(PLAN, settled | {"threshold": 0.1}, self_test.conditions(0.1), tmp_path).run(1, fake, lambda _word: None)
    assert len(made) == 4 * 7 + 1 + 4
    # Chosen conditions are a self-test of their own, whose end keeps what there is of the other.
    chosen = SelfTest(PLAN, settled, self_test.conditions(0.05, [0.0]), tmp_path)
    assert list(chosen.run(1, fake, lambda _word: None)) == [Condition(0.0, neighbours) for neighbours in (0, 1, 2)]
    assert len(made) == 4 * 7 + 1 + 4 + 3
    chosen.forget()
    test.run(4, fake, lambda _word: None)
    assert len(made) == 4 * 7 + 1 + 4 + 3
    assert not any(self_test.is_wrong(condition, outcomes) for condition, outcomes in done.items())


def test_rates_have_exact_intervals() -> None:
    outcomes = [Outcome("clear", 1.0, 3, 4.0, [[0.0, 0.1, -0.1]], [[0.01] * 3])] * 100
    rates = self_test.rates(outcomes)
    assert rates["regression"] == 0
    # Clopper-Pearson for 0 of n: 1 - (0.05 / 2) ^ (1 / n).
    assert rates["regression_rate_high"] == pytest.approx(1 - 0.025 ** (1 / 100))
    assert rates["clear_rate_low"] == pytest.approx(0.025 ** (1 / 100))
    assert self_test.is_wrong(Condition(0.0), [Outcome("regression", 1.2, 6, 9.0, [[0.2]], [[0.01]])])
    assert self_test.is_wrong(Condition(0.2), outcomes)
    assert not self_test.is_wrong(Condition(0.05), outcomes)


def test_error_rates_are_reported_from_their_records() -> None:
    """Counts, exact intervals and times, a figure of its own, and no trace of it in reports without a self-test."""
    settled = {"threshold": 0.05, "budget_s": 150.0}
    made = {
        (0.0, 0): "c" * 15 + "fffuu", (0.0, 1): "c" * 20, (0.1, 0): "r" * 19 + "u", (0.2, 0): "r" * 20,
    }  # fmt: skip
    records = []
    for (planted, busy), verdicts in made.items():
        words = {"c": "clear", "f": "faster", "u": "undecided", "r": "regression"}
        outcomes = [
            Outcome(
                words[verdict],
                1 + planted,
                5,
                10.0 + number,
                [[math.log1p(planted), math.log1p(planted) + 0.02]],
                [[0.01, 0.01]],
            )
            for number, verdict in enumerate(verdicts)
        ]
        records.append(self_test_record(PLAN, Condition(planted, busy), outcomes, settled))
    files = report.make(records)
    text = files["regress.md"].decode()
    assert "slow-down that is let pass: 5 %, budget of a set 150 s" in text
    row = next(line for line in text.splitlines() if line.startswith("| 10% slower"))
    low, high = stats.binomtest(19, 20).proportion_ci(0.95, "exact")
    assert f"**19** ({100 * low:.1f} to {100 * high:.1f} %)" in row
    same = next(line for line in text.splitlines() if line.startswith("| The same code |")).split("|")
    low, high = stats.binomtest(18, 20).proportion_ci(0.95, "exact")
    assert same[4:6] == [f" **18** ({100 * low:.1f} to {100 * high:.1f} %) ", " **3** "]
    assert "| **20** |" in row
    assert "**1.0**" in row  # the pairs of every set differ by 2 %: a standard deviation of 1.0 % over all of them
    figures = [name for name in files if name.startswith("regress_")]
    assert sorted(Path(name).suffix for name in figures) == [".png", ".svg"]
    page = data_of(files["index.html"].decode())
    assert "regress" in [section["key"] for section in page["sections"]]
    assert [plot["kind"] for plot in page["plots"] if plot["section"] == "regress"] == ["lines", "steps"]
    rates = pd.read_csv(io.BytesIO(files["regress.csv"])).set_index("condition")
    assert rates.loc["10% slower", "regression"] == 19
    one = comparison_record(PLAN, simulated(0.0, 0.03, random.Random(0)), 0.05, {"name": "x", "base": "y"})
    assert "regress.md" not in report.make([one])
    # With another threshold it is another test, and replaces nothing.
    strict = [Outcome("clear", 1.0, 9, 30.0, [[0.0, 0.01]], [[0.01] * 2])]
    records.append(self_test_record(PLAN, Condition(0.0), strict, settled | {"threshold": 0.025}))
    files = report.make(records)
    assert all(f"let pass: {limit} %, budget" in files["regress.md"].decode() for limit in ("2.5", "5"))
    figures = [name for name in files if name.startswith("regress_")]
    assert sorted(name.rpartition("_")[2] for name in figures if name.endswith(".png")) == [
        "2.5percent.png", "5percent.png",
    ]  # fmt: skip


def test_the_self_test_measures_itself(repository: Path, tmp_path: Path) -> None:
    settled = (*SETTINGS, *QUICK, "--threshold", "2.5%", "--budget", "1")
    done = regress("--self-test", "1", *settled, "--results", str(tmp_path / "r"))
    assert done.returncode == 0, done.stderr
    records = read(tmp_path / "r")
    assert {(r.options["slower_by"], r.options["busy_neighbours"]) for r in records} == {
        (condition.planted, condition.neighbours) for condition in CONDITIONS
    }
    for record in records:
        assert record.metrics["comparisons"] == 1
        assert len(record.notes["verdicts"]) == 1  # type: ignore[arg-type]
    assert "20% slower" in done.stdout
    assert not (tmp_path / "r" / "regress.partial").exists()


# What CI relies on, with the machine for itself


@pytest.mark.alone
@pytest.mark.timeout(900)
@pytest.mark.parametrize("slower", [0.0, 0.2])
def test_the_gate(slower: float, here: Side) -> None:
    """The same code passes, and a fifth more time is caught; a machine that lets nobody tell must not block work."""
    slow = replace(here, slower=slower)
    order = random.Random(0)
    found = compare(lambda: pairs.time_pair(here, slow, HRNET, order), 0.05, 150, lambda _count, _interval: None)
    right = ("regression",) if slower else ("clear", "faster")
    if found.verdict == "undecided":
        assert found.interval.precision > 0.05, found  # else it should have known
        pytest.skip(f"too much else goes on here: the ratio is known to ± {found.interval.precision:.0%} only")
    assert found.verdict in right, found
