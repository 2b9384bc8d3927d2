"""Weights into a network, and out of it: naming, strictness, errors."""

import json
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path

import torch
from torch import Tensor, nn

from zoo.create import build
from zoo.errors import ZooError
from zoo.naming import published_name
from zoo.pose_net import PoseNet, Spec
from zoo.registry import list_models
from zoo.weights import files

# Where a checkpoint keeps its weights; averaged copies count only where nothing else is there.
_WRAPPERS = ("state_dict", "state_dict_ema", "ema_state_dict")
# Entries beside the network's own: MMPose 1.x keeps the input's mean and deviation, MMCV's EMAHook
# a second copy of every parameter as a buffer, MMEngine's averaged model a counter.
_BESIDE = re.compile(r"data_preprocessor\.|ema_|steps$")


def load_weights(model: nn.Module, source: str | Path | Mapping[str, object]) -> None:
    """Load weights into ``model``, all of them or none. Nothing in a file is ever run.

    Args:
        model: a network of the zoo.
        source: a checkpoint file (safetensors, or what ``torch.save`` writes or wrote before
            PyTorch 1.6), or what such a file holds: a state dict in this project's naming or the
            published one (MMPose 0.x or 1.x), with or without a ``state_dict`` wrapper, ``module.``
            prefixes, averaged copies and training state. The weights under ``state_dict`` are
            taken; averaged copies (``ema_state_dict``, ``state_dict_ema``) only where there are none.

    Raises:
        ZooError: the file cannot be read or is refused; it is of another network or number of
            joints; entries are missing, unexpected or misshapen. One line that names them.
    """
    metadata: dict[str, str] = {}
    held: Mapping[str, object]
    if isinstance(source, (str, Path)):
        where = f" in {source}"
        held, metadata = files.read(Path(source))
    else:
        where = ""
        held = source
    state = _weights(held, where)
    own = model.state_dict()
    names = {key: published_name(model, key) for key in own}
    if _shared(state, names.values()) <= _shared(state, own):
        names = {key: key for key in own}
    problem = _problem(model, own, names, state, metadata)
    if problem:
        raise ZooError(f"the weights{where} do not fit {_description(model)}: {problem}")
    model.load_state_dict({key: state[name] for key, name in names.items()})


def save_weights(model: nn.Module, path: str | Path) -> None:
    """Write a network's weights as safetensors, in this project's naming.

    The metadata, all text, hold ``name``, ``num_joints``, ``options`` (JSON) and ``card`` (the
    model card as JSON) of a network from ``create_model``. The file appears whole or not at all.

    Raises:
        ZooError: the file cannot be written.
    """
    from safetensors.torch import save

    path = Path(path)
    metadata = {"format": "pt"}
    spec = _spec(model)
    if spec is not None:
        metadata |= {"name": spec.name, "num_joints": str(spec.num_joints), "options": json.dumps(spec.options)}
        if spec.card is not None:
            metadata["card"] = json.dumps(asdict(spec.card))
    state = {key: value.detach().cpu().contiguous() for key, value in model.state_dict().items()}
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        with partial.open("wb") as file:
            file.write(save(state, metadata))
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except OSError as error:
        raise ZooError(f"{path} cannot be written: {error.strerror or error}") from error
    finally:
        partial.unlink(missing_ok=True)


def _weights(held: Mapping[str, object], where: str) -> dict[str, Tensor]:
    """The tensors alone, without a wrapper or ``module.`` prefixes, the head under its MMPose 0.x or own name."""
    wrapper = next((name for name in _WRAPPERS if name in held), None)
    inner = held[wrapper] if wrapper else held
    if not isinstance(inner, Mapping):
        raise ZooError(f"the checkpoint{where} holds {type(inner).__name__} under {wrapper!r}, not names and tensors")
    plain: dict[str, Tensor] = {}
    for key, value in inner.items():
        if isinstance(key, str) and isinstance(value, Tensor):
            name = re.sub(r"^(module\.)+", "", key)
            if not _BESIDE.match(name):
                plain[name] = value
    if any(re.match(r"head\.(deconv_layers|final_layer)\.", key) for key in plain):
        plain = {re.sub(r"^head\.", "keypoint_head.", key): value for key, value in plain.items()}
    if not plain:
        raise ZooError(f"the checkpoint{where} holds no weights, only {_some(map(str, inner)) or 'nothing'}")
    return plain


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
    misshapen = [key for key, name in names.items() if name in state and not _fits(state[name], own[key])]
    if not (missing or unexpected or misshapen):
        return None
    if missing or unexpected:
        owner = _owner(state, metadata)
        if owner and owner != _description(model):
            return f"they are of {owner}"
    elif joints := _other_joints(own, {key: state[names[key]] for key in misshapen}):
        theirs, ours = joints
        return f"they are for {theirs} joints and the network has {ours}; create it with num_joints={theirs}"
    details = [f"{names[key]} is {_shape(state[names[key]])} and should be {_shape(own[key])}" for key in misshapen]
    kinds = (("missing", missing), ("unexpected", unexpected), ("misshapen", details))
    return "; ".join(f"{what}: {_some(items)}" for what, items in kinds if items)


def _fits(theirs: Tensor, ours: Tensor) -> bool:
    # Counters may come as floating-point numbers, weights not as integers or in compressed form.
    number = theirs.is_floating_point() or not (ours.is_floating_point() or theirs.is_complex())
    return theirs.shape == ours.shape and number and theirs.layout == torch.strided and not theirs.is_quantized


def _other_joints(own: Mapping[str, Tensor], misshapen: Mapping[str, Tensor]) -> tuple[int, int] | None:
    """Their number of joints and ours, if that is all that is wrong."""
    weight, bias = "head.final.weight", "head.final.bias"
    if set(misshapen) != {weight, bias} or misshapen[weight].shape[1:] != own[weight].shape[1:]:
        return None
    theirs = len(misshapen[bias]) if misshapen[bias].dim() else 0
    return (theirs, len(own[bias])) if theirs == len(misshapen[weight]) else None


def _owner(state: Mapping[str, Tensor], metadata: Mapping[str, str]) -> str | None:
    """The network that weights are of: what the file says, or the one with these very names."""
    if "name" in metadata:
        try:
            options = json.loads(metadata.get("options", "{}"))
        except ValueError:
            options = {}
        return _named(metadata["name"], options if isinstance(options, dict) else {})
    for name in list_models():
        with torch.device("meta"):
            model = build(name)
        own = model.state_dict()
        if set(state) in (set(own), {published_name(model, key) for key in own}):
            return name
    return None


def _spec(model: nn.Module) -> Spec | None:
    return model.spec if isinstance(model, PoseNet) else None


def _description(model: nn.Module) -> str:
    spec = _spec(model)
    return _named(spec.name, spec.options) if spec else f"this {type(model).__name__}"


def _named(name: str, options: Mapping[str, str]) -> str:
    return name + "".join(f" with {option}={value}" for option, value in options.items())


def _shared(state: Mapping[str, Tensor], names: Iterable[str]) -> int:
    return sum(name in state for name in names)


def _some(items: Iterable[str]) -> str:
    listed = list(items)
    more = f" and {len(listed) - 3} more" if len(listed) > 3 else ""
    return f"{', '.join(listed[:3])}{more}"


def _shape(tensor: Tensor) -> str:
    plain = tensor.is_floating_point() and tensor.layout == torch.strided
    kind = "" if plain else f" {tensor.dtype} {tensor.layout}".replace("torch.", "")
    return ("x".join(map(str, tensor.shape)) or "a number") + kind
