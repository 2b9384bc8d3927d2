"""Halpe: 26 joints of body and feet, of the 136 that its people have (arXiv 2211.03375)."""

from typing import TYPE_CHECKING, Any

from bench.core.skeletons import HALPE26
from bench.data.published import SplitFiles, open_published
from bench.data.registry import DatasetEntry, Source

if TYPE_CHECKING:
    from bench.data.coco import CocoDataset

JOINTS, OF = 26, 136
PARTS = {"whole": slice(0, 26), "body": slice(0, 20), "foot": slice(20, 26)}
METRICS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_m": "AP_M", "ap_l": "AP_L", "ar": "AR", "ap_body": "body AP",
    "ap_foot": "foot AP",
}  # fmt: skip
SPLITS = {
    "val": SplitFiles("halpe_val", ("annotations/halpe_val_v1.json",), ("val2017", "images/val2017")),
    "train": SplitFiles(
        "halpe_train",
        ("annotations/halpe_train_v1.json",),
        ("hico_20160224_det/images/train2015", "images/train2015", "train2015"),
    ),
}


def open_halpe(source: Source) -> "CocoDataset":
    """A split of Halpe.

    Raises:
        InputError: it cannot be found or used.
    """
    from bench.data.annotations import Layout

    layout = Layout(HALPE26, {"keypoints": JOINTS}, longer=OF, any_flag=True)
    return open_published(source, ENTRY, SPLITS, layout)


def score_halpe(truth: Any, predictions: list[dict[str, Any]], evaluator: str) -> dict[str, float]:
    """COCO's metrics over the 26 joints, with Halpe's sigmas, and AP of body and feet alone."""
    from bench.accuracy.parts import score_parts

    by_part = score_parts(truth, predictions, PARTS, evaluator)
    found = {name.lower(): value for name, value in by_part["whole"].items()}
    return found | {f"ap_{part}": by_part[part]["AP"] for part in ("body", "foot")}


ENTRY = DatasetEntry(
    name="halpe26",
    skeleton=HALPE26,
    input="256x192",
    metrics=METRICS,
    main="ap",
    factor=100,
    open=open_halpe,
    score=score_halpe,
    weights="halpe26",
    detector_boxes=True,
)
