"""Augmentation: which region of a picture a training sample shows, and how (paper section IV-A, 3)."""

from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from bench.codecs.codec import Codec, HeatmapCodec
from bench.core.skeletons import Skeleton
from bench.data.cropping import box_to_crop
from bench.data.dataset import Float32Array, Person, Picture
from bench.train.recipe import Recipe


@dataclass(frozen=True)
class View:
    """A region of a picture, turned and mirrored."""

    center: npt.NDArray[np.floating]  # x, y in image pixels
    size_px: npt.NDArray[np.floating]  # width, height in image pixels
    rotation: float = 0.0  # degrees, counter-clockwise
    mirrored: bool = False  # after cutting out


def plain_view(person: Person, input_size: tuple[int, int], recipe: Recipe) -> View:
    """A person's box as evaluation cuts it out."""
    return View(*box_to_crop(person.box, input_size, recipe.padding))


def random_view(
    person: Person, skeleton: Skeleton, input_size: tuple[int, int], recipe: Recipe, rng: np.random.Generator
) -> View:
    """A person's box, or half the body, scaled, turned and mirrored at random."""
    mirrored = rng.random() < recipe.flip_prob
    view = plain_view(person, input_size, recipe)
    if rng.random() < recipe.half_body_prob:
        view = half_body(person, skeleton, input_size, recipe, upper=rng.random() < recipe.half_body_upper_prob) or view
    factor = recipe.scale_factor
    if recipe.draw == "truncated":
        scale, rotation = 1 + factor * _truncated(rng), recipe.rot_factor * _truncated(rng)
    else:
        scale = np.clip(1 + factor * rng.standard_normal(), 1 - factor, 1 + factor)
        limit = 2 * recipe.rot_factor
        rotation = np.clip(recipe.rot_factor * rng.standard_normal(), -limit, limit)
    turned = rng.random() < recipe.rot_prob
    center = view.center
    if recipe.shift_prob and rng.random() < recipe.shift_prob:
        center = center + recipe.shift_factor * np.array((_truncated(rng), _truncated(rng))) * view.size_px
    return View(center, view.size_px * scale, float(rotation) if turned else 0.0, bool(mirrored))


def _truncated(rng: np.random.Generator) -> float:
    """A standard normal number within -1 and 1: drawn anew until it is."""
    while True:
        number = float(rng.standard_normal())
        if abs(number) <= 1:
            return number


HUE, SATURATION, VALUE = 5, 30, 30  # of 180, 255 and 255: YOLOX's
BLUR_SIZES = (3, 5, 7)  # pixels
BLANK = (0.2, 0.4)  # of each side


def disturb(picture: Picture, recipe: Recipe, rng: np.random.Generator) -> Picture:
    """A crop with its colours moved, blurred, or a part of it blanked, as the recipe says; the same array or a new one.

    Each of hue, saturation and value is moved in half of the pictures, by a uniformly random amount.
    The rectangle is black.
    """
    if recipe.colour_jitter:
        moves = rng.uniform(-1, 1, 3) * (HUE, SATURATION, VALUE) * recipe.colour_jitter * rng.integers(0, 2, 3)
        hue_first = cv2.cvtColor(picture, cv2.COLOR_RGB2HSV).astype(np.int16) + moves.astype(np.int16)
        hue_first[..., 0] %= 180
        picture = cv2.cvtColor(np.clip(hue_first, 0, 255).astype(np.uint8), cv2.COLOR_HSV2RGB).astype(np.uint8)
    if recipe.blur_prob and rng.random() < recipe.blur_prob:
        size = int(rng.choice(BLUR_SIZES))
        picture = cv2.blur(picture, (size, size)).astype(np.uint8)
    if recipe.median_blur_prob and rng.random() < recipe.median_blur_prob:
        picture = cv2.medianBlur(picture, int(rng.choice(BLUR_SIZES))).astype(np.uint8)
    if recipe.blank_prob and rng.random() < recipe.blank_prob:
        height, width = (round(side * rng.uniform(*BLANK)) for side in picture.shape[:2])
        top, left = (
            int(rng.integers(0, whole - part + 1))
            for whole, part in zip(picture.shape[:2], (height, width), strict=True)
        )
        picture = picture.copy()
        picture[top : top + height, left : left + width] = 0
    return picture


def half_body(
    person: Person, skeleton: Skeleton, input_size: tuple[int, int], recipe: Recipe, *, upper: bool
) -> View | None:
    """The region of the upper or the lower body, or of the other half where this one has fewer than 3 joints.

    Returns:
        ``None`` for a person with too few labelled joints, who is then taken whole; or for bodies without halves.
    """
    if person.joints is None or person.visible is None:
        return None
    labelled = person.visible > 0
    if labelled.sum() <= recipe.num_joints_half_body or not skeleton.upper_body:
        return None
    in_upper = np.isin(np.arange(len(labelled)), skeleton.upper_body)
    halves = [person.joints[labelled & half] for half in (in_upper, ~in_upper)]
    joints = next((half for half in (halves if upper else halves[::-1]) if len(half) > 2), None)
    if joints is None:
        return None
    low, high = joints.min(0), joints.max(0)
    # A height and width above 0 even if the joints lie in one line.
    width, height = np.maximum(high - low, 1)
    _, size_px = box_to_crop((0, 0, float(width), float(height)), input_size, recipe.half_body_padding)
    return View(joints.mean(0), size_px)


def show(
    picture: Picture,
    joints: Float32Array,
    view: View,
    skeleton: Skeleton,
    input_size: tuple[int, int],
    codec: Codec | None = None,
) -> tuple[Picture, npt.NDArray[np.float64], list[int]]:
    """Cut a view out of a picture, and say where the joints are in it.

    Args:
        picture: RGB uint8 ``[H, W, 3]``.
        joints: ``[J, 2]``, x, y in image pixels.
        view: what to cut out.
        skeleton: names the joints that change places in a mirrored picture.
        input_size: height, width of the result.
        codec: of the network that sees it; by default, one of plain crops.

    Returns:
        The crop; the joints ``[J, 2]`` in its pixels; which joint of the person each of them is.
    """
    codec = codec or HeatmapCodec(input_size)
    image, matrix = codec.crop(picture, view.center, view.size_px, view.rotation)
    seen = joints @ matrix[:, :2].T + matrix[:, 2]
    order = list(range(len(joints)))
    if view.mirrored:
        image = np.ascontiguousarray(image[:, ::-1])
        seen[:, 0] = input_size[1] - 1 - seen[:, 0]
        for left, right in skeleton.flip_pairs:
            order[left], order[right] = right, left
    return image, seen[order], order
