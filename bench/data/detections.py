"""What detectors write: pictures by name, and boxes in whatever convention."""

import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np

from bench.core.arrays import Float64Array, Int64Array
from bench.data.annotations import UNKNOWN, Annotations, warn_of_corners
from bench.data.json_files import Items, shown
from bench.data.picture_names import PictureIndex

# A box is a person's from this overlap (intersection over union) on; fewer people with such a box are no chance.
_MEETS, _FEWEST = 0.3, 1 / 2


def with_image_ids(items: Items, found: Annotations, files: list[str]) -> Items:
    """The detections with the ids of the pictures that they name: some tools write names, mostly without endings.

    A text of digits may be a name or an id.

    Args:
        items: the detections.
        found: what the annotation file lists.
        files: the names of its pictures.

    Returns:
        The same, if they have numbers; names of no picture become a number that is none's.

    Raises:
        InputError: a name may be any of several pictures.
    """
    named = [index for index, one in enumerate(items.values) if isinstance(one.get("image_id"), str)]
    if not named:
        return items
    index_of = PictureIndex({Path(file): file for file in files})
    listed = found.image_ids.tolist()
    ids: dict[Path, list[int]] = defaultdict(list)
    for file, image in zip(files, listed, strict=True):
        ids[Path(file)].append(image)
    of_texts = {str(image): image for image in listed}
    nobodys = min(listed) - 1
    numbers: dict[str, list[int]] = {}
    values = list(items.values)
    for index in named:
        name = values[index]["image_id"]
        if name not in numbers:
            by_name = [image for path in index_of.named(name) for image in ids[path]]
            numbers[name] = list(dict.fromkeys([*by_name, *([of_texts[name]] if name in of_texts else [])]))
        if len(numbers[name]) > 1:
            some = ", ".join(map(str, numbers[name][:3]))
            items.fail(index, f"image_id {shown(name)} may be any of the images {some} in {found.name}: give its id")
        values[index] = values[index] | {"image_id": next(iter(numbers[name]), nobodys)}
    return Items(values, items.where)


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
    warn_of_corners(file, boxes, sizes)
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
    where = found.rows(found.people)
    begins, ends = np.searchsorted(rows, where), np.searchsorted(rows, where, side="right")
    counted = ~found.crowds & (found.labelled > 0) & (found.boxes[:, 2:] > 0).all(axis=1) & (ends > begins)
    met = []
    for person in np.flatnonzero(counted).tolist():
        near = slice(begins[person], ends[person])
        x_y, extent = found.boxes[person, :2], found.boxes[person, 2:]
        shared = (np.minimum(high[near], x_y + extent) - np.maximum(low[near], x_y)).clip(0).prod(axis=1)
        met.append(bool((shared >= _MEETS * (size[near] + extent.prod() - shared)).any()))
    return met
