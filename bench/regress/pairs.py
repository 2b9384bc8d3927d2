"""A pair: one fresh process of each revision, timed in turns, so that what slows the machine slows both."""

import contextlib
import json
import math
import os
import random
import selectors
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.core import workers
from bench.core.errors import InputError

WORKER = Path(__file__).with_name("worker.py")
# Building, exporting and compiling a network; then a block of rounds, which take a second or so.
READY_TIMEOUT_S = 900
BLOCK_TIMEOUT_S = 120
BLOCKS = 12
BLOCK_S = 0.035  # what other lengths bring: docs/regress.md


class UnknownModelError(InputError):
    """The revision does not have this network."""


@dataclass(frozen=True)
class Job:
    """What is timed."""

    model: str
    num_joints: int
    input: tuple[int, int]
    batch: int
    device: str
    backend: str
    threads: int
    warmup: int = 5


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str  # as messages call it
    root: Path  # of its sources
    folder: Path  # where the command would be given, for the path of a user's own network
    slower: float = 0.0  # a planted slow-down, for the check's own test


@dataclass(frozen=True)
class Pair:
    """What two fresh processes said."""

    base_ms: float
    head_ms: float
    log_ratio: float  # of head over base: the median over the blocks
    seconds: float


def time_pair(base: Side, head: Side, job: Job, order: random.Random) -> Pair:
    """Start a process of each side and time them in turns.

    Each block times one side and then the other, in random order, for about ``BLOCK_S`` each; its first round, which
    finds the caches full of the other's data, does not count. With one thread both stay on one processor, another one
    for each pair: left to the system, each keeps to its own, and two processors of one machine are not equally fast.

    Args:
        base: the old side.
        head: the new side.
        job: what to time.
        order: which side begins a block, and which processor.

    Raises:
        UnknownModelError: a side does not have the network.
        InputError: a side cannot time it, or its process died or hung.
    """
    began = time.monotonic()
    processor = _one_processor(job, order)
    with _Worker(base, job, processor) as old, _Worker(head, job, processor) as new:
        slowest_ms = max(old.ready(), new.ready())
        rounds = 1 + max(2, math.ceil(BLOCK_S * 1000 / slowest_ms))
        blocks = [_block(old, new, rounds, first_old=order.random() < 0.5) for _ in range(BLOCKS)]
    base_ms, head_ms = (statistics.median(side) for side in zip(*blocks, strict=True))
    log_ratio = statistics.median(math.log(after / before) for before, after in blocks)
    return Pair(base_ms, head_ms, log_ratio, time.monotonic() - began)


def time_process(side: Side, job: Job) -> float:
    """The median latency in ms of one fresh process, as many rounds as in a pair."""
    with _Worker(side, job) as worker:
        rounds = 1 + max(2, math.ceil(BLOCK_S * 1000 / worker.ready()))
        return statistics.median(statistics.median(worker.time(rounds)) for _ in range(BLOCKS))


def _one_processor(job: Job, order: random.Random) -> int | None:
    """The one that both sides are timed on, where the system can be told and one is enough."""
    if job.threads > 1 or job.device != "cpu" or sys.platform != "linux":
        return None
    return order.choice(sorted(os.sched_getaffinity(0)))


def _block(old: "_Worker", new: "_Worker", rounds: int, *, first_old: bool) -> tuple[float, float]:
    """Median latency in ms of the old and the new side."""
    found = {worker: statistics.median(worker.time(rounds)) for worker in ((old, new) if first_old else (new, old))}
    return found[old], found[new]


class _Worker:
    """A process that times one side, and ends with the block that uses it."""

    def __init__(self, side: Side, job: Job, processor: int | None = None) -> None:
        self.side = side
        self.model = job.model
        # Not a pipe, which would fill up while nobody reads it.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the worker
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            cwd=side.folder, env=environment(side, job),
            # Ctrl-C is for the parent alone, which then ends this one.
            start_new_session=True,
        )  # fmt: skip
        self._send(json.dumps(asdict(job) | {"slower": side.slower, "processor": processor}))

    def __enter__(self) -> "_Worker":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError):  # what was still to be written to a process that died
                stream.close()  # type: ignore[union-attr]

    def ready(self) -> float:
        """Wait until it can time; what a round takes, in ms."""
        answer = self._answer(READY_TIMEOUT_S)
        if "error" in answer:
            kind = UnknownModelError if answer["unknown"] else InputError
            raise kind(f"{self.model} in {self.side.name}: {answer['error']}")
        if (self.side.root / "bench" / "__init__.py").is_file() and not self.side.root.samefile(answer["root"]):
            raise InputError(
                f"{self.side.name} was to be timed from {self.side.root}, and its process used {answer['root']}"
            )
        return float(answer["round_ms"])

    def time(self, rounds: int) -> list[float]:
        """Latencies in ms, without the first."""
        self._send(str(rounds))
        return list(self._answer(BLOCK_TIMEOUT_S)["ms"][1:])

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # that it died is said when its answer is missing
            self.process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def _answer(self, timeout_s: float) -> dict:  # type: ignore[type-arg]
        line = b"".join(self._read(timeout_s))
        if not line:
            self.errors.seek(0)
            last = self.errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            status = self.process.wait()
            raise InputError(
                f"{self.model} in {self.side.name}: the process that timed it died with status {status}: {last[0]}"
            )
        return dict(json.loads(line))

    def _read(self, timeout_s: float) -> Iterator[bytes]:
        """A line in pieces, or nothing where the process ends first."""
        descriptor = self.process.stdout.fileno()  # type: ignore[union-attr]
        until = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while selector.select(max(0.0, until - time.monotonic())):
                piece = os.read(descriptor, 65536)
                if piece:
                    yield piece
                if not piece or piece.endswith(b"\n"):
                    return
        raise InputError(
            f"{self.model} in {self.side.name}: the process that timed it did not answer for {timeout_s:g} s "
            "and was ended"
        )


def environment(side: Side, job: Job) -> dict[str, str]:
    """What a process of one side is started with."""
    path = os.pathsep.join(part for part in (str(side.root), os.environ.get("PYTHONPATH", "")) if part)
    return os.environ | workers.environment(job.threads) | {"PYTHONPATH": path}
