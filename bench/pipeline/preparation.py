"""A pose network made ready for a backend, for each batch size, compared with eager, and opened."""

import functools
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import torch
from torch import nn

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.session import Session
from bench.codecs.codec import Codec, codec_of
from bench.data.cropping import PHOTOGRAPH, PHOTOGRAPH_BOX, Normalisation
from bench.model_files.model_file import ModelFile
from bench.model_files.reading import AnyFile, from_json
from bench.models import build, codec_of_name, is_factory
from bench.opening import reference
from bench.pipeline.crops import Crops
from bench.pipeline.joints import check_outputs
from bench.pipeline.networks import Networks
from bench.pipeline.plan import PoseNetwork
from bench.random_weights import enliven
from bench.timing import parity
from bench.weights import build_trained


def model_file(network: PoseNetwork) -> AnyFile | None:
    """The model's file; None for a network of the zoo or of the user's own."""
    return from_json(network.told_file) if network.told_file else None


def normalisation(network: PoseNetwork) -> Normalisation:
    """How its input is normalised."""
    file = model_file(network)
    return file.normalisation if file else Normalisation()


@functools.cache
def codec(network: PoseNetwork) -> Codec:
    """How it sees people and says where joints are."""
    file = model_file(network)
    if isinstance(file, ModelFile):
        return codec_of(file, network.input, network.model)
    return codec_of_name(file.network if file else network.model, network.input)


def module(network: PoseNetwork) -> Any:
    """What ``catalogue.build`` takes: the network in evaluation mode, on its device, or a model file.

    Raises:
        InputError: it cannot be built.
    """
    torch.set_num_threads(network.threads)
    file = model_file(network)
    if file is not None:
        made = file.make(network.num_joints, network.input)
        return made.to(network.device) if isinstance(made, nn.Module) else made
    size = f"{network.input[0]}x{network.input[1]}"
    if network.weights == "random":
        model = build(network.model, num_joints=network.num_joints, input_size=network.input, seed=network.seed)
        if not is_factory(network.model):
            enliven(model, network.seed)
    else:
        model = build_trained(
            network.model, network.weights, num_joints=network.num_joints, input_size=size
        ).model  # fmt: skip
    return model.to(network.device)


def photograph(network: PoseNetwork, *, pixels: bool) -> npt.NDArray[np.generic]:
    """The person in the project's photograph as the network's input, one image, as ``Crops`` makes it."""
    crops = Crops(network.input, 1, pixels=pixels, how=normalisation(network))
    frame = np.asarray(cv2.imread(str(PHOTOGRAPH), cv2.IMREAD_COLOR), np.uint8)
    crops.fill(frame, np.array([PHOTOGRAPH_BOX]))
    return crops.images


def artifact_of(network: PoseNetwork, model: Any, batch: int) -> Artifact:
    """The network built for its backend, for so many images at a time."""
    example = torch.zeros(batch, 3, *network.input, device=network.device)
    return catalogue.build(network.backend, model, example, precision=network.precision, threads=network.threads)


@dataclass
class Prepared:
    """A network built for its backend and compared with its reference."""

    artifacts: dict[int, Artifact] = field(default_factory=dict)  # by batch size
    worst: float | None = None  # difference; None of the reference itself, which is compared with nothing
    warnings: list[str] = field(default_factory=list)  # where it amplifies rounding


def prepare(network: PoseNetwork, batches: Sequence[int]) -> Prepared:
    """Build the network for every batch size, and compare each with its reference on the photograph.

    The reference is eager; of a model file, its own backend.

    Raises:
        InputError: it cannot be built or opened.
        ParityError: it computes something other than the reference.
    """
    model = module(network)
    one = photograph(network, pixels=False)
    found = Prepared()
    for batch in batches:
        images = np.repeat(one, batch, 0)
        artifact = found.artifacts[batch] = artifact_of(network, model, batch)
        session, pixels = open_artifact(network, artifact)
        with session:
            shown = np.repeat(photograph(network, pixels=True), batch, 0) if pixels else images
            outputs = parity.check_outputs(session.run(shown), network.model)
        check_outputs(outputs, network.num_joints, codec(network))
        if (network.backend, network.precision) != (catalogue.reference_of(model), "fp32"):
            expected = reference(model, images, device=network.device, threads=network.threads, who=network.model)
            difference = expected.check(artifact, outputs)
            found.worst = max(found.worst or 0.0, difference)
            if remark := expected.remark(artifact, difference):
                found.warnings.append(remark)
    return found


def open_artifact(network: PoseNetwork, artifact: Artifact, threads: int | None = None) -> tuple[Session, bool]:
    """A session, and whether it takes pixels, which it does wherever the runtime can normalise inside."""
    threads = threads or network.threads
    if not network.file:  # a file made elsewhere has an input of its own form
        how = normalisation(network)
        session = catalogue.open_for_pixels(
            artifact, mean=how.mean, std=how.std, device=network.device, threads=threads
        )  # fmt: skip
        if session is not None:
            return session, True
    return catalogue.open_artifact(artifact, device=network.device, threads=threads), False


def open_networks(
    network: PoseNetwork, artifacts: dict[int, Artifact], batches: Sequence[int], threads: int | None = None
) -> tuple[Networks, bool]:
    """The network open for these batch sizes, and whether it takes pixels."""
    sessions: dict[int, Session] = {}
    takes_pixels = False
    for batch in batches:
        sessions[batch], takes_pixels = open_artifact(network, artifacts[batch], threads)
        if not takes_pixels:
            sessions[batch].prepare(np.zeros((batch, 3, *network.input), np.float32))
    return Networks(sessions), takes_pixels
