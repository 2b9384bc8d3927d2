"""CrowdPose: 14 joints, and pictures by how crowded they are (arXiv 1812.00324)."""

from typing import TYPE_CHECKING, Any

from bench.core.skeletons import CROWDPOSE
from bench.data.published import SplitFiles, open_published
from bench.data.registry import DatasetEntry, Source

if TYPE_CHECKING:
    from bench.data.coco import CocoDataset

METRICS = {
    "ap": "AP", "ap50": "AP50", "ap75": "AP75", "ar": "AR", "ar50": "AR50", "ar75": "AR75", "ap_easy": "AP easy",
    "ap_medium": "AP medium", "ap_hard": "AP hard",
}  # fmt: skip
# Networks are published as trained on training and validation set, and measured on the test set.
SPLITS = {
    "val": SplitFiles(
        "crowdpose_test",
        ("annotations/crowdpose_test.json", "annotations/mmpose_crowdpose_test.json", "json/crowdpose_test.json"),
        ("images",),
    ),
    "train": SplitFiles(
        "crowdpose_trainval",
        (
            "annotations/crowdpose_trainval.json",
            "annotations/mmpose_crowdpose_trainval.json",
            "json/crowdpose_trainval.json",
        ),
        ("images",),
    ),
}
BOX_AREA = 0.53  # its people have no outlines: this share of the box is taken for their area


def open_crowdpose(source: Source) -> "CocoDataset":
    """A split of CrowdPose.

    Raises:
        InputError: it cannot be found or used; or a picture of the test set has no crowd index.
    """
    from bench.accuracy.parts import CROWDED
    from bench.data.annotations import Layout

    dataset = open_published(source, ENTRY, SPLITS, Layout.of(CROWDPOSE, box_area=BOX_AREA))
    if source.split == "val":
        crowding = dataset.truth.images.numbers(CROWDED)
        bad = (crowding < 0) | (crowding > 1)
        dataset.truth.images.refuse(bad, lambda index: f"{CROWDED} is {crowding[index]:g}, and must be from 0 to 1")
    return dataset


def score_crowdpose(truth: Any, predictions: list[dict[str, Any]], evaluator: str) -> dict[str, float]:
    """AP and AR as COCO has them, with CrowdPose's sigmas and areas, and AP by how crowded pictures are."""
    from bench.accuracy.parts import score_crowding

    found = {name.lower(): value for name, value in score_crowding(truth, predictions, evaluator).items()}
    return {name: found[name] for name in METRICS}


ENTRY = DatasetEntry(
    name="crowdpose",
    skeleton=CROWDPOSE,
    input="256x192",
    metrics=METRICS,
    main="ap",
    factor=100,
    open=open_crowdpose,
    score=score_crowdpose,
    weights="crowdpose",
    detector_boxes=True,
    sizes={"crowdpose_test": 8_000, "crowdpose_trainval": 12_000},
)
