"""What the operating system tells in files and by commands: without other packages, in syntax that Python 3.9 reads."""

from __future__ import annotations  # this file is read by Python 3.9 too

import subprocess
from collections.abc import Iterator
from pathlib import Path

SYSTEM = Path("/sys")
PROCESSES = Path("/proc")


def content(path: Path) -> str:
    """Of a file of the system; empty where it cannot be read."""
    try:
        return path.read_text(errors="replace")
    except OSError:
        return ""


def output(*command: str) -> str:
    """Of a command; empty where it fails."""
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=10).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return ""


def cpu_quota() -> float | None:
    """The CPU quota of this process's container in processors, such as 1.5; ``None`` without a limit.

    Read from control groups, version 1 and 2; the narrowest of the process's own group and those above it counts.
    """
    return min((limit for group in _groups("cpu") if (limit := _quota_of(group)) is not None), default=None)


def memory_limit() -> int | None:
    """The memory in bytes that this process's container may have; ``None`` without a limit. Read as ``cpu_quota``."""
    return min((limit for group in _groups("memory") if (limit := _memory_of(group)) is not None), default=None)


def _groups(controller: str) -> Iterator[Path]:
    """The folders of this process's control group and of those above it that may limit something."""
    for line in content(PROCESSES / "self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, name = rest.partition(":")
        if number == "0" and not controllers:
            roots = [SYSTEM / "fs/cgroup", SYSTEM / "fs/cgroup/unified"]
        elif controller in controllers.split(","):
            roots = [SYSTEM / "fs/cgroup" / controllers, SYSTEM / "fs/cgroup" / controller]
        else:
            continue
        for root in roots:
            # In a container the path may be that of the host, and the group's files lie at the root.
            parts = [part for part in name.split("/") if part not in ("", "..")]
            for length in range(len(parts) + 1):
                yield root.joinpath(*parts[:length])


def _quota_of(group: Path) -> float | None:
    quota, _, period = content(group / "cpu.max").strip().partition(" ")  # version 2
    if not quota:
        quota, period = content(group / "cpu.cfs_quota_us").strip(), content(group / "cpu.cfs_period_us").strip()
    if not (quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0):  # "max" or -1: none
        return None
    return round(int(quota) / int(period), 3)


def _memory_of(group: Path) -> int | None:
    told = content(group / "memory.max").strip() or content(group / "memory.limit_in_bytes").strip()
    return int(told) if told.isdecimal() and int(told) < 2**62 else None  # "max", or as good as that: none
