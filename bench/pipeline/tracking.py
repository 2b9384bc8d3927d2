"""Boxes from the joints of the frame before, and who is who from frame to frame."""

import numpy as np
import numpy.typing as npt
from scipy.optimize import linear_sum_assignment

from bench.core.arrays import Float64Array

MARGIN = 0.15  # of the longer side of the joints' box, on every side: heads and feet reach beyond their joints
CONFIDENT = 0.2  # joints below that do not count
LEAST_JOINTS = 4  # with fewer the box stays where it was
SMALLEST = 8.0  # pixels; who is smaller is lost until the next detection
LEAST_OVERLAP = 0.1  # intersection over union of the boxes of one person in two frames


def boxes_from_joints(
    joints: Float64Array, boxes: Float64Array, size: tuple[int, int]
) -> tuple[Float64Array, npt.NDArray[np.intp]]:
    """Where to look for everyone in the next frame.

    Args:
        joints: ``[N, J, 3]`` x, y in pixels and confidence.
        boxes: ``[N, 4]`` x, y, width, height that they were found in.
        size: width, height of the frame.

    Returns:
        Boxes ``[M, 4]``, and which of the N people they are of; who has left the frame or become tiny is lost.
    """
    found = boxes.astype(np.float64).reshape(-1, 4).copy()
    sure = joints[..., 2] >= CONFIDENT
    for number in np.flatnonzero(sure.sum(1) >= LEAST_JOINTS):
        points = joints[number, sure[number], :2]
        low, high = points.min(0), points.max(0)
        margin = MARGIN * float((high - low).max())
        found[number] = (*(low - margin), *(high - low + 2 * margin))
    low, high = found[:, :2], found[:, :2] + found[:, 2:]
    inside = np.minimum(high, size) - np.maximum(low, 0)
    kept = np.flatnonzero((inside > 0).all(1) & (found[:, 2:].max(1) >= SMALLEST))
    return found[kept], kept


def overlaps(first: Float64Array, second: Float64Array) -> Float64Array:
    """Intersection over union of boxes ``[N, 4]`` and ``[M, 4]`` (x, y, width, height), ``[N, M]``."""
    low = np.maximum(first[:, None, :2], second[None, :, :2])
    high = np.minimum(first[:, None, :2] + first[:, None, 2:], second[None, :, :2] + second[None, :, 2:])
    common = (high - low).clip(0).prod(2)
    union = first[:, 2:].prod(1)[:, None] + second[:, 2:].prod(1)[None] - common
    return np.divide(common, union, out=np.zeros_like(common), where=union > 0)


class Identities:
    """Numbers that stay with people from detection to detection."""

    def __init__(self) -> None:
        self._next = 0
        self._boxes = np.empty((0, 4))
        self._numbers: list[int] = []

    def of(self, boxes: Float64Array) -> list[int]:
        """The number of everyone in these boxes, by the best overlap with those of the call before."""
        shared = overlaps(self._boxes, boxes)
        numbers = [-1] * len(boxes)
        for before, now in zip(*linear_sum_assignment(-shared), strict=True):
            if shared[before, now] >= LEAST_OVERLAP:
                numbers[now] = self._numbers[before]
        for index, number in enumerate(numbers):
            if number < 0:
                numbers[index], self._next = self._next, self._next + 1
        self.moved(boxes, numbers)
        return numbers

    def moved(self, boxes: Float64Array, numbers: list[int]) -> None:
        """Where people of these numbers are by now; the others have gone."""
        self._boxes, self._numbers = boxes, numbers
