"""A dressed body as solids in space, and what a camera sees of them: shaded polygons, farthest first.

A solid is drawn as the outlines of its projection, one inside the other, each brighter than the one before and moved
towards the light. Its outermost outline is all that the map of who is seen where takes.
"""

from dataclasses import dataclass, field
from functools import lru_cache
from itertools import groupby

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.synthetic.body import SIDES, Array, Body
from bench.data.synthetic.dice import Dice

Polygon = npt.NDArray[np.int32]
Colour = tuple[float, float, float]

# Geometry is rounded to 1/16 px before it is drawn: differences in the last bit of a sine stay without effect.
SHIFT = 4
UNIT = 1 << SHIFT

# Parts, as the map of who is seen where names them; left and right are neighbours.
OBJECT, NECK, HEAD, HAIR, CHEST, ABDOMEN, PELVIS, SKIRT = range(8)
UPPER_ARM, SLEEVE, FOREARM, HAND, THIGH, SHORT_LEG, SHIN, FOOT = range(8, 24, 2)
PARTS = 32  # a person's number in the map is a multiple of this

# Colours of an outfit, as rows of its palette.
SKIN, HAIR_COLOUR, SHIRT, TROUSERS, SHOES, SOLES, ACCENT, HAT, OBJECT_COLOUR = range(9)

# Scale of each outline and how bright it is, by how many outlines there are.
SHADES: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((1.0, 0.85),),
    2: ((1.0, 0.72), (0.62, 1.0)),
    3: ((1.0, 0.64), (0.74, 0.88), (0.38, 1.04)),
    5: ((1.0, 0.58), (0.86, 0.75), (0.68, 0.9), (0.46, 1.0), (0.22, 1.1)),
}
RING = np.linspace(0, 2 * np.pi, 16, endpoint=False)
RING_X, RING_Z = np.sin(RING), np.cos(RING)  # from the front over the person's left to the back
ARC = np.linspace(-1, 1, 7)


@dataclass(frozen=True)
class View:
    """A pinhole camera: from body frame to camera frame (x right, y down, z ahead; metres) to pixels."""

    rotation: Array  # [3, 3]
    position: Array  # [3] the body's origin in the camera frame
    focal: float  # pixels
    centre: tuple[float, float]  # pixels

    def see(self, points: Array) -> Array:
        """Points ``[..., 3]`` in the camera frame; nothing is nearer than 0.2 m."""
        seen = points @ self.rotation.T + self.position
        np.maximum(seen[..., 2], 0.2, out=seen[..., 2])
        return seen

    def project(self, seen: Array) -> Array:
        """Camera frame ``[..., 3]`` to pixels ``[..., 2]``."""
        return seen[..., :2] * (self.focal / seen[..., 2:]) + self.centre


@dataclass(frozen=True)
class Outfit:
    """What someone wears as far as it has a shape."""

    sleeves: float  # 0 none, 1 to the wrist
    legs: float  # of trousers: 0.3 shorts, 1 to the ankle
    skirt: float  # of the leg down to the ankle, 0: trousers
    hair: str  # bald, short, long, bun
    hat: bool
    beard: bool
    glasses: bool
    open_jacket: bool
    collar: bool
    badge: bool  # on the left of the chest
    print_on: str  # front, back, nowhere
    backpack: bool
    loose: float  # how much wider clothes are than the body


def sample_outfit(dice: Dice) -> Outfit:
    bare = dice.chance(0.12)
    skirt = dice.between(0.3, 0.85) if dice.chance(0.16) else 0.0
    return Outfit(
        sleeves=0.0 if bare else dice.pick((0.3, 0.4, 0.5, 1.0, 1.0)),
        legs=dice.pick((0.3, 0.45, 0.55, 1.0, 1.0, 1.0, 1.0)),
        skirt=skirt,
        hair=dice.pick(
            ("long", "long", "bun", "short") if skirt else ("bald", "short", "short", "short", "long", "bun")
        ),
        hat=dice.chance(0.16),
        beard=not skirt and dice.chance(0.2),
        glasses=dice.chance(0.15),
        open_jacket=dice.chance(0.3),
        collar=dice.chance(0.6),
        badge=dice.chance(0.35),
        print_on=dice.pick(("front", "front", "back", "nowhere", "nowhere")),
        backpack=dice.chance(0.1),
        loose=dice.between(1.05, 1.3),
    )


@dataclass
class Layer:
    """Something to be drawn in one go: outlines from the outermost to the brightest, then what is on it."""

    part: int
    depth: float
    group: tuple[int, int]  # neighbours in depth of one group are drawn as one solid
    outlines: list[Polygon]
    colours: list[Colour]
    details: list[tuple[Polygon, Colour]] = field(default_factory=list)


# ---------------------------------------------------------------------------------------------------------------------
# Solids


@dataclass
class Figure:
    """A body and its clothes as solids in the body frame."""

    body: Body
    outfit: Outfit
    # Limbs: tapering between two balls.
    parts: list[tuple[int, int, int]]  # part, group, colour
    ends: Array  # [N, 2, 3]
    radii: Array  # [N, 2]
    # Trunk: hulls of elliptical rings.
    rings: Array  # [R, 16, 3]
    ring_parts: list[tuple[int, int, int, tuple[int, ...]]]  # part, group, colour, rings


TORSO_GROUP, LEG_GROUP, ARM_GROUP, HAIR_GROUP, PACK_GROUP, NECK_GROUP = 1, 2, 4, 6, 7, 8


def build(body: Body, outfit: Outfit) -> Figure:
    """Put flesh and clothes on the bones."""
    h, p, f = body.height, body.points, body.frames
    g = h * body.girth
    limbs: list[tuple[tuple[int, int, int], Array, Array, float, float]] = []
    cloth = outfit.loose
    trousers = PELVIS if not outfit.skirt else SKIRT
    for side, (name, sign) in enumerate(SIDES):
        shoulder, elbow, wrist = p[f"{name}_shoulder"], p[f"{name}_elbow"], p[f"{name}_wrist"]
        hip, knee, ankle = p[f"{name}_hip"], p[f"{name}_knee"], p[f"{name}_ankle"]
        hand, thigh = f[f"{name}_hand"], f[f"{name}_thigh"]
        arm, leg = ARM_GROUP + side, LEG_GROUP + side
        long = outfit.sleeves == 1.0
        wide = cloth if long else 1.0
        arm_colour = SHIRT if long else SKIN
        palm = wrist + hand @ (0, -0.045 * h, 0.002 * h)
        tips = wrist + hand @ (0, -0.085 * h, 0.008 * h)
        limbs += [
            ((UPPER_ARM + side, arm, arm_colour), shoulder, elbow, 0.029 * g * wide, 0.0225 * g * wide),
            ((FOREARM + side, arm, arm_colour), elbow, wrist, 0.0235 * g * wide, 0.0155 * g * wide),
            ((HAND + side, arm, SKIN), wrist, palm, 0.015 * h, 0.0195 * h),
            ((HAND + side, arm, SKIN), palm, tips, 0.0185 * h, 0.011 * h),
            ((HAND + side, arm, SKIN), wrist + hand @ (0, -0.015 * h, 0.012 * h),
             wrist + hand @ (-sign * 0.006 * h, -0.05 * h, 0.034 * h), 0.009 * h, 0.007 * h),
        ]  # fmt: skip
        if 0 < outfit.sleeves < 1:
            end = shoulder + (elbow - shoulder) * (2 * outfit.sleeves)
            limbs.append(((SLEEVE + side, arm, SHIRT), shoulder, end, 0.032 * g * cloth, 0.0275 * g * cloth))
        long = outfit.legs == 1.0 and not outfit.skirt
        wide = 0.94 * cloth if long else 1.0
        colour = TROUSERS if long else SKIN
        limbs += [
            ((THIGH + side, leg, colour), hip - thigh @ (0, 0.02 * h, 0), knee, 0.05 * g * wide, 0.033 * g * wide),
            ((SHIN + side, leg, colour), knee, knee + (ankle - knee) * 0.35, 0.031 * g * wide, 0.034 * g * wide),
            ((SHIN + side, leg, colour), knee + (ankle - knee) * 0.35, ankle, 0.034 * g * wide, 0.021 * g * wide),
            ((FOOT + side, leg, SHOES), p[f"{name}_heel"], p[f"{name}_toe"], 0.023 * h, 0.0185 * h),
        ]
        if not long and not outfit.skirt:
            end = hip + (knee - hip) * (outfit.legs * 1.75)
            limbs.append(((SHORT_LEG + side, leg, TROUSERS), hip, end, 0.053 * g * cloth**0.5, 0.045 * g * cloth))
    limbs.append(
        ((NECK, NECK_GROUP, SKIN), p["neck"] - f["chest"] @ (0, 0.02 * h, 0), p["throat"], 0.034 * h, 0.03 * h)
    )
    skull, head = p["skull"], f["head"]
    if outfit.hair == "long":
        low = skull + head @ (0, -0.10, -0.06) + f["chest"] @ (0, -0.09, -0.035)
        limbs.append(((HAIR, HAIR_GROUP, HAIR_COLOUR), skull + head @ (0, -0.005, -0.03), low, 0.086, 0.07))
    elif outfit.hair == "bun":
        ball = skull + head @ (0, 0.045, -0.105)
        limbs.append(((HAIR, HAIR_GROUP, HAIR_COLOUR), ball, ball + head @ (0, -0.03, -0.01), 0.034, 0.03))
    if outfit.backpack:
        top = p["neck"] + f["chest"] @ (0, -0.05 * h, -0.09 * h)
        bottom = p["waist"] + f["chest"] @ (0, 0.02 * h, -0.095 * h)
        limbs.append(((OBJECT, PACK_GROUP, OBJECT_COLOUR), top, bottom, 0.06 * h, 0.075 * h))
    rings, ring_parts = _trunk(body, outfit, g, trousers)
    return Figure(
        body, outfit,
        parts=[limb[0] for limb in limbs],
        ends=np.array([limb[1:3] for limb in limbs]),
        radii=np.array([limb[3:5] for limb in limbs]),
        rings=rings, ring_parts=ring_parts,
    )  # fmt: skip


def _trunk(
    body: Body, outfit: Outfit, g: float, trousers: int
) -> tuple[Array, list[tuple[int, int, int, tuple[int, ...]]]]:
    h, p, f = body.height, body.points, body.frames
    pelvis, middle, chest = f["pelvis"], f["middle"], f["chest"]
    breadth = float(np.linalg.norm(p["left_shoulder"] - p["right_shoulder"])) / 2
    loose = 1 + 0.4 * (outfit.loose - 1)
    specification = [
        (p["pelvis"] + pelvis @ (0, -0.05 * h, 0), pelvis, 0.066 * g, 0.05 * g),
        (p["pelvis"], pelvis, 0.09 * g, 0.062 * g),
        (p["pelvis"] + pelvis @ (0, 0.035 * h, 0), pelvis, 0.084 * g, 0.058 * g),
        (p["waist"], middle, 0.077 * g * loose, 0.056 * g * loose),
        (p["ribs"], chest, 0.086 * g * loose, 0.064 * g * loose),
        (p["ribs"] + chest @ (0, 0.06 * h, 0), chest, 0.5 * (0.092 * g + breadth), 0.064 * g * loose),
        (p["ribs"] + chest @ (0, 0.106 * h, -0.002 * h), chest, breadth, 0.042 * g),
        (p["neck"] + chest @ (0, 0.012 * h, 0), chest, 0.036 * h, 0.032 * h),
    ]
    parts: list[tuple[int, int, int, tuple[int, ...]]] = [
        (PELVIS, TORSO_GROUP, TROUSERS, (0, 1, 2)),
        (ABDOMEN, TORSO_GROUP, SHIRT, (2, 3, 4)),
        (CHEST, TORSO_GROUP, SHIRT, (4, 5, 6, 7)),
    ]
    if outfit.skirt:
        for side, (name, _) in enumerate(SIDES):
            hip, knee, ankle = p[f"{name}_hip"], p[f"{name}_knee"], p[f"{name}_ankle"]
            along = outfit.skirt * 2
            hem = hip + (knee - hip) * min(along, 1.0) + (ankle - knee) * max(along - 1.0, 0.0)
            specification.append((hem, f[f"{name}_thigh"], 0.075 * g * outfit.loose, 0.07 * g * outfit.loose))
        parts.append((SKIRT, TORSO_GROUP, TROUSERS, (2, 8, 9)))
    places = np.array([row[0] for row in specification])
    frames = np.array([row[1] for row in specification])
    wide, deep = np.array([row[2:] for row in specification]).T
    rings = (
        places[:, None]
        + (frames[:, None, :, 0] * (wide[:, None] * RING_X)[..., None])
        + (frames[:, None, :, 2] * (deep[:, None] * RING_Z)[..., None])
    )
    return rings, parts


# ---------------------------------------------------------------------------------------------------------------------
# The head, in its own frame with the middle of the skull at the origin; metres.

SKULL = np.array([(0, 0.004, 0.012), (0, 0.01, -0.022), (0, -0.082, 0.03)])
SKULL_RADII = np.array((0.08, 0.084, 0.046))


def _ellipse(x: float, y: float, z: float, wide: float, high: float, count: int = 8) -> Array:
    """Around a point of the face, in the plane that touches a ball of the skull's size there."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    normal = np.array((x, 0.6 * y, z)) / np.sqrt(x * x + 0.36 * y * y + z * z)
    across = np.array((normal[2], 0.0, -normal[0])) / np.sqrt(normal[0] ** 2 + normal[2] ** 2)
    up = np.cross(normal, across)
    return np.array((x, y, z)) + np.outer(wide * np.cos(angle), across) + np.outer(high * np.sin(angle), up)


@dataclass(frozen=True)
class Feature:
    """Something painted on the head."""

    points: Array  # [N, 3]
    normal: Array  # [3]
    least: float  # cosine of normal and line of sight above which it is seen
    name: str


@lru_cache(maxsize=1)
def _features() -> tuple[list[Feature], Array, Array, list[slice]]:
    found = []
    for sign in (1.0, -1.0):
        out = np.array((0.30 * sign, 0.0, 0.954))
        found += [
            Feature(_ellipse(0.033 * sign, -0.018, 0.084, 0.0155, 0.0085), out, 0.12, "white"),
            Feature(_ellipse(0.033 * sign, -0.018, 0.0855, 0.0078, 0.0082), out, 0.12, "iris"),
            Feature(_ellipse(0.034 * sign, 0.006, 0.083, 0.019, 0.0042, 6), out, 0.08, "brow"),
            Feature(_ellipse(0.034 * sign, -0.018, 0.088, 0.026, 0.02), out, 0.08, "glasses"),
            Feature(_ellipse(0.034 * sign, -0.062, 0.077, 0.016, 0.014), out, 0.15, "cheek"),
        ]
    ahead = np.array((0.0, 0.0, 1.0))
    found += [
        Feature(_ellipse(0, -0.088, 0.078, 0.024, 0.0065), ahead, 0.12, "mouth"),
        Feature(np.array([(0.006, -0.008, 0.092), (0.017, -0.052, 0.088), (0, -0.06, 0.094), (-0.017, -0.052, 0.088),
                          (-0.006, -0.008, 0.092), (0, -0.05, 0.115)]), ahead, -0.25, "nose"),
        Feature(np.array([(0.012, -0.052, 0.096), (0, -0.059, 0.1), (-0.012, -0.052, 0.096), (0, -0.048, 0.114)]),
                ahead, -0.1, "tip"),
    ]  # fmt: skip
    ear = np.array([(0.082, 0.012, 0), (0.093, 0.016, -0.012), (0.095, -0.006, -0.018), (0.088, -0.032, -0.008),
                    (0.081, -0.042, 0.004), (0.079, -0.015, 0.006)])  # fmt: skip
    for sign in (1.0, -1.0):
        found.append(Feature(ear * (sign, 1, 1), np.array((sign, 0.0, -0.05)), -0.3, "ear"))
    slices, start = [], 0
    for feature in found:
        slices.append(slice(start, start + len(feature.points)))
        start += len(feature.points)
    return found, np.concatenate([f.points for f in found]), np.array([f.normal for f in found]), slices


@lru_cache(maxsize=8)
def _cap(kind: str) -> tuple[Array, Array]:
    """Points of the hair, hat or beard and their normals, in the head frame."""
    count = 120
    index = np.arange(count) + 0.5
    polar, turn = 1 - 2 * index / count, index * (np.pi * (3 - np.sqrt(5)))
    level = np.sqrt(1 - polar**2)
    normals = np.column_stack((level * np.cos(turn), polar, level * np.sin(turn)))
    x, y, z = normals.T
    centre, size = (0.0, 0.008, -0.006), (0.089, 0.092, 0.099)
    if kind == "hat":
        kept, size = y > 0.28 - 0.12 * z, (0.094, 0.1, 0.104)
    elif kind == "beard":
        kept, centre, size = (y < -0.3) & (z > -0.1), (0.0, -0.045, 0.012), (0.066, 0.092, 0.076)
    elif kind == "bald":
        kept, size = (y < 0.2) & (y > -0.7) & (z < -0.25), (0.083, 0.084, 0.099)
    else:
        kept = y > np.where(z > 0.15, 0.42 + 0.1 * z, -0.75 + np.clip(z + 0.55, 0, 1) * 1.45)
    return normals[kept] * size + centre, normals[kept]


HEAD_JOINTS = {  # where COCO's first five joints are, which way they look, and what they need to be seen
    "nose": ((0, -0.05, 0.112), (0, 0, 1), -0.1),
    "left_eye": ((0.033, -0.018, 0.085), (0.30, 0, 0.954), 0.12),
    "right_eye": ((-0.033, -0.018, 0.085), (-0.30, 0, 0.954), 0.12),
    "left_ear": ((0.086, -0.012, -0.005), (1, 0, -0.05), -0.2),
    "right_ear": ((-0.086, -0.012, -0.005), (-1, 0, -0.05), -0.2),
}
_HEAD_POINTS = np.array([row[0] for row in HEAD_JOINTS.values()], float)
_HEAD_NORMALS = np.array([row[1] for row in HEAD_JOINTS.values()], float)
_HEAD_LEAST = np.array([row[2] for row in HEAD_JOINTS.values()])

LIMB_JOINTS = tuple(f"{side}_{name}" for name in ("shoulder", "elbow", "wrist", "hip", "knee", "ankle")
                    for side in ("left", "right"))  # fmt: skip
_ARM, _TRUNK, _LEG = (UPPER_ARM, SLEEVE, FOREARM, HAND), (CHEST, ABDOMEN), (THIGH, SHORT_LEG, SHIN)
# What a joint is seen as where it is seen; sided parts stand for those of its own side.
OWN_PARTS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "shoulder": ((CHEST,), (UPPER_ARM, SLEEVE)),
    "elbow": ((), (UPPER_ARM, SLEEVE, FOREARM)),
    "wrist": ((), (FOREARM, HAND)),
    "hip": ((ABDOMEN, PELVIS, SKIRT), (THIGH, SHORT_LEG)),
    "knee": ((SKIRT,), (THIGH, SHORT_LEG, SHIN)),
    "ankle": ((SKIRT,), (SHIN, FOOT)),
}
_OWN = [frozenset({HEAD})] * 5 + [
    frozenset((*OWN_PARTS[joint.split("_")[1]][0],
               *(part + joint.startswith("right") for part in OWN_PARTS[joint.split("_")[1]][1])))
    for joint in LIMB_JOINTS
]  # fmt: skip


@dataclass(frozen=True)
class Joints:
    """COCO's 17 joints in the picture, in COCO's order."""

    places: Array  # [17, 2] pixels
    turned: npt.NDArray[np.bool_]  # [17] on the far side of one's own head or trunk
    averted: npt.NDArray[np.bool_]  # [17] so far on the far side of the head that nobody would guess the place


def joints(figure: Figure, view: View) -> Joints:
    """Where the joints are, and which of them one's own head or trunk hides; the rest the map of parts tells."""
    points = figure.body.points
    head = _HEAD_POINTS @ figure.body.frames["head"].T + points["skull"]
    limbs = np.array([points[name] for name in LIMB_JOINTS])
    seen = view.see(np.concatenate((head, limbs)))
    sight = seen[:5] / -np.sqrt((seen[:5] ** 2).sum(1, keepdims=True))
    facing = ((_HEAD_NORMALS @ figure.body.frames["head"].T @ view.rotation.T) * sight).sum(1)
    turned, averted = np.zeros(17, bool), np.zeros(17, bool)
    turned[:5] = facing < _HEAD_LEAST
    averted[:5] = facing < _HEAD_LEAST - 0.45
    for left, right in ((5, 6), (11, 12)):
        across = seen[left] - seen[right]
        steepness = across[2] / np.sqrt(across @ across)
        turned[left], turned[right] = steepness > 0.86, steepness < -0.86
    return Joints(view.project(seen), turned, averted)


def is_own(joint: int, part: int) -> bool:
    """Whether a joint shows where this part of its person is what one sees."""
    return part in _OWN[joint]


# ---------------------------------------------------------------------------------------------------------------------
# From solids to polygons


def extent(figure: Figure, view: View) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels of what the solids cover, nearly."""
    ends = np.concatenate((figure.ends.reshape(-1, 3), figure.body.points["skull"][None]))
    radii = np.append(figure.radii.ravel(), 0.1)
    seen = view.see(ends)
    centres, sizes = view.project(seen), (radii * view.focal / seen[:, 2])[:, None]
    low, high = (centres - sizes).min(0), (centres + sizes).max(0)
    return float(low[0]), float(low[1]), float(high[0]), float(high[1])


def layers(figure: Figure, view: View, palette: Array | None, outlines: int, light: Array) -> list[Layer]:
    """What the camera sees, farthest first.

    Args:
        palette: RGB of the outfit ``[9, 3]``, 0 to 255; None leaves colours and details out.
        outlines: how many a solid is shaded with, one of ``SHADES``.
        light: where light comes from in the picture, x and y, at most 0.6 long.
    """
    scales = np.array([scale for scale, _ in SHADES[outlines]])
    shades = np.array([shade for _, shade in SHADES[outlines]])
    tones: list[list[Colour]] = []
    if palette is not None:
        tones = [[tuple(tone) for tone in row] for row in np.clip(palette[:, None] * shades[:, None], 0, 255).tolist()]  # type: ignore[misc]
    found = _limbs(figure, view, tones, scales, light) + _trunk_layers(figure, view, tones, scales, light, palette)
    found += _head(figure, view, tones, scales, light, palette)
    found.sort(key=lambda layer: -layer.depth)
    return found


def _fixed(points: Array) -> Polygon:
    return np.rint(np.clip(points, -3e4, 3e4) * UNIT).astype(np.int32)


def _limbs(figure: Figure, view: View, tones: list[list[Colour]], scales: Array, light: Array) -> list[Layer]:
    seen = view.see(figure.ends)  # [N, 2, 3]
    centres, radii = view.project(seen), figure.radii * view.focal / seen[..., 2]
    # [N, levels, end]: each level shrinks the balls and moves them towards the light.
    sizes = radii[:, None] * scales[:, None]
    places = centres[:, None] + (radii[:, None] - sizes)[..., None] * light
    along = places[:, :, 1] - places[:, :, 0]
    length = np.sqrt((along**2).sum(-1)) + 1e-6
    along = along / length[..., None]
    across = np.stack((-along[..., 1], along[..., 0]), -1)
    half = np.arccos(np.clip((sizes[..., 0] - sizes[..., 1]) / length, -1, 1))[..., None]
    angles = np.concatenate((half * ARC, np.pi + (np.pi - half) * ARC), -1)  # round the second end, then the first
    which = np.repeat((1, 0), len(ARC))
    polygons = _fixed(
        places[:, :, which]
        + sizes[:, :, which, None]
        * (np.cos(angles)[..., None] * along[:, :, None] + np.sin(angles)[..., None] * across[:, :, None])
    )
    depths = seen[..., 2].mean(1).tolist()
    order = {SLEEVE: -0.012, SHORT_LEG: -0.012, HAND: -0.004}
    result = []
    for index, (part, group, colour) in enumerate(figure.parts):
        nudge = order.get(part & ~1, 0.0) if part >= UPPER_ARM else (0.02 if part == NECK else 0.0)
        colours = tones[colour] if tones else []
        result.append(Layer(part, depths[index] + nudge, (group, colour), list(polygons[index]), colours))
    return result


def _trunk_layers(
    figure: Figure, view: View, tones: list[list[Colour]], scales: Array, light: Array, palette: Array | None
) -> list[Layer]:
    seen = view.see(figure.rings)
    flat = view.project(seen)  # [R, 16, 2]
    centres = flat.mean(1, keepdims=True)
    sizes = np.sqrt(((flat - centres) ** 2).sum(-1).max(1))
    levels = centres + scales[:, None, None, None] * (flat - centres)
    levels = levels + ((1 - scales)[:, None] * sizes)[..., None, None] * light
    fixed = _fixed(levels)  # [levels, R, 16, 2]
    result = []
    for part, group, colour, rings in figure.ring_parts:
        points = fixed[:, rings].reshape(len(scales), -1, 2)
        outlines = [np.asarray(cv2.convexHull(level), np.int32) for level in points]
        depth = float(seen[rings, :, 2].mean())
        if part == SKIRT:
            depth = float(seen[rings, :, 2].mean(1).min()) - 0.03
        layer = Layer(part, depth, (group, colour), outlines, tones[colour] if tones else [])
        if palette is not None and part == CHEST:
            layer.details = _on_the_chest(figure, view, palette)
        result.append(layer)
    return result


def _on_the_chest(figure: Figure, view: View, palette: Array) -> list[tuple[Polygon, Colour]]:
    """Collar, buttons, badge, print: what tells the front of a shirt from its back."""
    return []


def _head(
    figure: Figure, view: View, tones: list[list[Colour]], scales: Array, light: Array, palette: Array | None
) -> list[Layer]:
    frame, skull = figure.body.frames["head"], figure.body.points["skull"]
    turn = view.rotation @ frame  # head frame to camera frame
    seen = view.see(SKULL @ frame.T + skull)
    centres, radii = view.project(seen), SKULL_RADII * view.focal / seen[:, 2]
    circle = np.column_stack((RING_Z, RING_X))
    sizes = radii * scales[:, None]
    places = centres + (radii - sizes)[..., None] * light
    points = _fixed(places[:, :, None] + sizes[..., None, None] * circle).reshape(len(scales), -1, 2)
    depth = float(seen[0, 2])
    result = [Layer(HEAD, depth, (HEAD, 0), [np.asarray(cv2.convexHull(level), np.int32) for level in points],
                    tones[SKIN] if tones else [])]  # fmt: skip
    sight = -seen[0] / np.sqrt(seen[0] @ seen[0])
    toward = sight @ turn  # the camera's direction in the head frame
    if palette is not None:
        result[0].details = _face(figure, view, palette, toward)
    outfit = figure.outfit
    caps = [("beard", HAIR_COLOUR)] if outfit.beard and toward[2] > -0.2 and False else []
    caps += [("bald" if outfit.hair == "bald" else "hair", HAIR_COLOUR)] + ([("hat", HAT)] if outfit.hat else [])
    for number, (kind, colour) in enumerate(caps):
        cap, normals = _cap(kind)
        cap = cap[normals @ toward > -0.12]
        if len(cap) < 3:
            continue
        flat = view.project(view.see(cap @ frame.T + skull))
        middle = flat.mean(0)
        size = np.abs(flat - middle).max()
        outlines = [
            np.asarray(cv2.convexHull(_fixed(middle + s * (flat - middle) + (1 - s) * size * light * 0.6)), np.int32)
            for s in scales
        ]
        result.append(Layer(HEAD, depth - 0.001 * (number + 1), (HEAD, number + 1), outlines,
                            tones[colour] if tones else []))  # fmt: skip
    return result


def _face(figure: Figure, view: View, palette: Array, toward: Array) -> list[tuple[Polygon, Colour]]:
    features, points, normals, slices = _features()
    frame, skull, outfit = figure.body.frames["head"], figure.body.points["skull"], figure.outfit
    flat = _fixed(view.project(view.see(points @ frame.T + skull)))
    facing = (normals @ toward).tolist()
    skin, hair = palette[SKIN], palette[HAIR_COLOUR]
    colours = {
        "white": (235.0, 232.0, 228.0),
        "iris": tuple(palette[ACCENT] * 0.15 + 15),
        "brow": tuple(hair * 0.7),
        "cheek": tuple(np.minimum(skin * (1.1, 0.98, 0.95), 255)),
        "mouth": tuple(skin * (0.78, 0.45, 0.45)),
        "nose": tuple(skin * 0.84),
        "tip": tuple(np.minimum(skin * 1.1, 255)),
        "ear": tuple(skin * 0.86),
        "glasses": (25.0, 25.0, 30.0),
    }
    drawn = []
    for feature, cosine, part in zip(features, facing, slices, strict=True):
        if cosine > feature.least and (feature.name != "glasses" or outfit.glasses):
            polygon = flat[part] if feature.name != "nose" else np.asarray(cv2.convexHull(flat[part]), np.int32)
            drawn.append((polygon, colours[feature.name]))
    return drawn  # type: ignore[return-value]


# ---------------------------------------------------------------------------------------------------------------------
# Drawing


def paint(image: npt.NDArray[np.uint8], found: list[Layer]) -> None:
    """Draw layers into an RGB picture, in their order."""
    for _, together in groupby(found, key=lambda layer: layer.group):
        group = list(together)
        for level in range(len(group[0].outlines)):
            for layer in group:
                cv2.fillConvexPoly(image, layer.outlines[level], layer.colours[level], cv2.LINE_AA, SHIFT)
        for layer in group:
            for polygon, colour in layer.details:
                cv2.fillConvexPoly(image, polygon, colour, cv2.LINE_AA, SHIFT)


def mark(parts: npt.NDArray[np.uint16], found: list[Layer], person: int) -> None:
    """Draw the layers' outermost outlines into the map of who is seen where.

    A pixel of the map is the person's number times ``PARTS`` plus the part, or 0 for what is nobody.
    """
    for layer in found:
        value = person * PARTS + layer.part if layer.part else 0
        cv2.fillConvexPoly(parts, layer.outlines[0], value, cv2.LINE_8, SHIFT)  # type: ignore[call-overload]
