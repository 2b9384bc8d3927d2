"""A pair: one fresh process of each revision, timed in turns, so that what slows the machine slows both."""

import math
import os
import random
import statistics
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.regress.plan import RegressPlan
from bench.regress.sides import Side, SideProcess

BLOCKS = 12
MOST_BLOCKS = 36  # of a pair whose blocks disagree
BLOCK_S = 0.035  # what other lengths bring: docs/regress.md
# Standard error of a pair's logarithm from which on more blocks are timed: pairs of a quiet machine differ by a
# percent or so for other reasons.
ERROR_AIMED_AT = 0.01


@dataclass(frozen=True)
class Pair:
    """What two fresh processes said."""

    base_ms: float
    head_ms: float
    log_ratio: float  # of head over base: the median over the blocks
    error: float  # standard error of that median, from how far the blocks disagree
    seconds: float


def time_pair(base: Side, head: Side, plan: RegressPlan, order: random.Random) -> Pair:
    """Start a process of each side and time them in turns.

    Each block times one side and then the other, in random order, for about ``BLOCK_S`` each; its first round, which
    finds the caches full of the other's data, does not count. Where blocks disagree, there are up to ``MOST_BLOCKS``.
    With one thread both stay on one processor, another one for each pair: left to the system, each keeps to its own,
    and two processors of one machine are not equally fast.

    Args:
        base: the old side.
        head: the new side.
        plan: what to time.
        order: which side begins a block, and which processor.

    Raises:
        UnknownModelError: a side does not have the network.
        InputError: a side cannot time it, or its process died or hung.
    """
    began = time.monotonic()
    processor = _one_processor(plan, order)
    with SideProcess(base, plan, processor=processor) as old, SideProcess(head, plan, processor=processor) as new:
        rounds = _rounds(max(old.ready(), new.ready()))
        blocks: list[tuple[float, float]] = []
        while len(blocks) < BLOCKS or (len(blocks) < MOST_BLOCKS and median_error(_logs(blocks)) > ERROR_AIMED_AT):
            blocks.append(_block(old, new, rounds, first_old=order.random() < 0.5))
    base_ms, head_ms = (statistics.median(side) for side in zip(*blocks, strict=True))
    logs = _logs(blocks)
    return Pair(base_ms, head_ms, statistics.median(logs), median_error(logs), time.monotonic() - began)


def median_error(values: Sequence[float]) -> float:
    """Standard error of the median of independent values, by their median absolute deviation: an outlier does not
    count for more than any other value. The same for the values' negatives, which tests rely on."""
    centre = statistics.median(values)
    deviation = statistics.median(abs(value - centre) for value in values)
    # 1.4826 times that deviation is a normal distribution's standard deviation; a median needs pi / 2 times as many
    # values as a mean.
    return 1.4826 * deviation * math.sqrt(math.pi / 2 / len(values))


def time_process(side: Side, plan: RegressPlan) -> float:
    """The median latency in ms of one fresh process, as many rounds as in a pair."""
    with SideProcess(side, plan) as process:
        rounds = _rounds(process.ready())
        return statistics.median(statistics.median(process.time(rounds)) for _ in range(BLOCKS))


def _rounds(round_ms: float) -> int:
    return 1 + max(2, math.ceil(BLOCK_S * 1000 / round_ms))


def _logs(blocks: Sequence[tuple[float, float]]) -> list[float]:
    return [math.log(after / before) for before, after in blocks]


def _one_processor(plan: RegressPlan, order: random.Random) -> int | None:
    """The one that both sides are timed on, where the system can be told and one is enough."""
    if plan.threads > 1 or plan.device != "cpu" or sys.platform != "linux":
        return None
    return order.choice(sorted(os.sched_getaffinity(0)))


def _block(old: SideProcess, new: SideProcess, rounds: int, *, first_old: bool) -> tuple[float, float]:
    """Median latency in ms of the old and the new side."""
    found = {side: statistics.median(side.time(rounds)) for side in ((old, new) if first_old else (new, old))}
    return found[old], found[new]
