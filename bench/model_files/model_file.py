"""A model file: what runs it, in which form it takes images, and what it says of itself."""

import dataclasses
import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.core.errors import InputError
from bench.model_files.description import Description, sidecar_of

if TYPE_CHECKING:
    from bench.data.cropping import Normalisation
    from bench.data.skeleton_files import SkeletonFile

Size = tuple[int, int]  # height, width


class ModelFile(BaseModel):
    """A file that a backend opens as it is; plain values, so that a process can be told.

    Attributes:
        path: as it was named.
        files: the one to open first, and what it needs beside it.
        sha256: of the file; of the hashes of all where it needs others.
        backend: the file's own, which opens it where nothing else is asked for.
        precision: of its computation.
        size: height, width of its input.
        batch: how many images it takes at a time; none: any number.
        layout: of its input.
        input_type: of its input, as numpy calls it.
        outputs: names of all its outputs, and the shape that each had for one batch.
        said: by the file, its sidecar and the options, together.
    """

    model_config = ConfigDict(frozen=True)

    kind: Literal["artifact"] = "artifact"
    path: Path
    files: tuple[Path, ...]
    sha256: str
    backend: str
    precision: str
    size: Size
    batch: int | None
    layout: Literal["NCHW", "NHWC"]
    input_type: str
    outputs: dict[str, tuple[int, ...]]
    said: Description

    @property
    def name(self) -> str:
        """In messages and records."""
        return self.path.name

    @property
    def num_joints(self) -> int | None:
        """As it says; else by its first output, whose dimensions begin with images and joints in every kind."""
        shape = next(iter(self.outputs.values()), ())
        joints = shape[-1] if len(shape) == 4 and self.layout == "NHWC" else shape[1] if len(shape) > 2 else None
        return self.said.joint_count or joints

    @property
    def skeleton_file(self) -> "SkeletonFile | None":
        """What it says of the joints that it finds, if it names them."""
        from bench.data.skeleton_files import SkeletonFile

        if self.said.joints is None:
            return None
        told = self.said.model_dump(include={"joints", "flip_pairs", "limbs"}, exclude_none=True)
        return SkeletonFile(self.name, told)

    @property
    def output_kind(self) -> str:
        """As a network declares it; files of which nothing is said are timed alone."""
        return self.said.output_kind or "heatmap"

    @property
    def udp(self) -> bool:
        return bool(self.said.udp)

    @property
    def split_ratio(self) -> float:
        return self.said.split_ratio or 2.0

    @property
    def onnx(self) -> bool:
        return self.path.suffix.lower() == ".onnx"

    @property
    def normalisation(self) -> "Normalisation":
        """Of its input; where it does not say, as networks of the zoo have it, which is enough for timing."""
        from bench.data.cropping import Normalisation

        usual, said = Normalisation(), self.said
        return Normalisation(
            tuple(said.mean or usual.mean), tuple(said.std or usual.std), said.channels or usual.channels
        )

    def make(self, num_joints: int, size: Size) -> "ModelFile":
        """What ``bench.backends.catalogue.build`` takes."""
        return self

    def runs_as_it_is(self, backend: Backend) -> bool:
        """Whether a backend opens the file itself; OpenVINO and others make their own file of an ONNX file."""
        return self.path.suffix.lower() in backend.opens

    def check_backend(self, name: str) -> None:
        """Raise ``InputError`` unless a backend can run the file."""
        backend = catalogue.find(name)
        if self.runs_as_it_is(backend) or (self.onnx and backend.takes_onnx):
            return
        able = [
            one.name
            for one in catalogue.catalogue().values()
            if self.runs_as_it_is(one) or (self.onnx and one.takes_onnx)
        ]
        why = "" if backend.open_packages else ", which runs networks in memory"
        raise InputError(f"{self.name} cannot be run by backend {name}{why}: choose from {', '.join(able)}")

    def precision_in(self, backend: str, resolved: str) -> str:
        """What it computes in, where ``resolved`` is what the backend computes in otherwise."""
        return self.precision if resolved == "fp32" else resolved

    def check_batch(self, batch: int) -> None:
        """Raise ``InputError`` if the file takes another number of images at a time."""
        if self.batch not in (None, batch):
            raise InputError(f"{self.name} takes {self.batch} images at a time, not {batch}: give --batch {self.batch}")

    def artifact(self, backend: Backend, resolved: str) -> Artifact:
        """The file as an artifact of a backend that opens it."""
        size = sum(file.stat().st_size for file in self.files)
        precision = self.precision_in(backend.name, resolved)
        return Artifact(backend.name, precision, self.files, metadata=self.metadata(), size_bytes=size)

    def described(self, artifact: Artifact) -> Artifact:
        """An artifact that a backend made of the file, which keeps what the file says; its batch is the example's."""
        told = {key: value for key, value in self.metadata().items() if key not in ("layout", "file_batch")}
        precision = self.precision_in(artifact.backend, artifact.precision)
        return dataclasses.replace(artifact, precision=precision, metadata=told)

    def onnx_for(self, backend: Backend) -> Path:
        """One ONNX file with all its weights, for a backend that makes its own file of it.

        Raises:
            InputError: see ``check_backend``; or the file's input is of a form that converters do not keep.
        """
        self.check_backend(backend.name)
        if not self.onnx:
            raise InputError(
                f"{self.name} is no ONNX file: only an ONNX file or a checkpoint can be made into another file"
            )
        if self.layout != "NCHW" or self.input_type != "float32":
            raise InputError(
                f"{self.name} takes {self.input_type} {self.layout}: only ONNX files that take float32 NCHW are made "
                f"into files of {backend.name}"
            )
        if len(self.files) == 1:
            return self.path
        from bench.backends.cache import cached

        def make(path: Path) -> None:
            import onnx

            onnx.save(onnx.load(self.path), path)

        return cached("onnx", self.sha256[:32], ".onnx", make)[0]

    def metadata(self) -> dict[str, str]:
        """What a user of the file must know, as texts: as ``bench.export`` writes it, and the form of its input."""
        said = self.said.model_dump(exclude_none=True)
        told = {key: value if isinstance(value, str) else json.dumps(value) for key, value in said.items()}
        return told | {
            "input": json.dumps([3, *self.size]), "precision": self.precision, "layout": self.layout,
            "input_type": self.input_type, "file_batch": json.dumps(self.batch),
        }  # fmt: skip

    def require(self, *keys: str, command: str) -> None:
        """Raise ``InputError`` if the file does not say what a command needs."""
        missing = [key for key in keys if getattr(self.said, key) is None]
        if missing:
            raise InputError(
                f"{self.name} does not say its {', '.join(missing)}, which {command} needs: write "
                f"{sidecar_of(self.path)} with {_example(missing)}, or give --model-info KEY=VALUE"
            )

    def protocol(self) -> dict[str, str | float | bool]:
        """What of the description decides an evaluation's result, as records hold it."""
        said = self.said
        told: dict[str, str | float | bool] = {"channels": said.channels or "RGB"}
        for key in ("mean", "std"):
            told[key] = " ".join(map(str, getattr(said, key) or ()))
        if said.udp is not None:
            told["udp"] = said.udp
        for key in ("joints", "flip_pairs", "output_names"):
            if (value := getattr(said, key)) is not None:
                told[f"{key}_sha256"] = hashlib.sha256(json.dumps(value).encode()).hexdigest()[:16]
        return told


EXAMPLES: dict[str, Any] = {
    "input": [3, 256, 192], "channels": "RGB", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    "output_kind": "heatmap", "network": "lite_hrnet_18",
}  # fmt: skip


def _example(keys: Sequence[str]) -> str:
    """How a sidecar would say something."""
    return "{" + ", ".join(f'"{key}": {json.dumps(EXAMPLES.get(key, "..."))}' for key in keys) + "}"
