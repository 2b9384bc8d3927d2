"""Stored latencies in place of a revision: for where the old code is not at hand, on the very same machine only."""

import math
import shlex
import statistics
import time
from collections.abc import Callable, Sequence
from datetime import datetime
from pathlib import Path

from pydantic import BaseModel

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.core.record import Record, now
from bench.core.results import read
from bench.regress.compare import Comparison, Show
from bench.regress.plan import RegressPlan
from bench.regress.records import baseline_record
from bench.regress.sequential import Verdict, decide, welch_interval

# Fresh processes of either side. Not side by side with the others, they settle less than as many pairs do.
PROCESSES = 12
SAMPLE = "latency_ms_median"
# What must be equal for old and new latencies to be of the same thing; the project's own code is what is compared.
SOFTWARE = ("python", "torch", "runtime", "packages")

DrawProcess = Callable[[], float]


def measure(draw: DrawProcess, plan: RegressPlan) -> Record:
    """A network's latencies as a record to store: the median of each of ``PROCESSES`` fresh processes."""
    started = now()
    return baseline_record(plan, [draw() for _ in range(PROCESSES)], SAMPLE, started)


def write(records: Sequence[Record], path: Path) -> None:
    """Store them in place of what the file held."""
    write_whole(path, "".join(record.to_json() + "\n" for record in records).encode())


def load(path: Path, plans: Sequence[RegressPlan]) -> list[Record]:
    """The stored record of each plan.

    Raises:
        InputError: no file, a line that is no record, a plan that is not there or without latencies, or another machine
            or other software.
    """
    if not path.is_file():
        raise InputError(f"there is no baseline {path}: make it with --baseline {shlex.quote(str(path))} --update")
    stored = [record for record in read(path) if record.protocol.get("name") == "baseline"]
    return [_find(stored, plan, path) for plan in plans]


def _find(stored: Sequence[Record], plan: RegressPlan, path: Path) -> Record:
    # Of what runtime it is, is told below, with the rest of the software.
    wanted = plan.measurement({"name": "baseline"}).identity("")
    matching = [record for record in stored if record.identity("") == wanted]
    if not matching:
        raise InputError(
            f"{path} has no {plan.model} with {plan.backend}, {cli.input_text(plan.input)}, {plan.num_joints} joints, "
            f"batch {plan.batch}, {plan.threads} threads on {plan.device}: store a new one with --update"
        )
    found = max(matching, key=lambda record: datetime.fromisoformat(record.started_at))
    latencies = found.samples.get(SAMPLE, [])
    if len(latencies) != 1 or len(latencies[0]) < 2 or min(latencies[0]) <= 0:
        raise InputError(
            f"{path}: samples.{SAMPLE} of {plan.model} must be one list of two latencies or more, all above 0: store a "
            "new one with --update"
        )
    here = machine.this_machine(plan.device)
    software = machine.this_software(catalogue.version(plan.backend))
    differing = differences(found.machine, here) + differences(found.software, software, SOFTWARE)
    if differing:
        raise InputError(
            f"{path} is of another machine or other software ({'; '.join(differing)}): latencies of the two "
            "cannot be compared; use --base REVISION, or store a new one here with --update"
        )
    return found


def differences(there: BaseModel, here: BaseModel, only: Sequence[str] = ()) -> list[str]:
    """What differs, a text each."""
    names = only or type(there).model_fields
    return [
        f"{name} {getattr(there, name)} there, {getattr(here, name)} here"
        for name in names
        if getattr(there, name) != getattr(here, name)
    ]


def compare(draw: DrawProcess, stored: Record, threshold: float, show: Show) -> Comparison:
    """Time ``PROCESSES`` fresh processes, and as many again to confirm a regression, against the stored ones.

    Args:
        draw: times one process.
        stored: from ``load``.
        threshold: what is still allowed, 0.05 for 5 %.
        show: called after every process with the number in its set, and the interval.
    """
    began = time.monotonic()
    old = stored.samples[SAMPLE][0]
    logs = [math.log(value) for value in old]
    sets: list[list[float]] = []
    verdict: Verdict = "regression"
    while verdict == "regression" and len(sets) < 2:
        fresh: list[float] = []
        for _ in range(PROCESSES):
            fresh.append(draw())
            if len(fresh) > 1:
                interval = welch_interval(logs, [math.log(value) for value in fresh])
                show(len(fresh), interval)
        sets.append(fresh)
        verdict = decide(interval, threshold)
    return Comparison(
        verdict=verdict,
        interval=interval,
        base_ms=statistics.median(old),
        head_ms=statistics.median(value for one in sets for value in one),
        samples={SAMPLE: sets},
        processes=sum(map(len, sets)),
        seconds=time.monotonic() - began,
    )
