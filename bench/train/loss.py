"""The heatmap weighting loss, paper section III-C."""

from collections.abc import Callable

import torch
from torch import Tensor

from bench.core.errors import InputError

# Table IV: the weight of a pixel is F(target) + 1; mse has F = 0.
WEIGHTS: dict[str, Callable[[Tensor], Tensor]] = {
    "mse": torch.zeros_like,
    "x": lambda target: target,
    "2x": lambda target: 2 * target,
    "x^2": lambda target: target**2,
    "e^x": torch.exp,
}


def heatmap_loss(prediction: Tensor, target: Tensor, target_weight: Tensor, kind: str = "x") -> Tensor:
    """The loss of equation (8), as released: (F(target) + 1) times the squared error, averaged.

    Equation (8) prints the norm of the difference, under which no weight by pixel would be possible. The released
    code takes the squared difference of every pixel, weights it, and averages over pixels, joints and images;
    the reference values of the tests are its. That is what is meant, and what is here.

    Args:
        prediction: heatmaps ``[N, J, h, w]``.
        target: heatmaps of the same shape, Gaussians with a peak of 1.
        target_weight: ``[N, J]`` or ``[N, J, 1]``, 0 for joints that do not count. They still count in the average,
            as in the released code.
        kind: F, as in Table IV: ``mse`` (or ``none``), ``x``, ``2x``, ``x^2`` or ``e^x``.

    Returns:
        A scalar.

    Raises:
        InputError: another kind.
    """
    weight = WEIGHTS.get("mse" if kind == "none" else kind)
    if weight is None:
        raise InputError(f"unknown loss {kind!r}: use {', '.join(WEIGHTS)}")
    counts = target_weight.reshape(*target.shape[:2], 1, 1)
    return ((weight(target) + 1) * (prediction * counts - target * counts) ** 2).mean()


def heatmap_accuracy(prediction: Tensor, target: Tensor, target_weight: Tensor, radius: float = 0.05) -> Tensor:
    """Share of the joints whose highest pixel is near the target's, to watch a training by.

    Args:
        prediction: heatmaps ``[N, J, h, w]``.
        target: heatmaps of the same shape.
        target_weight: ``[N, J]``; joints of weight 0 do not count.
        radius: how near, where the width and the height of a heatmap are 1 each.

    Returns:
        A scalar from 0 to 1; 0 where no joint counts.
    """
    size = torch.tensor(prediction.shape[:1:-1], device=prediction.device)  # width, height
    distance = torch.linalg.vector_norm((_peaks(prediction) - _peaks(target)) / size, dim=-1)
    counts = target_weight > 0
    return ((distance <= radius) & counts).sum() / counts.sum().clamp(min=1)


def _peaks(heatmaps: Tensor) -> Tensor:
    """x, y of the highest pixels, ``[N, J, 2]``."""
    highest = heatmaps.flatten(2).argmax(-1)
    width = heatmaps.shape[-1]
    return torch.stack((highest % width, highest // width), -1)
