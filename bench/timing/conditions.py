"""The machine's conditions before, during and after timing, and the reasons not to trust a measurement.

Everything is read from the operating system, without other packages; what a system does not report is absent.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from bench.core import system_files
from bench.core.system_files import content

State = dict[str, Any]

LOOK_EVERY_S = 0.1
LOOKING_SHARE = 0.0005  # of the time, at most: a look that takes longer is taken more seldom
WATCHED, WARMEST = 8, 4  # files of a kind, and zones, that a look reads at most
# NVML's throttle reasons that a user does not choose, by bit.
THROTTLING = {4: "power cap", 8: "hardware slowdown", 32: "thermal slowdown", 64: "hardware thermal slowdown",
              128: "power brake"}  # fmt: skip


def cpu_state() -> State:
    """Load average (1 minute), frequency, temperature, and processor seconds spent so far: by all, by us, stolen."""
    state: State = {"own_s": time.process_time()}
    if hasattr(os, "getloadavg"):
        state["load_average"] = os.getloadavg()[0]
    state.update(_processor_seconds())
    faults = _page_faults()
    if faults is not None:
        state["page_faults"] = faults
    frequency = _frequency_mhz()
    if frequency is not None:
        state["cpu_mhz"] = frequency
    celsius = _celsius()
    if celsius is not None:
        state["cpu_celsius"] = celsius
    return state


def judge(before: State, after: State, elapsed_s: float, rounds: int) -> tuple[State, list[str]]:
    """The conditions around timed rounds, as records hold them, and warnings about them."""
    conditions: State = {"elapsed_s": round(elapsed_s, 3)}
    shown = ("load_average", "cpu_mhz", "cpu_celsius", *(key for key in before if key.startswith("gpu_")))
    for name in shown:
        for when, state in (("before", before), ("after", after)):
            if state.get(name) is not None:
                conditions[f"{name}_{when}"] = state[name]
    notes: list[str] = []
    if "page_faults" in before and "page_faults" in after:
        conditions["page_faults_per_round"] = round((after["page_faults"] - before["page_faults"]) / rounds, 1)
    if "busy_s" in before and "busy_s" in after:
        spent = {name: after[name] - before[name] for name in ("busy_s", "own_s", "stolen_s")}
        others = max(0.0, spent["busy_s"] - spent["stolen_s"] - spent["own_s"]) / elapsed_s
        stolen = spent["stolen_s"] / elapsed_s
        conditions.update({"others_cores": round(others, 3), "stolen_cores": round(stolen, 3)})
        # Processor time is counted in steps of 10 ms or so: short measurements cannot tell.
        if others > 0.1 and elapsed_s > 0.2 and spent["busy_s"] - spent["own_s"] > 0.1:
            notes.append(f"machine busy: other processes used {others:.1f} cores while it was timed")
        if stolen > 0.05 and elapsed_s > 0.2 and spent["stolen_s"] > 0.1:
            notes.append(f"machine busy: the hypervisor took away {stolen:.1f} cores while it was timed")
    reasons = before.get("gpu_throttle_reasons", 0) | after.get("gpu_throttle_reasons", 0)
    notes += [f"GPU throttled: {text}" for bit, text in THROTTLING.items() if reasons & bit]
    return conditions, notes


class Watch:
    """Reads frequency, temperature and throttling between rounds; call it with the time in ns after each.

    Where the system has no files for them, as in virtual machines, it does nothing. Some boards take milliseconds to
    read a sensor: the next look is so much later that all of them take ``LOOKING_SHARE`` of the time.
    """

    def __init__(self, every_s: float = LOOK_EVERY_S) -> None:
        self.every_ns = int(every_s * 1e9)
        self.next_ns = 0
        # Of many alike some are enough; of zones those that are warmest now.
        policies = _some(_policies())
        self.top_mhz = _mean_mhz([path / "cpuinfo_max_freq" for path in policies])
        self.frequency_files = [path / "scaling_cur_freq" for path in policies]
        self.temperature_files = sorted(_temperature_files(), key=lambda file: -(_hottest([file]) or 0))[:WARMEST]
        self.cooling_files, self.firmware_files = _some(_cooling_files()), _firmware_files()
        if not (self.frequency_files or self.temperature_files or self.cooling_files or self.firmware_files):
            self.next_ns = sys.maxsize
        self.mhz: list[float] = []
        self.celsius: list[float] = []
        self.throttled: list[bool] = []
        self.looking_ns: list[int] = []  # what each look took

    def __call__(self, now_ns: int) -> None:
        if now_ns < self.next_ns:
            return
        started_ns = time.perf_counter_ns()
        frequency, celsius = _mean_mhz(self.frequency_files), _hottest(self.temperature_files)
        if frequency is not None:
            self.mhz.append(frequency)
        if celsius is not None:
            self.celsius.append(celsius)
        if self.cooling_files or self.firmware_files:
            self.throttled.append(_throttled(self.cooling_files, self.firmware_files))
        self.looking_ns.append(time.perf_counter_ns() - started_ns)
        self.next_ns = now_ns + max(self.every_ns, round(self.looking_ns[-1] / LOOKING_SHARE))

    def found(self) -> State:
        """What it saw, as conditions hold it, with the share of time below the top frequency."""
        seen: State = {}
        if self.mhz:
            seen["cpu_mhz_least"] = min(self.mhz)
            if self.top_mhz:
                slow = sum(mhz < 0.98 * self.top_mhz for mhz in self.mhz)
                seen["below_top_frequency_share"] = round(slow / len(self.mhz), 4)
        if self.celsius:
            seen["cpu_celsius_most"] = max(self.celsius)
        if self.throttled:
            seen["throttled_share"] = round(sum(self.throttled) / len(self.throttled), 4)
        if seen:
            seen["looks"] = len(self.looking_ns)
            seen["looking_s"] = round(sum(self.looking_ns) / 1e9, 6)
        return seen

    def warnings(self) -> list[str]:
        """Reasons not to trust what was timed meanwhile."""
        share = sum(self.throttled) / len(self.throttled) if self.throttled else 0
        return [f"CPU throttled for {share:.0%} of the time: it is too warm, or its power too weak"] if share else []


def peak_memory_bytes() -> int | None:
    """This process's peak resident memory; None if the system does not report it.

    Not from ``getrusage``, where a process starts with its parent's peak.
    """
    return _status_bytes("VmHWM")


def memory_bytes() -> int | None:
    """This process's resident memory now."""
    return _status_bytes("VmRSS")


def _status_bytes(name: str) -> int | None:
    for line in content(system_files.PROCESSES / "self" / "status").splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) * 1024
    return None


def _processor_seconds() -> State:
    """Seconds that all processors were busy, and that a hypervisor took away; of Linux only."""
    first = content(system_files.PROCESSES / "stat").partition("\n")[0].split()
    if len(first) < 9 or first[0] != "cpu":
        return _processor_seconds_of_psutil()
    tick = os.sysconf("SC_CLK_TCK")
    user, nice, system, _, _, irq, softirq, steal = (int(value) / tick for value in first[1:9])
    # User time holds that of virtual machines already.
    return {"busy_s": user + nice + system + irq + softirq + steal, "stolen_s": steal}


def _processor_seconds_of_psutil() -> State:
    """The same from psutil, on other systems, if it is installed."""
    try:
        import psutil
    except ImportError:
        return {}
    times = psutil.cpu_times()
    return {"busy_s": sum(times) - times.idle, "stolen_s": 0.0}


def _page_faults() -> int | None:
    """This process's minor page faults; None on Windows."""
    if sys.platform == "win32":
        return None
    import resource

    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt


def _frequency_mhz() -> float | None:
    """Mean over the processors, in MHz."""
    known = _mean_mhz([path / "scaling_cur_freq" for path in _policies()])
    if known is not None:
        return known
    lines = [line for line in content(system_files.PROCESSES / "cpuinfo").splitlines() if line.startswith("cpu MHz")]
    told = [float(line.rpartition(":")[2]) for line in lines]
    return sum(told) / len(told) if told else None


def _mean_mhz(files: Sequence[Path]) -> float | None:
    known = [kilohertz / 1000 for kilohertz in map(_number, files) if kilohertz]
    return sum(known) / len(known) if known else None


def _policies() -> list[Path]:
    """A folder for each class of cores that changes its frequency together."""
    return sorted((system_files.SYSTEM / "devices/system/cpu/cpufreq").glob("policy*"))


def _celsius() -> float | None:
    return _hottest(_temperature_files())


def _temperature_files() -> list[Path]:
    return sorted(path / "temp" for path in (system_files.SYSTEM / "class/thermal").glob("thermal_zone*"))


def _some(paths: list[Path]) -> list[Path]:
    """At most ``WATCHED`` of them, evenly chosen."""
    return paths[:: -(-len(paths) // WATCHED) or 1]


def _cooling_files() -> list[Path]:
    """The states of what cools processors by slowing them down, by the kernel's names for that."""
    folders = sorted((system_files.SYSTEM / "class/thermal").glob("cooling_device*"))
    return [
        folder / "cur_state" for folder in folders
        if any(name in content(folder / "type").lower() for name in ("cpufreq", "processor"))
    ]  # fmt: skip


def _firmware_files() -> list[Path]:
    """A Raspberry Pi's firmware slows the processor down by itself, unseen by the kernel."""
    return sorted((system_files.SYSTEM / "devices/platform").glob("soc*/*firmware/get_throttled"))


def _throttled(cooling_files: Sequence[Path], firmware_files: Sequence[Path]) -> bool:
    """Whether a processor is slowed down now. The lowest 4 bits of a Pi's firmware say so: of voltage and of heat."""
    if any(map(_number, cooling_files)):
        return True
    for file in firmware_files:
        try:
            if int(content(file).strip(), 16) & 0xF:
                return True
        except ValueError:
            continue
    return False


def _hottest(files: Sequence[Path]) -> float | None:
    """Degrees of the hottest zone that tells a plausible temperature."""
    known = [value / 1000 for value in map(_number, files) if value is not None and 0 < value < 200_000]
    return max(known) if known else None


def _number(path: Path) -> float | None:
    try:
        return float(content(path))
    except ValueError:
        return None
