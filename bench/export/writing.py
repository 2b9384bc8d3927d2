"""A network into a file: written to the side, compared with eager, then moved into place."""

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_leaves

import zoo
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.families.pytorch import arrays
from bench.codecs.codec import codec_of
from bench.core import machine
from bench.core.errors import InputError, in_short
from bench.core.files import PROJECT, side_folder
from bench.core.processes import bounded, user_code
from bench.core.skeletons import COCO, MPII, Skeleton
from bench.data.cropping import MEAN, STD, photograph
from bench.export.formats import FORMATS, ExportSource, Format, load_torchscript
from bench.model_files.description import FIELDS
from bench.model_files.model_file import ModelFile
from bench.opening import Reference
from bench.timing import parity
from bench.timing.parity import ParityError

if TYPE_CHECKING:
    from bench.export.formats import RunArrays

BATCHES = (1, 2, 5)  # compared with eager where the file takes any
RANDOM_INPUTS = 2
SKELETONS: dict[int, Skeleton] = {len(skeleton.joints): skeleton for skeleton in (COCO, MPII)}


def find_format(name: str, *, dynamic_batch: bool = False, int8: bool = False) -> Format:
    """The format, if it can be written here.

    Raises:
        InputError: no such format, or not in int8 or for any batch, or what it needs is not installed.
    """
    if name not in FORMATS:
        raise InputError(f"unknown format {name!r}: choose from {', '.join(FORMATS)}")
    found = FORMATS[name]
    if int8 and dynamic_batch:
        raise InputError("--int8 makes a file for one image at a time: leave out --dynamic-batch")
    if int8 and found.int8_backend is None:
        able = [format.name for format in FORMATS.values() if format.int8_backend is not None]
        raise InputError(f"--int8: format {name} is float32 only: give {' or '.join(able)}")
    backend = found.int8_backend if int8 else found.backend
    if backend is not None:
        catalogue.resolve(backend, "cpu", "fp32")
    return found


def describe(
    model: nn.Module,
    *,
    name: str,
    input_size: tuple[int, int],
    weights: str,
    weights_sha256: str,
    dynamic_batch: bool,
    int8: bool = False,
    skeleton: Skeleton | None = None,
) -> dict[str, str]:
    """What a user of the file must know, as texts; lists are JSON.

    Without a skeleton, joints, pairs and limbs are COCO's for 17 joints, MPII's for 16, and absent for other numbers.

    Raises:
        InputError: the network does not make of such an input what it declares (``bench.core.output_kinds``).
    """
    with user_code(name, "fails on such an input"), torch.inference_mode():
        output = model(torch.zeros(1, 3, *input_size))
    codec = codec_of(model, input_size, name)
    leaves = tree_leaves(output)
    tensors = [leaf for leaf in leaves if isinstance(leaf, Tensor)]
    kind = codec.kind
    shaped = bool(tensors) and len(leaves) == len(tensors) and tensors[0].ndim > 1
    if not shaped or not codec.fits([tuple(one.shape) for one in tensors], tensors[0].shape[1]):
        made = " and ".join(str(tuple(one.shape)) if isinstance(one, Tensor) else type(one).__name__ for one in leaves)
        raise InputError(f"makes {made or 'nothing'} of one image: give a network that makes {kind.what}")
    if len(tensors[0]) != 1 or not all(one.is_floating_point() for one in tensors):
        raise InputError(f"makes {tuple(tensors[0].shape)} of type {tensors[0].dtype}: {kind.what} are needed")
    shapes = [list(one.shape[1:]) for one in tensors]
    joints = shapes[0][0]
    card = zoo.model_card(name) if name in zoo.list_models() else None
    skeleton = skeleton or SKELETONS.get(joints)
    told = {
        "project": PROJECT,
        "project_version": machine.this_software("").project,
        "model": name,
        "weights": weights,
        "weights_sha256": weights_sha256,
        "input": json.dumps([3, *input_size]),  # channels, height, width
        "output_kind": kind.name,
        "output": json.dumps(shapes[0] if len(shapes) == 1 else shapes),
        "dynamic_batch": json.dumps(dynamic_batch),
        "precision": "int8" if int8 else "fp32",
        "channels": "RGB",
        "mean": json.dumps(card.mean if card else MEAN),  # of values divided by 255
        "std": json.dumps(card.std if card else STD),
        "num_joints": json.dumps(joints),
    }
    if codec.udp:
        told["udp"] = "true"
    if kind.name == "simcc":
        told["split_ratio"] = json.dumps(codec.split_ratio)
    if skeleton:
        told |= _joints(skeleton)
    return told


def _joints(skeleton: Skeleton) -> dict[str, str]:
    """Fields of the metadata that say whose joints a file finds."""
    return {key: json.dumps(getattr(skeleton, key)) for key in ("joints", "flip_pairs", "limbs")}


def describe_file(file: ModelFile, *, int8: bool = False, skeleton: Skeleton | None = None) -> dict[str, str]:
    """``describe`` for a model file: what it, its sidecar and the options say, and where it came from.

    Raises:
        InputError: something that a user of the file must know was not said.
    """
    file.require("output_kind", "channels", "mean", "std", command="bench.export")
    told = {key: value for key, value in file.metadata().items() if key in FIELDS}
    if skeleton:
        told |= _joints(skeleton)
    return told | {
        "project": PROJECT,
        "project_version": machine.this_software("").project,
        "model": file.name,
        "weights": told.get("weights", file.name),
        "weights_sha256": file.sha256,
        "output": json.dumps([list(file.outputs[name][1:]) for name in file.said.output_names or ()]),
        "dynamic_batch": json.dumps(file.batch is None),
        "precision": "int8" if int8 else file.precision,
    }


def export(
    model: nn.Module | ModelFile,
    format_name: str,
    path: Path,
    metadata: dict[str, str],
    *,
    dynamic_batch: bool = False,
    int8: bool = False,
) -> float:
    """Write a network to a file that runs without this project.

    The file gets its name only after it was read back, run on several inputs and found to do what the network does;
    what had the name before stays until then.

    Args:
        model: on the CPU, in evaluation mode and float32; or an ONNX file.
        format_name: one of ``FORMATS``.
        path: of the file; OpenVINO puts the weights beside it, with the ending ``.bin``.
        metadata: see ``describe``.
        dynamic_batch: whether the file is to take any number of images.
        int8: whether to quantise, calibrated on drawn people; for one image at a time.

    Returns:
        The largest difference to eager that was found, relative to the largest output.

    Raises:
        InputError: the format is unknown or cannot be written here, or the network cannot be exported to it.
        ParityError: the file computes something else, or either it or the network gives numbers that are not finite.
        OSError: the file cannot be written.
    """
    chosen = find_format(format_name, dynamic_batch=dynamic_batch, int8=int8)
    _, height, width = json.loads(metadata["input"])
    size = (height, width)
    if isinstance(model, ModelFile):
        if chosen.backend is None or dynamic_batch:
            what = "--dynamic-batch" if dynamic_batch else f"format {chosen.name}"
            raise InputError(f"{what} is for networks in memory, not for a file")
        inputs = list(_inputs(size, (model.batch or 1,), int8=int8))
        with catalogue.open_artifact(Artifact(model.backend, model.precision, model.files)) as session:
            expected = [_expected(session.run, images, model.backend) for images in inputs]
    else:
        inputs = list(_inputs(size, BATCHES if dynamic_batch else (1,), int8=int8))
        expected = [_expected(_eager(model, metadata["model"]), images, "eager") for images in inputs]
    example = inputs[0]
    if dynamic_batch:
        example = example.expand(2, -1, -1, -1).contiguous()  # exporters take a batch of one for fixed
    with side_folder(path.parent) as folder:
        written = folder / path.name
        with _reasons(format_name):
            with bounded(metadata["model"]), torch.no_grad():
                chosen.write(ExportSource(model, example, metadata, dynamic_batch, int8), written)
            kept = chosen.metadata(written)
        if kept != metadata:
            raise ParityError(f"the {format_name} file does not hold the metadata as given")
        worst = _compare(chosen, written, inputs, expected, int8=int8)
        # The file itself last: until then what has its name is whole.
        for file in sorted(folder.iterdir(), key=lambda file: file == written):
            _sync(file)
            file.replace(path.parent / file.name)
    return worst


def _eager(model: nn.Module, who: str) -> "RunArrays":
    def run(values: np.ndarray) -> list[np.ndarray]:
        with user_code(who, "fails on such an input"), torch.inference_mode():
            return arrays(model(torch.from_numpy(values.copy())))

    return run


def _expected(run: "RunArrays", images: Tensor, backend: str) -> Reference:
    """What the network makes of an input; numbers that are not finite are found here, before the work."""
    values = images.numpy()
    outputs = run(values)
    return Reference(backend, outputs, parity.rounding(run, values, outputs, backend))


@contextmanager
def _reasons(format_name: str) -> Iterator[None]:
    """What a converter raises, as one line."""
    try:
        yield
    except (InputError, OSError):
        raise
    except Exception as error:
        raise InputError(f"cannot be exported to {format_name}: {in_short(error)}") from error


def _inputs(size: tuple[int, int], batches: tuple[int, ...], *, int8: bool) -> Iterator[Tensor]:
    """A photograph, and random numbers but for int8, whose ranges are those of pictures; in every batch size."""
    generator = torch.Generator().manual_seed(0)
    for batch in batches:
        yield photograph(size).expand(batch, -1, -1, -1).contiguous()
        for _ in range(0 if int8 else RANDOM_INPUTS):
            yield torch.randn(batch, 3, *size, generator=generator)


def _compare(chosen: Format, path: Path, inputs: list[Tensor], expected: list[Reference], *, int8: bool) -> float:
    """The worst difference of the written file to its reference."""
    precision = "int8" if int8 else "fp32"
    worst = 0.0
    with _opened(chosen, path, precision) as run:
        for images, wanted in zip(inputs, expected, strict=True):
            try:
                found = run(images.numpy())
            except Exception as error:
                raise ParityError(f"the file fails on a batch of {len(images)} ({type(error).__name__})") from error
            who = f"the {chosen.name} file"
            worst = max(worst, parity.check(wanted.outputs, found, precision, who, wanted.backend, wanted.rounding))
    return worst


@contextmanager
def _opened(chosen: Format, path: Path, precision: str) -> "Iterator[RunArrays]":
    """A written file, opened as its user will."""
    backend = chosen.int8_backend if precision == "int8" else chosen.backend
    if backend is not None:
        with catalogue.open_artifact(Artifact(backend, precision, (path,))) as session:
            yield session.run
        return
    network, _ = load_torchscript(path)
    with torch.inference_mode():
        yield lambda images: arrays(network(torch.from_numpy(images)))


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
