"""Object keypoint similarity (OKS): how alike two poses are, and non-maximum suppression by it."""

from functools import lru_cache

import numpy as np
import numpy.typing as npt

from bench.accuracy.checks import Floats

Indices = npt.NDArray[np.intp]

# How far people are apart who annotate the same joint, over the square root of the person's area: COCO's figures.
# Divided as in pycocotools, to be the same to the last bit.
_SIGMAS = [0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89]
SIGMAS: Floats = np.array(_SIGMAS) / 10
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
    order = np.argsort(np.asarray(scores, np.float64), kind="stable")[::-1]
    poses = np.asarray(poses, np.float64).reshape(-1, len(SIGMAS), 2)[order]
    areas = np.asarray(areas, np.float64)[order]
    better, worse = _pairs(len(order))
    offset = poses[better] - poses[worse]
    area = (areas[better] + areas[worse]) / 2 + np.spacing(1)
    error = (offset[..., 0] ** 2 + offset[..., 1] ** 2) / _VARIANCES / area[:, None] / 2
    same = np.flatnonzero(np.exp(-error).mean(1) > threshold)
    gone = set()
    # By rank of the better pose: whether that one goes is known by the time that it is reached.
    for i, j in zip(better[same].tolist(), worse[same].tolist(), strict=True):
        if i not in gone:
            gone.add(j)
    return [index for rank, index in enumerate(order.tolist()) if rank not in gone]


@lru_cache(64)
def _pairs(count: int) -> tuple[Indices, Indices]:
    first, second = np.triu_indices(count, 1)
    return first, second


def oks_of_pairs(poses: Floats, joints: Floats, boxes: Floats, areas: Floats, pose: Indices, person: Indices) -> Floats:
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


def _outside(position: Floats, start: Floats, length: Floats) -> Floats:
    """How far a position is outside a stretch that is enlarged by its length on either side."""
    return np.maximum(0, (start - length) - position) + np.maximum(0, position - (start + length * 2))
