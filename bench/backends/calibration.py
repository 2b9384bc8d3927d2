"""Inputs from which int8 backends choose the ranges of activations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.codecs import Codec, HeatmapCodec
from bench.data import Dataset, box_to_crop, normalise
from bench.data.cropping import Normalisation

COUNT = 64  # pictures
SEED = 2  # of the drawn pictures


def inputs_of(
    dataset: Dataset, size: tuple[int, int], count: int = COUNT, *, normalisation: Normalisation | None = None,
    codec: Codec | None = None,
) -> list[Tensor]:  # fmt: skip
    """The first people of a data set as a network sees them, each ``[1, 3, H, W]``."""
    codec = codec or HeatmapCodec(size)
    found = []
    for index in range(min(count, len(dataset))):
        picture, person = dataset.load(index)
        pixels, _ = codec.crop(picture, *box_to_crop(person.box, size))
        found.append(normalise(torch.from_numpy(pixels)[None], normalisation))
    return found


def inputs_for(
    example: Tensor, given: Sequence[Tensor] | None, normalisation: Normalisation | None = None,
    codec: Codec | None = None,
) -> list[Tensor]:  # fmt: skip
    """The given inputs, or else drawn people as a codec shows them, in batches of the example's size."""
    from bench.data.synthetic import SyntheticDataset

    singles = [one for batch in given for one in torch.split(batch, 1)] if given else None
    if singles is None:
        drawn, size = SyntheticDataset(images=COUNT, seed=SEED, kind="portraits"), (example.shape[2], example.shape[3])
        singles = inputs_of(drawn, size, normalisation=normalisation, codec=codec)
    batch = example.shape[0]
    # The last batch is filled from the start: every batch must have the shape that the file is made for.
    padded = [singles[index % len(singles)] for index in range(-(-len(singles) // batch) * batch)]
    return [torch.cat(padded[start : start + batch]).contiguous() for start in range(0, len(padded), batch)]
