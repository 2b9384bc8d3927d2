"""Whether a network fits a data set, found out before anything is evaluated."""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bench import cli
from bench.codecs.codec import Codec, codec_of
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.core.processes import user_code
from bench.core.skeletons import Skeleton
from bench.data.skeleton_files import SkeletonFile, refuse_other_joints

if TYPE_CHECKING:
    from bench.model_files.reading import AnyFile


def check_output(name: str, model: nn.Module, owner: str, joints: int, size: tuple[int, int]) -> Codec:
    """Fail on a network whose output is not what it declares, or not for these joints.

    Args:
        name: of the network, for messages.
        model: in evaluation mode, on the CPU.
        owner: of the joints, for messages: the data set's name.
        joints: how many.
        size: height, width of the input.

    Returns:
        The network's codec.

    Raises:
        InputError: it fails, or gives something else.
    """
    codec = codec_of(model, size, name)
    with user_code(name, f"fails on an input of {cli.input_text(size)}"), torch.inference_mode():
        output = model(torch.zeros(1, 3, *size))
    leaves = tree_leaves(output)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    count = len(codec.kind.arrays)
    if len(tensors) != len(leaves) or len(tensors) != count or (count == 1 and output is not tensors[0]):
        kind = "nothing" if output is None else f"a {type(output).__name__}"
        needed = "one tensor of {} is needed" if count == 1 else f"{count} tensors of {{}} are needed"
        raise InputError(f"{name} gives {kind}: {needed.format(codec.describe(joints))}{_hint(model)}")
    if isinstance(output, Mapping) and [str(key)[-1:].lower() for key in output] == ["y", "x"]:
        raise InputError(f"{name} gives {' before '.join(map(repr, output))}: the vectors along x must come first")
    shapes = [tuple(tensor.shape) for tensor in tensors]
    if not codec.fits(shapes, joints) or any(shape[0] != 1 for shape in shapes):
        shown = " and ".join(str(shape[1:]) for shape in shapes)
        raise InputError(f"{name} gives {shown}, and {owner} needs {codec.describe(joints)}, one for each joint")
    for tensor in (tensor.detach() for tensor in tensors):
        if tensor.is_meta or tensor.layout != torch.strided:
            kind = "the device meta, which has no numbers" if tensor.is_meta else f"{tensor.layout}"
            raise InputError(f"{name} gives a tensor of {kind}: a dense one is needed")
        if not tensor.is_floating_point():
            raise InputError(f"{name} gives numbers of type {tensor.dtype}: floating-point numbers are needed")
        if not bool(torch.isfinite(tensor).all()):
            raise InputError(f"{name} gives numbers that are not finite for an input of {cli.input_text(size)}")
    return codec


def _hint(model: nn.Module) -> str:
    """How a network of another kind says so."""
    if hasattr(model, "output_kind"):
        return ""
    others = " or ".join(repr(name) for name in KINDS if name != "heatmap")
    return f" (a network of another kind has an attribute output_kind, {others})"


def fit_file(file: "AnyFile", skeleton: Skeleton, owner: str) -> None:
    """Fail on a model file that does not say what evaluation needs, or finds other joints.

    Args:
        file: the model.
        skeleton: the joints that are needed, in this order.
        owner: of the joints, for messages: the data set's name.

    Raises:
        InputError: something is missing, or the joints are others.
    """
    file.require("output_kind", "channels", "mean", "std", command="evaluation")
    joints = len(skeleton.joints)
    if file.num_joints != joints:
        raise InputError(f"{file.name} finds {file.num_joints} joints, and {owner} has {joints}")
    fit_joints(file.skeleton_file, skeleton, owner)
    said = getattr(file, "said", None)
    if said and said.flip_pairs is not None:
        _fit_pairs(file.name, said.flip_pairs, skeleton, owner)


def fit_joints(said: SkeletonFile | None, skeleton: Skeleton, owner: str) -> None:
    """Fail on weights that were trained to find other joints, or that mirror them in another way.

    Args:
        said: what the weights say of their joints, if anything.
        skeleton: the joints that are needed, in this order.
        owner: of the joints, for messages.

    Raises:
        InputError: the joints are others.
    """
    if said is None or said.joints is None:
        return
    refuse_other_joints(said.joints, said.name, skeleton.joints, owner)
    if "flip_pairs" in said.told:
        _fit_pairs(said.name, said.told["flip_pairs"], skeleton, owner)


def _fit_pairs(name: str, pairs: Sequence[Sequence[int]], skeleton: Skeleton, owner: str) -> None:
    if {frozenset(pair) for pair in pairs} != {frozenset(pair) for pair in skeleton.flip_pairs}:
        raise InputError(f"{name} has other flip_pairs than {owner}, whose are {list(skeleton.flip_pairs)}")
