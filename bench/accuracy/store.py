"""Predictions on disk while they are made, so that an interrupted evaluation goes on where it stopped.

A job's predictions lie in ``DIR/predictions/JOB.RANK-OF.partial``, one line a batch; JOB says what the job is. A line
that a crash cut off is dropped. When all is done the parts become one file.
"""

import json
import os
from pathlib import Path

from bench.accuracy.predicting import Answer
from bench.core.errors import InputError
from bench.core.results import write_at


def read_parts(folder: Path, job: str) -> list[Answer]:
    """The finished batches of earlier runs of a job, from however many processes."""
    answers = []
    for path in sorted(folder.glob(f"{job}.*.partial")):
        # What follows the last newline is empty, or was cut off in writing.
        for line in path.read_text(encoding="utf-8").split("\n")[:-1]:
            answers.append(_answer(line, path))
    return answers


def _answer(line: str, path: Path) -> Answer:
    try:
        held = json.loads(line)
        return Answer(held["predictions"], {int(key): text for key, text in held["errors"].items()}, held["seconds"])
    except (ValueError, KeyError, AttributeError, TypeError) as error:
        raise InputError(f"{path} holds a line that is no batch of predictions: delete the file") from error


class Part:
    """One process's share of a job, open for adding."""

    def __init__(self, folder: Path, job: str, rank: int, world_size: int) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.path = folder / f"{job}.{rank}-of-{world_size}.partial"
        self._descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT, 0o644)
        # What follows the last newline was cut off by a crash.
        self._end = self.path.read_bytes().rfind(b"\n") + 1

    def add(self, answer: Answer) -> None:
        """Write a batch; once this returns, a kill does not lose it."""
        held = {"predictions": answer.predictions, "errors": answer.errors, "seconds": answer.seconds}
        line = json.dumps(held, separators=(",", ":")).encode() + b"\n"
        write_at(self._descriptor, self._end, line, self.path)
        self._end += len(line)

    def close(self) -> None:
        os.close(self._descriptor)


def remove_parts(folder: Path, job: str) -> None:
    for path in folder.glob(f"{job}.*.partial"):
        path.unlink()
