"""Whether a network fits a data set, found out before anything is evaluated."""

import torch
from torch import Tensor, nn

from bench import cli
from bench.core.errors import InputError
from bench.core.processes import user_code


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
