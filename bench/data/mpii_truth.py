"""MPII's true joints and sizes of heads: the MATLAB file that lies beside the annotations."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array
from bench.core.errors import InputError, first_line
from bench.data.json_files import read_bytes

JOINTS = 16
# Pelvis (6) and thorax (7) are left out of PCKh, as published.
COUNTED = [joint for joint in range(JOINTS) if joint not in (6, 7)]

# The head's size is this share of the diagonal of its box.
HEAD_SIZE = 0.6


@dataclass(frozen=True)
class Truth:
    """What PCKh compares with, an array each, in the order of the annotations."""

    path: Path
    sha256: str
    joints: Float64Array  # [N, 16, 2] x, y in pixels, counted from 1
    heads: Float64Array  # [N] sizes in pixels
    annotated: npt.NDArray[np.bool_]  # [N, 16]

    def first(self, people: int) -> "Truth":
        """The first people alone.

        Raises:
            InputError: a joint that counts is annotated of none of them.
        """
        never = [joint for joint in COUNTED if not self.annotated[:people, joint].any()]
        if never:
            among = f" among the first {people} people: give a higher limit" if people < len(self.joints) else ""
            raise InputError(
                f"{self.path}: joint {never[0]} is annotated of nobody{among}; PCKh is not defined without"
            )
        return Truth(self.path, self.sha256, self.joints[:people], self.heads[:people], self.annotated[:people])


def read_truth(path: Path) -> Truth:
    """The file, checked in whole, so that no work is done that could not be scored.

    Raises:
        InputError: it is missing, cannot be read, or an array is missing, misshapen, of another number of people, or
            holds what cannot be.
    """
    import scipy.io  # here, as it takes long and every command imports this module

    content = read_bytes(path)
    try:
        arrays = scipy.io.loadmat(str(path))
    except Exception as error:  # scipy lets through whatever its reader stumbles over
        raise InputError(
            f"{path} is no MATLAB file that can be read ({first_line(error)}): get it again, as version 7 or older"
        ) from error
    joints = _array(path, arrays, "pos_gt_src", "iuf", (JOINTS, 2))
    heads = _array(path, arrays, "headboxes_src", "iuf", (2, 2))
    missing = _array(path, arrays, "jnt_missing", "biuf", (JOINTS,))
    if not len(joints) == len(heads) == len(missing):
        raise InputError(f"{path}: its arrays are of {len(joints)}, {len(heads)} and {len(missing)} people")
    if not np.isin(missing, (0, 1)).all():
        person = np.argwhere(~np.isin(missing, (0, 1)))[0, 0]
        raise InputError(f"{path}: person {person} has jnt_missing other than 0 and 1")
    annotated = missing == 0
    with np.errstate(all="ignore"):  # what comes out infinite is refused
        sides = heads[:, 1] - heads[:, 0]
        size = np.linalg.norm(sides, axis=1)
    bad = ~(np.isfinite(joints).all(2) | ~annotated).all(1) | ~np.isfinite(size) | (size <= 0)
    if bad.any():
        raise InputError(f"{path}: person {np.flatnonzero(bad)[0]} has a joint that is not finite or a head of no size")
    turned = int((sides <= 0).any(axis=1).sum())
    if 4 * turned > len(sides):
        raise InputError(
            f"{path}: the head boxes of {turned} of {len(sides)} people do not go from top left to bottom right: "
            "headboxes_src is needed as corners x (x, y) x people"
        )
    return Truth(path, hashlib.sha256(content).hexdigest(), joints, size * HEAD_SIZE, annotated)


def _array(path: Path, arrays: dict[str, object], name: str, kinds: str, shape: tuple[int, ...]) -> Float64Array:
    """``[N, *shape]``; MATLAB has the people last."""
    found = arrays.get(name)
    if not isinstance(found, np.ndarray) or found.dtype.kind not in kinds:
        raise InputError(f"{path} has no array {name} of numbers: give the file that belongs to the annotations")
    if found.shape[:-1] != shape:
        raise InputError(f"{path}: {name} is {found.shape}, and {' x '.join(map(str, shape))} x people is needed")
    return np.moveaxis(found.astype(np.float64), -1, 0)
