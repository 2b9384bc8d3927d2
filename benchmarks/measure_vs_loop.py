"""Does ``bench.speed.measure`` time what a plain loop times?

Rounds of the two take turns on one module in one process: after each round of ``measure`` comes one of the plain loop.
So a machine that changes its speed changes it for both. Prints the ratio of their median latencies, run by run, and the
median of the runs with its 95 % interval. See docs/timing.md for what came out.

    python benchmarks/measure_vs_loop.py [--model lightweight_mobilenetv3] [--runs 10]
"""

import argparse
import statistics
import time
from unittest import mock

import torch

from bench.data import photograph
from bench.models import build
from bench.speed import measure
from bench.timing import conditions
from bench.timing.intervals import median_interval


def medians(model: torch.nn.Module, example: torch.Tensor, rounds: int) -> tuple[float, float]:
    """Median latency in ms of ``measure``, and of the loop that anyone would write."""
    latency: list[float] = []

    class TakingTurns(conditions.Watch):
        """What ``measure`` calls between its rounds."""

        def __call__(self, now_ns: int) -> None:
            super().__call__(now_ns)
            start = time.perf_counter()
            model(example)
            latency.append(time.perf_counter() - start)

    with mock.patch.object(conditions, "Watch", TakingTurns):
        measured = measure(model, example, rounds=rounds, warmup=5)
    assert len(latency) == rounds
    return measured.metrics["latency_ms_median"], 1000 * statistics.median(latency)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3")
    parser.add_argument("--runs", type=int, default=10)
    arguments = parser.parse_args()
    model, example = build(arguments.model), photograph((256, 192))
    ratios = []
    for run in range(arguments.runs):
        measured, looped = medians(model, example, 50)
        ratios.append(measured / looped)
        print(f"run {run + 1:2}: measure {measured:7.2f} ms, plain loop {looped:7.2f} ms, ratio {ratios[-1]:.4f}")
    low, high = median_interval(ratios)
    print(f"median ratio of {len(ratios)} runs: {statistics.median(ratios):.4f} ({low:.4f} to {high:.4f})")


if __name__ == "__main__":
    main()
