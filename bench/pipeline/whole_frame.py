"""The way of one frame as a function, for ``bench.regress``: the same frame each time, from its JPEG file to joints."""

from collections.abc import Callable
from typing import Any

import cv2

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.pipeline.crops import Crops
from bench.pipeline.networks import Networks
from bench.pipeline.plan import PoseNetwork
from bench.pipeline.preparation import codec as codec_of_network
from bench.pipeline.preparation import normalisation
from bench.pipeline.sources import drawn_scenes
from bench.pipeline.stages import Pipeline

SIZE = (1280, 720)  # width, height


def whole_frame(artifact: Artifact, network: PoseNetwork, people: int) -> Callable[[], Any]:
    """Look at a drawn scene with exactly so many people, all of them in one inference, in its own boxes.

    Args:
        artifact: of the network, for as many images as there are people.
        network: what it is of; its seed is the scene's as well.
        people: from 1 to 32.

    Raises:
        InputError: it cannot be opened, or so many people cannot be drawn.
    """
    cv2.setNumThreads(network.threads)
    session = catalogue.open_artifact(artifact, device=network.device, threads=network.threads)
    source = drawn_scenes(people, SIZE, 1, network.seed)
    codec = codec_of_network(network)
    crops = Crops(network.input, people, threads=network.threads, udp=codec.udp, how=normalisation(network))
    pipeline = Pipeline(
        Networks({people: session}), crops, source, source.given(0.0, network.seed), skeleton=network.found, codec=codec
    )
    session.prepare(crops.images)
    return lambda: pipeline(0)
