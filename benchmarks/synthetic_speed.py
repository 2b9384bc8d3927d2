"""How many synthetic pictures a second one and two processes draw.

    python benchmarks/synthetic_speed.py [--seconds 10]

A portrait counts when its 256 x 192 crop is cut, as training needs it; of scenes the whole picture counts. See
docs/synthetic.md for what came out.
"""

import argparse
import multiprocessing
import time
from multiprocessing.synchronize import Barrier

import cv2

from bench.data import box_to_crop, crop
from bench.data.synthetic import draw_portrait, draw_scene

SIZE = (256, 192)


def portrait(index: int) -> None:
    scene = draw_portrait(1, index)
    centre, size = box_to_crop(tuple(scene.annotations[0]["bbox"]), SIZE)
    crop(scene.image, centre, size, SIZE)


def scene(index: int) -> None:
    draw_scene(1, index)


WORK = {"portraits": portrait, "scenes": scene}


def worker(
    what: str, number: int, seconds: float, barrier: Barrier, done: "multiprocessing.Queue[tuple[float, float]]"
) -> None:
    """Draw for a while; puts pictures a second of wall time and of processor time."""
    cv2.setNumThreads(1)
    draw = WORK[what]
    for index in range(3):  # the first pictures make textures
        draw(index)
    barrier.wait()
    start, used, drawn = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - start < seconds:
        draw(1_000_000 * number + drawn)
        drawn += 1
    done.put((drawn / (time.perf_counter() - start), drawn / (time.process_time() - used)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=10, help="of drawing, for each line")
    arguments = parser.parse_args()
    context = multiprocessing.get_context("spawn")
    print(f"{'':10} {'processes':>9} {'a second':>9} {'a second of processor time':>27}")
    for what in WORK:
        for processes in (1, 2):
            barrier, done = context.Barrier(processes), context.Queue()
            running = [
                context.Process(target=worker, args=(what, number, arguments.seconds, barrier, done))
                for number in range(processes)
            ]
            for process in running:
                process.start()
            rates = [done.get() for _ in running]
            for process in running:
                process.join()
            wall, used = sum(rate for rate, _ in rates), sum(rate for _, rate in rates) / processes
            print(f"{what:10} {processes:9} {wall:9.1f} {used:27.1f}", flush=True)


if __name__ == "__main__":
    main()
