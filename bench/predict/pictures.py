"""Any pictures and boxes as a data set to predict on."""

import hashlib
import json
import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import InputError
from bench.data import pictures
from bench.data.dataset import Person, Picture
from bench.data.registry import DatasetEntry

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
PERSON = 1  # COCO's category
Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Look:
    """One box in one picture; no box is the whole of it."""

    path: Path
    box: Box | None
    score: float = 1.0


class Pictures:
    """A ``bench.data.Dataset`` without annotations."""

    name = "pictures"
    annotated = False

    def __init__(self, looks: Sequence[Look], entry: DatasetEntry) -> None:
        self.looks, self.entry, self.skeleton = looks, entry, entry.skeleton
        self.fingerprint = hashlib.sha256(repr(looks).encode()).hexdigest()
        self._last: tuple[Path, Picture] | None = None

    def __len__(self) -> int:
        return len(self.looks)

    def person(self, index: int) -> Person:
        return self.load(index)[1]

    def load(self, index: int) -> tuple[Picture, Person]:
        look = self.looks[index]
        if self._last is None or self._last[0] != look.path:
            self._last = look.path, pictures.read(look.path)
        picture = self._last[1]
        box = look.box or (0.0, 0.0, float(picture.shape[1]), float(picture.shape[0]))
        return picture, Person(index, box, look.score)

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        raise InputError("pictures without annotations cannot be scored: use bench.accuracy on a data set")


def find(arguments: Sequence[Path], boxes: Path | None) -> list[Look]:
    """Every picture that was named, or lies in a folder that was named, with its boxes.

    A folder in COCO's layout gives the boxes of its annotations if no others are given; pictures that a boxes file
    does not name are taken whole where there is none, and left out where there is one.

    Raises:
        InputError: no pictures, or a boxes file that is none or names pictures that are not there.
    """
    paths: list[Path] = []
    for argument in arguments:
        annotations = argument / "annotations" / "person_keypoints_val2017.json"
        if argument.is_dir() and annotations.is_file():
            boxes = boxes or annotations
            argument = argument / "val2017"
        paths += _pictures(argument)
    paths = list(dict.fromkeys(paths))
    if not paths:
        raise InputError("there are no pictures: name picture files, or folders of them")
    if boxes is None:
        return [Look(path, None) for path in paths]
    return _with_boxes(paths, boxes)


def _pictures(argument: Path) -> list[Path]:
    if not argument.is_dir():
        if not argument.is_file():
            raise InputError(f"no picture {argument}: name picture files, or folders of them")
        return [argument]
    found = sorted(path for path in argument.iterdir() if path.suffix.lower() in ENDINGS)
    if not found:
        raise InputError(f"there are no pictures in {argument}: looked for {', '.join(ENDINGS)}")
    return found


def _with_boxes(paths: Sequence[Path], file: Path) -> list[Look]:
    held = _read_json(file)
    by_name = _boxes(held, file)
    looks = []
    found = set()
    for path in paths:
        key = next((key for key in (path.name, _number(path)) if key in by_name), None)
        if key is not None:
            found.add(key)
            looks += [Look(path, box, score) for box, score in by_name[key]]
    unknown = sorted(set(by_name) - found)
    if isinstance(held, Mapping) and "annotations" not in held and unknown:
        raise InputError(f"{file} has boxes for {', '.join(unknown[:3])}, which is not among the pictures")
    if not looks:
        raise InputError(f"{file} has no box for any of the pictures: it names {', '.join(unknown[:3]) or 'none'}")
    return looks


def _number(path: Path) -> str:
    """COCO's image id, which its file names hold: 000000000139.jpg is 139."""
    digits = re.search(r"(\d+)$", path.stem)
    return str(int(digits[1])) if digits else ""


def _read_json(file: Path) -> Any:
    if not file.is_file():
        raise InputError(f"no boxes file {file}: give a JSON file")
    try:
        return json.loads(file.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{file} is not JSON: {error}") from error


def _boxes(held: Any, file: Path) -> dict[str, list[tuple[Box, float]]]:
    """Boxes and scores by file name, or by COCO's image id where the file gives no names."""
    found: dict[str, list[tuple[Box, float]]] = {}
    for where, name, box, score in _entries(held, file):
        if not (
            isinstance(box, list)
            and len(box) == 4
            and all(isinstance(v, (int, float)) and abs(v) < 1e6 for v in box)
            and box[2] > 0
            and box[3] > 0
            and math.isfinite(score)
        ):
            raise InputError(
                f"{file}, {where}: {box} is no box: x, y, width and height above 0 are needed, and a finite score"
            )
        found.setdefault(name, []).append(((float(box[0]), float(box[1]), float(box[2]), float(box[3])), score))
    return found


def _entries(held: Any, file: Path) -> list[tuple[str, str, Any, float]]:
    """Where, picture, box and score of every entry of one of the three kinds of files."""
    try:
        if isinstance(held, list):
            found = [e for e in enumerate(held) if e[1].get("category_id", PERSON) == PERSON]
            return [(f"entry {n}", str(e["image_id"]), e["bbox"], float(e.get("score", 1))) for n, e in found]
        if isinstance(held, Mapping) and "annotations" in held:
            names = {image["id"]: str(image["file_name"]) for image in held["images"]}
            kinds = {c["id"] for c in held["categories"] if c["name"] == "person"}
            people = [
                a for a in held["annotations"]
                if a["category_id"] in kinds and not a.get("iscrowd") and a.get("num_keypoints", 1) > 0
            ]  # fmt: skip
            return [(f"annotation {a.get('id')}", names[a["image_id"]], a["bbox"], 1.0) for a in people]
        if isinstance(held, Mapping):
            return [(str(name), str(name), box, 1.0) for name, boxes in held.items() for box in boxes]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise InputError(f"{file} is no list of boxes: {type(error).__name__} {error}; {_KINDS}") from error
    raise InputError(f"{file} is no list of boxes: {_KINDS}")


_KINDS = (
    'give {"picture.jpg": [[x, y, width, height], ...]}, detections in COCO\'s result format, or a COCO annotation file'
)
