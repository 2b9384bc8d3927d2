"""MPII Human Pose, single-person evaluation."""

from typing import TYPE_CHECKING, Any

from bench.core.errors import InputError
from bench.core.skeletons import MPII
from bench.data.registry import DatasetEntry, Source, find_base, first_existing

if TYPE_CHECKING:
    from bench.data.mpii import MpiiDataset

METRICS = ("Head", "Shoulder", "Elbow", "Wrist", "Hip", "Knee", "Ankle", "PCKh", "PCKh@0.1")


def open_mpii(source: Source) -> "MpiiDataset":
    """A split of MPII.

    Raises:
        InputError: it cannot be found or used.
    """
    from bench.data.mpii import MpiiDataset

    if source.test_dev:
        raise InputError("only coco has a test-dev split, and mpii has none")
    if source.detections is not None:
        raise InputError("mpii has its boxes in its annotations: leave out --detections")
    if source.annotations is not None or source.subset or source.category is not None:
        raise InputError("mpii has a format of its own: --annotations, --category and --subset go with COCO's")
    if source.root is None:
        raise InputError("mpii is read from its own folder: give it with --data-root")
    listing = f"mpii_{source.split}.json"
    short = {"val": "valid.json", "train": "train.json"}[source.split]
    places = [f"annotations/{listing}", f"annot/{listing}", listing, f"annot/{short}"]
    base = find_base(source.root, "mpii", places)
    annotations = first_existing([base / place for place in places])
    dataset = MpiiDataset(annotations, base / "images", name=f"mpii_{source.split}", limit=source.limit)
    dataset.name = ENTRY.sized_name(dataset.name, len(dataset))
    return dataset


def score_joints(truth: Any, predictions: Any, evaluator: str) -> dict[str, float]:
    """PCKh, the share of joints within half (or a tenth) of the head's size, in percent; there is one evaluator."""
    from bench.accuracy.mpii import score_mpii

    metrics = score_mpii(truth, predictions, limit=len(predictions))
    return {metric.lower(): metrics[metric] for metric in METRICS}


ENTRY = DatasetEntry(
    name="mpii",
    skeleton=MPII,
    input="256x256",
    metrics={metric.lower(): metric for metric in METRICS},
    main="pckh",
    factor=1,
    open=open_mpii,
    score=score_joints,
    weights="mpii",
    half_body=False,
    unit="people",
    sizes={"mpii_val": 2_958, "mpii_train": 22_246},
)
