"""From frames to joints: the joints of evaluation, stages that add up, scenarios, detectors, tracking, smoothing."""

import dataclasses
import json
import math
import shutil
from pathlib import Path
from typing import Any
from unittest import mock

import cv2
import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.accuracy.predicting import predict
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.families.pytorch import TorchSession
from bench.codecs.codec import HeatmapCodec
from bench.core import kinds
from bench.core.errors import InputError
from bench.core.metrics import printed
from bench.core.record import Record
from bench.core.skeletons import COCO
from bench.core.unfinished import Work
from bench.data import box_to_crop, crop, normalise
from bench.data.cropping import Normalisation
from bench.data.dataset import Person
from bench.data.synthetic.frames import Sequence, draw_people
from bench.model_files.checkpoint import Checkpoint
from bench.model_files.description import sidecar_of
from bench.models import codec_of_name
from bench.pipeline import cell as cell_module
from bench.pipeline import detectors, preparation, quality, scenarios
from bench.pipeline.cell import CellResult, frames_of, measure
from bench.pipeline.command import make_plans
from bench.pipeline.crops import Crops
from bench.pipeline.described import STAGES, what
from bench.pipeline.detectors import FORMS, Detector, Sidecar, open_detector
from bench.pipeline.networks import Networks
from bench.pipeline.options import parse
from bench.pipeline.plan import Frames, PipelinePlan, PoseNetwork, plan_of
from bench.pipeline.preparation import artifact_of, open_artifact
from bench.pipeline.record import complete_record
from bench.pipeline.smoothing import OneEuro, OneEuroSettings
from bench.pipeline.sources import Drawn, Video, boxes_from_file, drawn_scenes
from bench.pipeline.stages import Answer, Pipeline
from bench.pipeline.tracking import Identities, boxes_from_joints, overlaps
from bench.regress.command import make_plans as make_regress_plans
from bench.regress.options import parse as parse_regress
from bench.regress.sides import Side, SideProcess
from bench.report.measured import Measured, Setting
from bench.report.sections import pipeline as pipeline_section
from bench.speed import preparation as timed
from bench.weights import build_trained, default_input
from tests.commands import command
from tests.conftest import ROOT

MODEL = "lightweight_mobilenetv3"
SIZE = (256, 192)
FRAME = np.random.default_rng(0).integers(0, 256, (120, 200, 3), np.uint8)


# Crops


@settings(max_examples=40, deadline=None)
@given(
    st.lists(
        st.tuples(st.floats(-300, 300), st.floats(-300, 300), st.floats(0.5, 400), st.floats(0.5, 400)),
        min_size=1, max_size=4,
    ),
    st.integers(1, 3),
    st.booleans(),
)  # fmt: skip
def test_crops_are_those_of_evaluation_to_the_bit(boxes: list[tuple[float, ...]], threads: int, udp: bool) -> None:
    """Also of boxes that lie outside the frame; for networks that take pixels, and for mirror images."""
    rgb = np.ascontiguousarray(FRAME[:, :, ::-1])
    regions = [box_to_crop(box, SIZE) for box in boxes]
    pixels = np.stack([crop(rgb, *region, SIZE, udp=udp)[0] for region in regions])
    wanted = normalise(torch.from_numpy(pixels)).numpy()
    plain = Crops(SIZE, 5, mirrored=True, threads=threads, udp=udp)
    centers, sizes = plain.fill(FRAME, np.array(boxes), 1)
    np.testing.assert_array_equal(plain.images[1 : len(boxes) + 1], wanted)
    np.testing.assert_array_equal(plain.mirrors[1 : len(boxes) + 1], wanted[..., ::-1])
    np.testing.assert_array_equal(centers, [center for center, _ in regions])
    np.testing.assert_array_equal(sizes, [size for _, size in regions])
    for order, how in (("RGB", Normalisation()), ("BGR", Normalisation(channels="BGR"))):
        raw = Crops(SIZE, 5, pixels=True, mirrored=True, threads=threads, udp=udp, how=how)
        raw.fill(FRAME, np.array(boxes))
        planes = (pixels if order == "RGB" else pixels[..., ::-1]).transpose(0, 3, 1, 2)
        np.testing.assert_array_equal(raw.images[: len(boxes)], planes)
        np.testing.assert_array_equal(raw.mirrors[: len(boxes)], planes[..., ::-1])
        raw.close()
    plain.close()


def test_what_cannot_be_cropped_is_told() -> None:
    crops = Crops(SIZE, 2)
    with pytest.raises(InputError, match="is no box"):
        crops.fill(FRAME, np.array([[0, 0, math.nan, 5]]))
    with pytest.raises(InputError, match="3 people are more than the 2"):
        crops.fill(FRAME, np.ones((3, 4)))
    assert [len(one) for one in crops.fill(FRAME, np.empty((0, 4)))] == [0, 0]


# Joints


class Boxes:
    """Frames and boxes as a data set of bench.accuracy."""

    name, skeleton, annotated, fingerprint, entry = "boxes", COCO, False, "", None

    def __init__(self, source: Drawn, boxes: Any) -> None:
        frames = range(len(source))
        self.pictures = [source.read(number)[:, :, ::-1].copy() for number in frames]
        self.people = [(number, box) for number in frames for box in boxes(number, None)]

    def __len__(self) -> int:
        return len(self.people)

    def person(self, index: int) -> Person:
        return Person(index, tuple(self.people[index][1].tolist()))

    def load(self, index: int) -> Any:
        return self.pictures[self.people[index][0]], self.person(index)


@pytest.fixture(scope="module")
def trained() -> tuple[torch.nn.Module, tuple[int, int]]:
    text = default_input("bundled", MODEL, "")
    height, width = map(int, text.split("x"))
    return build_trained(MODEL, "bundled", num_joints=17, input_size=text).model, (height, width)


def network(backend: str, size: tuple[int, int]) -> PoseNetwork:
    return PoseNetwork(MODEL, 17, size, backend, "fp32", "cpu", 1, "bundled", "bundled", None, 0)


@pytest.mark.parametrize("backend", ["eager", "openvino"])
def test_joints_are_those_of_evaluation(backend: str, trained: Any, monkeypatch: Any, tmp_path: Path) -> None:
    """With and without flip, one by one, batched, and in batches that do not fit; also where the runtime normalises."""
    if backend == "openvino":
        pytest.importorskip("openvino")
    model, size = trained
    source = drawn_scenes(3, (640, 480), 2, 5)
    given_boxes = source.given(0.05, 1)
    dataset = Boxes(source, given_boxes)
    room = (1, 2) if backend == "eager" else (2,)  # converting takes long
    built = {n: catalogue.build(backend, model, torch.zeros(n, 3, *size), threads=1, portable=True) for n in room}
    opened = {n: open_artifact(network(backend, size), artifact) for n, artifact in built.items()}
    pixels = opened[2][1]
    assert pixels == (backend == "openvino")
    with catalogue.open_artifact(built[2], threads=1) as plain:
        for flip in (False, True):
            wanted = [
                one["keypoints"]
                for answer in predict(plain, dataset, range(len(dataset)), size, batch=2, workers=0, flip=flip)
                for one in answer.predictions
            ]
            for sizes in [(1,), (2,), (1, 2)] if len(room) > 1 else [room]:
                networks = Networks({n: opened[n][0] for n in sizes})
                crops = Crops(size, networks.room(3), pixels=pixels, mirrored=flip)
                pipeline = Pipeline(networks, crops, source, given_boxes, flip=flip)
                answers = [pipeline(number) for number in range(len(source))]
                found = np.concatenate([answer.joints for answer in answers])
                np.testing.assert_allclose(found[..., :2], np.array(wanted)[..., :2], atol=0.01)
                np.testing.assert_allclose(found[..., 2], np.array(wanted)[..., 2], atol=1e-4)
                assert all(list(answer.stage_ns) == list(STAGES[:-1]) for answer in answers)
    for session, _ in opened.values():
        session.close()


# Frames


def test_frames_have_exactly_so_many_people_and_are_the_same_each_time() -> None:
    for size in ((640, 480), (1280, 720), (1920, 1080)):
        for people in (0, 1, 16):
            frame = draw_people(0, 1, people, size)
            assert frame.image.shape == (size[1], size[0], 3)
            assert frame.boxes.shape == (people, 4)
            assert ((frame.seen == 2).sum(1) >= 5).all()
            low, high = frame.boxes[:, None, :2] - 2, (frame.boxes[:, :2] + frame.boxes[:, 2:])[:, None] + 2
            inside = ((frame.joints >= low) & (frame.joints <= high)).all(2)
            assert inside[frame.seen == 2].mean() > 0.97 if people else True
    np.testing.assert_array_equal(frame.image, draw_people(0, 1, 16, size).image)
    with pytest.raises(InputError, match="33 people cannot be drawn"):
        draw_people(0, 0, 33, (640, 480))


def test_in_a_drawn_video_one_stands_still_and_the_others_move() -> None:
    sequence, again = Sequence(3, 3, (640, 480), 30.0), Sequence(3, 3, (640, 480), 30.0)
    frames = [sequence.frame(number) for number in range(0, 40, 4)]
    np.testing.assert_array_equal(frames[2].image, again.frame(8).image)
    assert not np.array_equal(frames[0].image, frames[1].image)
    assert sorted(sequence.still) == [False, False, True]
    ways = np.ptp([frame.joints for frame in frames], axis=0).max((1, 2))
    assert ((ways == 0) == np.array(sequence.still)).all()
    assert (ways[~np.array(sequence.still)] > 20).all()
    steps = np.abs(np.diff([sequence.frame(number).joints for number in range(4)], axis=0)).max()
    assert steps < 20  # nobody jumps


# Scenarios


class Time:
    """A clock that runs while somebody sleeps or works."""

    def __init__(self) -> None:
        self.now = 5_000_000_000

    def __call__(self) -> int:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.now += math.ceil(seconds * 1e9)


@pytest.mark.parametrize(("busy_ms", "dropped", "age_ms"), [(10, 0, 10), (99, 0, 99), (150, 4, 150)])
def test_a_camera_does_not_wait(busy_ms: int, dropped: int, age_ms: float) -> None:
    """Ten frames a second. At 150 ms a frame one of three is lost, and each answer is 150 to 200 ms old."""
    time, seen = Time(), []

    def look(number: int) -> None:
        seen.append(number)
        time.now += busy_ms * 1_000_000

    found = scenarios.paced(look, 10, lambda _number, elapsed: elapsed >= 1_500_000_000, time, time.sleep)
    assert found.dropped == dropped
    assert found.arrived == found.dropped + len(seen) == seen[-1] + 1
    assert seen == sorted(set(seen))
    assert min(found.age_ms) == pytest.approx(age_ms, abs=1e-3)
    assert max(found.age_ms) < age_ms + (100 if dropped else 1e-3)
    assert found.busy_ms == pytest.approx([busy_ms] * len(seen))


def test_a_clock_that_jumps() -> None:
    """Ahead, as after a sleep: the frames of that time are lost, and no more. Back: nothing is told."""
    time = Time()

    def sleepy(number: int) -> None:
        time.now += 60_000_000_000 if number == 3 else 1_000_000

    found = scenarios.paced(sleepy, 10, lambda number, _elapsed: number > 700, time, time.sleep)
    assert found.dropped == 599
    assert max(found.age_ms) == pytest.approx(60_000)
    assert sorted(found.age_ms)[-2] < 101
    with pytest.raises(InputError, match="clock went back by 1 s"):
        scenarios.paced(lambda _number: setattr(time, "now", time.now - 10**9), 10, lambda *_: False, time, time.sleep)


def test_streams_run_side_by_side_and_an_error_of_one_ends_all() -> None:
    meeting: list[int] = []
    import threading

    barrier = threading.Barrier(2, timeout=30)  # passed only if both are under way at once
    found = scenarios.streams([lambda number: barrier.wait() if number == 0 else meeting.append(number)] * 2, 0.01)
    assert all(one for one in found.frame_ms)

    def fail(_number: int) -> None:
        raise InputError("no more frames")

    with pytest.raises(InputError, match="no more frames"):
        scenarios.streams([fail, lambda _number: None], 60)


# Tracking, smoothing, and how good they are


def still_people(rng: np.random.Generator) -> np.ndarray:
    places = rng.uniform((100, 100), (500, 400), (2, 17, 2)) / 4 + np.array([[[50, 50]], [[400, 200]]])
    return np.concatenate((places, np.ones((2, 17, 1))), 2)


def test_boxes_come_from_joints_and_people_keep_their_numbers() -> None:
    joints = still_people(np.random.default_rng(0))
    start = np.array([[0.0, 0, 10, 10], [0, 0, 10, 10]])
    boxes, kept = boxes_from_joints(joints, start, (640, 480))
    assert kept.tolist() == [0, 1]
    for person in range(2):
        low, high = joints[person, :, :2].min(0), joints[person, :, :2].max(0)
        margin = 0.15 * (high - low).max()
        np.testing.assert_allclose(boxes[person], (*(low - margin), *(high - low + 2 * margin)))
    unsure = joints.copy()
    unsure[0, :, 2] = 0.1  # the box stays; and who has left the frame is lost
    unsure[1, :, 0] += 1000
    boxes, kept = boxes_from_joints(unsure, start, (640, 480))
    assert (kept.tolist(), boxes.tolist()) == ([0], [[0.0, 0.0, 10.0, 10.0]])
    assert overlaps(np.array([[0, 0, 2, 2.0]]), np.array([[1, 0, 2, 2.0], [5, 5, 1, 1], [0, 0, 0, 0]])).tolist() == [
        [pytest.approx(1 / 3), 0, 0]
    ]
    who = Identities()
    first = np.array([[0, 0, 50, 100], [200, 0, 50, 100.0]])
    assert who.of(first) == [0, 1]
    assert who.of(first[::-1] + 5) == [1, 0]
    assert who.of(np.array([[400, 0, 50, 100], [210, 0, 50, 100.0]])) == [2, 1]


def test_one_euro_is_the_published_filter() -> None:
    """Worked out by hand from the paper's equations, at 10 frames a second for a person of size 1."""
    settings_ = OneEuroSettings(min_cutoff_hz=1.0, beta=0.5, speed_cutoff_hz=1.0)
    smooth = OneEuro(10.0, settings_)

    def at(x: float) -> float:
        return float(smooth(np.array([[[x, 0.0, 0.9]]]), [7], np.array([1.0]))[0, 0, 0])

    def alpha(cutoff: float) -> float:
        return 1 / (1 + 10 / (2 * math.pi * cutoff))

    assert at(2.0) == 2.0
    speed = alpha(1.0) * (3.0 - 2.0) * 10
    first = 2.0 + alpha(1.0 + 0.5 * speed) * (3.0 - 2.0)
    assert at(3.0) == pytest.approx(first)
    speed += alpha(1.0) * ((3.0 - first) * 10 - speed)
    assert at(3.0) == pytest.approx(first + alpha(1.0 + 0.5 * speed) * (3.0 - first))
    smooth(np.zeros((0, 1, 3)), [], np.zeros(0))  # gone: the next time they begin anew
    assert at(9.0) == 9.0


def truth_of(joints: np.ndarray, still: tuple[bool, ...]) -> Drawn:
    """Truth of people ``[frames, N, 17, 2]``."""
    boxes = [np.concatenate((one.min(1), np.ptp(one, axis=1)), 1) for one in joints]
    return Drawn([], boxes, list(joints), [np.full(joints.shape[1:3], 2.0)] * len(joints), still)


def test_error_jitter_and_lag_are_what_was_put_in() -> None:
    rng = np.random.default_rng(0)
    base = still_people(rng)[:, :, :2]
    frames = 200
    sway = 40 * np.sin(2 * math.pi * np.arange(frames + 10) / 50)
    truth = np.stack([base + np.array([[[0, 0]], [[x, 0]]]) for x in sway])
    video = truth_of(truth[10:], (True, False))

    def told(shown: np.ndarray) -> dict[str, float]:
        answers = {
            number: Answer(video.boxes[number], np.concatenate((one, np.ones((2, 17, 1))), 2), [0, 1], True)
            for number, one in enumerate(shown)
        }
        return quality.figures(answers, video)

    exact = told(truth[10:])
    assert (exact["error_px"], exact["missed_share"]) == (0, 0)
    assert exact["jitter_px"] == pytest.approx(0, abs=1e-9)
    assert exact["lag_frames"] == pytest.approx(0, abs=1e-9)
    noisy = truth[10:] + rng.normal(0, 1.5, truth[10:].shape)
    assert told(noisy)["jitter_px"] == pytest.approx(1.5 * math.sqrt(2), rel=0.02)
    assert told(noisy)["lag_frames"] == pytest.approx(0, abs=0.05)
    late = told(truth[8:-2] + 3)  # two frames late, and beside by three pixels all the time
    assert late["lag_frames"] == pytest.approx(2, rel=0.02)
    assert late["jitter_px"] == pytest.approx(0, abs=1e-9)
    smoother = OneEuro(30.0)
    smoothed = np.stack([
        smoother(np.concatenate((one, np.ones((2, 17, 1))), 2), [0, 1], np.array([100.0, 100.0]))[:, :, :2]
        for one in noisy
    ])  # fmt: skip
    assert told(smoothed)["jitter_px"] < 0.5 * told(noisy)["jitter_px"]
    assert 0 < told(smoothed)["lag_frames"] < 3


# Detectors

INPUT = (96, 128)  # height, width
TRUE = np.array([[10.0, 20.0, 50.0, 80.0], [70.0, 8.0, 110.0, 90.0]])  # corners


def encoded_as(form: str) -> list[np.ndarray]:
    """Outputs in which anchors near the middle of each true box, and one more, tell that box."""
    strides = detectors.NANODET_STRIDES if form == "nanodet" else detectors.YOLOX_STRIDES
    places, steps = detectors.grid(INPUT, strides)
    points = (places + 0.5 * (form == "nanodet_by_stride")) * steps[:, None]
    middles = (TRUE[:, :2] + TRUE[:, 2:]) / 2
    chosen = [
        [int(index) for index in np.argsort(((points - m) ** 2).sum(1) + 1e3 * (steps > 16))[:2]] for m in middles
    ]
    corners = np.zeros((len(points), 4))
    score = np.full(len(points), 0.02)
    for box, indices in zip(TRUE, chosen, strict=True):
        for rank, index in enumerate(indices):
            corners[index], score[index] = box, 0.9 - 0.1 * rank
    distances = np.concatenate((points - corners[:, :2], corners[:, 2:] - points), 1)
    other = np.full((len(points), 2), 0.95)  # another class, which nobody asked for
    if form == "yolox":
        sizes = np.maximum(corners[:, 2:] - corners[:, :2], 1)
        centres = (corners[:, :2] + corners[:, 2:]) / 2
        columns = (centres / steps[:, None] - places, np.log(sizes / steps[:, None]), np.ones((len(points), 1)))
        return [np.concatenate((*columns, score[:, None], other), 1)[None]]
    if form.startswith("nanodet"):
        bins = distances.clip(0, 7 * steps[:, None]) / steps[:, None]
        weights = np.maximum(1 - np.abs(bins[:, :, None] - np.arange(8)), 1e-12)
        parts = np.concatenate((score[:, None], other), 1), np.log(weights).reshape(len(points), 32)
        if form == "nanodet":
            return [np.concatenate(parts, 1)[None]]
        return [part[steps == stride][None] for part in parts for stride in strides]
    if form == "rtmdet":
        logits = np.log(score / (1 - score))
        maps: list[np.ndarray] = []
        for values in (np.concatenate((logits[:, None], other), 1), distances):
            for stride in strides:
                shape = -(-INPUT[0] // stride), -(-INPUT[1] // stride)
                maps.append(values[steps == stride].T.reshape(1, -1, *shape))
        return maps
    if form == "ssd":
        scale = np.array((INPUT[1], INPUT[0], INPUT[1], INPUT[0]))
        return [(corners / scale)[None], np.concatenate((1 - score[:, None], score[:, None], other), 1)[None]]
    rows = np.concatenate((corners, score[:, None]), 1)[[chosen[0][0], chosen[1][0], 0]]
    return [np.concatenate((rows, [[0, 0, 90, 90, 0.99]]))[None], np.array([[0, 0, 0, 5]])]


class Told:
    """A session that always gives the same."""

    def __init__(self, outputs: list[np.ndarray]) -> None:
        self.outputs, self.shown = [np.asarray(one, np.float32) for one in outputs], np.empty(0)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        self.shown = images.copy()
        return self.outputs


@pytest.mark.parametrize("form", FORMS)
def test_detectors_of_each_form_find_who_is_there(form: str) -> None:
    """In a frame twice as wide and thrice as high as the input, once letterboxed and once stretched."""
    session = Told(encoded_as(form))
    frame = np.full((3 * INPUT[0], 2 * INPUT[1], 3), (10, 20, 30), np.uint8)
    for resize, scale in (("letterbox", (3.0, 3.0)), ("stretch", (2.0, 3.0))):
        detector = Detector(session, Sidecar(input=INPUT, resize=resize), form)
        assert detector.form.name == form
        found = detector(0, frame)
        wanted = np.concatenate((TRUE[:, :2], TRUE[:, 2:] - TRUE[:, :2]), 1) * np.tile(scale, 2)
        shown = found[np.argsort(found[:, 0])]
        limit = np.array(frame.shape[1::-1])
        wanted[:, 2:] = np.minimum(wanted[:, :2] + wanted[:, 2:], limit) - np.minimum(wanted[:, :2], limit)
        np.testing.assert_allclose(
            shown, wanted[wanted[:, 2:].min(1) > 0], atol=0.6 if form.startswith("nanodet") else 0.01
        )
        right = 2 * INPUT[1] // 3 if resize == "letterbox" else INPUT[1]
        blue = 30 if detector.sidecar.channels == "RGB" else 10
        told = (blue / 255 - detector.sidecar.mean[0]) / detector.sidecar.std[0]
        assert session.shown[0, 0, 0, 0] == pytest.approx(told, rel=1e-5)
        grey = (114 / 255 - detector.sidecar.mean[0]) / detector.sidecar.std[0]
        assert session.shown[0, 0, 0, -1] == pytest.approx(grey if right < INPUT[1] else told, rel=1e-5)


def test_a_detector_file_is_opened_with_what_stands_beside_it(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx")
    pytest.importorskip("onnxruntime")
    helper, path = onnx.helper, tmp_path / "found.onnx"

    def write(outputs: list[np.ndarray], shape: list[Any]) -> None:
        values = [np.asarray(one, np.float32) for one in outputs]
        nodes = [
            helper.make_node("Constant", [], [f"out{n}"], value=onnx.numpy_helper.from_array(value))
            for n, value in enumerate(values)
        ]
        info = [helper.make_tensor_value_info(f"out{n}", 1, value.shape) for n, value in enumerate(values)]
        entry = helper.make_tensor_value_info("images", 1, shape)
        graph = helper.make_graph(nodes, "g", [entry], info)
        onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)

    write(encoded_as("yolox"), [1, 3, *INPUT])
    frame = np.zeros((*INPUT, 3), np.uint8)
    detector = open_detector(path, 1)
    assert (detector.form.name, len(detector(0, frame))) == ("yolox", 2)
    write(encoded_as("yolox"), [1, 3, "height", "width"])
    with pytest.raises(InputError, match=r"does not fix the size of its input: write .*found\.onnx\.json"):
        open_detector(path, 1)
    sidecar_of(path).write_text(json.dumps({"input": [3, *INPUT], "person": 1, "channels": "RGB"}))
    detector = open_detector(path, 1)
    assert (detector.sidecar.person, detector.sidecar.channels) == (1, "RGB")
    for told, says in (
        ("{", "is not JSON: .* at line 1"), ("[]", "is no JSON object"),
        ('{"form": "yolo9"}', 'form: should be yolox, .*, and is "yolo9"'),
        ('{"form": "ssd", "input": [3, 96, 128]}', "1x252x8, which is not of the form ssd"),
    ):  # fmt: skip
        sidecar_of(path).write_text(told)
        with pytest.raises(InputError, match=says):
            open_detector(path, 1)
    sidecar_of(path).unlink()
    write([np.zeros((1, 7, 7))], [1, 3, *INPUT])
    with pytest.raises(InputError, match=r"gives 1x7x7 for an input of 96x128, of no known form: yolox: .*; ssd: "):
        open_detector(path, 1)


@pytest.mark.parametrize("form", [form for form in FORMS if form != "detections"])
def test_a_class_that_a_detector_does_not_have_is_refused(form: str) -> None:
    """Some forms have other numbers behind those of the classes. ``detections`` names classes, and may name any."""
    outputs = encoded_as(form)
    for person in (9, 33):
        with pytest.raises(InputError, match=f'^it has no class {person}: give another "person" beside it$'):
            Detector(Told(outputs), Sidecar(input=INPUT, form=form, person=person), "it")


WRONG_SIDECARS: dict[str, list[Any]] = {
    "form": ["yolo9", "", 5, ["yolox"], {}],
    "input": [
        [3, float("inf"), 416], [3, 1e400, 416], [3, float("nan"), 416], [3, 416.0, 416], [3, "416", "416"],
        [3, True, 416], [3, 416], [1, 416, 416], [3, 0, 0], [3, -416, 416], [3, 10**400, 416], [3, 8192, 416],
        "416x416", 416, {}, [[3, 416, 416]], [3, 416, None],
    ],
    "channels": ["rgb", "", 5, ["RGB"]],
    "mean": [
        [float("nan"), 0, 0], [0, float("inf"), 0], [0, 0, -1e400], ["0", "0", "0"], [True, 0, 0], [0, 0], [], 0, "000",
        [0, 0, 1e30], [10**400, 0, 0], [None, 0, 0], [[0, 0, 0]], {"0": 0},
    ],
    "std": [
        [float("inf"), 1, 1], [float("nan"), 1, 1], [0, 1, 1], [1, -1, 1], [1, 1, 1e-300], ["1", "1", "1"], [1], True,
    ],
    "resize": ["crop", "", 0],
    "person": [1e400, 0.9, 0.0, -1, -5, True, "0", 10**400, 10_000, [0], float("nan")],
    "decoded": [1, 0, "true", []],
    "people": [1, None],
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG_SIDECARS)
def test_what_a_detectors_sidecar_says_wrongly_is_refused_by_its_name(tmp_path: Path, name: str) -> None:
    path = tmp_path / "found.onnx.json"
    for value in WRONG_SIDECARS[name]:
        path.write_text(json.dumps({name: value}))
        with pytest.raises(InputError) as raised:
            Sidecar.read(path)
        said = str(raised.value)
        assert said.startswith(f"{path} does not say what a detector needs: "), value
        assert said.removeprefix(f"{path} does not say what a detector needs: ").lstrip("'").startswith(name), value
        assert "\n" not in said
        assert len(said) < 500 + len(str(path))


def test_what_a_detectors_sidecar_says_is_taken(tmp_path: Path) -> None:
    path = tmp_path / "found.onnx.json"
    assert Sidecar.read(path) == Sidecar()
    for text in ("{}", json.dumps(dict.fromkeys(("form", "input", "mean", "std", "person", "decoded")))):
        path.write_text(text)
        assert Sidecar.read(path) == Sidecar()
    path.write_text(
        '{"form": "ssd", "input": [3, 320, 416], "channels": "RGB", "mean": [0, 0.5, 1], "std": [1, 0.5, 1],'
        '"resize": "stretch", "person": 9999, "decoded": true}'
    )
    assert Sidecar.read(path) == Sidecar(
        "ssd", (320, 416), "RGB", (0.0, 0.5, 1.0), (1.0, 0.5, 1.0), "stretch", 9999, True
    )


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from([*WRONG_SIDECARS]),
        st.recursive(
            st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
            lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=2),
            max_leaves=6,
        ),
    )
)
def test_whatever_a_detectors_sidecar_holds_is_read_or_refused(tmp_path: Path, told: dict[str, Any]) -> None:
    path = tmp_path / "found.onnx.json"
    path.write_text(json.dumps(told))
    try:
        found = Sidecar.read(path)
    except InputError:
        return
    assert np.isfinite([*found.mean, *found.std]).all()
    assert all(type(number) is int for number in (*found.input, found.person))


# Records and the report


def plan(backend: str, people: int, batching: str = "batched", flip: bool = False, **more: Any) -> PipelinePlan:
    frames = Frames("scenes", people=people, size=(1280, 720), jitter=0.03)
    told: dict[str, Any] = dict.fromkeys(("protocol", "scenario"), "single stream") | {"count": 3, "warmup": 1}
    return PipelinePlan(network(backend, SIZE), frames, batching=batching, flip=flip, **({"sets": 3} | told | more))


def cell(frame_ms: float, people: int, count: int = 3, **more: Any) -> CellResult:
    times = [frame_ms * (1 + 0.01 * number) for number in range(count)]
    stages = {"read": 1.0, "detect": 0.0, "crop": 0.5, "network": sum(times) / count - 1.7, "joints": 0.1}
    return CellResult(times, stages, people=people * count, frames=count, detections=count, **more)


def recorded(one: PipelinePlan, results: list[CellResult]) -> Record:
    found = complete_record(one, results, started_at="2026-01-01T00:00:00+00:00", parity=1e-6, notes={})
    assert kinds.problem(found) is None
    return Record.model_validate_json(found.to_json())


def test_figures_of_a_cell_follow_from_its_sets() -> None:
    results = [cell(10.0, 8), cell(11.0, 8), cell(12.0, 8)]
    made = recorded(plan("onnxruntime", 8), results).metrics
    mean = np.mean([value for result in results for value in result.frame_ms])
    assert made["frame_ms_mean"] == pytest.approx(mean)
    assert made["frames_per_s"] == pytest.approx(1000 / mean)
    assert made["people_per_s"] == pytest.approx(8000 / mean)
    stages = sum(made[f"stage_{stage}_ms"] for stage in STAGES[:-1])
    assert made["discrepancy_relative"] == pytest.approx(stages / mean - 1)
    assert made["discrepancy_relative"] == pytest.approx(-0.1 / mean)
    assert not [name for name in made if "_p9" in name]  # nine frames say nothing about the slowest tenth
    many = recorded(plan("onnxruntime", 8), [cell(10.0, 8, 70)] * 3).metrics
    assert "frame_ms_p90" in many
    assert "frame_ms_p99" not in many
    paced = plan("onnxruntime", 8, protocol="paced", scenario="paced", for_s=1.0)
    results = [cell(50.0, 8, arrived=30, dropped=11, age_ms=[50.0, 60.0, 70.0]) for _ in range(3)]
    made = recorded(paced, results).metrics
    assert (made["dropped_share"], made["age_ms_median"]) == (pytest.approx(11 / 30), 60)
    side_by_side = plan("onnxruntime", 8, protocol="streams", scenario="streams", for_s=1.0, streams=2)
    made = recorded(side_by_side, [cell(50.0, 8, 40, elapsed_s=1.0)] * 3).metrics
    assert made["frames_per_s"] == 40
    hot = plan("onnxruntime", 8, for_s=60.0, sets=1)
    rising = dataclasses.replace(cell(10, 1), frame_ms=[10.0] * 500 + [12.0] * 1500)
    made = recorded(hot, [rising]).metrics
    assert (made["frame_ms_fresh"], made["frame_ms_settled"]) == (10, 12)
    assert made["slower_after_s"] == pytest.approx(5, abs=1.2)


def test_what_differs_is_another_measurement() -> None:
    plans = [
        plan("onnxruntime", 8), plan("onnxruntime", 4), plan("onnxruntime", 8, "one by one"),
        plan("onnxruntime", 8, flip=True), plan("eager", 8), plan("onnxruntime", 8, detect_every=5),
        plan("onnxruntime", 8, smooth="one-euro"), plan("onnxruntime", 8, draw=True),
        plan("onnxruntime", 8, scenario="offline", batch=8),
    ]  # fmt: skip
    assert len({one.identity() for one in plans}) == len(plans)
    assert plan_of(json.loads(json.dumps(dataclasses.asdict(plans[0])))) == plans[0]
    sizes = {people: plan("eager", people).batches for people in (0, 1, 3, 8, 13, 16)}
    assert sizes == {0: (1,), 1: (1,), 3: (1, 2), 8: (8,), 13: (1, 4, 8), 16: (8,)}


def test_the_report_has_the_curve_and_the_stages() -> None:
    records = [
        recorded(plan(backend, people, batching, flip), [cell(factor * (5 + people), people)] * 3)
        for backend, factor in (("onnxruntime", 2.0), ("openvino", 1.0))
        for people in (1, 8)
        for batching in (("one by one", "batched") if people > 1 else ("one by one",))
        for flip in (False, True)
    ]
    records.append(recorded(plan("openvino", 8, scenario="offline", batch=8), [cell(9.0, 8)]))
    measured = Measured(records)
    table = pipeline_section.table(measured)
    assert [panel.title.partition(":")[0] for panel in table.panels] == ["onnxruntime", "openvino"]
    (row,) = table.rows
    shown = [row.cells[index].text("measured") for index in table.panels[1].columns]
    assert shown[:4] == ["165.0", "76.2", "76.2", "76.2"]  # people 1 and 8, one by one, with flip
    assert shown[4] == printed(100 * 1.7 / (13 * 1.01), 1, 0)
    other = pipeline_section.other_table(measured)
    assert [row.names["frames"] for row in other.rows] == ["batch 8, 1280x720, batched"]
    figures = [figure for section in pipeline_section.SECTIONS for figure in section.pictures(measured)]
    assert [figure.key.split("_")[1] for figure in figures] == ["people", "stages"]
    for figure in figures:
        png, svg = figure.draw()
        assert png.startswith(b"\x89PNG")
        assert b"onnxruntime" in svg
        assert b"openvino" in svg


def test_frames_that_are_drawn_on_and_quick_looks_do_not_stand_for_others() -> None:
    """Whichever was timed last; a row of the other table says all that it is of."""

    def at(hour: int, frame_ms: float, **more: Any) -> Record:
        made = recorded(plan("openvino", 8, **more), [cell(frame_ms, 8)] * 3)
        return made.model_copy(update={"started_at": f"2026-01-01T{hour:02}:00:00+00:00"})

    usual, drawn, quick = at(1, 10.0), at(2, 30.0, draw=True), at(3, 50.0, protocol="quick")
    half = at(4, 5.0, draw=True).model_copy(update={"precision": "fp16"})
    long = at(5, 12.0, for_s=60.0)
    measured = Measured([usual, drawn, quick, half, long])
    (cells,) = pipeline_section.views(measured)
    assert cells.find("openvino", usual.model, 8) == usual
    other = pipeline_section.other_table(measured)
    told = [(row.names["frames"], row.names["precision"]) for row in other.rows]
    assert sorted(told) == [
        ("8 people, 1280x720, drawn on, batched", "fp16"), ("8 people, 1280x720, drawn on, batched", "fp32"),
        ("8 people, 1280x720, for 60 s, batched", "fp32"),
    ]  # fmt: skip
    assert {row.names["machine"] for row in other.rows} == {Setting.of(usual).machine}
    once = recorded(plan("openvino", 8, sets=1), [cell(10.0, 8)])
    (row,) = pipeline_section.table(Measured([once])).rows
    assert "frame_ms_mean" in row.cells[0].extra
    assert "frame_ms_mean_ci95_low" not in row.cells[0].extra


def test_every_stream_detects_as_often_as_is_asked_for(clip: Path, tmp_path: Path) -> None:
    options = ["--video", str(clip), "--streams", "1,2", "--detect-every", "1,5", "--backend", "eager", "--flip", "no"]
    asked = parse([*options, "--models", "lightweight_mobilenetv3", "--results", str(tmp_path), "--batching", "each"])
    made = make_plans(asked, "cpu")
    assert [(one.streams, one.detect_every) for one in made] == [(1, 1), (1, 5), (2, 1), (2, 5)]


# Frames of one's own, and bad input


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten frames as motion JPEG."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (160, 120))
    for number in range(10):
        writer.write(np.full((120, 160, 3), 20 * number, np.uint8) + FRAME[:, :160] // 16)
    writer.release()
    return path


def test_a_video_starts_again_and_may_break_off(clip: Path, tmp_path: Path) -> None:
    video = Video(clip)
    assert (len(video), video.rate, video.broken_off) == (10, 25, False)
    levels = [int(video.read(number).mean()) for number in (0, 1, 2, 9, 10, 5)]
    assert levels == pytest.approx([7, 27, 47, 187, 7, 107], abs=2)
    assert len(Video(clip, 4)) == 4
    short = tmp_path / "short.avi"
    content = clip.read_bytes()
    short.write_bytes(content[: len(content) * 7 // 10])
    broken = Video(short)
    assert 0 < len(broken) < 10
    assert broken.broken_off
    (tmp_path / "none.avi").write_bytes(b"no video")
    with pytest.raises(InputError, match="holds no frame that can be decoded"):
        Video(tmp_path / "none.avi")
    with pytest.raises(InputError, match="no video"):
        Video(tmp_path / "missing.avi")


def test_every_scenario_and_source_gives_figures(
    trained: Any, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """In this process: a camera, streams, offline, a video and pictures, with boxes of each kind."""
    model, size = trained
    own = network("eager", size)
    artifacts = dict.fromkeys((1, 2, 4, 8, 12), artifact_of(own, model, 1))
    scenes = Frames("scenes", people=2, size=(320, 240), rate=200.0)
    picture = tmp_path / "a.png"
    cv2.imwrite(str(picture), FRAME)
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([[[10, 10, 50, 90]], [], [[0, 0, 60, 60]] * 3] + [[]] * 7))
    video = Frames("video", (str(clip),), boxes="file", boxes_path=str(boxes))
    opened, closed = mock.Mock(wraps=preparation.open_artifact), mock.Mock()
    monkeypatch.setattr(preparation, "open_artifact", opened)
    monkeypatch.setattr(TorchSession, "close", closed)
    cases: list[tuple[Frames, dict[str, Any]]] = [
        (scenes, {"scenario": "paced", "for_s": 0.3}), (scenes, {"scenario": "streams", "for_s": 0.2, "streams": 2}),
        (scenes, {"scenario": "offline", "batch": 12, "count": 4}), (scenes, {"draw": True}),
        (video, {"count": 0, "smooth": "one-euro", "detect_every": 3, "sets": 1}),
        (Frames("pictures", (str(picture),), boxes="whole"), {"count": 2}),
        (Frames("motion", people=1, size=(320, 240)), {"network": dataclasses.replace(own, weights="random")}),
    ]  # fmt: skip
    made = []
    for frames, more in cases:
        one = dataclasses.replace(plan("eager", 2, protocol="custom"), **({"network": own, "frames": frames} | more))
        made.append(measure(one, artifacts))
        record = recorded(one, [made[-1]] * one.sets)
        assert abs(record.metrics["discrepancy_relative"]) < 0.3
        assert what(record).startswith(("2 people", "batch 12", "video", "pictures", "1 person"))
    assert closed.call_count == opened.call_count > len(cases)
    camera, side_by_side, offline, drawn, followed, whole, untrained = made
    assert untrained.quality == {}  # its joints mean nothing
    assert camera.arrived == camera.dropped + camera.frames >= 1
    assert side_by_side.people == 2 * side_by_side.frames
    assert (offline.people, offline.frames) == (48, 6)  # eight a frame, whose rest is kept
    assert drawn.stage_ms["draw"] > 0
    assert followed.frames == 10
    assert followed.empty >= 1
    assert any("nobody was found in" in note for note in followed.warnings)
    assert (whole.people, whole.frames) == (2, 2)


def test_a_checkpoint_is_seen_and_read_as_its_network_is() -> None:
    made = Checkpoint(path=Path("own.pth"), sha256="", network="cspnext_t_udp", options={}, num_joints=17, size=SIZE)
    own = dataclasses.replace(network("eager", SIZE), model="own.pth", file=made.model_dump_json())
    assert preparation.codec(own) == codec_of_name("cspnext_t_udp", SIZE) == HeatmapCodec(SIZE, udp=True)


def test_damaged_files_of_the_cache_are_made_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.core.files.cache_path", lambda kind: tmp_path / kind)
    images = [np.ones((1, 3, 4, 4), np.float32)]
    kept = Path(timed.keep(images))
    whole = drawn_scenes(1, (64, 64), 1, 0)
    for path in tmp_path.rglob("*.npz"):
        path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    again = drawn_scenes(1, (64, 64), 1, 0)
    assert np.array_equal(whole.files[0], again.files[0])
    assert timed.keep(images) == str(kept)
    assert np.load(kept)["arr_0"].shape == (1, 3, 4, 4)
    pytest.importorskip("onnxruntime")
    (tmp_path / "cut.onnx").write_bytes(b"\x08")
    with pytest.raises(InputError, match=r"cut.onnx cannot be opened .*; if the file was damaged, remove it"):
        catalogue.open_artifact(Artifact("onnxruntime", "fp32", (tmp_path / "cut.onnx",), from_cache=True))


def test_boxes_of_a_file(tmp_path: Path) -> None:
    path = tmp_path / "boxes.json"
    path.write_text("[[[1, 2, 3, 4]], []]")
    boxes = boxes_from_file(path, 2)
    assert [boxes(number, FRAME).tolist() for number in range(3)] == [[[1, 2, 3, 4]], [], [[1, 2, 3, 4]]]
    path.write_text('{"a.jpg": [[1, 2, 3, 4]]}')
    assert boxes_from_file(path, 1, {Path("a.jpg"): "a.jpg"})(0, FRAME).shape == (1, 4)
    for content, names, says in (
        ("[[]]", [], "has 1 entries, and there are 2 frames"), ("{}", ["a"], "it has no boxes of a"),
        ("[[], [], []]", [], "has 3 entries, and there are 2 frames"),
        ("[[], [], []]", ["a", "b"], "has 3 entries, and there are 2 frames"),
        ('{"a": []}', ["a", "b"], "it has no boxes of b: give each its list, which may be empty"),
        ('{"a": [], "b": [], "c": []}', ["a", "b"], "has boxes for c, which is not among the pictures"),
        ('{"a": [[1, 2, 3, 0]], "b": []}', ["a", "b"], "is no box"),
        ('{"a": []}', [], "a video's frames have no names"),
        ('[{"image_id": 1, "bbox": [1, 2, 3, 4]}]', [], "a video's frames have no names"),
        ('[{"image_id": 7, "bbox": [1, 2, 3, 4]}]', ["a1", "b2"], "no box for any of the pictures: it names 7"),
        ("[[[1, 2, 3, 0]], []]", [], "frame 0: width and height of a box must be finite and above 0"),
        ("[[[1, 2]], []]", [], "frame 0: a list of boxes is needed, each a list of x, y, width and height"),
        ("[[[1, 2], [3, 4]], []]", [], "frame 0: a list of boxes is needed"),
        ("[[1, 2, 3, 4], []]", [], "frame 0: a list of boxes is needed"),
        ('[[["1", "2", "3", "4"]], []]', [], "frame 0: a list of boxes is needed"),
        ("[[[1, 2, 3, 1e300]], []]", [], "frame 0: a box is farther than 1e[+]07 pixels"),
        ("[[], null]", [], "frame 1: a list of boxes is needed"),
        ("[", [], "is not JSON: .* at line 1"),
    ):  # fmt: skip
        path.write_text(content)
        with pytest.raises(InputError, match=says):
            boxes_from_file(path, 2, {Path(name): name for name in names})


def planned_frames(*options: str, results: Path) -> PipelinePlan:
    """What the command would look at, and whose boxes."""
    chosen = ["--backend", "eager", "--batching", "batched", "--flip", "no", "--results", str(results)]
    (one,) = make_plans(parse(["--models", MODEL, *options, *chosen]), "cpu")
    return one


def given_boxes(one: PipelinePlan) -> tuple[list[list[list[float]]], list[str]]:
    """Of every frame, and what is said of the file."""
    found = frames_of(one)
    frames = [found.boxes(number, FRAME).tolist() for number in range(len(found.source))]
    return frames, cell_module._notes(found, CellResult(frames=len(frames)))


def test_every_picture_of_a_coco_folder_is_a_frame_once(dots: Path, tmp_path: Path) -> None:
    """Also those with several people, or with none; a file of annotations then says who is where."""
    root = tmp_path / "coco"
    shutil.copytree(dots, root)
    shutil.copy(root / "val2017" / "000000000001.png", root / "val2017" / "000000000015.png")  # nobody is annotated
    names = [f"{number:012d}.png" for number in range(1, 16)]
    one = planned_frames("--pictures", str(root), results=tmp_path)
    assert [Path(path).name for path in one.frames.paths] == names
    assert given_boxes(one)[0] == [[[0.0, 0.0, 200.0, 120.0]]] * 15
    annotations = root / "annotations" / "person_keypoints_val2017.json"
    frames, notes = given_boxes(planned_frames("--pictures", str(root), "--boxes", str(annotations), results=tmp_path))
    assert [len(boxes) for boxes in frames] == [1 + number % 2 for number in range(1, 15)] + [0]
    assert notes == [f"{annotations.name}: it has no boxes of 1 pictures, the first: {one.frames.paths[-1]}"]


@pytest.mark.parametrize("how", ["files", "relative files", "folders", "one folder"])
def test_boxes_go_to_the_pictures_that_they_name(how: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("cams/cam0/1.jpg", "cams/cam1/1.jpg"):
        (tmp_path / name).parent.mkdir(parents=True)
        cv2.imwrite(str(tmp_path / name), FRAME)
    pictures = {
        "files": [f"{tmp_path}/cams/cam0/1.jpg", f"{tmp_path}/cams/cam1/1.jpg"],
        "relative files": ["cams/cam0/1.jpg", "cams/cam1/1.jpg"],
        "folders": ["cams/cam0", "cams/cam1"], "one folder": ["cams"],
    }[how]  # fmt: skip
    options = ("--pictures", *pictures, "--boxes", "b.json")

    def held(content: object) -> tuple[list[list[list[float]]], list[str]]:
        Path("b.json").write_text(json.dumps(content))
        one = planned_frames(*options, results=tmp_path)
        return given_boxes(plan_of(dataclasses.asdict(one)))  # as a process is told it

    assert held({"cam1/1.jpg": [[2, 0, 9, 9]], "cam0/1.jpg": [[1, 0, 9, 9]]}) == ([[[1, 0, 9, 9]], [[2, 0, 9, 9]]], [])
    assert held({"cam0/1.jpg": [], "cams\\cam1/1.jpg": []})[0] == [[], []]
    frames, notes = held([
        {"image_id": "cam1/1.jpg", "bbox": [2, 0, 9, 9]}, {"image_id": "cam2/9.jpg", "bbox": [1, 0, 9, 9]},
        {"image_id": "cam1/1.jpg", "bbox": [3, 0, 9, 9], "category_id": 0},
    ])  # fmt: skip
    assert frames == [[], [[2, 0, 9, 9]]]
    assert [note.partition(": ")[2] for note in notes] == [
        "left out: 1 of 3 detections, whose category_id is 0 (1): people have the number 1, as in COCO, or no "
        "category_id",
        "left out: the boxes of 1 pictures that were not given, the first: cam2/9.jpg",
        f"it has no boxes of 1 pictures, the first: {(tmp_path if how == 'files' else Path()) / 'cams/cam0/1.jpg'}",
    ]
    for content, says in (
        ({"1.jpg": [[1, 0, 9, 9]]}, r"boxes for 1.jpg, which may be any of .*cam0/1.jpg, .*cam1/1.jpg"),
        ([{"image_id": 1, "bbox": [1, 0, 9, 9]}], r"boxes for 1, which may be any of .*cam0/1.jpg, .*cam1/1.jpg"),
        ({"cam0/1.jpg": [], "cam1/1.jpg": [], "cam2/9.jpg": []}, "boxes for cam2/9.jpg, which is not among"),
        ({"cam0/1.jpg": []}, "it has no boxes of .*cam1/1.jpg"),
        ([[], [], []], "has 3 entries, and there are 2 frames"),
    ):
        with pytest.raises(InputError, match=says):
            held(content)


def test_everybody_in_a_file_of_boxes_is_looked_at(tmp_path: Path) -> None:
    """However many there are in a frame; and lists for frames that are not used are counted."""
    cv2.imwrite(str(tmp_path / "a.png"), FRAME)
    (tmp_path / "b.json").write_text(json.dumps({"a.png": [[number, 0, 9, 9] for number in range(70)]}))
    options = ("--pictures", str(tmp_path / "a.png"), "--boxes", str(tmp_path / "b.json"))
    one = planned_frames(*options, results=tmp_path)
    networks = mock.Mock(room=lambda people: people)
    for more, room in (({}, 70), ({"scenario": "offline", "batch": 4}, 4)):
        made = cell_module._pipeline(dataclasses.replace(one, **more), frames_of(one), networks, False)
        assert (made.crops.most, len(made.find(0, FRAME))) == (room, 70)
        made.crops.close()


def test_boxes_of_the_frames_of_a_video_that_are_not_used_are_counted(clip: Path, tmp_path: Path) -> None:
    path = tmp_path / "b.json"
    path.write_text(json.dumps([[]] * 10))
    options = ("--video", str(clip), "--boxes", str(path))
    assert given_boxes(planned_frames(*options, results=tmp_path)) == ([[]] * 10, [])
    frames, notes = given_boxes(planned_frames(*options, "--frames", "4", results=tmp_path))
    assert (len(frames), notes) == (4, ["b.json: left out: boxes of 6 frames after the last one used"])
    path.write_text(json.dumps([[]] * 12))
    with pytest.raises(InputError, match="has 12 entries, and there are 10 frames"):
        given_boxes(planned_frames(*options, results=tmp_path))


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ("--rate 30 --streams 2", "two scenarios"), ("--motion --video a.avi", "give one kind of frames"),
        ("--detect-every 5", "needs frames that follow each other"), ("--smooth one-euro", "frames that follow"),
        ("--boxes a.json", "for frames of your own"), ("--people 33", "a number of people"),
        ("--size 12x12", "no size"),
        ("--motion --people 0", "needs somebody who moves"), ("--offline 8 --motion", "people of any frames"),
        ("--video missing.avi", "no video missing.avi"), ("--pictures missing.png", "no picture missing.png"),
        ("--detector missing.onnx", "no file missing.onnx"), ("--weights missing.pt", "no weights missing.pt"),
        ("--models nothing", "nothing"), ("--backend nothing", "unknown backend"), ("--rate 0", "a rate"),
        ("--input 3", "input size '3'"), ("--jitter 2", "a jitter"),
        *((f"--video a.avi {option}", f"{option[:3]}.* no effect here: it is of drawn frames")
          for option in ("--people 4", "--size=640x480", "--jitter 0.03")),
        ("--detector a.onnx --jitter 0", "--jitter has no effect here"),
        ("--offline 8 --people 4", "--people has no effect here: --offline says"),
        ("--offline 8 --batching batched", "--batching has no effect"),
        ("--rate 30 --frames 9", "--frames has no effect"),
        ("--for 60 --frames 9", "--frames has no effect here: they take turns for the time of --for"),
    ],
)  # fmt: skip
def test_bad_input_is_told_before_any_work(options: str, says: str, tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError, match=says):
        command("pipeline")([*options.split(), "--results", "r"])
    assert not (tmp_path / "r").exists()


def test_the_command_measures_a_drawn_video(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Trained joints, boxes from joints in between, smoothing and drawing; a second time there is nothing to do."""
    options = [
        "--models", MODEL, "--weights", "bundled", "--backend", "eager", "--motion", "--people", "2", "--size",
        "320x240", "--frames", "9", "--batching", "batched", "--flip", "no", "--detect-every", "1,4", "--smooth",
        "one-euro", "--draw", "--sets", "1", "--threads", "1", "--results", str(tmp_path), "--quiet", "--missing",
    ]  # fmt: skip
    with mock.patch.object(Work, "drop"):  # a kill comes between the records and this
        assert command("pipeline")(options) == 0
    assert "The stages add up to the time of a frame" in capsys.readouterr().out
    records = [Record.model_validate_json(line) for line in (tmp_path / "pipeline.jsonl").read_text().splitlines()]
    assert [record.metrics["detections"] for record in records] == [9, 3]
    for record in records:
        assert kinds.problem(record) is None
        m = record.metrics
        assert all(m[f"stage_{stage}_ms"] > 0 for stage in STAGES)
        assert abs(m["discrepancy_relative"]) < 0.2
        assert 0 < m["error_relative"] < 0.3
        assert m["missed_share"] == 0
        assert {"jitter_px", "lag_frames"} <= set(m)
        assert record.weights == "bundled"
    assert (tmp_path / "pipeline.partial").exists()
    assert command("pipeline")(options) == 0
    assert not (tmp_path / "pipeline.partial").exists()
    assert len((tmp_path / "pipeline.jsonl").read_text().splitlines()) == 2


def test_regress_times_the_whole_way_of_a_frame(tmp_path: Path) -> None:
    """In a process of its own, of a network that gives vectors along x and y, for joints that no data set here has."""
    here = Side("here", ROOT, ROOT)
    options = ["--base", "HEAD", "--models", "rtmpose_t", "--people", "2", "--input", "64x64"]
    with pytest.raises(InputError, match="nothing names the 13 joints of rtmpose_t: --skeleton FILE does"):
        make_regress_plans(parse_regress([*options, "--joints", "13"]))
    own = {"joints": ["crown", *COCO.joints[5:]], "flip_pairs": [[number, number + 1] for number in range(1, 13, 2)]}
    (tmp_path / "s.json").write_text(json.dumps(own))
    (plan_,) = make_regress_plans(parse_regress([*options, "--skeleton", str(tmp_path / "s.json")]))
    assert (plan_.num_joints, plan_.skeleton and plan_.skeleton.joints[0]) == (13, "crown")
    with SideProcess(here, plan_) as side:
        assert side.ready() > 0
        assert len(side.time(3)) == 2
    assert plan_.measurement({"name": "x"}).protocol == {"name": "x", "people": 2}
    (usual,) = make_regress_plans(parse_regress(options))
    assert usual.skeleton == COCO
