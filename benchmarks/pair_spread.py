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
from pathlib import Path

from bench.regress import pairs
from bench.regress.pairs import Job, Side, time_pair

HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
# Environment, whether the system places both sides as it likes, threads, and seconds of a block.
SETTINGS: dict[str, tuple[dict[str, str], bool, int, float]] = {
    "as it is": ({}, False, 1, pairs.BLOCK_S),
    "placed by the system": ({}, True, 1, pairs.BLOCK_S),
    "huge pages": (HUGE, False, 1, pairs.BLOCK_S),
    "memory not kept": ({"MALLOC_ARENA_MAX": "8"}, False, 1, pairs.BLOCK_S),
    "blocks three times as long": ({}, False, 1, 3 * pairs.BLOCK_S),
    "two threads": ({}, False, 2, pairs.BLOCK_S),
}


@contextmanager
def setting(environment: dict[str, str], anywhere: bool) -> Iterator[None]:
    """Processes started inside have these variables, and where ``anywhere``, no processor of their own."""
    before, choose = dict(os.environ), pairs._one_processor
    try:
        os.environ.update(environment)
        if anywhere:
            pairs._one_processor = lambda _job, _order: None
        yield
    finally:
        pairs._one_processor = choose
        os.environ.clear()
        os.environ.update(before)


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
                environment, anywhere, threads, block_s = SETTINGS[name]
                pairs.BLOCK_S = block_s
                with setting(environment, anywhere):
                    pair = time_pair(side, side, Job(model, 17, (256, 192), 1, "cpu", "eager", threads), order)
                found[name].append((pair.log_ratio, pair.base_ms, pair.seconds))
        print(
            f"{model}, {arguments.pairs} pairs: spread of the ratio, largest deviation, median latency, seconds a pair"
        )
        for name, rows in found.items():
            logs, latencies, seconds = zip(*rows, strict=True)
            spread = math.sqrt(statistics.fmean(log * log for log in logs))  # the true ratio is 1
            print(
                f"{name:22} {spread:.4f}  {max(map(abs, logs)):.3f}  {statistics.median(latencies):7.2f} ms  "
                f"{statistics.median(seconds):.1f} s", flush=True
            )  # fmt: skip


if __name__ == "__main__":
    main()
