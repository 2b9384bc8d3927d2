"""Times many networks set by set, each set in a fresh process; finished sets survive an interruption.

First, a process of its own prepares each network: it builds the artifact and compares it with eager. The sets only open
the artifact, if it is a file. Every finished set is saved to ``speed.partial`` in the results folder at once. The same
command on the same machine with the same software continues from there. When a network has all its sets, its record is
written and its saved sets are removed.

Several processes may get ready at a time; one is timed at a time (``bench.core.workers``).
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from bench.backends import catalogue
from bench.core import workers
from bench.core.errors import InputError
from bench.core.unfinished import Unfinished, Work
from bench.speed.plan import SpeedPlan
from bench.speed.timed_set import SetResult
from bench.timing.parity import ParityError
from bench.timing.process_variables import converting_variables, process_variables

WORKER = "bench.speed.worker"


@dataclass
class Prepared:
    """What the preparing process of a network leaves for the sets."""

    result: SetResult
    images: str  # file of the input
    expected: str | None  # file of eager's outputs; None for eager itself
    artifact: dict[str, Any] | None  # None if every process builds the network itself
    rounding: float = 0.0  # by how much eager's outputs differ where the input differs by its last bits


@dataclass
class Part:
    """A part of the unfinished work: the preparation, or a set."""

    prepared: Prepared | None = None
    timed: SetResult | None = None


@dataclass
class PlanProgress:
    """The finished parts of one network."""

    plan: SpeedPlan
    work: Work[Part]
    timed: list[SetResult] = field(default_factory=list)
    prepared: Prepared | None = None

    @property
    def complete(self) -> bool:
        return len(self.timed) >= self.plan.sets


def run(
    plans: Sequence[SpeedPlan],
    folder: Path,
    *,
    ahead: int = 1,
    finished: Callable[[PlanProgress], None],
    failed: Callable[[SpeedPlan, Exception], None],
    step: Callable[[str], None],
    tell: Callable[[str], None] = lambda _note: None,
) -> None:
    """Run everything that is not finished: preparations, then sets, interleaved in shuffled order.

    Args:
        plans: what to time.
        folder: where ``speed.partial`` lies.
        ahead: processes that get ready at a time.
        finished: called once a network has all its sets, before its saved parts are removed.
        failed: called with ``ParityError`` or ``InputError`` when a network fails; the others continue.
        step: called with a description after every preparation and set, including those of an earlier run.

        tell: called with what takes long and is done once: converting a network for its backend.

    Raises:
        InputError: a network cannot be built or run at all; nothing was timed.
    """
    file = Unfinished(folder / "speed.partial", Part)
    alive = [_from_before(plan, file, step) for plan in plans]
    for progress in [one for one in alive if one.complete]:
        _finish(progress, finished)
        alive.remove(progress)
    unprepared = [progress for progress in alive if progress.prepared is None]

    conversions = catalogue.Conversions()

    def start(progress: PlanProgress) -> workers.Worker:
        if note := conversions.note(progress.plan.backend, progress.plan.who, progress.plan.model):
            tell(note)
        return _start_preparation(progress, beside_others=ahead > 1)

    for progress, answer in workers.run_each(unprepared, start, ahead):
        outcome = _outcome(progress.plan, answer)
        if isinstance(outcome, Exception):
            if isinstance(answer, workers.WorkerError) and answer.answer.get("network_error"):
                raise outcome  # not this backend's fault: no other would do better
            failed(progress.plan, outcome)
            alive.remove(progress)
            continue
        progress.prepared = Prepared(**{**answer["prepared"], "result": outcome})  # type: ignore[index]
        progress.work.add("prepared", Part(prepared=progress.prepared))
        step(f"{progress.plan.who} prepared")
    # A fixed seed, so the order is the same for every run of the same plans.
    order = random.Random(0)
    for index in range(max((progress.plan.sets for progress in alive), default=0)):
        turn = [progress for progress in alive if len(progress.timed) == index]
        order.shuffle(turn)
        for progress, answer in workers.run_each(turn, _start_set, ahead):
            outcome = _outcome(progress.plan, answer)
            if isinstance(outcome, Exception):
                failed(progress.plan, outcome)
                progress.work.drop()
                alive.remove(progress)
                continue
            progress.timed.append(outcome)
            progress.work.add(f"set {index + 1}", Part(timed=outcome))
            step(f"{progress.plan.who}, set {index + 1}")
            if progress.complete:
                _finish(progress, finished)


def forget(plans: Sequence[SpeedPlan], folder: Path) -> None:
    """Drop what is left of plans that have their record: a kill came between the two."""
    file = Unfinished(folder / "speed.partial", Part)
    for plan in plans if file.path.exists() else ():
        file.work(plan.circumstances()).drop()


def steps(plans: Sequence[SpeedPlan]) -> int:
    """How often ``run`` calls ``step``."""
    return sum(plan.sets + 1 for plan in plans)


def _from_before(plan: SpeedPlan, file: Unfinished[Part], step: Callable[[str], None]) -> PlanProgress:
    """The finished parts of an interrupted run, as far as the files that it made still exist."""
    work = file.work(plan.circumstances())
    progress = PlanProgress(plan, work)
    found = work.parts.get("prepared")
    if found and found.prepared and _still_there(found.prepared):
        progress.prepared = found.prepared
        step(f"{plan.who} prepared (from before)")
    while (part := work.parts.get(f"set {len(progress.timed) + 1}")) and part.timed and not progress.complete:
        progress.timed.append(part.timed)
        step(f"{plan.who} (from before)")
    return progress


def _still_there(prepared: Prepared) -> bool:
    files = [prepared.images, prepared.expected, *(prepared.artifact or {}).get("files", ())]
    return all(Path(file).is_file() for file in files if file)


def _finish(progress: PlanProgress, finished: Callable[[PlanProgress], None]) -> None:
    finished(progress)
    progress.work.drop()


def _start_preparation(progress: PlanProgress, *, beside_others: bool) -> workers.Worker:
    plan = progress.plan
    converts = bool(catalogue.find(plan.backend).build_packages)  # the others may choose among kernels by their times
    variables = (converting_variables if converts and beside_others else process_variables)(plan.threads)
    return workers.Worker(WORKER, asdict(plan) | {"prepare": True}, plan.who, variables)


def _start_set(progress: PlanProgress) -> workers.Worker:
    assert progress.prepared is not None
    plan, prepared = progress.plan, progress.prepared
    more = {
        "images": prepared.images, "expected": prepared.expected, "artifact": prepared.artifact,
        "rounding": prepared.rounding,
    }  # fmt: skip
    return workers.Worker(WORKER, asdict(plan) | more, plan.who, process_variables(plan.threads))


def _outcome(plan: SpeedPlan, answer: workers.Answer | InputError) -> SetResult | Exception:
    if isinstance(answer, InputError):
        return answer
    if "parity_error" in answer:
        return ParityError(f"{plan.who}: {answer['parity_error']}")
    return SetResult(**answer["result"])
