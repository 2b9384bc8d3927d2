"""Pictures of people with COCO's annotations: scenes to evaluate on, portraits to train on."""

import math
from dataclasses import dataclass

import numpy as np

from bench.data.dataset import Picture
from bench.data.synthetic import scenery
from bench.data.synthetic.annotation import (
    JOINTS,
    Annotation,
    Item,
    ScenePlan,
    Someone,
    annotations,
    outlines,
    who_is_where,
)
from bench.data.synthetic.body import Array, rotations, sample_body
from bench.data.synthetic.camera import View
from bench.data.synthetic.drawing import Layer, Palette, Parts, bright, extent, layers, paint
from bench.data.synthetic.figure import (
    ABDOMEN,
    CHEST,
    COLOURS,
    FOREARM,
    HAIRS,
    PELVIS,
    SHIN,
    SHOES,
    SHORT_LEG,
    SKIN,
    SKIRT,
    SLEEVE,
    SOLES,
    THIGH,
    UPPER_ARM,
    Figure,
    Outfit,
    build,
    sample_outfit,
)
from bench.data.synthetic.hands import sample_hands
from bench.data.synthetic.joints import joints
from bench.data.synthetic.random_numbers import RandomNumbers
from bench.data.synthetic.variants import Variant

# Raise this whenever the same seed draws anything else than before: data sets are known by it.
GENERATOR_VERSION = 1

# Streams of random numbers; annotations depend on the geometry alone.
SCENE, PORTRAIT = 0, 1
GEOMETRY, LOOKS, FINGERS = 0, 1, 2

SIZES = ((640, 480),) * 5 + ((480, 640),) * 2 + ((640, 427),) * 3 + ((427, 640), (500, 375), (640, 640), (612, 612))
PORTRAIT_SIZE = (288, 320)  # width, height: room for turning and scaling a crop of 192 x 256
# Joints of a portrait's main person: inside the picture, and to be seen.
LEAST_INSIDE, LEAST_SEEN = 6, 4
DETAIL = ((300, 5), (110, 4), (50, 3), (0, 2))  # from how many pixels of height on: how many outlines a solid has
STATURE = 1.7  # metres: sizes of people are planned as if all were as tall

SKIN_TONES = ((255, 219, 192), (241, 194, 160), (229, 178, 143), (205, 150, 112), (172, 118, 82), (134, 86, 58),
              (96, 60, 42), (66, 42, 32))  # fmt: skip
HAIR_TONES = ((22, 18, 16), (44, 30, 22), (74, 48, 30), (112, 76, 44), (166, 120, 68), (214, 180, 124), (140, 60, 30),
              (150, 148, 146), (225, 222, 218))  # fmt: skip


@dataclass(frozen=True)
class Scene:
    """A picture and who is in it."""

    image: Picture  # RGB uint8 [H, W, 3]
    # As in COCO's person_keypoints files, without ids: bbox, area, keypoints, num_keypoints, iscrowd, segmentation.
    annotations: list[Annotation]


def draw_scene(seed: int, index: int, variant: Variant = "body") -> Scene:
    """A picture of about 640 x 480 with a few people, and now and then a crowd.

    Args:
        seed, index: whole numbers from 0; the same ones draw the same picture.
        variant: which joints are annotated.
    """
    return _draw(plan_scene(seed, index, variant), RandomNumbers(seed, index, SCENE, LOOKS))


def draw_portrait(seed: int, index: int, variant: Variant = "body") -> Scene:
    """A picture of 288 x 320 with one person, annotated first, whose 256 x 192 crop has about its resolution.

    Args:
        seed, index: whole numbers from 0; the same ones draw the same picture.
        variant: which joints are annotated.
    """
    return _draw(plan_portrait(seed, index, variant), RandomNumbers(seed, index, PORTRAIT, LOOKS))


def annotate(plan: ScenePlan) -> list[Annotation]:
    """A picture's annotations without drawing it."""
    return _look(plan, outlines(plan))[2]


# ---------------------------------------------------------------------------------------------------------------------
# Drawing


def _draw(plan: ScenePlan, looks: RandomNumbers) -> Scene:
    width, height = plan.size
    image = scenery.background(looks, width, height, plan.horizon)
    found = paint_people(plan, looks, image)
    return Scene(scenery.finish(looks, image), found)


def paint_people(plan: ScenePlan, looks: RandomNumbers, image: Picture) -> list[Annotation]:
    """Paint all items of a plan on a background; who can be seen, as annotations."""
    light = np.array((looks.between(-0.5, 0.5), looks.between(-0.5, -0.1)))
    shown, found_parts, found = _look(plan, [_coloured(item, looks, light) for item in plan.items])
    for item in plan.items:
        if isinstance(item, Someone):
            x, y = item.view.project(item.view.see(item.figure.body.points["pelvis"] * (1, 0, 1))).tolist()
            scenery.ground_shadow(image, x, y, 0.22 * _tall(item.view))
    for number, (item, solids) in enumerate(zip(plan.items, shown, strict=True), 1):
        paint(image, solids)
        if isinstance(item, Someone) and solids:
            _weave(looks, image, found_parts, number, item.figure.outfit, solids)
    return found


def _look(plan: ScenePlan, shown: list[list[Layer]]) -> tuple[list[list[Layer]], Parts, list[Annotation]]:
    """What is drawn in the end, the map and the annotations: nothing stays before a main person who would be lost."""
    parts = who_is_where(plan, shown)
    found = annotations(plan, shown, parts)
    if plan.main is not None and (not found or found[0]["keypoints"][2 : 3 * JOINTS : 3].count(2) < LEAST_SEEN):
        shown = [solids if number <= plan.main else [] for number, solids in enumerate(shown)]
        parts = who_is_where(plan, shown)
        found = annotations(plan, shown, parts)
    return shown, parts, found


def _tall(view: View) -> float:
    """About how many pixels someone standing there measures."""
    return view.focal * STATURE / max(float(view.position[2]), 0.5)


def _coloured(item: Item, looks: RandomNumbers, light: Array) -> list[Layer]:
    if not isinstance(item, Someone):
        return [scenery.shaded(looks, layer) for layer in item]
    tall = _tall(item.view)
    detail = next(count for least, count in DETAIL if tall >= least)
    return layers(item.figure, item.view, _palette(looks), detail, light)


def _palette(looks: RandomNumbers) -> Palette:
    palette = [scenery.colour(looks) for _ in range(COLOURS)]
    palette[SKIN] = bright(looks.pick(SKIN_TONES), looks.between(0.92, 1.05))
    palette[HAIRS] = looks.pick(HAIR_TONES)
    palette[SHOES] = bright(palette[SHOES], 0.8)
    palette[SOLES] = bright(palette[SOLES], 0.6)
    return palette


def _weave(looks: RandomNumbers, image: Picture, parts: Parts, number: int, outfit: Outfit, found: list[Layer]) -> None:
    """Patterns on shirt and trousers or skirt, now and then."""
    if looks.chance(0.45):
        shirt = {ABDOMEN, CHEST, SLEEVE, SLEEVE + 1}
        if outfit.sleeves == 1.0:
            shirt |= {UPPER_ARM, UPPER_ARM + 1, FOREARM, FOREARM + 1}
        scenery.weave(looks, image, parts, number, frozenset(shirt), found)
    if looks.chance(0.25):
        lower = {PELVIS, SKIRT, SHORT_LEG, SHORT_LEG + 1}
        if outfit.legs == 1.0 and not outfit.skirt:
            lower |= {THIGH, THIGH + 1, SHIN, SHIN + 1}
        scenery.weave(looks, image, parts, number, frozenset(lower), found)


# ---------------------------------------------------------------------------------------------------------------------
# Planning: who stands where, and how the camera looks at them


def camera_frame(pitch: float, roll: float) -> Array:
    """World (x right, y down, z ahead) to camera; degrees, a positive pitch looks down."""
    pitch, roll = math.radians(pitch), math.radians(roll)
    cp, sp, cr, sr = math.cos(pitch), math.sin(pitch), math.cos(roll), math.sin(roll)
    return np.array(((cr, -sr * cp, sr * sp), (sr, cr * cp, -cr * sp), (0, sp, cp)))


def facing(rng: RandomNumbers) -> Array:
    """Body frame to world, for someone turned any way, towards the camera more often than not."""
    yaw = rng.bell(0, 35) if rng.chance(0.45) else rng.between(-180, 180)
    return np.diag((1.0, -1.0, -1.0)) @ rotations(np.array([[0.0, 0.0, yaw]]))[0]


def sample_figure(rng: RandomNumbers, fingers: RandomNumbers | None = None) -> Figure:
    """Someone dressed; with fingers, if there is a stream of random numbers for them."""
    body = sample_body(rng)
    outfit = sample_outfit(rng)
    if fingers is None:
        return build(body, outfit)
    closed = None if outfit.holding == "nothing" else int(outfit.right_handed)
    return build(body, outfit, sample_hands(fingers, closed))


def plan_scene(seed: int, index: int, variant: Variant = "body") -> ScenePlan:
    """A scene's geometry: people on one ground, seen by one camera."""
    rng = RandomNumbers(seed, index, SCENE, GEOMETRY)
    fingers = RandomNumbers(seed, index, SCENE, FINGERS) if variant == "hands" else None
    width, height = rng.pick(SIZES)
    focal, centre = rng.between(0.8, 1.8) * max(width, height), (width / 2, height / 2)
    horizon, eye = rng.between(-0.05, 0.55) * height, rng.between(0.8, 2.3)  # eye: the camera's height in metres
    camera = camera_frame(math.degrees(math.atan((height / 2 - horizon) / focal)), rng.bell(0, 2.5))
    placed: list[tuple[float, Item]] = []

    def place(tall: float, x: float, crowd: bool) -> None:
        distance = focal * STATURE / tall
        ground = np.array(((x - width / 2) / focal * distance, eye, distance))
        view = View(camera @ facing(rng), camera @ ground, focal, centre)
        figure, labelled = sample_figure(rng, fingers), not rng.chance(0.06)
        placed.append((distance, Someone(figure, view, labelled, rng.many(18).tolist(), crowd)))

    x = 0.0
    for number in range(rng.whole(1, 6)):
        tall = rng.between(*rng.pick(((0.5, 1.2), (0.4, 1.0), (0.18, 0.45), (0.18, 0.45), (0.05, 0.18)))) * height
        beside = number and rng.chance(0.4)
        x = x + rng.bell(0, 0.3) * tall if beside else rng.between(0.02, 0.98) * width
        place(tall, x, False)
    if rng.chance(0.12):
        middle, tall = rng.between(0, width), rng.between(0.08, 0.25) * height
        for _ in range(rng.whole(10, 20)):
            place(tall * rng.between(0.8, 1.2), middle + rng.bell(0, 0.2) * width, True)
    for _ in range(rng.pick((0, 0, 1, 2))):
        distance, size = (
            rng.between(0.4, 1.0) * max(distance for distance, _ in placed),
            rng.between(0.1, 0.4) * height,
        )
        things = scenery.thing(rng, rng.between(0, width), rng.between(0.3, 1) * height, size)
        placed.append((distance, list(things)))
    placed.sort(key=lambda entry: -entry[0])
    return ScenePlan((width, height), horizon, [item for _, item in placed], variant=variant)


def plan_portrait(seed: int, index: int, variant: Variant = "body") -> ScenePlan:
    """A portrait's geometry: the main person, and others and things around and before them."""
    rng = RandomNumbers(seed, index, PORTRAIT, GEOMETRY)
    fingers = RandomNumbers(seed, index, PORTRAIT, FINGERS) if variant == "hands" else None
    width, height = PORTRAIT_SIZE
    pitch, distance = rng.bell(7, 9), rng.between(2.2, 9)
    camera = camera_frame(pitch, rng.bell(0, 4))
    figure = sample_figure(rng, fingers)
    ground = camera @ (0.0, 0.5 * figure.body.height, 0.0) + (0.0, 0.0, distance)
    turned = camera @ facing(rng)
    reach = extent(figure, View(turned, ground, 1.0, (0.0, 0.0)))
    focal, centre = _framing(rng, reach, rng.pick(("none",) * 11 + ("bottom",) * 4 + ("left", "right", "top")))
    inside = joints(figure, View(turned, ground, focal, centre)).places
    if ((inside >= 0) & (inside < PORTRAIT_SIZE)).all(1).sum() < LEAST_INSIDE:
        focal, centre = _framing(rng, reach, "none")
    whims = [*rng.many(17).tolist(), 0.0]  # the main person's joints are labelled however small they are
    person = Someone(figure, View(turned, ground, focal, centre), True, whims)
    placed: list[tuple[float, Item]] = [(0.0, person)]
    for _ in range(rng.pick((0, 0, 0, 1, 1, 2))):
        behind, aside = rng.between(-0.25, 0.45) * distance, rng.pick((-1, 1)) * rng.between(0.25, 1.3)
        view = View(camera @ facing(rng), ground + camera @ (aside, 0.0, behind), focal, centre)
        placed.append((behind, Someone(sample_figure(rng, fingers), view, True, rng.many(18).tolist())))
    if rng.chance(0.3):
        x, y = rng.between(0.2, 0.8) * width, rng.between(0.25, 0.95) * height
        placed.append((-distance, list(scenery.thing(rng, x, y, rng.between(0.15, 0.5) * height))))
    placed.sort(key=lambda entry: -entry[0])
    items = [item for _, item in placed]
    main = next(number for number, item in enumerate(items) if item is person)
    return ScenePlan((width, height), centre[1] - focal * math.tan(math.radians(pitch)), items, main, variant)


def _framing(
    rng: RandomNumbers, reach: tuple[float, float, float, float], border: str
) -> tuple[float, tuple[float, float]]:
    """Focal length and centre in pixels that show a person well.

    Args:
        reach: left, top, right, bottom of the person at focal length 1.
        border: the one of the picture that cuts them off, left, top, right or bottom, or none.
    """
    width, height = PORTRAIT_SIZE
    left, top, right, bottom = reach
    if border in ("left", "right"):
        kept = rng.between(0.5, 0.9) * (right - left)
        left, right = (right - kept, right) if border == "left" else (left, left + kept)
    elif border in ("top", "bottom"):
        kept = rng.between(0.35 if border == "bottom" else 0.5, 0.92) * (bottom - top)
        top, bottom = (bottom - kept, bottom) if border == "top" else (top, top + kept)
    focal = rng.between(155, 225) / max(bottom - top, (right - left) * 4 / 3)
    x = width / 2 + rng.bell(0, 6) - focal * (left + right) / 2
    y = height / 2 + rng.bell(0, 6) - focal * (top + bottom) / 2
    x = {"left": -focal * left, "right": width - focal * right}.get(border, x)
    y = {"top": -focal * top, "bottom": height - focal * bottom}.get(border, y)
    return focal, (x, y)
