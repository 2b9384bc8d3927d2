"""What a network learns from: which people in which order, and each of them as a picture with its target.

Both are functions of the seed and of nothing else, so that neither the number of worker processes nor an
interruption changes what a training sees.
"""

import math
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils._pytree import tree_map
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bench import distributed
from bench.codecs.codec import Codec, HeatmapCodec, Target
from bench.core.errors import InputError
from bench.data import Dataset
from bench.data.pictures import start_reader, start_reading
from bench.train.augment import disturb, random_view, show
from bench.train.recipe import Recipe

# How often everyone was seen before, and which person; and True in the epochs at the end that a recipe has.
Key = tuple[int, int] | tuple[int, int, bool]
Batch = tuple[Tensor, Target, Tensor]

# Batches that each worker process has ready.
AHEAD = 4
SHARED_MEMORY = Path("/dev/shm")  # where PyTorch's worker processes put tensors


@dataclass(frozen=True)
class BatchPlan:
    """The batches of one process, from a step on to the end of the training.

    People come in shuffled passes through the data set; an epoch is a number of samples, not a pass. Of the
    batches of a step, every process takes its own part.
    """

    people: tuple[int, ...] | range
    samples: int  # of an epoch, all processes together
    epochs: int
    batch: int  # of one process
    seed: int
    rank: int = 0
    processes: int = 1
    start: int = 0
    last_epochs: int = 0  # of the recipe

    @property
    def steps(self) -> int:
        """Steps of an epoch; samples that do not fill one are left for the next epoch."""
        return self.samples // (self.batch * self.processes)

    def __len__(self) -> int:
        return self.steps * self.epochs - self.start

    def __iter__(self) -> Iterator[list[Key]]:
        together = self.batch * self.processes
        known, order = -1, np.empty(0, np.int64)
        for step in range(self.start, self.steps * self.epochs):
            keys: list[Key] = []
            at_the_end = step >= self.steps * (self.epochs - self.last_epochs)
            first = step * together + self.rank * self.batch
            for position in range(first, first + self.batch):
                turn, place = divmod(position, len(self.people))
                if turn != known:
                    known, order = turn, np.random.default_rng((self.seed, turn)).permutation(len(self.people))
                index = self.people[int(order[place])]
                keys.append((turn, index, True) if at_the_end else (turn, index))
            yield keys


class Samples(TorchDataset[Batch]):
    """A person in a random view: uint8 ``[H, W, 3]``, what the network shall give, and weights ``[J]``.

    By default, these are heatmaps ``[J, H/4, W/4]`` of plain crops; otherwise the codec's targets.
    """

    def __init__(
        self, dataset: Dataset, input_size: tuple[int, int], recipe: Recipe, seed: int, codec: Codec | None = None
    ) -> None:
        self.dataset = dataset
        self.input_size = input_size
        self.recipe = recipe
        self.seed = seed
        self.codec = codec or HeatmapCodec(input_size)

    def __getitem__(self, key: Key) -> Batch:
        turn, index, *at_the_end = key
        recipe = self.recipe.at_the_end if at_the_end else self.recipe
        rng = np.random.default_rng((self.seed, turn, index))
        picture, person = self.dataset.load(index)
        if person.joints is None or person.visible is None:
            raise InputError(f"person {index} of {self.dataset.name} has no labelled joints to learn from")
        skeleton = self.dataset.skeleton
        view = random_view(person, skeleton, self.input_size, recipe, rng)
        image, joints, order = show(picture, person.joints, view, skeleton, self.input_size, self.codec)
        target, weights = self.codec.target(joints, person.visible[order], recipe.sigmas, recipe.loss)
        return torch.from_numpy(disturb(image, recipe, rng)), target, weights


def start(samples: Samples, plan: BatchPlan, *, workers: int, pin: bool) -> Iterator[Batch]:
    """The batches of a plan, made ahead by worker processes, which start now.

    They hand them over in shared memory if there is enough of it, and otherwise through a pipe, which takes copies.
    """
    shared = not workers or _shared_bytes(samples, plan, workers) <= _free_shared_bytes()
    loader = DataLoader(
        samples,
        batch_sampler=plan,  # type: ignore[arg-type]  # any iterable of lists of keys will do
        num_workers=workers,
        collate_fn=None if shared else _stacked,
        prefetch_factor=AHEAD if workers else None,
        pin_memory=pin,
        worker_init_fn=start_reader,
        # Its own, so that to start reading draws nothing from the network's.
        generator=torch.Generator(),
    )
    batches = start_reading(loader)
    return batches if shared else (tree_map(torch.from_numpy, batch) for batch in batches)


def _shared_bytes(samples: Samples, plan: BatchPlan, workers: int) -> int:
    """What the batches take that are ready, being made and in use, with those of this machine's other processes."""
    height, width = samples.input_size
    joints = len(samples.dataset.skeleton.joints)
    numbers = joints + sum(map(math.prod, samples.codec.trained_shapes(joints)[0]))
    batches = workers * (AHEAD + 1) + 2
    return plan.batch * (3 * height * width + 4 * numbers) * batches * distributed.told("LOCAL_WORLD_SIZE")


def _free_shared_bytes() -> float:
    """Of the memory that processes can share; a container has 64 MB unless it is told otherwise."""
    try:
        return shutil.disk_usage(SHARED_MEMORY).free
    except OSError:  # only Linux has it in a place of its own
        return math.inf


def _stacked(samples: list[Batch]) -> Any:
    """A batch as arrays, which go through a pipe; PyTorch itself would stack tensors in shared memory."""
    return tree_map(lambda *parts: np.stack([part.numpy() for part in parts]), *samples)
