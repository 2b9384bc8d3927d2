"""What is the fastest way to cut everyone out of a frame, normalise, and find their joints?

First, ways to crop take turns in one process, on drawn frames that are decoded already: ``Crops`` as the pipeline uses
it, for runtimes that normalise inside (uint8) and for others (float32), and what else there is. Then, for each runtime
here, crops and network take turns in both forms: who normalises is decided by their sum. Medians in ms, and ratios to
``Crops`` (float32). Last, what crops and joints are of the whole way; there crops meet the threads that the network's
run leaves spinning.

    python benchmarks/pipeline_crops.py --model lightweight_mobilenetv3 --people 8 --size 1280x720

Whether joints are equal is tested, in tests/bench/test_pipeline.py; printed is how far they are apart.
"""

import argparse
import importlib.util
import itertools
import statistics
import tempfile
import time
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import torch

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.session import Session
from bench.codecs.decoding import decode
from bench.data.cropping import MEAN, STD
from bench.models import build
from bench.pipeline.crops import Crops, regions
from bench.pipeline.options import sizes
from bench.pipeline.sources import drawn_scenes
from bench.random_weights import enliven
from bench.timing.clock import no_garbage_collection

SIZE = (256, 192)  # of the network's input
SCENES = 4
Way = Callable[[int], object]  # by the number of the frame


class Others:
    """Ways that ``Crops`` does not go. Each fills ``images`` with the same values, but for rounding."""

    def __init__(self, frames: list[Any], boxes: list[Any], threads: int) -> None:
        self.frames, self.boxes = frames, boxes
        self.crops = Crops(SIZE, len(boxes[0]))
        self.pool = ThreadPoolExecutor(threads)
        self.maps = [np.zeros((len(boxes[0]), *SIZE), np.float32) for _ in range(2)]
        self.many = np.zeros((len(boxes[0]), *SIZE, 3), np.uint8)
        self.remapped = np.zeros((len(boxes[0]), *SIZE, 4), np.uint8)
        shape = (1, 3, 1, 1)
        self.scale = (1 / 255 / np.array(STD)).astype(np.float32).reshape(shape)
        self.shift = (-np.array(MEAN) / STD).astype(np.float32).reshape(shape)

    def _matrices(self, boxes: Any) -> Any:
        centers, extents = regions(boxes, *SIZE)
        return self.crops._matrices(centers.astype(np.float64), extents.astype(np.float64))

    def a_task_for_each_person(self, number: int) -> None:
        """The frame as it is, and not a task for each thread."""
        frame, matrices = self.frames[number], self._matrices(self.boxes[number])
        list(self.pool.map(self._one, itertools.repeat(frame), matrices, itertools.count()))

    def three_channels(self, number: int) -> None:
        """The frame as it is, one person after another."""
        for person, matrix in enumerate(self._matrices(self.boxes[number])):
            self._one(self.frames[number], matrix, person)

    def _one(self, frame: Any, matrix: Any, person: int) -> None:
        self._warp(frame, matrix, person)
        for channel, table in enumerate(self.crops.tables):
            cv2.LUT(self.crops.planes[person, channel], table, dst=self.crops.images[person, channel])

    def _warp(self, frame: Any, matrix: Any, person: int) -> None:
        cv2.warpAffine(frame, matrix, SIZE[::-1], dst=self.many[person], flags=cv2.INTER_LINEAR)
        cv2.split(self.many[person], list(self.crops.planes[person][::-1]))

    def arithmetic(self, number: int) -> None:
        """The same by numpy, in place of a table."""
        crops = self.crops
        for person, matrix in enumerate(self._matrices(self.boxes[number])):
            self._warp(self.frames[number], matrix, person)
            np.multiply(crops.planes[person], self.scale[0], out=crops.images[person])
            crops.images[person] += self.shift[0]

    def one_remap(self, number: int) -> None:
        """Of everyone at once, by OpenCV's own threads; the maps are made anew, as boxes are in every frame."""
        matrices, (x, y) = self._matrices(self.boxes[number]), self.maps
        columns, rows = np.arange(SIZE[1]), np.arange(SIZE[0])
        x[:] = ((columns - matrices[:, :1, 2]) / matrices[:, :1, 0])[:, None, :]
        y[:] = ((rows - matrices[:, 1:, 2]) / matrices[:, 1:, 1])[:, :, None]
        four = cv2.cvtColor(self.frames[number], cv2.COLOR_BGR2RGBA)
        cv2.remap(
            four,
            x.reshape(-1, SIZE[1]),
            y.reshape(-1, SIZE[1]),
            cv2.INTER_LINEAR,
            dst=self.remapped.reshape(-1, SIZE[1], 4),
            borderMode=cv2.BORDER_CONSTANT,
        )
        for person, pixels in enumerate(self.remapped):
            cv2.split(pixels, [*self.crops.planes[person], self.crops.scratch[0][1]])
            for channel, table in enumerate(self.crops.tables):
                cv2.LUT(self.crops.planes[person, channel], table, dst=self.crops.images[person, channel])

    def blob_from_images(self, number: int) -> None:
        """OpenCV's own function for networks. It divides by one number, so this is not yet what networks want."""
        for person, matrix in enumerate(self._matrices(self.boxes[number])):
            self._warp(self.frames[number], matrix, person)
        mean = [255 * value for value in MEAN]
        np.copyto(self.crops.images, cv2.dnn.blobFromImages(list(self.many), 1 / 57, SIZE[::-1], mean, swapRB=True))


def take_turns(ways: Mapping[str, Way], rounds: int) -> dict[str, float]:
    """Median ms of each, after a turn that does not count."""
    spent: dict[str, list[float]] = {name: [] for name in ways}
    with no_garbage_collection():
        for turn in range(rounds + 1):
            for name, way in ways.items():
                start = time.perf_counter()
                way(turn % SCENES)
                spent[name].append(1000 * (time.perf_counter() - start))
    return {name: statistics.median(times[1:]) for name, times in spent.items()}


def show(title: str, ms: dict[str, float], base: str) -> None:
    print(f"\n{title}")
    for name, value in ms.items():
        print(f"  {name:36} {value:8.3f} ms  {value / ms[base]:5.2f}")


def normalising_inside(artifact: Artifact, people: int, threads: int, folder: Path) -> Session:
    """ONNX Runtime with a cast, a product and a sum before the network, for uint8 ``[N, 3, H, W]``."""
    import onnx
    from onnx import helper, numpy_helper

    from bench.backends.families.onnxruntime import open_artifact

    proto = onnx.load(artifact.file)
    graph = proto.graph
    entry = graph.input[0]
    entry.type.tensor_type.elem_type = onnx.TensorProto.UINT8
    for node in graph.node:
        for place, name in enumerate(node.input):
            if name == entry.name:
                node.input[place] = "normalised"
    for name, values in (("scale", 1 / 255 / np.array(STD)), ("shift", -np.array(MEAN) / STD)):
        graph.initializer.append(
            numpy_helper.from_array(values.astype(np.float32).reshape(1, 3, 1, 1), f"pixel_{name}")
        )
    before = [
        helper.make_node("Cast", [entry.name], ["pixels"], to=onnx.TensorProto.FLOAT),
        helper.make_node("Mul", ["pixels", "pixel_scale"], ["scaled"]),
        helper.make_node("Add", ["scaled", "pixel_shift"], ["normalised"]),
    ]
    rest = list(graph.node)
    del graph.node[:]
    graph.node.extend(before + rest)
    path = folder / f"{people}.onnx"
    onnx.save(proto, path)
    backend = catalogue.find(artifact.backend)
    return open_artifact(backend, Artifact(artifact.backend, artifact.precision, (path,)), "cpu", threads)


@dataclass
class CropAndRun:
    """A way from a frame to the network's output, and the ms that its crops took."""

    crops: Crops
    session: Session
    frames: list[Any]
    boxes: list[Any]
    crop_ms: list[float] = field(default_factory=list)

    def __call__(self, number: int) -> Any:
        start = time.perf_counter()
        self.crops.fill(self.frames[number], self.boxes[number])
        self.crop_ms.append(1000 * (time.perf_counter() - start))
        return self.session.run(self.crops.images)[0]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3", help="of the zoo, with heatmaps")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--size", type=sizes, default="1280x720")
    parser.add_argument("--rounds", type=int, default=200)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    people, threads = options.people, options.threads
    cv2.setNumThreads(threads)
    torch.set_num_threads(threads)
    source = drawn_scenes(people, options.size[0], SCENES, 0)
    given = source.given(0.03, 0)
    frames = [source.read(number) for number in range(SCENES)]
    boxes = [given(number, frames[number]) for number in range(SCENES)]

    forms = {
        "float32": Crops(SIZE, people, threads=threads),
        "uint8": Crops(SIZE, people, threads=threads, pixels=True),
    }
    alone, others = Crops(SIZE, people), Others(frames, boxes, threads)
    ways: dict[str, Way] = {
        f"Crops, {name}": lambda number, crops=crops: crops.fill(frames[number], boxes[number])  # type: ignore[misc]
        for name, crops in forms.items()
    }
    same = others.three_channels, others.a_task_for_each_person, others.arithmetic, others.one_remap
    ways["one thread"] = lambda number: alone.fill(frames[number], boxes[number])
    for way in (*same, others.blob_from_images):
        ways[way.__name__.replace("_", " ")] = way
    for number in range(SCENES):
        forms["float32"].fill(frames[number], boxes[number])
        for way in same:
            way(number)
            apart = np.abs(others.crops.images - forms["float32"].images).max()
            if number == 0:
                print(f"{way.__name__}: values are up to {apart:.3g} from those of Crops")
    crop_ms = take_turns(ways, options.rounds)
    show(f"{people} people at {options.size[0][0]}x{options.size[0][1]}: crop and normalise", crop_ms, "Crops, float32")

    model = enliven(build(options.model, input_size=SIZE), 0)
    with tempfile.TemporaryDirectory() as folder:
        for name in ("onnxruntime", "openvino"):
            if importlib.util.find_spec(name) is None:
                print(f"\n{name} is not installed")
                continue
            artifact = catalogue.build(name, model, torch.zeros(people, 3, *SIZE), threads=threads)
            plain = catalogue.open_artifact(artifact, threads=threads)
            inside = (
                normalising_inside(artifact, people, threads, Path(folder))
                if name == "onnxruntime"
                else catalogue.open_for_pixels(artifact, mean=MEAN, std=STD, threads=threads)
            )
            assert inside is not None
            both = {
                "float32": CropAndRun(forms["float32"], plain, frames, boxes),
                "float32, crops by one thread": CropAndRun(alone, plain, frames, boxes),
                "uint8, normalised inside": CropAndRun(forms["uint8"], inside, frames, boxes),
            }
            outputs = [way(0) for way in both.values()]
            centers, extents = regions(boxes[0], *SIZE)
            places = [decode(output, centers, extents)[0] for output in outputs]
            whole_ms = take_turns(both, max(options.rounds // 4, 10))
            show(f"{name}, {options.model}: crops and network", whole_ms, "float32")
            joints_ms = take_turns({"joints": lambda _: decode(outputs[0], centers, extents)}, options.rounds)["joints"]  # noqa: B023
            apart = np.abs(places[0] - places[-1]).max()
            print(f"  joints are at most {apart:.2g} px apart; finding them takes {joints_ms:.3f} ms")
            for form, way in both.items():
                outside = statistics.median(way.crop_ms[2:]) + joints_ms
                share = 100 * outside / (whole_ms[form] + joints_ms)
                print(f"  {form}: crops and joints take {outside:.3f} ms, {share:.1f} % of the whole")


if __name__ == "__main__":
    main()
