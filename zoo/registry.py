"""Every network by name: how it is built and what it is."""

import difflib
import inspect
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.heads import DeconvHead, DepthwiseDeconvHead, LightweightHead, PointwiseHead
from zoo.hrnet import SmallHRNet
from zoo.lite_hrnet import LiteHRNet
from zoo.mobilenet_v2 import MobileNetV2
from zoo.mobilenet_v3 import MobileNetV3
from zoo.shufflenet_v2 import ShuffleNetV2
from zoo.vipnas import ViPNASMobileNetV3

SIMPLEBASELINE = "Xiao et al., Simple Baselines for Human Pose Estimation and Tracking, ECCV 2018"
VIPNAS = "Xu et al., ViPNAS: Efficient Video Pose Estimation via Neural Architecture Search, CVPR 2021"
LITE_HRNET = "Yu et al., Lite-HRNet: A Lightweight High-Resolution Network, CVPR 2021"
LIGHTWEIGHT = "Li and Xiang, Lightweight Human Pose Estimation Using Heatmap-Weighting Loss, ICPR 2022"


@dataclass(frozen=True)
class ModelCard:
    """What a network is and where each choice in it comes from."""

    name: str
    method: str
    backbone: str
    label: str  # the short name in Table V and Fig. 5
    paper: str
    source: str
    quirks: tuple[str, ...] = ()


@dataclass(frozen=True)
class Spec:
    """What ``create_model`` was asked for."""

    name: str
    num_joints: int
    options: dict[str, str] = field(default_factory=dict)


class PoseNet(nn.Module):
    """A backbone and a head: images ``[N, 3, H, W]`` to heatmaps ``[N, J, H/4, W/4]``.

    H and W are multiples of 32; other sizes raise ``ZooError``.
    """

    spec: Spec | None = None  # of a network that create_model made

    def __init__(self, backbone: nn.Module, head: nn.Module) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2] % 32 or x.shape[-1] % 32:
            raise ZooError(input_size_error(x.shape[-2], x.shape[-1]))
        return self.head(self.backbone(x))


def input_size_error(height: int, width: int) -> str:
    """The message for a size that no network of the zoo takes."""

    def nearest(size: int) -> int:
        return max(32, round(size / 32) * 32)

    return (
        f"input size {height}x{width} is impossible: height and width must be multiples of 32, "
        f"for example {nearest(height)}x{nearest(width)}"
    )


def _simplebaseline(backbone: nn.Module, num_joints: int) -> PoseNet:
    return PoseNet(backbone, DeconvHead(int(backbone.out_channels), num_joints))  # type: ignore[arg-type]


def _lightweight(backbone: nn.Module, num_joints: int, *, attention: str = "parallel") -> PoseNet:
    head = LightweightHead(int(backbone.out_channels), num_joints, attention=attention)  # type: ignore[arg-type]
    return PoseNet(backbone, head)


def _simplebaseline_mobilenetv2(num_joints: int) -> nn.Module:
    return _simplebaseline(MobileNetV2(), num_joints)


def _simplebaseline_mobilenetv3(num_joints: int) -> nn.Module:
    return _simplebaseline(MobileNetV3(), num_joints)


def _simplebaseline_shufflenetv2(num_joints: int) -> nn.Module:
    return _simplebaseline(ShuffleNetV2(), num_joints)


def _vipnas_mobilenetv3(num_joints: int) -> nn.Module:
    return PoseNet(ViPNASMobileNetV3(), DepthwiseDeconvHead(ViPNASMobileNetV3.out_channels, num_joints))


def _small_hrnet_w16(num_joints: int) -> nn.Module:
    return PoseNet(SmallHRNet(), PointwiseHead(SmallHRNet.out_channels, num_joints))


def _lite_hrnet_18(num_joints: int) -> nn.Module:
    return PoseNet(LiteHRNet(18), PointwiseHead(LiteHRNet.out_channels, num_joints))


def _lite_hrnet_30(num_joints: int) -> nn.Module:
    return PoseNet(LiteHRNet(30), PointwiseHead(LiteHRNet.out_channels, num_joints))


def _lightweight_mobilenetv3(num_joints: int, *, attention: str = "parallel") -> nn.Module:
    return _lightweight(MobileNetV3(), num_joints, attention=attention)


MOBILENETV3_QUIRK = (
    "The MobileNetV3 of the paper's code: the stride of the last stage sits on its second block, which "
    "expands to 672 channels; torchvision's and timm's networks differ and have 0.34 M parameters more."
)
LITE_HRNET_QUIRKS = (
    (
        "The fusion is the release's, not HRNet's: branch 0 is fused first, counts twice, and what the other "
        "branches take from it is the fused sum before its ReLU, again counted twice. The release runs those "
        "paths twice to that end; here they run once, with the same outputs."
    ),
    (
        "In training, the release thereby moves the running statistics of those paths twice a step (an effective "
        "momentum of 0.19); here they move once, with momentum 0.1."
    ),
)

_MODELS: dict[str, tuple[Callable[..., nn.Module], ModelCard]] = {
    card.name: (builder, card)
    for builder, card in (
        (
            _simplebaseline_mobilenetv2,
            ModelCard(
                "simplebaseline_mobilenetv2",
                "SimpleBaseline",
                "MobileNetV2",
                "MobileNetV2",
                SIMPLEBASELINE,
                "MobileNetV2 x1.0 up to its 1280-channel convolution, deconvolution head as released in MMPose.",
            ),
        ),
        (
            _simplebaseline_mobilenetv3,
            ModelCard(
                "simplebaseline_mobilenetv3",
                "SimpleBaseline",
                "MobileNetV3",
                "MobileNetV3",
                SIMPLEBASELINE,
                "MobileNetV3-large of the paper's released code, deconvolution head as released in MMPose.",
                (MOBILENETV3_QUIRK,),
            ),
        ),
        (
            _simplebaseline_shufflenetv2,
            ModelCard(
                "simplebaseline_shufflenetv2",
                "SimpleBaseline",
                "ShuffleNetV2",
                "ShuffleNetV2",
                SIMPLEBASELINE,
                "ShuffleNetV2 x1.0 up to its 1024-channel convolution, deconvolution head as released in MMPose.",
            ),
        ),
        (
            _vipnas_mobilenetv3,
            ModelCard(
                "vipnas_mobilenetv3",
                "ViPNAS",
                "MobileNetV3",
                "ViPNAS",
                VIPNAS,
                "Backbone and head of the network released in MMPose as ViPNAS-MobileNetV3.",
                (
                    (
                        "The released network has 5.90 M parameters; the 2.8 M and 0.69 GFLOPs of the paper's Table I "
                        "are the ViPNAS paper's and belong to no released network."
                    ),
                    "The gate of its squeeze-and-excitation is clamp((x + 1) / 2, 0, 1), not clamp(x / 6 + 0.5, 0, 1).",
                ),
            ),
        ),
        (
            _small_hrnet_w16,
            ModelCard(
                "small_hrnet_w16",
                "Small HRNet",
                "HRNet-W16",
                "Small HRNet",
                LITE_HRNET,
                "The small HRNet that the Lite-HRNet paper compares with: one module a stage, two blocks a branch, "
                "widths 16, 32, 64 and 128.",
                ("The first transition is a 3x3 convolution at stride 1, and every transition has a ReLU.",),
            ),
        ),
        (
            _lite_hrnet_18,
            ModelCard(
                "lite_hrnet_18",
                "Lite-HRNet",
                "Lite-HRNet-18",
                "Lite-HRNet18",
                LITE_HRNET,
                "The official release; what was rewritten for speed is in docs/lite_hrnet_speed.md.",
                LITE_HRNET_QUIRKS,
            ),
        ),
        (
            _lite_hrnet_30,
            ModelCard(
                "lite_hrnet_30",
                "Lite-HRNet",
                "Lite-HRNet-30",
                "Lite-HRNet30",
                LITE_HRNET,
                "The official release; what was rewritten for speed is in docs/lite_hrnet_speed.md.",
                LITE_HRNET_QUIRKS,
            ),
        ),
        (
            _lightweight_mobilenetv3,
            ModelCard(
                "lightweight_mobilenetv3",
                "Ours",
                "MobileNetV3",
                "Ours",
                LIGHTWEIGHT,
                "Backbone and head as in the paper's released code. attention='se', 'cbam' and 'none' are "
                "the other rows of Table VI, for which no code was released: see zoo/attention.py.",
                (
                    MOBILENETV3_QUIRK,
                    "The attention block follows the third layer of the head only.",
                    "The pointwise convolutions of the head have a bias although batch norm follows.",
                ),
            ),
        ),
    )
}

_TIMM_HEADS: dict[str, Callable[..., nn.Module]] = {
    "simplebaseline": _simplebaseline,
    "lightweight": _lightweight,
}


def list_models() -> list[str]:
    """Names of the networks of the paper, in the order of its Table I."""
    return list(_MODELS)


def model_card(name: str) -> ModelCard:
    """The card of a network of the paper.

    Raises:
        ZooError: no such network.
    """
    return _lookup(name)[1]


def create_model(
    name: str,
    *,
    num_joints: int = 17,
    weights: str | Path | None = None,
    pretrained_backbone: str | Path | None = None,
    **options: str,
) -> nn.Module:
    """A network in training mode, with freshly initialised weights unless told otherwise.

    Args:
        name: one of ``list_models()``, or ``simplebaseline:timm/NAME`` or ``lightweight:timm/NAME``
            for any timm backbone with a stride-32 feature map under one of the two heads.
        num_joints: J, 17 for COCO and 16 for MPII.
        weights: a checkpoint file, see ``load_weights``; or ``"published"``: the publisher's weights,
            fetched once, for COCO at 256x192 (17 joints) or MPII at 256x256 (16 joints).
        pretrained_backbone: ImageNet weights to begin training from, for MobileNetV2 and
            ShuffleNetV2 only; see ``zoo.weights.imagenet.load_backbone``.
        options: ``attention="parallel" | "se" | "cbam" | "none"`` for the lightweight head.

    Returns:
        A module from images ``[N, 3, H, W]`` to heatmaps ``[N, J, H/4, W/4]``.

    Raises:
        ZooError: unknown name (the nearest ones are named), option or joint count; weights that
            cannot be had or do not fit.
    """
    if weights is not None and pretrained_backbone is not None:
        raise ZooError("weights would replace those of pretrained_backbone: give one of the two")
    model = _build(name, num_joints, options)
    if isinstance(model, PoseNet):
        model.spec = Spec(name, num_joints, options)
    # Reading weights needs this module, so it is imported where it is used.
    if weights is not None:
        from zoo.weights import fetch_default, load_weights

        load_weights(model, fetch_default(name, num_joints) if weights == "published" else weights)
    if pretrained_backbone is not None:
        from zoo.weights.imagenet import load_backbone

        load_backbone(model, pretrained_backbone)
    return model


def _build(name: str, num_joints: int, options: dict[str, str]) -> nn.Module:
    if num_joints < 1:
        raise ZooError(f"{num_joints} joints are impossible: give 17 (COCO), 16 (MPII) or another positive number")
    head, separator, backbone = name.partition(":timm/")
    try:
        if separator:
            if head not in _TIMM_HEADS:
                raise ZooError(f"unknown head {head!r} in {name!r}: use {' or '.join(_TIMM_HEADS)}")
            from zoo.timm_backbone import TimmBackbone

            builder = _TIMM_HEADS[head]
            _check_options(name, builder, options)
            return builder(TimmBackbone(backbone), num_joints, **options)
        builder = _lookup(name)[0]
        _check_options(name, builder, options)
        return builder(num_joints, **options)
    except ZooError:
        raise
    except ValueError as error:
        raise ZooError(str(error)) from error


def _check_options(name: str, builder: Callable[..., nn.Module], options: dict[str, str]) -> None:
    known = [p.name for p in inspect.signature(builder).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            has = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ZooError(f"model {name} has no option {option!r}: {has}")


def _lookup(name: str) -> tuple[Callable[..., nn.Module], ModelCard]:
    if name not in _MODELS:
        near = difflib.get_close_matches(name, _MODELS, n=3, cutoff=0.4)
        hint = f"did you mean {' or '.join(near)}?" if near else f"choose from {', '.join(_MODELS)}"
        raise ZooError(f"unknown model {name!r}: {hint}")
    return _MODELS[name]
