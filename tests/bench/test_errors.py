"""What cannot be had of memory is said with how much was asked for, whichever library says so."""

import errno
import os
from collections.abc import Callable

import cv2
import numpy as np
import pytest
import torch

from bench.core.errors import InputError, described, in_short
from bench.core.processes import user_code

TOO_MUCH: dict[str, tuple[Callable[[], object], str]] = {
    "torch": (lambda: torch.zeros(4096, 3, 4096, 4096 * 64), "out of memory, 52.78 TB asked for at once: give fewer"),
    "numpy": (lambda: np.zeros(2**50, np.uint8), "out of memory, 1.00 PiB asked for at once: give fewer"),
    "cv2": (
        lambda: cv2.resize(np.zeros((2, 2, 3), np.uint8), (2**20, 2**20)), "out of memory, 3.299 TB asked for at once",
    ),
    "python": (lambda: bytearray(2**50), "out of memory: give fewer or smaller things at a time"),
}  # fmt: skip


@pytest.mark.parametrize("who", TOO_MUCH)
def test_memory_that_cannot_be_had_is_said_with_how_much_was_asked_for(who: str) -> None:
    ask, says = TOO_MUCH[who]
    with pytest.raises(InputError) as error, user_code("mine.py:net"):
        ask()
    assert str(error.value).startswith(f"mine.py:net failed: {says}")
    assert "\n" not in str(error.value)


def test_cuda_says_it_in_words_of_its_own_and_other_errors_stay_as_they_are() -> None:
    error = torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 GiB. GPU 0 has 3 GiB free.")
    assert described(error) == "out of memory, 20.00 GiB asked for at once: give fewer or smaller things at a time"
    made = RuntimeError("node %conv2d failed")
    made.__cause__ = error
    assert described(made) == described(error)
    assert described(ValueError("no weights\nhere")) == "ValueError: no weights here"
    assert described(KeyError()) == "KeyError"


def test_a_full_disk_is_said_as_such_whichever_process_meets_it() -> None:
    full = OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), "cache/a.onnx")
    says = "cache/a.onnx: the disk is full: free some space and run the same command again"
    assert described(full) == in_short(full) == says
    # What else the system refuses may be about anything.
    assert (
        described(FileExistsError(errno.EEXIST, "File exists", "a")) == "FileExistsError: [Errno 17] File exists: 'a'"
    )
