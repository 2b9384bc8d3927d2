"""What all tests share."""

import os
import signal
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

# Test processes share the machine: threads that spin while they wait would fight each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

from tests.preloaded import POSSIBLE, Preloaded

# A shell's background jobs ignore Ctrl-C, and so would the commands that tests interrupt.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent

TINY = '''
from torch import nn


def tiny():
    """A network of one layer: a quarter of the input's size, 17 heatmaps."""
    return nn.Sequential(nn.Conv2d(3, 17, 3, 4, 1), nn.ReLU())
'''


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if not torch.cuda.is_available():
        for item in items:
            if item.get_closest_marker("gpu"):
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device"))


def skips(reports: list[pytest.TestReport]) -> Counter[str]:
    """How many tests were skipped, by reason."""
    return Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in reports if isinstance(report.longrepr, tuple)
    )


NO_REASON = ("", "Skipped", "unconditional skip")


def pytest_sessionfinish(session: pytest.Session) -> None:
    """A skip without a reason fails the run: nobody could tell what was not tested."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and any(reason in NO_REASON for reason in skips(reporter.stats.get("skipped", []))):
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """The last lines: what was not tested, and why."""
    found = skips(terminalreporter.stats.get("skipped", []))
    if found:
        terminalreporter.section(f"{found.total()} skipped")
    for reason, count in found.most_common():
        terminalreporter.write_line(f"{count:5} {'NO REASON GIVEN' if reason in NO_REASON else reason}")


@pytest.fixture(autouse=True)
def ctrl_c() -> Iterator[None]:
    """A test that leaves Ctrl-C ignored fails itself, and not some later one whose process cannot be interrupted."""
    yield
    left = signal.signal(signal.SIGINT, signal.default_int_handler)
    assert left is signal.default_int_handler, f"Ctrl-C was left as {left}"


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A user's own network in a file, as --models takes it; quick to time."""
    path = tmp_path / "own_model.py"
    path.write_text(TINY)
    return f"{path}:tiny"


@pytest.fixture(scope="session")
def preloaded() -> Iterator[Preloaded]:
    one = Preloaded(ROOT)
    yield one
    one.close()


@pytest.fixture
def command(preloaded: Preloaded) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the project as a user would, from the root of the project."""

    def run(*arguments: str | Path, **options: Any) -> subprocess.CompletedProcess[str]:
        if POSSIBLE and not options:
            return preloaded.run([str(argument) for argument in arguments], timeout=300)
        called = arguments if str(arguments[0]).endswith(".py") else ("-m", *arguments)
        return subprocess.run(
            [sys.executable, *called], cwd=ROOT, capture_output=True, text=True, timeout=300, **options
        )

    return run
