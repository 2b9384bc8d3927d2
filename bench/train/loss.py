"""What training makes small: the paper's heatmap weighting loss (section III-C), and the losses of newer networks."""

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

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


def keypoint_mse(prediction: Tensor, target: Tensor, target_weight: Tensor) -> Tensor:
    """The loss of ViTPose and CSPNeXt-UDP: the squared error of every pixel times its joint's weight, averaged.

    Unlike in ``heatmap_loss`` with ``mse``, a weight between 0 and 1 is not squared.

    Args:
        prediction: heatmaps ``[N, J, h, w]``.
        target: heatmaps of the same shape.
        target_weight: ``[N, J]`` or ``[N, J, 1]``; joints of weight 0 still count in the average.

    Returns:
        A scalar.
    """
    return (target_weight.reshape(*target.shape[:2], 1, 1) * (prediction - target) ** 2).mean()


def simcc_loss(
    prediction: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], target_weight: Tensor, *, sharp: bool = True
) -> Tensor:
    """Kullback-Leibler divergence from vectors along x and y to their targets, as released for RTMPose and SimCC.

    The mean over the bins, times the joint's weight; summed over images, joints and both axes, and divided by the
    number of joints only: the gradient grows with the batch.

    Args:
        prediction: raw scores ``[N, J, bins]`` along x and along y.
        target: vectors of the same shapes.
        target_weight: ``[N, J]`` or ``[N, J, 1]``.
        sharp: RTMPose's form: prediction and target are multiplied by 10, and both go through a softmax. Otherwise
            SimCC's: the target is a distribution as it is.

    Returns:
        A scalar.
    """
    beta = 10.0 if sharp else 1.0
    divergence: Tensor | float = 0.0
    for scores, wanted in zip(prediction, target, strict=True):
        shares = functional.softmax(wanted * beta, -1) if sharp else wanted
        logarithms = functional.log_softmax(scores * beta, -1)
        divergence = divergence + (torch.xlogy(shares, shares) - shares * logarithms).mean(-1)
    assert isinstance(divergence, Tensor)
    return (divergence * target_weight.reshape(divergence.shape)).sum() / divergence.shape[1]


def coordinate_loss(prediction: Tensor, target: Tensor, target_weight: Tensor) -> Tensor:
    """The mean distance, as the sum of its parts along x and y, of joints of weight 1; a choice of this project.

    Args:
        prediction: ``[N, J, 2 or 3]``, x and y as shares of the crop's width and height; a score learns nothing.
        target: ``[N, J, 2]``.
        target_weight: ``[N, J]``.

    Returns:
        A scalar; 0 where no joint counts.
    """
    distance = (prediction[..., :2] - target).abs().sum(-1)
    return (distance * target_weight).sum() / target_weight.sum().clamp(min=1)


def simcc_accuracy(
    prediction: tuple[Tensor, Tensor], target: tuple[Tensor, Tensor], target_weight: Tensor, radius: float = 0.05
) -> Tensor:
    """``heatmap_accuracy`` of vectors along x and y."""

    def peaks(vectors: tuple[Tensor, Tensor]) -> Tensor:
        return torch.stack([one.argmax(-1) / one.shape[-1] for one in vectors], -1)

    return _share_near(peaks(prediction) - peaks(target), target_weight, radius)


def coordinate_accuracy(prediction: Tensor, target: Tensor, target_weight: Tensor, radius: float = 0.05) -> Tensor:
    """``heatmap_accuracy`` of coordinates."""
    return _share_near(prediction[..., :2] - target, target_weight, radius)


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
    return _share_near((_peaks(prediction) - _peaks(target)) / size, target_weight, radius)


def _share_near(differences: Tensor, target_weight: Tensor, radius: float) -> Tensor:
    """The share of the joints that count whose difference ``[N, J, 2]`` is no longer than the radius."""
    distance = torch.linalg.vector_norm(differences, dim=-1)
    counts = target_weight > 0
    return ((distance <= radius) & counts).sum() / counts.sum().clamp(min=1)


def _peaks(heatmaps: Tensor) -> Tensor:
    """x, y of the highest pixels, ``[N, J, 2]``."""
    highest = heatmaps.flatten(2).argmax(-1)
    width = heatmaps.shape[-1]
    return torch.stack((highest % width, highest // width), -1)
