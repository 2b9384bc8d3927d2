"""Hands with fingers: how they are held, and where that puts every finger."""

from dataclasses import dataclass

import numpy as np

from bench.data.synthetic.body import SIDES, Array, Body
from bench.data.synthetic.random_numbers import RandomNumbers

# In shares of the body's height, down from the wrist and towards the thumb; thumb first, little finger last.
BASES = np.array(((0.018, 0.011), (0.05, 0.0145), (0.052, 0.005), (0.051, -0.005), (0.048, -0.0135)))
LENGTHS = np.array((0.048, 0.047, 0.052, 0.048, 0.038))
RADII = np.array(((0.0085, 0.0075, 0.006), *((0.0068, 0.006, 0.0052),) * 3, (0.006, 0.0053, 0.0046)))
# Degrees towards the thumb, of fingers beside each other and of spread ones.
CLOSED, SPREAD = np.array((22.0, 1.0, 0.0, -1.0, -2.0)), np.array((58.0, 17.0, 4.0, -9.0, -24.0))
BENDS = (75.0, 165.0)  # degrees towards the palm of both halves of a finger that is curled up
FINGERTIPS = {"thumb": 0, "forefinger": 1, "little_finger": 4}


@dataclass(frozen=True)
class Hand:
    """How a hand is held: all from 0 to 1."""

    spread: float
    forefinger: float  # how far it is curled up; the others:
    curl: float


def sample_hands(rng: RandomNumbers, closed: int | None) -> tuple[Hand, Hand]:
    """The left and the right hand; ``closed`` is the one that holds something."""
    first, second = (_sample(rng) for _ in SIDES)
    fist = Hand(0.0, 0.9, 0.9)
    return (fist if closed == 0 else first), (fist if closed == 1 else second)


def _sample(rng: RandomNumbers) -> Hand:
    kind = rng.pick(("relaxed",) * 4 + ("open",) * 5 + ("pointing", "fist"))
    wide, bent = rng(), rng()
    return {
        "relaxed": Hand(0.1 + 0.4 * wide, 0.1 + 0.2 * bent, 0.1 + 0.35 * bent),
        "open": Hand(0.5 + 0.5 * wide, 0.1 * bent, 0.1 * bent),
        "pointing": Hand(0.3 * wide, 0.05 * bent, 0.75 + 0.2 * bent),
        "fist": Hand(0.0, 0.8 + 0.2 * bent, 0.8 + 0.2 * bent),
    }[kind]


def digits(body: Body, side: int, hand: Hand) -> Array:
    """Base, middle and tip of thumb and four fingers in the body frame, ``[5, 3, 3]``; each is the centre of a ball.

    Args:
        side: 0 left, 1 right.
    """
    name, sign = SIDES[side]
    axes, h = body.frames[f"{name}_hand"], body.height
    # The hand's own axes: along the fingers, to the thumb's side, out of the palm.
    down, thumb, palm = -axes[:, 1], axes[:, 2], axes[:, 0] * -sign
    angles = np.deg2rad(CLOSED + (SPREAD - CLOSED) * hand.spread)
    along = np.cos(angles)[:, None] * down + np.sin(angles)[:, None] * thumb
    curls = np.array((0.3 * hand.curl, hand.forefinger, hand.curl, hand.curl, hand.curl))
    points = np.empty((5, 3, 3))
    points[:, 0] = body.points[f"{name}_wrist"] + h * (BASES[:, :1] * down + BASES[:, 1:] * thumb)
    for half, bend in enumerate(BENDS):
        turns = np.deg2rad(bend * curls)[:, None]
        ways = np.cos(turns) * along + np.sin(turns) * palm
        points[:, half + 1] = points[:, half] + ways * (h * LENGTHS[:, None] / 2)
    return points
