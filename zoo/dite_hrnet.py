"""Dite-HRNet-18 and -30 (arXiv 2204.10762), as the official release computes them.

Lite-HRNet's frame (zoo/lite_hrnet.py: transitions, paths of the fusion, iterative head) with blocks
whose kernels are made for every picture. Branch b has a resolution of 1 / 2^(b + 2) of the image's.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo import blocks, lite_hrnet
from zoo.blocks import Activation, ConvBNAct, Pointwise, channel_shuffle, concat_shuffle, eager_layout, relu
from zoo.heads import PointwiseHead, init_head
from zoo.lite_hrnet import BLOCKS, FRAME_NAMES, STEM_WIDTH, WIDTHS, Frame
from zoo.naming import Rule
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

MODULES = {18: (2, 4, 2), 30: (3, 8, 3)}  # modules of the stages with 2, 3 and 4 branches
# Of the second half of every branch: sizes of the depthwise kernels, each on its share of the
# channels, how many kernels are mixed for each, and the ratio of its global context's gate.
KERNELS = ((3,), (3,), (3, 5), (3, 5, 7, 9))
BANK = (4, 4, 2, 1)
RATIO = (4, 4, 8, 8)


class KernelAttention(nn.Module):
    """How much of each of ``bank`` kernels a picture takes, ``[N, bank]``: sigmoids that need not sum to 1."""

    def __init__(self, channels: int, bank: int) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.conv1 = Pointwise(channels, channels // 4, bias=False)
        self.bn = nn.BatchNorm2d(channels // 4)
        self.act = relu()
        self.conv2 = Pointwise(channels // 4, bank)

    def forward(self, x: Tensor) -> Tensor:
        return torch.sigmoid(self.conv2(self.act(self.bn(self.conv1(self.pool(x)))))).flatten(1)


class KernelBank(nn.Module):
    """Convolves every picture with its own mixture of the kernels ``[bank, out, in / groups, size, size]``."""

    def __init__(self, in_channels: int, out_channels: int, size: int, stride: int, groups: int, bank: int) -> None:
        super().__init__()
        self.stride = stride
        self.groups = groups
        self.weight = nn.Parameter(torch.empty(bank, out_channels, in_channels // groups, size, size))
        for kernel in self.weight:
            nn.init.kaiming_uniform_(kernel)

    def forward(self, x: Tensor, mixture: Tensor) -> Tensor:
        n, _, height, width = x.shape
        _, out, per_group, size, _ = self.weight.shape
        # All pictures are one convolution: a picture is a group, or as many as the convolution has.
        # As [N, 1, bank]: of the product of a plain matrix, ncnn computes something else.
        kernels = torch.matmul(mixture[:, None], self.weight.flatten(1)).view(n * out, per_group, size, size)
        joined = x.reshape(1, -1, height, width) if n > 1 else x
        y = functional.conv2d(joined, kernels, None, self.stride, size // 2, groups=n * self.groups)
        return eager_layout(y.view(n, out, y.shape[-2], y.shape[-1])) if n > 1 else y


class DynamicConv(nn.Module):
    """A convolution without bias whose kernel is made for every picture (the paper's section 3.2)."""

    def __init__(
        self, in_channels: int, out_channels: int, size: int = 1, *, stride: int = 1, groups: int = 1, bank: int = 4
    ) -> None:
        super().__init__()
        self.attention = KernelAttention(in_channels, bank)
        self.aggregation = KernelBank(in_channels, out_channels, size, stride, groups, bank)

    def forward(self, x: Tensor) -> Tensor:
        return self.aggregation(x, self.attention(x))


class DynamicConvBNAct(nn.Module):
    """Dynamic convolution, batch norm, then ``act`` (``None``: linear)."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        size: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        bank: int = 4,
        act: Activation | None = None,
    ) -> None:
        super().__init__()
        self.conv = DynamicConv(in_channels, out_channels, size, stride=stride, groups=groups, bank=bank)
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = act() if act is not None else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.act is None else self.act(x)


def gate(channels: int, hidden: int) -> nn.Sequential:
    """``sigmoid(W2 relu(bn(W1 x)) + b)``; maps of ``channels`` in and out."""
    return nn.Sequential(
        Pointwise(channels, hidden, bias=False),
        nn.BatchNorm2d(hidden),
        relu(),
        Pointwise(hidden, channels),
        nn.Sigmoid(),
    )


class GlobalContext(nn.Module):
    """Weights channels by what one place of the map, softly chosen, says; ``[N, C, H, W]`` in and out."""

    def __init__(self, channels: int, hidden: int) -> None:
        super().__init__()
        self.conv_mask = Pointwise(channels, 1)
        self.channel_attention = gate(channels, hidden)
        self.bn = nn.BatchNorm2d(channels)

    def forward(self, x: Tensor) -> Tensor:
        n, channels = x.shape[:2]
        mask = self.conv_mask(x).view(n, -1, 1).softmax(1)
        if x.stride(1) == 1 and blocks.eager():
            # Channels innermost: the same product without a copy of the map.
            context = torch.matmul(mask.transpose(1, 2), x.permute(0, 2, 3, 1).flatten(1, 2))
        else:
            context = torch.matmul(x.flatten(2), mask)
        context = context.view(n, channels, 1, 1)
        return self.bn(x * self.channel_attention(context))


class DenseContext(nn.Module):
    """Weights every branch by a map of what all branches say, pooled to the smallest one's size.

    ``xs[b]`` is ``[N, C_b, H / 2^b, W / 2^b]``, in and out.

    The pooling is the release's, which published weights need. A softmax over the whole map weights
    the positions; then the map's numbers, in the order channel, row, column, are read again as if
    they were in the order pooled position, channel, position within it. So what is summed up mixes
    channels and positions. The mask of the last branch, which is not pooled, exists in the release
    and is never used.
    """

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.widths = widths
        self.conv_mask = nn.ModuleList([Pointwise(width, 1) for width in widths])
        self.channel_attention = gate(sum(widths), sum(widths) // 8)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        height, width = xs[-1].shape[-2:]
        pooled = [
            _scrambled_pool(x, conv_mask(x), height, width)
            for x, conv_mask in zip(xs[:-1], self.conv_mask[:-1], strict=True)  # type: ignore[arg-type]
        ]
        weights = torch.split(self.channel_attention(eager_layout(torch.cat([*pooled, xs[-1]], 1))), self.widths, 1)
        out = [functional.interpolate(w, size=x.shape[-2:]).mul_(x) for w, x in zip(weights[:-1], xs[:-1], strict=True)]
        return [*out, weights[-1] * xs[-1]]


def _scrambled_pool(x: Tensor, mask: Tensor, height: int, width: int) -> Tensor:
    """``[N, C, H, W]`` and a mask ``[N, 1, H, W]`` to ``[N, C, height, width]``, as ``DenseContext`` says."""
    n, channels = x.shape[:2]
    positions = height * width
    weights = mask.flatten(1).softmax(1).view(n, positions, -1, 1)
    sums = torch.matmul(x.flatten(1).view(n, positions, channels, -1), weights)
    return sums.view(n, height, width, channels).permute(0, 3, 1, 2)


class SplitConv(nn.Module):
    """Groups of channels, each with a depthwise kernel of its own size; shuffled together at the end."""

    def __init__(self, channels: int, kernels: tuple[int, ...], bank: int) -> None:
        super().__init__()
        share = channels // len(kernels)
        self.conv = nn.ModuleList(
            [
                DynamicConvBNAct(share, share, size, groups=share, bank=bank)
                if bank > 1
                else ConvBNAct(share, share, size, groups=share, act=None)
                for size in kernels
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        parts = [conv(part) for part, conv in zip(x.chunk(len(self.conv), 1), self.conv, strict=True)]
        if len(parts) == 1:
            return parts[0]
        return concat_shuffle(*parts) if len(parts) == 2 else channel_shuffle(torch.cat(parts, 1), len(parts))


class Block(nn.Module):
    """Half of each branch passes; the other half goes through dense context, split convolution, global context."""

    def __init__(self, branches: int) -> None:
        super().__init__()
        halves = [width // 2 for width in WIDTHS[:branches]]
        self.dense_context = DenseContext(halves)
        self.split_convs = nn.ModuleList(
            [SplitConv(c, kernels, bank) for c, kernels, bank in zip(halves, KERNELS, BANK, strict=False)]
        )
        self.global_contexts = nn.ModuleList(
            [GlobalContext(c, c // ratio) for c, ratio in zip(halves, RATIO, strict=False)]
        )

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        firsts, seconds = zip(*(x.chunk(2, 1) for x in xs), strict=True)
        seconds = self.dense_context(list(seconds))
        return [
            concat_shuffle(first, context(conv(second)))
            for first, second, conv, context in zip(
                firsts, seconds, self.split_convs, self.global_contexts, strict=True
            )
        ]


class Fusion(lite_hrnet.Fusion):
    """Lite-HRNet's fusion but for one thing: the paths from branch 0 see it after its ReLU.

    With f_ij the path from branch j to branch i,

        y_0 = 2 x_0 + sum over j >= 1 of f_0j(x_j)
        y_i = 2 f_i0(ReLU(y_0)) + x_i + sum over j not in {0, i} of f_ij(x_j)    for i >= 1

    and ReLU(y_i) the outputs: the release's ReLU works in place. It runs each f_i0 twice to add it
    twice; here it runs once.
    """

    def __init__(self, branches: int) -> None:
        super().__init__(branches)
        self.act = relu()

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        fused: list[Tensor] = []
        for i, x in enumerate(xs):
            terms = [self.paths[f"{j}to{i}"](fused[0] if j == 0 else xs[j]) for j in range(len(xs)) if j != i]
            once, twice = (terms[0], x) if i == 0 else (x, terms[0])
            y = torch.add(once, twice, alpha=2)
            for term in terms[1:]:
                y = y.add_(term)
            fused.append(self.act(y))
        return fused


class Module(nn.Module):
    """Two blocks and a fusion; branches keep their shapes."""

    def __init__(self, branches: int) -> None:
        super().__init__()
        self.blocks = nn.Sequential(*(Block(branches) for _ in range(BLOCKS)))
        self.fusion = Fusion(branches)

    def forward(self, xs: list[Tensor]) -> list[Tensor]:
        return self.fusion(self.blocks(xs))


class Stem(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 32, H/4, W/4]``: a convolution, then two branches of dynamic ones."""

    def __init__(self) -> None:
        super().__init__()
        half = STEM_WIDTH // 2
        self.conv1 = ConvBNAct(3, STEM_WIDTH, 3, stride=2)
        self.branch1 = nn.Sequential(
            DynamicConvBNAct(half, half, 3, stride=2, groups=half),
            GlobalContext(half, half // 4),
            DynamicConvBNAct(half, half, act=relu),
        )
        self.branch2 = nn.Sequential(
            DynamicConvBNAct(half, half, 3, groups=half),
            GlobalContext(half, half // 4),
            DynamicConvBNAct(half, half // 4, act=relu),
            DynamicConvBNAct(half // 4, half),
            DynamicConvBNAct(half, half, 3, stride=2, groups=half, act=relu),
        )

    def forward(self, x: Tensor) -> Tensor:
        first, second = self.conv1(x).chunk(2, 1)
        return concat_shuffle(self.branch1(first), self.branch2(second))


class DiteHRNet(Frame):
    """``[N, 3, H, W]`` to ``[N, 40, H/4, W/4]``; ``depth`` is 18 or 30.

    In training, batch norms see one number a picture and channel where a map is pooled to its
    mean: a batch of one is impossible, and one of two says little.
    """

    published_names: ClassVar[list[Rule]] = [
        (r"^stem\.", "stem."),
        (r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.dense_context\.", r"stage\1.\2.layers.\3.dcm."),
        (r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.split_convs\.", r"stage\1.\2.layers.\3.conv."),
        (r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.global_contexts\.", r"stage\1.\2.layers.\3.gcm."),
        *FRAME_NAMES,
    ]

    def __init__(self, depth: int) -> None:
        super().__init__(Stem(), Module, MODULES[depth])
        init_head(self)


def _dite_hrnet(depth: int, num_joints: int) -> PoseNet:
    head = PointwiseHead(DiteHRNet.out_channels, num_joints)
    init_head(head)
    return PoseNet(DiteHRNet(depth), head, published_head="head")


PAPER = "Li et al., Dite-HRNet: Dynamic Lightweight High-Resolution Network for Human Pose Estimation, IJCAI 2022"
SOURCE = "The official release; no trained weights were published."
QUIRKS = (
    "The pooling of the dense context, as released, reads the numbers of a map in another order than they are in, so "
    "that channels and positions mix. The mask of the smallest branch is never used.",
    "The fusion is Lite-HRNet's, but the paths from branch 0 see it after its ReLU. The release runs them twice; here "
    "they run once, with the same outputs, and in training their statistics move once.",
    "Batch norms inside the gates see one number a picture and channel, so that training needs more than one picture "
    "a device.",
)


@network(
    ModelCard(
        name="dite_hrnet_18",
        method="Dite-HRNet",
        backbone="Dite-HRNet-18",
        label="Dite-HRNet18",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
    )
)
def dite_hrnet_18(num_joints: int, input_size: Size) -> PoseNet:
    return _dite_hrnet(18, num_joints)


@network(
    ModelCard(
        name="dite_hrnet_30",
        method="Dite-HRNet",
        backbone="Dite-HRNet-30",
        label="Dite-HRNet30",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
    )
)
def dite_hrnet_30(num_joints: int, input_size: Size) -> PoseNet:
    return _dite_hrnet(30, num_joints)
