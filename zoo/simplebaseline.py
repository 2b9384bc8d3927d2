"""SimpleBaseline (arXiv 1804.06208): a backbone under the deconvolution head, as MMPose releases them."""

from torch import nn

from zoo.heads import DeconvHead
from zoo.mobilenet_v2 import MobileNetV2
from zoo.mobilenet_v3 import MobileNetV3
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network
from zoo.shufflenet_v2 import ShuffleNetV2

PAPER = "Xiao et al., Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018"


def simplebaseline(backbone: nn.Module, num_joints: int) -> PoseNet:
    """The head on any backbone with a feature map of stride 32."""
    return PoseNet(backbone, DeconvHead(int(backbone.out_channels), num_joints))  # type: ignore[arg-type]


@network(
    ModelCard(
        name="simplebaseline_mobilenetv2",
        method="SimpleBaseline",
        backbone="MobileNetV2",
        label="MobileNetV2",
        paper=PAPER,
        source="MobileNetV2 x1.0 up to its 1280-channel convolution, deconvolution head as released in MMPose.",
        table_row=1,
    )
)
def simplebaseline_mobilenetv2(num_joints: int, input_size: Size) -> PoseNet:
    return simplebaseline(MobileNetV2(), num_joints)


@network(
    ModelCard(
        name="simplebaseline_mobilenetv3",
        method="SimpleBaseline",
        backbone="MobileNetV3",
        label="MobileNetV3",
        paper=PAPER,
        source="MobileNetV3-large of the paper's released code, deconvolution head as released in MMPose.",
        quirks=(
            "The MobileNetV3 of the paper's code: the stride of the last stage sits on its second block, which "
            "expands to 672 channels; torchvision's and timm's networks differ and have 0.34 M parameters more.",
        ),
        table_row=2,
    )
)
def simplebaseline_mobilenetv3(num_joints: int, input_size: Size) -> PoseNet:
    return simplebaseline(MobileNetV3(), num_joints)


@network(
    ModelCard(
        name="simplebaseline_shufflenetv2",
        method="SimpleBaseline",
        backbone="ShuffleNetV2",
        label="ShuffleNetV2",
        paper=PAPER,
        source="ShuffleNetV2 x1.0 up to its 1024-channel convolution, deconvolution head as released in MMPose.",
        table_row=3,
    )
)
def simplebaseline_shufflenetv2(num_joints: int, input_size: Size) -> PoseNet:
    return simplebaseline(ShuffleNetV2(), num_joints)
