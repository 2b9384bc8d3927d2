"""From heatmaps to joint coordinates in the picture."""

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from bench.accuracy.settings import METHODS, Method
from bench.core.arrays import Float32Array
from bench.core.errors import InputError

# Of the smoothing that "dark" does before its Taylor step: pixels, as published for 256x192.
KERNEL = 11

_Indices = npt.NDArray[np.intp]


def decode(
    heatmaps: npt.ArrayLike | Tensor, centers: npt.ArrayLike, sizes: npt.ArrayLike, method: Method = "quarter_offset"
) -> tuple[npt.NDArray[np.float64], Float32Array]:
    """Where each joint is, in pixels of the picture, and how sure the network is of it.

    A map's highest pixel is the joint and its value the score; of a map without a positive value the pixel is -1, -1.
    ``quarter_offset`` moves a quarter of a heatmap pixel towards the higher neighbour on each axis (the paper's
    evaluation). ``dark`` (Zhang et al., CVPR 2020) smooths the map, takes its logarithm for a parabola, and goes to
    the parabola's peak. A maximum too near the border for the neighbours that it needs is left where it is.

    Args:
        heatmaps: ``[N, J, H, W]``, array or tensor.
        centers: ``[N, 2]`` x, y of the crops' centres in image pixels.
        sizes: ``[N, 2]`` width, height of the crops in image pixels.
        method: how to place a joint between pixels.

    Returns:
        Coordinates ``[N, J, 2]``, x and y in image pixels, float64; scores ``[N, J]``, float32.

    Raises:
        InputError: shapes that do not belong together, an unknown method, or a heatmap whose maximum is not finite.
    """
    maps = heatmaps.detach().float().cpu().numpy() if isinstance(heatmaps, Tensor) else np.asarray(heatmaps, np.float32)
    centers, sizes = np.asarray(centers, np.float64), np.asarray(sizes, np.float64)
    if method not in METHODS:
        raise InputError(f"decoding method {method!r} is unknown: give one of {', '.join(METHODS)}")
    if maps.ndim != 4 or 0 in maps.shape[2:] or not centers.shape == sizes.shape == (len(maps), 2):
        raise InputError(
            f"cannot decode heatmaps {maps.shape} with centres {centers.shape} and sizes {sizes.shape}: "
            "give [N, J, H, W], [N, 2] and [N, 2]"
        )
    people, joints, height, width = maps.shape
    flat = np.ascontiguousarray(maps).reshape(people * joints, height * width)
    peak = flat.argmax(1)
    scores = flat[np.arange(len(flat)), peak]  # argmax takes NaN for the highest
    if not np.isfinite(scores).all():
        person, joint = divmod(int(np.flatnonzero(~np.isfinite(scores))[0]), joints)
        raise InputError(f"the heatmap of joint {joint} of person {person} in the batch holds NaN or infinity")

    y, x = np.divmod(peak, width)
    coordinates = np.stack((x, y), 1).astype(np.float64)
    if method == "quarter_offset":
        _add_quarter_offset(coordinates, flat.reshape(-1, height, width), x, y)
    elif method == "dark":
        _add_taylor_step(coordinates, flat.reshape(-1, height, width), x, y, scores)
    coordinates[scores <= 0] = -1
    scale = sizes / (width, height)
    located = coordinates.reshape(people, joints, 2) * scale[:, None] + (centers - sizes / 2)[:, None]
    return located, scores.reshape(people, joints)


def _add_quarter_offset(coordinates: npt.NDArray[np.float64], maps: Float32Array, x: _Indices, y: _Indices) -> None:
    height, width = maps.shape[1:]
    k = np.flatnonzero((x > 1) & (x < width - 1) & (y > 1) & (y < height - 1))
    x, y = x[k], y[k]
    coordinates[k, 0] += 0.25 * np.sign(maps[k, y, x + 1] - maps[k, y, x - 1])
    coordinates[k, 1] += 0.25 * np.sign(maps[k, y + 1, x] - maps[k, y - 1, x])


@np.errstate(divide="ignore", invalid="ignore")  # flat maps have no peak to go to, and stay where they are
def _add_taylor_step(
    coordinates: npt.NDArray[np.float64], maps: Float32Array, x: _Indices, y: _Indices, scores: Float32Array
) -> None:
    height, width = maps.shape[1:]
    k = np.flatnonzero((x > 1) & (x < width - 2) & (y > 1) & (y < height - 2) & (scores > 0))
    x, y = x[k], y[k]
    if not len(k):
        return
    smooth, each = _smooth(maps[k]), np.arange(len(k))
    restore = scores[k] / smooth.reshape(len(k), height * width).max(1)  # the maximum that the map had

    # The derivatives need the logarithm of 13 pixels around each maximum; the others are never taken.
    def log_at(dx: int, dy: int) -> npt.NDArray[np.float64]:
        return np.log(np.maximum(smooth[each, y + dy, x + dx] * restore, 1e-10, dtype=np.float64))

    centre = log_at(0, 0)
    gradient_x, gradient_y = (log_at(1, 0) - log_at(-1, 0)) / 2, (log_at(0, 1) - log_at(0, -1)) / 2
    xx = (log_at(2, 0) - 2 * centre + log_at(-2, 0)) / 4
    yy = (log_at(0, 2) - 2 * centre + log_at(0, -2)) / 4
    xy = (log_at(1, 1) - log_at(1, -1) - log_at(-1, 1) + log_at(-1, -1)) / 4
    determinant = xx * yy - xy * xy
    step = np.stack((xy * gradient_y - yy * gradient_x, xy * gradient_x - xx * gradient_y), 1) / determinant[:, None]
    coordinates[k] += np.where(np.isfinite(step), step, 0)


def _smooth(maps: Float32Array) -> Float32Array:
    """Gaussian blur of every map, zero outside it: one call for all, with zero rows between them."""
    count, height, width = maps.shape
    margin = KERNEL // 2
    column = np.zeros((count, height + margin, width), np.float32)
    column[:, :height] = maps
    blurred = cv2.GaussianBlur(
        column.reshape(-1, width), (KERNEL, KERNEL), 0, borderType=cv2.BORDER_CONSTANT | cv2.BORDER_ISOLATED
    )
    return np.asarray(blurred, np.float32).reshape(column.shape)[:, :height]
