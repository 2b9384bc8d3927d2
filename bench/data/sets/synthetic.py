"""People drawn from a seed: in memory, or as ``bench.data synthetic`` wrote them."""

from typing import TYPE_CHECKING

from bench.core.errors import InputError
from bench.core.skeletons import COCO
from bench.data.registry import DatasetEntry, Source
from bench.data.sets.coco import METRICS, open_coco, score_keypoints
from bench.data.synthetic.evaluation_set import IMAGES, SEED
from bench.data.synthetic.variants import SKELETONS, Variant, dataset_name

if TYPE_CHECKING:
    from bench.data.dataset import Dataset


def open_synthetic(source: Source, variant: Variant = "body") -> "Dataset":
    """Drawn people, with the joints of a variant.

    Raises:
        InputError: what is in the folder was not written by this project.
    """
    if source.test_dev:
        raise InputError("only coco has a test-dev split, and drawn people have none")
    if source.on_disk:
        dataset = open_coco(source, SKELETONS[variant])
        if dataset.entry.name != dataset_name(variant):
            option = "" if variant == "body" else f" --{variant}"
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
    return SyntheticDataset(min(images, source.limit or images), seed, variant=variant)


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
