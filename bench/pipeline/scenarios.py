"""How frames come: one after the other, at a camera's rate, in several streams, or all at once.

The names are MLPerf's (Reddi et al., ISCA 2020), where it has them. Time is a monotonic clock's, which does not jump
when the system's clock is set.
"""

import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from bench.core.errors import InputError
from bench.timing.clock import no_garbage_collection

Clock = Callable[[], int]  # nanoseconds
Step = Callable[[int], object]  # looks at the frame of this number

SECOND = 1_000_000_000


@dataclass
class Paced:
    """What came of frames at a camera's rate."""

    arrived: int = 0
    dropped: int = 0
    age_ms: list[float] = field(default_factory=list)  # of every answer: since its frame arrived
    busy_ms: list[float] = field(default_factory=list)  # of every answer: what looking took


def paced(
    step: Step,
    rate: float,
    until: Callable[[int, int], bool],
    clock: Clock = time.perf_counter_ns,
    sleep: Callable[[float], None] = time.sleep,
) -> Paced:
    """Look at the newest frame, whenever the last one is done; frames that were overtaken are dropped.

    Frame k arrives k / rate seconds after the start. A frame that has not been looked at when the next one arrives is
    lost, as with a camera that keeps one frame.

    Args:
        step: looks at a frame.
        rate: frames a second.
        until: whether to stop, by the number of frames that have arrived and the nanoseconds since the start.
        clock: only grows.
        sleep: waits some seconds.

    Raises:
        InputError: the clock went backwards.
    """
    found = Paced()
    period = SECOND / rate
    number = 0  # the next frame that may be looked at
    with no_garbage_collection():
        start = last = clock()
        while not found.age_ms or not until(number, clock() - start):
            arrival = start + number * period
            now = _later(clock(), last)
            while now < arrival:
                sleep((arrival - now) / SECOND)
                now = _later(clock(), now)
            newest = int((now - start) / period)
            found.dropped += newest - number
            arrival = start + newest * period
            step(newest)
            last = _later(clock(), now)
            found.age_ms.append((last - arrival) / 1e6)
            found.busy_ms.append((last - now) / 1e6)
            number = newest + 1
    found.arrived = number
    return found


def _later(now: int, before: int) -> int:
    if now < before:
        raise InputError(f"the clock went back by {(before - now) / SECOND:g} s: what was timed means nothing")
    return now


@dataclass
class Streams:
    """What came of several streams at once."""

    frame_ms: list[list[float]]  # of every stream
    elapsed_s: float


def streams(steps: Sequence[Step], for_s: float, clock: Clock = time.perf_counter_ns) -> Streams:
    """Several streams side by side, a thread each, one frame after the other, for some time.

    Raises:
        InputError: what a stream raised.
    """
    times: list[list[float]] = [[] for _ in steps]
    failed: list[BaseException] = []
    barrier = threading.Barrier(len(steps) + 1)
    end = threading.Event()

    def run(step: Step, mine: list[float]) -> None:
        try:
            barrier.wait()
            number = 0
            while not end.is_set():
                start = clock()
                step(number)
                mine.append((clock() - start) / 1e6)
                number += 1
        except BaseException as error:
            failed.append(error)
            end.set()

    threads = [threading.Thread(target=run, args=pair, daemon=True) for pair in zip(steps, times, strict=True)]
    with no_garbage_collection():
        for thread in threads:
            thread.start()
        barrier.wait()
        start = clock()
        end.wait(for_s)
        end.set()
        for thread in threads:
            thread.join()
        elapsed = (clock() - start) / SECOND
    if failed:
        raise failed[0]
    return Streams(times, elapsed)
