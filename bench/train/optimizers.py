"""The optimiser that a recipe asks for, with the rates and decays of each parameter; and the average of the weights."""

import re

import torch
from torch import Tensor, nn
from torch.optim.swa_utils import AveragedModel

from bench.train.recipe import Recipe

LAYER = re.compile(r"^backbone\.layers\.(\d+)\.")
BEFORE_LAYERS = re.compile(r"^backbone\.(pos_embed$|patch_embed\.)")
WARM_UP = 9  # of the average: for as long as it is the stricter one, its momentum is 9 / (10 + steps)


def make_optimizer(network: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """Adam or AdamW over a network's parameters.

    Groups of parameters have an ``lr_scale`` where a recipe gives the layers of a transformer rates of their own.
    """
    if recipe.optimizer == "adam":
        return torch.optim.Adam(network.parameters(), lr=recipe.lr)
    groups: dict[tuple[float, float], list[Tensor]] = {}
    for name, parameter in network.named_parameters():
        decay = 0.0 if parameter.dim() < 2 or name.endswith("pos_embed") else recipe.weight_decay
        groups.setdefault((decay, _lr_scale(network, name, recipe.layer_decay)), []).append(parameter)
    return torch.optim.AdamW(
        [{"params": held, "weight_decay": decay, "lr_scale": scale} for (decay, scale), held in groups.items()],
        lr=recipe.lr,
    )


def _lr_scale(network: nn.Module, name: str, decay: float) -> float:
    """1 for the head and the last norm, ``decay`` for the last layer, and so on down to the patches."""
    layers = getattr(getattr(network, "backbone", None), "layers", ())
    found = LAYER.match(name)
    if decay == 1 or not (found or BEFORE_LAYERS.match(name)):
        return 1.0
    return float(decay ** (len(layers) - (int(found[1]) if found else -1)))


def make_average(network: nn.Module, momentum: float) -> AveragedModel:
    """A network's moving average, statistics of batch norm included.

    In its first steps it follows faster: published recipes are of hundreds of thousands of steps, and without this
    the average of a short training would be its start.
    """

    def follow(average: Tensor, value: Tensor, steps: Tensor | int) -> Tensor:
        share = max(momentum, WARM_UP / (WARM_UP + 1 + int(steps)))
        return average + share * (value - average) if average.is_floating_point() else value

    return AveragedModel(network, avg_fn=follow, use_buffers=True)
