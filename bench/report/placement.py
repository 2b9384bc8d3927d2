"""Where to write names beside circles so that nothing touches anything: plain geometry, the same every time."""

import itertools
import math
from collections.abc import Sequence
from dataclasses import dataclass
from random import Random

import numpy as np
from numpy.typing import NDArray

Corners = NDArray[np.float64]  # left, bottom, right, top of many boxes: [4, N]
GAP = 3.0  # between a circle and its name, and between names
LEADER_FROM = 9.0  # a name farther from its circle than this gets a line to it
RINGS = (0.0, 5.0, 12.0, 20.0, 30.0, 42.0, 56.0, 72.0, 90.0, 112.0, 138.0, 168.0, 200.0, 240.0, 290.0, 350.0)
DIRECTIONS = 32
# Each direction of each ring: how far out it is, which way it lies, and what a name there costs.
RINGS_OF = np.repeat(RINGS, DIRECTIONS)
COSINES, SINES = (
    np.tile([way(2 * math.pi * step / DIRECTIONS) for step in range(DIRECTIONS)], len(RINGS))
    for way in (math.cos, math.sin)
)
COSTS = [
    ring + 3 * (1 - math.cos(2 * math.pi * step / DIRECTIONS)) + abs(math.sin(4 * math.pi * step / DIRECTIONS))
    for ring in RINGS
    for step in range(DIRECTIONS)
]
PASSES = 12
TRIES = 12
CONFLICT = 1000.0


@dataclass(frozen=True)
class Box:
    x0: float
    y0: float
    x1: float
    y1: float

    def grown(self, by: float) -> "Box":
        return Box(self.x0 - by, self.y0 - by, self.x1 + by, self.y1 + by)

    def overlaps(self, other: "Box") -> bool:
        return self.x0 < other.x1 and other.x0 < self.x1 and self.y0 < other.y1 and other.y0 < self.y1

    def inside(self, other: "Box") -> bool:
        return self.x0 >= other.x0 and self.y0 >= other.y0 and self.x1 <= other.x1 and self.y1 <= other.y1

    def nearest(self, x: float, y: float) -> tuple[float, float]:
        return min(max(x, self.x0), self.x1), min(max(y, self.y0), self.y1)


@dataclass(frozen=True)
class Circle:
    x: float
    y: float
    radius: float

    def distance(self, box: Box) -> float:
        """From the circle's edge to the box; below zero where they overlap."""
        return math.dist((self.x, self.y), box.nearest(self.x, self.y)) - self.radius

    def overlaps(self, box: Box) -> bool:
        return self.distance(box) < 0


Segment = tuple[tuple[float, float], tuple[float, float]]


@dataclass(frozen=True)
class LabelPlace:
    """A name's box, and the line from its circle's centre where the name is not beside it."""

    box: Box
    leader: Segment | None
    cost: float


def place(
    sizes: Sequence[tuple[float, float]], circles: Sequence[Circle], obstacles: Sequence[Box], frame: Box
) -> list[LabelPlace] | None:
    """A place for every name.

    Args:
        sizes: width and height of each name.
        circles: each name's circle; no name touches any of them.
        obstacles: boxes that no name touches.
        frame: no name leaves it.

    Returns:
        One place a name, or ``None`` where there is no room for all.
    """
    candidates = [_candidates(index, size, circles, obstacles, frame) for index, size in enumerate(sizes)]
    if not all(candidates):
        return None
    # Those with the least room choose first; where that leads nowhere, other orders do.
    order = sorted(range(len(sizes)), key=lambda index: (len(candidates[index]), index))
    random = Random(0)
    for _ in range(TRIES):
        chosen, conflicts = _settle(candidates, order)
        if not conflicts:
            return [chosen[index] for index in range(len(sizes))]
        random.shuffle(order)
    return None


def _settle(candidates: Sequence[Sequence[LabelPlace]], order: Sequence[int]) -> tuple[dict[int, LabelPlace], int]:
    """Everyone takes the best place in turn, again and again, until nobody moves; and how many conflicts remain."""
    chosen: dict[int, LabelPlace] = {}
    for _ in range(PASSES):
        before = dict(chosen)
        for index in order:
            others = [place for other, place in chosen.items() if other != index]
            chosen[index] = _best(candidates[index], others)
        if chosen == before:
            break
    pairs = itertools.combinations(chosen.values(), 2)
    return chosen, sum(_conflict(one, other) for one, other in pairs)


def _best(candidates: Sequence[LabelPlace], others: Sequence[LabelPlace]) -> LabelPlace:
    """The cheapest place; a conflict costs more than any distance."""
    best, best_cost = candidates[0], math.inf
    for candidate in candidates:
        if candidate.cost >= best_cost:
            break
        cost = candidate.cost
        for other in others:
            cost += CONFLICT * _conflict(candidate, other)
            if cost >= best_cost:
                break
        if cost < best_cost:
            best, best_cost = candidate, cost
    return best


def _candidates(
    index: int, size: tuple[float, float], circles: Sequence[Circle], obstacles: Sequence[Box], frame: Box
) -> list[LabelPlace]:
    """All places for one name that touch neither circles nor obstacles, the best first."""
    circle = circles[index]
    others = [other for i, other in enumerate(circles) if i != index]
    x0, y0, x1, y1 = corners = _beside(circle, size)
    wide = corners + np.array([1 - GAP, 1 - GAP, GAP - 1, GAP - 1])[:, None]
    free = (wide[0] >= frame.x0) & (wide[1] >= frame.y0) & (wide[2] <= frame.x1) & (wide[3] <= frame.y1)
    for other in circles:
        free &= _distances(other, wide) >= 0
    for box in obstacles:
        free &= (wide[0] >= box.x1) | (box.x0 >= wide[2]) | (wide[1] >= box.y1) | (box.y0 >= wide[3])
    # As near to another circle as to its own, a name alone would not tell whose it is.
    own, unclear = _distances(circle, corners) + GAP, np.zeros_like(free)
    for other in others:
        unclear |= _distances(other, corners) < own
    found = []
    for at in np.flatnonzero(free):
        box = Box(float(x0[at]), float(y0[at]), float(x1[at]), float(y1[at]))
        leader: Segment | None = None
        cost = COSTS[at]
        if RINGS_OF[at] > LEADER_FROM or unclear[at]:
            leader = ((circle.x, circle.y), box.nearest(circle.x, circle.y))
            cost += 8 + 6 * sum(_crosses(leader, c) for c in others)
            if any(_touches(leader, obstacle) for obstacle in obstacles):
                cost += 2
        found.append(LabelPlace(box, leader, cost))
    return sorted(found, key=lambda place: place.cost)


def _beside(circle: Circle, size: tuple[float, float]) -> Corners:
    """The boxes that touch the circle, grown by each ring, in each direction."""
    width, height = size
    reach = circle.radius + GAP + RINGS_OF
    # Sideways names are centred in height, names above and below slide along in width.
    x = circle.x + reach * COSINES + width / 2 * (1.5 * COSINES).clip(-1, 1)
    y = circle.y + reach * SINES + height / 2 * (1.5 * SINES).clip(-1, 1)
    return np.stack((x - width / 2, y - height / 2, x + width / 2, y + height / 2))


def _distances(circle: Circle, boxes: Corners) -> Corners:
    """From the circle's edge to each box; below zero where they overlap."""
    x, y = np.clip(circle.x, boxes[0], boxes[2]), np.clip(circle.y, boxes[1], boxes[3])
    return np.hypot(circle.x - x, circle.y - y) - circle.radius


def _conflict(one: LabelPlace, other: LabelPlace) -> bool:
    if one.box.grown(GAP).overlaps(other.box):
        return True
    if one.leader and _touches(one.leader, other.box.grown(1)):
        return True
    if other.leader and _touches(other.leader, one.box.grown(1)):
        return True
    return bool(one.leader and other.leader and _intersect(one.leader, other.leader))


def _crosses(segment: Segment, circle: Circle) -> bool:
    (x0, y0), (x1, y1) = segment
    length = (x1 - x0) ** 2 + (y1 - y0) ** 2
    at = ((circle.x - x0) * (x1 - x0) + (circle.y - y0) * (y1 - y0)) / length if length else 0.0
    at = max(0.0, min(1.0, at))
    return math.dist((circle.x, circle.y), (x0 + at * (x1 - x0), y0 + at * (y1 - y0))) < circle.radius


def _touches(segment: Segment, box: Box) -> bool:
    """Whether a line enters a box (Liang and Barsky's clipping)."""
    (x0, y0), (x1, y1) = segment
    enter, leave = 0.0, 1.0
    for start, delta, low, high in ((x0, x1 - x0, box.x0, box.x1), (y0, y1 - y0, box.y0, box.y1)):
        if delta == 0:
            if not low < start < high:
                return False
            continue
        first, last = sorted(((low - start) / delta, (high - start) / delta))
        enter, leave = max(enter, first), min(leave, last)
    return enter < leave


def _intersect(one: Segment, other: Segment) -> bool:
    def side(segment: Segment, point: tuple[float, float]) -> float:
        (x0, y0), (x1, y1) = segment
        return (x1 - x0) * (point[1] - y0) - (y1 - y0) * (point[0] - x0)

    return side(one, other[0]) * side(one, other[1]) < 0 and side(other, one[0]) * side(other, one[1]) < 0
