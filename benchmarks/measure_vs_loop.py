"""Does ``bench.speed.measure`` time what a plain loop times?

Alternates the two on one module in one process and prints the ratio of their median latencies, pair by
pair, and the median of the pairs. See docs/timing.md for what came out.

    python benchmarks/measure_vs_loop.py --model lightweight_mobilenetv3 --pairs 10
"""

import argparse
import statistics
import time

import torch

from bench.data import photograph
from bench.models import build
from bench.speed import measure


def plain_loop(model: torch.nn.Module, example: torch.Tensor, rounds: int, warmup: int) -> float:
    """Median latency in ms of the loop that anyone would write."""
    latency = []
    with torch.inference_mode():
        for _ in range(warmup):
            model(example)
        for _ in range(rounds):
            start = time.perf_counter()
            model(example)
            latency.append(time.perf_counter() - start)
    return 1000 * statistics.median(latency)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3")
    parser.add_argument("--pairs", type=int, default=10)
    arguments = parser.parse_args()
    model, example = build(arguments.model), photograph((256, 192))
    ratios = []
    for pair in range(arguments.pairs):
        # Which comes first changes from pair to pair, so that drift favours neither.
        for ours in (True, False) if pair % 2 else (False, True):
            if ours:
                measured = measure(model, example, rounds=50, warmup=5).metrics["latency_ms_median"]
            else:
                looped = plain_loop(model, example, 50, 5)
        ratios.append(measured / looped)
        print(f"pair {pair + 1:2}: measure {measured:7.2f} ms, plain loop {looped:7.2f} ms, ratio {ratios[-1]:.4f}")
    print(f"median ratio of {len(ratios)} pairs: {statistics.median(ratios):.4f}")


if __name__ == "__main__":
    main()
