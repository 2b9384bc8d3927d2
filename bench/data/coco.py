"""People of a data set in COCO's format: annotated boxes, or those of a detector."""

import os
import warnings
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array
from bench.core.errors import InputError
from bench.core.skeletons import COCO, Skeleton
from bench.data import pictures
from bench.data.annotations import (
    COCO_LAYOUT,
    FARTHEST,
    UNKNOWN,
    Annotations,
    Layout,
    read_annotations,
    read_boxes,
    repeated,
    warn_of_areas,
    warn_of_places,
)
from bench.data.dataset import Float32Array, ImageError, Person, Picture
from bench.data.detections import image_ids, warn_of_detections
from bench.data.json_files import Items, fingerprints, read_json, shown
from bench.data.picture_names import find_moved, is_there
from bench.data.registry import DatasetEntry, entries, entry_of
from bench.data.skeleton_files import SkeletonFile

# Detections with a lower score are not looked at: the published threshold, which keeps everything from a detector.
LOWEST_SCORE = 0.0
_THINNEST = 1e-6  # pixels
HEAD_METRICS = {"pckh": "PCKh", "pckh@0.1": "PCKh@0.1"}  # where a skeleton says how large a head is


@dataclass(frozen=True)
class _People:
    """Who to look at, an array each, in the order of the files."""

    image_ids: npt.NDArray[np.int64]  # [N]
    boxes: Float64Array  # [N, 4]
    scores: Float64Array  # [N]
    keypoints: Float32Array | None = None  # [N, J, 3]
    left_out: dict[str, int] = field(default_factory=dict)
    hint: str = ""  # what would be right, where nobody is left


class CocoDataset:
    """People in pictures, from an annotation file and a folder of pictures.

    Without detections: everyone annotated who has labelled joints and is no crowd, in a box clipped to the picture.
    With detections: every box of the file, as it stands.

    Attributes:
        skeleton: whose joints people have.
        truth: what the annotation file holds of the pictures.
        category: the id of the people's category in the file.
        texts: by the number that stands for it here, the id of a picture where the file has texts.
        pictures: how many the annotation file lists, or the limit leaves of them.
        left_out: how many entries of the files are not among the people, by reason.
    """

    skeleton: Skeleton

    def __init__(
        self,
        annotation_file: Path,
        image_folder: Path,
        *,
        name: str,
        detections: Path | None = None,
        limit: int | None = None,
        category: str | None = None,
        subset: bool = False,
        layout: Layout = COCO_LAYOUT,
        skeleton_file: SkeletonFile | None = None,
        entry: str = "coco",
    ) -> None:
        """Read and check the files; pictures are opened by :meth:`load`.

        Args:
            annotation_file: COCO's keypoint annotations; with detections also COCO's list of pictures alone.
            image_folder: where the pictures are that it names.
            name: as records name the data set. What ``bench.data synthetic`` wrote has its own in any case.
            detections: COCO's result format: ``image_id``, ``category_id``, ``bbox``, ``score``.
            limit: only the pictures with the lowest ids, this many, as if the files listed no others.
            category: whom to look at; by default ``person``.
            subset: leave out, and count, detections in pictures that the annotation file does not list.
            layout: where the file keeps what of a person.
            skeleton_file: what is known of joints that the file itself names.
            entry: of the data set, by which it is scored.

        Raises:
            InputError: a file or the folder is missing, or a file does not hold what it should; or nobody is left.
        """
        self.annotation_file = annotation_file
        self.image_folder = image_folder
        found = read_annotations(annotation_file, category, layout=layout, skeleton_file=skeleton_file)
        assert found.skeleton is not None
        self.skeleton, self.category = found.skeleton, found.category
        hashes = [found.sha256]
        drawn = _drawn_by_this_project(found)
        self.name = drawn.name if drawn else name
        self.entry: DatasetEntry = drawn or _with_skeleton(entry_of(entry), found.skeleton)
        self.annotated = found.people is not None
        files = pictures.relative_names(found.images, "file_name")
        all_ids, all_sizes = found.image_ids.tolist(), found.sizes.tolist()
        if detections is None and not self.annotated:
            raise InputError(f"{annotation_file} has no annotations: give the boxes to look into with --detections")
        if not image_folder.is_dir():
            raise InputError(f"no folder {image_folder}: put the pictures of {annotation_file.name} there")
        called = _names_in_folder(annotation_file, image_folder, files, needed=layout.skeleton is None)
        _warn_of_shared_pictures(found, files)
        sizes = _with_sizes_of_pictures(found, [called[file] for file in files], image_folder)
        people = _annotated_people(found, sizes) if self.annotated else None
        if detections is not None:
            listed, sha = read_json(detections)
            hashes.append(sha)
            people = _detected_people(detections.name, listed, found, files, subset=subset)
        assert people is not None
        if category is not None:
            hashes.append(f"category {category}")
        if layout.skeleton is None and found.skeleton != COCO:
            hashes.append(f"skeleton {found.skeleton}")
        if not len(people.image_ids):
            reasons = ", ".join(f"{count} {reason}" for reason, count in people.left_out.items())
            raise InputError(
                f"{detections or annotation_file} has nobody to look at ({reasons or 'it is empty'}){people.hint}"
            )

        # Of all pictures, also those without anyone to look at: a detector may have missed who is in them.
        self.pictures = len(files)
        order = np.argsort(people.image_ids, kind="stable")
        if limit is not None and limit < len(files):
            self.pictures = limit
            hashes.append(f"limit {limit}")
            found = found.only(set(sorted(found.image_ids.tolist())[:limit]))
            order = order[np.isin(people.image_ids[order], found.image_ids)]
            if not len(order):
                raise InputError(f"there is nobody to look at in the first {limit} pictures: give a higher limit")
        self._image_ids, self._boxes, self._scores = (
            people.image_ids[order], people.boxes[order], people.scores[order],
        )  # fmt: skip
        self._keypoints = None if people.keypoints is None else people.keypoints[order]
        self.truth = found
        self.texts = {number: text for text, number in found.texts.items()}
        # id to file name, and (width, height) if the file gives it
        listing = {
            image: (file, None if size[0] == UNKNOWN else (size[0], size[1]))
            for image, file, size in zip(all_ids, files, all_sizes, strict=True)
        }
        self._images = {image: listing[image] for image in self._image_ids.tolist()}
        self._last: tuple[int, Picture] | None = None
        self.left_out = people.left_out
        self._called = {file: called[file] for file, _ in self._images.values()}
        self.fingerprints = fingerprints(hashes, pictures.places(image_folder, self._called))
        self.fingerprint = self.fingerprints.whole

    def __len__(self) -> int:
        return len(self._image_ids)

    @property
    def files(self) -> set[str]:
        """The pictures of its people, by their real paths."""
        return {os.path.realpath(path) for _, path in pictures.places(self.image_folder, self._called)}

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
            last = person.image_id, pictures.read(pictures.locate(self.image_folder, self._called[file]), size)
            last[1].flags.writeable = False
            self._last = last
        return last[1], person

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        """Average precision and recall over object keypoint similarity, as the data set has them."""
        if not self.annotated:
            raise InputError(
                f"{self.annotation_file.name} has no annotations: only COCO's evaluation server can score "
                "its pictures; write the file that it takes with --test-dev"
            )
        found = self.entry.score(self.truth, predictions, evaluator)
        if self.entry.score_heads is not None and self._keypoints is not None and self.skeleton.head is not None:
            found |= self.entry.score_heads(self.skeleton, self._keypoints, predictions)
        return found


def _drawn_by_this_project(found: Annotations) -> DatasetEntry | None:
    """The entry of what ``bench.data synthetic`` wrote; none if it is something else, or was changed since."""
    drawn = (entry for entry in entries().values() if not entry.needs_files)
    return next((entry for entry in drawn if found.drawn and entry.skeleton == found.skeleton), None)


def _with_skeleton(entry: DatasetEntry, skeleton: Skeleton) -> DatasetEntry:
    if entry.skeleton == skeleton:
        return entry
    more = HEAD_METRICS if skeleton.head is not None else {}
    return replace(entry, skeleton=skeleton, metrics={**entry.metrics, **more})


def _names_in_folder(annotation_file: Path, folder: Path, files: list[str], *, needed: bool) -> dict[str, str]:
    """What pictures are called in the folder: as in the file, or as those are that it can only mean.

    Raises:
        InputError: some are needed, and none is in the folder.
    """
    moved = find_moved(folder, files)
    if moved:
        file, place = next(iter(moved.items()))
        warnings.warn(
            f"{annotation_file.name}: {len(moved)} pictures are elsewhere in {folder} than it says, and taken from "
            f"there, such as {shown(place)} for {shown(file)}",
            stacklevel=3,
        )
    elif needed and not any(is_there(folder, file) for file in files):
        raise InputError(
            f"{folder} has none of the {len(files)} pictures of {annotation_file.name}, such as {shown(files[0])}: "
            "give their folder with --images"
        )
    return {file: moved.get(file, file) for file in files}


def _warn_of_shared_pictures(found: Annotations, files: list[str]) -> None:
    """Say which pictures are listed twice: they may be two, of which an export dropped the folders."""
    first: dict[str, int] = {}
    again = [index for index, file in enumerate(files) if first.setdefault(file, index) != index]
    if again:
        one = again[0]
        warnings.warn(
            f"{found.images.name(one)}: its file_name {shown(files[one])} is that of image "
            f"{found.image_ids[first[files[one]]]} too, {len(again)} such in all: their people are looked for in the "
            "same picture; if there is one of the name in several folders, file_name needs the folder",
            stacklevel=3,
        )


def _with_sizes_of_pictures(found: Annotations, files: list[str], folder: Path) -> Float64Array:
    """Width and height of the picture that each person is in, ``[N, 2]``; read from it where the file does not say."""
    if found.people is None:
        return np.zeros((0, 2))
    rows = found.rows(found.image)
    sizes = found.sizes[rows].astype(np.float64)
    read = 0
    for row in np.unique(rows[sizes[:, 0] == UNKNOWN]).tolist():
        try:
            sizes[rows == row] = pictures.read_size(pictures.locate(folder, files[row]))
            read += 1
        except ImageError:  # it is said when the picture is read
            sizes[rows == row] = FARTHEST
    if read:
        warnings.warn(f"{found.name}: {read} pictures have no width and height: read from the pictures", stacklevel=3)
    return sizes


def _annotated_people(found: Annotations, sizes: Float64Array) -> _People:
    """Those to look at, as published: labelled, no crowd, and a box that has a size once clipped to the picture."""
    people, keypoints = found.people, found.keypoints
    assert people is not None
    assert keypoints is not None
    left_out: dict[str, int] = {"not a person": found.others} if found.others else {}
    people.refuse(_repeated_where_given(people), lambda _: "this id occurs twice")
    crowd = found.crowds
    unlabelled = ~crowd & ((found.labelled == 0) | (keypoints <= 0).all(axis=(1, 2)))
    clipped = _clip(found.boxes, sizes)
    flat = ~crowd & ~unlabelled & ~((found.areas > 0) & (clipped[:, 2:] > 0).all(axis=1))
    for mask, reason in ((crowd, "crowd region"), (unlabelled, "no labelled joint"), (flat, "box without size")):
        _count(mask, reason, left_out)
    _warn_of_flat(people, flat, lambda index: f"bbox {found.boxes[index].tolist()}, area {found.areas[index]:g}")
    warn_of_areas(found)
    warn_of_places(found, sizes)
    kept = ~(crowd | unlabelled | flat)
    return _People(
        image_ids=found.image[kept], boxes=clipped[kept], scores=np.ones(int(kept.sum())),
        keypoints=keypoints[kept].astype(np.float32), left_out=left_out,
    )  # fmt: skip


def _detected_people(file: str, listed: Any, found: Annotations, files: list[str], *, subset: bool) -> _People:
    """Every box of a person, as published: not clipped."""
    left_out: dict[str, int] = {}
    items = Items(listed, f"{file}, detection")
    images = image_ids(items, found, files)
    boxes, scores = read_boxes(items), items.numbers("score")
    rows = found.rows(images)
    elsewhere = rows < 0
    if not subset:
        items.refuse(
            elsewhere,
            lambda index: (
                f"image_id {shown(items.values[index]['image_id'])} is not in {found.name}; --subset leaves "
                "such detections out"
            ),
        )
    # Detectors of people alone may say no category at all.
    said = items.has("category_id").any()
    categories = items.integers("category_id") if said else np.full(len(items), found.category)
    other = ~elsewhere & (categories != found.category)
    here = ~elsewhere & ~other
    low = here & (scores < LOWEST_SCORE)
    # A line can be widened to a region to look into; a point cannot.
    flat = here & ~low & (boxes[:, 2:] < _THINNEST).all(axis=1)
    for mask, reason in (
        (elsewhere, "in a picture outside the set"), (other, "not a person"), (low, f"score below {LOWEST_SCORE:g}"),
        (flat, "box without size"),
    ):  # fmt: skip
        _count(mask, reason, left_out)
    if elsewhere.any():
        warnings.warn(
            f"{file}: {int(elsewhere.sum())} of {len(items)} detections are in pictures outside the set, and left out",
            stacklevel=2,
        )
    _warn_of_flat(items, flat, lambda index: f"bbox {boxes[index].tolist()}")
    kept = here & ~low & ~flat
    warn_of_detections(file, boxes[kept], rows[kept], found)
    hint = ""
    if other.any():
        counts = Counter(categories[other].tolist()).most_common(3)
        named = ", ".join(f"{category} ({count})" for category, count in counts)
        hint = f": category_id is {named}, and that of the people in {found.name} is {found.category}"
    return _People(images[kept], boxes[kept], scores[kept], left_out=left_out, hint=hint)


def _repeated_where_given(items: Items) -> npt.NDArray[np.bool_]:
    """Whether an item's id, if it has one, is that of an item before it; any number or text will do."""
    there = items.has("id")
    ids = [one.get("id") for one in items.values]
    strange = np.array([not isinstance(one, (int, float, str)) for one in ids], np.bool_)
    items.refuse(there & strange, lambda index: f"id {shown(ids[index])} is neither a number nor a text")
    numbers: dict[Any, int] = {}
    again = np.zeros(len(items), np.bool_)
    places = np.flatnonzero(there).tolist()
    again[there] = repeated(np.array([numbers.setdefault(ids[place], place) for place in places], np.int64))
    return again


def _clip(boxes: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """As published: to whole pixels' centres, so that a box loses one pixel of width and height."""
    low = np.maximum(boxes[:, :2], 0)
    high = np.minimum(low + np.maximum(boxes[:, 2:] - 1, 0), sizes - 1)
    return np.concatenate([low, high - low], axis=1)


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
