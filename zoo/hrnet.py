"""Small HRNet-W16: HRNet (arXiv 1902.09212) with narrow branches and one module a stage.

It is the small network of the Lite-HRNet paper (arXiv 2104.06403). Everywhere below, branch b
has a resolution of 1 / 2^(b + 2) of the image's.

ReLU modules are shared as in the published network (one for both stem convolutions, one a block,
one for all outputs of a fusion): torchstat counts a module that runs several times once.
"""

from typing import ClassVar

from torch import Tensor, nn

from zoo.blocks import ConvBNAct, eager_layout, nearest, relu
from zoo.heads import PointwiseHead
from zoo.naming import LAYER, PATH, Rule, flat_layer, fusion_path
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

WIDTHS = (16, 32, 64, 128)
STEM_WIDTH = 64
BOTTLENECK_WIDTH = 32
BLOCKS = 2  # basic blocks a branch


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a 1x1 shortcut; ``[N, C, H, W]`` to ``[N, 4 * width, H, W]``."""

    def __init__(self, in_channels: int, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList(
            [
                ConvBNAct(in_channels, width, act=None),
                ConvBNAct(width, width, 3, act=None),
                ConvBNAct(width, 4 * width, act=None),
            ]
        )
        self.shortcut = ConvBNAct(in_channels, 4 * width, act=None)
        self.act = relu()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.convs[0](x))
        y = self.act(self.convs[1](y))
        return self.act(self.convs[2](y).add_(self.shortcut(x)))


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside the identity; ``[N, C, H, W]`` in and out."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.convs = nn.ModuleList([ConvBNAct(width, width, 3, act=None) for _ in range(2)])
        self.act = relu()

    def forward(self, x: Tensor) -> Tensor:
        y = self.act(self.convs[0](x))
        return self.act(self.convs[1](y).add_(x))


class Fusion(nn.Module):
    """Every output is the ReLU of the sum of all branches, each brought to its size and width.

    Up, from branch j to i < j: 1x1 convolution, batch norm, nearest upsampling. Down: a chain of
    3x3 stride-2 convolutions with batch norm that keeps branch j's width up to the last step;
    every step but the last ends in ReLU.
    """

    def __init__(self, branches: int, outputs: int) -> None:
        super().__init__()
        self.outputs = outputs
        self.paths = nn.ModuleDict()
        for i in range(outputs):
            for j in range(branches):
                if j > i:
                    self.paths[f"{j}to{i}"] = nn.Sequential(
                        ConvBNAct(WIDTHS[j], WIDTHS[i], act=None), nearest(2 ** (j - i))
                    )
                elif j < i:
                    steps = [ConvBNAct(WIDTHS[j], WIDTHS[j], 3, stride=2) for _ in range(i - j - 1)]
                    steps.append(ConvBNAct(WIDTHS[j], WIDTHS[i], 3, stride=2, act=None))
                    self.paths[f"{j}to{i}"] = nn.Sequential(*steps)
        self.act = relu()

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        ys = []
        for i in range(self.outputs):
            others = [self.paths[f"{j}to{i}"](x) for j, x in enumerate(xs) if j != i]
            y = others[0]  # a fresh tensor, so that the sum can be made in place
            for term in (xs[i], *others[1:]):
                y = y.add_(term)
            ys.append(self.act(y))
        return ys


class Stage(nn.Module):
    """Two basic blocks on every branch, then the fusion; ``outputs`` branches come out, from 0 on."""

    def __init__(self, branches: int, outputs: int) -> None:
        super().__init__()
        self.branches = nn.ModuleList(
            [nn.Sequential(*(BasicBlock(width) for _ in range(BLOCKS))) for width in WIDTHS[:branches]]
        )
        self.fusion = Fusion(branches, outputs)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        return self.fusion([branch(x) for branch, x in zip(self.branches, xs, strict=True)])


class SmallHRNet(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 16, H/4, W/4]``: branch 0 of the last stage."""

    out_channels = WIDTHS[0]
    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.(\d)\.(conv|bn)\.", lambda m: f"{m[2]}{int(m[1]) + 1}."),
        (r"^bottleneck\.convs\.(\d)\.(conv|bn)\.", lambda m: f"layer1.0.{m[2]}{int(m[1]) + 1}."),
        (rf"^bottleneck\.shortcut\.{LAYER}", lambda m: f"layer1.0.downsample.{flat_layer(m)}"),
        (rf"^to_branch0\.{LAYER}", lambda m: f"transition1.0.{flat_layer(m)}"),
        (rf"^new_branches\.(\d)\.{LAYER}", lambda m: f"transition{int(m[1]) + 1}.{int(m[1]) + 1}.0.{flat_layer(m)}"),
        (
            r"^stages\.(\d)\.branches\.(\d)\.(\d)\.convs\.(\d)\.(conv|bn)\.",
            lambda m: f"stage{int(m[1]) + 2}.0.branches.{m[2]}.{m[3]}.{m[5]}{int(m[4]) + 1}.",
        ),
        (rf"^stages\.(\d)\.{PATH}", lambda m: f"stage{int(m[1]) + 2}.0.{fusion_path(m)}"),
    ]

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.ModuleList(
            [
                ConvBNAct(3, STEM_WIDTH, 3, stride=2, act=None),
                ConvBNAct(STEM_WIDTH, STEM_WIDTH, 3, stride=2, act=None),
            ]
        )
        self.stem_act = relu()
        self.bottleneck = Bottleneck(STEM_WIDTH, BOTTLENECK_WIDTH)
        # A transition adds a branch, made from the smallest one; the others pass. Only the first
        # one also changes branch 0, whose 128 channels become 16.
        self.to_branch0 = ConvBNAct(4 * BOTTLENECK_WIDTH, WIDTHS[0], 3)
        sources = (4 * BOTTLENECK_WIDTH, WIDTHS[1], WIDTHS[2])
        self.new_branches = nn.ModuleList(
            [ConvBNAct(source, width, 3, stride=2) for source, width in zip(sources, WIDTHS[1:], strict=True)]
        )
        self.stages = nn.ModuleList([Stage(2, 2), Stage(3, 3), Stage(4, 1)])

    def forward(self, x: Tensor) -> Tensor:
        x = eager_layout(x)
        for conv in self.stem:
            x = self.stem_act(conv(x))
        x = self.bottleneck(x)
        xs = [self.to_branch0(x)]
        for new_branch, stage in zip(self.new_branches, self.stages, strict=True):
            xs = stage([*xs, new_branch(x)])
            x = xs[-1]
        return x


@network(
    ModelCard(
        name="small_hrnet_w16",
        method="Small HRNet",
        backbone="HRNet-W16",
        label="Small HRNet",
        paper="Yu et al., Lite-HRNet: A Lightweight High-Resolution Network, CVPR 2021",
        source="The small HRNet that the Lite-HRNet paper compares with: one module a stage, two blocks a branch, "
        "widths 16, 32, 64 and 128.",
        quirks=("The first transition is a 3x3 convolution at stride 1, and every transition has a ReLU.",),
        table_row=5,
    )
)
def small_hrnet_w16(num_joints: int, input_size: Size) -> PoseNet:
    return PoseNet(SmallHRNet(), PointwiseHead(SmallHRNet.out_channels, num_joints))
