"""What is around people: ground and walls, things that stand about, light, and what a camera makes of it all."""

import math
from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.dataset import Picture
from bench.data.synthetic.body import Array
from bench.data.synthetic.camera import SHIFT, fixed
from bench.data.synthetic.drawing import CIRCLE, SHADES, Colour, Layer, Parts, bright, hull
from bench.data.synthetic.figure import OBJECT, PARTS
from bench.data.synthetic.random_numbers import RandomNumbers

TILE = 1024
TEXTURES, PATTERNS = 12, 8
LIBRARY = 2024  # seed of what all pictures share: textures, patterns, noise
MIDDLE = 128  # the grey that leaves a colour as it is
GREYS = 256

# ---------------------------------------------------------------------------------------------------------------------
# Made once in each process, from numbers of their own


@lru_cache(maxsize=1)
def textures() -> list[Picture]:
    """Grey tiles that walls and grounds are cut from, uint8 ``[1024, 1024]``."""
    return [_texture(RandomNumbers(LIBRARY, 0, number), number) for number in range(TEXTURES)]


def _texture(rng: RandomNumbers, number: int) -> Picture:
    tile = _clouds(rng, ((4, 1.0), (12, 0.7), (40, 0.5), (120, 0.35), (400, 0.3))[number % 3 :])
    x, y = np.meshgrid(np.arange(TILE), np.arange(TILE))
    spacing = 18 + 6 * number
    kind = number % 6
    if kind == 1:  # planks
        board = y // spacing
        tile += 0.7 * (y % spacing < 3) + 0.5 * rng.many(TILE).astype(np.float32)[board]
    elif kind == 2:  # bricks
        tile += 0.6 * (((x + (y // spacing % 2) * spacing) % (2 * spacing) < 4) | (y % spacing < 4))
    elif kind == 3:  # leaves
        for _ in range(2500):
            centre, axes = (rng.whole(0, TILE), rng.whole(0, TILE)), (rng.whole(3, 20), rng.whole(2, 8))
            cv2.ellipse(tile, centre, axes, rng.whole(0, 179), 0, 360, rng.between(0.2, 2.4), -1)
    elif kind == 4:  # tiles and carpets
        tile += 0.6 * ((x // spacing + y // spacing) % 2)
    elif kind == 5:  # clutter: things of all sizes over each other
        for size in range(160, 12, -1):
            corner = np.array((rng.whole(-size, TILE), rng.whole(-size, TILE)))
            other = corner + np.array((round(size * rng.between(0.2, 1.6)), round(size * rng.between(0.2, 1.6))))
            cv2.rectangle(tile, corner.tolist(), other.tolist(), rng.between(0, 2.5), -1)
    low, high = np.percentile(tile[::8, ::8], (1, 99))
    return np.clip((tile - low) / (high - low) * 255, 0, 255).astype(np.uint8)


def _clouds(rng: RandomNumbers, octaves: tuple[tuple[int, float], ...]) -> npt.NDArray[np.float32]:
    tile = np.zeros((TILE, TILE), np.float32)
    for cells, weight in octaves:
        coarse = rng.many(cells * cells).reshape(cells, cells).astype(np.float32)
        tile += np.float32(weight) * cv2.resize(coarse, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    return tile


@lru_cache(maxsize=1)
def patterns() -> list[Picture]:
    """What cloth is printed or woven with, uint8 ``[1024, 1024]`` round 128."""
    x, y = np.meshgrid(np.arange(TILE), np.arange(TILE))
    rng = RandomNumbers(LIBRARY, 1)
    soft = _clouds(rng, ((60, 0.6), (200, 0.4)))
    drawn = (
        y // 16 % 2, y // 32 % 3 == 0, x // 14 % 2, (x // 20 % 2) + (y // 20 % 2) * 0.8,
        (x % 36 - 18) ** 2 + (y % 36 - 18) ** 2 < 70, soft > 0.55, (x + y) // 18 % 2, soft * 2,
    )  # fmt: skip
    return [np.clip(np.rint(MIDDLE + 110 * (p - np.mean(p))), 0, 255).astype(np.uint8) for p in drawn]


@lru_cache(maxsize=1)
def grain() -> Picture:
    """Noise of mean 128 and deviation 32 for cutting windows from, uint8 ``[1024, 1024, 3]``."""
    rng = RandomNumbers(LIBRARY, 2)
    numbers = sum(rng.many(TILE * TILE * 3) for _ in range(3)) - 1.5
    return np.rint(MIDDLE + 64 * numbers).astype(np.uint8).reshape(TILE, TILE, 3)


# ---------------------------------------------------------------------------------------------------------------------
# Surfaces and things


def colour(rng: RandomNumbers) -> Colour:
    """Any colour, dull ones more often than loud ones."""
    grey, vivid = rng.between(20, 235), rng() ** 2
    red, green, blue = (grey + vivid * (rng.between(0, 255) - grey) + rng.between(-14, 14) for _ in range(3))
    return min(max(red, 5.0), 250.0), min(max(green, 5.0), 250.0), min(max(blue, 5.0), 250.0)


def _window(rng: RandomNumbers, tile: Picture, width: int, height: int, angle: float, zoom: float) -> Picture:
    """A window of a tile, turned by an angle and enlarged."""
    if angle == 0:
        wide, high = min(int(width / zoom) + 1, TILE), min(int(height / zoom) + 1, TILE)
        x, y = rng.whole(0, TILE - wide), rng.whole(0, TILE - high)
        return np.asarray(cv2.resize(tile[y : y + high, x : x + wide], (width, height)), np.uint8)
    c, s = math.cos(angle) / zoom, math.sin(angle) / zoom
    matrix = np.array(((c, -s, rng.between(0, TILE)), (s, c, rng.between(0, TILE))))
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return np.asarray(
        cv2.warpAffine(tile, matrix, (width, height), flags=flags, borderMode=cv2.BORDER_REFLECT), np.uint8
    )


def surface(rng: RandomNumbers, width: int, height: int) -> Picture:
    """A wall or a ground: a texture between two colours, RGB."""
    tile, angle, zoom = rng.pick(textures()), rng.pick((0.0, 0.0, rng.between(0, 6.3))), rng.between(0.5, 2.5)
    first = colour(rng)
    second = colour(rng) if rng.chance(0.35) else bright(first, rng.between(0.4, 1.6))
    table = np.rint(np.linspace(first, second, GREYS)).astype(np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(_window(rng, tile, width, height, angle, zoom), table), np.uint8)


def background(rng: RandomNumbers, width: int, height: int, horizon: float) -> Picture:
    """A wall or the sky above ground, and things before them; RGB."""
    edge = round(min(max(horizon, 0.0), float(height))) + rng.whole(0, height // 8)
    if 0 < edge < height and rng.chance(0.85):
        image = np.concatenate((surface(rng, width, edge), surface(rng, width, height - edge)))
    else:
        image = surface(rng, width, height)
    for _ in range(rng.whole(2, 9)):
        size = rng.between(0.06, 0.5) * height
        for layer in thing(rng, rng.between(-0.1, 1.1) * width, rng.between(-0.1, 1.1) * height, size):
            for outline, shade in zip(layer.outlines, shaded(rng, layer).colours, strict=True):
                cv2.fillConvexPoly(image, outline, shade, cv2.LINE_AA, SHIFT)
    return image


def shaded(rng: RandomNumbers, layer: Layer) -> Layer:
    """A thing with a colour."""
    tone = colour(rng)
    layer.colours = [bright(tone, shade) for _, shade in SHADES[3][: len(layer.outlines)][::-1]][::-1]
    return layer


def thing(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    """Something that stands about, as layers without colours; pixels."""
    return rng.pick((_bar, _bar, _post, _board, _box, _ball, _table, _fence))(rng, x, y, size)


def _bar(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    """What could be an arm or a leg and is none."""
    angle, thick = rng.between(0, 2 * math.pi), size * rng.between(0.05, 0.14)
    joint = (x + size * 0.5 * math.cos(angle), y + size * 0.5 * math.sin(angle))
    bars = [_rounded((x, y), joint, thick, thick * rng.between(0.7, 1))]
    if rng.chance(0.5):
        bend = angle + rng.between(-1.5, 1.5)
        end = (joint[0] + size * 0.5 * math.cos(bend), joint[1] + size * 0.5 * math.sin(bend))
        bars.append(_rounded(joint, end, thick * 0.7, thick * 0.5))
    return bars


def _post(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    thick = size * rng.between(0.03, 0.1)
    return [_rounded((x, y - 2 * size), (x + rng.bell(0, 0.05) * size, y + size), thick, thick)]


def _ball(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    return [_rounded((x, y), (x, y + 1), size * 0.25, size * 0.25)]


def _board(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    wide, high, lean = size * rng.between(0.4, 1.5), size * rng.between(0.3, 1.3), rng.bell(0, 0.08) * size
    return [_quad((x, y), (x + wide, y + lean), (x + wide, y + high + lean), (x, y + high))]


def _box(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    wide, high = size * rng.between(0.4, 1.5), size * rng.between(0.3, 1.0)
    across, up = rng.between(-0.4, 0.4) * size, -rng.between(0.05, 0.3) * size
    side = x + wide if across > 0 else x
    return [
        _quad((x, y), (x + wide, y), (x + wide, y + high), (x, y + high)),
        _quad((x, y), (x + wide, y), (x + wide + across, y + up), (x + across, y + up)),
        _quad((side, y), (side, y + high), (side + across, y + high + up), (side + across, y + up)),
    ]


def _table(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    wide, high, thick = size * rng.between(0.8, 2), size * rng.between(0.4, 0.9), size * 0.05
    lean = rng.between(-0.3, 0.3) * size
    legs = [_rounded((at, y), (at, y + high), thick * 0.6, thick * 0.5) for at in (x + thick, x + wide - thick)]
    top = _quad((x, y), (x + wide, y), (x + wide + lean, y - 0.25 * size), (x + lean, y - 0.25 * size))
    return [*legs, top, _quad((x, y), (x + wide, y), (x + wide, y + thick), (x, y + thick))]


def _fence(rng: RandomNumbers, x: float, y: float, size: float) -> list[Layer]:
    gap, thick = size * rng.between(0.2, 0.4), size * rng.between(0.02, 0.05)
    posts = [_rounded((x + n * gap, y), (x + n * gap, y + size), thick, thick) for n in range(5)]
    return [*posts, _rounded((x, y + 0.2 * size), (x + 4 * gap, y + 0.2 * size), thick, thick)]


def _rounded(start: tuple[float, float], end: tuple[float, float], first: float, second: float) -> Layer:
    ends, radii = np.array((start, end)), np.array((first, second))
    scales = np.array([scale for scale, _ in SHADES[3]])
    points = fixed(ends[:, None] + (radii * scales[:, None])[..., None, None] * CIRCLE)
    return Layer(OBJECT, 0.0, (OBJECT, 0), [hull(level.reshape(-1, 2)) for level in points], [])


def _quad(*corners: tuple[float, float]) -> Layer:
    return Layer(OBJECT, 0.0, (OBJECT, 1), [hull(fixed(np.array(corners)))], [])


# ---------------------------------------------------------------------------------------------------------------------
# On top of what is drawn


def ground_shadow(image: Picture, x: float, y: float, size: float) -> None:
    """Darken the ground under someone: the middle and half the width in pixels."""
    deep = 0.3 * size
    left, right = max(int(x - size), 0), min(int(x + size) + 1, image.shape[1])
    top, bottom = max(int(y - deep), 0), min(int(y + deep) + 1, image.shape[0])
    if left < right and top < bottom:
        across = (np.arange(left, right, dtype=np.float32) - np.float32(x)) / np.float32(size)
        down = (np.arange(top, bottom, dtype=np.float32) - np.float32(y)) / np.float32(deep)
        dark = 1 - 0.55 * np.maximum(1 - across**2 - down[:, None] ** 2, 0)
        region = image[top:bottom, left:right]
        region[...] = region * dark[..., None]


def weave(
    rng: RandomNumbers, image: Picture, parts: Parts, number: int, worn: frozenset[int], found: list[Layer]
) -> None:
    """Print a pattern on someone's clothes where they are seen.

    Args:
        parts: the map of who is seen where.
        number: the person's, in the map.
        worn: the parts that these clothes cover.
        found: the person's layers.
    """
    pattern, zoom, angle = rng.pick(patterns()), rng.between(0.15, 0.5), rng.bell(0, 0.25)
    cloth = [layer.outlines[0].reshape(-1, 2) for layer in found if layer.part in worn]
    if not cloth:
        return
    corners = np.concatenate(cloth)
    left, top = np.maximum(corners.min(0) >> SHIFT, 0).tolist()
    right, bottom = (corners.max(0) >> SHIFT).tolist()
    region = image[top : bottom + 1, left : right + 1]
    if not region.size:
        return
    # Parts of other people wrap round to large numbers, which all take the last entry.
    own = parts[top : bottom + 1, left : right + 1] - np.uint16(number * PARTS)
    table = np.array([255 * (part in worn) for part in range(PARTS)] + [0], np.uint8)
    cut = _window(rng, pattern, region.shape[1], region.shape[0], angle, zoom)
    printed = cv2.multiply(region, cv2.merge((cut, cut, cut)), scale=1 / MIDDLE)
    cv2.copyTo(printed, np.take(table, own, mode="clip"), region)


def finish(rng: RandomNumbers, image: Picture) -> Picture:
    """Light, lens, sensor and compression."""
    height, width = image.shape[:2]
    image = _light(rng, image)
    lens = rng()
    if lens < 0.25:  # enlarged, as people who are small in their picture are
        share = rng.between(0.3, 0.75)
        small = cv2.resize(image, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    elif lens < 0.6:  # out of focus
        image = np.asarray(cv2.GaussianBlur(image, (5, 5), rng.between(0.4, 1.3)), np.uint8)
    elif lens < 0.7:  # moved
        kernel = np.zeros((7, 7), np.float32)
        angle, length = rng.between(0, math.pi), rng.between(1, 3)
        x, y = round(math.cos(angle) * length), round(math.sin(angle) * length)
        cv2.line(kernel, (3 - x, 3 - y), (3 + x, 3 + y), 1.0)
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    x, y = rng.whole(0, TILE - width), rng.whole(0, TILE - height)
    noise, strength = grain()[y : y + height, x : x + width], rng.between(0.5, 9) / 32
    image = np.asarray(cv2.addWeighted(image, 1, noise, strength, -MIDDLE * strength), np.uint8)
    if rng.chance(0.5):
        # OpenCV takes these for BGR: red and blue change places in the codec and back again.
        encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, rng.whole(25, 92)))[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return image


def _light(rng: RandomNumbers, image: Picture) -> Picture:
    """Brightness that varies over the picture, a cast of colour, now and then a hard shadow across everything."""
    height, width = image.shape[:2]
    level = rng.between(0.55, 1.25)
    gain: Array = np.array([rng.bell(level, 0.05) for _ in range(3)])
    rows, columns = height // 8 + 1, width // 8 + 1
    across = rng.bell(0, 0.15) * np.linspace(-1, 1, columns)
    field = 1 + across + rng.bell(0, 0.15) * np.linspace(-1, 1, rows)[:, None]
    if rng.chance(0.25):
        shade = np.ones((rows, columns))
        corners = np.array([(rng.between(-0.5, 1.5) * columns, rng.between(-0.5, 1.5) * rows) for _ in range(4)])
        cv2.fillConvexPoly(shade, hull(fixed(corners)), (rng.between(0.45, 0.8),), cv2.LINE_8, SHIFT)
        field *= shade
    small = np.clip(field[..., None] * gain * MIDDLE, 0, 255).astype(np.uint8)
    return np.asarray(cv2.multiply(image, cv2.resize(small, (width, height)), scale=1 / MIDDLE), np.uint8)
