"""A dressed body as solids in space: tapering limbs, a trunk of rings, things it carries or sits on."""

from dataclasses import dataclass

import numpy as np

from bench.data.synthetic.body import SIDES, Array, Body
from bench.data.synthetic.hands import RADII, Hand, digits
from bench.data.synthetic.random_numbers import RandomNumbers

# Parts, as the map of who is seen where names them; a hat is part of the hair. Of those that there are two of, the
# right one follows the left one.
OBJECT, NECK, HEAD, HAIR, CHEST, ABDOMEN, PELVIS, SKIRT = range(8)
UPPER_ARM, SLEEVE, FOREARM, HAND, THIGH, SHORT_LEG, SHIN, FOOT = range(8, 24, 2)
PARTS = 32  # room for them

# Colours of an outfit, as rows of its palette.
SKIN, HAIRS, SHIRT, TROUSERS, SHOES, SOLES, ACCENT, PRINT, HAT, THING, SEAT = range(11)
COLOURS = 11

# Parts of one group that follow each other in depth are drawn as one solid, without an edge between them.
HEAD_GROUP, TORSO, LOWER, LEGS, ARMS, CARRIED = 0, 1, 2, 3, 5, 7

RING = np.linspace(0, 2 * np.pi, 16, endpoint=False)  # from the front over the person's left to the back
RING_X, RING_Z = np.sin(RING), np.cos(RING)
# Rings of the trunk from below, see ``_trunk``.
CROTCH, HIPS, WAISTBAND, WAIST, RIBS, BREAST, SHOULDERS, COLLAR = range(8)


@dataclass(frozen=True)
class Outfit:
    """What someone wears and carries, as far as it has a shape."""

    sleeves: float  # of the upper arm; 0 none, 1 to the wrist
    legs: float  # of the thigh that shorts cover; 1 trousers to the ankle
    skirt: float  # of the leg down to the ankle; 0 trousers or shorts
    hair: str  # bald, short, long, bun
    hat: bool
    beard: bool
    glasses: bool
    jacket: bool  # open in front
    collar: bool
    badge: bool  # on the left of the breast
    print_on: str  # front, back, nowhere
    backpack: bool
    holding: str  # nothing, bag, stick
    right_handed: bool
    loose: float  # how much wider clothes are than the body
    seat: str  # of someone sitting: stool, chair


def sample_outfit(rng: RandomNumbers) -> Outfit:
    skirt = rng.between(0.3, 0.85) if rng.chance(0.16) else 0.0
    return Outfit(
        sleeves=rng.pick((0.0, 0.45, 0.55, 0.7, 1.0, 1.0, 1.0)),
        legs=rng.pick((0.45, 0.6, 0.85, 1.0, 1.0, 1.0, 1.0)),
        skirt=skirt,
        hair=rng.pick(("long", "long", "bun", "short") if skirt else ("bald",) + ("short",) * 3 + ("long", "bun")),
        hat=rng.chance(0.16),
        beard=not skirt and rng.chance(0.25),
        glasses=rng.chance(0.15),
        jacket=rng.chance(0.25),
        collar=rng.chance(0.6),
        badge=rng.chance(0.4),
        print_on=rng.pick(("front", "front", "back", "nowhere", "nowhere")),
        backpack=rng.chance(0.1),
        holding=rng.pick(("nothing",) * 8 + ("bag", "stick")),
        right_handed=rng.chance(0.5),
        loose=rng.between(1.05, 1.3),
        seat=rng.pick(("stool", "chair")),
    )  # fmt: skip


@dataclass(frozen=True)
class Limb:
    """A solid that tapers from one ball to another."""

    part: int
    group: int
    colour: int
    start: Array
    end: Array
    start_radius: float
    end_radius: float


@dataclass(frozen=True)
class Hull:
    """The convex solid round some rings of the trunk."""

    part: int
    group: int
    colour: int
    rings: tuple[int, ...]


@dataclass(frozen=True)
class Figure:
    """A body, its clothes and things, in the body frame."""

    body: Body
    outfit: Outfit
    hands: tuple[Hand, Hand] | None  # left and right; none: without fingers
    limbs: list[Limb]
    ends: Array  # [limbs, 2, 3] start and end
    radii: Array  # [limbs, 2]
    hulls: list[Hull]
    rings: Array  # [rings, 16, 3]
    boxes: Array  # [boxes, 8, 3] corners: a seat


def build(body: Body, outfit: Outfit, hands: tuple[Hand, Hand] | None = None) -> Figure:
    """Put flesh and clothes on the bones."""
    limbs = [
        *(limb for side in range(2) for limb in (*_arm(body, outfit, side, hands), *_leg(body, outfit, side))),
        *_hair(body, outfit),
        *_things(body, outfit),
    ]
    rings, hulls = _trunk(body, outfit)
    return Figure(
        body, outfit, hands, limbs,
        ends=np.array([(limb.start, limb.end) for limb in limbs]),
        radii=np.array([(limb.start_radius, limb.end_radius) for limb in limbs]),
        hulls=hulls, rings=rings, boxes=_seat(body, outfit),
    )  # fmt: skip


def _arm(body: Body, outfit: Outfit, side: int, hands: tuple[Hand, Hand] | None) -> list[Limb]:
    name, _ = SIDES[side]
    g, group = body.height * body.girth, ARMS + side
    shoulder, elbow, wrist = (body.points[f"{name}_{joint}"] for joint in ("shoulder", "elbow", "wrist"))
    long = outfit.sleeves == 1.0
    wide, colour = (g * outfit.loose, SHIRT) if long else (g, SKIN)
    limbs = [
        Limb(UPPER_ARM + side, group, colour, shoulder, elbow, 0.029 * wide, 0.0225 * wide),
        Limb(FOREARM + side, group, colour, elbow, wrist, 0.0235 * wide, 0.0155 * wide),
        *(_mitten(body, side) if hands is None else _fingers(body, side, hands[side])),
    ]
    if 0 < outfit.sleeves < 1:
        end = shoulder + (elbow - shoulder) * outfit.sleeves
        wide = g * outfit.loose
        limbs.append(Limb(SLEEVE + side, group, SHIRT, shoulder, end, 0.0315 * wide, 0.0275 * wide))
    return limbs


def _mitten(body: Body, side: int) -> list[Limb]:
    """A hand whose fingers are one, and a thumb."""
    name, sign = SIDES[side]
    h, group, wrist, hand = body.height, ARMS + side, body.points[f"{name}_wrist"], body.frames[f"{name}_hand"]
    # The hand's own axes: downward along the fingers, forward on the thumb's side.
    down, thumb = hand[:, 1] * -h, hand[:, 2] * h + hand[:, 0] * (-sign * 0.2 * h)
    palm = wrist + 0.045 * down
    return [
        Limb(HAND + side, group, SKIN, wrist, palm, 0.015 * h, 0.0195 * h),
        Limb(HAND + side, group, SKIN, palm, palm + 0.04 * down, 0.0185 * h, 0.011 * h),
        Limb(HAND + side, group, SKIN, wrist + 0.015 * down + 0.012 * thumb, wrist + 0.05 * down + 0.034 * thumb,
             0.009 * h, 0.007 * h),
    ]  # fmt: skip


def _fingers(body: Body, side: int, hand: Hand) -> list[Limb]:
    """A palm, a thumb and four fingers, each of two halves."""
    name, _ = SIDES[side]
    h, group, wrist = body.height, ARMS + side, body.points[f"{name}_wrist"]
    palm = wrist - body.frames[f"{name}_hand"][:, 1] * (0.041 * h)
    found = [Limb(HAND + side, group, SKIN, wrist, palm, 0.0145 * h, 0.0185 * h)]
    for points, radii in zip(digits(body, side, hand), (RADII * h).tolist(), strict=True):
        found += [
            Limb(HAND + side, group, SKIN, points[half], points[half + 1], radii[half], radii[half + 1])
            for half in range(2)
        ]
    return found


def _leg(body: Body, outfit: Outfit, side: int) -> list[Limb]:
    name, _ = SIDES[side]
    h, g, group = body.height, body.height * body.girth, LEGS + side
    hip, knee, ankle, heel, toe = (
        body.points[f"{name}_{joint}"] for joint in ("hip", "knee", "ankle", "heel", "toe")
    )  # fmt: skip
    thigh, foot = body.frames[f"{name}_thigh"], body.frames[f"{name}_foot"]
    long = outfit.legs == 1.0 and not outfit.skirt
    wide, colour = (0.94 * g * outfit.loose, TROUSERS) if long else (g, SKIN)
    calf, below = knee + (ankle - knee) * 0.3, foot[:, 1] * (-0.009 * h)
    limbs = [
        Limb(THIGH + side, group, colour, hip - thigh[:, 1] * (0.01 * h), knee, 0.05 * wide, 0.033 * wide),
        Limb(SHIN + side, group, colour, knee, calf, 0.031 * wide, 0.034 * wide),
        Limb(SHIN + side, group, colour, calf, ankle, 0.034 * wide, 0.021 * wide),
        Limb(FOOT + side, group, SOLES, heel + below, toe + below + foot[:, 2] * (0.004 * h), 0.02 * h, 0.0165 * h),
        Limb(FOOT + side, group, SHOES, heel, toe, 0.0235 * h, 0.017 * h),
        Limb(FOOT + side, group, ACCENT, toe - foot[:, 2] * (0.004 * h), toe, 0.0175 * h, 0.0172 * h),
    ]
    if not long and not outfit.skirt:
        end = hip + (knee - hip) * outfit.legs
        limbs.append(Limb(SHORT_LEG + side, group, TROUSERS, hip, end, 0.0525 * g, 0.044 * g * outfit.loose))
    return limbs


def _hair(body: Body, outfit: Outfit) -> list[Limb]:
    h, points = body.height, body.points
    chest, head, skull = body.frames["chest"], body.frames["head"], points["skull"]
    limbs = [Limb(NECK, NECK, SKIN, points["neck"] - chest[:, 1] * (0.02 * h), points["throat"], 0.034 * h, 0.03 * h)]
    if outfit.hair == "long":
        nape = skull + head @ (0, -0.09, -0.035)
        low = skull + head @ (0, -0.11, -0.03) + chest @ (0, -0.1, -0.045)
        limbs += [
            Limb(HAIR, HAIR, HAIRS, skull + head @ (0, 0.0, -0.022), nape, 0.096, 0.088),
            Limb(HAIR, HAIR, HAIRS, nape, low, 0.088, 0.06),
        ]
    elif outfit.hair == "bun":
        ball = skull + head @ (0, 0.045, -0.115)
        limbs.append(Limb(HAIR, HAIR, HAIRS, ball, ball + head @ (0, -0.02, -0.01), 0.036, 0.032))
    return limbs


def _things(body: Body, outfit: Outfit) -> list[Limb]:
    """What someone carries. It hides, but is no part of them."""
    h, points = body.height, body.points
    chest = body.frames["chest"]
    limbs = []
    if outfit.backpack:
        top = points["neck"] + chest @ (0, -0.05 * h, -0.09 * h)
        bottom = points["waist"] + chest @ (0, 0.02 * h, -0.095 * h)
        limbs.append(Limb(OBJECT, CARRIED, THING, top, bottom, 0.06 * h, 0.075 * h))
    name = "right" if outfit.right_handed else "left"
    hand, wrist = body.frames[f"{name}_hand"], points[f"{name}_wrist"]
    grip = wrist + hand @ (0, -0.055 * h, 0.012 * h)
    if outfit.holding == "bag":
        low = grip - (0, 0.1 * h, 0)
        limbs += [
            Limb(OBJECT, CARRIED, THING, grip, low, 0.006 * h, 0.006 * h),
            Limb(OBJECT, CARRIED, THING, low, low - (0, 0.08 * h, 0), 0.045 * h, 0.055 * h),
        ]
    elif outfit.holding == "stick":
        start, end = grip - hand[:, 2] * (0.08 * h), grip + hand[:, 2] * (0.38 * h)
        limbs.append(Limb(OBJECT, CARRIED, THING, start, end, 0.008 * h, 0.013 * h))
    return limbs


def _trunk(body: Body, outfit: Outfit) -> tuple[Array, list[Hull]]:
    h, g, points = body.height, body.height * body.girth, body.points
    pelvis, middle, chest = body.frames["pelvis"], body.frames["middle"], body.frames["chest"]
    across = points["left_shoulder"] - points["right_shoulder"]
    breadth = float(np.sqrt(across @ across)) / 2
    loose = g * (1 + 0.4 * (outfit.loose - 1))
    centre, ribs = points["pelvis"], points["ribs"]
    rows = [  # place, frame, half width, half depth
        (centre - pelvis[:, 1] * (0.05 * h), pelvis, 0.064 * g, 0.05 * g),
        (centre, pelvis, 0.092 * g, 0.063 * g),
        (centre + pelvis[:, 1] * (0.035 * h), pelvis, 0.085 * g, 0.059 * g),
        (points["waist"], middle, 0.077 * loose, 0.056 * loose),
        (ribs, chest, 0.086 * loose, 0.064 * loose),
        (ribs + chest[:, 1] * (0.06 * h), chest, 0.5 * (0.092 * g + breadth), 0.065 * loose),
        (ribs + chest[:, 1] * (0.106 * h), chest, breadth, 0.044 * g),
        (points["neck"] + chest[:, 1] * (0.012 * h), chest, 0.038 * h, 0.034 * h),
    ]
    hulls = [
        Hull(PELVIS, LOWER, TROUSERS, (CROTCH, HIPS, WAISTBAND)),
        Hull(ABDOMEN, TORSO, SHIRT, (WAISTBAND, WAIST, RIBS)),
        Hull(CHEST, TORSO, SHIRT, (RIBS, BREAST, SHOULDERS, COLLAR)),
    ]
    if outfit.skirt:
        along = 2 * outfit.skirt
        wide = (0.068 + 0.01 * along) * loose
        for name, _ in SIDES:
            hip, knee, ankle = (points[f"{name}_{joint}"] for joint in ("hip", "knee", "ankle"))
            hem = hip + (knee - hip) * min(along, 1.0) + (ankle - knee) * max(along - 1.0, 0.0)
            rows.append((hem, body.frames[f"{name}_thigh"], wide, wide))
        hulls.append(Hull(SKIRT, SKIRT, TROUSERS, (WAISTBAND, COLLAR + 1, COLLAR + 2)))
    places, frames = np.array([row[0] for row in rows]), np.array([row[1] for row in rows])
    wide_deep = np.array([row[2:] for row in rows])
    rings = (
        places[:, None]
        + frames[:, None, :, 0] * (wide_deep[:, :1] * RING_X)[..., None]
        + frames[:, None, :, 2] * (wide_deep[:, 1:] * RING_Z)[..., None]
    )
    return rings, hulls


CORNERS = np.array([(x, y, z) for x in (-1.0, 1.0) for y in (0.0, 1.0) for z in (-1.0, 1.0)])


def _seat(body: Body, outfit: Outfit) -> Array:
    if body.activity != "sitting":
        return np.empty((0, 8, 3))
    h = body.height
    x, y, z = body.points["pelvis"].tolist()
    top = max(y - 0.052 * h, 0.02)
    seat = CORNERS * (0.13 * h, top, 0.13 * h) + (x, 0, z + 0.02 * h)
    back = CORNERS * (0.13 * h, 0.27 * h, 0.012 * h) + (x, top, z - 0.125 * h)
    return np.array([seat, back] if outfit.seat == "chair" else [seat])
