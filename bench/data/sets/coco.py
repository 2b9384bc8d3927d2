"""COCO's people, and any set in COCO's format."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.core.errors import InputError
from bench.core.record import printable
from bench.core.skeletons import COCO, Skeleton
from bench.data.registry import DatasetEntry, Source, find_base, first_existing

if TYPE_CHECKING:
    from bench.data.coco import CocoDataset

METRICS = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_m": "AP_M", "ap_l": "AP_L", "ar": "AR"}


def open_coco(source: Source, skeleton: Skeleton = COCO) -> "CocoDataset":
    """A split of COCO; or, given as files, any set in its format.

    Args:
        source: where it lies.
        skeleton: of its people; files say it themselves.

    Raises:
        InputError: it cannot be found or used.
    """
    from bench.data.annotations import Layout
    from bench.data.coco import CocoDataset

    if source.annotations is not None:
        return _open_files(source.annotations, source)
    if source.root is None:
        raise InputError("coco is read from disk: give the folder that it is in with --data-root")
    part = "test-dev2017" if source.test_dev else f"{source.split}2017"
    listing = f"image_info_{part}.json" if source.test_dev else f"person_keypoints_{part}.json"
    folder = "test2017" if source.test_dev else part
    if source.test_dev and source.detections is None:
        raise InputError("test-dev2017 has no annotations: give the boxes to look into with --detections")
    base = find_base(source.root, "coco", [f"annotations/{listing}"])
    pictures = first_existing([base / folder, base / "images" / folder])
    dataset = CocoDataset(
        base / "annotations" / listing,
        pictures,
        name=f"coco_{part}",
        detections=source.detections,
        limit=source.limit,
        category=source.category,
        subset=source.subset,
        layout=Layout.of(skeleton),
    )
    dataset.name = ENTRY.sized_name(dataset.name, dataset.pictures)
    return dataset


def _open_files(annotations: Path, source: Source) -> "CocoDataset":
    """Any set in COCO's format, as it was exported, with any joints; it goes by the name of its annotation file."""
    from bench.data.annotations import EXPORTED
    from bench.data.coco import CocoDataset
    from bench.data.skeleton_files import read_skeleton

    if source.root is not None or source.test_dev:
        raise InputError("--annotations takes the place of --data-root, and of --test-dev: give one of them")
    name = printable(annotations.stem)
    dataset = CocoDataset(
        annotations,
        source.pictures or annotations.parent,
        name=name,
        detections=source.detections,
        limit=source.limit,
        category=source.category,
        subset=source.subset,
        layout=EXPORTED,
        skeleton_file=read_skeleton(source.skeleton) if source.skeleton else None,
    )
    # Never the plain name of a published set.
    dataset.name += f" ({dataset.pictures} pictures)"
    return dataset


def score_keypoints(
    truth: Any, predictions: list[dict[str, Any]], evaluator: str, skeleton: Skeleton = COCO
) -> dict[str, float]:
    """COCO's average precision and recall over object keypoint similarity."""
    from bench.accuracy.coco import METRICS as ALL
    from bench.accuracy.coco import score_coco

    metrics = score_coco(truth, predictions, vis_thr=0.2, oks_thr=0.9, evaluator=evaluator, skeleton=skeleton)
    return {metric.lower(): metrics[metric] for metric in ALL}


def score_heads(skeleton: Skeleton, people: Any, predictions: Any) -> dict[str, float]:
    """PCKh by the size of the head that the skeleton names."""
    from bench.accuracy import heads

    return heads.score_heads(skeleton, people, predictions)


ENTRY = DatasetEntry(
    name="coco",
    skeleton=COCO,
    input="256x192",
    metrics=METRICS,
    main="ap",
    factor=100,
    open=open_coco,
    score=score_keypoints,
    score_heads=score_heads,
    weights="coco",
    detector_boxes=True,
    sizes={"coco_val2017": 5_000, "coco_train2017": 118_287, "coco_test-dev2017": 20_288},
)
