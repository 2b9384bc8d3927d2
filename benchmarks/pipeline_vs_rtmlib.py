"""How long does what is not the network take, against rtmlib, with the same ONNX file on the same frames?

Both look at drawn frames with exactly so many people, with the same boxes, in turns in one process. rtmlib takes people
one by one; this project is timed both one by one and with everyone in one inference. ONNX Runtime's own ``run`` is
timed inside each, and taken off. Printed are medians over the frames and their ratios. rtmlib is installed by uv into a
folder of its own in the cache, without its dependencies, which this project has.

    python benchmarks/pipeline_vs_rtmlib.py --model lightweight_mobilenetv3 --people 8 --size 1280x720

The first lines compare joints: rtmlib measures a crop in another way (its networks' own), so they need not be equal.
"""

import argparse
import importlib
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
import torch

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.converter_environments import find_uv
from bench.core.files import cache_path
from bench.models import build
from bench.pipeline.crops import Crops
from bench.pipeline.networks import Networks
from bench.pipeline.options import sizes
from bench.pipeline.sources import Drawn, drawn_scenes
from bench.pipeline.stages import Pipeline
from bench.random_weights import enliven
from bench.timing.clock import no_garbage_collection

RTMLIB = "rtmlib==0.0.16"
SIZE = (256, 192)


def import_rtmlib() -> Any:
    """The package, from a folder of its own that is made the first time."""
    folder = cache_path("environments") / RTMLIB.replace("==", "-")
    if not (folder / "rtmlib").is_dir():
        uv = find_uv()
        if uv is None:
            sys.exit("error: rtmlib is installed by uv, which is not here: install with pip install uv")
        command = [uv, "--quiet", "pip", "install", "--no-deps", "--target", str(folder), RTMLIB]
        subprocess.run(command, check=True)
    sys.path.append(str(folder))
    return importlib.import_module("rtmlib")


@dataclass
class Timed:
    """Something with a ``run``, and the seconds that went into it."""

    inner: Any
    seconds: list[float] = field(default_factory=list)

    def run(self, *arguments: Any) -> Any:
        start = time.perf_counter()
        found = self.inner.run(*arguments)
        self.seconds.append(time.perf_counter() - start)
        return found

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


@dataclass
class Way:
    """A way from frame and boxes to joints, and how long it took without its network."""

    look: Any  # frame number to joints [N, J, 2]
    network: list[Timed]
    outside_ms: list[float] = field(default_factory=list)
    network_ms: list[float] = field(default_factory=list)

    def __call__(self, number: int) -> Any:
        for one in self.network:
            one.seconds.clear()
        start = time.perf_counter()
        found = self.look(number)
        whole = time.perf_counter() - start
        inside = sum(second for one in self.network for second in one.seconds)
        self.outside_ms.append(1000 * (whole - inside))
        self.network_ms.append(1000 * inside)
        return found


class Ready:
    """Frames that are decoded already."""

    def __init__(self, source: Drawn) -> None:
        self.frames = [source.read(number) for number in range(len(source))]

    def read(self, number: int) -> Any:
        return self.frames[number]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3", help="of the zoo, with heatmaps")
    parser.add_argument("--people", type=int, default=8)
    parser.add_argument("--size", type=sizes, default="1280x720")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    options = parser.parse_args()
    cv2.setNumThreads(options.threads)
    torch.set_num_threads(options.threads)
    ways, source = prepare(options.model, options.people, options.size[0], options.threads)
    joints = {name: way(0) for name, way in ways.items()}
    for name in ("one by one", "batched"):
        apart = np.sqrt(((joints[name] - joints["rtmlib"]) ** 2).sum(2))
        print(f"{name}: joints are {np.median(apart):.2f} px from rtmlib's in the median")
    for way in ways.values():
        for number in range(len(source)):
            way(number)
        way.outside_ms.clear()
        way.network_ms.clear()
    with no_garbage_collection():
        for turn in range(options.rounds):
            for way in ways.values():
                way(turn % len(source))
    theirs = statistics.median(ways["rtmlib"].outside_ms)
    for name, way in ways.items():
        outside, network = statistics.median(way.outside_ms), statistics.median(way.network_ms)
        print(
            f"{name:11} outside the network {outside:6.2f} ms ({outside / theirs:.2f} of rtmlib's, "
            f"{100 * outside / (outside + network):.0f} % of both), the network {network:7.2f} ms"
        )


def prepare(model_name: str, people: int, size: tuple[int, int], threads: int) -> tuple[dict[str, Way], Drawn]:
    """The three ways, each with sessions of its own of the same network."""
    source = drawn_scenes(people, size, 4, 0)
    frames = Ready(source)
    boxes = source.given(0.03, 0)
    model = enliven(build(model_name, input_size=SIZE), 0)
    artifacts: dict[int, Artifact] = {
        batch: catalogue.build("onnxruntime", model, torch.zeros(batch, 3, *SIZE), threads=threads)
        for batch in {1, people}
    }
    ways = {}
    for name, batch in (("one by one", 1), ("batched", people)):
        session = Timed(catalogue.open_artifact(artifacts[batch], threads=threads))
        networks = Networks({batch: session})  # type: ignore[dict-item]
        crops = Crops(SIZE, networks.room(people), threads=threads)
        pipeline = Pipeline(networks, crops, frames, boxes)
        ways[name] = Way(lambda number, pipeline=pipeline: pipeline(number).joints[..., :2], [session])
    rtmlib = import_rtmlib()
    tool = rtmlib.ViTPose(str(artifacts[1].file), SIZE[::-1], backend="onnxruntime", device="cpu")
    tool.session = Timed(_with_threads(artifacts[1], threads))

    def theirs(number: int) -> Any:
        given = boxes(number, frames.read(number))
        corners = np.concatenate((given[:, :2], given[:, :2] + given[:, 2:]), 1)
        return tool(frames.read(number), bboxes=corners.tolist())[0]

    ways["rtmlib"] = Way(theirs, [tool.session])
    return ways, source


def _with_threads(artifact: Artifact, threads: int) -> Any:
    """ONNX Runtime's session for rtmlib with the same threads as ours, which rtmlib has no option for."""
    from bench.backends.families.onnxruntime import open_session

    return open_session(artifact.file, threads, ["CPUExecutionProvider"])


if __name__ == "__main__":
    main()
