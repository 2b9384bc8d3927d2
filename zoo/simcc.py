"""SimCC (arXiv 2107.03332): coordinates by classification along each axis, on two light backbones."""

from torch import Tensor, nn

from zoo.blocks import Pointwise
from zoo.heads import DepthwiseDeconvHead, init_head
from zoo.mobilenet_v2 import MobileNetV2
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network
from zoo.vipnas import ViPNASMobileNetV3

SPLIT_RATIO = 2  # bins a pixel of the input


class Classifiers(nn.Module):
    """A joint's map, row by row, to raw scores along both axes; the parameters depend on the input's size."""

    output_kind = "simcc"

    def __init__(self, positions: int, input_size: Size) -> None:
        super().__init__()
        height, width = input_size
        self.mlp_head_x = nn.Linear(positions, SPLIT_RATIO * width)
        self.mlp_head_y = nn.Linear(positions, SPLIT_RATIO * height)

    def classify(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """``[N, J, h, w]`` to ``[N, J, 2W]`` and ``[N, J, 2H]``."""
        flat = maps.flatten(2)
        return self.mlp_head_x(flat), self.mlp_head_y(flat)


class SimCCHead(Classifiers):
    """``[N, C, H/32, W/32]`` to scores along x ``[N, J, 2W]`` and y ``[N, J, 2H]``, without deconvolutions."""

    def __init__(self, in_channels: int, num_joints: int, input_size: Size) -> None:
        super().__init__((input_size[0] // 32) * (input_size[1] // 32), input_size)
        self.final_layer = Pointwise(in_channels, num_joints)
        init_head(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.classify(self.final_layer(x))


class DeconvSimCCHead(Classifiers):
    """The same after ViPNAS's head: maps of a quarter of the input's size, 2.75 M of parameters in two layers."""

    def __init__(self, in_channels: int, num_joints: int, input_size: Size) -> None:
        super().__init__((input_size[0] // 4) * (input_size[1] // 4), input_size)
        self.deconv_head = DepthwiseDeconvHead(in_channels, num_joints)
        init_head(self)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        return self.classify(self.deconv_head(x))


PAPER = "Li et al., SimCC: a Simple Coordinate Classification Perspective for Human Pose Estimation, ECCV 2022"


@network(
    ModelCard(
        name="simcc_mobilenetv2",
        method="SimCC",
        backbone="MobileNetV2",
        label="SimCC MobileNetV2",
        paper=PAPER,
        source="MobileNetV2 x1.0 without deconvolutions under the SimCC head, as released in MMPose 1.x.",
        output_kind="simcc",
        split_ratio=2.0,
    )
)
def simcc_mobilenetv2(num_joints: int, input_size: Size) -> PoseNet:
    head = SimCCHead(MobileNetV2.out_channels, num_joints, input_size)
    return PoseNet(MobileNetV2(), head, fixed_size=input_size, published_head="head")


@network(
    ModelCard(
        name="simcc_vipnas_mobilenetv3",
        method="SimCC",
        backbone="ViPNAS-MobileNetV3",
        label="SimCC ViPNAS",
        paper=PAPER,
        source="Backbone and deconvolutions of the released ViPNAS-MobileNetV3 under the SimCC head, as in MMPose 1.x.",
        quirks=("Of 8.65 M parameters, 2.75 M are in the two linear layers that see whole maps.",),
        output_kind="simcc",
        split_ratio=2.0,
    )
)
def simcc_vipnas_mobilenetv3(num_joints: int, input_size: Size) -> PoseNet:
    head = DeconvSimCCHead(ViPNASMobileNetV3.out_channels, num_joints, input_size)
    return PoseNet(ViPNASMobileNetV3(), head, fixed_size=input_size, published_head="head")
