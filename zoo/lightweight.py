"""The paper's own network: MobileNetV3 under the lightweight head."""

from torch import nn

from zoo.heads import LightweightHead
from zoo.mobilenet_v3 import MobileNetV3
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network


def lightweight(backbone: nn.Module, num_joints: int, *, attention: str = "parallel") -> PoseNet:
    """The head on any backbone with a feature map of stride 32."""
    head = LightweightHead(int(backbone.out_channels), num_joints, attention=attention)  # type: ignore[arg-type]
    return PoseNet(backbone, head)


@network(
    ModelCard(
        name="lightweight_mobilenetv3",
        method="Ours",
        backbone="MobileNetV3",
        label="Ours",
        paper="Li and Xiang, Lightweight Human Pose Estimation Using Heatmap-Weighting Loss, ICPR 2022",
        source="Backbone and head as in the paper's released code. attention='se', 'cbam' and 'none' are "
        "the other rows of Table VI, for which no code was released: see zoo/attention.py.",
        quirks=(
            "The MobileNetV3 of the paper's code: the stride of the last stage sits on its second block, which "
            "expands to 672 channels; torchvision's and timm's networks differ and have 0.34 M parameters more.",
            "The attention block follows the third layer of the head only.",
            "The pointwise convolutions of the head have a bias although batch norm follows.",
        ),
        table_row=8,
    )
)
def lightweight_mobilenetv3(num_joints: int, input_size: Size, *, attention: str = "parallel") -> PoseNet:
    return lightweight(MobileNetV3(), num_joints, attention=attention)
