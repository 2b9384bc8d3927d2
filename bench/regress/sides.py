"""The two sides of a comparison, and the processes that make them ready and time them."""

import contextlib
import json
import os
import selectors
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from bench.core import processes
from bench.core.errors import InputError
from bench.regress.plan import RegressPlan
from bench.timing.process_variables import process_variables

WORKER = Path(__file__).with_name("worker.py")
BLOCK_TIMEOUT_S = 120  # rounds of about BLOCK_S take a second or so


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
    with SideProcess(replace(side, images=images), plan, prepare=True) as process:
        answer = process.first_answer("preparing it")
    return replace(side, artifact=answer["artifact"], images=images)


class SideProcess:
    """A process of one side, which ends with the block that uses it."""

    def __init__(self, side: Side, plan: RegressPlan, *, prepare: bool = False, processor: int | None = None) -> None:
        self.side = side
        self.model = plan.model
        # Not a pipe, which would fill up while nobody reads it.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115  # closed with the process
        self.process = subprocess.Popen(
            [sys.executable, "-P", str(WORKER), str(os.getpid())],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self.errors,
            cwd=side.folder, env=variables(side, plan),
            # Ctrl-C is for the parent alone, which then ends this one.
            start_new_session=True,
        )  # fmt: skip
        more = {"slower": side.slower, "artifact": side.artifact, "images": side.images}
        self._send(json.dumps(asdict(plan) | more | {"prepare": prepare, "processor": processor}))

    def __enter__(self) -> "SideProcess":
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.wait()
        for stream in (self.process.stdin, self.process.stdout, self.errors):
            with contextlib.suppress(OSError):  # what was still to be written to a process that died
                stream.close()  # type: ignore[union-attr]

    def ready(self) -> float:
        """Wait until it can time; what a round takes, in ms."""
        return float(self.first_answer("getting ready")["round_ms"])

    def first_answer(self, doing: str) -> dict[str, Any]:
        """What it says once the network runs."""
        answer = self._answer(processes.limit_s(), doing)
        if "error" in answer:
            kind = UnknownModelError if answer["unknown"] else InputError
            raise kind(f"{self.model} in {self.side.name}: {answer['error']}")
        if (self.side.root / "bench" / "__init__.py").is_file() and not self.side.root.samefile(answer["root"]):
            raise InputError(
                f"{self.side.name} was to be timed from {self.side.root}, and its process used {answer['root']}"
            )
        return answer

    def time(self, rounds: int) -> list[float]:
        """Latencies in ms, without the first."""
        self._send(str(rounds))
        return list(self._answer(BLOCK_TIMEOUT_S, "timing")["ms"][1:])

    def _send(self, line: str) -> None:
        with contextlib.suppress(BrokenPipeError):  # that it died is said when its answer is missing
            self.process.stdin.write(line.encode() + b"\n")  # type: ignore[union-attr]
            self.process.stdin.flush()  # type: ignore[union-attr]

    def _answer(self, timeout_s: float, doing: str) -> dict[str, Any]:
        line = b"".join(self._read(timeout_s, doing))
        if not line:
            self.errors.seek(0)
            last = self.errors.read().decode(errors="replace").strip().splitlines()[-1:] or ["no message"]
            status = self.process.wait()
            raise InputError(
                f"{self.model} in {self.side.name}: the process that timed it died with status {status}: {last[0]}"
            )
        return dict(json.loads(line))

    def _read(self, timeout_s: float, doing: str) -> Iterator[bytes]:
        """A line in pieces, or nothing where the process ends first."""
        descriptor = self.process.stdout.fileno()  # type: ignore[union-attr]
        until = time.monotonic() + timeout_s
        with selectors.DefaultSelector() as selector:
            selector.register(descriptor, selectors.EVENT_READ)
            while selector.select(max(0.0, until - time.monotonic())):
                piece = os.read(descriptor, 65536)
                if piece:
                    yield piece
                if not piece or piece.endswith(b"\n"):
                    return
        raise InputError(
            f"{self.model} in {self.side.name}: {doing} took more than {timeout_s:g} s: its process was ended"
        )


def variables(side: Side, plan: RegressPlan) -> dict[str, str]:
    """What a process of one side is started with."""
    path = os.pathsep.join(part for part in (str(side.root), os.environ.get("PYTHONPATH", "")) if part)
    return os.environ | process_variables(plan.threads) | {"PYTHONPATH": path}
