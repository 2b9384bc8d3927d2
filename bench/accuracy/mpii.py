"""MPII's metric: the share of joints within half a head's size of where they are (PCKh)."""

from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array
from bench.core.errors import InputError
from bench.data.json_files import read_json
from bench.data.mpii import TRUTHS
from bench.data.mpii_truth import COUNTED, read_truth

# The joints of each row of Table III, in MPII's order.
GROUPS = {
    "Head": (9,),
    "Shoulder": (12, 13),
    "Elbow": (11, 14),
    "Wrist": (10, 15),
    "Hip": (2, 3),
    "Knee": (1, 4),
    "Ankle": (0, 5),
}


def score_mpii(annotation_dir: str | Path, predictions: npt.ArrayLike, limit: int | None = None) -> dict[str, float]:
    """PCKh of predicted poses: the percentage of annotated joints that are found within half a head's size.

    A row of two joints is the mean of their percentages; PCKh counts every annotated joint but pelvis and thorax once.

    Args:
        annotation_dir: folder with ``mpii_val.json`` and ``mpii_gt_val.mat``, or with ``valid.json`` and
            ``gt_valid.mat``; or the first file of either pair.
        predictions: ``[N, 16, 2]`` x, y in image pixels, counted from 0, in the order of ``mpii_val.json``.
        limit: score the first people only, this many.

    Returns:
        Head, Shoulder, Elbow, Wrist, Hip, Knee, Ankle, PCKh, and PCKh@0.1 (within a tenth), in 0 to 100.

    Raises:
        InputError: a file is missing or is something else, files and predictions differ in length, a number is not
            finite, or a joint is annotated of nobody.
    """
    listing = Path(annotation_dir)
    if listing.name not in TRUTHS:
        places = [listing / name for name in TRUTHS]
        listing = next((place for place in places if place.exists()), places[0])
    folder, truth = listing.parent, TRUTHS[listing.name]
    whole = read_truth(folder / truth)
    scored = whole.first(len(whole.joints) if limit is None else limit)
    people = read_json(listing)[0]
    if not isinstance(people, list) or len(people) != len(whole.joints):
        count = f"{len(people)} people" if isinstance(people, list) else "no list of people"
        raise InputError(f"{folder}: {listing.name} holds {count}, {truth} {len(whole.joints)}: they do not match")
    joints, heads, annotated = scored.joints, scored.heads, scored.annotated
    try:
        found = np.asarray(predictions, np.float64)
    except (TypeError, ValueError) as error:
        raise InputError(f"predictions are not {joints.shape} numbers: people, joints, x and y") from error
    if found.shape != joints.shape:
        raise InputError(f"predictions are {found.shape}, and {folder} needs {joints.shape}: people, joints, x and y")
    if not np.isfinite(found).all():
        raise InputError(f"prediction {np.argwhere(~np.isfinite(found))[0, 0]} holds what is not a finite number")

    distance = np.linalg.norm(found + 1.0 - joints, axis=2)  # the annotations count pixels from 1
    relative = distance / heads[:, None]
    count = annotated.sum(0)

    def share(radius: float) -> Float64Array:
        return 100.0 * ((relative <= radius) & annotated).sum(0) / count

    half = share(0.5)
    scores = {name: half[list(group)].mean() for name, group in GROUPS.items()}
    scores["PCKh"] = np.average(half[COUNTED], weights=count[COUNTED])
    # The published evaluation keeps these shares in float32; so do we, to agree with it in the last digits.
    scores["PCKh@0.1"] = np.average(share(0.1).astype(np.float32)[COUNTED], weights=count[COUNTED])
    return {name: float(score) for name, score in scores.items()}
