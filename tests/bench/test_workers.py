"""Processes that measure in turns: they get ready together, measure alone, and one that fails fails alone."""

import itertools
import os
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bench.core import processes, workers
from bench.core.errors import InputError

Start = Callable[[str], workers.Worker]

WORKER = """
import os, subprocess, sys, time
from bench.core.workers import serve

def work(job, ready):
    if job["does"] == "refuse":
        return {"input_error": "not this one"}
    if job["does"] == "die":
        sys.exit("dead")
    if job["does"].startswith("signal"):
        os.kill(os.getpid(), int(job["does"].split()[1]))
    if job["does"] == "throw":
        os.write(2, b"terminate called after throwing an instance of such\\n  what():  std::bad_alloc\\nAborted\\n")
        os.abort()
    if job["does"] == "leave":
        sys.exit(0)
    if job["does"] == "leave at once":
        os._exit(0)
    if job["does"] == "ask":
        return {"read": sys.stdin.readline(), "input": list(sys.stdin)}
    started = subprocess.Popen(["sleep", "300"]).pid
    at = time.monotonic()
    ready()
    print("what others print is no answer")
    start = time.monotonic()
    time.sleep(0.3)
    return {"ready": at, "from": start, "to": time.monotonic(), "started": started, "word": os.environ["WORD"]}

sys.exit(serve(work))
"""


@pytest.fixture
def start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Start:
    (tmp_path / "made_up_worker.py").write_text(WORKER)
    monkeypatch.setenv("PYTHONPATH", os.pathsep.join((str(tmp_path), os.environ.get("PYTHONPATH", ""))))
    return lambda job: workers.Worker("made_up_worker", {"does": job}, job, {"WORD": "told"})


@pytest.mark.parametrize("ahead", [1, 4])
def test_they_get_ready_together_and_measure_alone(start: Start, ahead: int) -> None:
    jobs = ["measure", "refuse", "measure", "die", "measure"]
    found = list(workers.run_each(jobs, start, ahead))
    assert [job for job, _ in found] == jobs
    failed = {job: str(answer) for job, answer in found if isinstance(answer, InputError)}
    assert failed.keys() == {"refuse", "die"}
    assert failed["refuse"] == "refuse: not this one"
    assert failed["die"] == "die: its process died with status 1: dead"
    answers = [answer for _, answer in found if not isinstance(answer, InputError)]
    assert [answer["word"] for answer in answers] == ["told"] * 3
    together = answers[:2] if ahead == 4 else answers[:1]
    assert max(answer["ready"] for answer in together) < min(answer["from"] for answer in together)
    assert all(before["to"] < after["from"] for before, after in itertools.pairwise(answers))
    if ahead == 1:
        assert answers[0]["to"] < answers[1]["ready"]
    for answer in answers:
        assert not running(answer["started"])


def running(process: int) -> bool:
    """Whether it is still there, some time being given to it for ending."""
    for _ in range(50):
        state = subprocess.run(["ps", "-o", "stat=", "-p", str(process)], capture_output=True, text=True)
        if not state.stdout.strip() or state.stdout.startswith("Z"):
            return False
        time.sleep(0.1)
    return True


def test_one_that_hangs_is_ended(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes, "_limit_s", 0.2)
    ((_, answer),) = workers.run_each(["measure"], start)
    assert str(answer) == "measure took more than 0.2 s: it hangs, or needs a longer --timeout"


@pytest.mark.parametrize("job", ["leave", "leave at once"])
def test_one_that_ends_its_process_has_not_succeeded(start: Start, job: str) -> None:
    ((_, answer),) = workers.run_each([job], start)
    assert isinstance(answer, InputError)
    assert str(answer) == f"{job} ended its process with sys.exit(0) or the like: it must return"


def test_one_that_reads_standard_input_finds_it_empty(start: Start) -> None:
    ((_, answer),) = workers.run_each(["ask"], start)
    assert answer == {"read": "", "input": []}


def test_the_signal_that_ended_one_is_named(start: Start) -> None:
    """That of the system where memory runs out is one that nothing can catch, and it leaves no word."""
    jobs = ["signal 9", "signal 11", "throw"]
    killed, broken, thrown = (str(answer) for _, answer in workers.run_each(jobs, start, ahead=3))
    assert killed.startswith("signal 9: its process was killed (signal 9), most likely for want of memory")
    assert broken == "signal 11: its process died of SIGSEGV (signal 11)"
    assert thrown == "throw: its process died: out of memory: give fewer or smaller things at a time"
