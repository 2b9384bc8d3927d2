"""Weights into a network, and out of it: naming, strictness, errors."""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core.files import write_whole
from bench.core.skeletons import Skeleton
from zoo.create import build
from zoo.errors import ZooError
from zoo.naming import official_name, published_name
from zoo.pose_net import PoseNet, Spec
from zoo.registry import Size, list_models
from zoo.weights import files
from zoo.weights.state_dicts import as_own, find_weights, fits, unwrapped


def load_weights(model: nn.Module, source: str | Path | Mapping[str, object]) -> None:
    """Load weights into ``model``, all of them or none. Nothing in a file is ever run.

    Args:
        model: a network of the zoo.
        source: a checkpoint file (safetensors, or what ``torch.save`` writes or wrote before
            PyTorch 1.6), or what such a file holds: a state dict in this project's naming or a
            published one (MMPose 0.x or 1.x), bare or wrapped (``state_dict``,
            ``model_state_dict``, ``model``, ...), with or without prefixes that all names share
            (``module.``, ``_orig_mod.``, ``model.``, ...), averaged copies and training state
            beside it. Averaged weights (``ema``, ``state_dict_ema``, ...) are taken only where
            there are no others. Counters of batches may be missing, and numbers of another
            precision become the network's.

    Raises:
        ZooError: the file cannot be read or is refused; it is of another network or number of
            joints; entries are missing, unexpected or misshapen; weights are infinite or no
            numbers. One line that names them.
    """
    metadata: dict[str, str] = {}
    checkpoint: Mapping[str, object]
    if isinstance(source, (str, Path)):
        where = f" in {source}"
        checkpoint, metadata = files.read(Path(source))
    else:
        where = ""
        checkpoint = source
    model = _inner(model)
    own = model.state_dict()
    namings = _namings(model, own)
    state = find_weights(checkpoint, {name for naming in namings for name in naming.values()}, where)
    names = max(namings, key=lambda naming: sum(name in state for name in naming.values()))
    _adapt(model, names, state)
    problem = _problem(model, own, names, state, metadata)
    if problem:
        raise ZooError(f"the weights{where} do not fit {_description(model)}: {problem}")
    model.load_state_dict({key: as_own(state[name], own[key], name, where) for key, name in names.items()})


def _inner(model: nn.Module) -> nn.Module:
    """The network itself, where torch.compile or data parallelism wraps it; it has the same tensors."""
    inner = getattr(model, "_orig_mod", None)
    if isinstance(model, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        inner = model.module
    return _inner(inner) if isinstance(inner, nn.Module) else model


def _namings(model: nn.Module, own: Iterable[str]) -> list[dict[str, str]]:
    """The names that an entry of the network may have in a checkpoint, by its own name: the likeliest set first."""
    published = {key: published_name(model, key) for key in own}
    # MMPose 1.x has another name for the head than 0.x.
    swapped = {
        key: re.sub(r"^(keypoint_)?head\.", lambda match: "head." if match[1] else "keypoint_head.", name)
        for key, name in published.items()
    }
    official = {key: official_name(model, key) or key for key in own}
    return [{key: unwrapped(key) for key in own}, published, swapped, official]


def _adapt(model: nn.Module, names: Mapping[str, str], state: dict[str, Tensor]) -> None:
    """Change ``state`` where a published file holds the same weights in another form."""
    spec = _spec(model)
    official = all(name == official_name(model, key) for key, name in names.items())
    for key, name in names.items():
        if key.endswith("num_batches_tracked"):
            state.setdefault(name, torch.zeros((), dtype=torch.long))
        if name in state and official:
            state[name] = model.backbone.from_official(key, state[name])  # type: ignore[operator, union-attr]
        if name in state and re.search(r"\.final(_layer)?\.(weight|bias)$", key):
            more = spec.card.weights_joints if spec and spec.card and spec.num_joints == 17 else 0
            if more and len(state[name]) == more:
                state[name] = state[name][:17]


def save_weights(model: nn.Module, path: str | Path, skeleton: Skeleton | None = None) -> None:
    """Write a network's weights as safetensors, in this project's naming.

    The metadata, all text, hold ``name``, ``num_joints``, ``input_size`` (height x width),
    ``options`` (JSON) and ``card`` (the model card as JSON) of a network from ``create_model``.
    With a skeleton, they also hold its ``joints``, ``flip_pairs`` and ``limbs`` (JSON).
    The file appears whole or not at all; equal weights give equal bytes.

    Raises:
        ZooError: the file cannot be written, or the network keeps something beside its tensors.
    """
    path = Path(path)
    if kept := [key for key, value in model.state_dict().items() if not isinstance(value, Tensor)]:
        raise ZooError(f"{path} cannot hold {kept[0]}, which is no tensor: leave it out of the network's state dict")
    metadata = {"format": "pt"}
    spec = _spec(model)
    if spec is not None:
        metadata |= {"name": spec.name, "num_joints": str(spec.num_joints), "options": json.dumps(spec.options)}
        metadata["input_size"] = "x".join(map(str, spec.input_size))
        if spec.card is not None:
            metadata["card"] = json.dumps(asdict(spec.card))
    if skeleton is not None:
        metadata |= {name: json.dumps(getattr(skeleton, name)) for name in ("joints", "flip_pairs", "limbs")}
    # Copies: tensors that share their memory, such as tied weights, stand in the file under each of their names.
    state = {
        key: value.detach().cpu().clone(memory_format=torch.contiguous_format)
        for key, value in model.state_dict().items()
    }
    try:
        path.parent.stat()  # no folder is made here
        write_whole(path, encoded(state, metadata))
    except OSError as error:
        raise ZooError(f"{path} cannot be written: {error.strerror or error}") from error


def encoded(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> bytes:
    """A safetensors file; equal weights give equal bytes, where the library puts metadata in any order."""
    from safetensors.torch import save

    file = save(dict(state), dict(metadata))
    size = int.from_bytes(file[:8], "little")
    header = json.loads(file[8 : 8 + size]) | {"__metadata__": dict(sorted(metadata.items()))}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + file[8 + size :]


def _problem(
    model: nn.Module,
    own: Mapping[str, Tensor],
    names: Mapping[str, str],
    state: Mapping[str, Tensor],
    metadata: Mapping[str, str],
) -> str | None:
    """Why ``state`` cannot become ``own``, whose entry ``key`` it should hold as ``names[key]``."""
    missing = [name for name in names.values() if name not in state]
    unexpected = sorted(set(state) - set(names.values()))
    misshapen = [key for key, name in names.items() if name in state and not fits(state[name], own[key])]
    if not (missing or unexpected or misshapen):
        return None
    if missing or unexpected:
        owner = _owner(state, metadata)
        if owner and owner != _description(model):
            return f"they are of {owner}"
    elif joints := _other_joints(own, {key: state[names[key]] for key in misshapen}):
        theirs, ours = joints
        return f"they are for {theirs} joints and the network has {ours}; create it with num_joints={theirs}"
    elif size := _other_size(model, {key: state[names[key]] for key in misshapen}, metadata):
        return "they are for input {0}x{1}; create the network with input_size=({0}, {1})".format(*size)
    details = [f"{names[key]} is {_shape(state[names[key]])} and should be {_shape(own[key])}" for key in misshapen]
    kinds = (("missing", missing), ("unexpected", unexpected), ("misshapen", details))
    return "; ".join(f"{what}: {_some(items)}" for what, items in kinds if items)


def _other_joints(own: Mapping[str, Tensor], misshapen: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Their number of joints and ours, if that is all that is wrong."""
    bias, weight = sorted(misshapen) if len(misshapen) == 2 else ("", "")
    if not re.search(r"\.final(_layer)?\.weight$", weight) or bias != weight.replace("weight", "bias"):
        return None
    if misshapen[weight].shape[1:] != own[weight].shape[1:]:
        return None
    theirs = len(misshapen[bias]) if misshapen[bias].dim() else 0
    return (theirs, len(own[bias])) if theirs == len(misshapen[weight]) else None


def _other_size(model: nn.Module, misshapen: Mapping[str, Tensor], metadata: Mapping[str, str]) -> Size | None:
    """The input size that they are for, as the file says or a usual one, if that is all that is wrong."""
    spec = _spec(model)
    if spec is None:
        return None
    sizes = [(256, 192), (384, 288), (256, 256)]
    if told := re.fullmatch(r"([1-9]\d{1,3})x([1-9]\d{1,3})", metadata.get("input_size", "")):
        sizes.insert(0, (int(told[1]), int(told[2])))
    for size in sizes:
        if size[0] % 32 or size[1] % 32:
            continue
        with torch.device("meta"):
            other = build(spec.name, num_joints=spec.num_joints, input_size=size, **spec.options).state_dict()
        if all(fits(tensor, other[key]) for key, tensor in misshapen.items()):
            return size
    return None


def _owner(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str | None:
    """The network that weights are of: what the file says, or the one with these very names."""
    if "name" in metadata:
        try:
            options = json.loads(metadata.get("options", "{}"))
        except (ValueError, RecursionError):
            options = {}
        return _named(metadata["name"], options if isinstance(options, dict) else {})
    for name in list_models():
        with torch.device("meta"):
            model = build(name)
        if any(_counted(naming.values()) == _counted(state) for naming in _namings(model, model.state_dict())):
            return name
    return None


def _counted(names: Iterable[str]) -> set[str]:
    """Names without the counters of batches, which may be missing."""
    return {name for name in names if not name.endswith("num_batches_tracked")}


def _spec(model: nn.Module) -> Spec | None:
    return model.spec if isinstance(model, PoseNet) else None


def _description(model: nn.Module) -> str:
    spec = _spec(model)
    return _named(spec.name, spec.options) if spec else f"this {type(model).__name__}"


def _named(name: str, options: Mapping[str, str]) -> str:
    return name + "".join(f" with {option}={value}" for option, value in options.items())


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return f"{', '.join(listed[:3])}{more}"


def _shape(tensor: Tensor) -> str:
    plain = tensor.is_floating_point() and tensor.layout == torch.strided
    kind = "" if plain else f" {tensor.dtype} {tensor.layout}".replace("torch.", "")
    kind = " without numbers (on the device meta)" if tensor.is_meta else kind
    return ("x".join(map(str, tensor.shape)) or "a number") + kind
