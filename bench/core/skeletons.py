"""The joints of people, as data sets label them and networks give them. A skeleton is data."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Literal

Side = Literal["left", "right"]
Pairs = tuple[tuple[int, int], ...]

_SIDES: dict[str, Side] = {"left": "left", "l": "left", "right": "right", "r": "right"}
# A side and a joint written as one, which must be names of joints: "leftover" has no side.
_FUSED = re.compile(r"(left|right)(?=(?:eye|ear|shoulder|elbow|wrist|hand|hip|knee|ankle|foot|heel|toe)s?\b)", re.I)
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+|[^\W\d_A-Za-z]+")


@dataclass(frozen=True)
class Skeleton:
    """The joints of a data set, in the order of a network's heatmaps."""

    joints: tuple[str, ...]
    flip_pairs: Pairs  # joints that change places in a mirrored picture
    limbs: Pairs  # joints to connect when drawing
    upper_body: tuple[int, ...]  # the other joints are the lower body; empty where bodies have no halves
    # Of OKS: how far people are apart who annotate the same joint, over the square root of the person's area. None
    # where nobody measured it.
    sigmas: tuple[float, ...] | None = None
    head: tuple[int, int] | None = None  # joints whose distance is the head's size, by which PCKh measures

    def part(self, joints: slice) -> "Skeleton":
        """Some of the joints alone, to be scored by themselves: without pairs and limbs."""
        sigmas = None if self.sigmas is None else self.sigmas[joints]
        return replace(
            self, joints=self.joints[joints], sigmas=sigmas, flip_pairs=(), limbs=(), upper_body=(), head=None
        )


def words(joint: str) -> tuple[str, ...]:
    """A joint's name as words in small letters, its side first.

    ``LShoulder``, ``leftshoulder``, ``left shoulder`` and ``Shoulder.L`` are the same.
    """
    found = (word.lower() for word in _WORD.findall(_FUSED.sub(r"\1 ", joint)))
    named = [_SIDES.get(word, word) for word in found]
    sides = [number for number, word in enumerate(named) if word in _SIDES]
    return (named.pop(sides[0]), *named) if len(sides) == 1 else tuple(named)


def side_of(joint: str) -> Side | None:
    """Which side of the body a joint's name says: by a word left or right, or a letter L or R of its own."""
    sides = [_SIDES[word] for word in words(joint) if word in _SIDES]
    return sides[0] if len(sides) == 1 else None


def guess_flip_pairs(joints: Sequence[str]) -> Pairs:
    """Joints whose names differ in their side alone, in the order of the first; names that occur twice have none."""
    sided: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for number, joint in enumerate(joints):
        side = side_of(joint)
        if side is not None:
            rest = tuple("side" if word in _SIDES else word for word in words(joint))
            sided.setdefault(rest, {"left": [], "right": []})[side].append(number)
    found = (both["left"] + both["right"] for both in sided.values() if all(len(one) == 1 for one in both.values()))
    return tuple(sorted((min(pair), max(pair)) for pair in found))


def _tenths(*values: float) -> tuple[float, ...]:
    """Divided as in pycocotools, to be the same to the last bit."""
    return tuple(value / 10 for value in values)


COCO = Skeleton(
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    limbs=(
        (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12),
        (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
    ),
    upper_body=tuple(range(11)),
    sigmas=_tenths(
        0.26, 0.25, 0.25, 0.35, 0.35, 0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89,
    ),
)  # fmt: skip

MPII = Skeleton(
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist",
    ),
    flip_pairs=((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
    limbs=(
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11), (11, 12), (12, 7), (7, 13),
        (13, 14), (14, 15),
    ),
    upper_body=(7, 8, 9, 10, 11, 12, 13, 14, 15),
)  # fmt: skip

# Of the data set's own evaluation (github.com/Jeff-sjtu/CrowdPose).
CROWDPOSE = Skeleton(
    joints=(*COCO.joints[5:], "top_head", "neck"),
    flip_pairs=((0, 1), (2, 3), (4, 5), (6, 7), (8, 9), (10, 11)),
    limbs=(
        (12, 13), (13, 0), (13, 1), (0, 2), (2, 4), (1, 3), (3, 5), (0, 6), (1, 7), (6, 7), (6, 8), (8, 10), (7, 9),
        (9, 11),
    ),
    upper_body=(0, 1, 2, 3, 4, 5, 12, 13),
    sigmas=_tenths(0.79, 0.79, 0.72, 0.72, 0.62, 0.62, 1.07, 1.07, 0.87, 0.87, 0.89, 0.89, 0.79, 0.79),
)  # fmt: skip

# The body and the feet of Halpe's 136 joints; sigmas of the data set's own evaluation
# (github.com/Fang-Haoshu/Halpe-FullBody). MMPose has others for the last nine.
HALPE26 = Skeleton(
    joints=(
        *COCO.joints, "head", "neck", "hip", "left_big_toe", "right_big_toe", "left_small_toe", "right_small_toe",
        "left_heel", "right_heel",
    ),
    flip_pairs=(*COCO.flip_pairs, (20, 21), (22, 23), (24, 25)),
    limbs=(
        (0, 1), (0, 2), (1, 3), (2, 4), (17, 18), (18, 5), (18, 6), (18, 19), (5, 7), (7, 9), (6, 8), (8, 10), (19, 11),
        (19, 12), (11, 13), (13, 15), (12, 14), (14, 16), (15, 20), (15, 22), (15, 24), (16, 21), (16, 23), (16, 25),
    ),
    upper_body=(*range(11), 17, 18),
    sigmas=(*(COCO.sigmas or ()), *_tenths(0.8, 0.8, 0.8, 0.89, 0.89, 0.89, 0.89, 0.89, 0.89)),
)  # fmt: skip

# COCO's joints and the feet, as the first 23 of COCO-WholeBody (github.com/jin-s13/COCO-WholeBody).
BODY_AND_FEET = Skeleton(
    joints=(
        *COCO.joints, "left_big_toe", "left_small_toe", "left_heel", "right_big_toe", "right_small_toe", "right_heel",
    ),
    flip_pairs=(*COCO.flip_pairs, (17, 20), (18, 21), (19, 22)),
    limbs=(*COCO.limbs, (15, 17), (15, 18), (15, 19), (16, 20), (16, 21), (16, 22)),
    upper_body=COCO.upper_body,
    sigmas=(*(COCO.sigmas or ()), 0.068, 0.066, 0.066, 0.092, 0.094, 0.094),
)  # fmt: skip

# Points of the face, counted from 0, that change places: those of the outline, the brows, the nose, the eyes, the lips.
_FACE_PAIRS = (
    *((number, 16 - number) for number in range(8)),
    *((number, 43 - number) for number in range(17, 22)),
    (31, 35), (32, 34), (36, 45), (37, 44), (38, 43), (39, 42), (40, 47), (41, 46), (48, 54), (49, 53), (50, 52),
    (55, 59), (56, 58), (60, 64), (61, 63), (65, 67),
)  # fmt: skip
_FACE_SIGMAS = (
    0.042, 0.043, 0.044, 0.043, 0.040, 0.035, 0.031, 0.025, 0.020, 0.023, 0.029, 0.032, 0.037, 0.038, 0.043, 0.041,
    0.045, 0.013, 0.012, 0.011, 0.011, 0.012, 0.012, 0.011, 0.011, 0.013, 0.015, 0.009, 0.007, 0.007, 0.007, 0.012,
    0.009, 0.008, 0.016, 0.010, 0.017, 0.011, 0.009, 0.011, 0.009, 0.007, 0.013, 0.008, 0.011, 0.012, 0.010, 0.034,
    0.008, 0.008, 0.009, 0.008, 0.008, 0.007, 0.010, 0.008, 0.009, 0.009, 0.009, 0.007, 0.007, 0.008, 0.011, 0.008,
    0.008, 0.008, 0.01, 0.008,
)  # fmt: skip
_HAND_SIGMAS = (
    0.029, 0.022, 0.035, 0.037, 0.047, 0.026, 0.025, 0.024, 0.035, 0.018, 0.024, 0.022, 0.026, 0.017, 0.021, 0.021,
    0.032, 0.02, 0.019, 0.022, 0.031,
)  # fmt: skip
_FACE, _LEFT_HAND, _RIGHT_HAND = 23, 91, 112  # where they begin
# The root of a hand, and four joints of each finger from there to the tip.
_HAND_LIMBS = tuple((0 if joint % 4 == 1 else joint - 1, joint) for joint in range(1, 21))

# Of a hand of COCO-WholeBody.
_FINGERTIPS = {"thumb": 4, "forefinger": 8, "little_finger": 20}

# Body and feet, and the tips of three fingers of each hand, with the sigmas of COCO-WholeBody.
BODY_FEET_HANDS = Skeleton(
    joints=(*BODY_AND_FEET.joints, *(f"{side}_{tip}" for side in ("left", "right") for tip in _FINGERTIPS)),
    flip_pairs=(*BODY_AND_FEET.flip_pairs, (23, 26), (24, 27), (25, 28)),
    limbs=(*BODY_AND_FEET.limbs, (9, 23), (9, 24), (9, 25), (10, 26), (10, 27), (10, 28)),
    upper_body=(*BODY_AND_FEET.upper_body, *range(23, 29)),
    sigmas=(*(BODY_AND_FEET.sigmas or ()), *(_HAND_SIGMAS[joint] for joint in (*_FINGERTIPS.values(),) * 2)),
)

# 17 joints of the body, 6 of the feet, 68 of the face and 21 of each hand.
WHOLEBODY = Skeleton(
    joints=(
        *BODY_AND_FEET.joints,
        *(f"face_{number}" for number in range(68)),
        *(f"{side}_hand_{number}" for side in ("left", "right") for number in range(21)),
    ),
    flip_pairs=(
        *BODY_AND_FEET.flip_pairs,
        *((_FACE + first, _FACE + second) for first, second in _FACE_PAIRS),
        *((_LEFT_HAND + number, _RIGHT_HAND + number) for number in range(21)),
    ),
    limbs=(
        *BODY_AND_FEET.limbs,
        *((hand + first, hand + second) for hand in (_LEFT_HAND, _RIGHT_HAND) for first, second in _HAND_LIMBS),
    ),
    upper_body=COCO.upper_body,
    sigmas=(*(BODY_AND_FEET.sigmas or ()), *_FACE_SIGMAS, *_HAND_SIGMAS, *_HAND_SIGMAS),
)

KNOWN = (COCO, MPII, CROWDPOSE, HALPE26, BODY_AND_FEET, BODY_FEET_HANDS, WHOLEBODY)
