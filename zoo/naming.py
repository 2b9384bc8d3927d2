"""The published names of parameters.

The published checkpoints name parameters as MMPose does. Where a part of a network names its own
differently, its class says how, in ``published_names``: a list of patterns of our name, within
that part, and their published form. The first match wins; a part without such a list has the
published names.
"""

import re
from collections.abc import Callable

from torch import nn

Rule = tuple[str, str | Callable[[re.Match[str]], str]]


def published_name(model: nn.Module, key: str) -> str:
    """The name that MMPose's checkpoints give to the entry ``key`` of ``model.state_dict()``.

    MMPose 0.x for the networks of the paper (``backbone.*``, ``keypoint_head.*``), 1.x for the
    newer ones (``head.*``). Entries that were never published (timm backbones, the SE and CBAM
    attention) keep their name.
    """
    part, _, rest = key.partition(".")
    renamed = _renamed(getattr(model, part, None), rest)
    if renamed is None:
        return key
    return f"{getattr(model, 'published_head', part) if part == 'head' else part}.{renamed}"


def official_name(model: nn.Module, key: str) -> str | None:
    """The name in the checkpoints of the network's own authors, None if those are MMPose's.

    A backbone that has others says so in ``official_names``; the head is MMPose 0.x's.
    """
    part, _, rest = key.partition(".")
    if not hasattr(getattr(model, "backbone", None), "official_names"):
        return None
    renamed = _renamed(getattr(model, part), rest, "official_names" if part == "backbone" else "published_names")
    return f"{'keypoint_head' if part == 'head' else part}.{renamed}"


def _renamed(module: object, key: str, attribute: str = "published_names") -> str | None:
    """The published form of a name within ``module``; None if there is none."""
    rules: list[Rule] | None = getattr(module, attribute, None)
    if rules is not None:
        for pattern, replacement in rules:
            renamed, hits = re.subn(pattern, replacement, key)
            if hits:
                return renamed
        return None
    child, _, rest = key.partition(".")
    if not rest:
        return key
    renamed_rest = _renamed(getattr(module, child, None), rest, attribute)
    return None if renamed_rest is None else f"{child}.{renamed_rest}"


def flat_layer(match: re.Match[str]) -> str:
    """Where HRNet's releases keep a path as one flat list of layers: the number of ``match["layer"]`` in it.

    ReLUs and upsampling take numbers but hold no parameters.
    """
    index = {"conv": 0, "bn": 1, "depthwise.conv": 0, "depthwise.bn": 1, "pointwise.conv": 2, "pointwise.bn": 3}
    return f"{index[match['layer']]}."


def fusion_path(match: re.Match[str]) -> str:
    """The published name of a fusion's path: by target, then source; upward there is one step, without a number."""
    step = f"{match['step']}." if match["source"] < match["target"] else ""
    return f"fuse_layers.{match['target']}.{match['source']}.{step}{flat_layer(match)}"


LAYER = r"(?P<layer>(?:(?:depthwise|pointwise)\.)?(?:conv|bn))\."
PATH = rf"fusion\.paths\.(?P<source>\d)to(?P<target>\d)\.(?P<step>\d)\.{LAYER}"
