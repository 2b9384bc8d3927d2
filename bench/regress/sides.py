"""The two sides of a comparison, and the processes that make them ready and time them."""

import os
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from bench.backends import catalogue
from bench.core.errors import InputError
from bench.core.workers import Answer, ChildProcess
from bench.model_files.model_file import ModelFile
from bench.model_files.reading import from_json
from bench.regress.plan import RegressPlan
from bench.timing.process_variables import process_variables

WORKER = Path(__file__).with_name("worker.py")


class UnknownModelError(InputError):
    """The revision does not have this network."""


@dataclass(frozen=True)
class Side:
    """One of the two that are compared."""

    name: str  # as messages call it
    root: Path  # of its sources
    folder: Path  # where the command would be given, for the path of a user's own network
    slower: float = 0.0  # a planted slow-down, for the check's own test
    artifact: Mapping[str, Any] | None = None  # what its process made ready; none where every one does so for itself
    images: str = ""  # file of the input, for those that open the artifact


def prepared(side: Side, plan: RegressPlan, folder: Path) -> Side:
    """Build, export and choose kernels once, in a process of its own, so that pairs need not.

    Args:
        side: to be timed.
        plan: what is timed.
        folder: for files that last as long as the comparison.

    Raises:
        UnknownModelError: the side does not have the network.
        InputError: it cannot be built or run, or took longer than ``processes.limit_s()``.
    """
    handle, images = tempfile.mkstemp(suffix=".npy", dir=folder)
    os.close(handle)
    file = from_json(plan.file) if plan.file else None
    if isinstance(file, ModelFile) and file.runs_as_it_is(catalogue.find(plan.backend)):
        return _with_file(side, plan, file, Path(images))
    with SideProcess(replace(side, images=images), plan, prepare=True) as process:
        answer = process.first_answer()
    return replace(side, artifact=answer["artifact"], images=images)


def _with_file(side: Side, plan: RegressPlan, file: ModelFile, images: Path) -> Side:
    """A side that opens a model file as it is: its own where its tree has one of this path, or else the very file."""
    from bench.data.cropping import photograph

    example = photograph(plan.input, how=file.normalisation).expand(plan.batch, -1, -1, -1)
    np.save(images, example.contiguous().numpy())
    artifact = file.artifact(catalogue.find(plan.backend), "fp32").to_json()
    there = os.path.relpath(Path(plan.model).parent) if not Path(plan.model).is_absolute() else None
    own = [side.folder / there / one.name for one in file.files] if there is not None else []
    files = own if own and all(one.is_file() for one in own) else [one.resolve() for one in file.files]
    return replace(side, artifact=artifact | {"files": list(map(str, files))}, images=str(images))


class SideProcess(ChildProcess):
    """A process of one side, which ends with the block that uses it."""

    def __init__(self, side: Side, plan: RegressPlan, *, prepare: bool = False, processor: int | None = None) -> None:
        self.side = side
        more = {"slower": side.slower, "artifact": side.artifact, "images": side.images}
        super().__init__(
            [sys.executable, "-P", str(WORKER)],
            asdict(plan) | more | {"prepare": prepare, "processor": processor},
            f"{plan.model} in {side.name}",
            variables(side, plan),
            side.folder,
        )

    def ready(self) -> float:
        """Wait until it can time; what a round takes, in ms."""
        return float(self.first_answer()["round_ms"])

    def first_answer(self) -> Answer:
        """What it says once the network runs.

        Raises:
            UnknownModelError: the side does not have the network.
            InputError: it cannot be run, or its process died or hung.
        """
        answer = self.read()
        if "error" in answer:
            kind = UnknownModelError if answer["unknown"] else InputError
            raise kind(f"{self.who}: {answer['error']}")
        side = self.side
        if (side.root / "bench" / "__init__.py").is_file() and not side.root.samefile(answer["root"]):
            raise InputError(f"{side.name} was to be timed from {side.root}, and its process used {answer['root']}")
        return answer

    def time(self, rounds: int) -> list[float]:
        """Latencies in ms, without the first."""
        self.tell(str(rounds))
        return list(self.read()["ms"][1:])


def variables(side: Side, plan: RegressPlan) -> dict[str, str]:
    """The environment that a process of one side has beside this one's."""
    path = os.pathsep.join(part for part in (str(side.root), os.environ.get("PYTHONPATH", "")) if part)
    return process_variables(plan.threads) | {"PYTHONPATH": path}
