"""From a person's box in a picture to a network's input, as in the paper (section IV-A, 2)."""

import warnings
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.core.errors import InputError

# ImageNet statistics of RGB values in [0, 1], as every network of the zoo was trained with.
MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


@dataclass(frozen=True)
class Normalisation:
    """How a network wants its pixels, which are divided by 255 first; by default as those of the zoo do."""

    mean: tuple[float, ...] = MEAN  # to subtract, in the order of the channels
    std: tuple[float, ...] = STD  # to divide by after that
    channels: str = "RGB"  # or BGR


PHOTOGRAPH = Path(__file__).parent.parent / "assets" / "astronaut.png"
# The person in PHOTOGRAPH: x, y, width, height in pixels, measured by eye.
PHOTOGRAPH_BOX = (20.0, 15.0, 480.0, 497.0)


def box_to_crop(
    box_xywh: tuple[float, float, float, float], input_size: tuple[int, int], padding: float = 1.25
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The region to cut out for a box: the box, widened to the input's aspect ratio, then padded.

    Args:
        box_xywh: x, y, width, height in image pixels.
        input_size: height, width of the network's input.
        padding: factor on both sides after the aspect ratio was reached.

    Returns:
        Centre (x, y) and size (width, height), in image pixels, float32 as in the reference.

    Raises:
        InputError: the box is not four finite numbers with a width or height above 0.
    """
    box = np.asarray(box_xywh, np.float64)
    if box.shape != (4,) or not np.isfinite(box).all() or box[2:].min() < 0 or box[2:].max() <= 0:
        raise InputError(f"{box_xywh} is no box: x, y, width and height are needed, finite and above 0")
    x, y, width, height = box_xywh
    aspect = input_size[1] / input_size[0]
    if width > aspect * height:
        height = width / aspect
    else:
        width = height * aspect
    centre = (x + box_xywh[2] * 0.5, y + box_xywh[3] * 0.5)
    return np.array(centre, np.float32), np.array((width, height), np.float32) * np.float32(padding)


def crop(
    image: npt.NDArray[np.uint8],
    center: npt.ArrayLike,
    size_px: npt.ArrayLike,
    input_size: tuple[int, int],
    rotation: float = 0,
    *,
    udp: bool = False,
) -> tuple[npt.NDArray[np.uint8], npt.NDArray[np.floating]]:
    """Cut out a region and resize it (bilinear, black outside the picture).

    Plain crops measure sizes between the edges of pixels, those of unbiased data processing (UDP, arXiv 1911.07524)
    between the centres of the outermost pixels: there, region and result are one pixel smaller.

    Args:
        image: ``[H, W, 3]`` uint8.
        center: x, y of the region's centre in image pixels.
        size_px: width, height of the region in image pixels; the width sets the scale, and with ``udp`` both do.
        input_size: height, width of the result.
        rotation: degrees; positive turns the picture counter-clockwise, and with ``udp`` clockwise, as published.
        udp: whether the network sees UDP crops.

    Returns:
        The crop, uint8 ``[height, width, 3]``, and the 2x3 matrix that takes image to crop pixels; float32 with
        ``udp``, as published, and float64 without.

    Raises:
        InputError: the picture is empty or not uint8 ``[H, W, 3]``, or the region has no width.
    """
    if not isinstance(image, np.ndarray) or image.dtype != np.uint8 or image.shape[2:] != (3,) or not image.size:
        raise InputError("a picture to crop must be a uint8 array [H, W, 3]")
    if not 0 < float(np.asarray(size_px)[0]) < np.inf:
        raise InputError(f"a region to crop must have a width above 0, and {np.asarray(size_px).tolist()} has not")
    height, width = input_size
    angle = np.deg2rad(rotation)
    turned = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    if udp:
        size = np.asarray(size_px, np.float64)
        scale = np.array([width - 1, height - 1]) / size
        linear = scale[:, None] * turned.T
        middle = scale * size / 2
    else:
        linear = width / float(np.asarray(size_px)[0]) * turned
        middle = np.array([width / 2, height / 2])
    matrix = np.column_stack((linear, middle - linear @ np.asarray(center, np.float64)))
    if udp:
        matrix = matrix.astype(np.float32)
    warped = cv2.warpAffine(image, matrix, (width, height), flags=cv2.INTER_LINEAR)
    return np.asarray(warped, np.uint8), matrix


def normalise(images: Tensor, how: Normalisation | None = None) -> Tensor:
    """RGB uint8 ``[N, H, W, 3]`` to a network's input, float32 ``[N, 3, H, W]``, on the same device."""
    how = how or Normalisation()
    mean, std = (torch.tensor(values, device=images.device) for values in (how.mean, how.std))
    coloured = images.flip(3) if how.channels == "BGR" else images
    return ((coloured.float() / 255 - mean) / std).permute(0, 3, 1, 2).contiguous()


def photograph(input_size: tuple[int, int], path: Path | None = None, how: Normalisation | None = None) -> Tensor:
    """The input that networks are timed on: a person, cropped and normalised as in evaluation.

    Args:
        input_size: height, width.
        path: another picture, taken whole; by default the one shipped with the project
            (Eileen Collins, NASA, public domain), cropped to the person.
        how: the network wants it normalised.

    Returns:
        float32 ``[1, 3, H, W]``.

    Raises:
        InputError: the file is missing or is no picture.
    """
    source = PHOTOGRAPH if path is None else path
    if not source.is_file():
        raise InputError(f"no image {source}: give an existing picture")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        image = cv2.imread(str(source), cv2.IMREAD_COLOR)
    if image is None:
        raise InputError(f"{source} is not an image that can be read: give a JPEG or PNG file")
    rgb = np.ascontiguousarray(image[:, :, ::-1], dtype=np.uint8)
    box = PHOTOGRAPH_BOX if path is None else (0.0, 0.0, float(rgb.shape[1]), float(rgb.shape[0]))
    center, size_px = box_to_crop(box, input_size)
    return normalise(torch.from_numpy(crop(rgb, center, size_px, input_size)[0])[None], how)
