"""Converters that run as programs of their own: what they print, where they write and how they fail stays with them."""

import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path

from bench.core.errors import how_it_died, last_line
from bench.core.library_settings import forbid_telemetry


class ConversionError(Exception):
    """A converter failed; ``bench.backends.cache`` says for which kind of file."""


def run(command: Sequence[str | Path], name: str, outputs: Sequence[Path]) -> None:
    """Run a converter in an empty folder, which is deleted afterwards.

    Args:
        command: with absolute paths.
        name: of the converter, for messages.
        outputs: the files that it must have written.

    Raises:
        ConversionError: it did not write all of them; what it said last is in the message.
    """
    forbid_telemetry()  # converters import ONNX Runtime, and this may be called without a command of the project
    with tempfile.TemporaryDirectory(prefix="lightpose-") as folder:
        done = subprocess.run(
            list(map(str, command)), cwd=folder, capture_output=True, text=True,
            errors="replace", stdin=subprocess.DEVNULL,
        )  # fmt: skip
    if done.returncode or not all(file.is_file() and file.stat().st_size for file in outputs):
        said = f"{done.stdout}\n{done.stderr}"
        if done.returncode:
            raise ConversionError(f"{name} {how_it_died(done.returncode, said)}")
        raise ConversionError(f"{name} did not write its file: {last_line(said)}")
