"""What all tests share."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

# Test processes share the machine: threads that spin while they wait would fight each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")

import pytest
import torch

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


@pytest.fixture
def tiny(tmp_path: Path) -> str:
    """A user's own network in a file, as --models takes it; quick to time."""
    path = tmp_path / "own_model.py"
    path.write_text(TINY)
    return f"{path}:tiny"


@pytest.fixture
def command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Run a command of the project as a user would, from the root of the project."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", *arguments], cwd=ROOT, capture_output=True, text=True, timeout=300, **options
        )

    return run
