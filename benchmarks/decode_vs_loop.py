"""How long does decoding a batch take, against a loop over its joints?

64 people of 17 joints, heatmaps of 64x48 with a Gaussian each. Prints the median of each method in ms and the ratio of
a loop's, which does the same joint by joint. See docs/accuracy.md for what came out.

    python benchmarks/decode_vs_loop.py --rounds 20
"""

import argparse
import statistics
from collections.abc import Callable

import cv2
import numpy as np
import numpy.typing as npt

from bench.accuracy import decode
from bench.timing.clock import Fixed, Inference, time_rounds

Maps = npt.NDArray[np.float32]


def one(heatmap: Maps, method: str) -> tuple[float, float]:
    """A joint, in heatmap pixels."""
    height, width = heatmap.shape
    y, x = divmod(int(heatmap.argmax()), width)
    if method == "quarter_offset" and 1 < x < width - 1 and 1 < y < height - 1:
        dx, dy = heatmap[y, x + 1] - heatmap[y, x - 1], heatmap[y + 1, x] - heatmap[y - 1, x]
        return x + 0.25 * np.sign(dx), y + 0.25 * np.sign(dy)
    if method == "dark" and 1 < x < width - 2 and 1 < y < height - 2:
        smooth = cv2.GaussianBlur(np.pad(heatmap, 5), (11, 11), 0)[5:-5, 5:-5]
        log = np.log(np.maximum(smooth * (heatmap.max() / smooth.max()), 1e-10))
        gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
        xx, yy = log[y, x + 2] - 2 * log[y, x] + log[y, x - 2], log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]
        xy = log[y + 1, x + 1] - log[y + 1, x - 1] - log[y - 1, x + 1] + log[y - 1, x - 1]
        dx, dy = np.linalg.solve(np.array([[xx, xy], [xy, yy]]) / 4, -gradient)
        return x + dx, y + dy
    return x, y


def median_ms(function: Callable[[], object], rounds: int) -> float:
    return statistics.median(time_rounds(Inference(function), Fixed(rounds)).latency_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=20)
    rounds = parser.parse_args().rounds
    random = np.random.default_rng(0)
    rows, columns = np.mgrid[:64, :48]
    x, y = random.uniform(0, 48, (64, 17, 1, 1)), random.uniform(0, 64, (64, 17, 1, 1))
    maps = np.exp(-((columns - x) ** 2 + (rows - y) ** 2) / 8).astype(np.float32)
    centers, sizes = np.zeros((64, 2)), np.full((64, 2), (48, 64))
    for method in ("quarter_offset", "argmax", "dark"):
        batch = median_ms(lambda: decode(maps, centers, sizes, method), rounds)  # noqa: B023
        loop = median_ms(lambda: [[one(plane, method) for plane in person] for person in maps], rounds)  # noqa: B023
        print(f"{method:15} {batch:6.2f} ms, the loop {loop:7.2f} ms: {loop / batch:5.1f} times")


if __name__ == "__main__":
    main()
