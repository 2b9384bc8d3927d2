"""What a data set of people is to evaluation and training, wherever its pictures come from."""

from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from bench.core.errors import InputError

Picture = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]


class ImageError(InputError):
    """One picture is missing or cannot be used; the message names it."""


@dataclass(frozen=True)
class Skeleton:
    """The joints of a data set, in the order of a network's heatmaps."""

    joints: tuple[str, ...]
    flip_pairs: tuple[tuple[int, int], ...]  # joints that change places in a mirrored picture
    limbs: tuple[tuple[int, int], ...]  # joints to connect when drawing
    upper_body: tuple[int, ...]  # the other joints are the lower body


COCO = Skeleton(
    joints=(
        "nose", "left_eye", "right_eye", "left_ear", "right_ear", "left_shoulder", "right_shoulder", "left_elbow",
        "right_elbow", "left_wrist", "right_wrist", "left_hip", "right_hip", "left_knee", "right_knee", "left_ankle",
        "right_ankle",
    ),
    flip_pairs=((1, 2), (3, 4), (5, 6), (7, 8), (9, 10), (11, 12), (13, 14), (15, 16)),
    limbs=(
        (0, 1), (0, 2), (1, 3), (2, 4), (3, 5), (4, 6), (5, 6), (5, 7), (7, 9), (6, 8), (8, 10), (5, 11), (6, 12),
        (11, 12), (11, 13), (13, 15), (12, 14), (14, 16),
    ),
    upper_body=tuple(range(11)),
)  # fmt: skip

MPII = Skeleton(
    joints=(
        "right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle", "pelvis", "thorax",
        "upper_neck", "head_top", "right_wrist", "right_elbow", "right_shoulder", "left_shoulder", "left_elbow",
        "left_wrist",
    ),
    flip_pairs=((0, 5), (1, 4), (2, 3), (10, 15), (11, 14), (12, 13)),
    limbs=(
        (0, 1), (1, 2), (2, 6), (6, 3), (3, 4), (4, 5), (6, 7), (7, 8), (8, 9), (10, 11), (11, 12), (12, 7), (7, 13),
        (13, 14), (14, 15),
    ),
    upper_body=(7, 8, 9, 10, 11, 12, 13, 14, 15),
)  # fmt: skip


@dataclass(frozen=True)
class Person:
    """One box to look into; of an annotated person also where the joints are."""

    image_id: int
    box: tuple[float, float, float, float]  # x, y, width, height in image pixels
    score: float = 1.0  # the detector's; 1 for a box of the annotations
    joints: Floats | None = None  # [J, 2] x, y in image pixels
    visible: Floats | None = None  # [J] 0 not labelled, 1 labelled but hidden, 2 to be seen


class Dataset(Protocol):
    """People in pictures, in a fixed order in which those of one picture are neighbours."""

    name: str  # as records name it: coco_val2017, mpii_val, synthetic ...
    skeleton: Skeleton
    # SHA-256 over what decides a result: annotations, boxes, which pictures.
    fingerprint: str

    def __len__(self) -> int:
        """How many people."""
        ...

    def load(self, index: int) -> tuple[Picture, Person]:
        """A person and the picture they are in, RGB uint8 ``[H, W, 3]``.

        Raises:
            ImageError: the picture is missing or cannot be used.
        """
        ...

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        """The data set's own metrics, named as records name them (``ap``, ``ap50`` … or ``head`` … ``pckh``).

        Args:
            predictions: in order, ``index`` of the person (those that are left out were not found),
                ``image_id``, ``bbox`` (x, y, width, height), ``bbox_score``, ``keypoints`` (J lists of x, y, score
                in image pixels), ``center`` (x, y) and ``size_px`` (width, height) of the crop.
        """
        ...
