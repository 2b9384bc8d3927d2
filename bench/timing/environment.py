"""The variables that processes which time are started with."""

from __future__ import annotations  # this file is read by Python 3.9 too

import os

# glibc hands freed memory back to the system and gets it anew, thousands of page faults a round, or it does not,
# by how a process happened to lay out its memory. That was up to half of the spread between processes, and a
# third of the time (docs/timing.md); so workers keep what they have. Other C libraries ignore these names.
KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}


def environment(threads: int) -> dict[str, str]:
    """What is set for the processes that time; an allocator that the user has set up is left alone."""
    own = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return own if any(name.startswith("MALLOC_") for name in os.environ) else {**own, **KEEP_MEMORY}
