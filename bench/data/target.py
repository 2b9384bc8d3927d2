"""What a network is trained towards: Gaussians on heatmaps or along x and y, or the coordinates themselves."""

from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.errors import InputError

STRIDE = 4  # input pixels to one heatmap pixel


def make_target(
    joints: npt.ArrayLike, visible: npt.ArrayLike, input_size: tuple[int, int], sigma: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Heatmaps with a Gaussian of peak 1 at each joint, cut off 3 sigma away from its centre.

    The centre is the heatmap pixel nearest to the joint, as in the reference: fractions are lost.

    Args:
        joints: ``[J, 2]`` x, y in pixels of the crop.
        visible: ``[J]``, above 0 for joints that are labelled.
        input_size: height, width of the crop, multiples of 4.
        sigma: of the Gaussian, in heatmap pixels (2 for 256x192, 3 for 384x288).

    Returns:
        Heatmaps ``[J, height / 4, width / 4]`` and weights ``[J]``, float32. A weight is 0 where the joint is not
        labelled or none of its Gaussian lies inside, and 1 elsewhere.

    Raises:
        InputError: shapes that do not belong together, or a sigma that is not above 0.
    """
    points, seen = _checked(joints, visible, sigma)
    height, width = input_size[0] // STRIDE, input_size[1] // STRIDE
    reach = int(3 * sigma)
    # Truncation, not floor: it decides for joints that lie just outside, and the reference truncates.
    centres = (points / STRIDE + 0.5).astype(np.int64)
    lowest, highest = centres - reach, centres + reach
    inside = (seen > 0) & (lowest < (width, height)).all(axis=1) & (highest >= 0).all(axis=1)

    offsets = np.arange(-reach, reach + 1)
    profile = np.exp(-(offsets**2) / (2 * sigma**2))
    gaussian = np.outer(profile, profile).astype(np.float32)
    heatmaps = np.zeros((len(centres), height, width), np.float32)
    for joint in np.flatnonzero(inside):
        (left, top), (right, bottom) = lowest[joint], highest[joint] + 1
        rows, columns = slice(max(top, 0), min(bottom, height)), slice(max(left, 0), min(right, width))
        heatmaps[joint, rows, columns] = gaussian[
            rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
        ]
    return heatmaps, inside.astype(np.float32)


def make_udp_target(
    joints: npt.ArrayLike, visible: npt.ArrayLike, input_size: tuple[int, int], sigma: float
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Heatmaps for networks that see UDP crops (arXiv 1911.07524): Gaussians around the exact place of each joint.

    Args:
        joints: ``[J, 2]`` x, y in pixels of the crop.
        visible: ``[J]``, above 0 for joints that are labelled.
        input_size: height, width of the crop, multiples of 4.
        sigma: of the Gaussian, in heatmap pixels (2 for 256x192).

    Returns:
        Heatmaps ``[J, height / 4, width / 4]`` and weights ``[J]``, float32. The highest pixel is below 1 unless the
        joint is on a pixel. Only the pixels up to 3 sigma from the nearest one are above 0. A weight is 0 where the
        joint is not labelled or these pixels lie outside, and 1 elsewhere.

    Raises:
        InputError: shapes that do not belong together, or a sigma that is not above 0.
    """
    points, seen = _checked(joints, visible, sigma)
    height, width = input_size[0] // STRIDE, input_size[1] // STRIDE
    steps = [(input_size[1] - 1) / (width - 1), (input_size[0] - 1) / (height - 1)]  # input pixels to one of the map
    places = points.astype(np.float32) / np.array(steps, np.float32)  # as published
    reach = int(3 * sigma)
    nearest = (places + 0.5).astype(np.int64)  # truncation again
    lowest, beyond = nearest - reach, nearest + reach + 1
    inside = (seen > 0) & (lowest < (width, height)).all(axis=1) & (beyond >= 0).all(axis=1)

    heatmaps = np.zeros((len(places), height, width), np.float32)
    for joint in np.flatnonzero(inside):
        rows, columns = (
            np.arange(max(lowest[joint, axis], 0), min(beyond[joint, axis], size))
            for axis, size in ((1, height), (0, width))
        )
        down, across = (
            np.exp(-((pixels - place) ** 2) / (2 * sigma**2))
            for pixels, place in zip((rows, columns), places[joint, ::-1], strict=True)
        )
        heatmaps[joint, rows[:, None], columns] = np.outer(down, across)
    return heatmaps, inside.astype(np.float32)


def make_simcc_target(
    joints: npt.ArrayLike,
    visible: npt.ArrayLike,
    input_size: tuple[int, int],
    sigma: float | tuple[float, float],
    *,
    split_ratio: float = 2.0,
    normalised: bool = False,
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Vectors along x and y with a Gaussian around each joint (SimCC, arXiv 2107.03332), not cut off.

    Args:
        joints: ``[J, 2]`` x, y in pixels of the crop.
        visible: ``[J]``, above 0 for joints that are labelled.
        input_size: height, width of the crop.
        sigma: of the Gaussians, in bins: along x and along y, or one for both. RTMPose has 4.9 and 5.66 at 256x192, and
            6.0 and 6.93 at 384x288; SimCC has 6 at 256x192.
        split_ratio: bins to a pixel of the crop.
        normalised: divide by the Gaussian's integral, as SimCC has it; otherwise the peak is 1, as RTMPose has it.

    Returns:
        Vectors ``[J, split_ratio * width]`` and ``[J, split_ratio * height]``, and weights ``[J]``, float32. Where a
        joint is not labelled, or is more than 3 sigma outside, vectors and weight are 0.

    Raises:
        InputError: shapes that do not belong together, or a sigma that is not above 0.
    """
    sigmas = np.broadcast_to(np.asarray(sigma, np.float64), 2)
    points, seen = _checked(joints, visible, float(sigmas.min()))
    sizes = [round(input_size[1] * split_ratio), round(input_size[0] * split_ratio)]
    bins = np.round(points * split_ratio)  # half to even
    inside = (bins - 3 * sigmas < sizes).all(axis=1) & (bins + 3 * sigmas + 1 >= 0).all(axis=1) & (seen > 0)
    vectors = []
    for axis, size in enumerate(sizes):
        offsets = np.arange(size) - bins[:, axis, None]
        values = np.exp(-(offsets**2) / (2 * sigmas[axis] ** 2)) * inside[:, None]
        vectors.append((values / (sigmas[axis] * np.sqrt(2 * np.pi)) if normalised else values).astype(np.float32))
    return vectors[0], vectors[1], inside.astype(np.float32)


def make_coordinate_target(
    joints: npt.ArrayLike, visible: npt.ArrayLike, input_size: tuple[int, int]
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Coordinates ``[J, 2]`` as shares of the crop's width and height, and weights ``[J]``, 0 outside the crop.

    Raises:
        InputError: shapes that do not belong together.
    """
    points, seen = _checked(joints, visible, 1.0)
    shares = points / (input_size[1], input_size[0])
    inside = (seen > 0) & ((shares >= 0) & (shares < 1)).all(axis=1)
    return shares.astype(np.float32), inside.astype(np.float32)


def _checked(
    joints: npt.ArrayLike, visible: npt.ArrayLike, sigma: float
) -> tuple[npt.NDArray[np.float64], npt.NDArray[Any]]:
    """Joints ``[J, 2]`` and visibilities ``[J]`` as arrays; raises ``InputError`` where they cannot be these."""
    points, seen = np.asarray(joints, np.float64), np.asarray(visible)
    if points.ndim != 2 or points.shape[1] != 2 or seen.shape != points.shape[:1] or not sigma > 0:
        raise InputError(
            f"no targets of joints {points.shape}, visible {seen.shape} and sigma {sigma:g}: "
            "give [J, 2], [J] and a number above 0"
        )
    return points, seen
