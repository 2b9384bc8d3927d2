"""The head, in its own frame: the middle of the skull at the origin, x to the person's left, z forward; metres."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from bench.data.synthetic.body import Array

# Forehead, back of the head, chin.
SKULL = np.array([(0, 0.006, 0.012), (0, 0.01, -0.026), (0, -0.08, 0.043)])
SKULL_RADII = np.array((0.08, 0.083, 0.042))

# COCO's first five joints: where they are, which way they look, and the least cosine with the line of sight to be seen.
JOINTS = {
    "nose": ((0, -0.048, 0.114), (0, 0, 1), -0.1),
    "left_eye": ((0.033, -0.018, 0.087), (0.30, 0, 0.954), 0.12),
    "right_eye": ((-0.033, -0.018, 0.087), (-0.30, 0, 0.954), 0.12),
    "left_ear": ((0.086, -0.012, -0.005), (1, 0, -0.05), -0.2),
    "right_ear": ((-0.086, -0.012, -0.005), (-1, 0, -0.05), -0.2),
}
JOINT_POINTS = np.array([row[0] for row in JOINTS.values()], float)
JOINT_NORMALS = np.array([row[1] for row in JOINTS.values()], float)
JOINT_LEAST = np.array([row[2] for row in JOINTS.values()])


@dataclass(frozen=True)
class Features:
    """What is painted on a head, in the order of painting; feature n has the points of slice n."""

    names: list[str]
    slices: list[slice]
    points: Array  # [points, 3]
    normals: Array  # [features, 3]
    least: list[float]  # the least cosine of normal and line of sight to be seen


@lru_cache(maxsize=1)
def features() -> Features:
    ahead = (0.0, 0.0, 1.0)
    rows: list[tuple[str, Array, tuple[float, float, float], float]] = []
    for sign in (1.0, -1.0):
        out = (0.30 * sign, 0.0, 0.954)
        rows += [
            ("white", _ellipse(0.033 * sign, -0.018, 0.086, 0.0155, 0.0085), out, 0.12),
            ("iris", _ellipse(0.033 * sign, -0.018, 0.0875, 0.0078, 0.0082), out, 0.12),
            ("brow", _ellipse(0.034 * sign, 0.006, 0.087, 0.02, 0.0046, 6), out, 0.08),
            ("glasses", _ellipse(0.034 * sign, -0.018, 0.091, 0.026, 0.02), out, 0.08),
        ]
    nose = np.array([(0.006, -0.008, 0.092), (0.017, -0.052, 0.088), (0, -0.06, 0.094), (-0.017, -0.052, 0.088),
                     (-0.006, -0.008, 0.092), (0, -0.05, 0.117)])  # fmt: skip
    tip = np.array([(0.012, -0.052, 0.096), (0, -0.059, 0.1), (-0.012, -0.052, 0.096), (0, -0.046, 0.116)])
    rows += [
        ("mouth", _ellipse(0, -0.086, 0.085, 0.024, 0.0065), ahead, 0.12),
        ("nose", nose, ahead, -0.3),
        ("tip", tip, ahead, -0.1),
    ]
    ear = np.array([(0.082, 0.012, 0), (0.093, 0.016, -0.012), (0.095, -0.006, -0.018), (0.088, -0.032, -0.008),
                    (0.081, -0.042, 0.004), (0.079, -0.015, 0.006)])  # fmt: skip
    rows += [("ear", ear * (sign, 1, 1), (sign, 0.0, -0.05), -0.3) for sign in (1.0, -1.0)]
    ends = np.cumsum([len(row[1]) for row in rows]).tolist()
    return Features(
        names=[row[0] for row in rows],
        slices=[slice(start, end) for start, end in zip([0, *ends], ends, strict=False)],
        points=np.concatenate([row[1] for row in rows]),
        normals=np.array([row[2] for row in rows]),
        least=[row[3] for row in rows],
    )


def _ellipse(x: float, y: float, z: float, wide: float, high: float, count: int = 8) -> Array:
    """Around a point of the face, in the plane that touches a ball there."""
    angle = np.linspace(0, 2 * np.pi, count, endpoint=False)
    normal = np.array((x, 0.6 * y, z)) / np.sqrt(x * x + 0.36 * y * y + z * z)
    across = np.array((normal[2], 0.0, -normal[0])) / np.sqrt(normal[0] ** 2 + normal[2] ** 2)
    up = np.cross(normal, across)
    return np.array((x, y, z)) + np.outer(wide * np.cos(angle), across) + np.outer(high * np.sin(angle), up)


@dataclass(frozen=True)
class Cap:
    """Part of the surface of an ellipsoid round the head: hair, a beard, a hat."""

    points: Array  # [N, 3]
    normals: Array  # [N, 3]


@lru_cache(maxsize=8)
def cap(kind: str) -> Cap:
    """``hair``, ``beard`` or ``hat``."""
    count = 130
    index = np.arange(count) + 0.5
    y, turn = 1 - 2 * index / count, index * (np.pi * (3 - np.sqrt(5)))
    level = np.sqrt(1 - y**2)
    x, z = level * np.cos(turn), level * np.sin(turn)
    if kind == "hat":
        kept, centre, size = y > 0.3 - 0.14 * z, (0.0, 0.01, -0.008), (0.094, 0.1, 0.106)
    elif kind == "beard":
        kept, centre, size = (y < -0.25) & (z > -0.15), (0.0, -0.05, 0.017), (0.066, 0.083, 0.076)
    else:
        lowest = np.where(z > 0.15, 0.42 + 0.1 * z, -0.9 + np.clip(z + 0.5, 0, 1) * 1.7)
        kept, centre, size = y > lowest, (0.0, 0.01, -0.01), (0.088, 0.091, 0.102)
    normals = np.column_stack((x, y, z))[kept]
    return Cap(normals * size + centre, normals)


# The peak of a hat, from temple to temple.
PEAK = np.array([(0.078, 0.042, 0.05), (0.062, 0.03, 0.125), (0.0, 0.026, 0.165), (-0.062, 0.03, 0.125),
                 (-0.078, 0.042, 0.05), (0, 0.055, 0.09)])  # fmt: skip
