"""The flip test: a picture and its mirror image looked at together."""

from collections.abc import Sequence

import torch
from torch import Tensor


def flip_average(
    heatmaps: Tensor, flipped_heatmaps: Tensor, flip_pairs: Sequence[tuple[int, int]], shift: bool = True
) -> Tensor:
    """The mean of a network's output and its output for the mirrored input, brought back.

    Args:
        heatmaps: ``[N, J, H, W]`` for the crops as they are.
        flipped_heatmaps: ``[N, J, H, W]`` for the crops mirrored left to right.
        flip_pairs: joints that change places in a mirrored picture.
        shift: move the mirrored output one pixel to the right, to where the stride of the network puts the plain
            one; its first column stays as well.

    Returns:
        ``[N, J, H, W]``.
    """
    order = list(range(heatmaps.shape[1]))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    mirrored = flipped_heatmaps[:, order].flip(-1)
    if shift:
        mirrored = torch.cat((mirrored[..., :1], mirrored[..., :-1]), -1)
    return (heatmaps + mirrored) * 0.5
