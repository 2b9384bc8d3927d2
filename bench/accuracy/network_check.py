"""Whether a network fits a data set, found out before anything is evaluated."""

import warnings
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bench import cli
from bench.backends.families.pytorch import arrays
from bench.codecs.codec import Codec, codec_of
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.core.processes import bounded, user_code
from bench.core.skeletons import Skeleton
from bench.data.skeleton_files import SkeletonFile, refuse_other_joints
from bench.timing import parity

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
    for doubt in doubts(name, model, size):
        warnings.warn(f"{name} {doubt}", stacklevel=2)
    return codec


def doubts(name: str, model: nn.Module, size: tuple[int, int]) -> Iterator[str]:
    """What makes an evaluation of a network say little: answers that chance or other images decide."""
    images = torch.rand(2, 3, *size, generator=torch.Generator().manual_seed(0))
    with user_code(name, f"fails on an input of {cli.input_text(size)}"), torch.inference_mode():
        first, again = (arrays(model(images[:1].clone())) for _ in range(2))
    if _differ(first, again):
        yield f"gives another answer to the same image each time: {parity.CHANCE}"
        return
    try:
        with bounded(name), torch.inference_mode():
            together = [output[:1] for output in arrays(model(images.clone()))]
    except InputError:
        raise
    except Exception:  # it may take one image at a time
        return
    if _differ(first, together):
        yield (
            "gives an image another answer where another image is beside it, so that --batch decides: does a norm take "
            "its statistics from the batch, as with track_running_stats=False?"
        )


def _differ(first: Sequence[np.ndarray], second: Sequence[np.ndarray]) -> bool:
    """By more than rounding explains in any network."""
    try:
        return parity.difference(first, second) > parity.MOST["fp32"]
    except parity.ParityError:  # it answers for another number of images, or not in numbers, which is said elsewhere
        return False


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
