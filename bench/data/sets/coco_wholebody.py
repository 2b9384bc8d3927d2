"""COCO-WholeBody: 133 joints of body, feet, face and hands (arXiv 2007.11858)."""

from typing import TYPE_CHECKING, Any

from bench.core.skeletons import WHOLEBODY
from bench.data.published import SplitFiles, open_published
from bench.data.registry import DatasetEntry, Source

if TYPE_CHECKING:
    from bench.data.coco import CocoDataset

# Fields of its annotations, in the order of the joints, and how many each has.
FIELDS = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
PARTS = {
    "body": slice(0, 17), "foot": slice(17, 23), "face": slice(23, 91), "lefthand": slice(91, 112),
    "righthand": slice(112, 133), "whole": slice(0, 133),
}  # fmt: skip
METRICS = {
    f"{kind}_{part}": f"{part} {kind.upper()}" for part in ("body", "foot", "face", "hand") for kind in ("ap", "ar")
} | {"ap": "whole AP", "ar": "whole AR"}
SPLITS = {
    split: SplitFiles(
        f"coco_wholebody_{split}2017",
        (f"annotations/coco_wholebody_{split}_v1.0.json",),
        (f"{split}2017", f"images/{split}2017"),
    )
    for split in ("val", "train")
}


def open_wholebody(source: Source) -> "CocoDataset":
    """A split of COCO-WholeBody.

    Raises:
        InputError: it cannot be found or used.
    """
    from bench.data.annotations import Layout

    return open_published(source, ENTRY, SPLITS, Layout(WHOLEBODY, FIELDS, any_flag=True))


def score_wholebody(truth: Any, predictions: list[dict[str, Any]], evaluator: str) -> dict[str, float]:
    """AP and AR of all joints, and of each part. That of hands is the mean of the left and the right ones'."""
    from bench.accuracy.parts import score_parts

    by_part = score_parts(truth, predictions, PARTS, evaluator)
    found: dict[str, float] = {}
    for kind in ("ap", "ar"):
        of = {part: metrics[kind.upper()] for part, metrics in by_part.items()}
        found |= {f"{kind}_{part}": value for part, value in of.items() if part != "whole"}
        hands = [of[part] for part in ("lefthand", "righthand") if of[part] >= 0]  # -1 where nobody shows one
        found |= {f"{kind}_hand": sum(hands) / len(hands) if hands else -1.0, kind: of["whole"]}
    return found


ENTRY = DatasetEntry(
    name="coco_wholebody",
    skeleton=WHOLEBODY,
    input="256x192",
    metrics=METRICS,
    main="ap",
    factor=100,
    open=open_wholebody,
    score=score_wholebody,
    weights="coco_wholebody",
    detector_boxes=True,
    sizes={"coco_wholebody_val2017": 5_000, "coco_wholebody_train2017": 118_287},
    result_fields=FIELDS,
)
