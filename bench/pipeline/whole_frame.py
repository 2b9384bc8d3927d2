"""The way of one frame as a function, for ``bench.regress``: the same frame each time, from its JPEG file to joints."""

from collections.abc import Callable
from typing import Any

import cv2

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.data.registry import entry_with_joints
from bench.pipeline.crops import Crops
from bench.pipeline.networks import Networks
from bench.pipeline.sources import drawn_scenes
from bench.pipeline.stages import Pipeline

SIZE = (1280, 720)  # width, height


def whole_frame(
    artifact: Artifact, people: int, *, input_size: tuple[int, int], joints: int, device: str, threads: int, seed: int
) -> Callable[[], Any]:
    """Look at a drawn scene with exactly so many people, all of them in one inference, in its own boxes.

    Args:
        artifact: of a network, for as many images as there are people.
        input_size: height, width.
        joints: that the network finds.
        seed: of the scene.

    Raises:
        InputError: it cannot be opened, or so many people cannot be drawn.
    """
    cv2.setNumThreads(threads)
    session = catalogue.open_artifact(artifact, device=device, threads=threads)
    source = drawn_scenes(people, SIZE, 1, seed)
    crops = Crops(input_size, people, threads=threads)
    skeleton = entry_with_joints(joints).skeleton
    pipeline = Pipeline(Networks({people: session}), crops, source, source.given(0.0, seed), skeleton=skeleton)
    session.prepare(crops.images)
    return lambda: pipeline(0)
