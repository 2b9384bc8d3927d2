"""The attention blocks of Table VI, each ``[N, C, H, W]`` in and out.

Only the paper's own block was released. For SE and CBAM no code exists, so the choices are ours
and stand in each docstring.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from zoo.blocks import SqueezeExcite, relu


class SpatialGate(nn.Module):
    """``gate(F3x3(relu(F1x1(x))))``, ``[N, 1, H, W]`` (eq. 6, with the release's ReLU between the two)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.squeeze = nn.Conv2d(channels, 1, 1)
        self.act = relu()
        self.conv = nn.Conv2d(1, 1, 3, padding=1)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return self.gate(self.conv(self.act(self.squeeze(x))))


class ParallelAttention(nn.Module):
    """The paper's block: ``x + channel(x) + spatial(x)`` (fig. 2, eq. 5 to 7; squeeze ratio 4)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.channel = SqueezeExcite(channels, channels // 4)
        self.spatial = SpatialGate(channels)

    def forward(self, x: Tensor) -> Tensor:
        return x + self.channel(x) + x * self.spatial(x)


class SEAttention(SqueezeExcite):
    """``channel(x)`` alone, with the same ratio and gate as in the paper's block."""

    def __init__(self, channels: int) -> None:
        super().__init__(channels, channels // 4)


class CBAM(nn.Module):
    """Channel, then spatial attention, as in the CBAM paper (arXiv 1807.06521, section 3).

    A multilayer perceptron of ratio 16, shared by the average- and the max-pooled features, then
    a 7x7 convolution over the mean and the maximum of the channels; both gates are sigmoids.
    """

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.average = nn.AdaptiveAvgPool2d(1)
        self.maximum = nn.AdaptiveMaxPool2d(1)
        self.mlp = nn.Sequential(nn.Conv2d(channels, channels // 16, 1), relu(), nn.Conv2d(channels // 16, channels, 1))
        self.spatial = nn.Conv2d(2, 1, 7, padding=3)

    def forward(self, x: Tensor) -> Tensor:
        x = x * torch.sigmoid(self.mlp(self.average(x)) + self.mlp(self.maximum(x)))
        pooled = torch.cat((x.mean(1, keepdim=True), x.amax(1, keepdim=True)), 1)
        return x * torch.sigmoid(self.spatial(pooled))


ATTENTION: dict[str, Callable[[int], nn.Module]] = {
    "parallel": ParallelAttention,
    "se": SEAttention,
    "cbam": CBAM,
    "none": lambda channels: nn.Identity(),
}
