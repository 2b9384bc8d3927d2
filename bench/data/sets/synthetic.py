"""People drawn from a seed: in memory, or as ``bench.data synthetic`` wrote them."""

from typing import TYPE_CHECKING

from bench.core.errors import InputError
from bench.core.skeletons import BODY_AND_FEET, COCO
from bench.data.registry import DatasetEntry, Source
from bench.data.sets.coco import METRICS, open_coco, score_keypoints
from bench.data.synthetic.evaluation_set import IMAGES, SEED

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


def open_synthetic(source: Source, *, feet: bool = False) -> "Dataset":
    """Drawn people; with the joints of their feet, if these are asked for.

    Raises:
        InputError: what is in the folder was not written by this project.
    """
    if source.test_dev:
        raise InputError("only coco has a test-dev split, and drawn people have none")
    name, skeleton = ("synthetic_feet", BODY_AND_FEET) if feet else ("synthetic", COCO)
    if source.on_disk:
        dataset = open_coco(source, skeleton)
        if dataset.entry.name != name:
            option = " --feet" if feet else ""
            raise InputError(
                f"{dataset.annotation_file} was not written by bench.data synthetic{option}: open it as coco"
            )
        return dataset
    if source.detections is not None or source.subset:
        raise InputError("synthetic has its boxes in its annotations: leave out --detections and --subset")
    if source.category is not None:
        raise InputError("synthetic has people and nothing else: leave out --category")
    from bench.data.synthetic.dataset import SyntheticDataset

    images = IMAGES if source.images is None else source.images
    seed = SEED if source.seed is None else source.seed
    return SyntheticDataset(min(images, source.limit or images), seed, feet=feet)


ENTRY = DatasetEntry(
    name="synthetic",
    skeleton=COCO,
    input="256x192",
    metrics=METRICS,
    main="ap",
    factor=100,
    open=open_synthetic,
    score=score_keypoints,
    weights="coco",
    default_weights="bundled",
    needs_files=False,
)
