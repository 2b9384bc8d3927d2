"""One cell measured in this process: frames looked at in a scenario, and what came of it."""

import contextlib
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.backends.artifact import Artifact
from bench.core.arrays import Float64Array
from bench.core.errors import InputError
from bench.pipeline import preparation, quality, scenarios
from bench.pipeline.crops import Crops, Frame
from bench.pipeline.detectors import Detector, open_detector
from bench.pipeline.networks import Networks
from bench.pipeline.plan import PipelinePlan
from bench.pipeline.preparation import normalisation, open_networks
from bench.pipeline.smoothing import OneEuro
from bench.pipeline.sources import (
    Drawn,
    ListedBoxes,
    Pictures,
    Video,
    boxes_from_file,
    drawn_scenes,
    drawn_video,
)
from bench.pipeline.stages import Answer, Boxes, Pipeline
from bench.speed.timed_set import state
from bench.timing import conditions
from bench.timing.clock import Fixed, Inference, Sustained, time_rounds, warm_up

SCENES = 4  # different scenes of as many people, in turns
MOST_FOUND = 64  # people that a detector finds in a frame
OFFLINE_PEOPLE = 8  # in the scenes that people are taken from, offline
CLOCK_JUMP_S = 0.5


@dataclass
class CellResult:
    """What one process found of one cell; plain values, so that it can be told as JSON."""

    frame_ms: list[float] = field(default_factory=list)  # of every frame, the whole way
    stage_ms: dict[str, float] = field(default_factory=dict)  # mean a frame
    people: int = 0  # found in all frames
    frames: int = 0  # looked at
    detections: int = 0
    empty: int = 0  # frames without anybody
    arrived: int = 0
    dropped: int = 0
    age_ms: list[float] = field(default_factory=list)
    elapsed_s: float = 0.0
    quality: dict[str, float] = field(default_factory=dict)
    conditions: dict[str, Any] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)


@dataclass
class _Given:
    """Frames of a plan, and who finds people in them."""

    source: Any  # Drawn, Pictures or Video
    boxes: Boxes
    most: int

    def close(self) -> None:
        """Release the detector, where there is one."""
        if isinstance(self.boxes, Detector):
            self.boxes.close()


def measure(plan: PipelinePlan, artifacts: dict[int, Artifact]) -> CellResult:
    """Look at frames as the plan says.

    Args:
        artifacts: of its network, by batch size.

    Raises:
        InputError: frames, boxes or detector cannot be used.
    """
    cv2.setNumThreads(plan.network.threads)
    run = {"single stream": _single, "paced": _paced, "streams": _streams, "offline": _offline}[plan.scenario]
    wall, clock = time.time(), time.perf_counter()
    before = state(plan.network.device)
    found = run(plan, artifacts)
    after = state(plan.network.device)
    around, notes = conditions.judge(before, after, time.perf_counter() - clock, max(found.frames, 1))
    jumped = abs((time.time() - wall) - (time.perf_counter() - clock))
    if jumped > CLOCK_JUMP_S:
        notes.append(f"the system's clock jumped by {jumped:.1f} s meanwhile: it was set, or the machine slept")
    found.conditions = {**around, **found.conditions}
    found.warnings += notes
    return found


# ---------------------------------------------------------------------------------------------------------------------
# What is looked at


def frames_of(plan: PipelinePlan) -> _Given:
    """The frames of a plan and their boxes; what is drawn is kept, so that the next process need not draw it.

    Raises:
        InputError: they cannot be drawn or read.
    """
    told, seed = plan.frames, plan.network.seed
    source: Any
    if told.source == "scenes":
        people = min(plan.batch, OFFLINE_PEOPLE) if plan.scenario == "offline" else told.people
        source = drawn_scenes(people, told.size, SCENES, seed)
    elif told.source == "motion":
        source = drawn_video(told.people, told.size, plan.count, told.rate, seed)
    elif told.source == "video":
        source = Video(Path(told.paths[0]), plan.count or None)
    else:
        source = Pictures([Path(path) for path in told.paths])
    if told.boxes == "detector":
        return _Given(source, open_detector(Path(told.boxes_path), plan.network.threads), MOST_FOUND)
    if isinstance(source, Drawn):
        return _Given(source, source.given(told.jitter, seed), max(map(len, source.boxes)))
    if told.boxes == "file":
        names = dict(zip(map(Path, told.paths), told.names, strict=True)) if told.source == "pictures" else None
        part = isinstance(source, Video) and source.may_go_on
        listed = boxes_from_file(Path(told.boxes_path), len(source), names, part=part)
        if isinstance(source, Pictures):
            source.sizes = listed.sizes
        return _Given(source, listed, max(map(len, listed.frames)))
    return _Given(source, _whole, 1)


def _whole(_number: int, frame: Frame) -> Float64Array:
    """The frame as one person."""
    return np.array([[0.0, 0.0, frame.shape[1], frame.shape[0]]])


def _pipeline(plan: PipelinePlan, given: _Given, networks: Networks, pixels: bool) -> Pipeline:
    codec = preparation.codec(plan.network)
    most = plan.batch if plan.scenario == "offline" else max(given.most, 1)
    crops = Crops(
        plan.network.input, networks.room(most), pixels=pixels, mirrored=plan.flip,
        threads=plan.network.threads // plan.streams, udp=codec.udp, how=normalisation(plan.network),
    )  # fmt: skip
    # Offline, those for whom there is no room are left for the next time.
    boxes = given.boxes if plan.scenario == "offline" else _first(given.boxes, crops.most)
    smoother = OneEuro(plan.frames.rate) if plan.smooth == "one-euro" else None
    return Pipeline(
        networks, crops, given.source, boxes, flip=plan.flip, detect_every=plan.detect_every,
        smoother=smoother, draw=plan.draw, skeleton=plan.network.found, codec=codec,
    )  # fmt: skip


def _first(boxes: Boxes, most: int) -> Boxes:
    return lambda number, frame: boxes(number, frame)[:most]


class _Stepper:
    """A pipeline over the frames again and again, and what its answers say."""

    def __init__(self, pipeline: Pipeline, count: int, *, keep: bool = False) -> None:
        self.pipeline, self.count, self.keep = pipeline, count, keep
        self.number = 0
        self.answers: dict[int, Answer] = {}
        self.forget()

    def forget(self) -> None:
        """What was counted so far; the frames begin again."""
        self.spent: dict[str, int] = {}
        self.frames = self.people = self.detections = self.empty = 0
        self.number = 0
        self.pipeline.restart()

    def next(self) -> None:
        """The next frame."""
        self.at(self.number)
        self.number += 1

    def at(self, number: int) -> None:
        """A frame by its number."""
        index = number % self.count
        if index == 0:
            self.pipeline.restart()  # the last frame is not the one before the first
        answer = self.pipeline(index)
        for stage, spent in answer.stage_ns.items():
            self.spent[stage] = self.spent.get(stage, 0) + spent
        self.frames += 1
        self.people += len(answer.boxes)
        self.detections += answer.detected
        self.empty += not len(answer.boxes)
        if self.keep and index not in self.answers:
            self.answers[index] = answer

    def result(self) -> CellResult:
        stages = {stage: spent / 1e6 / max(self.frames, 1) for stage, spent in self.spent.items()}
        return CellResult(
            stage_ms=stages, people=self.people, frames=self.frames, detections=self.detections, empty=self.empty
        )


@contextlib.contextmanager
def _stepper(
    plan: PipelinePlan, artifacts: dict[int, Artifact], threads: int | None = None
) -> Iterator[tuple[_Stepper, _Given]]:
    """A pipeline as the plan has it, open until the block ends."""
    with contextlib.ExitStack() as opened:
        given = opened.enter_context(contextlib.closing(frames_of(plan)))
        networks, pixels = open_networks(plan.network, artifacts, plan.batches, threads)
        opened.callback(networks.close)
        pipeline = _pipeline(plan, given, networks, pixels)
        opened.callback(pipeline.crops.close)
        trained = bool(plan.network.file) or plan.network.weights != "random"
        judged = plan.scenario == "single stream" and plan.frames.source == "motion" and trained
        yield _Stepper(pipeline, len(given.source), keep=judged), given


def _notes(given: _Given, found: CellResult) -> list[str]:
    """What a reader must know of the frames."""
    source = given.source
    notes = list(given.boxes.notes) if isinstance(given.boxes, ListedBoxes) else []
    if isinstance(source, Video):
        if source.broken_off:
            notes.append(f"{source.path.name} broke off after {len(source)} of {source.told} frames")
        if len(source.sizes) > 1:
            notes.append(f"{source.path.name} has frames of {len(source.sizes)} sizes")
    if found.frames and found.empty == found.frames:
        notes.append("nobody was found in any frame: only reading and detecting was timed")
    elif found.empty:
        notes.append(f"nobody was found in {found.empty} of {found.frames} frames")
    return notes


# ---------------------------------------------------------------------------------------------------------------------
# Scenarios


def _single(plan: PipelinePlan, artifacts: dict[int, Artifact]) -> CellResult:
    with _stepper(plan, artifacts) as (stepper, given):
        warm_up(Inference(stepper.next), plan.warmup)
        stepper.forget()
        count = plan.count or stepper.count
        until: Any = Sustained(min(count, 10), plan.for_s) if plan.for_s else Fixed(count)
        watch = conditions.Watch()
        rounds = time_rounds(Inference(stepper.next), until, watch)
        found = stepper.result()
        found.frame_ms, found.elapsed_s, found.conditions = rounds.latency_ms, rounds.elapsed_s, watch.found()
        found.warnings = _notes(given, found)
        if stepper.answers:
            found.quality = quality.figures(stepper.answers, given.source, plan.network.found)
            if not quality.shared(plan.network.found):
                found.warnings.append(
                    "no joint has a name of those that drawn people have: nothing tells how good they are"
                )
        return found


def _paced(plan: PipelinePlan, artifacts: dict[int, Artifact]) -> CellResult:
    with _stepper(plan, artifacts) as (stepper, given):
        warm_up(Inference(stepper.next), plan.warmup)
        stepper.forget()
        paced = scenarios.paced(
            stepper.at, plan.frames.rate, lambda _number, elapsed_ns: elapsed_ns >= plan.for_s * scenarios.SECOND
        )
        found = stepper.result()
        found.frame_ms, found.age_ms = paced.busy_ms, paced.age_ms
        found.arrived, found.dropped, found.elapsed_s = paced.arrived, paced.dropped, plan.for_s
        found.warnings = _notes(given, found)
        reached = 1000 / statistics.median(paced.busy_ms)
        if paced.dropped and reached < plan.frames.rate:
            found.warnings.append(f"{plan.frames.rate:g} frames a second cannot be reached here: {reached:.1f} can")
        return found


def _streams(plan: PipelinePlan, artifacts: dict[int, Artifact]) -> CellResult:
    """Each stream has a network of its own, with its share of the threads."""
    each = max(1, plan.network.threads // plan.streams)
    with contextlib.ExitStack() as opened:
        pairs = [opened.enter_context(_stepper(plan, artifacts, each)) for _ in range(plan.streams)]
        steppers = [stepper for stepper, _ in pairs]
        for stepper in steppers:
            warm_up(Inference(stepper.next), plan.warmup)
            stepper.forget()
        cv2.setNumThreads(each)
        came = scenarios.streams([stepper.at for stepper in steppers], plan.for_s)
        parts = [stepper.result() for stepper in steppers]
        found = CellResult(
            frame_ms=[value for one in came.frame_ms for value in one],
            people=sum(part.people for part in parts), frames=sum(part.frames for part in parts),
            detections=sum(part.detections for part in parts), empty=sum(part.empty for part in parts),
            elapsed_s=came.elapsed_s,
        )  # fmt: skip
        for stage in parts[0].stage_ms:
            found.stage_ms[stage] = sum(part.stage_ms[stage] * part.frames for part in parts) / found.frames
        found.warnings = _notes(pairs[0][1], found)
        return found


def _offline(plan: PipelinePlan, artifacts: dict[int, Artifact]) -> CellResult:
    with _stepper(plan, artifacts) as (stepper, given):
        pipeline = stepper.pipeline
        batches = OfflineBatches(pipeline, plan.batch, stepper.count)
        warm_up(Inference(batches.next), max(1, plan.warmup // 2))
        batches.forget()
        until: Any = Sustained(1, plan.for_s) if plan.for_s else Fixed(plan.count or stepper.count)
        rounds = time_rounds(Inference(batches.next), until)
        frames = batches.frames
        share = len(rounds.latency_ms) / frames
        return CellResult(
            frame_ms=[value * share for value in rounds.latency_ms], people=batches.people, frames=frames,
            stage_ms={stage: spent / 1e6 / frames for stage, spent in batches.spent.items()},
            detections=frames, elapsed_s=rounds.elapsed_s, warnings=_notes(given, CellResult(frames=frames)),
        )  # fmt: skip


class OfflineBatches:
    """People of frame after frame, so many at a time, whichever frames they come from."""

    def __init__(self, pipeline: Pipeline, batch: int, count: int, clock: Callable[[], int] = time.perf_counter_ns):
        self.pipeline, self.batch, self.count, self.clock = pipeline, batch, count, clock
        self.crops = pipeline.crops
        self.number = 0
        self.rest: tuple[Frame, Float64Array] | None = None  # of a frame with more people than were asked for
        self.forget()

    def forget(self) -> None:
        self.spent: dict[str, int] = {}
        self.frames = self.people = 0

    def next(self) -> Float64Array:
        """The joints of the next people, ``[batch, J, 3]``.

        Raises:
            InputError: there is nobody in any of the frames.
        """
        filled, centers, sizes = 0, [], []
        looked = 0
        while filled < self.batch:
            if self.rest is None:
                self.rest = self._look()
                looked += 1
            frame, found = self.rest
            boxes, left = found[: self.batch - filled], found[self.batch - filled :]
            self.rest = (frame, left) if len(left) else None
            marks = [self.clock()]
            centre, size = self.crops.fill(frame, boxes, filled)
            marks.append(self.clock())
            self._add(("crop",), marks)
            centers.append(centre)
            sizes.append(size)
            filled += len(boxes)
            if not filled and looked >= self.count:
                raise InputError("there is nobody in any of the frames: offline needs people")
        marks = [self.clock()]
        outputs, mirrored = self.pipeline.outputs(self.batch)
        marks.append(self.clock())
        joints = self.pipeline.joints(outputs, mirrored, np.concatenate(centers), np.concatenate(sizes))
        marks.append(self.clock())
        self._add(("network", "joints"), marks)
        self.frames, self.people = self.frames + looked, self.people + self.batch
        return joints

    def _look(self) -> tuple[Frame, Float64Array]:
        """The next frame and the boxes in it, ``[N, 4]``."""
        marks = [self.clock()]
        frame = self.pipeline.source.read(self.number)
        marks.append(self.clock())
        boxes = np.asarray(self.pipeline.find(self.number, frame), np.float64).reshape(-1, 4)
        marks.append(self.clock())
        self._add(("read", "detect"), marks)
        self.number = (self.number + 1) % self.count
        return frame, boxes

    def _add(self, stages: tuple[str, ...], marks: list[int]) -> None:
        for stage, before, after in zip(stages, marks, marks[1:], strict=False):
            self.spent[stage] = self.spent.get(stage, 0) + after - before
