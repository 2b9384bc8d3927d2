"""One process of a pair: builds the network of one revision, then times as many rounds as it is told to.

    python -P worker.py PARENT

Started by ``bench.regress.pairs`` with its own process number and with the root of the revision first on the path: both
revisions are timed by this same code, and all that is theirs is what it imports. A job comes as a line of JSON on
standard input, then numbers of rounds, a line each; every line is answered by one. What else prints goes to standard
error.
"""

import ctypes
import json
import os
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TextIO

_END_WITH_PARENT = 1  # Linux: PR_SET_PDEATHSIG


def main() -> None:
    if sys.platform == "linux":  # also while it computes, when it does not see that its input has ended
        ctypes.CDLL(None).prctl(_END_WITH_PARENT, signal.SIGKILL)
        if os.getppid() != int(sys.argv[1]):  # it ended before that
            return
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.loads(sys.stdin.readline())
    try:
        timer = _Timer(job)
    except Exception as error:
        _say(answers, _problem(error, job))
        return
    _say(answers, {"round_ms": timer.round_ms, "root": timer.root})
    for line in sys.stdin:
        _say(answers, {"ms": timer.rounds(int(line))})


class _Timer:
    def __init__(self, job: dict[str, Any]) -> None:
        import torch

        import bench
        from bench import backends
        from bench.data import photograph
        from bench.models import build, is_factory
        from bench.speed.weights import enliven

        torch.set_num_threads(job["threads"])
        torch.set_grad_enabled(False)
        self.root = str(Path(bench.__file__).parent.parent)
        self.slower = float(job["slower"])
        self.device = torch.device(job["device"])
        self.wait: Callable[[], None] = torch.cuda.synchronize if self.device.type == "cuda" else _nothing
        model = build(job["model"], num_joints=job["num_joints"], seed=0)
        if not is_factory(job["model"]):
            enliven(model, 0)
        model.to(self.device)
        example = photograph(tuple(job["input"])).expand(job["batch"], -1, -1, -1).contiguous().to(self.device)
        self.example = example
        self.run = backends.load(job["backend"]).prepare(model, example)
        self.rounds(job["warmup"])
        _stay_on(job["processor"])
        self.round_ms = min(self.rounds(3))

    def rounds(self, count: int) -> list[float]:
        clock, run, example, wait = time.perf_counter, self.run, self.example, self.wait
        found = []
        for _ in range(count):
            start = clock()
            run(example)
            wait()
            # A slow-down on purpose, for the check's own test: the processor is kept busy for a share of the time.
            end = start + (clock() - start) * (1 + self.slower)
            while self.slower and clock() < end:
                pass
            found.append((clock() - start) * 1000)
        return found


def _stay_on(processor: int | None) -> None:
    """Keep this process to one processor, all threads that it has by now."""
    if processor is not None:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})


def _nothing() -> None:
    """A CPU is done when the call returns."""


def _problem(error: Exception, job: dict[str, Any]) -> dict[str, Any]:
    """What to answer when the network cannot be timed, and whether the revision just does not know it."""
    unknown = False
    try:
        import zoo

        unknown = ":" not in job["model"] and job["model"] not in zoo.list_models()
    except Exception:  # what failed was the import, and that is what is told
        pass
    kind = "" if type(error).__name__ in ("InputError", "ZooError") else f"{type(error).__name__}: "
    return {"error": f"{kind}{error}", "unknown": unknown}


def _say(answers: TextIO, content: dict[str, Any]) -> None:
    answers.write(json.dumps(content) + "\n")
    answers.flush()


if __name__ == "__main__":
    main()
