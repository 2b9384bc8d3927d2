"""Data sets by name, from folders laid out as they are commonly kept."""

from pathlib import Path

from bench.core.errors import InputError
from bench.data.coco import CocoDataset
from bench.data.dataset import Dataset
from bench.data.mpii import MpiiDataset
from bench.data.synthetic.dataset import IMAGES, SEED, SyntheticDataset

NAMES = ("coco", "mpii", "synthetic")

# A set of another size is not the one that figures are published for, and is named so.
_PICTURES = {"coco_val2017": 5_000, "coco_train2017": 118_287, "coco_test-dev2017": 20_288}
_PEOPLE = {"mpii_val": 2_958, "mpii_train": 22_246}


def open_dataset(
    name: str,
    data_root: Path | None = None,
    *,
    split: str = "val",
    detections: Path | None = None,
    test_dev: bool = False,
    limit: int | None = None,
    images: int = IMAGES,
    seed: int = SEED,
) -> Dataset:
    """A data set, ready to be read.

    Args:
        name: ``coco``, ``mpii`` or ``synthetic``.
        data_root: the folder with ``annotations`` in it, or the one above, with ``coco`` or ``mpii`` in it. Synthetic
            people are drawn in memory where none is given.
        split: ``val`` or ``train``.
        detections: a file in COCO's result format, instead of the annotated boxes.
        test_dev: COCO's test-dev2017, which has no annotations: the split does not matter, detections are needed.
        limit: only the first pictures, this many; of MPII, the first people.
        images: how many synthetic pictures to draw.
        seed: of the drawing.

    Raises:
        InputError: nothing is there under this name, or what is there cannot be used.
    """
    if name not in NAMES:
        raise InputError(f"no data set {name!r}: there is {', '.join(NAMES)}")
    if split not in ("val", "train"):
        raise InputError(f"no split {split!r}: there is val and train")
    if test_dev and name != "coco":
        raise InputError(f"only coco has a test-dev split, and {name} has none")
    if detections is not None and (name == "mpii" or (data_root is None and name == "synthetic")):
        raise InputError(f"{name} has its boxes in its annotations: leave out --detections")
    if data_root is None:
        if name == "synthetic":
            return SyntheticDataset(min(images, limit or images), seed)
        raise InputError(f"{name} is read from disk: give the folder that it is in with --data-root")
    if not data_root.is_dir():
        raise InputError(f"no folder {data_root}: give the one that {name} is in with --data-root")
    if name == "mpii":
        return _open_mpii(data_root, split, limit)
    dataset = _open_coco(data_root, split, detections, test_dev, limit)
    if name == "synthetic" and not dataset.name.startswith(name):
        raise InputError(f"{dataset.annotation_file} was not written by bench.data synthetic: open it as coco")
    return dataset


def _open_coco(root: Path, split: str, detections: Path | None, test_dev: bool, limit: int | None) -> CocoDataset:
    part = "test-dev2017" if test_dev else f"{split}2017"
    listing = f"image_info_{part}.json" if test_dev else f"person_keypoints_{part}.json"
    folder = "test2017" if test_dev else part
    if test_dev and detections is None:
        raise InputError("test-dev2017 has no annotations: give the boxes to look into with --detections")
    base = _base(root, "coco", [f"annotations/{listing}"])
    pictures = _first([base / folder, base / "images" / folder])
    dataset = CocoDataset(
        base / "annotations" / listing, pictures, name=f"coco_{part}", detections=detections, limit=limit
    )
    if dataset.pictures != _PICTURES.get(dataset.name):
        dataset.name += f" ({dataset.pictures} pictures)"
    return dataset


def _open_mpii(root: Path, split: str, limit: int | None) -> MpiiDataset:
    listing = f"mpii_{split}.json"
    places = [f"annotations/{listing}", f"annot/{listing}", listing]
    base = _base(root, "mpii", places)
    annotations = _first([base / place for place in places])
    dataset = MpiiDataset(annotations, base / "images", name=f"mpii_{split}", limit=limit)
    if len(dataset) != _PEOPLE[dataset.name]:
        dataset.name += f" ({len(dataset)} people)"
    return dataset


def _base(root: Path, name: str, places: list[str]) -> Path:
    """The folder of a data set: the one given, or the one of its name in it."""
    found = _first([base / place for base in (root, root / name) for place in places])
    return root if any(found == root / place for place in places) else root / name


def _first(paths: list[Path]) -> Path:
    for path in paths:
        if path.exists():
            return path
    raise InputError(f"not found: {', nor '.join(map(str, paths))}; give the data set's folder with --data-root")
