"""The training loop."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

import torch
from lightning_fabric import Fabric
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

from bench.codecs.codec import Codec, Target
from bench.core.errors import InputError
from bench.core.processes import user_code
from bench.data import normalise
from bench.data.pictures import next_batch
from bench.train.recipe import Recipe
from bench.train.samples import Batch

Row = dict[str, float]
# Steps between two looks at the loss on a GPU, which each look makes wait for.
LOOK_EVERY = 50


class DivergedError(Exception):
    """The loss or a weight is no number any more."""


@dataclass
class State:
    """How far a training is."""

    step: int = 0
    loss_sum: float = 0.0  # over the steps of this epoch
    accuracy_sum: float = 0.0
    seconds: float = 0.0  # in steps, of all sittings together
    waited: float = 0.0  # of them, for data
    history: list[Row] = field(default_factory=list)  # a row an epoch


@dataclass(frozen=True)
class Callbacks:
    """What happens beside the steps."""

    look: Callable[[State, Row], None]  # a few steps are done
    validate: Callable[[int], Row]  # metrics after so many epochs; empty where none are due
    save: Callable[[State], None]
    save_every: int
    stepped: Callable[[], None] = lambda: None  # the weights have changed


def train(
    fabric: Fabric, model: nn.Module, optimizer: torch.optim.Optimizer, batches: Iterator[Batch], state: State,
    recipe: Recipe, steps: int, callbacks: Callbacks, codec: Codec,
) -> None:  # fmt: skip
    """Train from where ``state`` is to the end of the recipe; ``steps`` make an epoch.

    Raises:
        DivergedError: the message names the step.
        InputError: a sample cannot be had, or the network fails.
    """
    model.train()
    fresh: list[Tensor] = []  # loss and accuracy of steps not looked at yet
    while state.step < steps * recipe.epochs:
        began = time.perf_counter()
        images, target, weight = next_batch(batches, "samples")
        state.waited += time.perf_counter() - began

        rate = recipe.learning_rate(state.step, steps)
        for group in optimizer.param_groups:
            group["lr"] = rate * group.get("lr_scale", 1.0)
        optimizer.zero_grad()
        target, weight = fabric.to_device((target, weight))
        with user_code("the network", f"fails at step {state.step + 1}"):
            prediction = model(_network_input(images, fabric))
            loss = loss_of(prediction, target, weight, recipe.loss, codec)
            fabric.backward(loss)
        if recipe.clip_norm:
            fabric.clip_gradients(model, optimizer, max_norm=recipe.clip_norm, error_if_nonfinite=False)
        optimizer.step()
        callbacks.stepped()
        state.step += 1

        with torch.no_grad():
            fresh.append(torch.stack((loss.detach(), codec.accuracy(prediction, target, weight))))
        epoch_ends = state.step % steps == 0
        save = epoch_ends or state.step % callbacks.save_every == 0
        if save or fabric.device.type == "cpu" or len(fresh) == LOOK_EVERY:
            seen = _look(fabric, fresh, state, rate)
            fresh.clear()
            callbacks.look(state, seen)
        state.seconds += time.perf_counter() - began

        if epoch_ends:
            _end_epoch(state, steps, recipe, fabric.world_size, callbacks)
            model.train()
        if save:
            _check_weights(model, state.step)
            callbacks.save(state)


def loss_of(prediction: Any, target: Target, weight: Tensor, kind: str, codec: Codec) -> Tensor:
    """The loss of what a network gives in training, which need not be what it gives otherwise.

    Raises:
        InputError: it is not of its target's shapes, or nothing can be learnt from it.
    """
    given, wanted = (
        [tuple(leaf.shape) if isinstance(leaf, Tensor) else type(leaf).__name__ for leaf in leaves]
        for leaves in (tree_leaves(prediction), tree_leaves(target))
    )
    if given != wanted:
        raise InputError(f"it gives {_joined(given)} in training mode: {_joined(wanted)} is needed")
    loss = codec.loss(prediction, target, weight, kind)
    if not loss.requires_grad:
        raise InputError("it has nothing to learn: no parameter that its output depends on takes a gradient")
    return loss


def _joined(shapes: list[Any]) -> str:
    return " and ".join(map(str, shapes)) or "nothing"


def _network_input(images: Tensor, fabric: Fabric) -> Tensor:
    inputs = normalise(images.to(fabric.device, non_blocking=True))
    return inputs.contiguous(memory_format=torch.channels_last) if fabric.device.type == "cuda" else inputs


def _look(fabric: Fabric, fresh: list[Tensor], state: State, rate: float) -> Row:
    """Add up the latest steps, over all processes; loss and accuracy of the last of them."""
    reduced = fabric.all_reduce(torch.stack(fresh).double(), reduce_op="mean")
    rows = torch.as_tensor(reduced).tolist()
    for step, (loss, accuracy) in enumerate(rows, state.step - len(rows) + 1):
        if not loss < float("inf"):
            raise DivergedError(f"the loss is {loss} at step {step}")
        state.loss_sum += loss
        state.accuracy_sum += accuracy
    return {"learning_rate": rate, "loss": rows[-1][0], "accuracy": rows[-1][1]}


def _check_weights(model: nn.Module, step: int) -> None:
    """A loss tells of the weights before its step; those after it must be numbers too before they are kept."""
    for name, value in model.state_dict().items():
        if value.is_floating_point() and not bool(torch.isfinite(value).all()):
            raise DivergedError(f"{name} is no longer finite at step {step}")


def _end_epoch(state: State, steps: int, recipe: Recipe, processes: int, callbacks: Callbacks) -> None:
    row = {
        "epoch": state.step // steps,
        "step": state.step,
        "learning_rate": recipe.learning_rate(state.step - 1, steps),
        "loss": state.loss_sum / steps,
        "accuracy": state.accuracy_sum / steps,
        "samples_per_s": state.step * recipe.batch * processes / state.seconds,
        "data_wait_share": state.waited / state.seconds,
    }
    state.history.append(row | callbacks.validate(state.step // steps))
    state.loss_sum = state.accuracy_sum = 0.0
