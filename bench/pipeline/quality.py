"""How good joints are on a drawn video, where the truth is known: error, jitter of the still, lag of the moving."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from bench.core.arrays import Float64Array
from bench.core.skeletons import COCO, Skeleton, words
from bench.pipeline.sources import Drawn
from bench.pipeline.stages import Answer
from bench.pipeline.tracking import LEAST_OVERLAP, overlaps

SEEN = 2  # of a joint that is to be seen
LEAST_FRAMES = 3  # of a joint, for jitter and lag


def shared(skeleton: Skeleton) -> list[tuple[int, int]]:
    """Joints that drawn people have as well, by their names: their numbers in the skeleton and in COCO's."""
    theirs = {words(joint): number for number, joint in enumerate(COCO.joints)}
    pairs = ((number, theirs.get(words(joint))) for number, joint in enumerate(skeleton.joints))
    return [(mine, other) for mine, other in pairs if other is not None]


def figures(answers: Mapping[int, Answer], truth: Drawn, skeleton: Skeleton = COCO) -> dict[str, float]:
    """Figures of all frames that were looked at, by the joints that drawn people have as well.

    ``error_px`` and ``error_relative`` (over the root of the box' area) are means over joints that are to be seen, of
    people who were found; ``missed_share`` are the others. ``jitter_px`` and ``jitter_relative``: how far joints of
    those who stand still are from their own mean place, root of the mean square. ``lag_frames``: how many frames the
    joints of those who move are behind, by least squares of the error along the true velocity; ``lag_px`` and
    ``lag_relative``: the way that they make in this time.

    Args:
        answers: by the number of their frame.
        truth: the video.
        skeleton: whose joints the answers are.
    """
    frames = sorted(answers)
    people = len(truth.boxes[0])
    errors: list[float] = []
    relative: list[float] = []
    missed = total = 0
    mine_of, theirs_of = np.array(shared(skeleton), np.intp).reshape(-1, 2).T
    found = np.full((len(frames), people, truth.joints[0].shape[1], 2), np.nan)
    for row, number in enumerate(frames):
        answer, boxes = answers[number], truth.boxes[number]
        total += people
        pairs = _pairs(answer.boxes, boxes)
        missed += people - len(pairs)
        for mine, theirs in pairs:
            seen = (truth.seen[number][theirs] == SEEN) & np.isin(np.arange(len(COCO.joints)), theirs_of)
            found[row, theirs, theirs_of] = answer.joints[mine, mine_of, :2]
            distance = np.sqrt(((found[row, theirs] - truth.joints[number][theirs]) ** 2).sum(1))[seen]
            errors += distance.tolist()
            relative += (distance / _size(boxes[theirs])).tolist()
    told: dict[str, float] = {"missed_share": missed / max(total, 1)}
    if errors:
        told |= {"error_px": float(np.mean(errors)), "error_relative": float(np.mean(relative))}
    places = np.array([truth.joints[number] for number in frames])
    seen = np.array([truth.seen[number] == SEEN for number in frames])
    sizes = np.array([[_size(box) for box in truth.boxes[number]] for number in frames]).mean(0)
    still = np.array(truth.still or [False] * people)
    return told | _jitter(found, seen, sizes, still) | _lag(found, places, seen, sizes, ~still, np.array(frames))


def _pairs(found: Float64Array, truth: Float64Array) -> list[tuple[int, int]]:
    """Who was found as whom, by the overlap of boxes."""
    shared = overlaps(found, truth)
    matched = zip(*linear_sum_assignment(-shared), strict=True)
    return [(int(mine), int(theirs)) for mine, theirs in matched if shared[mine, theirs] >= LEAST_OVERLAP]


def _size(box: Float64Array) -> float:
    return float(np.sqrt(box[2] * box[3]))


def _jitter(
    found: Float64Array, seen: npt.NDArray[np.bool_], sizes: Float64Array, still: npt.NDArray[np.bool_]
) -> dict[str, float]:
    squares, scaled = [], []
    for person in np.flatnonzero(still):
        for joint in range(found.shape[2]):
            places = found[seen[:, person, joint] & np.isfinite(found[:, person, joint, 0]), person, joint]
            if len(places) >= LEAST_FRAMES:
                square = ((places - places.mean(0)) ** 2).sum(1).mean()
                squares.append(square)
                scaled.append(square / sizes[person] ** 2)
    if not squares:
        return {}
    return {"jitter_px": float(np.sqrt(np.mean(squares))), "jitter_relative": float(np.sqrt(np.mean(scaled)))}


def _lag(
    found: Float64Array, truth: Float64Array, seen: npt.NDArray[np.bool_], sizes: Float64Array,
    moving: npt.NDArray[np.bool_], frames: npt.NDArray[np.int_],
) -> dict[str, float]:  # fmt: skip
    if len(frames) < LEAST_FRAMES or (np.diff(frames) != 1).any():
        return {}
    velocity = np.gradient(truth, axis=0)  # pixels a frame
    along = speed = 0.0
    ways, scaled = [], []
    for person in np.flatnonzero(moving):
        for joint in range(found.shape[2]):
            good = seen[:, person, joint] & np.isfinite(found[:, person, joint, 0])
            if good.sum() < LEAST_FRAMES:
                continue
            error = found[good, person, joint] - truth[good, person, joint]
            step = velocity[good, person, joint]
            along -= float(((error - error.mean(0)) * step).sum())  # a constant error is no lag
            speed += float((step**2).sum())
            way = np.sqrt((step**2).sum(1))
            ways += way.tolist()
            scaled += (way / sizes[person]).tolist()
    if speed <= 0:
        return {}
    lag = along / speed
    return {"lag_frames": lag, "lag_px": lag * float(np.mean(ways)), "lag_relative": lag * float(np.mean(scaled))}
