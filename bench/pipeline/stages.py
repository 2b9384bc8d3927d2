"""The pipeline: one frame at a time, and what each of its stages takes."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from bench.codecs.codec import Codec, HeatmapCodec
from bench.core.arrays import Float64Array
from bench.core.skeletons import COCO, Skeleton
from bench.pipeline.crops import Crops, Frame
from bench.pipeline.described import STAGES
from bench.pipeline.joints import joints_of
from bench.pipeline.networks import Networks
from bench.pipeline.smoothing import OneEuro
from bench.pipeline.tracking import Identities, boxes_from_joints


class Source(Protocol):
    """Where frames come from."""

    def read(self, number: int) -> Frame:
        """A frame by its number from 0, decoded: BGR uint8 ``[H, W, 3]``."""
        ...


Boxes = Callable[[int, Frame], Float64Array]  # number and frame to boxes [N, 4] x, y, width, height


@dataclass
class Answer:
    """What a frame gave."""

    boxes: Float64Array  # [N, 4] that were looked into
    joints: Float64Array  # [N, J, 3] x, y in pixels, confidence
    people: Sequence[int]  # numbers that stay with people, where they are followed
    detected: bool  # whether the detector ran
    stage_ns: dict[str, int] = field(default_factory=dict)


class Pipeline:
    """Frames to joints.

    Args:
        networks: the pose network, open.
        crops: of the size that it wants; with mirror images for the flip test.
        source: of the frames.
        boxes: finds people in a frame.
        flip: average with the mirrored picture's output.
        detect_every: frames from one detection to the next; boxes in between come from joints.
        smoother: of joints, for frames of one video.
        draw: draw the skeletons on the frame.
        skeleton: of the network.
        codec: of the network; by default, it gives heatmaps of plain crops.
        clock: nanoseconds that only grow.
    """

    def __init__(
        self,
        networks: Networks,
        crops: Crops,
        source: Source,
        boxes: Boxes,
        *,
        flip: bool = False,
        detect_every: int = 1,
        smoother: OneEuro | None = None,
        draw: bool = False,
        skeleton: Skeleton = COCO,
        codec: Codec | None = None,
        clock: Callable[[], int] = time.perf_counter_ns,
    ) -> None:
        self.networks, self.crops, self.source, self.find = networks, crops, source, boxes
        self.flip, self.detect_every, self.smoother, self.draw = flip, detect_every, smoother, draw
        self.skeleton, self.clock = skeleton, clock
        self.codec = codec or HeatmapCodec((crops.height, crops.width))
        self.follow = smoother is not None or detect_every > 1
        self.restart()

    def restart(self) -> None:
        """Forget the frames before."""
        self._since = 0  # frames since the last detection
        self._last: tuple[Float64Array, Float64Array] | None = None  # joints and boxes of the frame before
        self._people: list[int] = []
        self._identities = Identities()

    def __call__(self, number: int) -> Answer:
        """Look at one frame.

        Raises:
            InputError: the frame cannot be read, or the network's output is none that joints can be made of.
        """
        clock = self.clock
        marks = [clock()]
        frame = self.source.read(number)
        marks.append(clock())
        boxes, detected = self._boxes(number, frame)
        marks.append(clock())
        centers, sizes = self.crops.fill(frame, boxes)
        marks.append(clock())
        outputs, mirrored = self.outputs(len(boxes))
        marks.append(clock())
        joints = self.joints(outputs, mirrored, centers, sizes)
        self._last = joints, boxes  # not smoothed: boxes must not lag
        if self.smoother is not None and len(boxes):
            joints = self.smoother(joints, self._people, np.sqrt(boxes[:, 2:].prod(1)))
        marks.append(clock())
        if self.draw:
            self._draw(frame, joints, boxes)
            marks.append(clock())
        spent = {name: after - before for name, before, after in zip(STAGES, marks, marks[1:], strict=False)}
        return Answer(boxes, joints, list(self._people), detected, spent)

    def _boxes(self, number: int, frame: Frame) -> tuple[Float64Array, bool]:
        if self.follow and self._last is not None:
            height, width = frame.shape[:2]
            boxes, kept = boxes_from_joints(*self._last, (width, height))
            self._people = [self._people[index] for index in kept]
            if len(boxes) and self._since < self.detect_every - 1:
                self._since += 1
                return boxes, False
            self._identities.moved(boxes, self._people)
        self._since = 0
        boxes = np.asarray(self.find(number, frame), np.float64).reshape(-1, 4)
        self._people = self._identities.of(boxes) if self.follow else list(range(len(boxes)))
        return boxes, True

    def outputs(self, people: int) -> tuple[list[Any], list[Any] | None]:
        """The network's outputs for the first crops, and for their mirror images with ``flip``."""
        if not people:
            return [], None
        outputs = self.networks.run(self.crops.images, people)
        if not self.flip:
            return outputs, None
        assert self.crops.mirrors is not None
        return outputs, self.networks.run(self.crops.mirrors, people)

    def joints(self, outputs: list[Any], mirrored: list[Any] | None, centers: Any, sizes: Any) -> Float64Array:
        """Everybody's joints ``[N, J, 3]`` from the network's outputs."""
        if not outputs:
            return np.empty((0, len(self.skeleton.joints), 3))
        return joints_of(outputs, mirrored, centers, sizes, self.skeleton, self.codec)

    def _draw(self, frame: Frame, joints: Float64Array, boxes: Float64Array) -> None:
        from bench.drawing import draw_skeleton

        # Its colours are RGB and the frame is BGR, which takes as long.
        for points, box in zip(joints, boxes, strict=True):
            draw_skeleton(frame, points, self.skeleton, size=float(box[2:].max()))
