"""What a data set of people is to evaluation and training, wherever its pictures come from."""

from dataclasses import dataclass
from typing import Any, Protocol

from bench.core.arrays import Float32Array as Float32Array
from bench.core.arrays import Picture as Picture
from bench.core.errors import InputError
from bench.core.skeletons import Skeleton
from bench.data.registry import DatasetEntry


class ImageError(InputError):
    """One picture is missing or cannot be used; the message names it."""


@dataclass(frozen=True)
class Person:
    """One box to look into; of an annotated person also where the joints are."""

    image_id: int
    box: tuple[float, float, float, float]  # x, y, width, height in image pixels
    score: float = 1.0  # the detector's; 1 for a box of the annotations
    joints: Float32Array | None = None  # [J, 2] x, y in image pixels
    visible: Float32Array | None = None  # [J] 0 not labelled, 1 labelled but hidden, 2 to be seen


class Dataset(Protocol):
    """People in pictures, in a fixed order in which those of one picture are neighbours."""

    name: str  # as records name it: coco_val2017, mpii_val, synthetic ...
    skeleton: Skeleton
    entry: DatasetEntry  # of its kind: which metrics, which weights
    annotated: bool  # whether it can be scored here
    # SHA-256 over what decides a result: annotations, boxes, which pictures.
    fingerprint: str

    def __len__(self) -> int:
        """How many people."""
        ...

    def person(self, index: int) -> Person:
        """A person, without the picture."""
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
