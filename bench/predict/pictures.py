"""Any pictures and boxes as a data set to predict on."""

import hashlib
import math
import os
import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.core.errors import InputError
from bench.data import pictures
from bench.data.annotations import FARTHEST, read_annotations
from bench.data.dataset import Person, Picture
from bench.data.json_files import Items, read_json, shown
from bench.data.registry import DatasetEntry

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
PERSON = 1  # COCO's category in files that list no categories
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
        self.fingerprint = hashlib.sha256(repr(looks).encode(errors="backslashreplace")).hexdigest()
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


def find(
    arguments: Sequence[Path], boxes: Path | None, *, category: str | None = None, out: Path | None = None
) -> list[Look]:
    """Every picture that was named, or lies in a folder that was named or below it, with its boxes.

    A folder in COCO's layout gives the boxes of its annotations if no others are given; pictures that a boxes file
    does not name are taken whole where there is none, and left out where there is one.

    Args:
        arguments: pictures and folders.
        boxes: picture names with lists of boxes, detections in COCO's result format, or COCO annotations, as JSON.
        category: of the annotations; by default ``person``.
        out: where results go: pictures in it are not looked at.

    Raises:
        InputError: no pictures, or a boxes file that is none, that names pictures that are not there, or that does
            not say which of several pictures it means.
    """
    named: dict[Path, str] = {}  # each picture, and its name in the folder that was given
    for argument in arguments:
        annotations = argument / "annotations" / "person_keypoints_val2017.json"
        if argument.is_dir() and annotations.is_file():
            boxes = boxes or annotations
            argument = argument / "val2017"
        for path, name in _pictures(argument, out):
            named.setdefault(path, name)
    if not named:
        raise InputError("there are no pictures: name picture files, or folders of them")
    if boxes is None:
        return [Look(path, None) for path in named]
    return _with_boxes(named, boxes, category)


def _pictures(argument: Path, out: Path | None) -> list[tuple[Path, str]]:
    if not argument.is_dir():
        if not argument.exists():
            raise InputError(f"no picture {argument}: name picture files, or folders of them")
        return [(argument, argument.name)]
    seen = sorted(path.relative_to(argument) for path in _files(argument) if path.suffix.lower() in ENDINGS)
    if out is not None:
        seen = [name for name in seen if not (argument / name).resolve().is_relative_to(out.resolve())]
    if not seen:
        raise InputError(f"there are no pictures in {argument}: looked for {', '.join(ENDINGS)}")
    return [(pictures.locate(argument, name.as_posix()), name.as_posix()) for name in seen]


def _files(folder: Path) -> Iterator[Path]:
    """Those in a folder and below it that are not hidden. A folder that vanishes meanwhile has none.

    Raises:
        OSError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in files if not name.startswith("."))


# ------------------------------------------------------------------------------ which boxes are in which picture


@dataclass(frozen=True)
class _Entry:
    """Boxes and scores of one picture, as a file names it."""

    name: str  # as in the file, or the id where it gives no names
    number: int | None  # COCO's image id, where it gives no names
    boxes: list[tuple[Box, float]]


def _with_boxes(named: Mapping[Path, str], file: Path, category: str | None) -> list[Look]:
    entries, complete = _read(file, category)
    matched: dict[Path, _Entry] = {}
    unknown = []
    index = _Index(named)
    for entry in entries:
        found = index.numbered(entry.number) if entry.number is not None else index.named(entry.name)
        if len(found) > 1:
            raise InputError(
                f"{file} has boxes for {_brief(entry.name)}, which may be any of {_listed(map(str, found))}: "
                "give whole names relative to the folder"
            )
        if not found:
            unknown.append(_brief(entry.name))
        elif found[0] in matched:
            raise InputError(
                f"{file} has boxes for {_brief(matched[found[0]].name)} and for {_brief(entry.name)}, and both may be "
                f"{found[0]}: give whole names relative to the folder"
            )
        else:
            matched[found[0]] = entry
    if complete and unknown:
        raise InputError(f"{file} has boxes for {_listed(unknown)}, which is not among the pictures")
    looks = [Look(path, box, score) for path in named if path in matched for box, score in matched[path].boxes]
    if not looks:
        raise InputError(f"{file} has no box for any of the pictures: it names {_listed(unknown) or 'none'}")
    return looks


class _Index:
    """Pictures by whole name, by ends of their paths, and by number."""

    def __init__(self, named: Mapping[Path, str]) -> None:
        self._whole: dict[str, list[Path]] = defaultdict(list)
        self._ends: dict[str, list[Path]] = defaultdict(list)  # by the last part of the path
        self._numbers: dict[int, list[Path]] = defaultdict(list)
        self._names = named
        for path, name in named.items():
            for whole in dict.fromkeys((name, path.as_posix())):
                self._whole[whole].append(path)
            self._ends[path.name].append(path)
            digits = re.search(r"([0-9]{1,18})$", path.stem)
            if digits:  # COCO's image id, which its file names hold: 000000000139.jpg is 139
                self._numbers[int(digits[1])].append(path)

    def named(self, name: str) -> list[Path]:
        """The pictures that a name may mean: those of this very name; if there is none, those whose ends agree."""
        wanted = PurePosixPath(name.replace("\\", "/"))
        whole = self._whole.get(wanted.as_posix(), [])
        if whole:
            return whole
        return [path for path in self._ends.get(wanted.name, []) if self._ends_alike(path, wanted)]

    def numbered(self, number: int) -> list[Path]:
        return self._numbers.get(number, [])

    def _ends_alike(self, path: Path, wanted: PurePosixPath) -> bool:
        """Whether the path ends as the name does, or the name as the path in its folder does."""
        inside = PurePosixPath(self._names[path]).parts
        parts, given = path.parts, wanted.parts
        return parts[-len(given) :] == given or given[-len(inside) :] == inside


def _read(file: Path, category: str | None) -> tuple[list[_Entry], bool]:
    """The entries of one of the three kinds of files, and whether every one of them must be among the pictures."""
    content = read_json(file)[0]
    if isinstance(content, Mapping) and "annotations" in content:
        return _annotated(file, category), False
    found: dict[tuple[str, int | None], list[tuple[Box, float]]] = defaultdict(list)
    if isinstance(content, Mapping):
        for name, listed in content.items():
            if not isinstance(listed, list):
                raise InputError(f"{file} is no list of boxes: {shown(name)} has {shown(listed)}; {_KINDS}")
            for box in listed:
                found[name, None].append((_box(box, f"{file}, {shown(name)}"), 1.0))
    elif isinstance(content, list):
        for number, one in enumerate(content):
            where = f"{file}, entry {number}"
            if not isinstance(one, Mapping) or not isinstance(one.get("image_id"), (int, str)):
                raise InputError(f"{file} is no list of boxes: entry {number} is {shown(one)}; {_KINDS}")
            if one.get("category_id", PERSON) != PERSON:
                continue
            image = one["image_id"]
            key = (image, None) if isinstance(image, str) else (shown(image), image)
            found[key].append((_box(one.get("bbox"), where), _score(one.get("score", 1), where)))
    else:
        raise InputError(f"{file} is no list of boxes: {_KINDS}")
    return [_Entry(*key, boxes) for key, boxes in found.items()], isinstance(content, Mapping)


def _brief(name: str) -> str:
    """A name for a message: on one line, and not too long."""
    return shown(name).strip('"')


def _annotated(file: Path, category: str | None) -> list[_Entry]:
    """The boxes of everyone annotated who is no crowd and has, as far as the file says, a labelled joint."""
    found = read_annotations(file, category, joints=False)
    assert found.people is not None
    seen = ~found.crowds & (found.labelled != 0)
    people = found.people.chosen(seen)
    people.refuse(
        (found.boxes[seen, 2:] <= 0).any(axis=1),
        lambda index: f"{shown(found.boxes[seen][index].tolist())} is no box: width and height above 0 are needed",
    )
    names = found.images.texts("file_name")
    boxes: dict[int, list[tuple[Box, float]]] = defaultdict(list)
    for row, (x, y, width, height) in zip(found.rows(people).tolist(), found.boxes[seen].tolist(), strict=True):
        boxes[row].append(((x, y, width, height), 1.0))
    return [_Entry(names[row], None, some) for row, some in boxes.items()]


def _box(value: Any, where: str) -> Box:
    boxes = Items([{"box": value}], where)
    try:
        x, y, width, height = boxes.numbers("box", 4)[0].tolist()
    except InputError:
        width = height = 0
    if not (width > 0 and height > 0 and max(map(abs, (x, y, width, height))) <= FARTHEST):
        raise InputError(f"{where}: {shown(value)} is no box: x, y, width and height above 0 are needed")
    return x, y, width, height


def _score(value: Any, where: str) -> float:
    if not isinstance(value, (int, float)) or not abs(value) < 1e300 or math.isnan(value):
        raise InputError(f"{where}: score {shown(value)} is not a finite score")
    return float(value)


def _listed(names: Iterable[str]) -> str:
    """The first three, and how many more there are."""
    some = list(names)
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return ", ".join(some[:3]) + more


_KINDS = (
    'give {"picture.jpg": [[x, y, width, height], ...]}, detections in COCO\'s result format, or a COCO annotation file'
)
