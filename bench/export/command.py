"""Writes a network to a file that runs without this project."""

import argparse
import errno
import re
import tempfile
from pathlib import Path

from bench import cli, weights
from bench.core.errors import InputError
from bench.export.formats import Format
from bench.export.options import FOLDER
from bench.export.writing import describe, describe_file, export, find_format
from bench.model_files.endings import is_file
from bench.model_files.model_file import ModelFile
from bench.models import Model, choose, recorded_name
from bench.network_joints import LEARNT_FROM, count_joints, skeleton_of
from bench.timing.parity import ParityError
from bench.weights import default_input


def main(arguments: argparse.Namespace) -> int:
    chosen = find_format(arguments.format, dynamic_batch=arguments.dynamic_batch, int8=arguments.int8)
    if arguments.weights is None and not is_file(arguments.model):
        raise InputError("--weights is needed: a checkpoint, published, bundled or random")
    arguments.joints = count_joints(arguments, arguments.model)
    usual = cli.one_input(default_input(arguments.weights or "", arguments.model, "256x192"), "export")
    (model,) = choose(arguments, [arguments.model], cli.given_input(arguments.input, "export"), usual=usual)
    path = target(arguments, chosen, model.input)
    _refuse_to_replace(path, chosen, _read_by(arguments, model))
    skeleton = skeleton_of(arguments, model)
    trained = weights.trained(model, arguments.weights, dataset=LEARNT_FROM.get(model.num_joints, "coco"))
    if trained.weights == "random":
        cli.warn("the weights are random: the file is good for timing, and its joints mean nothing")
    try:
        if isinstance(trained.model, ModelFile):
            metadata = describe_file(trained.model, int8=arguments.int8, skeleton=skeleton)
        else:
            metadata = describe(
                trained.model,
                name=model.network_name,
                input_size=model.input,
                weights=trained.weights,
                weights_sha256=trained.sha256,
                dynamic_batch=arguments.dynamic_batch,
                int8=arguments.int8,
                skeleton=skeleton,
            )
        if trained.options:
            metadata["options"] = ", ".join(f"{key}={value}" for key, value in sorted(trained.options.items()))
        worst = export(
            trained.model, chosen.name, path, metadata, dynamic_batch=arguments.dynamic_batch, int8=arguments.int8
        )
    except ParityError as error:
        cli.fail(f"{arguments.model}: {error}: not kept", 1)
    except InputError as error:
        said = str(error).removeprefix(f"{model.network_name} ")  # of code of the user's own, it names that
        raise InputError(f"{arguments.model}: {said}") from error
    except OSError as error:
        error.filename = error.filename or str(path)
        raise
    if not arguments.quiet:
        cli.say(f"the largest difference to eager is {worst:.1g} of the largest output")
    print(path)
    return 0


def target(arguments: argparse.Namespace, chosen: Format, size: tuple[int, int]) -> Path:
    """Where the file goes; fails before the work rather than after it.

    Raises:
        InputError: it is a folder, or lacks the ending that the format needs.
        OSError: its folder cannot be made or written.
    """
    name = re.sub(r"[^\w.-]+", "_", recorded_name(arguments.model))
    kind = "_int8" if arguments.int8 else ""
    path: Path = arguments.out or FOLDER / f"{name}_{cli.input_text(size)}{kind}{chosen.suffix}"
    if path.is_dir():
        raise InputError(f"--out {path} is a folder: give the name of a file")
    if path.suffix != chosen.suffix:
        raise InputError(f"--out {path}: a file of format {chosen.name} ends in {chosen.suffix}")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=path.parent):
            pass
    except OSError as error:
        error.filename = str(path.parent)
        if error.errno == errno.ENOENT:
            raise InputError(f"--out {path}: the folder {path.parent} cannot be made") from error
        raise
    return path


def _read_by(arguments: argparse.Namespace, model: Model) -> list[Path]:
    """The files that an export reads."""
    found = [] if arguments.weights is None else [Path(arguments.weights)]
    if model.file is not None:
        found += [model.file.path, *getattr(model.file, "files", ())]
    return [path for path in found if path.is_file()]


def _refuse_to_replace(path: Path, chosen: Format, read: list[Path]) -> None:
    """Nothing that is not an earlier export is written over.

    Raises:
        InputError: a file to be written is one that is read, or is a file of weights that belongs to nothing here.
    """
    beside = path.with_suffix(chosen.beside) if chosen.beside else None
    for one in (path, beside):
        if one is not None and one.exists() and any(one.samefile(other) for other in read):
            raise InputError(f"--out {path}: {one} is what is exported, and would be lost: give another name")
    if beside is not None and beside.exists() and not path.exists():
        raise InputError(f"--out {path} would write over {beside}, which belongs to something else: give another name")
