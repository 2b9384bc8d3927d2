"""A pinhole camera."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from bench.data.synthetic.body import Array

NEAREST = 0.2  # metres before the camera: what is nearer is drawn as if it were there

# Geometry is rounded to 1/16 px before it is drawn: differences in the last bit of a sine stay without effect, but
# for the rare number that lies within such a difference of a tie.
SHIFT = 4
Polygon = npt.NDArray[np.int32]


@dataclass(frozen=True)
class View:
    """From the body frame to the camera frame (x right, y down, z ahead; metres), and from there to pixels."""

    rotation: Array  # [3, 3]
    position: Array  # [3] the body's origin in the camera frame
    focal: float  # pixels
    centre: tuple[float, float]  # pixels

    def see(self, points: Array) -> Array:
        """Points ``[..., 3]`` in the camera frame."""
        seen = points @ self.rotation.T + self.position
        np.maximum(seen[..., 2], NEAREST, out=seen[..., 2])
        return seen

    def project(self, seen: Array) -> Array:
        """Camera frame ``[..., 3]`` to pixels ``[..., 2]``."""
        return seen[..., :2] * (self.focal / seen[..., 2:]) + self.centre


def fixed(points: Array) -> Polygon:
    """Pixels in the units that polygons are drawn in."""
    return np.rint(np.minimum(np.maximum(points, -3e4), 3e4) * 2**SHIFT).astype(np.int32)
