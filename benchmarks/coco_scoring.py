"""How long does scoring take at the size of COCO val2017, and do both evaluators say the same?

Makes up 5,000 images, 11,000 annotated people in 2,700 of them, 250 crowds and 100,000 predicted poses, the same ones
every time. Times in each round ``bench.accuracy.score_coco`` as a whole, from loaded predictions to the ten metrics,
two of its steps, and evaluate and accumulate of faster-coco-eval as it comes and of pycocotools, of poses that were
rescored and suppressed before. Everything is one thread. Fails if the ten metrics are not equal to pycocotools' to the
last bit. See docs/accuracy.md for what came out.

    python benchmarks/coco_scoring.py --rounds 5
"""

import argparse
import contextlib
import copy
import gc
import io
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Iterator
from typing import Any

import faster_coco_eval
import numpy as np
from pycocotools import coco, cocoeval

from bench.accuracy import coco_results, score_coco
from bench.accuracy.coco import METRICS, _evaluate_faster, poses_of
from bench.data.annotations import read_annotations

IMAGES, WITH_PEOPLE, PEOPLE, CROWDS, POSES = 5000, 2700, 11_000, 250, 100_000


def made_up(random: np.random.Generator) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """Annotations, and predictions of which most are near an annotated person of their image."""
    count = PEOPLE + CROWDS
    image = random.integers(WITH_PEOPLE, size=count)
    size = random.lognormal((4.1, 4.8), 0.7, (count, 2)).clip(8, (500, 470))
    box = np.concatenate((random.random((count, 2)) * ((640, 480) - size), size), 1)
    joints = (box[:, None, :2] + random.random((count, 17, 2)) * size[:, None]).round()
    visible = random.integers(3, size=(count, 17)) * (random.random((count, 1)) < 0.8)  # of some people no joint is
    crowd = np.arange(count) >= PEOPLE
    visible[crowd] = 0
    keypoints = np.where(visible[..., None] > 0, np.dstack((joints, visible)), 0).astype(int).reshape(count, -1)
    annotations = [
        {
            "id": number + 1,
            "image_id": int(image[number]),
            "category_id": 1,
            "iscrowd": int(crowd[number]),
            "num_keypoints": int((visible[number] > 0).sum()),
            "area": float(0.6 * size[number].prod()),
            "bbox": box[number].tolist(),
            "keypoints": keypoints[number].tolist(),
        }
        for number in range(count)
    ]
    person = {"id": 1, "name": "person", "keypoints": [f"joint {joint}" for joint in range(17)]}
    truth = {"images": [{"id": i} for i in range(IMAGES)], "categories": [person], "annotations": annotations}

    near = random.random(POSES) < 0.5
    target = random.integers(count, size=POSES)
    at = np.where(near[:, None, None], joints[target], random.random((POSES, 17, 2)) * (640, 480))
    error = random.exponential(0.05, (POSES, 1, 1)) * np.sqrt(size[target].prod(1))[:, None, None]
    at += random.normal(size=at.shape) * error
    where = np.where(near, image[target], random.integers(IMAGES, size=POSES))
    # The closer, the surer, more or less.
    score = np.exp(-error[:, 0, 0] / 20) * np.where(near, 1, 0.3) * random.random(POSES)
    joint_scores = random.random((POSES, 17))
    predictions = [
        {"image_id": image, "bbox_score": score, "keypoints": keypoints, "size_px": size_px}
        for image, score, keypoints, size_px in zip(
            where.tolist(),
            score.tolist(),
            np.dstack((at, joint_scores)).tolist(),
            (1.25 * size[target]).tolist(),
            strict=True,
        )
    ]
    return truth, predictions


class Stopwatch:
    """Wall and processor seconds of named steps."""

    def __init__(self) -> None:
        self.seconds: dict[str, list[tuple[float, float]]] = defaultdict(list)

    @contextlib.contextmanager
    def time(self, step: str) -> Iterator[None]:
        gc.collect()  # so that no step clears up after another
        wall, processor = time.perf_counter(), time.process_time()
        yield
        self.seconds[step].append((time.perf_counter() - wall, time.process_time() - processor))

    def table(self, base: str) -> str:
        """Medians, and the medians of how many times longer the base took in the same round."""
        lines = [f"{'':52}     wall   ratio   processor   ratio"]
        for step, times in self.seconds.items():
            columns = []
            for clock in (0, 1):
                ratios = [a[clock] / b[clock] for a, b in zip(self.seconds[base], times, strict=True)]
                columns.append(f"{statistics.median(t[clock] for t in times):6.2f} s {statistics.median(ratios):7.2f}")
            lines.append(f"{step:52} {'    '.join(columns)}")
        return "\n".join(lines)


def library(index_class: Callable[[], Any], truth: Any, results: list[dict[str, Any]]) -> tuple[Any, Any]:
    """A library's indices over the annotations and the results."""
    index = index_class()
    index.dataset = copy.deepcopy(truth)
    index.createIndex()
    return index, index.loadRes([dict(result) for result in results])  # which writes into them


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5)
    rounds = parser.parse_args().rounds
    truth, predictions = made_up(np.random.default_rng(0))
    results = coco_results(predictions)
    watch = Stopwatch()
    for _ in range(rounds):
        with watch.time("score_coco, from predictions to metrics"):
            ours = score_coco(truth, predictions)
        people = read_annotations(truth)
        poses = poses_of(people, predictions)
        with watch.time("  its suppression"):
            kept = poses.suppressed(0.9)
        with watch.time("  its evaluation, from arrays to metrics"):
            _evaluate_faster(people, kept)
        for name, index_class, evaluation_class in (
            ("faster-coco-eval as it comes", faster_coco_eval.COCO, faster_coco_eval.COCOeval_faster),
            ("pycocotools", coco.COCO, cocoeval.COCOeval),
        ):
            with contextlib.redirect_stdout(io.StringIO()):
                evaluation = evaluation_class(*library(index_class, truth, results), "keypoints")
                with watch.time(f"{name}: evaluate and accumulate"):
                    evaluation.evaluate()
                    evaluation.accumulate()
                evaluation.summarize()
        theirs = dict(zip(METRICS, evaluation.stats.tolist(), strict=True))
        if ours != theirs:
            sys.exit(f"the metrics differ:\n{ours}\n{theirs}")
    print(f"{len(predictions)} poses, {len(results)} after suppression; the ten metrics are equal to the last bit:")
    print(", ".join(f"{name} {value:.4f}" for name, value in ours.items()))
    print(watch.table("pycocotools: evaluate and accumulate"))


if __name__ == "__main__":
    main()
