"""The machine as the operating system describes it: without other packages, in syntax that Python 3.9 reads.

``bench.core.machine`` turns it into the form of records.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import os
import platform
import re
from typing import Any

from bench.core import address_space, board, system_files
from bench.core.system_files import content, output
from bench.core.system_files import cpu_quota as cpu_quota


def describe() -> dict[str, Any]:
    """Operating system, processor, memory and a container's limit, by the names that records have for them.

    What the system does not report is absent.
    """
    memory = _memory_bytes()
    frequency = _top_mhz()
    quota = cpu_quota()
    return {
        "os": f"{platform.system()} {platform.release()}",
        "cpu": _cpu_name(),
        "cores": physical_cores(),
        "logical_cores": usable_cores(),
        **({"memory_bytes": memory} if memory else {}),
        **({"cpu_mhz_max": frequency} if frequency else {}),
        **({"cpu_quota": quota} if quota is not None else {}),
    }


# ------------------------------------------------------------------------------ processors and threads


def usable_cores() -> int:
    """Logical processors that this process may run on."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def physical_cores() -> int:
    """Physical cores of the machine; logical processors if the system does not tell them apart."""
    try:
        import psutil

        known = psutil.cpu_count(logical=False)
    except ImportError:
        known = len(_siblings())
    return known or os.cpu_count() or 1


def default_threads() -> int:
    """The default number of threads of a measurement.

    It is ``OMP_NUM_THREADS`` if set, otherwise one per physical core, as in PyTorch, but no more than a container's
    quota allows: threads beyond it are stopped for most of every tenth of a second. It is never more than the number
    of processors that this process may run on.
    """
    asked = re.match(r"\s*\+?(\d{1,6})", os.environ.get("OMP_NUM_THREADS", ""))  # "4,2": of nested regions, the outer
    if asked and int(asked[1]) > 0:
        return min(int(asked[1]), usable_cores())
    return threads_of(physical_cores(), usable_cores(), cpu_quota())


def threads_of(physical: int, usable: int, quota: float | None) -> int:
    """The default number of threads on a machine, unless ``OMP_NUM_THREADS`` is set."""
    return min(physical, usable, max(1, int(quota)) if quota is not None else usable)


def _siblings() -> set[str]:
    """Which logical processors share a core, a text a core; of Linux."""
    folders = (system_files.SYSTEM / "devices/system/cpu").glob("cpu[0-9]*")
    return {text for text in (content(folder / "topology/thread_siblings_list").strip() for folder in folders) if text}


# ------------------------------------------------------------------------------ names and sizes


# What decides how fast an x86 processor multiplies, each with Linux's names for it, of which one is enough.
_EXTENSIONS = {
    "AVX2": ("avx2",),
    "AVX-512": ("avx512f",),
    "VNNI": ("avx512_vnni", "avx_vnni"),
    "BF16": ("avx512_bf16",),
    "FP16": ("avx512_fp16",),
    "AMX": ("amx_tile",),
}


def _cpu_name() -> str:
    """Of a board or phone with an Arm processor, which has no name of its own, the board's with its cores.

    In a virtual machine of x86, with the instructions that count: a hypervisor may call processors of two generations
    by one name, such as "AMD EPYC", and may hide instructions of a processor that it names in full.
    """
    cpuinfo = content(system_files.PROCESSES / "cpuinfo")
    for line in cpuinfo.splitlines():
        name = line.partition(":")[2].strip()
        if line.startswith("model name") and not name.startswith("ARMv"):  # as all cores of an architecture are called
            return f"{name}{_extensions(cpuinfo)}"
    name = board.processor_name()
    if name:
        return name
    if platform.system() == "Darwin":
        name = output("sysctl", "-n", "machdep.cpu.brand_string")
    elif platform.system() == "Windows":
        name = os.environ.get("PROCESSOR_IDENTIFIER", "")
    else:
        classes = [one for one in board.core_classes() if "name" in one]
        name = " + ".join(f"{len(one['cores'])}x {one['name']}" for one in classes)
    return name or platform.processor() or platform.machine() or "unknown"


def _extensions(cpuinfo: str) -> str:
    """Such as " (AVX-512, VNNI)" in a virtual machine of x86; empty elsewhere."""
    flags = next((line.split() for line in cpuinfo.splitlines() if line.startswith("flags")), [])
    if "hypervisor" not in flags:
        return ""
    there = [name for name, signs in _EXTENSIONS.items() if any(sign in flags for sign in signs)]
    if "AVX-512" in there:
        there.remove("AVX2")
    return f" ({', '.join(there) or 'no AVX2'})"


def usable_memory_bytes() -> int | None:
    """The memory that this process may have: the machine's, as far as its container and ``ulimit -v`` let it; none if
    it is not told."""
    limits = (_memory_bytes(), system_files.memory_limit(), address_space.limit_bytes())
    return min((size for size in limits if size), default=None)


def _memory_bytes() -> int | None:
    try:
        import psutil
    except ImportError:
        pass
    else:
        return int(psutil.virtual_memory().total)
    try:
        return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    except (AttributeError, ValueError, OSError):
        return _windows_memory_bytes()


def _windows_memory_bytes() -> int | None:
    if platform.system() != "Windows":
        return None
    import ctypes

    kilobytes = ctypes.c_ulonglong()
    kernel: Any = ctypes.windll.kernel32  # type: ignore[attr-defined,unused-ignore]
    return kilobytes.value * 1024 if kernel.GetPhysicallyInstalledSystemMemory(ctypes.byref(kilobytes)) else None


def _top_mhz() -> float | None:
    """Highest frequency that the processor may take: mean over classes of cores, as psutil gives it."""
    try:
        import psutil
    except ImportError:
        policies = sorted((system_files.SYSTEM / "devices/system/cpu/cpufreq").glob("policy*"))
        told = [content(policy / "scaling_max_freq").strip() for policy in policies]
        known = [int(text) / 1000 for text in told if text.isdecimal()]
        return sum(known) / len(known) if known else None
    try:
        frequency = psutil.cpu_freq()
    except Exception:  # what sensors there are differs from machine to machine
        return None
    return (frequency.max or None) if frequency else None
