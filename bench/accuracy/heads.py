"""PCKh of people whose head's size is the distance of two of their joints."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.core.arrays import Float64Array
from bench.core.skeletons import Skeleton

RADII = {"pckh": 0.5, "pckh@0.1": 0.1}  # of the head's size


def score_heads(skeleton: Skeleton, people: Float64Array, predictions: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """The percentage of labelled joints that are found within half, and within a tenth, of the head's size.

    People whose head has no size count for nothing: one of its two joints is not labelled, or both are in one place.

    Args:
        skeleton: with ``head``.
        people: ``[N, J, 3]`` x, y in image pixels and visibility.
        predictions: as ``Dataset.score`` takes them; who is missing was not found.

    Returns:
        ``pckh`` and ``pckh@0.1`` in 0 to 100; -1 where no head has a size.
    """
    assert skeleton.head is not None
    top, bottom = skeleton.head
    size = np.linalg.norm(people[:, top, :2] - people[:, bottom, :2], axis=1)
    size[(people[:, [top, bottom], 2] <= 0).any(axis=1)] = 0
    found = np.full((len(people), people.shape[1], 2), np.inf)
    for prediction in predictions:
        found[prediction["index"]] = np.asarray(prediction["keypoints"], np.float64)[:, :2]
    counted = (people[..., 2] > 0) & (size > 0)[:, None]
    if not counted.any():
        return dict.fromkeys(RADII, -1.0)
    distance = np.linalg.norm(found - people[..., :2], axis=2)
    return {name: 100.0 * float((distance <= radius * size[:, None])[counted].mean()) for name, radius in RADII.items()}
