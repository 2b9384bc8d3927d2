"""Data sets by name. Each is a file in ``bench/data/sets``: adding one is one new file, found by itself.

Imports nothing heavy: commands read the names for their options.
"""

import functools
import importlib
import pkgutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import InputError
from bench.core.skeletons import Skeleton
from bench.data import sets

if TYPE_CHECKING:
    from bench.data.dataset import Dataset

SPLITS = ("val", "train")


@dataclass(frozen=True)
class Source:
    """Where a data set lies, and what of it is asked for.

    Attributes:
        root: the folder with ``annotations`` in it, or the one above it.
        annotations: an annotation file wherever it lies, in place of a root.
        pictures: the folder of the pictures that ``annotations`` names; by default, the file's own.
        category: what to look for, where the file has several categories; by default, people.
        skeleton: a file that says of the joints in ``annotations`` what that file does not: sigmas, pairs.
        split: ``val`` or ``train``.
        test_dev: COCO's test-dev2017, which has no annotations: the split does not matter, detections are needed.
        detections: a file in COCO's result format, instead of the annotated boxes.
        subset: leave out detections in pictures that the annotations do not list.
        limit: only the first pictures, this many; or people, where the entry's ``unit`` is people.
        images: how many pictures to draw.
        seed: of the drawing.
    """

    root: Path | None = None
    annotations: Path | None = None
    pictures: Path | None = None
    category: str | None = None
    skeleton: Path | None = None
    split: str = "val"
    test_dev: bool = False
    detections: Path | None = None
    subset: bool = False
    limit: int | None = None
    images: int | None = None
    seed: int | None = None

    @property
    def on_disk(self) -> bool:
        return self.root is not None or self.annotations is not None


@dataclass(frozen=True)
class DatasetEntry:
    """What is known of a data set before it is read.

    Attributes:
        name: as options give it.
        skeleton: its joints.
        input: height x width that networks usually take for it.
        metrics: what is shown of the results: the name in records to the heading.
        main: the metric that trainings are compared by.
        factor: by which metrics are multiplied when they are shown; 100 where they are fractions.
        open: reads it.
        score: from the true poses, the predictions and the evaluator's name to metrics, named as records name them;
            imports what it needs when it is called.
        score_heads: PCKh where a skeleton says how large a head is: from skeleton, people and predictions.
        weights: the data set of the published weights that go with it.
        default_weights: what is evaluated if nothing else is asked for.
        needs_files: whether it lies on disk; otherwise it is drawn.
        detector_boxes: whether the published figures use the boxes of a person detector.
        half_body: whether the paper's recipe trains on halves of its people as well.
        sizes: how many pictures or people a published split has. A set of another size does not go by its name.
        unit: which of the two its size and ``--limit`` count.
        result_fields: of COCO's result format, in the order of the joints, and how many joints each holds; by default,
            all are in ``keypoints``.
    """

    name: str
    skeleton: Skeleton
    input: str
    metrics: Mapping[str, str]
    main: str
    factor: int
    open: "Callable[[Source], Dataset]"
    score: Callable[[Any, Any, str], dict[str, float]]
    weights: str
    default_weights: str = "published"
    needs_files: bool = True
    detector_boxes: bool = False
    half_body: bool = True
    sizes: Mapping[str, int] = field(default_factory=dict)
    unit: str = "pictures"
    score_heads: Callable[[Skeleton, Any, Any], dict[str, float]] | None = None
    result_fields: Mapping[str, int] | None = None

    def sized_name(self, name: str, size: int) -> str:
        """The name of a split as records have it; with its size if that is not the published one."""
        return name if self.sizes.get(name) == size else f"{name} ({size} {self.unit})"


@functools.cache
def entries() -> dict[str, DatasetEntry]:
    """All data sets, by name."""
    modules = (
        importlib.import_module(f"{sets.__name__}.{found.name}") for found in pkgutil.iter_modules(sets.__path__)
    )
    found: list[DatasetEntry] = [module.ENTRY for module in modules]
    return {entry.name: entry for entry in sorted(found, key=lambda entry: entry.name)}


def entry_of(name: str) -> DatasetEntry:
    """A data set's entry.

    Raises:
        InputError: there is none of this name.
    """
    if name not in entries():
        raise InputError(f"no data set {name!r}: there is {', '.join(entries())}")
    return entries()[name]


def entry_with_joints(joints: int) -> DatasetEntry:
    """The first data set whose people have so many joints; raises ``InputError`` if there is none."""
    found = next((entry for entry in entries().values() if len(entry.skeleton.joints) == joints), None)
    if found is None:
        raise InputError(f"no data set has people of {joints} joints: there are {', '.join(map(str, joint_counts()))}")
    return found


def entry_with(skeleton: Skeleton) -> DatasetEntry:
    """The data set with such people; or COCO's, but for the skeleton."""
    found = next((entry for entry in entries().values() if entry.skeleton == skeleton), None)
    return found or replace(entry_of("coco"), name="the skeleton", skeleton=skeleton)


def joint_counts() -> list[int]:
    """How many joints the people of the data sets have."""
    return sorted({len(entry.skeleton.joints) for entry in entries().values()})


def open_dataset(name: str, data_root: Path | None = None, **options: Any) -> "Dataset":
    """A data set, ready to be read.

    Args:
        name: ``coco``, ``mpii``, ``synthetic`` or what else has a file in ``bench/data/sets``.
        data_root: the folder with ``annotations`` in it, or the one above, with ``coco`` or ``mpii`` in it. Synthetic
            people are drawn in memory where none is given.
        options: the other fields of ``Source``: ``split``, ``detections``, ``limit`` …

    Raises:
        InputError: nothing is there under this name, or what is there cannot be used.
    """
    source = Source(root=data_root, **options)
    entry = entry_of(name)
    if source.split not in SPLITS:
        raise InputError(f"no split {source.split!r}: there is {' and '.join(SPLITS)}")
    if source.skeleton is not None and (source.annotations is None or name != "coco"):
        raise InputError("--skeleton goes with --annotations FILE: the data sets have skeletons of their own")
    if entry.needs_files and not source.on_disk:
        raise InputError(f"{name} is read from disk: give the folder that it is in with --data-root")
    if data_root is not None and not data_root.is_dir():
        raise InputError(f"no folder {data_root}: give the one that {name} is in with --data-root")
    return entry.open(source)


def find_base(root: Path, name: str, places: list[str]) -> Path:
    """The folder of a data set: the one given, or the one of its name in it, whichever has a file at a place.

    Raises:
        InputError: neither has; the message lists where it was looked for.
    """
    found = first_existing([base / place for base in (root, root / name) for place in places])
    return root if any(found == root / place for place in places) else root / name


def first_existing(paths: list[Path]) -> Path:
    """The first path that exists.

    Raises:
        InputError: none does.
    """
    for path in paths:
        if path.exists():
            return path
    raise InputError(f"not found: {', nor '.join(map(str, paths))}; give the data set's folder with --data-root")
