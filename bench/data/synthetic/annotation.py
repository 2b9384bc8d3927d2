"""From the plan of a picture to COCO's annotations, by the map of who is seen where."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.synthetic.camera import SHIFT, View
from bench.data.synthetic.drawing import Layer, Parts, layers, mark
from bench.data.synthetic.figure import PARTS, Figure
from bench.data.synthetic.joints import OWN_PARTS, Joints, joints
from bench.data.synthetic.variants import SKELETONS, Variant

Mask = npt.NDArray[np.uint8]
Annotation = dict[str, Any]

SMALL = 32**2  # area up to which annotators leave most people's joints out, as COCO's do
SMALL_LABELLED = 0.25  # share of those whose joints are labelled all the same
PASSED_OVER = 0.15  # share of the joints hidden by others or by things that annotators leave out
JOINTS = 17
# Whims of the ankles are those of the feet too, and those of the wrists of the hands.
ANKLES, WRISTS = (15, 16), (9, 10)


@dataclass(frozen=True)
class Someone:
    """A person and how they are seen."""

    figure: Figure
    view: View
    labelled: bool  # whether annotators cared for the joints at all
    whims: Sequence[float]  # [18] in [0, 1): of the annotator, one for each joint and one for the person
    crowd: bool = False


Item = Someone | list[Layer]


@dataclass(frozen=True)
class ScenePlan:
    """Everything that decides a picture's annotations."""

    size: tuple[int, int]  # width, height
    horizon: float  # pixels from the top
    items: list[Item]  # people and what stands in front of them, farthest first
    main: int | None = None  # the item that is annotated first
    variant: Variant = "body"  # which joints are annotated

    @property
    def no_joints(self) -> list[float]:
        """Of someone whose joints nobody labelled."""
        return [0.0, 0.0, 0] * len(SKELETONS[self.variant].joints)


def outlines(plan: ScenePlan) -> list[list[Layer]]:
    """What the map needs of every item, without colours."""
    light = np.zeros(2)
    return [
        layers(item.figure, item.view, None, 1, light) if isinstance(item, Someone) else item for item in plan.items
    ]


def who_is_where(plan: ScenePlan, shown: list[list[Layer]]) -> Parts:
    """The map of who is seen where, uint16 ``[H, W]``: see ``drawing.mark``; items are numbered from 1."""
    width, height = plan.size
    parts = np.zeros((height, width), np.uint16)
    for number, found in enumerate(shown, 1):
        mark(parts, found, number)
    return parts


def annotations(plan: ScenePlan, shown: list[list[Layer]], parts: Parts) -> list[Annotation]:
    """What COCO's file would hold of a picture, without ids: people of whom a pixel is seen, then the crowd."""
    found, crowd = [], []
    for index in sorted(range(len(plan.items)), key=lambda index: index != plan.main):
        item = plan.items[index]
        if isinstance(item, Someone) and item.crowd:
            crowd.append(index + 1)
        elif isinstance(item, Someone):
            corner, mask = _mask(shown[index], parts, index + 1)
            if cv2.countNonZero(mask):
                found.append(_person(plan, item, parts, index + 1, corner, mask))
    if crowd:
        members = np.zeros(len(plan.items) + 1, np.uint8)
        members[crowd] = 1
        mask = members[parts // PARTS]
        if mask.any():
            found.append(_crowd(mask, plan.no_joints))
    return found


def _mask(found: list[Layer], parts: Parts, number: int) -> tuple[tuple[int, int], Mask]:
    """The corner of a window round a person, and which of its pixels are theirs, 0 or 255."""
    if found:
        corners = np.concatenate([layer.outlines[0].reshape(-1, 2) for layer in found])
        left, top = np.maximum((corners.min(0) >> SHIFT) - 1, 0).tolist()
        right, bottom = np.maximum((corners.max(0) >> SHIFT) + 3, 0).tolist()
        window = parts[top:bottom, left:right]
        if window.size:
            low, high = number * PARTS, number * PARTS + PARTS - 1
            return (left, top), np.asarray(cv2.inRange(window, (low,), (high,)), np.uint8)
    return (0, 0), np.zeros((1, 1), np.uint8)


def _person(
    plan: ScenePlan, someone: Someone, parts: Parts, number: int, corner: tuple[int, int], mask: Mask
) -> Annotation:
    area = cv2.countNonZero(mask)
    keypoints = plan.no_joints
    if someone.labelled and (area >= SMALL or someone.whims[17] < SMALL_LABELLED):
        keypoints = _keypoints(joints(someone.figure, someone.view, plan.variant), someone.whims, parts, number)
    x, y, width, height = cv2.boundingRect(mask)
    return {
        "bbox": [float(x + corner[0]), float(y + corner[1]), float(width), float(height)],
        "area": float(area),
        "keypoints": keypoints,
        "num_keypoints": sum(flag > 0 for flag in keypoints[2::3]),
        "iscrowd": 0,
        "segmentation": _polygons(mask, corner),
    }


def _keypoints(where: Joints, whims: Sequence[float], parts: Parts, number: int) -> list[float]:
    """As COCO has them: x, y rounded to 1/100 px and the flag of every joint."""
    height, width = parts.shape
    flat: list[float] = []
    more = [whims[joint] for joint in (*ANKLES, *WRISTS) for _ in range(3)]
    every_whim = [*whims[:JOINTS], *more][: len(where.places)]
    rows = zip(where.places.tolist(), where.turned.tolist(), where.averted.tolist(), every_whim, strict=True)
    for joint, ((x, y), turned, averted, whim) in enumerate(rows):
        column, row, flag = round(x), round(y), 0
        if 0 <= column < width and 0 <= row < height and not averted:
            owner, part = divmod(int(parts[row, column]), PARTS)
            if owner != number:
                flag = 0 if whim < PASSED_OVER else 1
            else:
                flag = 2 if part in OWN_PARTS[joint] and not turned else 1
        flat += (max(round(x, 2), 0.0), max(round(y, 2), 0.0), flag) if flag else (0.0, 0.0, 0)
    return flat


def _polygons(mask: Mask, corner: tuple[int, int]) -> list[list[float]]:
    """Outer outlines of a mask, as COCO's segmentation of a single person."""
    found = []
    for contour in cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=corner)[0]:
        points = contour.reshape(-1, 2)
        if len(points) < 3:  # a dot, or a line as narrow as a pixel
            x, y, width, height = cv2.boundingRect(contour)
            points = np.array(((x, y), (x + width, y), (x + width, y + height), (x, y + height)))
        found.append(points.ravel().astype(float).tolist())
    return found


def _crowd(mask: Mask, keypoints: list[float]) -> Annotation:
    """A region of people nobody told apart, run-length encoded as COCO does: columns first, zeros first."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate(([0], changes, [flat.size]))).tolist()
    x, y, width, height = cv2.boundingRect(mask)
    return {
        "bbox": [float(x), float(y), float(width), float(height)],
        "area": float(np.count_nonzero(mask)),
        "keypoints": keypoints,
        "num_keypoints": 0,
        "iscrowd": 1,
        "segmentation": {"size": list(mask.shape), "counts": [0, *counts] if flat[0] else counts},
    }
