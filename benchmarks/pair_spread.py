"""What makes two processes that run the same code differ, as the pairs of bench.regress see it.

    python benchmarks/pair_spread.py [--models small_hrnet_w16] [--pairs 20] [--settings "as it is,huge pages"]

Prints, for each setting, the standard deviation of the logarithm of a pair's ratio, and the largest deviation from 1;
settings come in turn, so that slow spells of the machine hit all alike.
"""

import argparse
import math
import os
import random
import statistics
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from bench.regress import pairs
from bench.regress.pairs import time_pair
from bench.regress.plan import RegressPlan
from bench.regress.sides import Side


@dataclass(frozen=True)
class Setting:
    """How a pair is timed, where not as bench.regress does."""

    environment: dict[str, str] = field(default_factory=dict)
    anywhere: bool = False  # the system places both sides as it likes
    threads: int = 1
    blocks: int = pairs.BLOCKS
    block_s: float = pairs.BLOCK_S


SETTINGS = {
    "as it is": Setting(),
    "placed by the system": Setting(anywhere=True),
    "huge pages": Setting({"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}),
    "memory not kept": Setting({"MALLOC_ARENA_MAX": "8"}),
    "blocks of 0.05 s": Setting(block_s=0.05),
    "blocks of 0.15 s": Setting(block_s=0.15),
    "half as many blocks of 0.05 s": Setting(block_s=0.05, blocks=pairs.BLOCKS // 2),
    "two threads": Setting(threads=2),
}


@contextmanager
def put_in(setting: Setting) -> Iterator[None]:
    """Pairs timed inside are timed so."""
    environment, choose = dict(os.environ), pairs._one_processor
    blocks, block_s = pairs.BLOCKS, pairs.BLOCK_S
    try:
        os.environ.update(setting.environment)
        pairs.BLOCKS, pairs.BLOCK_S = setting.blocks, setting.block_s
        if setting.anywhere:
            pairs._one_processor = lambda _plan, _order: None  # type: ignore[assignment]
        yield
    finally:
        pairs._one_processor, pairs.BLOCKS, pairs.BLOCK_S = choose, blocks, block_s
        os.environ.clear()
        os.environ.update(environment)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="small_hrnet_w16,lightweight_mobilenetv3")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--settings", default=",".join(SETTINGS))
    arguments = parser.parse_args()
    side, order = Side("here", Path.cwd(), Path.cwd()), random.Random(0)
    names = arguments.settings.split(",")
    for model in arguments.models.split(","):
        found: dict[str, list[tuple[float, float, float]]] = {name: [] for name in names}
        for _ in range(arguments.pairs):
            for name in names:
                with put_in(SETTINGS[name]):
                    plan = RegressPlan(model, 17, (256, 192), 1, "cpu", "eager", SETTINGS[name].threads)
                    pair = time_pair(side, side, plan, order)
                found[name].append((pair.log_ratio, pair.base_ms, pair.seconds))
        print(
            f"{model}, {arguments.pairs} pairs: spread of the ratio, largest deviation, median latency, seconds a pair"
        )
        for name, rows in found.items():
            logs, latencies, seconds = zip(*rows, strict=True)
            spread = math.sqrt(statistics.fmean(log * log for log in logs))  # the true ratio is 1
            print(
                f"{name:30} {spread:.4f}  {max(map(abs, logs)):.3f}  {statistics.median(latencies):7.2f} ms  "
                f"{statistics.median(seconds):.1f} s", flush=True
            )  # fmt: skip


if __name__ == "__main__":
    main()
