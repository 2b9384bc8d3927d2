"""OCHuman: COCO's joints of people who hide each other (arXiv 1803.10683)."""

from dataclasses import replace
from typing import TYPE_CHECKING

from bench.core.errors import InputError
from bench.data.published import SplitFiles, open_published
from bench.data.registry import Source
from bench.data.sets import coco

if TYPE_CHECKING:
    from bench.data.coco import CocoDataset

_LISTING = "ochuman_coco_format_val_range_0.00_1.00.json"
SPLITS = {"val": SplitFiles("ochuman_val", (f"annotations/{_LISTING}", _LISTING), ("images",))}


def open_ochuman(source: Source) -> "CocoDataset":
    """The validation set of OCHuman; nobody trains on it.

    Raises:
        InputError: it cannot be found or used, or another split is asked for.
    """
    from bench.data.annotations import COCO_LAYOUT

    if source.split != "val":
        raise InputError("ochuman is for evaluation: train on coco, whose joints its people have")
    return open_published(source, ENTRY, SPLITS, COCO_LAYOUT)


ENTRY = replace(
    coco.ENTRY, name="ochuman", open=open_ochuman, detector_boxes=False, sizes={"ochuman_val": 2_500},
)  # fmt: skip
