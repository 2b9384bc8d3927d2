"""Object keypoint similarity (OKS): how alike two poses are, and non-maximum suppression by it."""

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array, Int64Array

Indices = npt.NDArray[np.intp]

# How far people are apart who annotate the same joint, over the square root of the person's area: COCO's figures.
# Divided as in pycocotools, to be the same to the last bit.
_SIGMAS = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
SIGMAS: Float64Array = np.array(_SIGMAS) / 10
_VARIANCES = (SIGMAS * 2) ** 2


def oks_nms(poses: npt.ArrayLike, areas: npt.ArrayLike, scores: npt.ArrayLike, threshold: float = 0.9) -> list[int]:
    """Which poses of one picture to keep, so that no two of them are the same person.

    The best pose is kept, and those more than ``threshold`` like it go; then the best of the rest, and so on. All
    joints count, and of two poses the mean area. Of equal scores the later pose comes first, as published.

    Args:
        poses: ``[N, 17, 2]`` x, y of COCO's joints in image pixels.
        areas: ``[N]`` in square pixels.
        scores: ``[N]``.
        threshold: poses of exactly this OKS are two people.

    Returns:
        Indices of the poses to keep, best first.
    """
    poses = np.asarray(poses, np.float64).reshape(-1, len(SIGMAS), 2)
    areas, scores = np.asarray(areas, np.float64), np.asarray(scores, np.float64)
    return suppress(np.zeros(len(poses), np.int64), poses, areas, scores, threshold).tolist()


def suppress(
    image: Int64Array, poses: Float64Array, areas: Float64Array, scores: Float64Array, threshold: float
) -> Indices:
    """``oks_nms`` of many pictures at once.

    Args:
        image: ``[N]`` which picture each pose is in; the others as in ``oks_nms``.

    Returns:
        Indices of the poses to keep, by picture, best first.
    """
    order = np.lexsort((-np.arange(len(image)), -scores, image))
    image, poses, areas = image[order], poses[order], areas[order]

    def alike(better: Indices, worse: Indices, joints: int) -> Float64Array:
        """The first joints' part of the OKS of pairs, ``[P]``."""
        offset = poses[better, :joints] - poses[worse, :joints]
        area = (areas[better] + areas[worse]) / 2 + np.spacing(1)
        error = (offset[..., 0] ** 2 + offset[..., 1] ** 2) / _VARIANCES[:joints] / area[:, None] / 2
        return np.exp(-error).sum(1) / len(SIGMAS)

    # Poses of a picture are neighbours, so its pairs are those one apart, those two apart, and so on. A joint adds
    # 1/17 at most, by which the first four tell most pairs to be two people; the slack is for rounding.
    same: list[tuple[int, int]] = []
    for apart in range(1, len(image)):
        better = np.flatnonzero(image[:-apart] == image[apart:])
        if not len(better):
            break
        better = better[alike(better, better + apart, 4) > threshold - 13 / 17 - 1e-9]
        better = better[alike(better, better + apart, 17) > threshold]
        same += [(pose, pose + apart) for pose in better.tolist()]
    gone = np.zeros(len(image), bool)
    for i, j in sorted(same):  # whether i itself goes is known by the time that it is reached
        gone[j] |= not gone[i]
    return order[~gone]


def oks_of_pairs(
    poses: Float64Array, joints: Float64Array, boxes: Float64Array, areas: Float64Array, pose: Indices, person: Indices
) -> Float64Array:
    """How alike predicted and annotated poses are, as COCO defines it, for many pairs at once.

    Only annotated joints count. Of a person without any (a crowd), it is the distance to the box, enlarged to three
    times its size, that counts. Every operation is done in the order of pycocotools, so that the results are equal to
    the last bit: that is why people of as many annotated joints are computed together, and not all with a mask.

    Args:
        poses: ``[N, 17, 2]`` predicted x, y.
        joints: ``[G, 17, 3]`` annotated x, y, visibility.
        boxes: ``[G, 4]`` annotated x, y, width, height.
        areas: ``[G]`` annotated areas in square pixels.
        pose: ``[P]`` index of each pair into ``poses``.
        person: ``[P]`` index of each pair into ``joints``.

    Returns:
        ``[P]``.
    """
    annotated = joints[..., 2] > 0
    counts, annotated_first = annotated.sum(1), np.argsort(~annotated, axis=1, kind="stable")
    similarity = np.empty(len(pose), np.float64)
    for count in np.unique(counts[person]).tolist():
        pairs = np.flatnonzero(counts[person] == count)
        i, g = pose[pairs], person[pairs]
        if count:
            which = annotated_first[g, :count]
            difference = poses[i[:, None], which] - joints[g[:, None], which, :2]
            dx, dy = difference[..., 0], difference[..., 1]
            variance = _VARIANCES[which]
        else:
            x, y, width, height = boxes[g].T[..., None]
            dx, dy = _outside(poses[i, :, 0], x, width), _outside(poses[i, :, 1], y, height)
            variance = _VARIANCES
        error = (dx**2 + dy**2) / variance / (areas[g] + np.spacing(1))[:, None] / 2
        similarity[pairs] = np.exp(-error).sum(1) / error.shape[1]
    return similarity


def _outside(position: Float64Array, start: Float64Array, length: Float64Array) -> Float64Array:
    """How far a position is outside a stretch that is enlarged by its length on either side."""
    return np.maximum(0, (start - length) - position) + np.maximum(0, position - (start + length * 2))
