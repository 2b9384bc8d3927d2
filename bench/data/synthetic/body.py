"""A body in space: proportions, joint angles within human limits, and where they put every joint.

Body frame: x to the person's left, y up, z forward; metres; the ground is at y = 0.
"""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.data.synthetic.random_numbers import RandomNumbers, Range

Array = npt.NDArray[np.float64]
SIDES = (("left", 1.0), ("right", -1.0))
# One range for both sides, or one for each: which side takes the first is left to chance.
Angles = dict[str, Range | tuple[Range, Range]]

# What joints can do, in degrees (American Academy of Orthopaedic Surgeons' normal ranges, rounded).
LIMITS: dict[str, Range] = {
    "spine_bend": (-25, 80), "spine_side": (-30, 30), "spine_twist": (-40, 40),
    "nod": (-45, 45), "tilt": (-35, 35), "turn": (-70, 70),
    "shoulder_flex": (-50, 175), "shoulder_out": (-15, 160), "shoulder_turn": (-80, 80),
    "elbow": (0, 145), "wrist": (-50, 50),
    "hip_flex": (-20, 120), "hip_out": (-15, 45), "hip_turn": (-35, 45), "knee": (0, 140), "ankle": (-45, 25),
}  # fmt: skip

# What a body does where an activity says nothing else.
AT_EASE: Angles = {
    "pelvis_pitch": (-4, 8), "pelvis_roll": (-3, 3),
    "spine_bend": (-4, 10), "spine_side": (-6, 6), "spine_twist": (-12, 12),
    "nod": (-12, 28), "tilt": (-12, 12), "turn": (-45, 45),
    "shoulder_flex": (-15, 25), "shoulder_out": (2, 16), "shoulder_turn": (-15, 40),
    "elbow": (3, 40), "wrist": (-20, 20),
    "hip_flex": (-6, 10), "hip_out": (-1, 9), "hip_turn": (-4, 22), "knee": (0, 10), "ankle": (-6, 6),
}  # fmt: skip

# Hip flexion is what is left of the angle between thigh and plumb line when the pelvis is upright.
ACTIVITIES: dict[str, Angles] = {
    "standing": {},
    "leaning": {"hip_flex": ((-4, 4), (0, 18)), "knee": ((0, 5), (5, 40)), "pelvis_roll": (-9, 9),
                "spine_side": (-18, 18)},
    "walking": {"hip_flex": ((12, 35), (-20, -4)), "knee": ((3, 25), (8, 50)), "ankle": ((-5, 12), (-30, 0)),
                "shoulder_flex": ((-35, 0), (5, 45)), "elbow": (10, 60), "spine_twist": (-18, 18)},
    "running": {"hip_flex": ((40, 85), (-20, 5)), "knee": ((45, 115), (10, 100)), "ankle": ((-10, 10), (-40, 0)),
                "shoulder_flex": ((-50, -10), (10, 60)), "elbow": (65, 115), "spine_bend": (4, 22)},
    "sitting": {"hip_flex": (70, 100), "hip_out": (0, 22), "knee": (60, 105), "shoulder_flex": (5, 55),
                "elbow": (15, 100), "spine_bend": (-5, 30), "shoulder_turn": (0, 45)},
    "crouching": {"hip_flex": (85, 118), "knee": (105, 138), "hip_out": (5, 30), "pelvis_pitch": (5, 35),
                  "spine_bend": (10, 40), "shoulder_flex": (20, 80), "elbow": (10, 90), "ankle": (5, 25)},
    "kneeling": {"hip_flex": ((75, 100), (-5, 15)), "knee": ((75, 105), (85, 105)), "ankle": ((-5, 10), (-45, -30)),
                 "shoulder_flex": (0, 70), "elbow": (10, 90)},
    "bending": {"pelvis_pitch": (15, 65), "spine_bend": (15, 55), "hip_flex": (-12, 18), "knee": (0, 45),
                "shoulder_flex": (40, 110), "elbow": (0, 60)},
    "reaching": {"shoulder_flex": ((60, 130), (-15, 80)), "elbow": ((0, 40), (5, 70)), "spine_twist": (-25, 25)},
    "reaching up": {"shoulder_flex": ((120, 172), (0, 165)), "shoulder_out": (0, 30), "elbow": (0, 60),
                    "nod": (-40, 5)},
    "waving": {"shoulder_out": ((70, 145), (2, 30)), "shoulder_turn": ((-80, -35), (-10, 30)),
               "elbow": ((30, 125), (5, 60))},
    "arms wide": {"shoulder_out": (60, 110), "elbow": (0, 45), "shoulder_turn": (-40, 10), "hip_out": (5, 30)},
    "hands on hips": {"shoulder_out": (38, 55), "shoulder_flex": (-25, -5), "shoulder_turn": (50, 75),
                      "elbow": (85, 115)},
    "arms crossed": {"shoulder_flex": (28, 45), "shoulder_turn": (60, 78), "elbow": (88, 112)},
    "at the phone": {"shoulder_flex": ((25, 60), (-10, 50)), "elbow": ((95, 140), (10, 110)), "nod": (5, 40),
                     "shoulder_turn": (10, 50)},
    "jumping": {"shoulder_flex": (20, 170), "shoulder_out": (5, 70), "hip_flex": (-5, 75), "knee": (5, 100),
                "ankle": (-45, -10), "hip_out": (0, 35)},
    "kicking": {"hip_flex": ((35, 95), (-12, 5)), "knee": ((0, 60), (3, 25)), "shoulder_out": (10, 75),
                "pelvis_pitch": (-18, 0), "ankle": ((-35, 0), (-5, 5))},
    "striding": {"hip_out": (12, 42), "knee": ((0, 15), (10, 75)), "hip_flex": ((-5, 20), (15, 60)),
                 "spine_side": (-25, 25), "shoulder_out": (5, 100), "elbow": (5, 90)},
    "throwing": {"shoulder_out": ((65, 110), (10, 60)), "shoulder_turn": ((-80, -40), (0, 40)),
                 "elbow": ((60, 115), (5, 60)), "spine_twist": (-40, 40), "hip_flex": ((0, 45), (-15, 10)),
                 "knee": (5, 45)},
    "balancing": {"hip_flex": ((50, 110), (-5, 8)), "knee": ((60, 130), (0, 12)), "hip_out": ((0, 45), (-2, 6)),
                  "shoulder_out": (10, 110), "elbow": (5, 100)},
    "lying": {"hip_flex": (-5, 60), "knee": (0, 90), "shoulder_flex": (-10, 160), "shoulder_out": (5, 80),
              "elbow": (5, 110), "ankle": (-35, 0)},
}  # fmt: skip
# How often, beside each other: everyday life more than sport.
WEIGHTS = {"standing": 5, "walking": 4, "sitting": 4, "running": 2, "bending": 2, "reaching": 2, "lying": 0.6}
IN_THE_AIR = {"jumping"}
STEADY = set(ACTIVITIES) - IN_THE_AIR - {"running", "sitting", "kneeling", "lying"}
ON_THE_BACK = np.array(((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0)))  # up goes backward, forward goes up
FLAT_FOOT = 0.06  # of the height: a foot no higher than this above the lowest one is put flat on the ground


@dataclass(frozen=True)
class Body:
    """Where everything is: points are float64 ``[3]``, frames ``[3, 3]`` with the axes as columns."""

    activity: str
    height: float  # standing, metres
    girth: float  # of trunk and limbs, 1 for the average
    points: dict[str, Array]
    frames: dict[str, Array]


def _table() -> tuple[list[str], list[float]]:
    total, sums = 0.0, []
    for name in ACTIVITIES:
        total += WEIGHTS.get(name, 1)
        sums.append(total)
    return list(ACTIVITIES), [value / total for value in sums]


NAMES, CUMULATIVE = _table()


def rotations(degrees: Array) -> Array:
    """Turns about y, then x, then z: angles ``[N, 3]`` in the order z, x, y to matrices ``[N, 3, 3]``."""
    (sz, sx, sy), (cz, cx, cy) = np.sin(np.deg2rad(degrees)).T, np.cos(np.deg2rad(degrees)).T
    matrices = np.empty((len(degrees), 3, 3))
    matrices[:, 0, 0], matrices[:, 0, 1], matrices[:, 0, 2] = cz * cy - sz * sx * sy, -sz * cx, cz * sy + sz * sx * cy
    matrices[:, 1, 0], matrices[:, 1, 1], matrices[:, 1, 2] = sz * cy + cz * sx * sy, cz * cx, sz * sy - cz * sx * cy
    matrices[:, 2, 0], matrices[:, 2, 1], matrices[:, 2, 2] = -cx * sy, sx, cx * cy
    return matrices


def sample_angles(rng: RandomNumbers, activity: str) -> dict[str, float]:
    """Joint angles in degrees, ``left_`` and ``right_`` before the names of those that there are two of."""
    first, second = ("left_", "right_") if rng.chance(0.5) else ("right_", "left_")
    angles = {}
    for name, standard in AT_EASE.items():
        span = ACTIVITIES[activity].get(name, standard)
        one, other = span if isinstance(span[0], tuple) else (span, span)
        if name.startswith(("shoulder", "elbow", "wrist", "hip", "knee", "ankle")):
            angles[first + name], angles[second + name] = rng.between(*one), rng.between(*other)  # type: ignore[misc]
        else:
            angles[name] = rng.between(*one)  # type: ignore[misc]
    # A free arm does something of its own now and then.
    if rng.chance(0.25):
        angles[first + "shoulder_flex"] = rng.between(-30, 150)
        angles[first + "elbow"] = rng.between(0, 140)
        angles[first + "shoulder_turn"] = rng.between(-30, 60)
    for side in (first, second):
        angles[side + "hip_flex"] += angles["pelvis_pitch"]
    for name, value in angles.items():
        low, high = LIMITS.get(name.removeprefix("left_").removeprefix("right_"), (-180.0, 180.0))
        angles[name] = min(max(value, low), high)
    return angles


def sample_body(rng: RandomNumbers) -> Body:
    """A person doing something, upright on the ground at the origin and facing forward (z)."""
    chosen = rng()
    activity = next(name for name, limit in zip(NAMES, CUMULATIVE, strict=True) if chosen < limit)
    child = rng.chance(0.14)
    height = rng.between(0.95, 1.45) if child else rng.bell(1.7, 0.09)
    girth = rng.bell(1.04, 0.12)
    return pose(activity, height, girth, rng.bell(1.0, 0.05), sample_angles(rng, activity), rng.between(0.05, 0.4))


def pose(activity: str, height: float, girth: float, shoulders: float, angles: dict[str, float], lift: float) -> Body:
    """Put a body together; segment lengths as shares of the height are Drillis and Contini's (1966).

    Args:
        shoulders: breadth of the shoulders, 1 for the average.
        angles: from ``sample_angles``.
        lift: height of a jump in metres.
    """
    h = height
    rows = [
        (angles["pelvis_roll"], angles["pelvis_pitch"], 0.0),
        (angles["spine_side"] / 2, angles["spine_bend"] / 2, angles["spine_twist"] / 2),
        (angles["tilt"], angles["nod"], angles["turn"]),
    ]
    for side, sign in SIDES:
        a = {name: angles[f"{side}_{name}"] for name in ("shoulder_out", "shoulder_flex", "shoulder_turn", "elbow",
             "wrist", "hip_out", "hip_flex", "hip_turn", "knee", "ankle")}  # fmt: skip
        rows += [
            (sign * a["shoulder_out"], -a["shoulder_flex"], -sign * a["shoulder_turn"]),
            (0.0, -a["elbow"], 0.0),
            (sign * a["wrist"], 0.0, 0.0),
            (sign * a["hip_out"], -a["hip_flex"], sign * a["hip_turn"]),
            (0.0, a["knee"], 0.0),
            (0.0, -a["ankle"], 0.0),
        ]
    turns = rotations(np.array(rows))
    pelvis = turns[0]
    middle = pelvis @ turns[1]
    chest = middle @ turns[1]
    head = chest @ turns[2]
    frames = {"pelvis": pelvis, "middle": middle, "chest": chest, "head": head}
    waist = pelvis[:, 1] * (0.065 * h)
    ribs = waist + middle[:, 1] * (0.10 * h)
    neck = ribs + chest @ (0, 0.128 * h, -0.004 * h)
    small = max(0.0, 1.55 - h)  # children have large heads for their height
    head_size = h**0.25 * (1.68**0.75) / 1.68 if small else 1.0
    skull = neck + chest @ (0, 0.048 * h, 0.008 * h) + head @ (0, 0.098 * head_size, 0.022 * head_size)
    points = {"pelvis": np.zeros(3), "waist": waist, "ribs": ribs, "neck": neck, "skull": skull,
              "throat": neck + chest @ (0, 0.045 * h, 0.008 * h)}  # fmt: skip
    for number, (side, sign) in enumerate(SIDES):
        shoulder, elbow, wrist, hip, knee, ankle = turns[3 + 6 * number : 9 + 6 * number]
        arm = chest @ shoulder
        # The shoulder blade goes up with a raised arm.
        shrug = 0.035 * h * max(0.0, 0.4 - shoulder[1, 1]) * 0.7
        points[f"{side}_shoulder"] = ribs + chest @ (sign * (0.104 * h * shoulders - 0.5 * shrug), 0.106 * h + shrug, 0)
        points[f"{side}_elbow"] = points[f"{side}_shoulder"] + arm[:, 1] * (-0.186 * h)
        forearm = arm @ elbow
        points[f"{side}_wrist"] = points[f"{side}_elbow"] + forearm[:, 1] * (-0.146 * h)
        hand = forearm @ wrist
        thigh = pelvis @ hip
        points[f"{side}_hip"] = pelvis @ (sign * 0.052 * h, -0.005 * h, 0)
        points[f"{side}_knee"] = points[f"{side}_hip"] + thigh[:, 1] * (-0.245 * h)
        shin = thigh @ knee
        points[f"{side}_ankle"] = points[f"{side}_knee"] + shin[:, 1] * (-0.246 * h)
        frames |= {f"{side}_arm": arm, f"{side}_hand": hand, f"{side}_thigh": thigh, f"{side}_foot": shin @ ankle}
    if activity == "lying":
        _turn(points, frames, ON_THE_BACK)
    elif activity in STEADY:
        _balance(points, frames)
    if activity != "lying":
        _put_feet_flat(points, frames, h)
    for side, _ in SIDES:
        foot, ankle = frames[f"{side}_foot"], points[f"{side}_ankle"]
        points[f"{side}_heel"] = ankle + foot @ (0, -0.02 * h, -0.014 * h)
        points[f"{side}_toe"] = ankle + foot @ (0, -0.027 * h, 0.095 * h)
    lowest = min(float(point[1]) for point in points.values())
    up = np.array((0.0, 0.012 * h - lowest + (lift if activity in IN_THE_AIR else 0.0), 0.0))
    return Body(activity, height, girth, {name: point + up for name, point in points.items()}, frames)


def _balance(points: dict[str, Array], frames: dict[str, Array]) -> None:
    """Lean the whole body so that its weight is above the foot or feet that it stands on, as far as 20 degrees go."""
    feet = [points[f"{side}_ankle"] for side, _ in SIDES]
    lowest = min(foot[1] for foot in feet)
    standing = [foot for foot in feet if foot[1] - lowest < 0.1]
    x, y, z = (0.6 * points["pelvis"] + 0.4 * points["neck"] - sum(standing) / len(standing)).tolist()
    side, ahead = (np.rad2deg(np.arctan2(offset, max(y, 0.3))) for offset in (x, z))
    _turn(points, frames, rotations(np.clip(np.array([[side, -ahead, 0.0]]), -20, 20))[0])


def _put_feet_flat(points: dict[str, Array], frames: dict[str, Array], height: float) -> None:
    lowest = min(float(points[f"{side}_ankle"][1]) for side, _ in SIDES)
    for side, _ in SIDES:
        forward = frames[f"{side}_foot"][:, 2]
        level = np.array((forward[0], 0.0, forward[2]))
        length = float(np.sqrt(level @ level))
        if points[f"{side}_ankle"][1] - lowest < FLAT_FOOT * height and length > 0.35:
            x, _, z = (level / length).tolist()
            frames[f"{side}_foot"] = np.array(((z, 0.0, x), (0.0, 1.0, 0.0), (-x, 0.0, z)))


def _turn(points: dict[str, Array], frames: dict[str, Array], turn: Array) -> None:
    for places in (points, frames):
        for name, value in places.items():
            places[name] = turn @ value
