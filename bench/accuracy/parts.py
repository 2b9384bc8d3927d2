"""COCO's metrics of parts: of bodies, joint by joint, and of pictures, by how crowded they are."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from bench.accuracy.coco import evaluate, poses_of
from bench.data.annotations import Annotations

Predictions = Sequence[Mapping[str, Any]]

OKS_THR = 0.9
CROWDED = "crowdIndex"  # of a picture in CrowdPose: the share of the joints in a box that are somebody else's
# arXiv 1812.00324: from the first to below the second.
CROWDING = {"easy": (-np.inf, 0.2), "medium": (0.2, 0.8), "hard": (0.8, np.inf)}


def score_parts(
    truth: Annotations, predictions: Predictions, parts: Mapping[str, slice], evaluator: str = "faster"
) -> dict[str, dict[str, float]]:
    """COCO's metrics of each part of the body, as if it had no other joints.

    Poses are scored and suppressed by all their joints, and keep that score in every part. Somebody without a labelled
    joint of a part does not count there.

    Args:
        truth: with all joints.
        predictions: as ``bench.accuracy.score_coco`` takes them.
        parts: which joints each part has.
        evaluator: see there.

    Returns:
        By part, metrics by name.

    Raises:
        InputError: a prediction cannot be used; the message names it.
    """
    poses = poses_of(truth, predictions).suppressed(OKS_THR)
    return {name: evaluate(truth.part(joints), poses.part(joints), evaluator) for name, joints in parts.items()}


def score_crowding(truth: Annotations, predictions: Predictions, evaluator: str = "faster") -> dict[str, float]:
    """COCO's metrics of all pictures, and ``AP_easy``, ``AP_medium``, ``AP_hard`` by their crowd index.

    Raises:
        InputError: a prediction cannot be used, or a picture has no crowd index.
    """
    poses = poses_of(truth, predictions).suppressed(OKS_THR)
    found = evaluate(truth, poses, evaluator)
    crowding = truth.images.numbers(CROWDED)
    for name, (low, high) in CROWDING.items():
        some = set(truth.image_ids[(low <= crowding) & (crowding < high)].tolist())
        among = evaluate(truth.only(some), poses.of_images(some), evaluator) if some else {"AP": -1.0}
        found[f"AP_{name}"] = among["AP"]
    return found
