"""Object keypoint similarity (OKS): how alike two poses are, and non-maximum suppression by it."""

import numpy as np
import numpy.typing as npt

Floats = npt.NDArray[np.float64]

# How far people are apart who annotate the same joint, over the square root of the person's area: COCO's figures.
SIGMAS: Floats = (
    np.array([26, 25, 25, 35, 35, 79, 79, 72, 72, 62, 62, 107, 107, 87, 87, 89, 89], np.float64) / 1000
)  # fmt: skip


def oks(poses: npt.ArrayLike, areas: npt.ArrayLike) -> Floats:
    """How alike predicted poses of one picture are, each with each.

    Args:
        poses: ``[N, 17, 2]`` x, y of COCO's joints in image pixels.
        areas: ``[N]`` in square pixels; of two poses the mean counts.

    Returns:
        ``[N, N]``, 1 for poses that are the same.
    """
    poses, areas = np.asarray(poses, np.float64), np.asarray(areas, np.float64)
    x, y = poses[..., 0], poses[..., 1]
    squared_distance = (x[:, None] - x[None]) ** 2 + (y[:, None] - y[None]) ** 2
    area = (areas[:, None] + areas[None]) / 2 + np.spacing(1)
    return np.exp(squared_distance / (-8 * SIGMAS**2) / area[..., None]).mean(-1)


def oks_nms(poses: npt.ArrayLike, areas: npt.ArrayLike, scores: npt.ArrayLike, threshold: float = 0.9) -> list[int]:
    """Which poses of one picture to keep, so that none of them is another one again.

    The best pose is kept and those that are more than ``threshold`` like it go; then the best of the rest; and so on.
    Of equal scores the later pose comes first, as published.

    Args:
        poses: ``[N, 17, 2]`` x, y of COCO's joints in image pixels.
        areas: ``[N]`` in square pixels.
        scores: ``[N]``.
        threshold: the OKS from which on, itself not included, two poses are one.

    Returns:
        Indices of the poses to keep, best first.
    """
    order = np.argsort(np.asarray(scores, np.float64), kind="stable")[::-1]
    alike = oks(poses, areas) > threshold
    gone, kept = np.zeros(len(order), bool), []
    for pose in order.tolist():
        if not gone[pose]:
            kept.append(pose)
            gone |= alike[pose]
    return kept


def oks_of_pairs(
    poses: Floats,
    joints: Floats,
    boxes: Floats,
    areas: Floats,
    pose: npt.NDArray[np.intp],
    person: npt.NDArray[np.intp],
) -> Floats:
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
    variances = (SIGMAS * 2) ** 2
    annotated = joints[..., 2] > 0
    counts = annotated.sum(1)
    similarity = np.empty(len(pose), np.float64)
    for count in np.unique(counts[person]).tolist():
        pairs = np.flatnonzero(counts[person] == count)
        i, g = pose[pairs], person[pairs]
        if count:
            # [G, count]: which joints those are, for the people of this count.
            which = np.argsort(~annotated, axis=1, kind="stable")[:, :count][g]
            difference = poses[i[:, None], which] - joints[g[:, None], which, :2]
            dx, dy = difference[..., 0], difference[..., 1]
            variance = variances[which]
        else:
            x, y = poses[i, :, 0], poses[i, :, 1]
            box = boxes[g]
            dx = _outside(x, box[:, 0, None], box[:, 2, None])
            dy = _outside(y, box[:, 1, None], box[:, 3, None])
            variance = variances
        error = (dx**2 + dy**2) / variance / (areas[g] + np.spacing(1))[:, None] / 2
        similarity[pairs] = np.exp(-error).sum(1) / error.shape[1]
    return similarity


def _outside(position: Floats, start: Floats, length: Floats) -> Floats:
    """How far a position is outside a stretch that is enlarged by its length on either side."""
    return np.maximum(0, (start - length) - position) + np.maximum(0, position - (start + length * 2))
