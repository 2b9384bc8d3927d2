"""Object keypoint similarity (OKS): how alike two poses are, and non-maximum suppression by it.

The sigmas of joints are those of a ``bench.core.skeletons.Skeleton``.
"""

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array, Int64Array
from bench.core.skeletons import COCO, Skeleton

Indices = npt.NDArray[np.intp]

_FIRST = 4  # joints that tell most pairs of poses apart


def sigmas_of(skeleton: Skeleton) -> Float64Array:
    """``[J]``; whoever reads a skeleton to be scored by OKS sees to it that it has them."""
    assert skeleton.sigmas is not None
    return np.array(skeleton.sigmas, np.float64)


def oks_nms(
    poses: npt.ArrayLike,
    areas: npt.ArrayLike,
    scores: npt.ArrayLike,
    threshold: float = 0.9,
    skeleton: Skeleton = COCO,
) -> list[int]:
    """Which poses of one picture to keep, so that no two of them are the same person.

    The best pose is kept, and those more than ``threshold`` like it go; then the best of the rest, and so on. All
    joints count, and of two poses the mean area. Of equal scores the later pose comes first, as published.

    Args:
        poses: ``[N, J, 2]`` x, y in image pixels.
        areas: ``[N]`` in square pixels.
        scores: ``[N]``.
        threshold: poses of exactly this OKS are two people.
        skeleton: whose joints they are.

    Returns:
        Indices of the poses to keep, best first.
    """
    sigmas = sigmas_of(skeleton)
    poses = np.asarray(poses, np.float64).reshape(-1, len(sigmas), 2)
    areas, scores = np.asarray(areas, np.float64), np.asarray(scores, np.float64)
    return suppress(np.zeros(len(poses), np.int64), poses, areas, scores, threshold, sigmas).tolist()


def suppress(
    image: Int64Array,
    poses: Float64Array,
    areas: Float64Array,
    scores: Float64Array,
    threshold: float,
    sigmas: Float64Array,
) -> Indices:
    """``oks_nms`` of many pictures at once.

    Args:
        image: ``[N]`` which picture each pose is in; the others as in ``oks_nms``.

    Returns:
        Indices of the poses to keep, by picture, best first.
    """
    order = np.lexsort((-np.arange(len(image)), -scores, image))
    image, poses, areas = image[order], poses[order], areas[order]
    variances, count = (sigmas * 2) ** 2, len(sigmas)

    def alike(better: Indices, worse: Indices, joints: int) -> Float64Array:
        """The first joints' part of the OKS of pairs, ``[P]``."""
        offset = poses[better, :joints] - poses[worse, :joints]
        area = (areas[better] + areas[worse]) / 2 + np.spacing(1)
        error = (offset[..., 0] ** 2 + offset[..., 1] ** 2) / variances[:joints] / area[:, None] / 2
        return np.exp(-error).sum(1) / count

    # Poses of a picture are neighbours, so its pairs are those one apart, those two apart, and so on. A joint adds
    # 1 / J at most, by which the first four tell most pairs to be two people; the slack is for rounding.
    first = min(_FIRST, count)
    same: list[tuple[int, int]] = []
    for apart in range(1, len(image)):
        better = np.flatnonzero(image[:-apart] == image[apart:])
        if not len(better):
            break
        better = better[alike(better, better + apart, first) > threshold - (count - first) / count - 1e-9]
        better = better[alike(better, better + apart, count) > threshold]
        same += [(pose, pose + apart) for pose in better.tolist()]
    gone = np.zeros(len(image), bool)
    for i, j in sorted(same):  # whether i itself goes is known by the time that it is reached
        gone[j] |= not gone[i]
    return order[~gone]


def oks_of_pairs(
    poses: Float64Array,
    joints: Float64Array,
    boxes: Float64Array,
    areas: Float64Array,
    pose: Indices,
    person: Indices,
    sigmas: Float64Array,
) -> Float64Array:
    """How alike predicted and annotated poses are, as COCO defines it, for many pairs at once.

    Only annotated joints count. Of a person without any (a crowd), it is the distance to the box, enlarged to three
    times its size, that counts. Every operation is done in the order of pycocotools, so that the results are equal to
    the last bit: that is why people of as many annotated joints are computed together, and not all with a mask.

    Args:
        poses: ``[N, J, 2]`` predicted x, y.
        joints: ``[G, J, 3]`` annotated x, y, visibility.
        boxes: ``[G, 4]`` annotated x, y, width, height.
        areas: ``[G]`` annotated areas in square pixels.
        pose: ``[P]`` index of each pair into ``poses``.
        person: ``[P]`` index of each pair into ``joints``.
        sigmas: ``[J]``.

    Returns:
        ``[P]``.
    """
    annotated, variances = joints[..., 2] > 0, (sigmas * 2) ** 2
    counts, annotated_first = annotated.sum(1), np.argsort(~annotated, axis=1, kind="stable")
    similarity = np.empty(len(pose), np.float64)
    for count in np.unique(counts[person]).tolist():
        pairs = np.flatnonzero(counts[person] == count)
        i, g = pose[pairs], person[pairs]
        if count:
            which = annotated_first[g, :count]
            difference = poses[i[:, None], which] - joints[g[:, None], which, :2]
            dx, dy = difference[..., 0], difference[..., 1]
            variance = variances[which]
        else:
            x, y, width, height = boxes[g].T[..., None]
            dx, dy = _outside(poses[i, :, 0], x, width), _outside(poses[i, :, 1], y, height)
            variance = variances
        error = (dx**2 + dy**2) / variance / (areas[g] + np.spacing(1))[:, None] / 2
        similarity[pairs] = np.exp(-error).sum(1) / error.shape[1]
    return similarity


def _outside(position: Float64Array, start: Float64Array, length: Float64Array) -> Float64Array:
    """How far a position is outside a stretch that is enlarged by its length on either side."""
    return np.maximum(0, (start - length) - position) + np.maximum(0, position - (start + length * 2))
