"""The published names of every parameter.

The published checkpoints name parameters as MMPose 0.x does (``backbone.*``, ``keypoint_head.*``);
MMPose 1.x writes ``head.*`` for the latter. ``published_name`` turns a name of this project into
the published one.
"""

import re
from collections.abc import Callable

from torch import nn

from zoo.heads import DeconvHead, DepthwiseDeconvHead, LightweightHead, PointwiseHead
from zoo.hrnet import SmallHRNet
from zoo.lite_hrnet import LiteHRNet
from zoo.mobilenet_v2 import MobileNetV2
from zoo.mobilenet_v3 import MobileNetV3
from zoo.registry import PoseNet
from zoo.shufflenet_v2 import ShuffleNetV2
from zoo.vipnas import ViPNASMobileNetV3

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def _squeeze_excite(prefix: str, published: str) -> list[Rule]:
    return [
        (rf"^{prefix}\.reduce\.", f"{published}.conv1.conv."),
        (rf"^{prefix}\.expand\.", f"{published}.conv2.conv."),
    ]


def _lightweight_layer(match: re.Match[str]) -> str:
    # Published as one flat list of six modules a layer; ReLUs take numbers but hold no parameters.
    offset = {"deconv": 0, "deconv_bn": 1, "pointwise": 3, "bn": 4}[match[2]]
    return f"deconv_layers.{6 * int(match[1]) + offset}."


def _mobilenet_v2_layer(match: re.Match[str]) -> str:
    stage, block, part = int(match[1]), match[2], match[3]
    # The first stage's block has no expansion convolution, so its numbering starts one later.
    index = ("expand", "depthwise", "project").index(part) - (stage == 0)
    return f"layer{stage + 1}.{block}.conv.{index}."


# The HRNets publish a path as one flat list of layers; ReLUs and upsampling hold no parameters.
_LAYER = r"(?P<layer>(?:(?:depthwise|pointwise)\.)?(?:conv|bn))\."
_PATH = rf"fusion\.paths\.(?P<source>\d)to(?P<target>\d)\.(?P<step>\d)\.{_LAYER}"


def _layer(match: re.Match[str]) -> str:
    index = {"conv": 0, "bn": 1, "depthwise.conv": 0, "depthwise.bn": 1, "pointwise.conv": 2, "pointwise.bn": 3}
    return f"{index[match['layer']]}."


def _path(match: re.Match[str]) -> str:
    # Published by target, then source; a path upward has one step only, which is not numbered.
    step = f"{match['step']}." if match["source"] < match["target"] else ""
    return f"fuse_layers.{match['target']}.{match['source']}.{step}{_layer(match)}"


_MOBILENET_V3: list[Rule] = [
    (r"^stem\.", "conv1."),
    (r"^blocks\.(\d+)\.se\.reduce\.", lambda m: f"layer{int(m[1]) + 1}.se.conv1.conv."),
    (r"^blocks\.(\d+)\.se\.expand\.", lambda m: f"layer{int(m[1]) + 1}.se.conv2.conv."),
    (r"^blocks\.(\d+)\.(expand|depthwise)\.", lambda m: f"layer{int(m[1]) + 1}.{m[2]}_conv."),
    (r"^blocks\.(\d+)\.project\.", lambda m: f"layer{int(m[1]) + 1}.linear_conv."),
    (r"^last\.", "conv2."),
]
_DECONV_HEAD: list[Rule] = [
    (r"^layers\.(\d)\.deconv\.", lambda m: f"deconv_layers.{3 * int(m[1])}."),
    (r"^layers\.(\d)\.bn\.", lambda m: f"deconv_layers.{3 * int(m[1]) + 1}."),
    (r"^final\.", "final_layer."),
]

# Rules by type of backbone or head, first match wins: a pattern of our name, its published form.
_RULES: dict[type[nn.Module], list[Rule]] = {
    MobileNetV2: [
        (r"^stem\.", "conv1."),
        (r"^stages\.(\d)\.(\d)\.(expand|depthwise|project)\.", _mobilenet_v2_layer),
        (r"^last\.", "conv2."),
    ],
    MobileNetV3: _MOBILENET_V3,
    ViPNASMobileNetV3: _MOBILENET_V3,
    ShuffleNetV2: [
        (r"^stem\.", "conv1."),
        (r"^stages\.(\d)\.(\d)\.shortcut\.", r"layers.\1.\2.branch1."),
        (r"^stages\.(\d)\.(\d)\.branch\.", r"layers.\1.\2.branch2."),
        (r"^last\.", "layers.3."),
    ],
    SmallHRNet: [
        (r"^stem\.(\d)\.(conv|bn)\.", lambda m: f"{m[2]}{int(m[1]) + 1}."),
        (r"^bottleneck\.convs\.(\d)\.(conv|bn)\.", lambda m: f"layer1.0.{m[2]}{int(m[1]) + 1}."),
        (rf"^bottleneck\.shortcut\.{_LAYER}", lambda m: f"layer1.0.downsample.{_layer(m)}"),
        (rf"^to_branch0\.{_LAYER}", lambda m: f"transition1.0.{_layer(m)}"),
        (rf"^new_branches\.(\d)\.{_LAYER}", lambda m: f"transition{int(m[1]) + 1}.{int(m[1]) + 1}.0.{_layer(m)}"),
        (
            r"^stages\.(\d)\.branches\.(\d)\.(\d)\.convs\.(\d)\.(conv|bn)\.",
            lambda m: f"stage{int(m[1]) + 2}.0.branches.{m[2]}.{m[3]}.{m[5]}{int(m[4]) + 1}.",
        ),
        (rf"^stages\.(\d)\.{_PATH}", lambda m: f"stage{int(m[1]) + 2}.0.{_path(m)}"),
    ],
    LiteHRNet: [
        (r"^stem\.conv\.", "stem.conv1."),
        (r"^stem\.shortcut\.(depthwise|pointwise)\.", lambda m: f"stem.branch1.{int(m[1] == 'pointwise')}."),
        (r"^stem\.branch\.(\d)\.", lambda m: f"stem.{('expand', 'depthwise', 'linear')[int(m[1])]}_conv."),
        (rf"^to_branch0\.{_LAYER}", lambda m: f"transition0.0.{_layer(m)}"),
        (rf"^new_branches\.(\d)\.{_LAYER}", lambda m: f"transition{m[1]}.{int(m[1]) + 1}.0.{_layer(m)}"),
        (
            r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.cross_resolution\.(reduce|expand)\.",
            lambda m: f"stage{m[1]}.{m[2]}.layers.{m[3]}.cross_resolution_weighting.conv{1 + (m[4] == 'expand')}.",
        ),
        (r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.depthwise\.", r"stage\1.\2.layers.\3.depthwise_convs."),
        (
            r"^stages\.(\d)\.(\d)\.blocks\.(\d)\.spatial\.(\d)\.(reduce|expand)\.",
            lambda m: f"stage{m[1]}.{m[2]}.layers.{m[3]}.spatial_weighting.{m[4]}.conv{1 + (m[5] == 'expand')}.conv.",
        ),
        (rf"^stages\.(\d)\.(\d)\.{_PATH}", lambda m: f"stage{m[1]}.{m[2]}.{_path(m)}"),
        (r"^head\.projects\.(\d)\.(depthwise|pointwise)\.", r"head_layer.projects.\1.\2_conv."),
    ],
    DeconvHead: _DECONV_HEAD,
    DepthwiseDeconvHead: _DECONV_HEAD,
    PointwiseHead: [(r"^final\.", "final_layer.")],
    LightweightHead: [
        (r"^layers\.(\d)\.(deconv|deconv_bn|pointwise|bn)\.", _lightweight_layer),
        *_squeeze_excite(r"attention\.channel", "deconv_layers.18.se"),
        (r"^attention\.spatial\.squeeze\.", "deconv_layers.18.sse.conv1.conv."),
        (r"^attention\.spatial\.conv\.", "deconv_layers.18.sse.conv2.conv."),
        (r"^final\.", "final_layer."),
    ],
}
_PUBLISHED_PART = {"backbone": "backbone", "head": "keypoint_head"}


def published_name(model: nn.Module, key: str) -> str:
    """The name that MMPose 0.x checkpoints give to the entry ``key`` of ``model.state_dict()``.

    Entries that were never published (timm backbones, the SE and CBAM attention) keep their name.
    """
    part, _, rest = key.partition(".")
    if not isinstance(model, PoseNet):
        return key
    for pattern, replacement in _RULES.get(type(getattr(model, part)), ()):
        renamed, hits = re.subn(pattern, replacement, rest)
        if hits:
            return f"{_PUBLISHED_PART[part]}.{renamed}"
    return key
