"""Environment variables of processes that time networks, and of those that prepare them."""

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
# By default, threads that wait for each other spin, and beside other work they spin for one that is not running: small
# operators then took 9 to 25 times as long (docs/timing.md). Alone, and where it is timed, spinning is better.
SLEEP_WHILE_WAITING = {"OMP_WAIT_POLICY": "PASSIVE"}


def converting_variables(threads: int) -> dict[str, str]:
    """Those of a process that makes files beside others and times nothing.

    If the user has configured how threads wait, that stays.
    """
    configured = any(name in os.environ for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"))
    return process_variables(threads) | ({} if configured else SLEEP_WHILE_WAITING)


def process_variables(threads: int) -> dict[str, str]:
    """Those of a process that times; if the user has configured the allocator, it is left alone."""
    own = {"OMP_NUM_THREADS": str(threads), "MKL_NUM_THREADS": str(threads)}
    return own if any(name.startswith("MALLOC_") for name in os.environ) else {**own, **KEEP_MEMORY}
