"""Stored latencies in place of a revision: for where the old code is not at hand, on the very same machine only."""

import math
import statistics
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from pydantic import BaseModel

from bench import backends, cli
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.core.record import Record, now
from bench.core.results import read
from bench.models import recorded_name
from bench.regress.compare import Comparison, Told
from bench.regress.pairs import Job
from bench.regress.records import baseline_record
from bench.regress.sequential import Verdict, decide, welch_interval

# Fresh processes of either side. Not side by side with the others, they settle less than as many pairs do.
PROCESSES = 12
SAMPLE = "latency_ms_median"
# What must be equal for old and new latencies to be of the same thing; the project's own code is what is compared.
SOFTWARE = ("python", "torch", "runtime", "packages")

DrawProcess = Callable[[], float]


def measure(draw: DrawProcess, job: Job) -> Record:
    """A network's latencies as a record to store: the median of each of ``PROCESSES`` fresh processes."""
    started = now()
    return baseline_record(job, [draw() for _ in range(PROCESSES)], SAMPLE, started)


def write(records: Sequence[Record], path: Path) -> None:
    """Store them in place of what the file held."""
    write_whole(path, "".join(record.to_json() + "\n" for record in records).encode())


def load(path: Path, jobs: Sequence[Job]) -> list[Record]:
    """The stored record of each job.

    Raises:
        InputError: no file, a line that is no record, a job that is not there, or another machine or other software.
    """
    if not path.is_file():
        raise InputError(f"there is no baseline {path}: make it with --baseline {path} --update")
    stored = [record for record in read(path) if record.protocol.get("name") == "baseline"]
    return [_find(stored, job, path) for job in jobs]


def _find(stored: Sequence[Record], job: Job, path: Path) -> Record:
    wanted = (
        recorded_name(job.model), cli.input_text(job.input), job.num_joints, job.backend,
        job.device.partition(":")[0], job.batch, job.threads,
    )  # fmt: skip
    for record in stored:
        if wanted == (
            record.model, record.input, record.num_joints, record.backend, record.device, record.batch, record.threads,
        ):  # fmt: skip
            here, software = (
                machine.this_machine(job.device),
                machine.this_software(backends.load(job.backend).version()),
            )
            differing = differences(record.machine, here) + differences(record.software, software, SOFTWARE)
            if differing:
                raise InputError(
                    f"{path} is of another machine or other software ({'; '.join(differing)}): latencies of the two "
                    "cannot be compared; use --base REVISION, or store a new one here with --update"
                )
            return record
    raise InputError(
        f"{path} has no {job.model} with {job.backend}, {cli.input_text(job.input)}, {job.num_joints} joints, batch "
        f"{job.batch}, {job.threads} threads on {job.device}: store a new one with --update"
    )


def differences(there: BaseModel, here: BaseModel, only: Sequence[str] = ()) -> list[str]:
    """What differs, in words."""
    names = only or type(there).model_fields
    return [
        f"{name} {getattr(there, name)} there, {getattr(here, name)} here"
        for name in names
        if getattr(there, name) != getattr(here, name)
    ]


def compare(draw: DrawProcess, stored: Record, threshold: float, told: Told) -> Comparison:
    """Time ``PROCESSES`` fresh processes, and as many again to confirm a regression, against the stored ones.

    Args:
        draw: times one process.
        stored: from ``load``.
        threshold: what is still allowed, 0.05 for 5 %.
        told: called after every process with the number in its set, and the interval.
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
                told(len(fresh), interval)
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
