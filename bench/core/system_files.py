"""What the operating system tells in files and by commands: without other packages, in syntax that Python 3.9 reads."""

from __future__ import annotations  # this file is read by Python 3.9 too

import subprocess
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
    limits = []
    for line in content(PROCESSES / "self/cgroup").splitlines():
        number, _, rest = line.partition(":")
        controllers, _, group = rest.partition(":")
        if number == "0" and not controllers:
            roots = [SYSTEM / "fs/cgroup", SYSTEM / "fs/cgroup/unified"]
        elif "cpu" in controllers.split(","):
            roots = [SYSTEM / "fs/cgroup" / controllers, SYSTEM / "fs/cgroup/cpu"]
        else:
            continue
        for root in roots:
            # In a container the path may be that of the host, and the group's files lie at the root.
            parts = [part for part in group.split("/") if part not in ("", "..")]
            for length in range(len(parts) + 1):
                limits.append(_quota_of(root.joinpath(*parts[:length])))
    known = [limit for limit in limits if limit is not None]
    return min(known) if known else None


def _quota_of(group: Path) -> float | None:
    quota, _, period = content(group / "cpu.max").strip().partition(" ")  # version 2
    if not quota:
        quota, period = content(group / "cpu.cfs_quota_us").strip(), content(group / "cpu.cfs_period_us").strip()
    if not (quota.isdecimal() and period.isdecimal() and int(quota) > 0 and int(period) > 0):  # "max" or -1: none
        return None
    return round(int(quota) / int(period), 3)
