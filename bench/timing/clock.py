"""The timing loop: rounds one by one, by a monotonic clock."""

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
    """One inference that can be repeated: its input is already where the backend needs it.

    Args:
        run: one inference; it may return before the device has finished.
        wait: waits for the device; None if ``run`` itself does.
        marks: makes a pair of marks on the device's own clock, to be recorded around an inference; None if there is
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
        """Run one inference and wait for the device."""
        found = self.run()
        if self.wait is not None:
            self.wait()
        return found


@dataclass
class Rounds:
    """Latencies of rounds timed one after the other."""

    latency_ns: list[int] = field(default_factory=list)
    device_ms: list[float] = field(default_factory=list)  # by the device's own clock, if it has one
    elapsed_s: float = 0.0
    median_ci95_relative: float | None = None  # half-width of its 95 % interval, of a steady set

    @property
    def latency_ms(self) -> list[float]:
        return [ns / 1e6 for ns in self.latency_ns]


@dataclass(frozen=True)
class Fixed:
    """A fixed number of rounds: the paper's protocol (section IV-D)."""

    rounds: int


@dataclass(frozen=True)
class Steady:
    """Rounds until the 95 % confidence interval of the median is narrow enough, or the budget is spent."""

    rounds: int  # between two looks at the interval
    budget_s: float
    precision: float = 0.01  # half-width of the interval, relative to the median


@dataclass(frozen=True)
class Sustained:
    """Rounds for a fixed time, to see the effect of heat on latency."""

    rounds: int  # between two looks at the clock
    for_s: float


def _no_look(_now_ns: int) -> None:
    """Watch nothing."""


def warm_up(inference: Inference, rounds: int) -> None:
    """Run rounds that are not counted.

    Raises:
        InputError: a negative number of rounds.
    """
    if rounds < 0:
        raise InputError(f"{rounds} rounds of warm-up are impossible: give 0 or more")
    for _ in range(rounds):
        inference()


def time_rounds(inference: Inference, until: Any, look: Callable[[int], None] = _no_look) -> Rounds:
    """Repeat an inference and time each round separately.

    Args:
        inference: what to time, warmed up.
        until: ``Fixed``, ``Steady`` or ``Sustained``.
        look: called between rounds with the time in ns, to watch the machine; no round includes its time.

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
    """The result of some work, and the seconds that it took."""
    start = time.perf_counter()
    done = work()
    return done, time.perf_counter() - start


SLOW_S = 0.1  # a first inference below that is not worth judging


def time_in_turns(
    candidates: Sequence[Inference], *, turns: int, rounds: int, skipped: int, budget_s: float, give_up: float = 2.5
) -> list[list[float]]:
    """Seconds of each candidate's rounds. They take turns, so that whatever slows the machine slows all of them.

    A candidate far slower than the best is dropped after its first inference: its list then holds only that one.

    Args:
        candidates: what to compare.
        turns: how many turns each candidate has.
        rounds: per turn.
        skipped: the first rounds of a turn, which are not counted because the caches hold another candidate's data.
        budget_s: no turn starts after this time; the first turn always completes.
        give_up: a candidate that takes more than this many times as long as the best is dropped; twice as many for the
            very first inference.
    """
    seconds: list[list[float]] = [[] for _ in candidates]
    until = time.monotonic() + budget_s
    # A first inference also packs weights and fills caches, in all of them: only one far slower says anything.
    cold: list[float] = []
    for index, candidate in enumerate(candidates):
        cold.append(once(candidate)[1])
        if cold[-1] > max(2 * give_up * min(cold), SLOW_S):
            seconds[index].append(cold[-1])
    warm = {index: once(candidate)[1] for index, candidate in enumerate(candidates) if not seconds[index]}
    for index, taken in warm.items():
        if taken > give_up * min(warm.values()):
            seconds[index].append(taken)
    alive = [index for index in warm if not seconds[index]]
    if len(alive) == 1:  # nothing is left to compare it with
        seconds[alive[0]].append(warm[alive[0]])
        return seconds
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
    """Collect garbage now, and not while the context lasts."""
    gc.collect()
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.enable()
