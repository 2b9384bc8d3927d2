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
    mirrored = _swapped(flipped_heatmaps, flip_pairs).flip(-1)
    if shift:
        mirrored = torch.cat((mirrored[..., :1], mirrored[..., :-1]), -1)
    return (heatmaps + mirrored) * 0.5


def flip_average_simcc(
    vectors: tuple[Tensor, Tensor], flipped_vectors: tuple[Tensor, Tensor], flip_pairs: Sequence[tuple[int, int]]
) -> tuple[Tensor, Tensor]:
    """The mean of scores along x and y and those for the mirrored input, brought back.

    The vectors along x are reversed. They are not moved by a bin, as published, though a pixel's bin and the one that
    its mirror image comes back to are neighbours.

    Args:
        vectors: ``[N, J, bins]`` along x and along y, for the crops as they are.
        flipped_vectors: the same for the crops mirrored left to right.
        flip_pairs: joints that change places in a mirrored picture.

    Returns:
        ``[N, J, bins]`` along x and along y.
    """
    x, y = (_swapped(one, flip_pairs) for one in flipped_vectors)
    return (vectors[0] + x.flip(-1)) * 0.5, (vectors[1] + y) * 0.5


def flip_average_coordinates(
    output: Tensor, flipped_output: Tensor, flip_pairs: Sequence[tuple[int, int]], width: int
) -> Tensor:
    """The mean of coordinates and those for the mirrored input, brought back.

    Args:
        output: ``[N, J, 2 or 3]``, x and y as shares of the crop's width and height, and a score, if any.
        flipped_output: the same for the crops mirrored left to right.
        flip_pairs: joints that change places in a mirrored picture.
        width: of the crop in pixels: the mirror takes pixel x to width - 1 - x.

    Returns:
        As ``output``.
    """
    mirrored = _swapped(flipped_output, flip_pairs).clone()
    mirrored[..., 0] = (width - 1) / width - mirrored[..., 0]
    return (output + mirrored) * 0.5


def _swapped(output: Tensor, flip_pairs: Sequence[tuple[int, int]]) -> Tensor:
    """``[N, J, ...]`` with the joints of each pair in each other's place."""
    order = list(range(output.shape[1]))
    for left, right in flip_pairs:
        order[left], order[right] = right, left
    return output[:, order]
