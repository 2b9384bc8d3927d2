"""The loop that times: rounds one by one, by a clock that never goes back."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import gc
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from bench.core.errors import InputError
from bench.timing.intervals import relative_precision


class Inference:
    """One inference, ready to be run again and again: the input is already where the backend wants it.

    Args:
        run: one inference; it may return before the device is done.
        wait: returns when the device is done; none where ``run`` only returns then.
        marks: makes a pair of marks on the device's own clock, to be recorded around an inference; none where there is
            no such clock. A mark has ``record()`` and, on the first, ``elapsed_time(last)`` in ms.
    """

    __slots__ = ("marks", "run", "wait")

    def __init__(
        self,
        run: Callable[[], Any],
        wait: Callable[[], None] | None = None,
        marks: Callable[[], Sequence[Any]] | None = None,
    ) -> None:
        self.run, self.wait, self.marks = run, wait, marks

    def __call__(self) -> Any:
        """One inference, from its start until the device is done."""
        found = self.run()
        if self.wait is not None:
            self.wait()
        return found


@dataclass
class Rounds:
    """Latencies of rounds that were timed one after the other."""

    latency_ns: list[int] = field(default_factory=list)
    device_ms: list[float] = field(default_factory=list)  # by the device's own clock, where it has one
    elapsed_s: float = 0.0
    median_ci95_relative: float | None = None  # half of the interval, relative to the median; of a steady set

    @property
    def latency_ms(self) -> list[float]:
        return [ns / 1e6 for ns in self.latency_ns]


@dataclass(frozen=True)
class Fixed:
    """A fixed number of rounds: the paper's protocol (section IV-D)."""

    rounds: int


@dataclass(frozen=True)
class Steady:
    """Rounds until the 95 % interval of the median is narrow enough, or the time is up."""

    rounds: int  # between two looks at the interval
    budget_s: float
    precision: float = 0.01  # half of the interval, relative to the median


@dataclass(frozen=True)
class Sustained:
    """Rounds for a time: what heat does to latency."""

    rounds: int  # between two looks at the clock
    for_s: float


def _no_look(_now_ns: int) -> None:
    """Nothing is watched."""


def warm_up(inference: Inference, rounds: int) -> None:
    """Rounds that are not counted.

    Raises:
        InputError: fewer than none.
    """
    if rounds < 0:
        raise InputError(f"{rounds} rounds of warm-up are impossible: give 0 or more")
    for _ in range(rounds):
        inference()


def time_rounds(inference: Inference, until: Any, look: Callable[[int], None] = _no_look) -> Rounds:
    """Run an inference again and again and time each round by itself.

    Args:
        inference: what to time, warmed up.
        until: ``Fixed``, ``Steady`` or ``Sustained``.
        look: called between rounds with the time in ns, to watch the machine; its time is in no round.

    Raises:
        InputError: no rounds.
    """
    if until.rounds < 1:
        raise InputError(f"{until.rounds} rounds are impossible: time at least 1")
    found = Rounds()
    pairs: list[Sequence[Any]] = []
    with no_garbage_collection():
        started = time.perf_counter()
        while True:
            _some_rounds(inference, until.rounds, found.latency_ns, pairs, look)
            elapsed = time.perf_counter() - started
            if isinstance(until, Steady):
                found.median_ci95_relative = relative_precision(found.latency_ns)
                if found.median_ci95_relative <= until.precision or elapsed >= until.budget_s:
                    break
            elif isinstance(until, Fixed) or elapsed >= until.for_s:
                break
        found.elapsed_s = time.perf_counter() - started
    found.device_ms = [float(first.elapsed_time(last)) for first, last in pairs]
    return found


def _some_rounds(
    inference: Inference, rounds: int, latency_ns: list[int], pairs: list[Sequence[Any]], look: Callable[[int], None]
) -> None:
    clock, run, wait, marks = time.perf_counter_ns, inference.run, inference.wait, inference.marks
    if wait is None:
        for _ in range(rounds):
            start = clock()
            run()
            end = clock()
            latency_ns.append(end - start)
            look(end)
        return
    for _ in range(rounds):
        first, last = marks() if marks else (None, None)
        wait()
        start = clock()
        if first is not None:
            first.record()
        run()
        if last is not None:
            last.record()
        wait()
        end = clock()
        latency_ns.append(end - start)
        if first is not None:
            pairs.append((first, last))
        look(end)


def once(work: Callable[[], Any]) -> Any:
    """What the work returns, and the seconds that it took."""
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


def in_turns(
    candidates: Sequence[Inference], *, turns: int, rounds: int, skipped: int, budget_s: float, give_up: float = 2.5
) -> list[list[float]]:
    """Seconds of each candidate's rounds, all taking turns, so that what slows the machine slows all.

    A candidate far slower than the best so far is dropped after its first inference: its list then holds only that.

    Args:
        candidates: what to compare.
        turns: how often each has its turn.
        rounds: of a turn.
        skipped: the first rounds of a turn, which find another candidate's data in the caches.
        budget_s: no turn begins after that; the first one always ends.
        give_up: times the best first inference, from which on a candidate is dropped.
    """
    seconds: list[list[float]] = [[] for _ in candidates]
    until = time.monotonic() + budget_s
    first = []
    for candidate in candidates:
        candidate()
        first.append(once(candidate)[1])
    alive = [index for index, taken in enumerate(first) if taken <= give_up * min(first)]
    for index, taken in enumerate(first):
        if index not in alive:
            seconds[index].append(taken)
    with no_garbage_collection():
        for turn in range(turns):
            for index in alive:
                for number in range(rounds):
                    taken = once(candidates[index])[1]
                    if number >= skipped:
                        seconds[index].append(taken)
            if turn == 0 or time.monotonic() < until:
                continue
            break
    return seconds


@contextlib.contextmanager
def no_garbage_collection() -> Iterator[None]:
    """Collect what is garbage now, and none of it within."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
