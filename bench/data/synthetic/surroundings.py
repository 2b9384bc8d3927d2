"""What is around people: ground and walls, things that stand about, light, and what a camera makes of it all."""

from functools import lru_cache

import cv2
import numpy as np
import numpy.typing as npt

from bench.data.synthetic.body import Array
from bench.data.synthetic.dice import Dice
from bench.data.synthetic.figure import OBJECT, SHADES, SHIFT, Layer, Polygon, _fixed

Image = npt.NDArray[np.uint8]
TILE = 768
TEXTURES = 10


@lru_cache(maxsize=1)
def textures() -> list[Image]:
    """Grey tiles that backgrounds and cloth are cut from, uint8 ``[768, 768]``, the same in every process."""
    return [_texture(Dice(2024, number), number) for number in range(TEXTURES)]


def _texture(dice: Dice, number: int) -> Image:
    tile = np.zeros((TILE, TILE), np.float32)
    octaves = ((4, 1.0), (12, 0.7), (40, 0.5), (120, 0.35), (384, 0.25))
    for cells, weight in octaves[number % 3 :]:
        coarse = dice.many(cells * cells).reshape(cells, cells).astype(np.float32)
        tile += weight * cv2.resize(coarse, (TILE, TILE), interpolation=cv2.INTER_CUBIC)
    x, y = np.meshgrid(np.arange(TILE), np.arange(TILE))
    spacing = 16 + 7 * number
    if number % 5 == 1:  # planks or tiles
        tile += 0.7 * ((x % (2 * spacing) < 3) | (y % spacing < 3))
    elif number % 5 == 2:  # bricks
        tile += 0.6 * (((x + (y // spacing % 2) * spacing) % (2 * spacing) < 4) | (y % spacing < 4))
    elif number % 5 == 3:  # leaves
        picture = tile.copy()
        for _ in range(1500):
            centre, axes = (dice.whole(0, TILE), dice.whole(0, TILE)), (dice.whole(3, 16), dice.whole(2, 7))
            cv2.ellipse(picture, centre, axes, dice.whole(0, 179), 0, 360, dice.between(0.2, 2.2), -1)
        tile = picture
    elif number % 5 == 4:  # stripes and checks
        tile += 0.8 * ((x // spacing % 2) ^ (y // (spacing * (1 + number % 2 * 20)) % 2))
    low, high = np.percentile(tile, (1, 99))
    return np.clip((tile - low) / (high - low) * 255, 0, 255).astype(np.uint8)


@lru_cache(maxsize=1)
def grain() -> npt.NDArray[np.int8]:
    """Sensor noise of unit deviation times 32, int8 ``[768, 768, 3]``, for cutting windows from."""
    dice = Dice(2024, 1000)
    numbers = sum(dice.many(TILE * TILE * 3) for _ in range(3)) - 1.5
    return np.clip(np.rint(numbers * 64), -127, 127).astype(np.int8).reshape(TILE, TILE, 3)


def colour(dice: Dice) -> Array:
    """Any colour, dull ones more often than loud ones; RGB 0 to 255."""
    grey, vivid = dice.between(20, 235), dice() ** 2
    return np.array([grey + vivid * (dice.between(0, 255) - grey) + dice.between(-14, 14) for _ in range(3)]).clip(
        5, 250
    )


def patch(dice: Dice, width: int, height: int) -> Image:
    """A window of a random texture, turned and scaled, uint8 ``[height, width]``."""
    tile = dice.pick(textures())
    angle, zoom = dice.pick((0.0, 0.0, dice.between(0, 6.3))), dice.between(0.5, 2.5)
    c, s = np.cos(angle) / zoom, np.sin(angle) / zoom
    matrix = np.array(((c, -s, dice.between(0, TILE)), (s, c, dice.between(0, TILE))))
    return np.asarray(cv2.warpAffine(tile, matrix, (width, height), flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                                     borderMode=cv2.BORDER_REFLECT), np.uint8)  # fmt: skip


def surface(dice: Dice, width: int, height: int) -> Image:
    """A wall or a ground: a texture between two colours, RGB."""
    first = colour(dice)
    second = colour(dice) if dice.chance(0.35) else (first * dice.between(0.4, 1.6)).clip(0, 255)
    ramp = np.linspace(0, 1, 256)[:, None]
    table = np.rint(first + ramp * (second - first)).astype(np.uint8)[:, None]
    return np.asarray(cv2.applyColorMap(patch(dice, width, height), table), np.uint8)


def background(dice: Dice, width: int, height: int, horizon: float) -> Image:
    """Wall or sky above ground, and things in front of them."""
    image = surface(dice, width, height)
    edge = round(horizon)
    if 0 < edge < height and dice.chance(0.8):
        image[edge:] = surface(dice, width, height - edge)
    for _ in range(dice.whole(2, 9)):
        _thing(dice, image)
    return image


def _thing(dice: Dice, image: Image) -> None:
    height, width = image.shape[:2]
    size = dice.between(0.06, 0.5) * height
    x, y = dice.between(-0.1, 1.1) * width, dice.between(-0.1, 1.1) * height
    for layer in thing(dice, x, y, size):
        tone = colour(dice)
        shaded(layer, tone)
        for outline, shade in zip(layer.outlines, layer.colours, strict=True):
            cv2.fillConvexPoly(image, outline, shade, cv2.LINE_AA, SHIFT)


def shaded(layer: Layer, tone: Array) -> None:
    """Give a thing its colours."""
    shades = [shade for _, shade in SHADES[3]] if len(layer.outlines) == 3 else [1.0] * len(layer.outlines)
    layer.colours = [tuple(np.minimum(tone * shade, 255)) for shade in shades]


def thing(dice: Dice, x: float, y: float, size: float) -> list[Layer]:
    """Something that stands about: a bar like a limb, a post, a board, a box, a ball."""
    kind = dice.pick(("bar", "bar", "post", "board", "box", "ball"))
    if kind in ("bar", "post"):
        angle = dice.between(0, 6.2832) if kind == "bar" else 1.5708 + dice.bell(0, 0.03)
        length, thick = (size, size * dice.between(0.06, 0.16)) if kind == "bar" else (size * 3, size * 0.08)
        thin = thick * dice.between(0.6, 1)
        along = np.array((np.cos(angle), np.sin(angle)))
        ends = np.array((x, y)) + np.outer((-0.5 * length, 0.5 * length), along)
        return [_layer(ends, np.array((thick, thin)))]
    if kind == "ball":
        return [_layer(np.array(((x, y), (x + 0.01, y))), np.array((size * 0.3, size * 0.3)))]
    wide, high = size * dice.between(0.4, 1.5), size * dice.between(0.3, 1.3)
    lean = dice.bell(0, 0.08) * size
    front = np.array(((x, y), (x + wide, y + lean), (x + wide, y + high + lean), (x, y + high)))
    result = [Layer(OBJECT, 0.0, (OBJECT, 0), [_fixed(front)], [])]
    if kind == "box":
        back = np.array((dice.between(-0.4, 0.4), -dice.between(0.05, 0.3))) * size
        top = np.array((front[0], front[1], front[1] + back, front[0] + back))
        near = front[1:3] if back[0] > 0 else front[[0, 3]]
        result += [Layer(OBJECT, 0.0, (OBJECT, 1), [_fixed(top)], []),
                   Layer(OBJECT, 0.0, (OBJECT, 2), [_fixed(np.array((near[0], near[1], near[1] + back, near[0] + back)))], [])]  # fmt: skip
    return result


def _layer(ends: Array, radii: Array) -> Layer:
    outlines: list[Polygon] = []
    circle = np.linspace(0, 2 * np.pi, 14, endpoint=False)
    ring = np.column_stack((np.cos(circle), np.sin(circle)))
    for scale, _ in SHADES[3]:
        points = ends[:, None] + (radii * scale)[:, None, None] * ring
        outlines.append(np.asarray(cv2.convexHull(_fixed(points.reshape(-1, 2))), np.int32))
    return Layer(OBJECT, 0.0, (OBJECT, 0), outlines, [])


def ground_shadow(image: Image, places: list[tuple[float, float, float]]) -> None:
    """Darken the ground under people: x, y, half width in pixels."""
    for x, y, size in places:
        left, right = max(int(x - size), 0), min(int(x + size) + 1, image.shape[1])
        top, bottom = max(int(y - size * 0.3), 0), min(int(y + size * 0.3) + 1, image.shape[0])
        if left >= right or top >= bottom:
            continue
        across = (np.arange(left, right, dtype=np.float32) - x) / size
        down = (np.arange(top, bottom, dtype=np.float32) - y) / (size * 0.3)
        dark = 1 - 0.55 * np.clip(1 - across**2 - down[:, None] ** 2, 0, 1)
        region = image[top:bottom, left:right]
        region[...] = region * dark[..., None]


def finish(dice: Dice, image: Image) -> Image:
    """Light, lens, sensor and compression."""
    height, width = image.shape[:2]
    image = _light(dice, image)
    if dice.chance(0.25):  # as a small person looks, cut out and enlarged
        share = dice.between(0.3, 0.7)
        small = cv2.resize(image, (round(width * share), round(height * share)), interpolation=cv2.INTER_AREA)
        image = np.asarray(cv2.resize(small, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)
    elif dice.chance(0.5):
        sigma = dice.between(0.4, 1.3)
        image = np.asarray(cv2.GaussianBlur(image, (5, 5), sigma), np.uint8)
    elif dice.chance(0.2):
        kernel = np.zeros((7, 7), np.float32)
        angle, length = dice.between(0, 3.1416), dice.between(1, 3)
        step = (int(round(np.cos(angle) * length)), int(round(np.sin(angle) * length)))
        cv2.line(kernel, (3 - step[0], 3 - step[1]), (3 + step[0], 3 + step[1]), 1.0)
        image = np.asarray(cv2.filter2D(image, -1, kernel / kernel.sum()), np.uint8)
    noise = grain()
    x, y = dice.whole(0, max(TILE - width, 0)), dice.whole(0, max(TILE - height, 0))
    strength = dice.between(0.5, 9) / 32
    image = cv2.addWeighted(image, 1, noise[y : y + height, x : x + width], strength, 0, dtype=cv2.CV_8U)  # type: ignore[assignment]
    if dice.chance(0.5):
        quality = dice.whole(25, 92)
        encoded = cv2.imencode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))[1]
        image = np.asarray(cv2.imdecode(encoded, cv2.IMREAD_COLOR), np.uint8)
    return image


def _light(dice: Dice, image: Image) -> Image:
    """Brightness that varies over the picture, a cast of colour, now and then a hard shadow across everything."""
    height, width = image.shape[:2]
    gain = np.array([dice.bell(1, 0.06) for _ in range(3)]) * dice.between(0.55, 1.25)
    slope = np.array((dice.bell(0, 0.15), dice.bell(0, 0.15)))
    rows, columns = height // 8 + 1, width // 8 + 1
    field = 1 + slope[0] * np.linspace(-1, 1, columns) + slope[1] * np.linspace(-1, 1, rows)[:, None]
    if dice.chance(0.25):
        shade = np.ones((rows, columns))
        corners = np.array([(dice.between(-0.5, 1.5) * columns, dice.between(-0.5, 1.5) * rows) for _ in range(4)])
        cv2.fillConvexPoly(
            shade, np.asarray(cv2.convexHull(_fixed(corners)), np.int32), dice.between(0.45, 0.8), cv2.LINE_8, SHIFT
        )
        field *= shade
    small = np.clip(field[..., None] * gain * 128, 0, 255).astype(np.uint8)
    return np.asarray(cv2.multiply(image, cv2.resize(small, (width, height)), scale=1 / 128), np.uint8)
