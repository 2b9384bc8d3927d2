"""Augmentation: which region of a picture a training sample shows, and how (paper section IV-A, 3)."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.core.skeletons import Skeleton
from bench.data.cropping import box_to_crop, crop
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
    scale = np.clip(1 + factor * rng.standard_normal(), 1 - factor, 1 + factor)
    limit = 2 * recipe.rot_factor
    rotation = np.clip(recipe.rot_factor * rng.standard_normal(), -limit, limit)
    turned = rng.random() < recipe.rot_prob
    return View(view.center, view.size_px * scale, float(rotation) if turned else 0.0, bool(mirrored))


def half_body(
    person: Person, skeleton: Skeleton, input_size: tuple[int, int], recipe: Recipe, *, upper: bool
) -> View | None:
    """The region of the upper or the lower body, or of the other half where this one has fewer than 3 joints.

    Returns:
        ``None`` for a person with too few labelled joints, who is then taken whole.
    """
    if person.joints is None or person.visible is None:
        return None
    labelled = person.visible > 0
    if labelled.sum() <= recipe.num_joints_half_body:
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
    picture: Picture, joints: Float32Array, view: View, skeleton: Skeleton, input_size: tuple[int, int]
) -> tuple[Picture, npt.NDArray[np.float64], list[int]]:
    """Cut a view out of a picture, and say where the joints are in it.

    Args:
        picture: RGB uint8 ``[H, W, 3]``.
        joints: ``[J, 2]``, x, y in image pixels.
        view: what to cut out.
        skeleton: names the joints that change places in a mirrored picture.
        input_size: height, width of the result.

    Returns:
        The crop; the joints ``[J, 2]`` in its pixels; which joint of the person each of them is.
    """
    image, matrix = crop(picture, view.center, view.size_px, input_size, view.rotation)
    seen = joints @ matrix[:, :2].T + matrix[:, 2]
    order = list(range(len(joints)))
    if view.mirrored:
        image = np.ascontiguousarray(image[:, ::-1])
        seen[:, 0] = input_size[1] - 1 - seen[:, 0]
        for left, right in skeleton.flip_pairs:
            order[left], order[right] = right, left
    return image, seen[order], order
