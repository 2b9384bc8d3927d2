"""MobileNetV2 x1.0 (arXiv 1801.04381, table 2), without its classifier."""

import re
from typing import ClassVar

from torch import Tensor, nn

from zoo.blocks import ConvBNAct, InvertedResidual, eager_layout, relu6
from zoo.naming import Rule

# (expansion, width, blocks, stride of the first block), table 2 of the MobileNetV2 paper.
STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)


def _published_layer(match: re.Match[str]) -> str:
    stage, block, part = int(match[1]), match[2], match[3]
    # The first stage's block has no expansion convolution, so its numbering starts one later.
    index = ("expand", "depthwise", "project").index(part) - (stage == 0)
    return f"layer{stage + 1}.{block}.conv.{index}."


class MobileNetV2(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 1280, H/32, W/32]``."""

    out_channels = 1280
    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.", "conv1."),
        (r"^stages\.(\d)\.(\d)\.(expand|depthwise|project)\.", _published_layer),
        (r"^last\.", "conv2."),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.stem = ConvBNAct(3, 32, 3, stride=2, act=relu6)
        width = 32
        stages = []
        for expansion, out, blocks, first_stride in STAGES:
            stage = []
            for index in range(blocks):
                stage.append(
                    InvertedResidual(
                        width,
                        out,
                        expansion * width,
                        stride=first_stride if index == 0 else 1,
                        act=relu6,
                        expand=expansion != 1,
                    )
                )
                width = out
            stages.append(nn.Sequential(*stage))
        self.stages = nn.Sequential(*stages)
        self.last = ConvBNAct(width, self.out_channels, act=relu6)

    def forward(self, x: Tensor) -> Tensor:
        return self.last(self.stages(self.stem(eager_layout(x))))
