"""Everything that a training needs to go on as if it had never stopped, in one file."""

import contextlib
import io
import os
import random
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.errors import InputError, described
from bench.core.files import side_path, write_whole

FORMAT = 1


def save(path: Path, content: dict[str, Any]) -> None:
    """Write a checkpoint: whole or not at all, and surely on the disk when this returns.

    Args:
        path: the file.
        content: tensors, numbers and text in plain containers, so that reading it runs nothing.

    Raises:
        OSError: it cannot be written; what was there before is still there.
    """
    # To memory first: torch.save tells of a full disk in many ways, a plain write in one.
    buffer = io.BytesIO()
    torch.save({"format": FORMAT, **content}, buffer)
    write_whole(path, buffer.getbuffer())


def copy(source: Path, target: Path) -> None:
    """Give a file that will not be changed a second name, in one step."""
    side = side_path(target)
    side.unlink(missing_ok=True)
    try:
        os.link(source, side)
    except OSError:  # a file system without links
        write_whole(target, source.read_bytes())
        return
    side.replace(target)


def load(path: Path) -> dict[str, Any]:
    """Read a checkpoint; nothing in it is run.

    Raises:
        InputError: it is no checkpoint, or damaged.
    """
    with readable(path):
        with zipfile.ZipFile(path) as archive:
            if damaged := archive.testzip():  # PyTorch does not look at checksums
                raise ValueError(f"the checksum of {damaged} is another")
        content = torch.load(path, map_location="cpu", weights_only=True)
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a checkpoint of this version: start anew with another --out")
    if not isinstance(content.get("run"), dict) or "finished" not in content:
        raise InputError(f"{path} is damaged: start anew with another --out")
    return content


@contextlib.contextmanager
def readable(path: Path) -> Iterator[None]:
    """Around what takes a checkpoint apart: whatever a damaged one makes of it is one line.

    Raises:
        InputError: something failed.
    """
    try:
        yield
    except Exception as error:  # each part of a damaged file fails in a way of its own
        raise InputError(
            f"{path} is not a checkpoint that can be read ({described(error)[:200]}): start anew with another --out"
        ) from error


def rng_state() -> dict[str, Any]:
    """The state of every generator of random numbers of this process, as plain data."""
    name, keys, *rest = np.random.get_state(legacy=True)
    return {
        "python": random.getstate(),
        "numpy": (name, keys.tolist(), *rest),  # type: ignore[union-attr]
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state() if torch.cuda.is_initialized() else None,  # type: ignore[no-untyped-call]
    }


def set_rng_state(state: dict[str, Any]) -> None:
    """Set what ``rng_state`` gave."""
    random.setstate(state["python"])
    name, keys, *rest = state["numpy"]
    np.random.set_state((name, np.array(keys, np.uint32), *rest))
    torch.set_rng_state(state["torch"])
    if state["cuda"] is not None and torch.cuda.is_available():
        torch.cuda.set_rng_state(state["cuda"])
