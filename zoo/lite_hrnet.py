"""Lite-HRNet-18 and -30 (arXiv 2104.06403), as the official release computes them.

Branch b has a resolution of 1 / 2^(b + 2) of the image's and ``WIDTHS[b]`` channels. What makes
this implementation faster than the release, and what each step gave, is in
docs/lite_hrnet_speed.md; the outputs are the same to rounding.
"""

from collections.abc import Callable
from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.blocks import Activation, ConvBNAct, SqueezeExcite, concat_shuffle, eager_layout, nearest, relu
from zoo.heads import PointwiseHead
from zoo.naming import LAYER, PATH, Rule, flat_layer, fusion_path
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

WIDTHS = (40, 80, 160, 320)
STEM_WIDTH = 32
BLOCKS = 2  # conditional channel weighting blocks a module
MODULES = {18: (2, 4, 2), 30: (3, 8, 3)}  # modules of the stages with 2, 3 and 4 branches (table 2)


class Separable(nn.Module):
    """Depthwise 3x3 convolution, batch norm, 1x1 convolution, batch norm, ``act``."""

    def __init__(self, in_channels: int, out_channels: int, stride: int, act: Activation | None = relu) -> None:
        super().__init__()
        self.depthwise = ConvBNAct(in_channels, in_channels, 3, stride=stride, groups=in_channels, act=None)
        self.pointwise = ConvBNAct(in_channels, out_channels, act=act)

    def forward(self, x: Tensor) -> Tensor:
        return self.pointwise(self.depthwise(x))


class Stem(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 32, H/4, W/4]``: a convolution, then a shuffle unit with stride 2."""

    def __init__(self) -> None:
        super().__init__()
        half = STEM_WIDTH // 2
        self.conv = ConvBNAct(3, STEM_WIDTH, 3, stride=2)
        self.shortcut = Separable(half, half, 2)
        self.branch = nn.Sequential(
            ConvBNAct(half, STEM_WIDTH),
            ConvBNAct(STEM_WIDTH, STEM_WIDTH, 3, stride=2, groups=STEM_WIDTH, act=None),
            ConvBNAct(STEM_WIDTH, half),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv(x).chunk(2, 1)
        return concat_shuffle(self.shortcut(first), self.branch(second))


class CrossResolutionWeighting(nn.Module):
    """Weights each branch by what all branches, pooled to the smallest one's size, say (section 3.2).

    ``xs[b]`` is ``[N, C_b, H / 2^b, W / 2^b]``, in and out. Pooling and upsampling are functional,
    as in the release: no counting convention counts them.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.widths = widths
        total = sum(widths)
        self.reduce = ConvBNAct(total, total // 8)
        self.expand = ConvBNAct(total // 8, total, act=nn.Sigmoid)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        size = (xs[-1].shape[-2], xs[-1].shape[-1])
        pooled = torch.cat([*(functional.adaptive_avg_pool2d(x, size) for x in xs[:-1]), xs[-1]], 1)
        weights = self.expand(self.reduce(pooled)).split(self.widths, 1)
        out = [functional.interpolate(w, size=x.shape[-2:]).mul_(x) for w, x in zip(weights[:-1], xs[:-1], strict=True)]
        return [*out, weights[-1] * xs[-1]]


class ConditionalChannelWeighting(nn.Module):
    """A shuffle block whose 1x1 convolutions are replaced by weightings (figure 4b); shapes stay.

    Half of each branch passes; the other half is weighted across resolutions, goes through a
    depthwise convolution and is weighted by its own global average.
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        halves = [width // 2 for width in widths]
        self.cross_resolution = CrossResolutionWeighting(halves)
        self.depthwise = nn.ModuleList([ConvBNAct(c, c, 3, groups=c, act=None) for c in halves])
        self.spatial = nn.ModuleList([SqueezeExcite(c, c // 4, gate=nn.Sigmoid) for c in halves])

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        firsts, seconds = zip(*(x.chunk(2, 1) for x in xs), strict=True)
        seconds = self.cross_resolution(list(seconds))
        return [
            concat_shuffle(first, spatial(depthwise(second)))
            for first, second, depthwise, spatial in zip(firsts, seconds, self.depthwise, self.spatial, strict=True)
        ]


class Fusion(nn.Module):
    """Exchanges information between the branches, in the release's own way.

    HRNet sums all branches at every resolution. The release accumulates in place instead, which
    makes it, with f_ij the path from branch j to branch i,

        y_0 = 2 x_0 + sum over j >= 1 of f_0j(x_j)
        y_i = 2 f_i0(y_0) + x_i + sum over j not in {0, i} of f_ij(x_j)    for i >= 1

    and ReLU(y_i) the outputs: branch 0 feeds the others after it was fused, and counts twice.
    Published weights need exactly this. The release runs each f_i0 twice to add it twice; here it
    runs once, which gives the same outputs. In training the release thereby moves the running
    statistics in f_i0 twice a step (an effective momentum of 0.19); here they move once.

    Up, j > i: 1x1 convolution, batch norm, nearest upsampling. Down: a chain of separable
    convolutions of stride 2 that keeps branch j's width and ends in ReLU up to the last step.
    """

    def __init__(self, branches: int) -> None:
        super().__init__()
        self.paths = nn.ModuleDict()
        for i in range(branches):
            for j in range(branches):
                if j > i:
                    self.paths[f"{j}to{i}"] = nn.Sequential(
                        ConvBNAct(WIDTHS[j], WIDTHS[i], act=None), nearest(2 ** (j - i))
                    )
                elif j < i:
                    steps = [Separable(WIDTHS[j], WIDTHS[j], 2) for _ in range(i - j - 1)]
                    self.paths[f"{j}to{i}"] = nn.Sequential(*steps, Separable(WIDTHS[j], WIDTHS[i], 2, act=None))
        # One module for all outputs, as in the release. Not in place: y_0 is still to be read.
        self.act: nn.Module = nn.ReLU()

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        fused: list[Tensor] = []
        for i, x in enumerate(xs):
            terms = [self.paths[f"{j}to{i}"](fused[0] if j == 0 else xs[j]) for j in range(len(xs)) if j != i]
            once, twice = (terms[0], x) if i == 0 else (x, terms[0])
            y = torch.add(once, twice, alpha=2)
            for term in terms[1:]:
                y = y.add_(term)
            fused.append(y)
        return [self.act(y) for y in fused]


class Module(nn.Module):
    """Two conditional channel weighting blocks and a fusion; branches keep their shapes."""

    def __init__(self, branches: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(ConditionalChannelWeighting(WIDTHS[:branches]) for _ in range(BLOCKS)))
        self.fusion = Fusion(branches)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        return self.fusion(self.blocks(xs))


class IterativeHead(nn.Module):
    """From the smallest branch up: project to the next branch's width, upsample, add (figure 5).

    Branches to ``[N, 40, H/4, W/4]``. Bilinear upsampling with aligned corners, functional as in
    the release.
    """

    def __init__(self) -> None:
        super().__init__()
        outs = (*WIDTHS[-2::-1], WIDTHS[0])
        self.projects = nn.ModuleList([Separable(c, out, 1) for c, out in zip(WIDTHS[::-1], outs, strict=True)])

    def forward(self, xs: list[Tensor]) -> Tensor:
        y: Tensor = self.projects[0](xs[-1])
        for x, project in zip(xs[-2::-1], self.projects[1:], strict=True):
            y = project(functional.interpolate(y, size=x.shape[-2:], mode="bilinear", align_corners=True).add_(x))
        return y


# Published names of what is in the frame of both.
FRAME_NAMES: list[Rule] = [
    (rf"^to_branch0\.{LAYER}", lambda m: f"transition0.0.{flat_layer(m)}"),
    (rf"^new_branches\.(\d)\.{LAYER}", lambda m: f"transition{m[1]}.{int(m[1]) + 1}.0.{flat_layer(m)}"),
    (rf"^stages\.(\d)\.(\d)\.{PATH}", lambda m: f"stage{m[1]}.{m[2]}.{fusion_path(m)}"),
    (r"^head\.projects\.(\d)\.(depthwise|pointwise)\.", r"head_layer.projects.\1.\2_conv."),
]


class Frame(nn.Module):
    """What Lite-HRNet and Dite-HRNet share: stem, transitions, stages of 2, 3 and 4 branches, iterative head.

    ``[N, 3, H, W]`` to ``[N, 40, H/4, W/4]``.

    Args:
        stem: ``[N, 3, H, W]`` to ``[N, 32, H/4, W/4]``.
        module: makes a stage's module from its number of branches.
        modules: how many of them each stage has.
    """

    out_channels = WIDTHS[0]

    def __init__(self, stem: nn.Module, module: Callable[[int], nn.Module], modules: tuple[int, ...]) -> None:
        super().__init__()
        self.stem = stem
        # A transition adds a branch, made from the smallest one; the others pass. Only the first
        # one also changes branch 0, whose 32 channels become 40.
        self.to_branch0 = Separable(STEM_WIDTH, WIDTHS[0], 1)
        sources = (STEM_WIDTH, *WIDTHS[1:3])
        self.new_branches = nn.ModuleList(
            [Separable(source, width, 2) for source, width in zip(sources, WIDTHS[1:], strict=True)]
        )
        self.stages = nn.ModuleList(
            [
                nn.Sequential(*(module(branches) for _ in range(count)))
                for branches, count in zip((2, 3, 4), modules, strict=True)
            ]
        )
        self.head = IterativeHead()

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(eager_layout(x))
        xs = [self.to_branch0(x)]
        for new_branch, stage in zip(self.new_branches, self.stages, strict=True):
            xs = stage([*xs, new_branch(x)])
            x = xs[-1]
        return self.head(xs)


class LiteHRNet(Frame):
    """``[N, 3, H, W]`` to ``[N, 40, H/4, W/4]``; ``depth`` is 18 or 30."""

    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.conv\.", "stem.conv1."),
        (r"^stem\.shortcut\.(depthwise|pointwise)\.", lambda m: f"stem.branch1.{int(m[1] == 'pointwise')}."),
        (r"^stem\.branch\.(\d)\.", lambda m: f"stem.{('expand', 'depthwise', 'linear')[int(m[1])]}_conv."),
        (
            r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.cross_resolution\.(reduce|expand)\.",
            lambda m: f"stage{m[1]}.{m[2]}.layers.{m[3]}.cross_resolution_weighting.conv{1 + (m[4] == 'expand')}.",
        ),
        (r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.depthwise\.", r"stage\1.\2.layers.\3.depthwise_convs."),
        (
            r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.spatial\.(\d)\.(reduce|expand)\.",
            lambda m: f"stage{m[1]}.{m[2]}.layers.{m[3]}.spatial_weighting.{m[4]}.conv{1 + (m[5] == 'expand')}.conv.",
        ),
        *FRAME_NAMES,
    ]

    def __init__(self, depth: int) -> None:
        super().__init__(Stem(), Module, MODULES[depth])


PAPER = "Yu et al., Lite-HRNet: A Lightweight High-Resolution Network, CVPR 2021"
SOURCE = "The official release; what was rewritten for speed is in docs/lite_hrnet_speed.md."
QUIRKS = (
    "The fusion is the release's, not HRNet's: branch 0 is fused first, counts twice, and what the other "
    "branches take from it is the fused sum before its ReLU, again counted twice. The release runs those "
    "paths twice to that end; here they run once, with the same outputs.",
    "In training, the release thereby moves the running statistics of those paths twice a step (an effective "
    "momentum of 0.19); here they move once, with momentum 0.1.",
)


@network(
    ModelCard(
        name="lite_hrnet_18",
        method="Lite-HRNet",
        backbone="Lite-HRNet-18",
        label="Lite-HRNet18",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
        table_row=6,
    )
)
def lite_hrnet_18(num_joints: int, input_size: Size) -> PoseNet:
    return PoseNet(LiteHRNet(18), PointwiseHead(LiteHRNet.out_channels, num_joints))


@network(
    ModelCard(
        name="lite_hrnet_30",
        method="Lite-HRNet",
        backbone="Lite-HRNet-30",
        label="Lite-HRNet30",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
        table_row=7,
    )
)
def lite_hrnet_30(num_joints: int, input_size: Size) -> PoseNet:
    return PoseNet(LiteHRNet(30), PointwiseHead(LiteHRNet.out_channels, num_joints))
