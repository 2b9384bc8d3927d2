"""What watching operators costs: a network alone, under torch's profiler, and under a dispatch mode with a clock.

python benchmarks/explain_methods.py [MODEL ...]
"""

import argparse
import functools
import statistics
import time
from typing import Any

import torch
from torch.utils._python_dispatch import TorchDispatchMode

from bench.data import photograph
from bench.explain.profiled import plain_round, profiled_round
from bench.models import build
from bench.timing.clock import Inference, once

ROUNDS = 12


class Clock(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Times every operator as Python sees it."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.spent = 0

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        start = time.perf_counter_ns()
        output = func(*args, **(kwargs or {}))
        self.spent += time.perf_counter_ns() - start
        return output


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=["lite_hrnet_18", "lightweight_mobilenetv3"], metavar="MODEL")
    arguments = parser.parse_args()
    example = photograph((256, 192))
    print("ms: alone | profiler: whole, operators | dispatch mode: whole, operators")
    for name in arguments.models:
        model = build(name)
        inference = Inference(functools.partial(model, example))
        alone, profiled, clocked = [], [], []
        with torch.inference_mode():
            for _ in range(ROUNDS):
                alone.append(plain_round(inference))
                timed = profiled_round(inference, example.device)
                profiled.append((timed.total_s, sum(timed.seconds)))
                with Clock() as clock:
                    _, taken = once(inference)
                clocked.append((taken, clock.spent / 1e9))
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
