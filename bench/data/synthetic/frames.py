"""Frames as a camera gives them: exactly so many people at any resolution, standing, or moving from frame to frame."""

import math
from dataclasses import dataclass

import cv2
import numpy as np

from bench.core.errors import InputError
from bench.data.dataset import Float32Array, Picture
from bench.data.synthetic import scenery
from bench.data.synthetic.annotation import Annotation, ScenePlan, Someone
from bench.data.synthetic.body import Array, pose, rotations, sample_angles
from bench.data.synthetic.camera import View
from bench.data.synthetic.figure import Figure, Outfit, build, sample_outfit
from bench.data.synthetic.joints import joints
from bench.data.synthetic.picture import (
    STATURE,
    annotate,
    camera_frame,
    facing,
    paint_people,
    sample_figure,
)
from bench.data.synthetic.random_numbers import RandomNumbers

FRAMES_VERSION = 1  # raise it whenever the same seed draws anything else than before
STANDING, MOVING = 2, 3  # streams of random numbers; those of picture.py come before
GEOMETRY, LOOKS, NOISE = 0, 1, 2
MOST_PEOPLE = 32
LEAST_SEEN = 5  # joints of everyone that are to be seen
ATTEMPTS = 200
EYE = 2.9  # metres: a camera above people's heads sees those behind others
HORIZON = 0.08  # of the height, from the top
TALL = (0.5, 0.5, 0.4)  # of the height: people in one, two or three rows, the nearest
FARTHER = 0.68  # size in the row behind
A_ROW = 8  # people at most, while there are rows left
SWAY_HZ, STEP_HZ = 0.4, 0.9  # of those who move: to and fro across the picture, and their steps


@dataclass(frozen=True)
class Frame:
    """What a camera sees, and the truth about it."""

    image: Picture  # RGB uint8 [H, W, 3]
    boxes: Float32Array  # [N, 4] x, y, width, height of what is seen of everyone, pixels
    joints: Float32Array  # [N, 17, 2] of COCO's skeleton, pixels, hidden ones too
    seen: Float32Array  # [N, 17] 0 outside or not labelled, 1 hidden, 2 to be seen


def draw_people(seed: int, index: int, people: int, size: tuple[int, int]) -> Frame:
    """A frame in which exactly so many people can be seen, each with at least five joints.

    Args:
        seed, index: whole numbers from 0; the same ones draw the same frame.
        people: from 0 to 32.
        size: width, height.

    Raises:
        InputError: too many people, or a frame too small to show them.
    """
    if not 0 <= people <= MOST_PEOPLE:
        raise InputError(f"{people} people cannot be drawn: give 0 to {MOST_PEOPLE}")
    for attempt in range(ATTEMPTS):
        key = (seed, index, STANDING, people, attempt)
        plan = _plan_standing(RandomNumbers(*key, GEOMETRY), people, size)
        if _all_seen(annotate(plan), people):
            looks = RandomNumbers(*key, LOOKS)
            image = scenery.background(looks, *size, plan.horizon)
            found = paint_people(plan, looks, image)
            return _frame(_with_noise(looks, image), plan, found)
    width, height = size
    raise InputError(f"{people} people cannot be seen in a frame of {width}x{height}: give fewer, or a larger --size")


class Sequence:
    """People who move, or stand still, before a camera that does not: frame by frame, each the same from its seed.

    The first person stands still if there are several; the others walk on the spot and sway
    across the picture. Sensor noise changes with every frame.

    Args:
        seed: a whole number from 0.
        people: from 1 to 32.
        size: width, height.
        rate: frames a second.

    Raises:
        InputError: as ``draw_people``.
    """

    def __init__(self, seed: int, people: int, size: tuple[int, int], rate: float) -> None:
        if not 1 <= people <= MOST_PEOPLE:
            raise InputError(f"{people} people cannot be drawn in a sequence: give 1 to {MOST_PEOPLE}")
        self.seed, self.size, self.rate = seed, size, rate
        for attempt in range(ATTEMPTS):
            self._key = (seed, MOVING, people, attempt)
            rng = RandomNumbers(*self._key, GEOMETRY)
            places = _places(rng, people, size)
            self._walkers = [
                _Walker(rng, *place, size, still=number == 0 and people > 1) for number, place in enumerate(places)
            ]
            self._walkers.sort(key=lambda walker: -walker.distance)  # painted from behind, the same in every frame
            if all(_all_seen(annotate(self._plan(when / SWAY_HZ)), people) for when in (0.0, 0.25, 0.75)):
                break
        else:
            raise InputError(f"{people} people cannot be seen in a frame of {size[0]}x{size[1]}: give fewer")
        self.still = tuple(walker.still for walker in self._walkers)
        self._background = scenery.background(RandomNumbers(*self._key, LOOKS, 0), *size, HORIZON * size[1])

    def frame(self, number: int) -> Frame:
        """A frame, counted from 0; people keep their places in its arrays."""
        plan = self._plan(number / self.rate)
        image = self._background.copy()
        found = paint_people(plan, RandomNumbers(*self._key, LOOKS, 1), image)
        return _frame(_with_noise(RandomNumbers(*self._key, NOISE, number), image), plan, found)

    def _plan(self, seconds: float) -> ScenePlan:
        return ScenePlan(self.size, HORIZON * self.size[1], [walker.at(seconds) for walker in self._walkers])


class _Walker:
    """Someone who walks on the spot and sways across the picture, or stands still."""

    def __init__(self, rng: RandomNumbers, tall: float, x: float, size: tuple[int, int], *, still: bool) -> None:
        self.still, self.size, self.x, self.focal = still, size, x, 1.2 * max(size)
        self.distance = self.focal * STATURE / tall
        self.reach = 0.0 if still else rng.between(0.25, 0.4) * tall / STATURE * 1.7  # pixels to each side
        self.body = rng.bell(1.7, 0.09), rng.bell(1.04, 0.12), rng.bell(1.0, 0.05)
        self.outfit: Outfit = sample_outfit(rng)
        self.angles = sample_angles(rng, "standing" if still else "walking")
        self.turn = _upright(rotations(np.array([[0.0, 0.0, rng.between(-35, 35)]]))[0])
        self.phases = rng.between(0, 2 * math.pi), rng.between(0, 2 * math.pi)
        self.whims = [0.5] * 17 + [0.0]  # everyone is labelled

    def at(self, seconds: float) -> Someone:
        x, angles = self.x, self.angles
        if not self.still:
            x += self.reach * math.sin(2 * math.pi * SWAY_HZ * seconds + self.phases[0])
            share = (1 - math.cos(2 * math.pi * STEP_HZ * seconds + self.phases[1])) / 2
            other = _mirrored(angles)
            angles = {name: value + (other[name] - value) * share for name, value in angles.items()}
        height, girth, shoulders = self.body
        body = pose("standing" if self.still else "walking", height, girth, shoulders, angles, 0.0)
        view = _view(self.turn, x, self.distance, self.focal, self.size)
        return Someone(build(body, self.outfit), view, True, self.whims)


def _mirrored(angles: dict[str, float]) -> dict[str, float]:
    """The same pose with left and right exchanged."""
    sides = {"left": "right", "right": "left"}
    found = {}
    for name, value in angles.items():
        side, _, rest = name.partition("_")
        mirror = name in ("pelvis_roll", "spine_side", "spine_twist", "tilt", "turn")
        found[f"{sides[side]}_{rest}" if side in sides else name] = -value if mirror else value
    return found


# ---------------------------------------------------------------------------------------------------------------------
# Where people stand


def _plan_standing(rng: RandomNumbers, people: int, size: tuple[int, int]) -> ScenePlan:
    standing: list[tuple[float, Someone]] = []
    for tall, x in _places(rng, people, size):
        focal = 1.2 * max(size)
        distance = focal * STATURE / tall
        figure: Figure = sample_figure(rng)
        someone = Someone(figure, _view(facing(rng), x, distance, focal, size), True, [0.5] * 17 + [0.0])
        standing.append((distance, someone))
    standing.sort(key=lambda entry: -entry[0])
    return ScenePlan(size, HORIZON * size[1], [someone for _, someone in standing])


def _places(rng: RandomNumbers, people: int, size: tuple[int, int]) -> list[tuple[float, float]]:
    """How tall everyone is in the picture, and where from its left; pixels."""
    width, height = size
    rows = min(max(1, math.ceil(people / A_ROW)), len(TALL)) if people > 3 else 1
    found = []
    for row in range(rows):
        count = people // rows + (row < people % rows)
        tall = TALL[rows - 1] * FARTHER**row * height
        step = width / max(count, 1)
        for number in range(count):
            x = (number + 0.5 + (0.25 if row % 2 else -0.25) * (rows > 1)) * step
            found.append((tall * rng.between(0.92, 1.08), x + rng.between(-0.15, 0.15) * step))
    return found


def _view(turn: Array, x: float, distance: float, focal: float, size: tuple[int, int]) -> View:
    width, height = size
    camera = camera_frame(math.degrees(math.atan((0.5 - HORIZON) * height / focal)), 0.0)
    ground = np.array(((x - width / 2) / focal * distance, EYE, distance))
    return View(camera @ turn, camera @ ground, focal, (width / 2, height / 2))


def _upright(turn: Array) -> Array:
    """Body frame to world: y is up in the one, and down in the other."""
    return np.asarray(np.diag((1.0, -1.0, -1.0)) @ turn, np.float64)


def _all_seen(found: list[Annotation], people: int) -> bool:
    """Whether as many people are annotated, and enough joints of each are to be seen."""
    return len(found) == people and all(one["keypoints"][2::3].count(2) >= LEAST_SEEN for one in found)


def _frame(image: Picture, plan: ScenePlan, found: list[Annotation]) -> Frame:
    count = len(plan.items)
    flags = np.array([one["keypoints"][2::3] for one in found], np.float32).reshape(len(found), 17)
    places = [joints(item.figure, item.view).places for item in plan.items if isinstance(item, Someone)]
    return Frame(
        image,
        np.array([one["bbox"] for one in found], np.float32).reshape(len(found), 4),
        np.array(places, np.float32).reshape(count, 17, 2),
        flags,
    )


def _with_noise(rng: RandomNumbers, image: Picture) -> Picture:
    """The noise of a sensor on a picture of any size."""
    height, width = image.shape[:2]
    x, y = rng.whole(0, scenery.TILE - 1), rng.whole(0, scenery.TILE - 1)
    tile = np.roll(scenery.grain(), (-y, -x), (0, 1))
    times = math.ceil(height / scenery.TILE), math.ceil(width / scenery.TILE), 1
    noise = np.tile(tile, times)[:height, :width]
    strength = rng.between(2, 4) / 32
    return np.asarray(cv2.addWeighted(image, 1, noise, strength, -scenery.MIDDLE * strength), np.uint8)
