"""MobileNetV3-large as the paper's released code builds it.

It is not torchvision's or timm's network: the stride of the last stage sits on its second block,
and that block expands to 672 channels instead of 960. This is what makes 2.63 M parameters of
backbone instead of 2.97 M, and with them the 3.1 M of the paper's Table I.
"""

from typing import ClassVar

from torch import Tensor, nn

from zoo.blocks import ConvBNAct, InvertedResidual, eager_layout, hard_swish, relu
from zoo.naming import Rule

# (kernel, expanded width, width, squeeze-and-excitation, activation, stride)
BLOCKS = (
    (3, 16, 16, False, relu, 1),
    (3, 64, 24, False, relu, 2),
    (3, 72, 24, False, relu, 1),
    (5, 72, 40, True, relu, 2),
    (5, 120, 40, True, relu, 1),
    (5, 120, 40, True, relu, 1),
    (3, 240, 80, False, hard_swish, 2),
    (3, 200, 80, False, hard_swish, 1),
    (3, 184, 80, False, hard_swish, 1),
    (3, 184, 80, False, hard_swish, 1),
    (3, 480, 112, True, hard_swish, 1),
    (3, 672, 112, True, hard_swish, 1),
    (5, 672, 160, True, hard_swish, 1),
    (5, 672, 160, True, hard_swish, 2),
    (5, 960, 160, True, hard_swish, 1),
)


class MobileNetV3(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 960, H/32, W/32]``."""

    out_channels = 960
    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.", "conv1."),
        (r"^blocks\.(\d+)\.se\.reduce\.", lambda m: f"layer{int(m[1]) + 1}.se.conv1.conv."),
        (r"^blocks\.(\d+)\.se\.expand\.", lambda m: f"layer{int(m[1]) + 1}.se.conv2.conv."),
        (r"^blocks\.(\d+)\.(expand|depthwise)\.", lambda m: f"layer{int(m[1]) + 1}.{m[2]}_conv."),
        (r"^blocks\.(\d+)\.project\.", lambda m: f"layer{int(m[1]) + 1}.linear_conv."),
        (r"^last\.", "conv2."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBNAct(3, 16, 3, stride=2, act=hard_swish)
        width = 16
        blocks = []
        for kernel, middle, out, se, act, stride in BLOCKS:
            blocks.append(
                # The first block has an expansion convolution of factor 1, unlike MobileNetV2's.
                InvertedResidual(
                    width,
                    out,
                    middle,
                    kernel=kernel,
                    stride=stride,
                    act=act,
                    se_hidden=middle // 4 if se else None,
                )
            )
            width = out
        self.blocks = nn.Sequential(*blocks)
        self.last = ConvBNAct(width, self.out_channels, act=hard_swish)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.blocks(self.stem(eager_layout(x))))
