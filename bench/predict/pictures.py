"""Any pictures and boxes as a data set to predict on."""

import contextlib
import hashlib
import warnings
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from bench.core.errors import InputError
from bench.data import pictures
from bench.data.annotations import warn_of_boxes
from bench.data.boxes import Box, Size, boxes_in
from bench.data.dataset import ImageError, Person, Picture
from bench.data.json_files import read_json
from bench.data.picture_files import find_pictures
from bench.data.registry import DatasetEntry

_LOOKED_AT = 100  # pictures


@dataclass(frozen=True)
class Look:
    """One box in one picture; no box is the whole of it."""

    path: Path
    box: Box | None
    score: float = 1.0
    size: Size | None = None  # of the picture that the box was drawn on, where that is known

    def read(self) -> Picture:
        """The picture, as it stood when the box was drawn."""
        return pictures.read(self.path, self.size)


class Pictures:
    """A ``bench.data.Dataset`` without annotations."""

    name = "pictures"
    annotated = False

    def __init__(self, looks: Sequence[Look], entry: DatasetEntry) -> None:
        self.looks, self.entry, self.skeleton = looks, entry, entry.skeleton
        self.fingerprint = hashlib.sha256(repr(looks).encode(errors="backslashreplace")).hexdigest()
        self._last: tuple[Path, Picture] | None = None

    def __len__(self) -> int:
        return len(self.looks)

    def person(self, index: int) -> Person:
        return self.load(index)[1]

    def load(self, index: int) -> tuple[Picture, Person]:
        look = self.looks[index]
        if self._last is None or self._last[0] != look.path:
            self._last = look.path, look.read()
        picture = self._last[1]
        box = look.box or (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
        return picture, Person(index, box, look.score)

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        raise InputError("pictures without annotations cannot be scored: use bench.accuracy on a data set")


def find(
    arguments: Sequence[Path], boxes: Path | None, *, category: str | None = None, out: Path | None = None
) -> list[Look]:
    """Every picture that was named, or lies in a folder that was named or below it, with its boxes.

    Without a file of boxes, every picture is one person, except in folders in COCO's layout: their annotations are such
    files for their own pictures. Where there is a file of boxes, pictures without a box are left out, with a warning.

    Args:
        arguments: pictures and folders.
        boxes: picture names with lists of boxes, detections in COCO's result format, or COCO annotations, as JSON.
        category: of the annotations; by default ``person``.
        out: where results go: pictures in it are not looked at.

    Raises:
        InputError: no pictures, or a boxes file that is none, that names pictures that are not there, or that does
            not say which of several pictures it means; or a category where no file has any.
    """
    found = find_pictures(arguments, out=out)
    files = {boxes: found.names} if boxes else found.annotated
    if not files:
        if category is not None:
            raise InputError(
                f"--category {category} has no effect: each picture is one person where no annotations are given with "
                "--boxes, or by a folder in COCO's layout; leave it out"
            )
        return [Look(path, None) for path in found.names]
    matches = {file: boxes_in(read_json(file)[0], file, category).match(names) for file, names in files.items()}
    given = {path: some for match in matches.values() for path, some in match.boxes.items() if some}
    if not given:
        raise InputError("; ".join(match.problem for match in matches.values()))
    without = [path for path in found.names if path not in given]
    if without:
        warnings.warn(f"pictures without boxes, left out: {len(without)}, the first: {without[0]}", stacklevel=2)
    for file, match in matches.items():
        for remark in match.remarks:
            warnings.warn(f"{file}: {remark}", stacklevel=2)
    sizes = {path: size for match in matches.values() for path, size in match.sizes.items()}
    looks = [
        Look(path, box, score, sizes.get(path)) for path in found.names if path in given for box, score in given[path]
    ]
    _warn_of_some(", ".join(map(str, matches)), looks)
    return looks


def _warn_of_some(name: str, looks: Sequence[Look]) -> None:
    """Say where boxes are hardly what they are taken for, by those in the first pictures that can be read."""
    sizes: dict[Path, Size] = {}
    for path in islice(dict.fromkeys(look.path for look in looks), _LOOKED_AT):
        with contextlib.suppress(ImageError):  # it is said when the picture is read
            sizes[path] = pictures.read_size(path)
    some = [(look.box, look.size or sizes[look.path]) for look in looks if look.path in sizes and look.box]
    boxes, of_pictures = (np.array([pair[one] for pair in some], np.float64) for one in (0, 1))
    warn_of_boxes(name, boxes, of_pictures)
