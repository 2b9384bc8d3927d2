"""What a network is trained towards: one Gaussian for each joint."""

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
    points, seen = np.asarray(joints, np.float64), np.asarray(visible)
    if points.ndim != 2 or points.shape[1] != 2 or seen.shape != points.shape[:1] or not sigma > 0:
        raise InputError(
            f"no targets of joints {points.shape}, visible {seen.shape} and sigma {sigma:g}: "
            "give [J, 2], [J] and a number above 0"
        )
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
