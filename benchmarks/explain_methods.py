"""What watching operators costs: a network alone, under torch's profiler, and under a dispatch mode with a clock.

python benchmarks/explain_methods.py [MODEL ...]
"""

import statistics
import sys
import time
from typing import Any

import torch
from bench.explain.timing import plain_round, profiled_round
from torch.utils._python_dispatch import TorchDispatchMode

from bench.data import photograph
from bench.models import build

ROUNDS = 12


class Clock(TorchDispatchMode):
    """Times every operator as Python sees it."""

    def __init__(self) -> None:
        super().__init__()
        self.spent = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter_ns()
        output = func(*args, **(kwargs or {}))
        self.spent += time.perf_counter_ns() - start
        return output


def main() -> None:
    example = photograph((256, 192))
    print("ms: alone | profiler: whole, operators | dispatch mode: whole, operators")
    for name in sys.argv[1:] or ["lite_hrnet_18", "lightweight_mobilenetv3"]:
        model = build(name)
        alone, profiled, clocked = [], [], []
        for _ in range(ROUNDS):
            alone.append(plain_round(model, example))
            timed = profiled_round(model, example)
            profiled.append((timed.total_s, sum(timed.seconds)))
            with torch.inference_mode(), Clock() as clock:
                start = time.perf_counter()
                model(example)
                clocked.append((time.perf_counter() - start, clock.spent / 1e9))
        pairs = [
            tuple(statistics.median(column) * 1e3 for column in zip(*rows, strict=True)) for rows in (profiled, clocked)
        ]
        (whole, operators), (whole_mode, operators_mode) = pairs
        print(
            f"{name}: {statistics.median(alone) * 1e3:.1f} | {whole:.1f}, {operators:.1f} | "
            f"{whole_mode:.1f}, {operators_mode:.1f}"
        )


if __name__ == "__main__":
    main()
