"""How often the check errs: comparisons of the same code with itself, and of code that was made slower on purpose."""

import contextlib
import json
import statistics
import subprocess
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from bench.backends import catalogue
from bench.core import machine
from bench.core.errors import InputError
from bench.core.unfinished import Unfinished, Work
from bench.models import network_sha256
from bench.regress.compare import Comparison
from bench.regress.plan import RegressPlan
from bench.regress.self_test_conditions import describe


@dataclass(frozen=True)
class Condition:
    """Under what a number of comparisons are made."""

    planted: float  # share of the latency by which the new side is slower
    neighbours: int = 0  # other processes that keep a processor busy each

    @property
    def name(self) -> str:
        return describe(self.planted, self.neighbours)


CONDITIONS = (
    *(Condition(0.0, neighbours) for neighbours in (0, 1, 2)),
    *(Condition(0.1, neighbours) for neighbours in (0, 1, 2)),
    Condition(0.2), Condition(0.05),
)  # fmt: skip


def conditions(threshold: float, planted: Sequence[float] | None = None) -> list[Condition]:
    """Those that can be told: of a slow-down as large as what is let pass, no number of pairs says if it is more.

    Args:
        threshold: what is let pass.
        planted: the slow-downs that are wanted; by default all.

    Raises:
        InputError: one of them is never planted, or cannot be told.
    """
    told = [condition for condition in CONDITIONS if condition.planted == 0 or condition.planted > threshold]
    if planted is None:
        return told
    known = list(dict.fromkeys(condition.planted for condition in told))
    for share in planted:
        if share not in known:
            raise InputError(
                f"--planted {100 * share:.12g}%: with --threshold {100 * threshold:.12g}%, what can be told is "
                f"{', '.join(f'{100 * one:g}%' for one in sorted(known))}"
            )
    return [condition for condition in told if condition.planted in planted]


@dataclass(frozen=True)
class Outcome:
    """One comparison, as it is kept."""

    verdict: str
    ratio: float
    pairs: int
    seconds: float
    log_ratios: list[list[float]]
    errors: list[list[float]]  # standard error of each, likewise

    @classmethod
    def of(cls, found: Comparison) -> "Outcome":
        logs, errors = found.samples["log_ratio"], found.samples["log_ratio_error"]
        return cls(found.verdict, found.interval.ratio, found.processes, found.seconds, logs, errors)


Compare = Callable[[Condition], Comparison]
Step = Callable[[str], None]


@dataclass(frozen=True)
class SelfTest:
    """Comparisons of one network under chosen conditions; what is finished lies in ``regress.partial``.

    Args:
        plan: what is timed.
        settings: threshold and budget, which decide about the outcome as well.
        wanted: the conditions.
        folder: where ``regress.partial`` lies.
    """

    plan: RegressPlan
    settings: dict[str, float]
    wanted: Sequence[Condition]
    folder: Path

    def run(self, count: int, compare: Compare, step: Step) -> dict[Condition, list[Outcome]]:
        """Make ``count`` comparisons under every condition, one of each in turn; go on where an earlier run stopped.

        Args:
            count: of each condition.
            compare: makes one comparison.
            step: called with a line after each, earlier ones included.
        """
        work = self._work()
        for number in range(count):
            for condition in self.wanted:
                if _part(condition, number) in work.parts:
                    step("from before")
                    continue
                with _busy(condition.neighbours):
                    found = Outcome.of(compare(condition))
                work.add(_part(condition, number), found)
                step(f"{condition.name}: {found.verdict} after {found.pairs} pairs, {found.seconds:.0f} s")
        return {
            condition: [work.parts[_part(condition, number)] for number in range(count)] for condition in self.wanted
        }

    def started_at(self) -> str:
        """When the first comparison began: a self-test that is recorded twice, by a kill in between, is one."""
        return self._work().started_at

    def forget(self) -> None:
        """What is finished has its records."""
        self._work().drop()

    def _work(self) -> Work[Outcome]:
        runtime = catalogue.version(self.plan.backend)
        software = machine.this_software(runtime).model_dump_json(exclude={"git_commit", "git_dirty"})
        what = self.plan.measurement({"name": "self-test", **self.settings}).identity(runtime)
        where = machine.this_machine(self.plan.device).model_dump_json()
        wanted = [condition.name for condition in self.wanted]
        return Unfinished(self.folder / "regress.partial", Outcome).work(
            json.dumps([what, asdict(self.plan), network_sha256(self.plan.model), where, software, wanted])
        )


def _part(condition: Condition, number: int) -> str:
    return f"{condition.name}, comparison {number + 1}"


def rates(outcomes: Sequence[Outcome]) -> dict[str, int | float]:
    """How comparisons ended, with exact (Clopper-Pearson) 95 % intervals, and how long they took."""
    from scipy import stats  # takes longer to import than the report, which needs but words from here, to be made

    verdicts = [outcome.verdict for outcome in outcomes]
    found: dict[str, int | float] = {"comparisons": len(verdicts)}
    for name, kinds in (("regression", ("regression",)), ("clear", ("clear", "faster")), ("undecided", ("undecided",))):
        hits = sum(verdict in kinds for verdict in verdicts)
        interval = stats.binomtest(hits, len(verdicts)).proportion_ci(0.95, "exact")
        found |= {name: hits, f"{name}_rate_low": float(interval.low), f"{name}_rate_high": float(interval.high)}
    logs = [log for outcome in outcomes for one in outcome.log_ratios for log in one]
    return found | {
        "seconds_median": statistics.median(outcome.seconds for outcome in outcomes),
        "seconds_max": max(outcome.seconds for outcome in outcomes),
        "pairs_median": statistics.median(outcome.pairs for outcome in outcomes),
        "pair_log_ratio_mean": statistics.fmean(logs),
        **({"pair_log_ratio_std": statistics.stdev(logs)} if len(logs) > 1 else {}),
    }


def is_wrong(condition: Condition, outcomes: Sequence[Outcome]) -> bool:
    """Whether the same code was called slower, or a fifth more time was let pass."""
    verdicts = {outcome.verdict for outcome in outcomes}
    if condition.planted == 0:
        return "regression" in verdicts
    return condition.planted >= 0.2 and bool(verdicts & {"clear", "faster"})


# Keeps a processor busy, and ends with whoever started it.
BUSY = """
import os, sys, threading
threading.Thread(target=lambda: (sys.stdin.read(), os._exit(0)), daemon=True).start()
while True:
    pass
"""


@contextlib.contextmanager
def _busy(count: int) -> Iterator[None]:
    """So many processes that keep a processor busy each."""
    with contextlib.ExitStack() as stack:
        for _ in range(count):
            process = subprocess.Popen([sys.executable, "-c", BUSY], stdin=subprocess.PIPE)
            stack.callback(process.stdin.close)  # type: ignore[union-attr]
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield
