"""A plan: one network, one kind of frames, and how they are looked at; it becomes one record."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from pydantic import TypeAdapter

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.record import Measurement
from bench.core.skeletons import Skeleton
from bench.data.registry import entry_with_joints, joint_counts
from bench.models import network_sha256, own_weights, precision_of, recorded_name

# Of the sessions of a network: more people than the largest take several inferences.
BATCH_SIZES = (1, 2, 4, 8)
MOST_AT_A_TIME = BATCH_SIZES[-1]


@dataclass(frozen=True)
class PoseNetwork:
    """A pose network in a backend; plain values, so that a process can be told."""

    model: str  # as on the command line
    num_joints: int
    input: tuple[int, int]
    backend: str
    precision: str  # as asked for
    device: str
    threads: int
    weights: str  # random, bundled, own, or a file's path
    weights_name: str  # as records have it
    weights_sha256: str | None
    seed: int
    file: str = ""  # of a model that is a file: ``bench.models.Model.planned`` as JSON
    skeleton: Skeleton | None = None  # of a network whose joints are named; otherwise the built-in one of their number

    @property
    def told_file(self) -> dict[str, Any] | None:
        """The model file as plans hold it; None for a network."""
        found: dict[str, Any] | None = json.loads(self.file) if self.file else None
        return found

    @property
    def found(self) -> Skeleton:
        """The joints that it finds.

        Raises:
            InputError: nothing names them.
        """
        return self.skeleton or entry_with_joints(self.num_joints).skeleton

    @property
    def who(self) -> str:
        """Its name in progress and errors."""
        return f"{self.model}, {self.backend}"


@dataclass(frozen=True)
class Frames:
    """What is looked at, and where people are looked for."""

    source: str  # scenes, motion, pictures or video
    paths: tuple[str, ...] = ()  # of pictures, or of the video
    names: tuple[str, ...] = ()  # of pictures: in the folders that were given
    fingerprint: str = ""  # SHA-256 of these files
    people: int = 0  # in drawn frames
    size: tuple[int, int] = (0, 0)  # width, height of drawn frames
    boxes: str = "given"  # given, whole, detector or file
    boxes_path: str = ""
    boxes_fingerprint: str = ""
    jitter: float = 0.0
    rate: float = 30.0  # frames a second of a video


@dataclass(frozen=True)
class PipelinePlan:
    """One cell of the table."""

    network: PoseNetwork
    frames: Frames
    protocol: str  # the scenario, or quick
    scenario: str  # single stream, paced, streams or offline
    batching: str  # one by one, or batched
    flip: bool
    count: int  # timed frames a process; 0: all there are
    warmup: int
    sets: int
    for_s: float = 0.0  # go on for this time
    streams: int = 1
    batch: int = 0  # people at a time, offline
    detect_every: int = 1
    smooth: str = "none"
    draw: bool = False

    @property
    def batches(self) -> tuple[int, ...]:
        """Batch sizes that the network must be open for."""
        if self.scenario == "offline":
            return (self.batch,)
        if self.batching == "one by one":
            return (1,)
        if self.frames.source != "scenes":  # nobody knows how many there will be: people come and go
            most = self.frames.people or MOST_AT_A_TIME
            return tuple(size for size in BATCH_SIZES if size <= most)
        left, found = max(self.frames.people, 1), []
        for size in reversed(BATCH_SIZES):
            if left // size:
                found.append(size)
            left %= size
        return tuple(found[::-1])

    def measurement(self) -> Measurement:
        """What is measured and how, as in the record."""
        network, frames = self.network, self.frames
        protocol: dict[str, Any] = {
            "name": self.protocol, "scenario": self.scenario, "frames": self.count, "warmup": self.warmup,
            "sets": self.sets, "source": frames.source, "batching": self.batching, "flip": self.flip,
            "boxes": frames.boxes, "detect_every": self.detect_every, "smooth": self.smooth, "draw": self.draw,
            "interval": {1: "rounds", 2: "none"}.get(self.sets, "sets, then rounds"),
        }  # fmt: skip
        if frames.source in ("scenes", "motion"):
            protocol |= {"people": frames.people, "size": f"{frames.size[0]}x{frames.size[1]}", "jitter": frames.jitter}
        else:
            protocol |= {"files_sha256": frames.fingerprint}
        if frames.source in ("motion", "video"):
            protocol["video_rate"] = frames.rate
        if frames.boxes_fingerprint:
            protocol["boxes_sha256"] = frames.boxes_fingerprint
        if self.for_s:
            protocol["for_s"] = self.for_s
        if self.scenario == "paced":
            protocol["rate"] = frames.rate
        if self.scenario == "streams":
            protocol["streams"] = self.streams
        if network.skeleton and not _is_usual(network):
            told = repr((network.skeleton.joints, network.skeleton.flip_pairs, network.skeleton.limbs))
            protocol["joints_sha256"] = hashlib.sha256(told.encode()).hexdigest()[:16]
        return Measurement(
            kind="pipeline",
            model=recorded_name(network.model),
            input=cli.input_text(network.input),
            num_joints=network.num_joints,
            network_sha256=network_sha256(network.model, network.told_file),
            backend=network.backend,
            device=network.device.partition(":")[0],
            precision=precision_of(network.told_file, network.backend, network.device, network.precision),  # type: ignore[arg-type]
            batch=max(self.batches),
            threads=network.threads,
            protocol=protocol,
            weights=own_weights(network.model) if network.file else network.weights_name,
            weights_sha256=network.weights_sha256,
            seed=network.seed,
        )

    def identity(self) -> str:
        """The measurement's identity, with the backend's version."""
        return self.measurement().identity(catalogue.version(self.network.backend))


def _is_usual(network: PoseNetwork) -> bool:
    """Whether its joints are those that are meant where only their number is said."""
    count = network.num_joints
    return count in joint_counts() and entry_with_joints(count).skeleton == network.skeleton


def circumstances(plans: list[PipelinePlan]) -> str:
    """Identity of unfinished work: parts are combined only if measurements, machine and software are the same."""
    network = plans[0].network
    where = machine.this_machine(network.device).model_dump_json()
    software = machine.this_software(catalogue.version(network.backend))
    told = software.model_dump_json(exclude={"git_commit", "git_dirty"})
    return json.dumps([*(plan.identity() for plan in plans), where, told])


def network_of(told: Mapping[str, Any]) -> PoseNetwork:
    """A network as a process was told it."""
    return TypeAdapter(PoseNetwork).validate_python(told)


def plan_of(told: Mapping[str, Any]) -> PipelinePlan:
    """A plan as a process was told it."""
    return TypeAdapter(PipelinePlan).validate_python(told)
