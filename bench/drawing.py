"""Skeletons on pictures, and pictures on a sheet."""

import math
from collections.abc import Callable, Sequence
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.core.arrays import Picture
from bench.core.skeletons import Skeleton, side_of

# RGB: what is told apart at a glance, also by the colour-blind.
LEFT, RIGHT, MIDDLE = (0, 158, 255), (255, 120, 0), (60, 200, 90)
_FRACTION = 4  # bits after the point in OpenCV's coordinates
_FARTHEST = 1e5  # pixels; OpenCV's fixed-point coordinates end somewhere


def draw_skeleton(
    picture: Picture,
    keypoints: npt.ArrayLike,
    skeleton: Skeleton,
    *,
    size: float,
    threshold: float = 0.2,
    hollow: Sequence[bool] | None = None,
) -> None:
    """Draw a skeleton on a picture: left limbs blue, right ones orange, the rest green.

    Args:
        picture: RGB uint8 ``[H, W, 3]``, drawn upon.
        keypoints: ``[J, 3]`` x, y in image pixels and a confidence from 0 to 1: the opacity of a joint and its limbs.
        skeleton: which joints to connect, and which are left.
        size: of the person in image pixels, which sets how thick lines are.
        threshold: joints with less confidence are left out.
        hollow: joints to draw as rings.
    """
    points = np.asarray(keypoints, np.float64)
    thickness = max(1, round(size / 80))
    shown = (points[:, 2] >= threshold) & (np.abs(points[:, :2]) < _FARTHEST).all(axis=1)
    for first, second in skeleton.limbs:
        if shown[first] and shown[second]:
            start, end = points[first], points[second]
            colour, opacity = _colour(skeleton, first, second), min(start[2], end[2])
            _blend(picture, (start, end), 2 * thickness, opacity, _line(colour, thickness))
    for joint in np.flatnonzero(shown).tolist():
        width = max(1, thickness // 2) if hollow is not None and hollow[joint] else -1
        colour, point = _colour(skeleton, joint, joint), points[joint]
        _blend(picture, (point,), 3 * thickness, point[2], _dot(colour, 1.5 * thickness, width))


def sheet(pictures: Sequence[Picture], *, columns: int, cell: tuple[int, int], gap: int = 6) -> Picture:
    """Pictures side by side on white, each as large as it can be in its cell (width, height)."""
    width, height = cell
    rows = math.ceil(len(pictures) / columns)
    columns = min(columns, len(pictures))
    page = np.full((rows * (height + gap) + gap, columns * (width + gap) + gap, 3), 255, np.uint8)
    for number, picture in enumerate(pictures):
        scale = min(height / picture.shape[0], width / picture.shape[1])
        shape = max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale))
        small = cv2.resize(picture, shape, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC)
        row, column = divmod(number, columns)
        top = gap + row * (height + gap) + (height - shape[1]) // 2
        left = gap + column * (width + gap) + (width - shape[0]) // 2
        page[top : top + shape[1], left : left + shape[0]] = small
    return page


def _colour(skeleton: Skeleton, first: int, second: int) -> tuple[int, int, int]:
    sides = {side_of(skeleton.joints[joint]) for joint in (first, second)}
    return LEFT if sides == {"left"} else RIGHT if sides == {"right"} else MIDDLE


def _line(colour: tuple[int, int, int], thickness: int) -> Callable[[Picture, list[tuple[int, int]]], Any]:
    return lambda layer, ends: cv2.line(layer, ends[0], ends[1], colour, thickness, cv2.LINE_AA, _FRACTION)


def _dot(colour: tuple[int, int, int], radius: float, width: int) -> Callable[[Picture, list[tuple[int, int]]], Any]:
    fixed = round(radius * 2**_FRACTION)
    return lambda layer, ends: cv2.circle(layer, ends[0], fixed, colour, width, cv2.LINE_AA, _FRACTION)


def _blend(
    picture: Picture,
    points: Sequence[npt.NDArray[np.float64]],
    margin: int,
    opacity: float,
    draw: Callable[[Picture, list[tuple[int, int]]], Any],
) -> None:
    """Draw on a copy of the part of the picture around the points, and mix it in."""
    low = np.floor(np.min([point[:2] for point in points], axis=0)).astype(int) - margin
    high = np.ceil(np.max([point[:2] for point in points], axis=0)).astype(int) + margin + 1
    low, high = np.maximum(low, 0), np.minimum(high, picture.shape[1::-1])
    if (low >= high).any():
        return
    part = picture[low[1] : high[1], low[0] : high[0]]
    layer = part.copy()
    draw(layer, [tuple(round(float(v) * 2**_FRACTION) for v in point[:2] - low) for point in points])  # type: ignore[misc]
    part[:] = cv2.addWeighted(layer, min(1.0, float(opacity)), part, 1 - min(1.0, float(opacity)), 0)
