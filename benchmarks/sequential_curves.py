"""How the latency check decides, drawn from recorded pairs: false alarms, slow-downs found, pairs needed, undecided.

    python benchmarks/sequential_curves.py [--draws 1000] [--pairs 40] [--threshold 0.05]

Nothing is timed. Comparisons are drawn at random from pairs that were timed before: those in results/reference/, and
two series that were seen beside another job. What is left of a pair's logarithm of its ratio once the true one is taken
off is its noise; a comparison is a number of noises, each with its sign changed at random (which of two sides is called
the new one is arbitrary), plus the slow-down that is planted. The first set has at most ``--pairs``, as many as fit
into its time; a regression must be confirmed by a second one, and both together have at most twice as many. "Before":
the anytime-valid t-interval of the mean that decided until this test replaced it.
"""

import argparse
import math
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.core.results import read
from bench.regress.self_test_conditions import busy_neighbours
from bench.regress.sequential import ERROR_RATE, log_stakes

REFERENCE = Path(__file__).resolve().parents[1] / "results" / "reference"
# Ratios of pairs beside another job: of code that is 14 % slower, and of the same code.
SLOWER_14 = (1.451, 0.962, 0.962, 0.924, 1.126, 1.666, 1.214, 1.419, 1.082, 1.157, 1.144)
SAME = (1.0, 1.041, 0.959, 0.976, 1.002, 1.049, 0.997, 0.833, 1.013, 0.69, 0.989, 1.051)
PLANTED = (0.0, 0.1, 0.2)
SPREAD = 0.015  # of normal pairs
PRIOR_VARIANCE, LEAST_PAIRS = 10.0, 3  # of the test before

Noise = Callable[[np.random.Generator, tuple[int, int]], np.ndarray]


def resampled(logs: np.ndarray) -> Noise:
    def draw(random: np.random.Generator, shape: tuple[int, int]) -> np.ndarray:
        drawn: np.ndarray = random.choice(logs, shape) * random.choice([-1.0, 1.0], shape)
        return drawn

    return draw


def sources() -> dict[str, Noise]:
    """Noise of pairs by where it comes from."""
    found: dict[str, Noise] = {
        f"normal, {100 * SPREAD:.1f} %": lambda random, shape: SPREAD * random.standard_normal(shape),
        "beside another job, 14 % slower": resampled(np.log(SLOWER_14) - math.log(1.14)),
        "beside another job, same code": resampled(np.log(SAME)),
    }
    recorded: dict[str, list[float]] = {}
    for path in sorted(REFERENCE.glob("*/regress.jsonl")):
        for record in read(path):
            if record.protocol.get("name") == "self-test":
                beside = ("alone", "beside a busy process")[min(1, busy_neighbours(record))]
                for one in record.samples["log_ratio"]:
                    # What is planted takes a little more than it says: the noise is what differs from pair to pair.
                    centre = float(np.median([log for each in record.samples["log_ratio"] for log in each]))
                    recorded.setdefault(f"recorded, {beside}", []).extend(log - centre for log in one)
    return found | {name: resampled(np.array(logs)) for name, logs in recorded.items()}


def by_signs(logs: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """After each pair of each set ``[sets, pairs]``: whether it says slower, and whether it says clear."""
    away, enough = logs - math.log1p(threshold), math.log(2 / ERROR_RATE)
    return log_stakes(away) >= enough, log_stakes(-away) >= enough


def by_mean(logs: np.ndarray, threshold: float) -> tuple[np.ndarray, np.ndarray]:
    """The same by the t-interval of the mean (Lai 1976; Wang and Ramdas 2025)."""
    count = np.arange(1, logs.shape[1] + 1)
    mean = logs.cumsum(1) / count
    squares = np.maximum((logs**2).cumsum(1) - count * mean**2, 0)
    deviation = np.sqrt(squares / np.maximum(count - 1, 1))
    shrink = 1 / (1 + count * PRIOR_VARIANCE)
    bound = (shrink**-0.5 / ERROR_RATE) ** (2 / count)
    known = (bound * shrink < 1) & (count >= LEAST_PAIRS)
    largest = np.where(known, (bound - 1) / np.where(known, 1 - bound * shrink, 1), 0)
    half = np.sqrt(largest * (count - 1)) * deviation / np.sqrt(count)
    limit = math.log1p(threshold)
    return known & (mean - half > limit), known & (mean + half < limit)


def decided(slower: np.ndarray, clear: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What each set says, 1 slower, -1 clear and 0 nothing, and after how many pairs."""
    either = slower | clear
    first = np.where(either.any(1), either.argmax(1), either.shape[1] - 1)
    row = np.arange(len(either))
    return slower[row, first].astype(int) - clear[row, first].astype(int), first + 1


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=1000, help="comparisons a line")
    parser.add_argument("--pairs", type=int, default=40, help="that fit into the time of a set")
    parser.add_argument("--threshold", type=float, default=0.05, help="slow-down that is let pass")
    arguments = parser.parse_args()
    limit = f"{100 * arguments.threshold:g} %"
    most = arguments.pairs
    print(f"drawn from recorded pairs: {arguments.draws} comparisons a line, {limit} let pass, {most} pairs a set")
    print("| noise of pairs | new code | test | said slower | said clear | undecided | pairs, median | nine in ten |")
    print("|---|---|---|---|---|---|---|---|")
    for name, noise in sources().items():
        for planted in PLANTED:
            random = np.random.default_rng(0)
            sets = [noise(random, (arguments.draws, size)) + math.log1p(planted) for size in (most, 2 * most)]
            for label, test in (("signs", by_signs), ("before", by_mean)):
                (first, pairs), (second, more) = (decided(*test(one, arguments.threshold)) for one in sets)
                in_time = pairs + more <= 2 * most
                verdict = np.where(first == 1, np.where(in_time, second, 0), first)
                needed = np.where(first == 1, np.minimum(pairs + more, 2 * most), pairs)
                shares = " | ".join(f"{(verdict == which).mean():.1%}".replace("%", " %") for which in (1, -1, 0))
                code = f"{planted:.0%} slower".replace("%", " %") if planted else "the same"
                middle, ninth = np.percentile(needed, (50, 90))
                print(f"| {name} | {code} | {label} | {shares} | {middle:.0f} | {ninth:.0f} |")


if __name__ == "__main__":
    main()
