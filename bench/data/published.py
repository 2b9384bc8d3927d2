"""Data sets that were published in COCO's format and are laid out in their own way; imports nothing heavy."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.core.errors import InputError
from bench.core.record import printable
from bench.data.registry import DatasetEntry, Source, find_base, first_existing

if TYPE_CHECKING:
    from bench.data.annotations import Layout
    from bench.data.coco import CocoDataset


@dataclass(frozen=True)
class SplitFiles:
    """Where a split lies in the folder of its data set.

    Attributes:
        name: as records name it.
        listings: the annotation file; the first that exists.
        pictures: their folder; the first that exists.
    """

    name: str
    listings: tuple[str, ...]
    pictures: tuple[str, ...]


def open_published(
    source: Source, entry: DatasetEntry, splits: Mapping[str, SplitFiles], layout: "Layout"
) -> "CocoDataset":
    """A split of a data set; or, given as a file, other people in its format.

    Raises:
        InputError: it cannot be found or used.
    """
    from bench.data.coco import CocoDataset

    if source.test_dev:
        raise InputError(f"only coco has a test-dev split, and {entry.name} has none")
    files = splits[source.split]
    if source.annotations is not None:
        listing, pictures = source.annotations, source.pictures or source.annotations.parent
        name = printable(listing.stem)
    elif source.root is None:
        raise InputError(f"{entry.name} is read from disk: give the folder that it is in with --data-root")
    else:
        base = find_base(source.root, entry.name, list(files.listings))
        listing = first_existing([base / place for place in files.listings])
        pictures = first_existing([base / place for place in files.pictures])
        name = files.name
    dataset = CocoDataset(
        listing,
        pictures,
        name=name,
        detections=source.detections,
        limit=source.limit,
        category=source.category,
        subset=source.subset,
        layout=layout,
        entry=entry.name,
    )
    if source.annotations is None:
        dataset.name = entry.sized_name(name, dataset.pictures)
    else:  # never the plain name of a published set
        dataset.name = f"{name} ({dataset.pictures} pictures)"
    return dataset
