"""Pictures of people with COCO's annotations: scenes to evaluate on, portraits to train on."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.dataset import Picture
from bench.data.synthetic import surroundings
from bench.data.synthetic.body import Array, rotations, sample_body
from bench.data.synthetic.dice import Dice
from bench.data.synthetic.figure import (
    HAIR_COLOUR,
    PARTS,
    SHOES,
    SKIN,
    Figure,
    Joints,
    Layer,
    View,
    build,
    extent,
    is_own,
    joints,
    layers,
    mark,
    paint,
    sample_outfit,
)

# Raise this whenever the same seed draws anything else than before: data sets are known by it.
GENERATOR_VERSION = 1

SCENE, PORTRAIT = 0, 1
GEOMETRY, LOOKS = 0, 1

SIZES = ((640, 480),) * 5 + ((480, 640),) * 2 + ((640, 427),) * 3 + ((427, 640), (500, 375), (640, 640), (612, 612))
PORTRAIT_SIZE = (288, 320)  # width, height: room for turning and scaling a 192 x 256 crop
SMALL = 32**2
LEAST_SEEN = 4  # joints of a portrait's main person
Annotation = dict[str, Any]

SKINS = ((255, 219, 192), (241, 194, 160), (229, 178, 143), (205, 150, 112), (172, 118, 82), (134, 86, 58), (96, 60, 42),
         (66, 42, 32))  # fmt: skip
HAIRS = ((22, 18, 16), (44, 30, 22), (74, 48, 30), (112, 76, 44), (166, 120, 68), (214, 180, 124), (140, 60, 30),
         (150, 148, 146), (225, 222, 218))  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A picture and who is in it."""

    image: Picture  # RGB uint8 [H, W, 3]
    # As in COCO's person_keypoints files, without ids: bbox, area, keypoints, num_keypoints, iscrowd, segmentation.
    annotations: list[Annotation]


@dataclass(frozen=True)
class Someone:
    """A person and how they are seen."""

    figure: Figure
    view: View
    crowd: bool = False
    labelled: bool = True  # whether annotators marked the joints; small people's are left out on top of this
    guesses: Sequence[float] = ()  # [18] chance that decides which hidden joints are labelled


@dataclass(frozen=True)
class Plan:
    """A picture before it is drawn: everything that decides its annotations."""

    size: tuple[int, int]  # width, height
    horizon: float
    # Farthest first; things that stand in front of people are lists of layers.
    items: list[Someone | list[Layer]]
    main: int | None = None  # which item is annotated first, and must be seen


def draw_scene(seed: int, index: int) -> Scene:
    """A picture of about 640 x 480 with a few people, and now and then a crowd.

    Args:
        seed, index: whole numbers from 0; the same ones draw the same picture.
    """
    return _draw(plan_scene(seed, index), Dice(seed, index, SCENE, LOOKS))


def draw_portrait(seed: int, index: int) -> Scene:
    """A picture of 288 x 320 with one person, annotated first, who fills a 256 x 192 crop at about 1:1.

    Args:
        seed, index: whole numbers from 0; the same ones draw the same picture.
    """
    return _draw(plan_portrait(seed, index), Dice(seed, index, PORTRAIT, LOOKS))


def annotate(plan: Plan) -> list[Annotation]:
    """A picture's annotations without drawing it."""
    return _look(plan, [_outlines(item) for item in plan.items])[1]


def who_is_where(plan: Plan, shown: list[list[Layer]]) -> npt.NDArray[np.uint16]:
    """The map of who is seen where: number of the item + 1, times ``PARTS``, plus the part; 0 for nobody."""
    width, height = plan.size
    parts = np.zeros((height, width), np.uint16)
    for number, found in enumerate(shown, 1):
        mark(parts, found, number)
    return parts


def _outlines(item: Someone | list[Layer]) -> list[Layer]:
    return layers(item.figure, item.view, None, 1, np.zeros(2)) if isinstance(item, Someone) else item


def _look(plan: Plan, shown: list[list[Layer]]) -> tuple[list[list[Layer]], list[Annotation]]:
    """What is drawn in the end and its annotations: nothing stays in front of a main person who would be lost."""
    found = _annotations(plan, shown, who_is_where(plan, shown))
    if plan.main is not None and not (found and _clear(found[0], plan)):
        shown = [layers if number <= plan.main else [] for number, layers in enumerate(shown)]
        found = _annotations(plan, shown, who_is_where(plan, shown))
    return shown, found


def _clear(annotation: Annotation, plan: Plan) -> bool:
    return annotation["keypoints"][2::3].count(2) >= LEAST_SEEN


def _draw(plan: Plan, looks: Dice) -> Scene:
    width, height = plan.size
    image = surroundings.background(looks, width, height, plan.horizon)
    light = np.array((looks.between(-0.5, 0.5), looks.between(-0.5, -0.1)))
    shadows, shown = [], []
    for item in plan.items:
        if isinstance(item, Someone):
            tall = item.view.focal / max(float(item.view.position[2]), 0.5) * 1.7
            detail = 5 if tall > 130 else 3 if tall > 50 else 2
            shown.append(layers(item.figure, item.view, _palette(looks), detail, light))
            place = item.view.project(item.view.see(np.zeros(3)))
            shadows.append((float(place[0]), float(place[1]), 0.22 * tall))
        else:
            for layer in item:
                surroundings.shaded(layer, surroundings.colour(looks))
            shown.append(item)
    surroundings.ground_shadow(image, shadows)
    shown, annotations = _look(plan, shown)
    for found in shown:
        paint(image, found)
    return Scene(surroundings.finish(looks, image), annotations)


def _palette(looks: Dice) -> Array:
    palette = np.array([surroundings.colour(looks) for _ in range(9)])
    palette[SKIN] = np.array(looks.pick(SKINS)) * looks.between(0.92, 1.05)
    palette[HAIR_COLOUR] = looks.pick(HAIRS)
    palette[SHOES] *= 0.7
    return palette


# ---------------------------------------------------------------------------------------------------------------------
# Where people are


def _camera(pitch: float, roll: float) -> Array:
    """World (x right, y down, z ahead) to camera; degrees, a positive pitch looks down."""
    (cp, sp), (cr, sr) = ((np.cos(a), np.sin(a)) for a in np.deg2rad((pitch, roll)))
    down = np.array(((1.0, 0, 0), (0, cp, -sp), (0, sp, cp)))
    return np.array(((cr, -sr, 0), (sr, cr, 0), (0, 0, 1.0))) @ down


def _yaw(dice: Dice) -> float:
    return dice.bell(0, 35) if dice.chance(0.45) else dice.between(-180, 180)


def _someone(
    dice: Dice, camera: Array, place: Array, focal: float, centre: tuple[float, float], **more: Any
) -> Someone:
    """A random person standing at a place of the world's ground."""
    body = sample_body(dice)
    figure = build(body, sample_outfit(dice))
    facing = np.diag((1.0, -1.0, -1.0)) @ rotations(np.array([[0.0, 0.0, _yaw(dice)]]))[0]
    view = View(camera @ facing, camera @ place, focal, centre)
    return Someone(figure, view, labelled=not dice.chance(0.06), guesses=dice.many(18).tolist(), **more)


def plan_scene(seed: int, index: int) -> Plan:
    dice = Dice(seed, index, SCENE, GEOMETRY)
    width, height = dice.pick(SIZES)
    focal, centre = dice.between(0.8, 1.8) * max(width, height), (width / 2, height / 2)
    tall = [dice.between(*_tall(dice)) * height for _ in range(dice.whole(1, 6))]
    eye = dice.between(0.7, 2.6)  # camera above ground, metres
    distance = focal * 1.7 / max(tall)
    pitch = np.rad2deg(np.arctan((eye - 0.85) / distance)) + dice.bell(0, 0.12 * height) / focal * 57.3
    camera = _camera(pitch, dice.bell(0, 2.5))
    placed: list[tuple[float, Someone | list[Layer], bool]] = []

    def place(size: float, x: float, **more: Any) -> None:
        z = focal * 1.7 / size
        someone = _someone(dice, camera, np.array(((x - width / 2) / focal * z, eye, z)), focal, centre, **more)
        placed.append((z, someone, False))

    x = 0.0
    for number, size in enumerate(tall):
        near = number and dice.chance(0.35)
        x = x + dice.bell(0, 0.3) * size if near else dice.between(0, width)
        place(size, x)
    if dice.chance(0.12):
        middle, size = dice.between(0, width), dice.between(0.08, 0.25) * height
        for _ in range(dice.whole(10, 20)):
            place(size * dice.between(0.8, 1.2), middle + dice.bell(0, 0.2) * width, crowd=True)
    for _ in range(dice.pick((0, 0, 1, 2))):
        z = dice.between(0.5, 1.0) * max(entry[0] for entry in placed)
        things = surroundings.thing(
            dice, dice.between(0, width), dice.between(0.3, 1) * height, dice.between(0.1, 0.4) * height
        )
        placed.append((z, things, False))
    placed.sort(key=lambda entry: -entry[0])
    horizon = height / 2 - focal * np.tan(np.deg2rad(pitch))
    return Plan((width, height), float(np.clip(horizon, -1e4, 1e4)), [entry[1] for entry in placed])


def _tall(dice: Dice) -> tuple[float, float]:
    """Range of standing height as a share of the picture's: large, medium or small."""
    return dice.pick(((0.45, 1.3), (0.45, 1.1), (0.18, 0.45), (0.18, 0.45), (0.05, 0.18)))


def plan_portrait(seed: int, index: int) -> Plan:
    dice = Dice(seed, index, PORTRAIT, GEOMETRY)
    width, height = PORTRAIT_SIZE
    pitch, distance = dice.bell(7, 9), dice.between(2.2, 9)
    camera = _camera(pitch, dice.bell(0, 4))
    body = sample_body(dice)
    figure = build(body, sample_outfit(dice))
    facing = np.diag((1.0, -1.0, -1.0)) @ rotations(np.array([[0.0, 0.0, _yaw(dice)]]))[0]
    ground = np.array((0.0, 0.0, distance)) + camera @ (0.0, 0.5 * body.height, 0.0)
    view = View(camera @ facing, ground, 1.0, (0.0, 0.0))
    left, top, right, bottom = extent(figure, view)
    # Where the border of the picture cuts the person off.
    cut = dice()
    if cut < 0.22:
        bottom = top + dice.between(0.35, 0.92) * (bottom - top)
    elif cut < 0.28:
        right = left + dice.between(0.5, 0.9) * (right - left)
    elif cut < 0.34:
        left = right - dice.between(0.5, 0.9) * (right - left)
    elif cut < 0.37:
        top = bottom - dice.between(0.5, 0.9) * (bottom - top)
    focal = dice.between(155, 225) / max(bottom - top, (right - left) * 4 / 3)
    middle = (width / 2 + dice.bell(0, 6), height / 2 + dice.bell(0, 6))
    x, y = middle[0] - focal * (left + right) / 2, middle[1] - focal * (top + bottom) / 2
    if cut < 0.22:
        y = height - focal * bottom
    elif cut < 0.28:
        x = width - focal * right
    elif cut < 0.34:
        x = -focal * left
    elif cut < 0.37:
        y = -focal * top
    main = Someone(figure, View(view.rotation, ground, focal, (x, y)), guesses=dice.many(18).tolist())
    placed: list[tuple[float, Someone | list[Layer]]] = [(0.0, main)]
    for _ in range(dice.pick((0, 0, 0, 1, 1, 2))):
        ahead = dice.between(-0.25, 0.45) * distance
        aside = dice.pick((-1, 1)) * dice.between(0.25, 1.3)
        place = camera @ (aside, 0.0, ahead) + ground
        other = _someone(dice, camera, camera.T @ place, focal, (x, y))
        placed.append((ahead, other))
    if dice.chance(0.3):
        size = dice.between(0.15, 0.5) * height
        things = surroundings.thing(dice, dice.between(0.2, 0.8) * width, dice.between(0.25, 0.95) * height, size)
        placed.append((-9.0, things))
    placed.sort(key=lambda entry: -entry[0])
    horizon = y - focal * np.tan(np.deg2rad(pitch))
    return Plan((width, height), float(horizon), [item for _, item in placed], [item for _, item in placed].index(main))


# ---------------------------------------------------------------------------------------------------------------------
# Annotations


def _annotations(plan: Plan, shown: list[list[Layer]], parts: npt.NDArray[np.uint16]) -> list[Annotation]:
    order = sorted(range(len(plan.items)), key=lambda number: number != plan.main)
    found, crowd = [], []
    for number in order:
        item = plan.items[number]
        if not isinstance(item, Someone):
            continue
        if item.crowd:
            crowd.append(number)
            continue
        window, mask = _mask(plan, shown[number], parts, number + 1)
        area = cv2.countNonZero(mask)
        if area:
            found.append(_person(plan, item, parts, number + 1, window, mask, area))
    if crowd:
        people = np.zeros(len(plan.items) + 1, np.uint8)
        people[[number + 1 for number in crowd]] = 1
        mask = people[parts // PARTS]
        if mask.any():
            found.append(_crowd(mask))
    return found


def _mask(
    plan: Plan, found: list[Layer], parts: npt.NDArray[np.uint16], number: int
) -> tuple[tuple[int, int], npt.NDArray[np.uint8]]:
    """The corner of a window round a person, and which of its pixels are theirs, 0 or 255."""
    if not found:
        return (0, 0), np.zeros((1, 1), np.uint8)
    corners = np.concatenate([layer.outlines[0].reshape(-1, 2) for layer in found])
    low, high = corners.min(0) // 16 - 1, corners.max(0) // 16 + 3
    left, top = np.clip(low, 0, plan.size).tolist()
    right, bottom = np.clip(high, 0, plan.size).tolist()
    if left >= right or top >= bottom:
        return (0, 0), np.zeros((1, 1), np.uint8)
    window = parts[top:bottom, left:right]
    return (left, top), np.asarray(cv2.inRange(window, number * PARTS, number * PARTS + PARTS - 1), np.uint8)  # type: ignore[call-overload]


def _person(
    plan: Plan, someone: Someone, parts: npt.NDArray[np.uint16], number: int, window: tuple[int, int],
    mask: npt.NDArray[np.uint8], area: int,
) -> Annotation:  # fmt: skip
    x, y, width, height = cv2.boundingRect(mask)
    keypoints = [0.0] * 51
    seen = someone.labelled and (area >= SMALL or someone.guesses[17] < 0.25)
    if seen:
        keypoints = _keypoints(plan, joints(someone.figure, someone.view), someone.guesses, parts, number)
    return {
        "bbox": [float(x + window[0]), float(y + window[1]), float(width), float(height)],
        "area": float(area),
        "keypoints": keypoints,
        "num_keypoints": sum(flag > 0 for flag in keypoints[2::3]),
        "iscrowd": 0,
        "segmentation": _polygons(mask, window),
    }


def _keypoints(
    plan: Plan, where: Joints, guesses: Sequence[float], parts: npt.NDArray[np.uint16], number: int
) -> list[float]:
    flat: list[float] = []
    width, height = plan.size
    rows = zip(where.places.tolist(), where.turned.tolist(), where.averted.tolist(), guesses, strict=False)
    for joint, ((x, y), turned, averted, guess) in enumerate(rows):
        column, row = round(x), round(y)
        if averted or not (0 <= column < width and 0 <= row < height):
            flat += (0.0, 0.0, 0)
            continue
        owner, part = divmod(int(parts[row, column]), PARTS)
        if owner == number and is_own(joint, part) and not turned:
            flag = 2
        else:
            # Annotators pass over some of the joints that others or things hide.
            flag = 1 if owner == number or guess < 0.85 else 0
        flat += (round(x, 2), round(y, 2), flag) if flag else (0.0, 0.0, 0)
    return flat


def _polygons(mask: npt.NDArray[np.uint8], window: tuple[int, int]) -> list[list[float]]:
    """Outer outlines of a mask, as COCO's segmentation of a single person."""
    contours = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE, offset=window)[0]
    polygons = []
    for contour in contours:
        if len(contour) < 3:  # a dot or a line of pixels
            x, y, width, height = cv2.boundingRect(contour)
            contour = np.array(((x, y), (x + width, y), (x + width, y + height), (x, y + height)))
        polygons.append(contour.reshape(-1).astype(float).tolist())
    return polygons


def _crowd(mask: npt.NDArray[np.uint8]) -> Annotation:
    """A region of people nobody told apart, run-length encoded as COCO's: columns first, zeros first."""
    flat = mask.ravel(order="F")
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate(([0], changes, [flat.size]))).tolist()
    x, y, width, height = cv2.boundingRect(mask)
    return {
        "bbox": [float(x), float(y), float(width), float(height)],
        "area": float(np.count_nonzero(mask)),
        "keypoints": [0.0] * 51,
        "num_keypoints": 0,
        "iscrowd": 1,
        "segmentation": {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + counts},
    }
