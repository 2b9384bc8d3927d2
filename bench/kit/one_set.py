"""One process of a network on the device: it opens an artifact, compares it with its reference, and times it."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import json
import os
import sys
import threading
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.core.errors import InputError, described
from bench.timing.parity import ParityError

NOT_WRITTEN = 74  # exit status: the answer cannot be written; the system's number of the reason is the last line
UNTIL = {"paper": "Fixed", "steady": "Steady", "sustained": "Sustained"}


def main(folder: str) -> int:
    """Read what to do as a line of JSON, and write what came out into the file that it names."""
    kit = Path(folder)
    task = json.loads(sys.stdin.readline())
    threading.Thread(target=_end_with_parent, daemon=True).start()
    _be_the_one_to_go()
    try:
        answer = _fit(task, kit) if task.get("fit") else _time(task, kit)
    except ParityError as error:
        answer = {"parity_error": str(error)}
    except InputError as error:
        answer = {"input_error": str(error)}
    except Exception as error:
        answer = {"input_error": described(error)[:300]}
    try:
        Path(task["answer"]).write_text(json.dumps(answer), encoding="utf-8")
    except OSError as error:
        print(error.errno, file=sys.stderr)
        return NOT_WRITTEN
    return 0


def _time(task: dict[str, Any], kit: Path) -> dict[str, Any]:
    import numpy as np

    from bench.backends.artifact import Artifact
    from bench.core import board
    from bench.opening import Reference, open_network
    from bench.speed.timed_set import time_set
    from bench.timing import clock, conditions, yardstick

    threads = task["threads"]
    _keep_to(task["cores"])
    images = np.load(kit / task["input"])
    with np.load(kit / task["expected"]) as file:
        expected = Reference(task["reference"], [file[name] for name in file.files], task["rounding"])
    artifact = Artifact.from_json(task["artifact"])
    until = getattr(clock, UNTIL[task["kind"]])(**task["until"])
    idle = conditions.memory_bytes()
    opened = open_network(lambda: artifact, images, device="cpu", threads=threads, who=task["model"], built=True)
    with opened.session:
        result = time_set(opened, until, task["warmup"], device="cpu", expected=expected)
    result.rss_before_bytes = idle
    if not board.emulated():  # where it takes many minutes and says nothing
        result.product_ms = yardstick.rounds_ms()
    return {"result": asdict(result)}


def _fit(task: dict[str, Any], kit: Path) -> dict[str, Any]:
    """The artifact in the form that is fastest here, for backends that choose."""
    import numpy as np

    from bench.backends import catalogue
    from bench.backends.artifact import Artifact, sha256

    _keep_to(task["cores"])
    artifact = Artifact.from_json(task["artifact"])
    family: Any = catalogue.family_of(catalogue.find(artifact.backend))
    fitted = family.fit(artifact, np.load(kit / task["input"]), task["threads"], Path(task["into"]))
    return {"artifact": fitted.to_json(), "sha256": [sha256(file) for file in fitted.files]}


def _keep_to(cores: list[int]) -> None:
    if cores:
        os.sched_setaffinity(0, cores)


def _end_with_parent() -> None:
    """The end of standard input means that the run has ended, however that came about."""
    sys.stdin.read()
    os._exit(1)


def _be_the_one_to_go() -> None:
    """Where memory runs out, the system is to end this process and not the run."""
    with contextlib.suppress(OSError):
        Path("/proc/self/oom_score_adj").write_text("1000")
