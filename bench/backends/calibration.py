"""Inputs from which int8 backends choose the ranges of activations."""

from collections.abc import Sequence

import torch
from torch import Tensor

from bench.codecs import Codec, HeatmapCodec
from bench.data import Dataset, box_to_crop, normalise

COUNT = 64  # pictures
SEED = 2  # of the drawn pictures


def inputs_of(dataset: Dataset, codec: Codec, count: int = COUNT) -> list[Tensor]:
    """The first people of a data set as a network sees them, each ``[1, 3, H, W]``."""
    found = []
    for index in range(min(count, len(dataset))):
        picture, person = dataset.load(index)
        pixels, _ = codec.crop(picture, *box_to_crop(person.box, codec.input_size))
        found.append(normalise(torch.from_numpy(pixels)[None]))
    return found


def inputs_for(example: Tensor, given: Sequence[Tensor] | None, codec: Codec | None = None) -> list[Tensor]:
    """The given inputs, or else drawn people as a codec shows them, in batches of the example's size."""
    from bench.data.synthetic import SyntheticDataset

    singles = [one for batch in given for one in torch.split(batch, 1)] if given else None
    if singles is None:
        codec = codec or HeatmapCodec((example.shape[2], example.shape[3]))
        singles = inputs_of(SyntheticDataset(images=COUNT, seed=SEED, kind="portraits"), codec)
    batch = example.shape[0]
    # The last batch is filled from the start: every batch must have the shape that the file is made for.
    padded = [singles[index % len(singles)] for index in range(-(-len(singles) // batch) * batch)]
    return [torch.cat(padded[start : start + batch]).contiguous() for start in range(0, len(padded), batch)]
