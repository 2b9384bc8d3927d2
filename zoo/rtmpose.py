"""RTMPose (arXiv 2303.07399): CSPNeXt, and a head that classifies coordinates (SimCC) with one attention unit."""

import math

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.cspnext import CSPNeXt
from zoo.heads import init_head
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

WIDTH = 256  # of a joint's token
ATTENTION_WIDTH = 128  # of queries and keys
VALUE_WIDTH = 512
SPLIT_RATIO = 2  # bins a pixel of the input


class ScaleNorm(nn.Module):
    """``g x / rms(x)`` over the last dimension, ``g`` one learned number (arXiv 1910.05895)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = width**-0.5
        self.g = nn.Parameter(torch.ones(1))

    def forward(self, x: Tensor) -> Tensor:
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True) * self.scale
        return x / norm.clamp(min=1e-5) * self.g


class Scale(nn.Module):
    """A learned factor for every channel."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.scale = nn.Parameter(torch.ones(width))

    def forward(self, x: Tensor) -> Tensor:
        return x * self.scale


class GatedAttentionUnit(nn.Module):
    """Attention between the joints, gated (arXiv 2202.10447); tokens ``[N, J, 256]`` in and out.

    The attention is ``relu(q k / sqrt(128))^2``: no softmax, and no division by the number of
    tokens. There is no encoding of which joint a token is; their order never changes.
    """

    def __init__(self) -> None:
        super().__init__()
        self.ln = ScaleNorm(WIDTH)
        self.uv = nn.Linear(WIDTH, 2 * VALUE_WIDTH + ATTENTION_WIDTH, bias=False)
        self.gamma = nn.Parameter(torch.rand(2, ATTENTION_WIDTH))
        self.beta = nn.Parameter(torch.rand(2, ATTENTION_WIDTH))
        self.o = nn.Linear(VALUE_WIDTH, WIDTH, bias=False)
        self.res_scale = Scale(WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        gate, value, base = torch.split(
            functional.silu(self.uv(self.ln(x))), [VALUE_WIDTH, VALUE_WIDTH, ATTENTION_WIDTH], 2
        )
        query, key = base * self.gamma[0] + self.beta[0], base * self.gamma[1] + self.beta[1]
        attention = functional.relu(torch.bmm(query, key.transpose(1, 2)) / math.sqrt(ATTENTION_WIDTH)).square()
        return self.res_scale(x) + self.o(gate * torch.bmm(attention, value))


class RTMCCHead(nn.Module):
    """``[N, C, H/32, W/32]`` to raw scores of coordinates: along x ``[N, J, 2W]``, along y ``[N, J, 2H]``.

    Its parameters depend on the input's size: a joint's token is made of its whole map.
    """

    output_kind = "simcc"

    def __init__(self, in_channels: int, num_joints: int, input_size: Size) -> None:
        super().__init__()
        height, width = input_size
        positions = (height // 32) * (width // 32)
        self.final_layer = nn.Conv2d(in_channels, num_joints, 7, padding=3)
        self.mlp = nn.Sequential(ScaleNorm(positions), nn.Linear(positions, WIDTH, bias=False))
        self.gau = GatedAttentionUnit()
        self.cls_x = nn.Linear(WIDTH, SPLIT_RATIO * width, bias=False)
        self.cls_y = nn.Linear(WIDTH, SPLIT_RATIO * height, bias=False)
        init_head(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        # Row by row, whatever the memory layout of the maps.
        tokens: Tensor = self.gau(self.mlp(self.final_layer(x).flatten(2)))
        return self.cls_x(tokens), self.cls_y(tokens)


def _rtmpose(size: str, num_joints: int, input_size: Size) -> PoseNet:
    backbone = CSPNeXt(size)
    head = RTMCCHead(backbone.out_channels, num_joints, input_size)
    return PoseNet(backbone, head, fixed_size=input_size, published_head="head")


PAPER = "Jiang et al., RTMPose: Real-Time Multi-Person Pose Estimation based on MMPose, arXiv 2303.07399"
SOURCE = "Backbone and head as released in MMPose 1.x."
QUIRKS = (
    "The scores are raw: the published decoding takes the smaller of the two maxima as a joint's score, and it may "
    "exceed 1. There is no step below the bins of half a pixel.",
    "The published loss is divided by the number of joints but not by the batch, so that its gradient grows with "
    "the batch.",
    "Batch norm has an eps of 1e-5 here; the backbone's own class has 1e-3.",
)


@network(
    ModelCard(
        name="rtmpose_t",
        method="RTMPose",
        backbone="CSPNeXt-tiny",
        label="RTMPose-t",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
        output_kind="simcc",
        split_ratio=2.0,
    )
)
def rtmpose_t(num_joints: int, input_size: Size) -> PoseNet:
    return _rtmpose("tiny", num_joints, input_size)


@network(
    ModelCard(
        name="rtmpose_s",
        method="RTMPose",
        backbone="CSPNeXt-s",
        label="RTMPose-s",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
        output_kind="simcc",
        split_ratio=2.0,
    )
)
def rtmpose_s(num_joints: int, input_size: Size) -> PoseNet:
    return _rtmpose("small", num_joints, input_size)


@network(
    ModelCard(
        name="rtmpose_m",
        method="RTMPose",
        backbone="CSPNeXt-m",
        label="RTMPose-m",
        paper=PAPER,
        source=SOURCE,
        quirks=QUIRKS,
        output_kind="simcc",
        split_ratio=2.0,
    )
)
def rtmpose_m(num_joints: int, input_size: Size) -> PoseNet:
    return _rtmpose("medium", num_joints, input_size)
