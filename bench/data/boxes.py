"""Files of boxes, of three kinds, and which of the boxes are in which picture."""

import math
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bench.core.errors import InputError
from bench.data import annotations
from bench.data.annotations import EXPORTED, FARTHEST, UNKNOWN, read_annotations
from bench.data.json_files import Items, shown
from bench.data.picture_names import PictureIndex

PERSON = 1  # COCO's category in files that list no categories
Box = tuple[float, float, float, float]  # x, y, width, height in pixels
ScoredBox = tuple[Box, float]
Size = tuple[int, int]  # width, height in pixels


@dataclass(frozen=True)
class Entry:
    """Boxes and scores of one picture, as a file names it."""

    name: str  # as in the file, or the id where it gives no names
    number: int | None  # COCO's image id, where it gives no names
    boxes: list[ScoredBox]
    size: Size | None = None  # of the picture that the boxes were drawn on, where the file gives it


@dataclass(frozen=True)
class Matched:
    """The boxes of pictures that were given.

    Attributes:
        boxes: of every picture that the file names; there may be none in it.
        sizes: of those pictures, where the file gives them: it tells how the picture stood when the boxes were drawn.
        remarks: what of the file is not among them, a line each.
        problem: the message where no box at all is wrong.
    """

    boxes: dict[Path, list[ScoredBox]]
    sizes: dict[Path, Size]
    remarks: list[str]
    problem: str


@dataclass(frozen=True)
class BoxFile:
    """What a file of boxes says.

    Attributes:
        path: of the file.
        entries: one a picture.
        by_name: whether it is made for these very pictures: it must name no others.
        left_out: what is in the file and not in the entries, a line each.
    """

    path: Path
    entries: list[Entry]
    by_name: bool
    left_out: list[str] = field(default_factory=list)

    def match(self, names: Mapping[Path, str]) -> Matched:
        """Give each picture its boxes.

        Args:
            names: of each picture, its name in the folder that was given.

        Raises:
            InputError: it names pictures that are not there, or does not say which of several pictures it means.
        """
        matched: dict[Path, Entry] = {}
        unknown = []
        index = PictureIndex(names)
        for entry in self.entries:
            found = index.numbered(entry.number) if entry.number is not None else index.named(entry.name)
            if len(found) > 1:
                raise InputError(
                    f"{self.path} has boxes for {_brief(entry.name)}, which may be any of {_listed(map(str, found))}: "
                    "give whole names relative to the folder"
                )
            if not found:
                unknown.append(_brief(entry.name))
            elif found[0] in matched:
                raise InputError(
                    f"{self.path} has boxes for {_brief(matched[found[0]].name)} and for {_brief(entry.name)}, and "
                    f"both may be {found[0]}: give whole names relative to the folder"
                )
            else:
                matched[found[0]] = entry
        reasons = [*([f"it names {_listed(unknown)}"] if unknown else []), *self.left_out]
        if matched:
            reasons.append(f"nobody is in {_listed(_brief(entry.name) for entry in matched.values())}")
        problem = f"{self.path} has no box for any of the pictures: {'; '.join(reasons) or 'it names none'}"
        if self.by_name and unknown:
            some = f"{self.path} has boxes for {_listed(unknown)}, which is not among the pictures"
            raise InputError(some if matched else problem)
        remarks = list(self.left_out)
        if unknown:
            remarks.append(
                f"left out: the boxes of {len(unknown)} pictures that were not given, the first: {unknown[0]}"
            )
        return Matched(
            {path: matched[path].boxes for path in names if path in matched},
            {path: entry.size for path, entry in matched.items() if entry.size is not None},
            remarks,
            problem,
        )


def boxes_in(content: Any, file: Path, category: str | None = None) -> BoxFile:
    """The boxes in a JSON file: of picture names, COCO's detections, or COCO's annotations.

    Args:
        content: what the file holds.
        file: its path.
        category: of the annotations; by default ``person``.

    Raises:
        InputError: it is none of these, a box is none, or a category was given that the file cannot have.
    """
    if isinstance(content, Mapping) and "annotations" in content:
        return _annotated(file, category)
    if isinstance(content, Mapping):
        found = _named(content, file)
    elif isinstance(content, list):
        found = _detected(content, file)
    else:
        raise InputError(f"{file} is no list of boxes: {_KINDS}")
    if category is not None:
        raise InputError(f"--category {category} has no effect on {file}, which names no categories: leave it out")
    return found


def _named(content: Mapping[str, Any], file: Path) -> BoxFile:
    entries = []
    for name, listed in content.items():
        if not isinstance(listed, list):
            raise InputError(f"{file} is no list of boxes: {shown(name)} has {shown(listed)}; {_KINDS}")
        boxes = [(_box(box, f"{file}, {shown(name)}"), 1.0) for box in listed]
        entries.append(Entry(name, None, boxes))
    return BoxFile(file, entries, by_name=True)


def _detected(content: list[Any], file: Path) -> BoxFile:
    found: dict[tuple[str, int | None], list[ScoredBox]] = defaultdict(list)
    others: Counter[str] = Counter()
    for number, one in enumerate(content):
        where = f"{file}, entry {number}"
        image = one.get("image_id") if isinstance(one, Mapping) else None
        if isinstance(image, float) and image.is_integer():
            image = int(image)
        if not isinstance(image, (int, str)):
            raise InputError(f"{file} is no list of boxes: entry {number} is {shown(one)}; {_KINDS}")
        category = one.get("category_id")
        if category is not None and category != PERSON:
            others[shown(category)] += 1
            continue
        key = (image, None) if isinstance(image, str) else (shown(image), image)
        found[key].append((_box(one.get("bbox"), where), _score(one.get("score", 1), where)))
    left_out = []
    if others:
        counts = _listed(f"{category} ({count})" for category, count in others.most_common())
        left_out.append(
            f"left out: {others.total()} of {len(content)} detections, whose category_id is {counts}: people "
            f"have the number {PERSON}, as in COCO, or no category_id"
        )
    return BoxFile(file, [Entry(*key, boxes) for key, boxes in found.items()], by_name=False, left_out=left_out)


def _annotated(file: Path, category: str | None) -> BoxFile:
    """The boxes of everyone annotated who is no crowd.

    In a file of joints, those without any are left out, as in evaluation: mostly nobody can tell them. Where a file has
    joints of nobody, their number says nothing of the boxes.
    """
    found = read_annotations(file, category, joints=False, layout=EXPORTED)
    assert found.people is not None
    unlabelled = ~found.crowds & (found.labelled == 0) & found.people.has("keypoints")
    if not (found.labelled > 0).any():
        unlabelled[:] = False
    flat = ~found.crowds & ~unlabelled & (found.boxes[:, 2:] <= 0).any(axis=1)
    seen = ~found.crowds & ~unlabelled & ~flat
    names = found.images.texts("file_name")
    boxes: dict[int, list[ScoredBox]] = defaultdict(list)
    for row, (x, y, width, height) in zip(
        found.rows(found.image[seen]).tolist(), found.boxes[seen].tolist(), strict=True
    ):
        boxes[row].append(((x, y, width, height), 1.0))
    counts = {
        f"annotations of other categories than {category or annotations.PERSON}": found.others,
        "regions of crowds": int(found.crowds.sum()),
        "people without a labelled joint, in a file that labels joints": int(unlabelled.sum()),
        "boxes without size": int(flat.sum()),
    }
    sizes = [None if width == UNKNOWN else (width, height) for width, height in found.sizes.tolist()]
    return BoxFile(
        file,
        [Entry(names[row], None, some, sizes[row]) for row, some in boxes.items()],
        by_name=False,
        left_out=[f"left out: {count} {what}" for what, count in counts.items() if count],
    )


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


def _brief(name: str) -> str:
    """A name for a message: on one line, and not too long."""
    return shown(name).strip('"')


def _listed(names: Iterable[str]) -> str:
    """The first three, and how many more there are."""
    some = list(names)
    more = f" and {len(some) - 3} more" if len(some) > 3 else ""
    return ", ".join(some[:3]) + more


_KINDS = (
    'give {"picture.jpg": [[x, y, width, height], ...]}, detections in COCO\'s result format, or a COCO annotation file'
)
