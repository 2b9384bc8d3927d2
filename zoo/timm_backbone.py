"""Any timm network as a backbone for the heads."""

import difflib
import functools
from collections.abc import Callable
from typing import Any

import timm
from torch import Tensor, nn

from zoo.lightweight import lightweight
from zoo.pose_net import PoseNet
from zoo.registry import Size
from zoo.simplebaseline import simplebaseline

# Backbones of after the paper that ask its question again under its head: tested, and examples of what a name is.
EXAMPLES = ("mobilenetv4_conv_small", "efficientnet_lite0", "fastvit_t8", "repvit_m0_9")
HEADS: dict[str, Callable[..., PoseNet]] = {"simplebaseline": simplebaseline, "lightweight": lightweight}


def _features(name: str, **options: Any) -> Any:
    return timm.create_model(name, features_only=True, **options)


class TimmBackbone(nn.Module):
    """The stride-32 feature map of a timm network: ``[N, 3, H, W]`` to ``[N, C, H/32, W/32]``.

    Raises:
        ValueError: timm has no such network, or it has no stride-32 feature map.
    """

    def __init__(self, name: str) -> None:
        super().__init__()
        if not timm.is_model(name.split(".")[0]):
            near = difflib.get_close_matches(name, timm.list_models(), n=3)
            hint = f"did you mean {' or '.join(near)}?" if near else "timm.list_models() names them all"
            raise ValueError(f"timm has no model {name!r}: {hint}")
        try:
            strides = _features(name).feature_info.reduction()
        except (RuntimeError, AttributeError, TypeError) as error:
            raise ValueError(f"timm model {name!r} gives no feature maps: {error}") from error
        if 32 not in strides:
            raise ValueError(
                f"timm model {name!r} has no stride-32 feature map (its strides: {sorted(set(strides))}): "
                "choose a convolutional network such as mobilenetv3_large_100"
            )
        index = max(i for i, stride in enumerate(strides) if stride == 32)
        self.model = _features(name, out_indices=(index,))
        self.out_channels = self.model.feature_info.channels()[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.model(x)[0]


def builder(head: str, name: str) -> Callable[..., PoseNet]:
    """What builds ``head:timm/name``; its options are those of the head."""
    make = HEADS[head]

    @functools.wraps(make)
    def build(num_joints: int, input_size: Size, **options: str) -> PoseNet:
        return make(TimmBackbone(name), num_joints, **options)

    return build
