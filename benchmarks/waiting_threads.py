"""What it costs that threads spin while they wait for each other, alone and beside other work: see docs/timing.md.

A depthwise and a pointwise convolution of 40 channels at 64x48, and the range of what comes out, with as many threads
as the machine has cores; in processes that take turns, each with another setting of OpenMP, beside none, one and
several processes that compute all the time.

    python benchmarks/waiting_threads.py
"""

import argparse
import contextlib
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator

import torch

SETTINGS = {
    "as it comes": {},
    "GOMP_SPINCOUNT=1000": {"GOMP_SPINCOUNT": "1000"},
    "OMP_WAIT_POLICY=PASSIVE": {"OMP_WAIT_POLICY": "PASSIVE"},
}
BUSY = "while True: pass"


def milliseconds(threads: int, seconds: float) -> float:
    """The mean time of a round in this process."""
    torch.set_num_threads(threads)
    depthwise = torch.nn.Conv2d(40, 40, 3, padding=1, groups=40)
    pointwise, images = torch.nn.Conv2d(40, 40, 1), torch.randn(1, 40, 64, 48)
    with torch.inference_mode():
        for _ in range(20):
            pointwise(depthwise(images)).aminmax()
        count, began = 0, time.perf_counter()
        while time.perf_counter() - began < seconds:
            pointwise(depthwise(images)).aminmax()
            count += 1
    return 1000 * (time.perf_counter() - began) / count


@contextlib.contextmanager
def busy(count: int) -> Iterator[None]:
    """Processes that compute all the time."""
    neighbours = [subprocess.Popen([sys.executable, "-c", BUSY]) for _ in range(count)]
    try:
        yield
    finally:
        for one in neighbours:
            one.kill()
            one.wait()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--seconds", type=float, default=4.0, help="of a process (default: 4)")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument(
        "--measure", action="store_true", help=argparse.SUPPRESS
    )  # one process of those that take turns
    arguments = parser.parse_args()
    if arguments.measure:
        print(milliseconds(arguments.threads, arguments.seconds))
        return
    command = [sys.executable, __file__, "--measure", "--threads", str(arguments.threads)]
    command += ["--seconds", str(arguments.seconds)]
    print(f"| {arguments.threads} threads, beside | {' | '.join(SETTINGS)} |")
    print(f"|---|{'---|' * len(SETTINGS)}")
    for neighbours in (0, 1, arguments.threads):
        times: dict[str, list[float]] = {name: [] for name in SETTINGS}
        with busy(neighbours):
            for _ in range(arguments.turns):
                for name, setting in SETTINGS.items():
                    done = subprocess.run(command, env=os.environ | setting, capture_output=True, text=True, check=True)
                    times[name].append(float(done.stdout))
        shown = " | ".join(f"{statistics.median(values):.3f} ms" for values in times.values())
        print(f"| {neighbours} busy processes | {shown} |", flush=True)


if __name__ == "__main__":
    main()
