"""Files in COCO's format, read once and by one set of rules: to look at people, to score them, to take their boxes."""

import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array, Int64Array
from bench.core.errors import InputError
from bench.core.skeletons import COCO, Skeleton, words
from bench.data.image_ids import Texts, image_numbers, read_image_ids
from bench.data.json_files import Items, read_json, shown
from bench.data.skeleton_files import SkeletonFile, make_skeleton

Bools = npt.NDArray[np.bool_]

PERSON, KEYPOINTS = "person", "keypoints"
UNKNOWN = -1  # of a picture's width and height
FARTHEST = 1e7  # pixels: beyond it a number is a mistake
# Shares of the box that a person's area may have. In COCO they go from a few percent (someone hidden) to nearly 1.
_SMALLEST_AREA, _LARGEST_AREA = 0.02, 1.5
# Joints outside their boxes, and boxes that end beyond so much of their pictures: larger shares are no chance.
_MOST_OUTSIDE, _MOST_BEYOND, _BEYOND = 1 / 2, 1 / 3, 1.1
_MOST_UNSEEN = 1 / 2  # of joints that have a place, those that are not labelled
# Of so many people, somebody reaches beyond this share of the picture.
_SOME, _SMALLEST_REACH = 10, 1 / 2


@dataclass(frozen=True)
class Layout:
    """Where a file keeps what of a person. By default, as COCO's files do.

    Attributes:
        skeleton: whose joints they are; none: those that the file itself names.
        fields: of the annotations, which hold the joints one after the other, and how many joints each holds.
        longer: how many joints a field may hold instead, of which the first are taken.
        any_flag: whether visibility may be any number, above 0 where a joint is labelled; otherwise 0, 1 or 2.
        box_area: people count as this share of their box, whatever area the file gives.
        zero_is_unknown: whether a box or an area of 0 is one that nobody drew, as tools write who annotate joints
            alone; in published sets it is what it says.
    """

    skeleton: Skeleton | None = COCO
    fields: Mapping[str, int] = field(default_factory=lambda: {KEYPOINTS: len(COCO.joints)})
    longer: int | None = None
    any_flag: bool = False
    box_area: float | None = None
    zero_is_unknown: bool = False

    @classmethod
    def of(cls, skeleton: Skeleton, *, box_area: float | None = None) -> Self:
        """As COCO's, with other joints."""
        return cls(skeleton, {KEYPOINTS: len(skeleton.joints)}, box_area=box_area)


COCO_LAYOUT = Layout()
EXPORTED = Layout(skeleton=None, zero_is_unknown=True)  # as annotation tools write it


@dataclass(frozen=True)
class Annotations:
    """What a file in COCO's format holds, checked.

    Of M pictures and of the N annotations of one category, in the file's order.

    Attributes:
        name: of the file, for messages.
        sha256: of the file; empty where its content was given.
        images: the pictures' entries.
        image_ids: ``[M]``; numbers in their place, where the file has texts.
        texts: what texts these numbers stand for; none where ids are numbers.
        sizes: ``[M, 2]`` width, height in pixels; ``UNKNOWN`` where the file does not say.
        category: the id of the category.
        drawn: whether this project drew the people.
        people: the annotations' entries; none where the file has no annotations, as the list of a test set.
        image: ``[N]`` the id of each person's picture, as what follows.
        boxes: ``[N, 4]`` x, y, width, height in pixels.
        areas: ``[N]`` in square pixels.
        crowds: ``[N]`` whether it is a region of people nobody told apart.
        labelled: ``[N]`` how many joints are labelled; ``UNKNOWN`` where neither joints nor their number are given.
        skeleton: whose joints they are; none if joints were not asked for.
        keypoints: ``[N, J, 3]`` x, y in pixels and visibility 0, 1 or 2; likewise.
        others: how many annotations are of other categories.
    """

    name: str
    sha256: str
    images: Items
    image_ids: Int64Array
    texts: Texts
    sizes: Int64Array
    category: int
    drawn: bool
    people: Items | None
    image: Int64Array
    boxes: Float64Array
    areas: Float64Array
    crowds: Bools
    labelled: Int64Array
    skeleton: Skeleton | None
    keypoints: Float64Array | None
    others: int

    def rows(self, wanted: Int64Array) -> Int64Array:
        """Which pictures have these ids, an entry each; -1 where none of these."""
        if not len(self.image_ids) or not len(wanted):
            return np.full(len(wanted), -1)
        order = np.argsort(self.image_ids)
        places = np.minimum(np.searchsorted(self.image_ids, wanted, sorter=order), len(order) - 1)
        return np.where(self.image_ids[order[places]] == wanted, order[places], -1)

    def part(self, joints: slice) -> Self:
        """Some of the joints alone; people count as labelled who have one of these."""
        assert self.skeleton is not None
        assert self.keypoints is not None
        keypoints = self.keypoints[:, joints]
        labelled = (keypoints[..., 2] > 0).sum(axis=1)
        return replace(self, skeleton=self.skeleton.part(joints), keypoints=keypoints, labelled=labelled)

    def only(self, image_ids: set[int]) -> Self:
        """As if the file listed these pictures and no others."""
        pictures = np.isin(self.image_ids, list(image_ids))
        kept = np.isin(self.image, list(image_ids))
        return replace(
            self,
            images=self.images.chosen(pictures),
            image_ids=self.image_ids[pictures],
            sizes=self.sizes[pictures],
            people=None if self.people is None else self.people.chosen(kept),
            image=self.image[kept],
            boxes=self.boxes[kept],
            areas=self.areas[kept],
            crowds=self.crowds[kept],
            labelled=self.labelled[kept],
            keypoints=None if self.keypoints is None else self.keypoints[kept],
        )


def read_annotations(
    source: Path | Mapping[str, Any],
    category: str | None = None,
    *,
    joints: bool = True,
    layout: Layout = COCO_LAYOUT,
    skeleton_file: SkeletonFile | None = None,
) -> Annotations:
    """A file in COCO's format, or what one holds.

    Where a field is missing, what COCO's own tools imply is taken, and a warning says so once with a count:
    ``iscrowd`` is 0, ``num_keypoints`` follows from the visibility, ``area`` is the box's, ``bbox`` goes around the
    labelled joints, and who has no ``keypoints`` beside others who have is a person without a labelled joint.

    Args:
        source: the file, or its content.
        category: whom to take; by default ``person``.
        joints: whether joints are needed; boxes alone will do otherwise.
        layout: where the file keeps what of a person.
        skeleton_file: what is known of joints that the file itself names.

    Raises:
        InputError: something is missing or impossible; the message names file and item.
    """
    content, sha = (source, "") if isinstance(source, Mapping) else read_json(source)
    name = "the ground truth" if isinstance(source, Mapping) else source.name
    if not isinstance(content, Mapping) or "images" not in content:
        raise InputError(
            f"{name}: must be an object with images, annotations and categories, as files in COCO's format are"
        )
    images = Items(content["images"], f"{name}, image", "id")
    if not len(images):
        raise InputError(f"{name} has no images")
    ids, texts = read_image_ids(images)
    images.refuse(repeated(ids), lambda _: "this id occurs twice")
    entries = Items(content["annotations"], f"{name}, annotation", "id") if "annotations" in content else None
    categories = Items(content.get("categories") or [], f"{name}, category", "id")
    place = _category(name, categories, category or PERSON, entries)
    wanted = int(categories.integers("id")[place])
    info = content.get("info")
    drawn = isinstance(info, Mapping) and "lightpose-bench" in str(info.get("description"))
    everyone = entries if entries is not None else Items([], f"{name}, annotation", "id")
    chosen = everyone.integers("category_id") == wanted
    people = everyone.chosen(chosen)
    boxes = _boxes(people, layout)
    skeleton = _skeleton(categories, place, people, layout, skeleton_file) if joints else None
    keypoints = _keypoints(people, layout, skeleton) if skeleton else None
    areas = boxes[:, 3] * boxes[:, 2]
    if layout.box_area is not None:
        areas = areas * layout.box_area
    else:  # who takes boxes alone has no use for areas
        areas = _areas(people, areas, layout, "taken from the box" if joints else "")
    people.refuse(areas < 0, lambda index: f"area is {areas[index]:g}")
    crowds = _with_default(people, "iscrowd", Items.truths, np.zeros(len(people), np.bool_), "taken as 0")
    found = Annotations(
        name=name,
        sha256=sha,
        images=images,
        image_ids=ids,
        texts=texts,
        sizes=_sizes(images),
        category=wanted,
        drawn=drawn,
        people=None if entries is None else people,
        image=image_numbers(people, texts),
        boxes=boxes,
        areas=areas,
        crowds=crowds,
        labelled=_labelled(people, keypoints, layout),
        skeleton=skeleton,
        keypoints=keypoints,
        others=int((~chosen).sum()),
    )
    people.refuse(
        found.rows(found.image) < 0,
        lambda index: f"image_id {shown(people.values[index]['image_id'])} is not in {name}",
    )
    _warn_of_doubled(found)
    return found


def read_boxes(items: Items) -> Float64Array:
    """The field ``bbox``, ``[len(items), 4]``: x, y, width, height in pixels."""
    return _sound(items, items.numbers("bbox", 4))


def _sound(items: Items, boxes: Float64Array) -> Float64Array:
    """The boxes of the items, which are refused if one is none."""
    widths, heights = boxes[:, 2], boxes[:, 3]
    far = (np.abs(boxes) > FARTHEST).any(axis=1)
    items.refuse(far, lambda index: f"bbox {boxes[index].tolist()} is farther than {FARTHEST:g} pixels")
    items.refuse(widths < 0, lambda index: f"bbox has width {widths[index]:g}")
    items.refuse(heights < 0, lambda index: f"bbox has height {heights[index]:g}")
    return boxes


def _boxes(people: Items, layout: Layout) -> Float64Array:
    """Of everyone; around the labelled joints where nobody drew one, as tools export who annotate joints alone."""
    undrawn = [index for index, one in enumerate(people.values) if _is_undrawn(one.get("bbox"), layout)]
    around = {index: box for index in undrawn if (box := _around_joints(people.values[index])) is not None}
    if not around:
        return read_boxes(people)
    drawn = np.ones(len(people), np.bool_)
    drawn[list(around)] = False
    boxes = np.zeros((len(people), 4))
    boxes[drawn] = people.chosen(drawn).numbers("bbox", 4)
    boxes[~drawn] = list(around.values())
    _say(people, len(around), "bbox is missing or has no size", "taken around the labelled joints")
    return _sound(people, boxes)


def _is_undrawn(box: Any, layout: Layout) -> bool:
    zero = isinstance(box, list) and len(box) == 4 and box[2:] == [0, 0]
    return box is None or box == [] or (layout.zero_is_unknown and zero)


def _around_joints(person: dict[str, Any]) -> list[float] | None:
    """The smallest box that holds somebody's labelled joints; none without any."""
    flat = _without_places(person.get(KEYPOINTS))
    if not isinstance(flat, list) or not flat or len(flat) % 3:
        return None
    try:
        joints = Items([{KEYPOINTS: flat}], "").numbers(KEYPOINTS, len(flat)).reshape(-1, 3)
    except InputError:  # it is said when the joints are read
        return None
    labelled = joints[joints[:, 2] > 0, :2]
    if not len(labelled):
        return None
    low, high = labelled.min(axis=0), labelled.max(axis=0)
    return [*low.tolist(), *(high - low).tolist()]


def _areas(people: Items, of_boxes: Float64Array, layout: Layout, taken: str) -> Float64Array:
    """In square pixels; the boxes' where there are none, or where 0 says that nobody measured them."""
    areas = _with_default(people, "area", Items.numbers, of_boxes, taken)
    unknown = (areas == 0) & (of_boxes > 0)
    if not layout.zero_is_unknown or not unknown.any():
        return areas
    if taken:
        _say(people, int(unknown.sum()), "area is 0", taken)
    return np.where(unknown, of_boxes, areas)


def repeated(ids: Int64Array) -> Bools:
    """Which of them occurred before."""
    again = np.ones(len(ids), np.bool_)
    again[np.unique(ids, return_index=True)[1]] = False
    return again


def _warn_of_doubled(found: Annotations) -> None:
    """Say who is annotated again under another id: each counts by itself, and a network finds them once."""
    if found.people is None or found.keypoints is None:
        return
    counted = np.flatnonzero(~found.crowds & (found.labelled > 0))
    if not len(counted):
        return
    image, boxes = found.image[counted], found.boxes[counted]
    # Joints are many numbers: only those of people are compared who have their box with another.
    order = np.lexsort((*boxes.T, image))
    equal = (np.diff(image[order]) == 0) & (np.diff(boxes[order], axis=0) == 0).all(axis=1)
    shared = np.sort(counted[order[np.append(equal, False) | np.insert(equal, 0, False)]])
    first: dict[tuple[int, bytes], int] = {}
    again = []
    for index in shared.tolist():
        labelled = found.keypoints[index, :, 2:] > 0  # where any other joint is says nothing
        joints = np.where(labelled, found.keypoints[index, :, :2], 0)
        numbers = np.concatenate([found.boxes[index], joints.ravel(), labelled.ravel()]) + 0.0  # -0 is 0
        before = first.setdefault((int(found.image[index]), numbers.tobytes()), index)
        if before != index:
            again.append(f"{_item(found.people, index)} as {_item(found.people, before)}")
    if again:
        warnings.warn(
            f"{found.people.where} {', '.join(again[:3])}: annotated again in the same picture with the same box and "
            f"joints, {len(again)} such in all; each counts as a person, which lowers AP: keep one of each",
            stacklevel=3,
        )


def _item(people: Items, index: int) -> str:
    """An annotation by its id or its position, without the file."""
    return people.name(index).removeprefix(people.where).strip()


def warn_of_areas(found: Annotations) -> None:
    """Say whose area is far from what the box allows: similarity, and so AP, is measured in units of it."""
    if found.people is None:
        return
    box = found.boxes[:, 2] * found.boxes[:, 3]
    counted = ~found.crowds & (found.labelled > 0) & (found.areas > 0) & (box > 0)
    strange = counted & ((found.areas < _SMALLEST_AREA * box) | (found.areas > _LARGEST_AREA * box))
    if strange.any():
        first = int(strange.argmax())
        width, height = found.boxes[first, 2:]
        warnings.warn(
            f"{found.people.name(first)}: area {found.areas[first]:g} is far from what a box of {width:g}x{height:g} "
            f"allows, {int(strange.sum())} such in all; OKS and AP are measured in units of the area, so check it",
            stacklevel=2,
        )


def warn_of_places(found: Annotations, sizes: Float64Array) -> None:
    """Say where boxes or joints are hardly what they are taken for, as where another tool has other conventions.

    Args:
        found: with joints.
        sizes: ``[N, 2]`` width and height of each person's picture.
    """
    assert found.keypoints is not None
    counted = ~found.crowds & (found.labelled > 0)
    if not counted.any():
        return
    low, extent = found.boxes[counted, :2], found.boxes[counted, 2:]
    joints, visible = found.keypoints[counted, :, :2], found.keypoints[counted, :, 2] > 0
    away = np.abs(joints - (low + extent / 2)[:, None]) - extent[:, None] / 2
    outside = np.asarray((away > 1).any(axis=2))[visible]
    if outside.size and outside.mean() > _MOST_OUTSIDE:
        warnings.warn(
            f"{found.name}: {outside.mean():.0%} of the labelled joints are outside the box of their person: joints "
            "and bbox must be in pixels of the picture, bbox as x and y of its upper left corner, width, height",
            stacklevel=3,
        )
    warn_of_boxes(found.name, found.boxes[counted], sizes[counted])
    known = sizes[counted, 0] < FARTHEST
    reach = ((low + extent) / sizes[counted])[known].max(axis=0, initial=0)
    if known.sum() >= _SOME and (reach < _SMALLEST_REACH).all():
        warnings.warn(
            f"{found.name}: none of the {known.sum()} people reaches beyond the left {reach[0]:.0%} and the upper "
            f"{reach[1]:.0%} of their pictures: joints and bbox must be in pixels of the pictures as they are, and not "
            "of smaller ones or in percent",
            stacklevel=3,
        )


def warn_of_boxes(name: str, boxes: Float64Array, sizes: Float64Array) -> None:
    """Say where boxes are hardly x, y, width, height in pixels: so many are tiny, or end far beyond their pictures.

    Args:
        name: of the file.
        boxes: ``[N, 4]``.
        sizes: ``[N, 2]`` width and height of each one's picture; infinite where they are not known.
    """
    if not len(boxes):
        return
    for odd, what, wrong in (
        ((boxes[:, :2] + boxes[:, 2:] > _BEYOND * sizes).any(axis=1), "reach far beyond their picture", "two corners"),
        ((boxes[:, 2:] <= 1).all(axis=1), "are no larger than a pixel", "shares of the picture"),
    ):
        if odd.mean() > _MOST_BEYOND:
            warnings.warn(
                f"{name}: {odd.mean():.0%} of the boxes {what}: bbox must be x, y, width, height in pixels, and not "
                f"{wrong}",
                stacklevel=4,
            )


def _category(name: str, items: Items, wanted: str, annotations: Items | None) -> int:
    """Which of the categories is the one wanted."""
    names, ids = items.texts("name"), items.integers("id")
    items.refuse(repeated(ids), lambda _: "this id occurs twice")
    found = [index for index, one in enumerate(names) if one == wanted]
    if not found:
        there = ", ".join(dict.fromkeys(names[:20])) or "none"
        raise InputError(f"{name}: no category {wanted!r} (there is: {there}); --category NAME takes another")
    # Some exports begin with a root category of the same name, which nothing is annotated with.
    of = annotations.integers("category_id") if annotations is not None else np.zeros(0, np.int64)
    used = [index for index in found if (of == ids[index]).any()]
    with_joints = [index for index in used if items.values[index].get("keypoints")]
    usable = next((some for some in (found, used, with_joints) if len(some) == 1), None)
    if usable is None:
        which = ", ".join(f"id {ids[index]} with {int((of == ids[index]).sum())} annotations" for index in found)
        raise InputError(f"{name}: {len(found)} categories are named {wanted!r} ({which}), and one is needed")
    return usable[0]


def _skeleton(categories: Items, index: int, people: Items, layout: Layout, file: SkeletonFile | None) -> Skeleton:
    """The layout's; or that of the joints which the category names, with what is known of them."""
    names = categories.values[index].get("keypoints") or None
    if names is not None and not isinstance(names, list):
        categories.fail(index, "keypoints is not a list of names")
    if layout.skeleton is not None:
        _check_joint_names(categories, index, names, layout)
        return layout.skeleton
    if file is None:
        _refuse_another_order(categories, index, names, COCO)
    if names is None or all(str(name).isdigit() for name in names):  # some tools number them
        if file is not None and file.joints is not None:
            names = list(file.joints)
        elif (_joint_count(people) if names is None else len(names)) == len(COCO.joints):
            names = list(COCO.joints)
            if len(people):  # of a list of pictures nothing is taken
                warnings.warn(
                    f"{categories.name(index)}: its joints have no names: taken as COCO's {len(names)} in COCO's order",
                    stacklevel=4,
                )
    return make_skeleton(names, categories.values[index].get("skeleton"), file, where=categories.name(index))


def _joint_count(people: Items) -> int:
    """How many joints the first person has who has any; COCO's number where nobody has."""
    flat = next((one for value in people.values if isinstance(one := value.get(KEYPOINTS), list) and one), None)
    return len(COCO.joints) if flat is None else len(flat) // 3


def _check_joint_names(items: Items, index: int, names: list[Any] | None, layout: Layout) -> None:
    """A category may name its joints or not; they must be as many as the layout's, and in its order."""
    skeleton = layout.skeleton
    if names is None or skeleton is None or layout.longer is not None or len(layout.fields) > 1:
        return
    if len(names) != len(skeleton.joints):
        whose = "COCO's " if skeleton == COCO else ""
        items.fail(
            index,
            f"{items.values[index]['name']} has {len(names)} joints, and {whose}{len(skeleton.joints)} are needed",
        )
    _refuse_another_order(items, index, names, skeleton)
    both = zip(map(str, names), skeleton.joints, strict=True)
    other = next(((one, ours) for one, ours in both if words(one) != words(ours) and not one.isdigit()), None)
    if other is not None:
        warnings.warn(
            f"{items.name(index)}: the joint {other[0]!r} is taken for {other[1]}: the data set's joints are meant, in "
            "its order",
            stacklevel=4,
        )


def _refuse_another_order(items: Items, index: int, names: list[Any] | None, skeleton: Skeleton) -> None:
    theirs, ours = ([words(str(name)) for name in one] for one in (names or (), skeleton.joints))
    if sorted(theirs) == sorted(ours) and theirs != ours:
        whose = "COCO's" if skeleton == COCO else "the data set's"
        taken = "; or --skeleton FILE with their sigmas takes them as they are" if skeleton == COCO else ""
        items.fail(index, f"keypoints are {whose} joints in another order: they are needed in {whose}{taken}")


def _keypoints(people: Items, layout: Layout, skeleton: Skeleton) -> Float64Array:
    fields = layout.fields if layout.skeleton is not None else {KEYPOINTS: len(skeleton.joints)}
    keypoints = np.concatenate([_field(people, *one, layout.longer) for one in fields.items()], axis=1)
    far = (np.abs(keypoints) > FARTHEST).any(axis=(1, 2))
    people.refuse(far, lambda _: f"a joint is farther than {FARTHEST:g} pixels")
    if layout.skeleton is None:
        _warn_of_visibility(people, keypoints)
    if layout.any_flag:
        keypoints[..., 2] = np.clip(np.ceil(keypoints[..., 2]), 0, 2)
    strange = ~np.isin(keypoints[..., 2], (0, 1, 2))
    people.refuse(strange.any(axis=1), lambda index: _strange_visibility(keypoints[index], skeleton))
    return keypoints


def _warn_of_visibility(people: Items, keypoints: Float64Array) -> None:
    """Say where most joints have a place and no visibility, as where another tool means something else by 0."""
    placed = (keypoints[..., :2] != 0).any(axis=2)
    unseen = placed & (keypoints[..., 2] == 0)
    if placed.any() and unseen.sum() > _MOST_UNSEEN * placed.sum():
        warnings.warn(
            f"{people.file}: {unseen.sum() / placed.sum():.0%} of the joints that have a place have "
            "a visibility of 0, and count as not labelled: 1 is needed for hidden and 2 for visible ones",
            stacklevel=4,
        )


def _field(people: Items, key: str, joints: int, longer: int | None) -> Float64Array:
    """The joints of one field, ``[N, joints, 3]``; of who has none, although others have, nothing is labelled."""
    found = np.zeros((len(people), joints, 3))
    there = np.array([not _is_jointless(value, key) for value in people.values], np.bool_)
    if len(people) and not there.any():
        raise InputError(
            f"{people.file}: nobody has {key}: annotations of joints are needed, as in COCO's "
            "person_keypoints files, and not of boxes or outlines alone"
        )
    labelled = people if there.all() else people.chosen(there)
    first = next((value.get(key) for value in labelled.values), None)
    count = longer if longer is not None and isinstance(first, list) and len(first) == 3 * longer else joints
    try:
        flat = labelled.numbers(key, 3 * count)
    except InputError:
        flat = labelled.with_values(key, _without_places).numbers(key, 3 * count)
    found[there] = flat.reshape(-1, count, 3)[:, :joints]
    if not there.all():
        _say(people, int((~there).sum()), f"{key} is missing", "taken as people without a labelled joint")
    return found


def _without_places(flat: Any) -> Any:
    """Joints with places of 0 where nothing is labelled: some tools write null or NaN there."""
    if not isinstance(flat, list) or len(flat) % 3:
        return flat
    joints = (flat[start : start + 3] for start in range(0, len(flat), 3))
    return [number for joint in joints for number in ([0, 0, 0] if _is_nothing(joint[2]) else joint)]


def _is_nothing(flag: Any) -> bool:
    return flag is None or flag == 0 or flag != flag  # NaN alone is not itself


def _is_jointless(person: dict[str, Any], key: str) -> bool:
    """Whether somebody's joints were not annotated. Where their number is given, they were, and are lost."""
    joints = person.get(key)
    return (joints is None or joints == []) and not person.get("num_keypoints")


def _strange_visibility(keypoints: Float64Array, skeleton: Skeleton) -> str:
    joint = int(np.argmin(np.isin(keypoints[:, 2], (0, 1, 2))))
    return f"visibility of {skeleton.joints[joint]} is {keypoints[joint, 2]:g}, and must be 0, 1 or 2"


def _labelled(people: Items, keypoints: Float64Array | None, layout: Layout) -> Int64Array:
    if keypoints is not None:
        seen = (keypoints[..., 2] > 0).sum(axis=1)
        if layout.longer is not None:  # the file counts joints that are not taken
            return seen
        told = _with_default(people, "num_keypoints", _counts, seen, "counted by the joints' visibility")
        if len(layout.fields) == 1:
            _warn_of_counts(people, told, seen)
        return told
    flat = [value.get("keypoints") for value in people.values]
    seen = np.array([_visible(one) if isinstance(one, list) else UNKNOWN for one in flat], np.int64)
    return _with_default(people, "num_keypoints", _counts, seen, "")


def _warn_of_counts(people: Items, told: Int64Array, seen: Int64Array) -> None:
    """Say whose ``num_keypoints`` and joints contradict each other: COCO's tools go by the number."""
    for odd, what in (
        ((told == 0) & (seen > 0), "0 for {} people whose joints are labelled: not looked at, as by COCO's own tools"),
        ((told > 0) & (seen == 0), "above 0 for {} people without a labelled joint: not looked at, and counted as "
         "people who were not found, as by COCO's own tools"),
    ):  # fmt: skip
        if odd.any():
            warnings.warn(f"{people.file}: num_keypoints is {what.format(int(odd.sum()))}", stacklevel=4)


def _counts(items: Items, key: str) -> Int64Array:
    """A field of whole numbers from 0."""
    counts = items.integers(key)
    items.refuse(counts < 0, lambda index: f"{key} is {counts[index]}")
    return counts


def _visible(keypoints: list[Any]) -> int:
    return sum(isinstance(flag, (int, float)) and flag > 0 for flag in keypoints[2::3])


def _with_default(
    items: Items, key: str, read: Callable[[Items, str], npt.NDArray[Any]], default: npt.NDArray[Any], taken: str
) -> npt.NDArray[Any]:
    """A field of all items, and a default where it is missing; a warning says so unless ``taken`` is empty."""
    there = items.has(key)
    if there.all():
        return read(items, key)
    values = default.copy()
    values[there] = read(items.chosen(there), key)
    if taken:
        _say(items, int((~there).sum()), f"{key} is missing", taken)
    return values


def _say(people: Items, count: int, what: str, taken: str) -> None:
    """Say once of a field what it lacks for how many, and what is taken in its place."""
    whom = f"{count} of {len(people)} people" if count < len(people) else "everyone"
    warnings.warn(f"{people.file}: {what} for {whom}: {taken}", stacklevel=5)


def _sizes(images: Items) -> Int64Array:
    """Width and height; some tools write none, -1 or 0 where they did not look."""
    sides = []
    for key in ("width", "height"):
        side = np.full(len(images), UNKNOWN)
        there = images.has(key)
        side[there] = images.chosen(there).integers(key)
        sides.append(side)
    sizes = np.stack(sides, axis=1)
    sizes[(sizes == 0).all(axis=1)] = UNKNOWN
    bad = (sizes < 1).any(axis=1) & (sizes != UNKNOWN).any(axis=1)
    images.refuse(bad, lambda index: f"width x height is {sizes[index, 0]}x{sizes[index, 1]}")
    return sizes
