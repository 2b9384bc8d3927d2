"""Commands in processes of their own that need not import torch again: one process has, and forks for each command.

``python tests/preloaded.py`` reads a command a line from its standard input, as JSON, and answers with its exit status.
"""

import contextlib
import json
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

POSSIBLE = sys.platform == "linux"  # elsewhere a process with torch in it cannot be forked safely
PRELOADED = (
    "torch",
    "torchvision",
    "timm",
    "matplotlib.pyplot",
    "cv2",
    "pandas",
    "scipy.stats",
    "pydantic",
    "rich.console",
    "rich.progress",
)


class Preloaded:
    """The process that forks, started at the first command."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.process: subprocess.Popen[str] | None = None

    def run(self, arguments: Sequence[str], timeout: float) -> subprocess.CompletedProcess[str]:
        """``python -m`` of arguments, or ``python`` of a script; answers as ``subprocess.run`` that captures output."""
        if self.process is None:
            self.process = subprocess.Popen(
                [sys.executable, __file__], cwd=self.root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
            )
        assert self.process.stdin
        assert self.process.stdout
        with tempfile.TemporaryDirectory() as folder:
            told = {"arguments": arguments, "folder": folder, "environment": dict(os.environ), "timeout": timeout}
            print(json.dumps(told), file=self.process.stdin, flush=True)
            status = json.loads(self.process.stdout.readline())
            output, errors = (Path(folder, name).read_text() for name in ("stdout", "stderr"))
        if status is None:
            raise subprocess.TimeoutExpired(list(arguments), timeout, output, errors)
        return subprocess.CompletedProcess(list(arguments), status, output, errors)

    def close(self) -> None:
        if self.process is not None:
            self.process.communicate()


def _serve() -> None:
    for name in PRELOADED:
        with contextlib.suppress(ImportError):
            __import__(name)
    for line in sys.stdin:
        told = json.loads(line)
        child = os.fork()
        if not child:
            _become(told)
            return  # as a command's own process ends: with what is registered for its end
        print(json.dumps(_status(child, told["timeout"])), flush=True)


def _become(told: dict[str, Any]) -> None:
    """The command, in this process."""
    os.setpgid(0, 0)
    for number, (name, mode) in enumerate((("stdin", "r"), ("stdout", "w"), ("stderr", "w"))):
        with (Path(told["folder"], name) if number else Path(os.devnull)).open(mode) as file:
            os.dup2(file.fileno(), number)
    sys.stdin = open(0, closefd=False)  # noqa: SIM115  what was read ahead belongs to the parent
    os.environ.clear()
    os.environ.update(told["environment"])
    name, *sys.argv[1:] = told["arguments"]
    if name.endswith(".py"):
        sys.argv[0], sys.path[0] = name, str(Path(name).parent)
        runpy.run_path(name, run_name="__main__")
    else:
        sys.path[0] = str(Path.cwd())
        runpy.run_module(name, run_name="__main__", alter_sys=True)


def _status(child: int, timeout: float) -> int | None:
    """The exit status as ``subprocess`` gives it; None of a command that took too long."""
    signal.signal(signal.SIGALRM, lambda *_: os.killpg(child, signal.SIGKILL))
    signal.alarm(round(timeout))
    _, ended = os.waitpid(child, 0)
    late = not signal.alarm(0)
    return None if late else os.waitstatus_to_exitcode(ended)


if __name__ == "__main__":
    _serve()
