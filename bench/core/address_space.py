"""The limit on addresses that ``ulimit -v`` sets: beyond it libraries abort, each in a way of its own."""

from __future__ import annotations  # this file is read by Python 3.9 too

import subprocess
import sys

from bench.core.errors import InputError, bytes_text

# What every network needs. PyTorch itself takes some gigabytes of addresses, how many depends on how it was built.
_TRIAL = "import cv2, torch, torchvision; torch.nn.Conv2d(3, 8, 3)(torch.zeros(1, 3, 64, 64))"


def limit_bytes() -> int | None:
    """What the process may have; ``None`` without a limit, or where the system has none."""
    try:
        import resource
    except ImportError:
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def check() -> None:
    """Fail where PyTorch does not run within the limit; tried in a process of its own, and only where there is one.

    Raises:
        InputError: it does not.
    """
    limit = limit_bytes()
    if limit is None:
        return
    tried = subprocess.run([sys.executable, "-c", _TRIAL], stdin=subprocess.DEVNULL, capture_output=True)
    if tried.returncode:
        raise InputError(
            f"PyTorch does not run within {bytes_text(limit)} of memory, which ulimit -v lets a process have: "
            "raise that limit, or lift it with ulimit -v unlimited"
        )


def hint() -> str:
    """For a process that died, what it may have died of; nothing where there is no limit."""
    limit = limit_bytes()
    return "" if limit is None else f"; ulimit -v lets it have {bytes_text(limit)} of memory, which may be too little"
