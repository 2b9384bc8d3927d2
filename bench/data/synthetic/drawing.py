"""What a camera sees of a figure: shaded polygons, farthest first.

A solid is drawn as outlines of its projection, one inside the other, each brighter than the one before and moved
towards the light. The outermost one is all that the map of who is seen where takes.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.synthetic import head
from bench.data.synthetic.body import Array
from bench.data.synthetic.camera import SHIFT, Polygon, View, fixed
from bench.data.synthetic.figure import (
    ABDOMEN,
    ACCENT,
    BREAST,
    CHEST,
    COLLAR,
    HAIR,
    HAIRS,
    HAND,
    HAT,
    HEAD,
    HEAD_GROUP,
    LOWER,
    NECK,
    OBJECT,
    PARTS,
    PELVIS,
    PRINT,
    RIBS,
    RING_X,
    RING_Z,
    SEAT,
    SHIRT,
    SHORT_LEG,
    SHOULDERS,
    SKIN,
    SKIRT,
    SLEEVE,
    SOLES,
    THIGH,
    TROUSERS,
    UPPER_ARM,
    WAIST,
    WAISTBAND,
    Figure,
    Outfit,
)

Colour = tuple[float, float, float]  # RGB, 0 to 255
Palette = Sequence[Colour]
Parts = npt.NDArray[np.uint16]

# Scale of each outline and how bright it is, by how many outlines there are.
SHADES: dict[int, tuple[tuple[float, float], ...]] = {
    1: ((1.0, 0.85),),
    2: ((1.0, 0.75), (0.62, 1.0)),
    3: ((1.0, 0.68), (0.74, 0.89), (0.38, 1.04)),
    4: ((1.0, 0.63), (0.82, 0.82), (0.58, 0.97), (0.3, 1.09)),
    5: ((1.0, 0.62), (0.87, 0.78), (0.69, 0.91), (0.47, 1.01), (0.22, 1.1)),
}
ARC = np.linspace(-1, 1, 7)
CIRCLE = np.column_stack((RING_Z, RING_X))
# Of two solids at the same depth the one that belongs on top is taken for a little nearer; metres.
NUDGES = {SLEEVE: -0.02, SHORT_LEG: -0.02, HAND: -0.006}
# Corners of a box's faces, as they run seen from outside, and how bright each is.
FACES = (((0, 1, 3, 2), 0.75), ((4, 6, 7, 5), 0.85), ((0, 4, 5, 1), 0.4), ((2, 3, 7, 6), 1.1), ((0, 2, 6, 4), 0.7),
         ((1, 5, 7, 3), 0.95))  # fmt: skip


@dataclass
class Layer:
    """Something that is drawn in one go: outlines from the outermost to the brightest, then what is painted on it."""

    part: int
    depth: float
    group: tuple[int, int]
    outlines: list[Polygon]
    colours: list[Colour]
    details: list[tuple[Polygon, Colour]] = field(default_factory=list)


def layers(figure: Figure, view: View, palette: Palette | None, outlines: int, light: Array) -> list[Layer]:
    """What the camera sees, farthest first.

    Args:
        palette: the outfit's colours; None leaves colours and what is painted on out, for the map alone.
        outlines: how many a solid is shaded with, one of ``SHADES``.
        light: where light comes from in the picture, x and y, at most 0.6 long.
    """
    shades = SHADES[outlines]
    scales = np.array([scale for scale, _ in shades])
    tones = [[bright(colour, shade) for _, shade in shades] for colour in palette] if palette else None
    found = [
        *_boxes(figure, view, palette),
        *_trunk(figure, view, palette, tones, scales, light),
        *_limbs(figure, view, tones, scales, light),
        *_head(figure, view, palette, tones, scales, light),
    ]
    found.sort(key=lambda layer: -layer.depth)
    return found


def bright(colour: Colour, factor: float) -> Colour:
    red, green, blue = colour
    return min(red * factor, 255.0), min(green * factor, 255.0), min(blue * factor, 255.0)


def hull(points: Polygon) -> Polygon:
    return np.asarray(cv2.convexHull(points), np.int32)


Tones = list[list[Colour]] | None


def _limbs(figure: Figure, view: View, tones: Tones, scales: Array, light: Array) -> list[Layer]:
    seen = view.see(figure.ends)  # [limbs, 2, 3]
    centres, radii = view.project(seen), figure.radii * view.focal / seen[..., 2]
    # [limbs, outlines, 2]: each outline's balls are smaller and nearer to the light.
    sizes = radii[:, None] * scales[:, None]
    places = centres[:, None] + (radii[:, None] - sizes)[..., None] * light
    polygons = capsules(places, sizes)
    apart = _legs_apart(figure, centres, radii)
    skull = float(view.see(figure.body.points["skull"])[2])
    result = []
    for limb, depth, polygon in zip(figure.limbs, seen[..., 2].mean(1).tolist(), polygons, strict=True):
        if limb.part == NECK:  # never before the head that is on it
            depth = max(depth, skull + 1e-3)
        kind = limb.part & ~1 if limb.part >= UPPER_ARM else limb.part
        group = LOWER if kind == THIGH and apart else limb.group
        result.append(
            Layer(limb.part, depth + NUDGES.get(kind, 0.0), (group, limb.colour), list(polygon),
                  tones[limb.colour] if tones else [])
        )  # fmt: skip
    return result


def capsules(places: Array, sizes: Array) -> Polygon:
    """Outlines round pairs of balls: centres ``[..., 2, 2]`` and radii ``[..., 2]`` to polygons ``[..., 14, 2]``."""
    along = places[..., 1, :] - places[..., 0, :]
    length = np.sqrt((along**2).sum(-1)) + 1e-6
    along = along / length[..., None]
    across = np.stack((-along[..., 1], along[..., 0]), -1)
    ratio = (sizes[..., 0] - sizes[..., 1]) / length
    half = np.arccos(np.minimum(np.maximum(ratio, -1), 1))[..., None]
    angles = np.concatenate((half * ARC, np.pi + (np.pi - half) * ARC), -1)  # round the second ball, then the first
    which = np.repeat((1, 0), len(ARC))
    offsets = np.cos(angles)[..., None] * along[..., None, :] + np.sin(angles)[..., None] * across[..., None, :]
    return fixed(places[..., which, :] + sizes[..., which, None] * offsets)


def _legs_apart(figure: Figure, centres: Array, radii: Array) -> bool:
    """Whether the thighs stand side by side in the picture, so that both may be drawn in one with the pelvis."""
    left, right = (next(n for n, limb in enumerate(figure.limbs) if limb.part == THIGH + side) for side in (0, 1))
    gaps = np.abs(centres[left] - centres[right]).max(1)
    return bool((gaps > 1.3 * radii[left]).all())


def _trunk(
    figure: Figure, view: View, palette: Palette | None, tones: Tones, scales: Array, light: Array
) -> list[Layer]:
    seen = view.see(figure.rings)
    flat = view.project(seen)  # [rings, 16, 2]
    centres = flat.mean(1, keepdims=True)
    offsets = flat - centres
    sizes = np.sqrt((offsets**2).sum(-1).max(1))
    moved = centres + ((1 - scales)[:, None] * sizes)[..., None, None] * light
    points = fixed(moved + scales[:, None, None, None] * offsets)  # [outlines, rings, 16, 2]
    depths = seen[..., 2].mean(1).tolist()
    painted = _painted(figure.outfit, flat, palette) if palette and len(scales) > 2 else {}
    result = []
    for solid in figure.hulls:
        rings = slice(solid.rings[0], solid.rings[-1] + 1) if solid.part != SKIRT else list(solid.rings)
        outlines = [hull(level) for level in points[:, rings].reshape(len(scales), -1, 2)]
        own = [depths[ring] for ring in solid.rings]
        depth = 0.5 * (own[0] + min(own)) - 0.03 if solid.part == SKIRT else sum(own) / len(own)
        result.append(
            Layer(solid.part, depth, (solid.group, solid.colour), outlines, tones[solid.colour] if tones else [],
                  painted.get(solid.part, []))
        )  # fmt: skip
    abdomen, chest = (next(layer for layer in result if layer.part == part) for part in (ABDOMEN, CHEST))
    if abs(abdomen.depth - chest.depth) < 0.12:  # upright: nothing comes between the two
        abdomen.depth = chest.depth + (1e-6 if abdomen.depth > chest.depth else -1e-6)
    return result


# ---------------------------------------------------------------------------------------------------------------------
# What is painted on clothes, and tells their front from their back


@dataclass(frozen=True)
class Painted:
    """A patch of the trunk's surface: two heights, counted in rings, and two angles from the front to the left."""

    name: str
    colour: int
    shade: float
    low: float
    high: float
    start: tuple[float, float]  # angle at the lower and at the upper end
    end: tuple[float, float]

    @property
    def part(self) -> int:
        return CHEST if self.low >= RIBS else ABDOMEN if self.low >= WAISTBAND else PELVIS


def _painted_on() -> list[Painted]:
    rows = []
    for ring in (WAISTBAND, WAIST, RIBS, BREAST, SHOULDERS):
        for sign in (-1, 1):
            edges = sorted((0.0, 0.32 * sign))
            rows.append(Painted("jacket", ACCENT, 1.0, ring, ring + 1, (edges[0],) * 2, (edges[1],) * 2))
    for back, name in ((0.0, "front"), (np.pi, "back")):
        for turn in (-0.3, 0.3):
            spread = (back + turn - 0.3, back + turn + 0.3)
            rows.append(Painted(name, PRINT, 1.0, 4.3, 5.45, (spread[0],) * 2, (spread[1],) * 2))
        rows.append(Painted(name, ACCENT, 1.0, 4.6, 5.1, (back - 0.25,) * 2, (back + 0.25,) * 2))
    for height in (2.5, 3.3, 4.1, 4.9, 5.7):
        rows.append(Painted("buttons", SOLES, 1.5, height - 0.09, height + 0.09, (-0.07,) * 2, (0.07,) * 2))
    for sign in (-1, 1):
        low, high = sorted((0.1 * sign, 0.7 * sign)), sorted((0.02 * sign, 1.0 * sign))
        rows.append(Painted("collar", SHIRT, 0.6, 6.1, 6.95, (low[0], high[0]), (low[1], high[1])))
    rows += [
        Painted("neckline", SKIN, 0.9, 6.0, COLLAR, (-0.06, -0.8), (0.06, 0.8)),
        Painted("badge", PRINT, 1.0, 5.05, 5.65, (0.35,) * 2, (0.8,) * 2),
        *(Painted("belt", SOLES, 0.6, 1.6, 2.0, (turn * np.pi / 4,) * 2, ((turn + 1) * np.pi / 4,) * 2)
          for turn in range(8)),
        Painted("belt", ACCENT, 1.3, 1.55, 2.0, (-0.12,) * 2, (0.12,) * 2),
        Painted("fly", TROUSERS, 0.6, 0.4, 1.6, (-0.04,) * 2, (0.04,) * 2),
        *(Painted("pockets", TROUSERS, 0.65, 0.7, 1.3, (np.pi + turn - 0.25,) * 2, (np.pi + turn + 0.25,) * 2)
          for turn in (-0.5, 0.5)),
    ]  # fmt: skip
    return rows


PAINTED = _painted_on()
_HEIGHTS = np.array([(row.low, row.low, row.high, row.high) for row in PAINTED])
_ANGLES = np.array([(row.start[0], row.end[0], row.end[1], row.start[1]) for row in PAINTED]) * (16 / (2 * np.pi))
_RING, _STEP = np.minimum(_HEIGHTS.astype(int), COLLAR - 1), np.floor(_ANGLES).astype(int)
_UP, _ON = (_HEIGHTS - _RING)[..., None], (_ANGLES - _STEP)[..., None]


def _painted(outfit: Outfit, flat: Array, palette: Palette) -> dict[int, list[tuple[Polygon, Colour]]]:
    """Patches by part, those that face the camera; ``flat`` are the trunk's rings in the picture."""
    worn = {
        "jacket": outfit.jacket,
        "buttons": outfit.collar and not outfit.jacket,
        "collar": outfit.collar,
        "neckline": not outfit.collar,
        "badge": outfit.badge,
        "front": outfit.print_on == "front" and not outfit.jacket,
        "back": outfit.print_on == "back",
        "belt": outfit.loose < 1.15,
        "fly": not outfit.skirt,
        "pockets": not outfit.skirt,
    }
    step, following = _STEP % 16, (_STEP + 1) % 16
    lower = flat[_RING, step] * (1 - _ON) + flat[_RING, following] * _ON
    upper = flat[_RING + 1, step] * (1 - _ON) + flat[_RING + 1, following] * _ON
    corners = lower * (1 - _UP) + upper * _UP  # [patches, 4, 2]
    x, y = corners[..., 0], corners[..., 1]
    # Twice the area, negative where the corners run as they do seen from outside.
    turned = (x * np.roll(y, -1, 1) - np.roll(x, -1, 1) * y).sum(1).tolist()
    polygons = fixed(corners)
    found: dict[int, list[tuple[Polygon, Colour]]] = {}
    for row, polygon, area in zip(PAINTED, polygons, turned, strict=True):
        if area < 0 and worn[row.name]:
            found.setdefault(row.part, []).append((polygon, bright(palette[row.colour], row.shade)))
    return found


# ---------------------------------------------------------------------------------------------------------------------
# The head


def _head(
    figure: Figure, view: View, palette: Palette | None, tones: Tones, scales: Array, light: Array
) -> list[Layer]:
    """Skull, hair and face, all at the skull's depth and in the order they are drawn in."""
    frame, skull, outfit = figure.body.frames["head"], figure.body.points["skull"], figure.outfit
    seen = view.see(head.SKULL @ frame.T + skull)
    centres, radii = view.project(seen), head.SKULL_RADII * view.focal / seen[:, 2]
    sizes = radii * scales[:, None]
    places = centres + (radii - sizes)[..., None] * light
    points = fixed(places[:, :, None] + sizes[..., None, None] * CIRCLE).reshape(len(scales), -1, 2)
    depth = float(seen[0, 2])
    toward = (-seen[0] / np.sqrt(seen[0] @ seen[0])) @ view.rotation @ frame  # the camera, seen from the head
    found: list[Layer] = []

    def add(part: int, outlines: list[Polygon], colours: list[Colour]) -> None:
        found.append(Layer(part, depth, (HEAD_GROUP, len(found)), outlines, colours))

    def project(points: Array) -> Array:
        return view.project(view.see(points @ frame.T + skull))

    add(HEAD, [hull(level) for level in points], tones[SKIN] if tones else [])
    caps = [("beard", HEAD, HAIRS)] if outfit.beard else []
    caps += [("hair", HAIR, HAIRS)] if outfit.hair != "bald" else []
    caps += [("hat", HAIR, HAT)] if outfit.hat else []
    for kind, covering, colour in caps:
        cap = head.cap(kind)
        shown = cap.points[cap.normals @ toward > -0.12]
        if len(shown) > 2:
            flat = project(shown)
            middle = flat.mean(0)
            shift = light * (0.6 * np.abs(flat - middle).max())
            levels = fixed(middle + scales[:, None, None] * (flat - middle) + (1 - scales)[:, None, None] * shift)
            add(covering, [hull(level) for level in levels], tones[colour] if tones else [])
    features = head.features()
    drawn, facing = fixed(project(features.points)), (features.normals @ toward).tolist()
    colours = _face_colours(palette) if palette else None
    for name, part, cosine, least in zip(features.names, features.slices, facing, features.least, strict=True):
        if cosine <= least or (name == "glasses" and not outfit.glasses) or (name == "ear" and outfit.hair == "long"):
            continue
        if name in ("nose", "ear"):  # these stand out
            add(HEAD, [hull(drawn[part])], [colours[name]] if colours else [])
        elif colours:
            found[-1].details.append((drawn[part], colours[name]))
    if outfit.hat:
        peak = Layer(HAIR, depth, (HEAD_GROUP, len(found)), [hull(fixed(project(head.PEAK)))],
                     [bright(palette[HAT], 0.75)] if palette else [])  # fmt: skip
        found = [*found, peak] if toward[2] > 0 else [peak, *found]
    return found


def _face_colours(palette: Palette) -> dict[str, Colour]:
    red, green, blue = skin = palette[SKIN]
    return {
        "white": (235.0, 232.0, 228.0),
        "iris": bright(palette[ACCENT], 0.3),
        "brow": bright(palette[HAIRS], 0.7),
        "glasses": (25.0, 25.0, 30.0),
        "mouth": (red * 0.78, green * 0.45, blue * 0.45),
        "nose": bright(skin, 0.84),
        "tip": bright(skin, 1.12),
        "ear": bright(skin, 0.8),
    }


# ---------------------------------------------------------------------------------------------------------------------
# Seats


def _boxes(figure: Figure, view: View, palette: Palette | None) -> list[Layer]:
    if not len(figure.boxes):
        return []
    seen = view.see(figure.boxes)
    flat, depths = fixed(view.project(seen)), seen[..., 2].mean(1).tolist()
    result = []
    for number, (corners, depth) in enumerate(zip(flat, depths, strict=True)):
        for side, (face, shade) in enumerate(FACES):
            polygon = corners[list(face)]
            first, second = (polygon[2] - polygon[0]).tolist(), (polygon[3] - polygon[1]).tolist()
            if first[0] * second[1] - first[1] * second[0] > 0:
                colours = [bright(palette[SEAT], shade)] if palette else []
                result.append(Layer(OBJECT, depth, (OBJECT, 100 + 10 * number + side), [polygon], colours))
    return result


# ---------------------------------------------------------------------------------------------------------------------
# Onto the picture


def paint(image: npt.NDArray[np.uint8], found: list[Layer]) -> None:
    """Draw layers into an RGB picture, in their order; neighbours of one group outline by outline."""
    for _, together in groupby(found, key=lambda layer: layer.group):
        group = list(together)
        for level in range(len(group[0].outlines)):
            for layer in group:
                cv2.fillConvexPoly(image, layer.outlines[level], layer.colours[level], cv2.LINE_AA, SHIFT)
        for layer in group:
            for polygon, colour in layer.details:
                cv2.fillConvexPoly(image, polygon, colour, cv2.LINE_AA, SHIFT)


def mark(parts: Parts, found: list[Layer], number: int) -> None:
    """Draw layers into the map of who is seen where.

    A pixel of the map is the item's number times ``PARTS`` plus the part, or 0 for what is nobody.
    """
    for layer in found:
        value = number * PARTS + layer.part if layer.part else 0
        cv2.fillConvexPoly(parts, layer.outlines[0], (value,), cv2.LINE_8, SHIFT)


def extent(figure: Figure, view: View) -> tuple[float, float, float, float]:
    """Left, top, right, bottom in pixels that limbs and head reach, nearly."""
    seen = view.see(np.concatenate((figure.ends.reshape(-1, 3), figure.body.points["skull"][None])))
    centres = view.project(seen)
    sizes = (np.append(figure.radii.ravel(), 0.1) * view.focal / seen[:, 2])[:, None]
    (left, top), (right, bottom) = (centres - sizes).min(0).tolist(), (centres + sizes).max(0).tolist()
    return left, top, right, bottom
