"""Building blocks that several backbones share."""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional

Activation = Callable[[], nn.Module]


def relu() -> nn.Module:
    return nn.ReLU(inplace=True)


def relu6() -> nn.Module:
    return nn.ReLU6(inplace=True)


def hard_swish() -> nn.Module:
    """``x * relu6(x + 3) / 6`` (MobileNetV3, arXiv 1905.02244, section 5.2)."""
    return nn.Hardswish(inplace=True)


def silu() -> nn.Module:
    """``x * sigmoid(x)``."""
    return nn.SiLU(inplace=True)


def nearest(scale: int) -> nn.Module:
    """Upsampling by repeating every pixel ``scale`` times in height and width."""
    return nn.Upsample(scale_factor=float(scale), mode="nearest")


def eager() -> bool:
    """Whether operators run as they are called, so that the cheaper of two equal forms is worth choosing.

    Compilers and exporters get the plain form: they make such choices themselves.
    """
    tracing: bool = torch.jit.is_tracing()  # type: ignore[attr-defined, no-untyped-call]
    return not (tracing or torch.compiler.is_compiling())


def eager_layout(x: Tensor) -> Tensor:
    """``x`` with its channels innermost in memory, in eager mode on a CPU; values and shape stay.

    There, depthwise and other small convolutions and nearest upsampling take much less time in
    that layout, and a 1x1 convolution is one matrix product (``Pointwise``). What follows keeps
    the layout. Measured in docs/lite_hrnet_speed.md.
    """
    return x.contiguous(memory_format=torch.channels_last) if x.device.type == "cpu" and eager() else x


class Pointwise(nn.Conv2d):
    """A 1x1 convolution, computed as a matrix product where the channels lie innermost in memory.

    Parameters, function and cost are those of ``nn.Conv2d``: whoever counts operations by module
    type counts it as one. What it saves is the set-up of a convolution, most of its time where
    the tensors are small.
    """

    def __init__(self, in_channels: int, out_channels: int, *, bias: bool = True) -> None:
        super().__init__(in_channels, out_channels, 1, bias=bias)

    def forward(self, x: Tensor) -> Tensor:
        if x.stride(1) == 1 and eager():
            return functional.linear(x.permute(0, 2, 3, 1), self.weight.flatten(1), self.bias).permute(0, 3, 1, 2)
        return super().forward(x)


class ConvBNAct(nn.Module):
    """Convolution without bias, batch norm, then ``act`` (``None``: linear).

    The padding keeps the size at stride 1: ``kernel // 2``.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        *,
        stride: int = 1,
        groups: int = 1,
        act: Activation | None = relu,
    ) -> None:
        super().__init__()
        self.conv = (
            Pointwise(in_channels, out_channels, bias=False)
            if (kernel, stride, groups) == (1, 1, 1)
            else nn.Conv2d(in_channels, out_channels, kernel, stride, kernel // 2, groups=groups, bias=False)
        )
        self.bn = nn.BatchNorm2d(out_channels)
        self.act = act() if act is not None else None

    def forward(self, x: Tensor) -> Tensor:
        x = self.bn(self.conv(x))
        return x if self.act is None else self.act(x)


class SqueezeExcite(nn.Module):
    """Channel attention: ``x * gate(W2 relu(W1 pool(x)))`` (arXiv 1709.01507, and eq. 5 of the paper)."""

    def __init__(self, channels: int, hidden: int, *, gate: Activation = nn.Hardsigmoid) -> None:
        super().__init__()
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.reduce = Pointwise(channels, hidden)
        self.act = relu()
        self.expand = Pointwise(hidden, channels)
        self.gate = gate()

    def forward(self, x: Tensor) -> Tensor:
        weight: Tensor = self.gate(self.expand(self.act(self.reduce(self.pool(x)))))
        return x * weight


class InvertedResidual(nn.Module):
    """Expand (1x1), depthwise or grouped convolution, squeeze-and-excitation, linear 1x1.

    The identity is added if and only if the stride is 1 and the widths are equal. ``middle`` is
    the expanded width; ``expand=False`` leaves the first convolution out (then ``middle`` equals
    ``in_channels``). ``se_hidden=None`` is a block without squeeze-and-excitation.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        middle: int,
        *,
        kernel: int = 3,
        stride: int = 1,
        groups: int | None = None,
        act: Activation = relu,
        expand: bool = True,
        se_hidden: int | None = None,
        se_gate: Activation = nn.Hardsigmoid,
    ) -> None:
        super().__init__()
        self.expand = ConvBNAct(in_channels, middle, act=act) if expand else None
        self.depthwise = ConvBNAct(middle, middle, kernel, stride=stride, groups=groups or middle, act=act)
        self.se = SqueezeExcite(middle, se_hidden, gate=se_gate) if se_hidden is not None else None
        self.project = ConvBNAct(middle, out_channels, act=None)
        self.residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        y = x if self.expand is None else self.expand(x)
        y = self.depthwise(y)
        if self.se is not None:
            y = self.se(y)
        y = self.project(y)
        return x + y if self.residual else y


def channel_shuffle(x: Tensor, groups: int) -> Tensor:
    """Interleave the channels of ``groups`` equal groups; ``[N, C, H, W]`` in and out (arXiv 1707.01083)."""
    n, c, h, w = x.shape
    return x.view(n, groups, c // groups, h, w).transpose(1, 2).reshape(n, c, h, w)


def concat_shuffle(first: Tensor, second: Tensor) -> Tensor:
    """``channel_shuffle(torch.cat((first, second), 1), 2)`` with one copy instead of two.

    Both inputs are ``[N, C, H, W]`` of one shape; the output is ``[N, 2C, H, W]`` with the
    channels taken from the two in turn.
    """
    if second.stride(1) == 1 and second.dtype in (torch.float32, torch.float64) and eager():
        # Channels innermost: alternating pairs are what a complex tensor holds, and making one is
        # the fastest way to interleave there. Stacking takes several times as long.
        pairs = torch.complex(first.permute(0, 2, 3, 1), second.permute(0, 2, 3, 1))
        return torch.view_as_real(pairs).flatten(3).permute(0, 3, 1, 2)
    return torch.stack((first, second), 2).flatten(1, 2)
