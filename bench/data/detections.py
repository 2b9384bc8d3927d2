"""What detectors write: pictures by name, and boxes in whatever convention."""

import warnings
from collections import defaultdict
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.arrays import Float64Array, Int64Array
from bench.data.annotations import UNKNOWN, Annotations, warn_of_boxes
from bench.data.image_ids import image_numbers
from bench.data.json_files import Items, shown
from bench.data.picture_names import PictureIndex

# A box is a person's from this overlap (intersection over union) on; fewer people with such a box are no chance.
_MEETS, _FEWEST = 0.3, 1 / 2


def image_ids(items: Items, found: Annotations, files: list[str]) -> Int64Array:
    """The id of the picture that each detection is in; some tools write names of files, mostly without endings.

    A text may be a name or an id.

    Args:
        items: the detections.
        found: what the annotation file lists.
        files: the names of its pictures.

    Returns:
        As ``found`` has them; of names of no picture, a number that is none's.

    Raises:
        InputError: a detection lacks it, or its text may be any of several pictures.
    """
    if not any(isinstance(one.get("image_id"), str) for one in items.values):
        return image_numbers(items, found.texts)
    listed = found.image_ids.tolist()
    index_of = PictureIndex({Path(file): file for file in files})
    by_file: dict[Path, list[int]] = defaultdict(list)
    for file, image in zip(files, listed, strict=True):
        by_file[Path(file)].append(image)
    texts = {number: text for text, number in found.texts.items()}
    by_text = found.texts or {str(image): image for image in listed}
    numbers: dict[str, int] = {}
    values: list[dict[str, Any]] = []
    for index, one in enumerate(items.values):
        text = one.get("image_id")
        if found.texts and not isinstance(text, str):
            items.fail(index, f"image_id is {shown(text)}, and the ids of {found.name} are texts")
        if isinstance(text, str) and text not in numbers:
            named = [image for path in index_of.named(text) for image in by_file[path]]
            candidates = sorted({*named, *([by_text[text]] if text in by_text else [])})
            if len(candidates) > 1:
                some = ", ".join(str(texts.get(image, image)) for image in candidates[:3])
                items.fail(
                    index, f"image_id {shown(text)} may be any of the images {some} in {found.name}: give its id"
                )
            numbers[text] = next(iter(candidates), min(listed) - 1)
        values.append({"image_id": numbers[text]} if isinstance(text, str) else one)
    return Items(values, items.where).integers("image_id")


def warn_of_detections(file: str, boxes: Float64Array, rows: Int64Array, found: Annotations) -> None:
    """Say where detections are hardly what they are taken for: boxes in other conventions, ids of other pictures.

    Args:
        file: their name.
        boxes: ``[N, 4]`` of people.
        rows: ``[N]`` which picture of the annotation file each is in.
        found: the annotation file.
    """
    sizes = found.sizes[rows].astype(np.float64)
    sizes[sizes == UNKNOWN] = np.inf
    warn_of_boxes(file, boxes, sizes)
    met = _met(boxes, rows, found)
    if len(met) and np.mean(met) < _FEWEST:
        warnings.warn(
            f"{file}: only {sum(met)} of the {len(met)} annotated people in its pictures have a box that overlaps "
            f"theirs (IoU of at least {_MEETS:g}): image_id must be that of {found.name}, category_id that of its "
            "people, and bbox x, y, width and height in pixels of the picture",
            stacklevel=4,
        )


def _met(boxes: Float64Array, rows: Int64Array, found: Annotations) -> list[bool]:
    """Of everyone annotated who is in a picture with detections, whether one of them is theirs."""
    if found.people is None:
        return []
    order = np.argsort(rows, kind="stable")
    boxes, rows = boxes[order], rows[order]
    low, high = boxes[:, :2], boxes[:, :2] + boxes[:, 2:]
    size = boxes[:, 2:].prod(axis=1)
    where = found.rows(found.image)
    begins, ends = np.searchsorted(rows, where), np.searchsorted(rows, where, side="right")
    counted = ~found.crowds & (found.labelled > 0) & (found.boxes[:, 2:] > 0).all(axis=1) & (ends > begins)
    met = []
    for person in np.flatnonzero(counted).tolist():
        near = slice(begins[person], ends[person])
        x_y, extent = found.boxes[person, :2], found.boxes[person, 2:]
        shared = (np.minimum(high[near], x_y + extent) - np.maximum(low[near], x_y)).clip(0).prod(axis=1)
        met.append(bool((shared >= _MEETS * (size[near] + extent.prod() - shared)).any()))
    return met
