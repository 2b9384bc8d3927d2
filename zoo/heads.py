"""Decoders: from a feature map to heatmaps at a quarter of the input's size.

Whatever memory layout the backbone chose (``zoo.blocks.eager_layout``), the heatmaps are
contiguous, so that callers can view them as ``[N, J, H * W]``.
"""

import re
from typing import ClassVar

from torch import Tensor, nn

from zoo.attention import ATTENTION
from zoo.blocks import Pointwise, relu
from zoo.naming import Rule

WIDTH = 256
# MMPose keeps the layers as one flat list; ReLUs take numbers but hold no parameters.
DECONV_NAMES: list[Rule] = [
    (r"^layers\.(\d)\.deconv\.", lambda m: f"deconv_layers.{3 * int(m[1])}."),
    (r"^layers\.(\d)\.bn\.", lambda m: f"deconv_layers.{3 * int(m[1]) + 1}."),
    (r"^final\.", "final_layer."),
]


def _lightweight_layer(match: re.Match[str]) -> str:
    offset = {"deconv": 0, "deconv_bn": 1, "pointwise": 3, "bn": 4}[match[2]]
    return f"deconv_layers.{6 * int(match[1]) + offset}."


def init_head(head: nn.Module) -> None:
    """The newer networks' initial weights: normal, 0.001 in convolutions and 0.01 in linear layers; biases 0."""
    for module in head.modules():
        if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
            nn.init.normal_(module.weight, std=0.01 if isinstance(module, nn.Linear) else 0.001)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def _upsample(in_channels: int, out_channels: int, *, groups: int = 1) -> nn.ConvTranspose2d:
    """A transposed convolution that doubles height and width (section III-A: kernel 4)."""
    return nn.ConvTranspose2d(in_channels, out_channels, 4, 2, 1, groups=groups, bias=False)


class DeconvLayer(nn.Module):
    """Transposed convolution, batch norm, ReLU; ``[N, C, H, W]`` to ``[N, 256, 2H, 2W]``."""

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.deconv = _upsample(in_channels, WIDTH)
        self.bn = nn.BatchNorm2d(WIDTH)
        self.act = relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.deconv(x)))


class LightweightLayer(nn.Module):
    """Depthwise transposed convolution, then a pointwise one (fig. 1, eq. 3); to ``[N, 256, 2H, 2W]``.

    The pointwise convolution has a bias although batch norm follows, as the release has.
    """

    def __init__(self, in_channels: int) -> None:
        super().__init__()
        self.deconv = _upsample(in_channels, in_channels, groups=in_channels)
        self.deconv_bn = nn.BatchNorm2d(in_channels)
        self.deconv_act = relu()
        self.pointwise = nn.Conv2d(in_channels, WIDTH, 1)
        self.bn = nn.BatchNorm2d(WIDTH)
        self.act = relu()

    def forward(self, x: Tensor) -> Tensor:
        x = self.deconv_act(self.deconv_bn(self.deconv(x)))
        return self.act(self.bn(self.pointwise(x)))


class DeconvHead(nn.Module):
    """SimpleBaseline's head (arXiv 1804.06208): ``[N, C, H, W]`` to heatmaps ``[N, J, 8H, 8W]``.

    With two ``layers`` instead of three, to ``[N, J, 4H, 4W]``.
    """

    published_names = DECONV_NAMES

    def __init__(self, in_channels: int, num_joints: int, *, layers: int = 3) -> None:
        super().__init__()
        self.layers = nn.Sequential(DeconvLayer(in_channels), *(DeconvLayer(WIDTH) for _ in range(layers - 1)))
        self.final = nn.Conv2d(WIDTH, num_joints, 1)

    def forward(self, x: Tensor) -> Tensor:
        # The dense transposed convolution is faster in the standard layout, unlike what precedes it.
        return self.final(self.layers(x.contiguous()))


class LightweightHead(nn.Module):
    """The paper's head (fig. 1): ``[N, C, H, W]`` to heatmaps ``[N, J, 8H, 8W]``.

    Attention follows the third layer only, as in the released code (3,077,882 parameters with
    MobileNetV3; the digits of the tables alone would not tell).

    Raises:
        ValueError: ``attention`` is none of ``zoo.attention.ATTENTION``.
    """

    published_names: ClassVar[list[Rule]] = [
        (r"^layers\.(\d)\.(deconv|deconv_bn|pointwise|bn)\.", _lightweight_layer),
        (r"^attention\.channel\.reduce\.", "deconv_layers.18.se.conv1.conv."),
        (r"^attention\.channel\.expand\.", "deconv_layers.18.se.conv2.conv."),
        (r"^attention\.spatial\.squeeze\.", "deconv_layers.18.sse.conv1.conv."),
        (r"^attention\.spatial\.conv\.", "deconv_layers.18.sse.conv2.conv."),
        (r"^final\.", "final_layer."),
    ]

    def __init__(self, in_channels: int, num_joints: int, *, attention: str = "parallel") -> None:
        super().__init__()
        if attention not in ATTENTION:
            raise ValueError(f"attention {attention!r} is unknown: choose one of {', '.join(ATTENTION)}")
        self.layers = nn.Sequential(LightweightLayer(in_channels), LightweightLayer(WIDTH), LightweightLayer(WIDTH))
        self.attention = ATTENTION[attention](WIDTH)
        self.final = nn.Conv2d(WIDTH, num_joints, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.final(self.attention(self.layers(x))).contiguous()


class DepthwiseDeconvLayer(nn.Module):
    """Depthwise transposed convolution, batch norm, ReLU; ``[N, C, H, W]`` to ``[N, C, 2H, 2W]``."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.deconv = _upsample(channels, channels, groups=channels)
        self.bn = nn.BatchNorm2d(channels)
        self.act = relu()

    def forward(self, x: Tensor) -> Tensor:
        return self.act(self.bn(self.deconv(x)))


class DepthwiseDeconvHead(nn.Module):
    """ViPNAS's head (arXiv 2105.10154): ``[N, C, H, W]`` to heatmaps ``[N, J, 8H, 8W]``.

    Depthwise transposed convolutions alone: no layer mixes channels before the final one.
    """

    published_names = DECONV_NAMES

    def __init__(self, in_channels: int, num_joints: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(DepthwiseDeconvLayer(in_channels) for _ in range(3)))
        self.final = nn.Conv2d(in_channels, num_joints, 1)

    def forward(self, x: Tensor) -> Tensor:
        return self.final(self.layers(x)).contiguous()


class PointwiseHead(nn.Module):
    """One 1x1 convolution: features ``[N, C, H, W]`` of heatmap size to heatmaps ``[N, J, H, W]``."""

    published_names: ClassVar[list[Rule]] = [(r"^final\.", "final_layer.")]

    def __init__(self, in_channels: int, num_joints: int) -> None:
        super().__init__()
        self.final = Pointwise(in_channels, num_joints)

    def forward(self, x: Tensor) -> Tensor:
        return self.final(x).contiguous()
