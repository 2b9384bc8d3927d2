"""ImageNet weights of other libraries for the backbones that are the same networks there.

torchvision's MobileNetV2 and ShuffleNetV2 x1.0 and timm's mobilenetv2_100 compute what ours do;
only their parameters have other names. The paper's MobileNetV3 is another network than theirs.
"""

import re
from collections.abc import Callable, Collection, Mapping
from itertools import accumulate
from pathlib import Path

from torch import Tensor, nn

from bench.core.errors import first_line
from zoo import mobilenet_v2
from zoo.errors import ZooError
from zoo.mobilenet_v2 import MobileNetV2
from zoo.pose_net import PoseNet
from zoo.shufflenet_v2 import ShuffleNetV2
from zoo.weights import files
from zoo.weights.state_dicts import as_own, find_weights, fits

# The classifier, which no pose network has.
_CLASSIFIER = ("classifier.", "fc.")
_TIMM = "mobilenetv2_100"
# Our inverted residual's parts and how many of them come before the linear convolution.
_PARTS = ("expand", "depthwise", "project")
# torchvision numbers MobileNetV2's blocks on through all stages; the stem is number 0.
_FIRST_BLOCK = tuple(accumulate((blocks for _, _, blocks, _ in mobilenet_v2.STAGES), initial=1))


def load_backbone(model: nn.Module, source: str | Path) -> None:
    """Load ImageNet weights into the backbone of a network, all of them or none.

    Args:
        model: a network of the zoo whose backbone is ``MobileNetV2`` or ``ShuffleNetV2``.
        source: ``"torchvision"``, or ``"timm/mobilenetv2_100"`` with or without a tag, which those
            libraries download (torchvision: its default weights) and keep; or a file with a state
            dict of torchvision's ``mobilenet_v2`` or ``shufflenet_v2_x1_0`` or timm's ``mobilenetv2_100``.

    Raises:
        ZooError: another backbone, weights of another network or that are no numbers, a file that cannot be read, or no
            network.
    """
    backbone = model.backbone if isinstance(model, PoseNet) else None
    if not isinstance(backbone, (MobileNetV2, ShuffleNetV2)):
        who = type(model if backbone is None else backbone).__name__
        raise ZooError(
            f"ImageNet weights are for the backbones MobileNetV2 and ShuffleNetV2, not {who}: "
            "the others are not the networks that torchvision and timm have ImageNet weights of"
        )
    namings: tuple[Callable[[str], str], ...] = (
        (torchvision_mobilenet_v2, timm_mobilenet_v2)
        if isinstance(backbone, MobileNetV2)
        else (torchvision_shufflenet_v2,)
    )
    own = backbone.state_dict()
    state = _read(backbone, source, {naming(key) for naming in namings for key in own})
    state = {key: value for key, value in state.items() if not key.startswith(_CLASSIFIER)}
    naming = max(namings, key=lambda candidate: sum(candidate(key) in state for key in own))
    names = {key: naming(key) for key in own}
    # Counters of batches, which do not enter the output, are missing in old files.
    needed = {key for key in own if not key.endswith("num_batches_tracked")}
    wrong = [
        names[key]
        for key in own
        if (names[key] not in state and key in needed)
        or (names[key] in state and not fits(state[names[key]], own[key]))
    ]
    wrong += sorted(set(state) - set(names.values()))
    if wrong:
        more = f" and {len(wrong) - 3} more" if len(wrong) > 3 else ""
        raise ZooError(
            f"the weights {source} are not of {type(backbone).__name__} x1.0: {', '.join(wrong[:3])}{more} "
            "missing, unexpected or of another shape or type"
        )
    backbone.load_state_dict(
        {
            key: as_own(state[names[key]], own[key], names[key], f" {source}") if names[key] in state else own[key]
            for key in own
        }
    )


def torchvision_mobilenet_v2(key: str) -> str:
    """The name in torchvision's ``mobilenet_v2`` of an entry of our ``MobileNetV2``."""
    stage, block, part, layer, rest = _mobilenet_v2(key)
    if part in ("stem", "last"):
        number = 0 if part == "stem" else _FIRST_BLOCK[-1]
        return f"features.{number}.{int(layer == 'bn')}.{rest}"
    index = _PARTS.index(part) - (stage == 0)  # the first stage has no expansion
    # Convolution, batch norm and ReLU6 are nested; the linear convolution and its batch norm are not.
    where = f"{index + (layer == 'bn')}" if part == "project" else f"{index}.{int(layer == 'bn')}"
    return f"features.{_FIRST_BLOCK[stage] + block}.conv.{where}.{rest}"


def timm_mobilenet_v2(key: str) -> str:
    """The name in timm's ``mobilenetv2_100`` of an entry of our ``MobileNetV2``."""
    stage, block, part, layer, rest = _mobilenet_v2(key)
    if part == "stem":
        return f"{'conv_stem' if layer == 'conv' else 'bn1'}.{rest}"
    if part == "last":
        return f"{'conv_head' if layer == 'conv' else 'bn2'}.{rest}"
    parts = _PARTS[1:] if stage == 0 else _PARTS
    convolutions = ("conv_dw", "conv_pw") if stage == 0 else ("conv_pw", "conv_dw", "conv_pwl")
    index = parts.index(part)
    return f"blocks.{stage}.{block}.{convolutions[index] if layer == 'conv' else f'bn{index + 1}'}.{rest}"


def torchvision_shufflenet_v2(key: str) -> str:
    """The name in torchvision's ``shufflenet_v2_x1_0`` of an entry of our ``ShuffleNetV2``."""
    match = re.fullmatch(r"(?:stages\.(\d)\.(\d)\.)?(stem|last|shortcut|branch)\.(?:(\d)\.)?(conv|bn)\.(\w+)", key)
    assert match is not None
    stage, unit, part, step, layer, rest = match.groups()
    bn = int(layer == "bn")
    if part in ("stem", "last"):
        return f"{'conv1' if part == 'stem' else 'conv5'}.{bn}.{rest}"
    # Flat lists of layers; ReLUs are numbered too and follow the first and the last pointwise convolution.
    first = {"shortcut": (0, 2), "branch": (0, 3, 5)}[part][int(step)]
    return f"stage{int(stage) + 2}.{unit}.branch{1 if part == 'shortcut' else 2}.{first + bn}.{rest}"


def _mobilenet_v2(key: str) -> tuple[int, int, str, str, str]:
    """Stage, block, part, conv or bn, and the rest of a name of ours; stem and last have stage and block 0."""
    match = re.fullmatch(r"(?:stages\.(\d)\.(\d)\.)?(stem|last|expand|depthwise|project)\.(conv|bn)\.(\w+)", key)
    assert match is not None
    return int(match[1] or 0), int(match[2] or 0), match[3], match[4], match[5]


def _read(backbone: nn.Module, source: str | Path, names: Collection[str]) -> Mapping[str, Tensor]:
    if source == "torchvision":
        return _download(source, lambda: _torchvision_weights(backbone))
    if isinstance(source, str) and source.startswith("timm/"):
        name = source.removeprefix("timm/")
        if name.partition(".")[0] != _TIMM or not isinstance(backbone, MobileNetV2):
            raise ZooError(
                f"{source} is not the backbone {type(backbone).__name__}: "
                f"use torchvision, or timm/{_TIMM} for MobileNetV2"
            )
        return _download(source, lambda: _timm_weights(name))
    state, _ = files.read(Path(source))
    return find_weights(state, names, f" in {source}")


def _torchvision_weights(backbone: nn.Module) -> Mapping[str, Tensor]:
    from torchvision.models import MobileNet_V2_Weights, ShuffleNet_V2_X1_0_Weights

    weights = MobileNet_V2_Weights if isinstance(backbone, MobileNetV2) else ShuffleNet_V2_X1_0_Weights
    return weights.DEFAULT.get_state_dict(progress=False, check_hash=True, weights_only=True, map_location="cpu")


def _timm_weights(name: str) -> Mapping[str, Tensor]:
    import timm

    return timm.create_model(name, pretrained=True).state_dict()


def _download(source: str, load: Callable[[], Mapping[str, Tensor]]) -> Mapping[str, Tensor]:
    try:
        return load()
    except Exception as error:  # each library has its own kinds for no network, a bad name or a bad checksum
        reason = first_line(error) if str(error).strip() else type(error).__name__
        raise ZooError(
            f"the ImageNet weights {source} cannot be had ({reason}): go online and run the same again, "
            "or give a file with the state dict"
        ) from error
