"""CSPNeXt (RTMDet, arXiv 2212.07784), and CSPNeXt-UDP: that backbone under SimpleBaseline's head.

The pose networks build it with the batch norm of all others (eps 1e-5, momentum 0.1), not with the
class's own default of MMDetection (eps 1e-3, momentum 0.03).
"""

import torch
from torch import Tensor, nn

from zoo.blocks import ConvBNAct, Pointwise, silu
from zoo.heads import DeconvHead, init_head
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

# Widths of the stem's convolutions and of the four stages, blocks a stage.
SIZES: dict[str, tuple[tuple[int, int, int], tuple[int, ...], tuple[int, ...]]] = {
    "tiny": ((12, 12, 24), (48, 96, 192, 384), (1, 1, 1, 1)),
    "small": ((16, 16, 32), (64, 128, 256, 512), (1, 2, 2, 1)),
    "medium": ((24, 24, 48), (96, 192, 384, 768), (2, 4, 4, 2)),
}


class DepthwiseSeparable(nn.Module):
    """Depthwise 5x5 and 1x1 convolution, each with batch norm and SiLU; ``[N, C, H, W]`` in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.depthwise_conv = ConvBNAct(channels, channels, 5, groups=channels, act=silu)
        self.pointwise_conv = ConvBNAct(channels, channels, act=silu)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise_conv(self.depthwise_conv(x))


class Block(nn.Module):
    """A full 3x3 convolution, then a large depthwise one; no activation follows the sum."""

    def __init__(self, channels: int, *, residual: bool) -> None:
        super().__init__()
        self.conv1 = ConvBNAct(channels, channels, 3, act=silu)
        self.conv2 = DepthwiseSeparable(channels)
        self.residual = residual

    def forward(self, x: Tensor) -> Tensor:
        y: Tensor = self.conv2(self.conv1(x))
        return y + x if self.residual else y


class ChannelAttention(nn.Module):
    """``x * hardsigmoid(W pool(x) + b)``: one layer, no narrower one inside."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.fc = Pointwise(channels, channels)
        self.gate = nn.Hardsigmoid()

    def forward(self, x: Tensor) -> Tensor:
        return x * self.gate(self.fc(self.pool(x)))


class CSPLayer(nn.Module):
    """Half of the width goes through the blocks, half beside them; ``[N, C, H, W]`` in and out."""

    def __init__(self, channels: int, blocks: int, *, residual: bool) -> None:
        super().__init__()
        half = channels // 2
        self.main_conv = ConvBNAct(channels, half, act=silu)
        self.short_conv = ConvBNAct(channels, half, act=silu)
        self.blocks = nn.Sequential(*(Block(half, residual=residual) for _ in range(blocks)))
        self.attention = ChannelAttention(channels)
        self.final_conv = ConvBNAct(channels, channels, act=silu)

    def forward(self, x: Tensor) -> Tensor:
        joined = torch.cat((self.blocks(self.main_conv(x)), self.short_conv(x)), 1)
        return self.final_conv(self.attention(joined))


class PyramidPooling(nn.Module):
    """The map and its maxima over 5x5, 9x9 and 13x13 side by side; ``[N, C, H, W]`` in and out."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.conv1 = ConvBNAct(channels, channels // 2, act=silu)
        self.pools = nn.ModuleList([nn.MaxPool2d(size, 1, size // 2) for size in (5, 9, 13)])
        self.conv2 = ConvBNAct(2 * channels, channels, act=silu)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv1(x)
        return self.conv2(torch.cat((x, *(pool(x) for pool in self.pools)), 1))


class CSPNeXt(nn.Module):
    """``[N, 3, H, W]`` to ``[N, C, H/32, W/32]``; C is 384 (tiny), 512 (small) or 768 (medium).

    It keeps the standard memory layout, unlike the other convolutional networks: its dense 3x3
    kernels would have to be copied into the other layout in every call.
    """

    def __init__(self, size: str) -> None:
        super().__init__()
        stem, widths, blocks = SIZES[size]
        self.out_channels = widths[-1]
        self.stem = nn.Sequential(
            ConvBNAct(3, stem[0], 3, stride=2, act=silu),
            ConvBNAct(stem[0], stem[1], 3, act=silu),
            ConvBNAct(stem[1], stem[2], 3, act=silu),
        )
        self.stage1 = _stage(stem[2], widths[0], blocks[0])
        self.stage2 = _stage(widths[0], widths[1], blocks[1])
        self.stage3 = _stage(widths[1], widths[2], blocks[2])
        self.stage4 = _stage(widths[2], widths[3], blocks[3], last=True)

    def forward(self, x: Tensor) -> Tensor:
        return self.stage4(self.stage3(self.stage2(self.stage1(self.stem(x)))))


def _stage(in_channels: int, channels: int, blocks: int, *, last: bool = False) -> nn.Sequential:
    """Half the resolution; the last stage has pyramid pooling, and blocks without a sum."""
    layers: list[nn.Module] = [ConvBNAct(in_channels, channels, 3, stride=2, act=silu)]
    if last:
        layers.append(PyramidPooling(channels))
    layers.append(CSPLayer(channels, blocks, residual=not last))
    return nn.Sequential(*layers)


def _udp(size: str, num_joints: int) -> PoseNet:
    backbone = CSPNeXt(size)
    head = DeconvHead(backbone.out_channels, num_joints)
    init_head(head)
    return PoseNet(backbone, head, published_head="head")


PAPER = "Jiang et al., RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose, arXiv 2303.07399"
SOURCE = "CSPNeXt with the deconvolution head, heatmaps of unbiased data processing, as released in MMPose 1.x."


@network(
    ModelCard(
        name="cspnext_t_udp",
        method="CSPNeXt-UDP",
        backbone="CSPNeXt-tiny",
        label="CSPNeXt-t",
        paper=PAPER,
        source=SOURCE,
        udp=True,
        weights_joints=19,
    )
)
def cspnext_t_udp(num_joints: int, input_size: Size) -> PoseNet:
    return _udp("tiny", num_joints)


@network(
    ModelCard(
        name="cspnext_s_udp",
        method="CSPNeXt-UDP",
        backbone="CSPNeXt-s",
        label="CSPNeXt-s",
        paper=PAPER,
        source=SOURCE,
        udp=True,
        weights_joints=19,
    )
)
def cspnext_s_udp(num_joints: int, input_size: Size) -> PoseNet:
    return _udp("small", num_joints)
