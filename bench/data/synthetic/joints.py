"""COCO's joints of a figure, those of its feet and hands if asked for, and which of them one can see."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.core.skeletons import BODY_AND_FEET, BODY_FEET_HANDS, COCO
from bench.data.synthetic import head
from bench.data.synthetic.body import SIDES, Array
from bench.data.synthetic.camera import View
from bench.data.synthetic.figure import (
    ABDOMEN,
    CHEST,
    FOOT,
    FOREARM,
    HAND,
    HEAD,
    PELVIS,
    SHIN,
    SHORT_LEG,
    SKIRT,
    SLEEVE,
    THIGH,
    UPPER_ARM,
    Figure,
)
from bench.data.synthetic.hands import FINGERTIPS, digits
from bench.data.synthetic.variants import VARIANTS, Variant

LIMB_JOINTS = COCO.joints[5:]
FOOT_JOINTS = BODY_AND_FEET.joints[len(COCO.joints) :]
HAND_JOINTS = BODY_FEET_HANDS.joints[len(BODY_AND_FEET.joints) :]
# Where they are, in shares of the body's height: from the sole's ball of toes or heel, outward and forward.
FOOT_PLACES = {"big_toe": ("toe", -0.007, 0.012), "small_toe": ("toe", 0.011, -0.016), "heel": ("heel", 0.0, -0.012)}
# What is seen where a joint is seen: parts that there is one of, and parts of the joint's own side.
SEEN_AS: dict[str, tuple[tuple[int, ...], tuple[int, ...]]] = {
    "shoulder": ((CHEST,), (UPPER_ARM, SLEEVE)),
    "elbow": ((), (UPPER_ARM, SLEEVE, FOREARM)),
    "wrist": ((), (FOREARM, HAND)),
    "hip": ((ABDOMEN, PELVIS, SKIRT), (THIGH, SHORT_LEG)),
    "knee": ((SKIRT,), (THIGH, SHORT_LEG, SHIN)),
    "ankle": ((SKIRT,), (SHIN, FOOT)),
    **dict.fromkeys(FOOT_PLACES, ((SKIRT,), (FOOT,))),
    **dict.fromkeys(FINGERTIPS, ((), (HAND,))),
}
STEEP = 0.86  # sine of the angle between shoulders or hips and the picture from which the far one is hidden


def _own_parts(joint: str) -> frozenset[int]:
    side, _, name = joint.partition("_")
    single, sided = SEEN_AS[name]
    return frozenset((*single, *(part + (side == "right") for part in sided)))


OWN_PARTS = [frozenset({HEAD})] * 5 + [_own_parts(joint) for joint in (*LIMB_JOINTS, *FOOT_JOINTS, *HAND_JOINTS)]


@dataclass(frozen=True)
class Joints:
    """The J joints in the picture, as many as those of the variant's skeleton."""

    places: Array  # [J, 2] pixels
    turned: npt.NDArray[np.bool_]  # [J] on the far side of the own head or trunk, or under the own hair
    averted: npt.NDArray[np.bool_]  # [J] of the face, and so far on the far side that annotators leave it out


def joints(figure: Figure, view: View, variant: Variant = "body") -> Joints:
    """Where the joints are, and which of them the own head or trunk hides. The rest the map of parts tells."""
    points, frame = figure.body.points, figure.body.frames["head"]
    more = [_feet, _fingertips][: VARIANTS.index(variant)]
    limbs = np.array([*(points[name] for name in LIMB_JOINTS), *(point for part in more for point in part(figure))])
    seen = view.see(np.concatenate((head.JOINT_POINTS @ frame.T + points["skull"], limbs)))
    sight = seen[:5] / -np.sqrt((seen[:5] ** 2).sum(1, keepdims=True))
    facing = ((head.JOINT_NORMALS @ frame.T @ view.rotation.T) * sight).sum(1) - head.JOINT_LEAST
    turned, averted = np.zeros(len(seen), bool), np.zeros(len(seen), bool)
    turned[:5], averted[:5] = facing < 0, facing < -0.45
    if figure.outfit.hair == "long":
        turned[3:5] = True
    for left, right in ((5, 6), (11, 12)):
        across = seen[left] - seen[right]
        steepness = across[2] / np.sqrt(across @ across)
        turned[left], turned[right] = steepness > STEEP, steepness < -STEEP
    return Joints(view.project(seen), turned, averted)


def _feet(figure: Figure) -> list[Array]:
    """Where the joints of the feet are, in the order of ``FOOT_JOINTS``."""
    body, signs = figure.body, dict(SIDES)
    found = []
    for joint in FOOT_JOINTS:
        side, _, name = joint.partition("_")
        start, outward, forward = FOOT_PLACES[name]
        offset = np.array((signs[side] * outward, 0.0, forward)) * body.height
        found.append(body.points[f"{side}_{start}"] + body.frames[f"{side}_foot"] @ offset)
    return found


def _fingertips(figure: Figure) -> list[Array]:
    """Where the joints of the hands are, in the order of ``HAND_JOINTS``."""
    assert figure.hands is not None
    return [
        digits(figure.body, side, hand)[finger, -1]
        for side, hand in enumerate(figure.hands)
        for finger in FINGERTIPS.values()
    ]
