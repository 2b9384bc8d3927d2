"""From what a network gives, heatmaps or vectors along x and y, to joint coordinates in the picture."""

import cv2
import numpy as np
import numpy.typing as npt
from torch import Tensor

from bench.accuracy.settings import METHODS
from bench.core.arrays import Float32Array
from bench.core.errors import InputError

# Of the smoothing that "dark" and "dark_udp" do before their Taylor step: pixels, as published for 256x192.
KERNEL = 11
LOWEST, HIGHEST = 0.001, 50.0  # between which "dark_udp" keeps a smoothed map
EPSILON = float(np.finfo(np.float32).eps)  # that it adds to the curvature's diagonal

_Indices = npt.NDArray[np.intp]


def decode(
    heatmaps: npt.ArrayLike | Tensor, centers: npt.ArrayLike, sizes: npt.ArrayLike, method: str = "quarter_offset"
) -> tuple[npt.NDArray[np.float64], Float32Array]:
    """Where each joint is, in pixels of the picture, and how sure the network is of it.

    A map's highest pixel is the joint and its value the score; of a map without a positive value the pixel is -1, -1.
    ``quarter_offset`` moves a quarter of a heatmap pixel towards the higher neighbour on each axis (the paper's
    evaluation). ``dark`` (Zhang et al., CVPR 2020) smooths the map, takes its logarithm for a parabola, and goes to
    the parabola's peak. A maximum too near the border for the neighbours that it needs is left where it is.
    ``dark_udp`` is for networks that see UDP crops (Huang et al., CVPR 2020): a Taylor step of finer differences, done
    everywhere and of any length, and sizes measured between the centres of the outermost pixels.

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
    maps = _array(heatmaps)
    centers, sizes = np.asarray(centers, np.float64), np.asarray(sizes, np.float64)
    if method not in (*METHODS, "dark_udp"):
        raise InputError(f"decoding method {method!r} is unknown: give one of {', '.join(METHODS)}, dark_udp")
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
    elif method == "dark_udp":
        _add_udp_step(coordinates, flat.reshape(-1, height, width), x, y, scores)
    coordinates[scores <= 0] = -1
    span = (max(width - 1, 1), max(height - 1, 1)) if method == "dark_udp" else (width, height)
    return _in_picture(coordinates.reshape(people, joints, 2) / span, centers, sizes), scores.reshape(people, joints)


def decode_simcc(
    x: npt.ArrayLike | Tensor,
    y: npt.ArrayLike | Tensor,
    centers: npt.ArrayLike,
    sizes: npt.ArrayLike,
) -> tuple[npt.NDArray[np.float64], Float32Array]:
    """Where each joint is by its scores along x and y (SimCC, arXiv 2107.03332), as RTMPose is published.

    The largest entry of each vector is the joint; there is no step between entries. The smaller of the two maxima is
    its score, a raw number that may exceed 1; where that is not positive, both entries are -1.

    Args:
        x: ``[N, J, bins]`` along the crop's width, array or tensor.
        y: ``[N, J, bins]`` along its height; there may be another number of them.
        centers: ``[N, 2]`` x, y of the crops' centres in image pixels.
        sizes: ``[N, 2]`` width, height of the crops in image pixels.

    Returns:
        Coordinates ``[N, J, 2]``, x and y in image pixels, float64; scores ``[N, J]``, float32.

    Raises:
        InputError: shapes that do not belong together, or a vector whose maximum is not finite.
    """
    along_x, along_y = _array(x), _array(y)
    centers, sizes = np.asarray(centers, np.float64), np.asarray(sizes, np.float64)
    fits = along_x.ndim == along_y.ndim == 3 and along_x.shape[:2] == along_y.shape[:2]
    fits = fits and 0 not in (along_x.shape[2], along_y.shape[2])
    if not fits or not centers.shape == sizes.shape == (len(along_x), 2):
        raise InputError(
            f"cannot decode vectors {along_x.shape} and {along_y.shape} with centres {centers.shape} and sizes "
            f"{sizes.shape}: give [N, J, bins] twice, [N, 2] and [N, 2]"
        )
    scores = np.minimum(along_x.max(2), along_y.max(2))
    if not np.isfinite(scores).all():
        person, joint = np.argwhere(~np.isfinite(scores))[0]
        raise InputError(f"the vectors of joint {joint} of person {person} in the batch hold NaN or infinity")
    coordinates = np.stack((along_x.argmax(2), along_y.argmax(2)), 2).astype(np.float64)
    coordinates[scores <= 0] = -1
    return _in_picture(coordinates / (along_x.shape[2], along_y.shape[2]), centers, sizes), scores


def decode_coordinates(
    output: npt.ArrayLike | Tensor, centers: npt.ArrayLike, sizes: npt.ArrayLike
) -> tuple[npt.NDArray[np.float64], Float32Array]:
    """Where each joint is by coordinates in the crop.

    Args:
        output: ``[N, J, 2]`` x, y as shares of the crop's width and height, or ``[N, J, 3]`` with a score.
        centers: ``[N, 2]`` x, y of the crops' centres in image pixels.
        sizes: ``[N, 2]`` width, height of the crops in image pixels.

    Returns:
        Coordinates ``[N, J, 2]``, x and y in image pixels, float64; scores ``[N, J]``, float32, 1 where there are none.

    Raises:
        InputError: shapes that do not belong together.
    """
    given = _array(output)
    centers, sizes = np.asarray(centers, np.float64), np.asarray(sizes, np.float64)
    if given.ndim != 3 or given.shape[2] not in (2, 3) or not centers.shape == sizes.shape == (len(given), 2):
        raise InputError(
            f"cannot decode coordinates {given.shape} with centres {centers.shape} and sizes {sizes.shape}: "
            "give [N, J, 2 or 3], [N, 2] and [N, 2]"
        )
    scores = given[..., 2] if given.shape[2] == 3 else np.ones(given.shape[:2], np.float32)
    return _in_picture(given[..., :2].astype(np.float64), centers, sizes), scores


def _array(values: npt.ArrayLike | Tensor) -> Float32Array:
    return values.detach().float().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values, np.float32)


def _in_picture(
    shares: npt.NDArray[np.float64], centers: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]
) -> npt.NDArray[np.float64]:
    """Shares of a crop's width and height, ``[N, J, 2]``, as image pixels."""
    return shares * sizes[:, None] + (centers - sizes / 2)[:, None]


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


@np.errstate(divide="ignore", invalid="ignore", over="ignore")  # flat maps again
def _add_udp_step(
    coordinates: npt.NDArray[np.float64], maps: Float32Array, x: _Indices, y: _Indices, scores: Float32Array
) -> None:
    height, width = maps.shape[1:]
    k = np.flatnonzero(scores > 0)
    if not len(k):
        return
    x, y = x[k], y[k]
    smooth, each = _smooth(maps[k]), np.arange(len(k))
    restore = scores[k] / smooth.reshape(len(k), height * width).max(1)

    def log_at(dx: int, dy: int) -> npt.NDArray[np.float64]:
        """Beyond the border the map goes on as at the border."""
        value = smooth[each, np.clip(y + dy, 0, height - 1), np.clip(x + dx, 0, width - 1)] * restore
        return np.log(np.clip(value, LOWEST, HIGHEST), dtype=np.float64)

    centre = log_at(0, 0)
    right, left, below, above = log_at(1, 0), log_at(-1, 0), log_at(0, 1), log_at(0, -1)
    gradient_x, gradient_y = (right - left) / 2, (below - above) / 2
    xx = right - 2 * centre + left + EPSILON
    yy = below - 2 * centre + above + EPSILON
    xy = (log_at(1, 1) - right - below + 2 * centre - left - above + log_at(-1, -1)) / 2
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
