"""ShuffleNetV2 x1.0 (arXiv 1807.11164, figure 3 and table 5), without its classifier."""

from typing import ClassVar

from torch import Tensor, nn

from zoo.blocks import ConvBNAct, concat_shuffle, eager_layout
from zoo.naming import Rule

# (width, units)
STAGES = ((116, 4), (232, 8), (464, 4))


class Unit(nn.Module):
    """The stride-1 unit: one half of the channels passes, the other is processed (figure 3c)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        half = channels // 2
        self.branch = nn.Sequential(
            ConvBNAct(half, half),
            ConvBNAct(half, half, 3, groups=half, act=None),
            ConvBNAct(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        passed, processed = x.chunk(2, 1)
        return concat_shuffle(passed, self.branch(processed))


class DownsamplingUnit(nn.Module):
    """The stride-2 unit: both branches see the whole input (figure 3d)."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        half = out_channels // 2
        self.shortcut = nn.Sequential(
            ConvBNAct(in_channels, in_channels, 3, stride=2, groups=in_channels, act=None),
            ConvBNAct(in_channels, half),
        )
        self.branch = nn.Sequential(
            ConvBNAct(in_channels, half),
            ConvBNAct(half, half, 3, stride=2, groups=half, act=None),
            ConvBNAct(half, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        return concat_shuffle(self.shortcut(x), self.branch(x))


class ShuffleNetV2(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 1024, H/32, W/32]``."""

    out_channels = 1024
    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.", "conv1."),
        (r"^stages\.(\d)\.(\d)\.shortcut\.", r"layers.\1.\2.branch1."),
        (r"^stages\.(\d)\.(\d)\.branch\.", r"layers.\1.\2.branch2."),
        (r"^last\.", "layers.3."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBNAct(3, 24, 3, stride=2)
        self.pool = nn.MaxPool2d(3, 2, 1)
        width = 24
        stages = []
        for out, units in STAGES:
            stages.append(nn.Sequential(DownsamplingUnit(width, out), *(Unit(out) for _ in range(units - 1))))
            width = out
        self.stages = nn.Sequential(*stages)
        self.last = ConvBNAct(width, self.out_channels)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.stages(self.pool(self.stem(eager_layout(x)))))
