"""Whether a network fits a data set, found out before anything is evaluated."""

from typing import TYPE_CHECKING

import torch
from torch import Tensor, nn

from bench import cli
from bench.core.errors import InputError
from bench.core.processes import user_code
from bench.core.skeletons import Skeleton

if TYPE_CHECKING:
    from bench.model_files.reading import AnyFile


def check_output(name: str, model: nn.Module, owner: str, joints: int, size: tuple[int, int]) -> None:
    """Fail on a network whose output is not one heatmap for each joint.

    Args:
        name: of the network, for messages.
        model: in evaluation mode, on the CPU.
        owner: of the joints, for messages: the data set's name.
        joints: how many.
        size: height, width of the input.

    Raises:
        InputError: it fails, or gives something else.
    """
    with user_code(name, f"fails on an input of {cli.input_text(size)}"), torch.inference_mode():
        output = model(torch.zeros(1, 3, *size))
    if not isinstance(output, Tensor):
        kind = "nothing" if output is None else f"a {type(output).__name__}"
        raise InputError(f"{name} gives {kind}: one tensor of {joints} heatmaps is needed")
    shape = tuple(output.shape)
    if len(shape) != 4 or shape[:2] != (1, joints) or 0 in shape:
        raise InputError(f"{name} gives {shape[1:]}, and {owner} needs {joints} heatmaps, one for each joint")
    if not output.is_floating_point():
        raise InputError(f"{name} gives numbers of type {output.dtype}: heatmaps are floating-point numbers")
    if not bool(torch.isfinite(output).all()):
        raise InputError(f"{name} gives numbers that are not finite for an input of {cli.input_text(size)}")


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
    if getattr(file, "udp", False):
        raise InputError(f"{file.name} takes UDP crops (udp), and evaluation makes none: it would find joints beside")
    joints = len(skeleton.joints)
    if file.num_joints != joints:
        raise InputError(f"{file.name} finds {file.num_joints} joints, and {owner} has {joints}")
    said = getattr(file, "said", None)
    for number, (theirs, ours) in enumerate(zip(said.joints or () if said else (), skeleton.joints, strict=False)):
        if theirs != ours:
            raise InputError(f"{file.name} has {theirs!r} as joint {number}, and {owner} has {ours!r} there")
    pairs = {frozenset(pair) for pair in skeleton.flip_pairs}
    if said and said.flip_pairs is not None and {frozenset(pair) for pair in said.flip_pairs} != pairs:
        raise InputError(f"{file.name} has other flip_pairs than {owner}, whose are {list(skeleton.flip_pairs)}")
