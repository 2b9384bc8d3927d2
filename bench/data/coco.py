"""People of a data set in COCO's format: annotated boxes, or those of a detector."""

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.errors import InputError
from bench.core.skeletons import COCO, Skeleton
from bench.data import pictures
from bench.data.dataset import Float32Array, Person, Picture
from bench.data.json_files import Items, fingerprint, read_json
from bench.data.registry import DatasetEntry, entry_of

# In the description of an annotation file: it is of the project's own drawn people.
SYNTHETIC = "lightpose-bench"
# Detections with a lower score are not looked at: the published threshold, which keeps everything from a detector.
LOWEST_SCORE = 0.0
_FARTHEST, _THINNEST = 1e7, 1e-6  # pixels: beyond these a number is a mistake


@dataclass(frozen=True)
class _People:
    """Who to look at, an array each, in the order of the files."""

    image_ids: npt.NDArray[np.int64]  # [N]
    boxes: npt.NDArray[np.float64]  # [N, 4]
    scores: npt.NDArray[np.float64]  # [N]
    keypoints: Float32Array | None = None  # [N, 17, 3]
    left_out: dict[str, int] = field(default_factory=dict)


class CocoDataset:
    """People in pictures, from an annotation file and a folder of pictures.

    Without detections: everyone annotated who has labelled joints and is no crowd, in a box clipped to the picture.
    With detections: every box of the file, as it stands.

    Attributes:
        pictures: how many the annotation file lists, or the limit leaves of them.
        left_out: how many entries of the files are not among the people, by reason.
    """

    skeleton: Skeleton = COCO

    def __init__(
        self,
        annotation_file: Path,
        image_folder: Path,
        *,
        name: str,
        detections: Path | None = None,
        limit: int | None = None,
    ) -> None:
        """Read and check the files; pictures are opened by :meth:`load`.

        Args:
            annotation_file: COCO's keypoint annotations; with detections also COCO's list of pictures alone.
            image_folder: where the pictures are that it names.
            name: as records name the data set. What ``bench.data synthetic`` wrote is ``synthetic`` in any case.
            detections: COCO's result format: ``image_id``, ``category_id``, ``bbox``, ``score``.
            limit: only the pictures with the lowest ids, this many, as if the files listed no others.

        Raises:
            InputError: a file or the folder is missing, or a file does not hold what it should; or nobody is left.
        """
        self.annotation_file = annotation_file
        self.image_folder = image_folder
        content, sha = read_json(annotation_file)
        hashes = [sha]
        images = _Images(annotation_file.name, content)
        self.name = "synthetic" if images.synthetic else name
        self.entry: DatasetEntry = entry_of("synthetic" if images.synthetic else "coco")
        self.annotated = "annotations" in content
        self.pictures = min(len(images.known), limit or len(images.known))
        people = _annotated_people(annotation_file.name, content, images) if self.annotated else None
        if detections is not None:
            listed, sha = read_json(detections)
            hashes.append(sha)
            people = _detected_people(detections.name, listed, images)
        if people is None:
            raise InputError(f"{annotation_file} has no annotations: give the boxes to look into with --detections")
        if not len(people.image_ids):
            reasons = ", ".join(f"{count} {reason}" for reason, count in people.left_out.items())
            raise InputError(f"{detections or annotation_file} has nobody to look at ({reasons or 'it is empty'})")
        if not image_folder.is_dir():
            raise InputError(f"no folder {image_folder}: put the pictures of {annotation_file.name} there")

        # Of all pictures, also those without anyone to look at: a detector may have missed who is in them.
        limited = limit is not None and limit < len(images.known)
        self._scored = set(sorted(images.known)[:limit]) if limited else None
        order = np.argsort(people.image_ids, kind="stable")
        if self._scored is not None:
            hashes.append(f"limit {limit}")
            order = order[np.isin(people.image_ids[order], list(self._scored))]
            if not len(order):
                raise InputError(f"there is nobody to look at in the first {limit} pictures: give a higher limit")
        self._image_ids, self._boxes, self._scores = (
            people.image_ids[order], people.boxes[order], people.scores[order],
        )  # fmt: skip
        self._keypoints = None if people.keypoints is None else people.keypoints[order]
        self._images = {image: images.known[image] for image in self._image_ids.tolist()}
        self._last: tuple[int, Picture] | None = None
        self.left_out = people.left_out
        self.fingerprint = fingerprint(hashes, image_folder, (file for file, _ in self._images.values()))

    def __len__(self) -> int:
        return len(self._image_ids)

    def person(self, index: int) -> Person:
        """A person, without the picture."""
        x, y, width, height = self._boxes[index].tolist()
        known = None if self._keypoints is None else self._keypoints[index]
        return Person(
            image_id=int(self._image_ids[index]), box=(x, y, width, height), score=float(self._scores[index]),
            joints=None if known is None else known[:, :2], visible=None if known is None else known[:, 2],
        )  # fmt: skip

    def load(self, index: int) -> tuple[Picture, Person]:
        """A person and the picture they are in; the picture is read-only, as its people share it."""
        person = self.person(index)
        last = self._last
        if last is None or last[0] != person.image_id:
            file, size = self._images[person.image_id]
            last = person.image_id, pictures.read(self.image_folder / file, size)
            last[1].flags.writeable = False
            self._last = last
        return last[1], person

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        """COCO's average precision and recall over object keypoint similarity."""
        if not self.annotated:
            raise InputError(
                f"{self.annotation_file.name} has no annotations: only COCO's evaluation server can score "
                "its pictures; write the file that it takes with --test-dev"
            )
        truth = self.annotation_file if self._scored is None else self._part_of_truth(self._scored)
        return self.entry.score(truth, predictions, evaluator)

    def _part_of_truth(self, ids: set[int]) -> dict[str, Any]:
        """The annotation file's content as if it listed only these pictures."""
        content = dict(read_json(self.annotation_file)[0])
        content["images"] = [image for image in content["images"] if image["id"] in ids]
        content["annotations"] = [one for one in content["annotations"] if one["image_id"] in ids]
        return content


class _Images:
    """The pictures and the category of an annotation file."""

    def __init__(self, file: str, content: Any) -> None:
        if not isinstance(content, dict) or "images" not in content:
            raise InputError(f"{file}: must be an object with images, annotations and categories, as COCO's files are")
        info = content.get("info")
        self.synthetic = isinstance(info, dict) and SYNTHETIC in str(info.get("description"))
        self.file = file
        self.person = _person_category(file, content.get("categories"))
        items = Items(content["images"], f"{file}, image", "id")
        ids = items.integers("id")
        items.refuse(_repeated(ids), lambda _: "this id occurs twice")
        sizes = np.stack([items.integers("width"), items.integers("height")], axis=1)
        items.refuse((sizes < 1).any(axis=1), lambda index: f"width x height is {sizes[index, 0]}x{sizes[index, 1]}")
        self.ids = ids
        self.sizes = sizes
        # id to file name, (width, height)
        self.known: dict[int, tuple[str, tuple[int, int]]] = {
            image: (name, (width, height))
            for image, name, (width, height) in zip(
                ids.tolist(), items.texts("file_name"), sizes.tolist(), strict=True
            )
        }  # fmt: skip

    def sizes_of(self, items: Items) -> npt.NDArray[np.float64]:
        """Width and height of the picture that each item is in, ``[N, 2]``."""
        wanted = items.integers("image_id")
        items.refuse(~np.isin(wanted, self.ids), lambda index: f"image_id {wanted[index]} is not in {self.file}")
        order = np.argsort(self.ids)
        rows = order[np.searchsorted(self.ids, wanted, sorter=order)] if len(wanted) else wanted
        return self.sizes[rows].astype(np.float64)


def _person_category(file: str, categories: Any) -> int:
    items = Items(categories if categories is not None else [], f"{file}, category", "id")
    names = items.texts("name")
    if "person" not in names:
        raise InputError(f"{file}: no category 'person' (there is: {', '.join(names) or 'none'})")
    index = names.index("person")
    joints = categories[index].get("keypoints")
    if joints is not None and not isinstance(joints, list):
        items.fail(index, "keypoints is not a list of names")
    if joints is not None and len(joints) != len(COCO.joints):
        items.fail(index, f"person has {len(joints)} joints, and COCO's {len(COCO.joints)} are needed")
    return int(items.integers("id")[index])


def _annotated_people(file: str, content: Any, images: _Images) -> _People:
    """Those to look at, as published: labelled, no crowd, and a box that has a size once clipped to the picture."""
    left_out: dict[str, int] = {}
    items = Items(content["annotations"], f"{file}, annotation", "id")
    items.refuse(_repeated(items.integers("id")), lambda _: "this id occurs twice")
    person = items.integers("category_id") == images.person
    _count(~person, "not a person", left_out)
    items = items.chosen(person)

    # Crowds and people without labelled joints are checked too: they count when predictions are scored.
    sizes = images.sizes_of(items)
    boxes = _boxes(items)
    area = items.numbers("area")
    items.refuse(area < 0, lambda index: f"area is {area[index]:g}")
    keypoints = items.numbers("keypoints", 3 * len(COCO.joints)).reshape(-1, len(COCO.joints), 3)
    far = (np.abs(keypoints) > _FARTHEST).any(axis=(1, 2))
    items.refuse(far, lambda _: f"a joint is farther than {_FARTHEST:g} pixels")
    strange = ~np.isin(keypoints[..., 2], (0, 1, 2))
    items.refuse(strange.any(axis=1), lambda index: _strange_visibility(keypoints[index]))
    crowd = items.integers("iscrowd") != 0
    unlabelled = ~crowd & ((items.integers("num_keypoints") == 0) | (keypoints <= 0).all(axis=(1, 2)))

    clipped = _clip(boxes, sizes)
    flat = ~crowd & ~unlabelled & ~((area > 0) & (clipped[:, 2:] > 0).all(axis=1))
    for mask, reason in ((crowd, "crowd region"), (unlabelled, "no labelled joint"), (flat, "box without size")):
        _count(mask, reason, left_out)
    _warn_of_flat(items, flat, lambda index: f"bbox {boxes[index].tolist()}, area {area[index]:g}")
    kept = ~(crowd | unlabelled | flat)
    return _People(
        image_ids=items.integers("image_id")[kept], boxes=clipped[kept], scores=np.ones(int(kept.sum())),
        keypoints=keypoints[kept].astype(np.float32), left_out=left_out,
    )  # fmt: skip


def _detected_people(file: str, listed: Any, images: _Images) -> _People:
    """Every box of a person, as published: not clipped."""
    left_out: dict[str, int] = {}
    items = Items(listed, f"{file}, detection")
    images.sizes_of(items)
    boxes = _boxes(items)
    scores = items.numbers("score")
    other = items.integers("category_id") != images.person
    low = ~other & (scores < LOWEST_SCORE)
    # A line can be widened to a region to look into; a point cannot.
    flat = ~other & ~low & (boxes[:, 2:] < _THINNEST).all(axis=1)
    for mask, reason in ((other, "not a person"), (low, f"score below {LOWEST_SCORE:g}"), (flat, "box without size")):
        _count(mask, reason, left_out)
    _warn_of_flat(items, flat, lambda index: f"bbox {boxes[index].tolist()}")
    kept = ~(other | low | flat)
    return _People(items.integers("image_id")[kept], boxes[kept], scores[kept], left_out=left_out)


def _boxes(items: Items) -> npt.NDArray[np.float64]:
    boxes = items.numbers("bbox", 4)
    widths, heights = boxes[:, 2], boxes[:, 3]
    far = (np.abs(boxes) > _FARTHEST).any(axis=1)
    items.refuse(far, lambda index: f"bbox {boxes[index].tolist()} is farther than {_FARTHEST:g} pixels")
    items.refuse(widths < 0, lambda index: f"bbox has width {widths[index]:g}")
    items.refuse(heights < 0, lambda index: f"bbox has height {heights[index]:g}")
    return boxes


def _clip(boxes: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As published: to whole pixels' centres, so that a box loses one pixel of width and height."""
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(low + np.maximum(boxes[:, 2:] - 1, 0), sizes - 1)
    return np.concatenate([low, high - low], axis=1)


def _repeated(ids: npt.NDArray[np.int64]) -> npt.NDArray[np.bool_]:
    again = np.ones(len(ids), np.bool_)
    again[np.unique(ids, return_index=True)[1]] = False
    return again


def _count(mask: npt.NDArray[np.bool_], reason: str, left_out: dict[str, int]) -> None:
    if mask.any():
        left_out[reason] = int(mask.sum())


def _warn_of_flat(items: Items, flat: npt.NDArray[np.bool_], shown: Callable[[int], str]) -> None:
    if flat.any():
        first = int(flat.argmax())
        warnings.warn(
            f"{items.name(first)}: {shown(first)} has no size inside its picture; left out, as published, "
            f"{int(flat.sum())} such in all",
            stacklevel=2,
        )  # fmt: skip


def _strange_visibility(keypoints: npt.NDArray[np.float64]) -> str:
    joint = int(np.argmin(np.isin(keypoints[:, 2], (0, 1, 2))))
    return f"visibility of {COCO.joints[joint]} is {keypoints[joint, 2]:g}, and must be 0, 1 or 2"
