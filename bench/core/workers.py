"""Fresh processes for measuring: several get ready at a time, then one after the other measures, alone.

A process reads its task as a line of JSON on standard input. Importing, building and exporting take far longer than
what is timed, so where there are cores for it, many processes do that at once. Each says when it is ready, and waits.
Told to go on, with all others waiting or gone, it measures and answers.
"""

import contextlib
import json
import os
import queue
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

from bench.core import address_space, processes
from bench.core.errors import InputError, how_it_died

Answer = dict[str, Any]
Task = TypeVar("Task")


def run_each(
    tasks: Sequence[Task], start: Callable[[Task], "Worker"], ahead: int = 1
) -> Iterator[tuple[Task, Answer | InputError]]:
    """What came of each task, in their order.

    Args:
        tasks: anything.
        start: the process for one.
        ahead: processes that get ready at a time.
    """
    for first in range(0, len(tasks), ahead):
        chosen = tasks[first : first + ahead]
        with contextlib.ExitStack() as stack:
            workers = [stack.enter_context(start(task)) for task in chosen]
            for worker in workers:
                worker.wait_until_ready()
            for task, worker in zip(chosen, workers, strict=True):
                with worker:  # gone before the next one measures
                    try:
                        outcome: Answer | InputError = worker.answer()
                    except InputError as error:
                        outcome = error
                yield task, outcome


class WorkerError(InputError):
    """What a worker answered instead of a result."""

    def __init__(self, message: str, answer: Answer) -> None:
        super().__init__(message)
        self.answer = answer


class ChildProcess:
    """A process that is told lines, and answers each with a line of JSON. It ends with the block, with all it started.

    What takes longer than ``--timeout`` (``processes.limit_s``) hangs, and is ended.

    Args:
        command: to start.
        first: the first line that it is told, as JSON.
        who: as messages call it.
        variables: of its environment, beside this process's own.
        folder: that it works in.
    """

    def __init__(
        self,
        command: Sequence[str],
        first: Mapping[str, Any],
        who: str,
        variables: Mapping[str, str],
        folder: Path | None = None,
    ) -> None:
        self.who = who
        self.hung = False
        self.limit_s = processes.limit_s()
        # Not a pipe, which would fill up while nobody reads it.
        self.errors = tempfile.TemporaryFile()  # noqa: SIM115 - closed with the block
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self.errors,
            cwd=folder,
            env=os.environ | variables | {processes.PARENT: str(os.getpid())},
            start_new_session=True,  # Ctrl-C is for this process alone, which then ends the child
        )
        self.tell(json.dumps(first))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.alarm.cancel()
        self._kill()
        self.process.wait()
        for pipe in (self.process.stdin, self.process.stdout, self.errors):
            if pipe is not None:
                with contextlib.suppress(BrokenPipeError):
                    pipe.close()

    def tell(self, line: str) -> None:
        """What ``read`` returns the answer to; its time runs from now on."""
        self.alarm = threading.Timer(self.limit_s, self._hang)
        self.alarm.daemon = True
        self.alarm.start()
        assert self.process.stdin is not None
        with contextlib.suppress(BrokenPipeError):  # it died: there will be no answer
            self.process.stdin.write(line.encode() + b"\n")
            self.process.stdin.flush()

    def read(self) -> Answer:
        """Its answer.

        Raises:
            InputError: it died or hung.
        """
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        self.alarm.cancel()
        if self.hung:
            raise InputError(f"{self.who} took more than {self.limit_s:g} s: it hangs, or needs a longer --timeout")
        if not line.endswith(b"\n"):
            status = self.process.wait()
            self._kill_group()  # what it has started may go on without it
            self.errors.seek(0)
            if status == 0:
                raise InputError(f"{self.who} ended its process with sys.exit(0) or the like: it must return")
            said = self.errors.read().decode(errors="replace")
            raise InputError(f"{self.who}: its process {how_it_died(status, said)}{address_space.hint()}")
        answer: Answer = json.loads(line)
        return answer

    def _hang(self) -> None:
        self.hung = True
        self._kill()

    def _kill(self) -> None:
        """With what it has started: compilers keep processes, which would be busy ending when the next one measures."""
        if self.process.returncode is None:
            self._kill_group()
        self.process.kill()

    def _kill_group(self) -> None:
        if hasattr(os, "killpg"):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)


class Worker(ChildProcess):
    """A process that prepares one task, says so, and measures when told to."""

    def __init__(self, module: str, task: Mapping[str, Any], who: str, variables: Mapping[str, str]) -> None:
        self.early: Answer | InputError | None = None  # it did not get ready
        super().__init__([sys.executable, "-m", module], task, who, variables)

    def wait_until_ready(self) -> None:
        try:
            line = self.read()
            self.early = None if line.get("ready") else line
        except InputError as error:
            self.early = error

    def answer(self) -> Answer:
        """Let it measure.

        Raises:
            InputError: what it was given cannot be measured, or it died or hung.
        """
        if self.early is None:
            self.tell("go")
            self.early = self.read()
        if isinstance(self.early, InputError):
            raise self.early
        if "input_error" in self.early:
            raise WorkerError(f"{self.who}: {self.early['input_error']}", self.early)
        return self.early


def serve(work: Callable[[Answer, Callable[[], None]], Answer]) -> int:
    """A worker's side: ``work(task, ready)`` calls ``ready`` once all is prepared, and returns the answer."""
    lines, say = conversation()

    def ready() -> None:
        say({"ready": True})
        lines.get()

    say(work(json.loads(lines.get()), ready))
    return 0


def conversation() -> "tuple[queue.Queue[bytes], Callable[[Answer], None]]":
    """The side of a ``ChildProcess``: the lines that it is told, and what answers one.

    What else prints to standard output is sent to standard error, and what else reads standard input finds it empty.
    The end of the input ends this process: the one that asked has gone.
    """
    processes.end_with_whoever_asked()
    lines = _input_lines()
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    process = os.getpid()

    def say(answer: Answer) -> None:
        if os.getpid() != process:  # code of the user's own has forked: one answer is enough
            os._exit(0)
        out.write(json.dumps(answer) + "\n")
        out.flush()

    return lines, say


def _input_lines() -> "queue.Queue[bytes]":
    source = os.fdopen(os.dup(0), "rb")
    with Path(os.devnull).open("rb") as nothing:
        os.dup2(nothing.fileno(), 0)
    lines: queue.Queue[bytes] = queue.Queue()

    def read() -> None:
        for line in source:
            lines.put(line)
        os._exit(1)

    threading.Thread(target=read, daemon=True).start()
    return lines
