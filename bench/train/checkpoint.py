"""Everything that a training needs to go on as if it had never stopped, in one file."""

import io
import os
import pickle
import random
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.core.errors import InputError
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
    try:
        content = torch.load(path, map_location="cpu", weights_only=True)
    except (RuntimeError, EOFError, pickle.UnpicklingError, ValueError) as error:
        raise InputError(f"{path} is not a checkpoint that can be read: start anew with another --out") from error
    if not isinstance(content, dict) or content.get("format") != FORMAT:
        raise InputError(f"{path} is not a checkpoint of this version: start anew with another --out")
    return content


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
