"""A network into a file: written to the side, compared with eager, then moved into place."""

import importlib.util
import json
import os
import tempfile
from pathlib import Path

import torch
from torch import Tensor, nn

from bench.core import machine
from bench.core.errors import InputError
from bench.core.skeletons import COCO, MPII, Skeleton
from bench.data import photograph
from bench.data.cropping import MEAN, STD
from bench.export.formats import FORMATS, Format, Network, Run
from bench.speed.loop import PARITY_TOLERANCE, ParityError

BATCHES = (1, 2, 5)  # compared with eager where the file takes any
RANDOM_INPUTS = 2
# Another function: this tells a quantised network from a broken one, and accuracy says what it costs.
INT8_TOLERANCE = 0.5
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
    if int8 and found.int8_packages is None:
        able = [format.name for format in FORMATS.values() if format.int8_packages is not None]
        raise InputError(f"--int8: format {name} is float32 only: give {' or '.join(able)}")
    needed = (*found.packages, *((found.int8_packages or ()) if int8 else ()))
    absent = [package for package in needed if importlib.util.find_spec(package) is None]
    if absent:
        raise InputError(f"format {name} needs {', '.join(absent)}: install with {found.install}")
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
) -> dict[str, str]:
    """What a user of the file must know, as texts; lists are JSON.

    Joints and flip pairs are COCO's for 17 heatmaps and MPII's for 16, and absent for other numbers.

    Raises:
        InputError: the network does not make heatmaps ``[N, J, h, w]`` of such an input.
    """
    with torch.inference_mode():
        output = model(torch.zeros(1, 3, *input_size))
    if not (isinstance(output, Tensor) and output.ndim == 4 and len(output) == 1):
        made = tuple(output.shape) if isinstance(output, Tensor) else type(output).__name__
        raise InputError(f"{name} makes {made} of one image: give a network that makes heatmaps [1, J, h, w]")
    joints, height, width = output.shape[1:]
    skeleton = SKELETONS.get(joints)
    told = {
        "project": machine.PROJECT,
        "project_version": machine.this_software("").project,
        "model": name,
        "weights": weights,
        "weights_sha256": weights_sha256,
        "input": json.dumps([3, *input_size]),  # channels, height, width
        "output": json.dumps([joints, height, width]),
        "dynamic_batch": json.dumps(dynamic_batch),
        "precision": "int8" if int8 else "fp32",
        "channels": "RGB",
        "mean": json.dumps(MEAN),  # of values divided by 255
        "std": json.dumps(STD),
        "num_joints": json.dumps(joints),
    }
    if skeleton:
        told |= {"joints": json.dumps(skeleton.joints), "flip_pairs": json.dumps(skeleton.flip_pairs)}
    return told


def export(
    model: nn.Module,
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
        model: on the CPU, in evaluation mode and float32.
        format_name: one of ``FORMATS``.
        path: of the file; OpenVINO puts the weights beside it, with the ending ``.bin``.
        metadata: see ``describe``.
        dynamic_batch: whether the file is to take any number of images.
        int8: whether to quantise, calibrated on drawn people; for one image at a time.

    Returns:
        The largest difference to eager that was found, relative to the largest output.

    Raises:
        InputError: the format is unknown or cannot be written here, or the network cannot be exported to it.
        ParityError: the file computes something else.
        OSError: the file cannot be written.
    """
    chosen = find_format(format_name, dynamic_batch=dynamic_batch, int8=int8)
    _, height, width = json.loads(metadata["input"])
    example = photograph((height, width))
    if dynamic_batch:
        example = example.expand(2, -1, -1, -1).contiguous()  # exporters take a batch of one for fixed
    with tempfile.TemporaryDirectory(prefix=f".{path.name}.", dir=path.parent) as folder:
        written = Path(folder) / path.name
        try:
            with torch.no_grad():
                chosen.write(Network(model, example, metadata, dynamic_batch, int8), written)
            run, held = chosen.load(written)
        except (InputError, OSError):
            raise
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), "no message")
            raise InputError(f"cannot be exported to {format_name}: {type(error).__name__}: {reason}") from error
        if held != metadata:
            raise ParityError(f"the {format_name} file does not hold the metadata as given: not kept")
        # The ranges of int8 are those of pictures: random numbers would leave them.
        count = 0 if int8 else RANDOM_INPUTS
        worst = _compare(model, run, (height, width), BATCHES if dynamic_batch else (1,), count)
        tolerance = INT8_TOLERANCE if int8 else PARITY_TOLERANCE["fp32"]
        if not worst <= tolerance:
            raise ParityError(
                f"the {format_name} file differs from eager by {worst:.2g} of the largest output, "
                f"more than {tolerance:g}: not kept"
            )
        # The file itself last: until then what has its name is whole.
        for file in sorted(Path(folder).iterdir(), key=lambda file: file == written):
            _sync(file)
            file.replace(path.parent / file.name)
    return worst


def _compare(model: nn.Module, run: Run, size: tuple[int, int], batches: tuple[int, ...], count: int) -> float:
    """The worst difference on a photograph and on so many of random numbers, in every batch size."""
    generator = torch.Generator().manual_seed(0)
    worst = 0.0
    for batch in batches:
        inputs = [photograph(size).expand(batch, -1, -1, -1).contiguous()]
        inputs += [torch.randn(batch, 3, *size, generator=generator) for _ in range(count)]
        for images in inputs:
            with torch.inference_mode():
                expected = model(images)
                try:
                    found = run(images)
                except Exception as error:
                    reason = f"a batch of {batch} ({type(error).__name__})"
                    raise ParityError(f"the file fails on {reason}: not kept") from error
            if found.shape != expected.shape:
                raise ParityError(f"the file makes {tuple(found.shape)} and eager {tuple(expected.shape)}: not kept")
            largest = float(expected.abs().max())
            difference = float((found - expected).abs().max())
            worst = max(worst, difference / largest if largest else difference)
    return worst


def _sync(path: Path) -> None:
    with path.open("rb") as file:
        os.fsync(file.fileno())
