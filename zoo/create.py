"""Networks by name, with weights if asked for."""

import inspect
from collections.abc import Callable, Mapping
from pathlib import Path

from torch import nn

from zoo.errors import ZooError
from zoo.pose_net import PoseNet, Spec, input_size_error
from zoo.registry import Size, builder, model_card


def create_model(
    name: str,
    *,
    num_joints: int = 17,
    input_size: Size = (256, 192),
    weights: str | Path | None = None,
    pretrained_backbone: str | Path | None = None,
    **options: str,
) -> nn.Module:
    """A network in training mode, with freshly initialised weights unless told otherwise.

    Args:
        name: one of ``list_models()``, or ``simplebaseline:timm/NAME`` or ``lightweight:timm/NAME``
            for any timm backbone with a stride-32 feature map under one of the two heads.
        num_joints: J, 17 for COCO and 16 for MPII.
        input_size: height and width of the images, multiples of 32. Networks with SimCC heads or
            position embeddings have parameters that depend on it and take no other size; the
            others take any.
        weights: a checkpoint file, see ``load_weights``; or ``"published"``: the publisher's weights,
            fetched once, for COCO (17 joints, at ``input_size``) or MPII at 256x256 (16 joints).
        pretrained_backbone: ImageNet weights to begin training from, for MobileNetV2 and
            ShuffleNetV2 only; see ``zoo.weights.imagenet.load_backbone``.
        options: ``attention="parallel" | "se" | "cbam" | "none"`` for the lightweight head.

    Returns:
        A module from images ``[N, 3, H, W]`` to heatmaps ``[N, J, H/4, W/4]``; of networks whose
        ``output_kind`` is ``"simcc"``, to a pair of vectors, ``[N, J, 2W]`` along x and
        ``[N, J, 2H]`` along y.

    Raises:
        ZooError: unknown name (the nearest ones are named), option, joint count or input size;
            weights that cannot be had or do not fit.
    """
    if weights is not None and pretrained_backbone is not None:
        raise ZooError("weights would replace those of pretrained_backbone: give one of the two")
    model = build(name, num_joints=num_joints, input_size=input_size, **options)
    # Weights need to build networks too, to say which one a file is of; they are imported where they are used.
    if weights is not None:
        from zoo.weights import fetch_default, load_weights

        load_weights(model, fetch_default(name, num_joints, input_size) if weights == "published" else weights)
    if pretrained_backbone is not None:
        from zoo.weights.imagenet import load_backbone

        load_backbone(model, pretrained_backbone)
    return model


def build(name: str, *, num_joints: int = 17, input_size: Size = (256, 192), **options: str) -> nn.Module:
    """``create_model`` without weights."""
    if num_joints < 1:
        raise ZooError(f"{num_joints} joints are impossible: give 17 (COCO), 16 (MPII) or another positive number")
    height, width = input_size
    if height < 1 or width < 1 or height % 32 or width % 32:
        raise ZooError(input_size_error(height, width))
    make = _maker(name)
    _check_options(name, make, options)
    try:
        model = make(num_joints, (height, width), **options)
    except ZooError:
        raise
    except ValueError as error:
        raise ZooError(str(error)) from error
    if isinstance(model, PoseNet):
        card = None if ":timm/" in name else model_card(name)
        model.spec = Spec(name, num_joints, (height, width), options, card)
        if card is not None:
            model.udp, model.split_ratio = card.udp, card.split_ratio or model.split_ratio
    return model


def checked_options(name: str, options: object, where: str) -> dict[str, str]:
    """Options that a file or a person wrote down, as keyword arguments of ``create_model``.

    Args:
        name: of the network.
        options: what was written down.
        where: for messages.

    Raises:
        ZooError: they are no table of names and texts, or the network has no such option.
    """
    if not isinstance(options, Mapping) or not all(isinstance(one, str) for pair in options.items() for one in pair):
        raise ZooError(f'{where}: options are not a table of names and texts, such as {{"attention": "se"}}')
    found = dict(options)
    try:
        _check_options(name, _maker(name), found)
    except ZooError as error:
        raise ZooError(f"{where}: {error}") from error
    return found


def _maker(name: str) -> Callable[..., nn.Module]:
    head, separator, backbone = name.partition(":timm/")
    return _timm_builder(name, head, backbone) if separator else builder(name)


def _timm_builder(name: str, head: str, backbone: str) -> Callable[..., nn.Module]:
    from zoo import timm_backbone

    if head not in timm_backbone.HEADS:
        raise ZooError(f"unknown head {head!r} in {name!r}: use {' or '.join(timm_backbone.HEADS)}")
    return timm_backbone.builder(head, backbone)


def _check_options(name: str, make: Callable[..., nn.Module], options: dict[str, str]) -> None:
    known = [p.name for p in inspect.signature(make).parameters.values() if p.kind is p.KEYWORD_ONLY]
    for option in options:
        if option not in known:
            has = f"it takes {', '.join(known)}" if known else "it takes none"
            raise ZooError(f"model {name} has no option {option!r}: {has}")
