"""ViPNAS-MobileNetV3 (arXiv 2105.10154), the network that was released under that name.

It has 5.90 M parameters. The 2.8 M of the paper's Table I are the ViPNAS paper's figure and belong
to no released network.
"""

import torch
from torch import Tensor, nn

from zoo.blocks import Activation, ConvBNAct, InvertedResidual, eager_layout, hard_swish, relu
from zoo.heads import DepthwiseDeconvHead
from zoo.mobilenet_v3 import MobileNetV3
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

STEM_WIDTH = 16
# (width, expansion of the width, blocks, kernel, groups, squeeze-and-excitation, stride, activation)
STAGES = (
    (16, 1, 1, 3, 8, True, 1, relu),
    (24, 5, 4, 7, 120, True, 2, relu),
    (40, 4, 4, 7, 20, False, 2, relu),
    (80, 5, 4, 5, 100, True, 2, hard_swish),
    (112, 5, 4, 7, 280, True, 1, hard_swish),
    (160, 6, 4, 5, 240, True, 2, hard_swish),
)


class Gate(nn.Module):
    """``clamp((x + 1) / 2, 0, 1)``: steeper than the hard sigmoid of the other networks."""

    def forward(self, x: Tensor) -> Tensor:
        return torch.clamp(x * 0.5 + 0.5, 0.0, 1.0)


class ViPNASMobileNetV3(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 160, H/32, W/32]``; no 1x1 convolution follows the last block."""

    out_channels = 160
    published_names = MobileNetV3.published_names

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBNAct(3, STEM_WIDTH, 3, stride=2, act=hard_swish)
        width = STEM_WIDTH
        blocks = []
        for out, expansion, depth, kernel, groups, se, first_stride, act in STAGES:
            # The expansion multiplies the width of the output, not, as elsewhere, of the input.
            middle = expansion * out
            for index in range(depth):
                blocks.append(_block(width, out, middle, kernel, groups, se, first_stride if index == 0 else 1, act))
                width = out
        self.blocks = nn.Sequential(*blocks)

    def forward(self, x: Tensor) -> Tensor:
        return self.blocks(self.stem(eager_layout(x)))


def _block(
    width: int, out: int, middle: int, kernel: int, groups: int, se: bool, stride: int, act: Activation
) -> InvertedResidual:
    return InvertedResidual(
        width,
        out,
        middle,
        kernel=kernel,
        stride=stride,
        groups=groups,
        act=act,
        expand=middle != width,
        se_hidden=middle // 4 if se else None,
        se_gate=Gate,
    )


@network(
    ModelCard(
        name="vipnas_mobilenetv3",
        method="ViPNAS",
        backbone="MobileNetV3",
        label="ViPNAS",
        paper="Xu et al., ViPNAS: Efficient Video Pose Estimation via Neural Architecture Search, CVPR 2021",
        source="Backbone and head of the network released in MMPose as ViPNAS-MobileNetV3.",
        quirks=(
            "The released network has 5.90 M parameters; the 2.8 M and 0.69 GFLOPs of the paper's Table I "
            "are the ViPNAS paper's and belong to no released network.",
            "The gate of its squeeze-and-excitation is clamp((x + 1) / 2, 0, 1), not clamp(x / 6 + 0.5, 0, 1).",
        ),
        table_row=4,
    )
)
def vipnas_mobilenetv3(num_joints: int, input_size: Size) -> PoseNet:
    return PoseNet(ViPNASMobileNetV3(), DepthwiseDeconvHead(ViPNASMobileNetV3.out_channels, num_joints))
