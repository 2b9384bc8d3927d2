"""Environment variables of timing processes."""

from __future__ import annotations  # this file is read by Python 3.9 too

import os

# Depending on how a process happens to lay out its memory, glibc returns freed memory to the system and gets it again,
# with thousands of page faults per round, or keeps it. That was up to half of the spread between processes and a third
# of the time (docs/timing.md), so workers always keep it. Other C libraries ignore these names.
KEEP_MEMORY = {
    "MALLOC_TRIM_THRESHOLD_": str(2**30),
    "MALLOC_MMAP_THRESHOLD_": str(2**30),
    "MALLOC_TOP_PAD_": str(2**26),
}


def process_variables(threads: int) -> dict[str, str]:
    """The variables; if the user has configured the allocator, it is left alone."""
    own = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return own if any(name.startswith("MALLOC_") for name in os.environ) else {**own, **KEEP_MEMORY}
