"""Model files by name: which of the names are files, and what each file is."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.backends import catalogue
from bench.core import workers
from bench.core.errors import InputError
from bench.model_files import checkpoint
from bench.model_files.checkpoint import Checkpoint
from bench.model_files.description import read_options, read_sidecar, sidecar_of
from bench.model_files.endings import is_checkpoint, is_file
from bench.model_files.model_file import ModelFile, Size
from bench.timing.process_variables import process_variables

WORKER = "bench.model_files.worker"
AnyFile = ModelFile | Checkpoint


def read_files(
    names: Sequence[str], *, info: Sequence[str] = (), size: Size | None = None, joints: int | None = None
) -> dict[str, AnyFile]:
    """What the files among the names of models are, by name; the other names are left out.

    Args:
        names: of models, as ``--models`` gives them.
        info: ``KEY=VALUE`` of ``--model-info``, for every file.
        size: height, width that was asked for, if any.
        joints: how many were asked for, if any.

    Raises:
        InputError: there is no such file, it cannot be opened, or it is not what it, its sidecar or the options say.
    """
    options = read_options(list(info))
    chosen = [name for name in names if is_file(name)]
    if options and not chosen:
        raise InputError("--model-info describes model files, and --models names none")
    asked: dict[str, dict[str, Any]] = {"--model-info": options} if options else {}
    if size is not None:
        asked["--input"] = {"input": [3, *size]}
    if joints is not None:
        asked["--joints"] = {"num_joints": joints}
    return {name: _read(Path(name), asked) for name in chosen}


def from_json(told: dict[str, Any]) -> AnyFile:
    """A file as a plan holds it."""
    return (Checkpoint if told["kind"] == "checkpoint" else ModelFile).model_validate(told)


def _read(path: Path, asked: dict[str, dict[str, Any]]) -> AnyFile:
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "does not exist"
        raise InputError(f"the model file {path} {what}: give an existing file, or a name of the zoo")
    if path.stat().st_size == 0:
        raise InputError(f"the model file {path} is empty: get the file again")
    sidecar = sidecar_of(path)
    said = read_sidecar(sidecar)
    sources = ({str(sidecar): said} if said else {}) | asked
    if is_checkpoint(str(path)):
        return checkpoint.read(path, sources)
    backend = _own_backend(path)
    task = {"path": str(path), "backend": backend, "sources": sources}
    with workers.Worker(WORKER, task, path.name, process_variables(1)) as process:
        process.wait_until_ready()
        return ModelFile.model_validate(process.answer()["file"])


def _own_backend(path: Path) -> str:
    """The first backend that opens such files and is installed.

    Raises:
        InputError: none is.
    """
    able = catalogue.openers(path.suffix.lower())
    problems = []
    for name in able:
        try:
            catalogue.resolve(name, catalogue.find(name).devices[0], "fp32")
            return name
        except InputError as error:
            problems.append(str(error))
    raise InputError(f"{path.name}: {problems[0]}")
