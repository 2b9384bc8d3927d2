"""Many networks, set by set, each set in a fresh process; what is measured survives an interruption.

Every finished set is appended to ``speed.partial`` in the results folder at once. The same command,
given again on the same machine with the same software, continues from there. When a
network has all its sets, its record is written and its lines go.

Several processes may get ready at a time; one is timed at a time (``bench.core.workers``).
"""

import functools
import hashlib
import json
import random
from collections.abc import Callable
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from filelock import FileLock

from bench.core import machine, workers
from bench.core.errors import InputError
from bench.core.results import append_line
from bench.models import is_factory
from bench.speed.loop import ParityError, SetResult


@dataclass(frozen=True)
class Job:
    """One network and how to time it; equal jobs on equal machines may share their sets."""

    model: str
    num_joints: int
    input: tuple[int, int]
    image: str | None
    batch: int
    device: str
    backend: str
    precision: str
    threads: int
    rounds: int
    warmup: int
    sets: int
    seed: int
    budget_s: float = 0.0  # a set: rounds go on until they agree or the time is up; 0 for a fixed number of rounds


@dataclass
class Progress:
    """Sets done so far for one job."""

    started_at: str
    sets: list[SetResult] = field(default_factory=list)
    prepared: SetResult | None = None  # of the process that exported or compiled


def run(
    jobs: list[Job],
    folder: Path,
    *,
    ahead: int = 1,
    now: Callable[[], str],
    finished: Callable[[Job, Progress], None],
    failed: Callable[[Job, Exception], None],
    step: Callable[[str], None],
) -> None:
    """Run all sets of all jobs that are not done yet, interleaved set by set in shuffled order.

    Args:
        jobs: what to time.
        folder: where ``speed.partial`` lies.
        ahead: processes that get ready at a time.
        now: the time, for the start of a job.
        finished: called once a job has all its sets, before its partial lines go.
        failed: called with ``ParityError`` or ``InputError`` when a job cannot go on; the others do.
        step: called with what was done after every preparation and every set, sets found from before included.
    """
    partial = Partial(folder / "speed.partial")
    done = {job: partial.load(job) or Progress(now()) for job in jobs}
    for job in jobs:
        for _ in done[job].sets:
            step(f"{job.model} (from before)")
    alive = [job for job in jobs if not _complete(job, done[job], finished, partial)]
    unprepared = []
    for job in needing_preparation(alive):
        if done[job].prepared:
            step(f"{job.model}, {job.backend} prepared before")
        else:
            unprepared.append(job)
    # Exported and checked ahead, in a process of its own, so that all sets start from the same files.
    for job, answer in workers.in_turns(unprepared, _start_preparation, ahead):
        outcome = _result(job, answer)
        if isinstance(outcome, Exception):
            failed(job, outcome)
            alive.remove(job)
            continue
        done[job].prepared = outcome
        partial.add(job, done[job].started_at, outcome, "prepared")
        step(f"{job.model}, {job.backend} prepared")
    # A seed of its own makes the order the same for every run of the same jobs.
    order = random.Random(0)
    for index in range(max((job.sets for job in alive), default=0)):
        turn = [job for job in alive if len(done[job].sets) == index]
        order.shuffle(turn)
        for job, answer in workers.in_turns(turn, _start, ahead):
            outcome = _result(job, answer)
            if isinstance(outcome, Exception):
                failed(job, outcome)
                partial.drop(job)
                alive.remove(job)
                continue
            done[job].sets.append(outcome)
            partial.add(job, done[job].started_at, outcome)
            step(f"{job.model}, {job.backend}, set {index + 1}")
            _complete(job, done[job], finished, partial)


def needing_preparation(jobs: list[Job]) -> list[Job]:
    """The jobs whose backend leaves files that later processes take up: a step of its own each."""
    return [job for job in jobs if job.backend != "eager"]


def _complete(job: Job, progress: Progress, finished: Callable[[Job, Progress], None], partial: "Partial") -> bool:
    if len(progress.sets) < job.sets:
        return False
    finished(job, progress)
    partial.drop(job)
    return True


def _start(job: Job) -> workers.Worker:
    variables = workers.environment(job.threads)
    return workers.Worker("bench.speed.worker", asdict(job), f"{job.model}, {job.backend}", variables)


def _start_preparation(job: Job) -> workers.Worker:
    return _start(replace(job, rounds=1, warmup=1, budget_s=0.0))


def _result(job: Job, answer: workers.Answer | InputError) -> SetResult | Exception:
    if isinstance(answer, InputError):
        return answer
    if "parity_error" in answer:
        return ParityError(f"{job.model}, {job.backend}: {answer['parity_error']}")
    return SetResult(**answer["result"])


class Partial:
    """The file of finished sets whose network is not complete yet."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.lock = FileLock(path.parent / ".lock")

    def load(self, job: Job) -> Progress | None:
        """What an interrupted run left of this job, if anything."""
        lines = [line for line in self._read() if line["job"] == _fingerprint(job)]
        if not lines:
            return None
        sets = [SetResult(**line["result"]) for line in lines if "result" in line]
        prepared = [SetResult(**line["prepared"]) for line in lines if "prepared" in line]
        return Progress(lines[0]["started_at"], sets[: job.sets], prepared[0] if prepared else None)

    def add(self, job: Job, started_at: str, result: SetResult, what: str = "result") -> None:
        line = {"job": _fingerprint(job), "model": job.model, "started_at": started_at, what: asdict(result)}
        with self.lock:
            append_line(self.path, json.dumps(line) + "\n")

    def drop(self, job: Job) -> None:
        """Forget a job: it has its record, or cannot get one."""
        with self.lock:
            kept = [line for line in self._read() if line["job"] != _fingerprint(job)]
            if kept:
                temporary = self.path.with_suffix(".new")
                temporary.write_text("".join(json.dumps(line) + "\n" for line in kept))
                temporary.replace(self.path)
            else:
                self.path.unlink(missing_ok=True)

    def _read(self) -> list[dict[str, Any]]:
        """Whole lines only: these are working files, and a damaged line is a set to measure again."""
        if not self.path.exists():
            return []
        lines = []
        for line in self.path.read_text(errors="replace").splitlines():
            try:
                lines.append(json.loads(line))
            except json.JSONDecodeError:
                continue
        return lines


@functools.cache
def _fingerprint(job: Job) -> str:
    """Sets may be put together only if nothing differs: job, machine, software, the user's own sources."""
    digest = hashlib.sha256(json.dumps(asdict(job), sort_keys=True).encode())
    digest.update(machine.this_machine(job.device).model_dump_json().encode())
    digest.update(machine.this_software(job.backend).model_dump_json(exclude={"git_commit", "git_dirty"}).encode())
    for file in (job.image, job.model.rpartition(":")[0] if is_factory(job.model) else None):
        if file and Path(file).is_file():
            digest.update(Path(file).read_bytes())
    return digest.hexdigest()
