"""What a device is, in its own system's words: board, classes of cores, frequencies, power, sensors, container.

Needs no other package. What a system does not tell is absent.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import os
import platform
import re
from pathlib import Path
from typing import Any

from bench.core import system_files

# Of the register MIDR_EL1, as /proc/cpuinfo gives it; source: the kernel's arch/arm64/include/asm/cputype.h.
IMPLEMENTERS = {
    0x41: "Arm", 0x42: "Broadcom", 0x43: "Cavium", 0x46: "Fujitsu", 0x48: "HiSilicon", 0x4E: "NVIDIA",
    0x50: "Ampere", 0x51: "Qualcomm", 0x53: "Samsung", 0x56: "Marvell", 0x61: "Apple", 0x6D: "Microsoft",
    0xC0: "Ampere",
}  # fmt: skip
PARTS = {
    (0x41, 0xB76): "ARM1176", (0x41, 0xC05): "Cortex-A5", (0x41, 0xC07): "Cortex-A7", (0x41, 0xC08): "Cortex-A8",
    (0x41, 0xC09): "Cortex-A9", (0x41, 0xC0D): "Cortex-A12", (0x41, 0xC0E): "Cortex-A17", (0x41, 0xC0F): "Cortex-A15",
    (0x41, 0xD01): "Cortex-A32", (0x41, 0xD02): "Cortex-A34", (0x41, 0xD03): "Cortex-A53", (0x41, 0xD04): "Cortex-A35",
    (0x41, 0xD05): "Cortex-A55", (0x41, 0xD06): "Cortex-A65", (0x41, 0xD07): "Cortex-A57", (0x41, 0xD08): "Cortex-A72",
    (0x41, 0xD09): "Cortex-A73", (0x41, 0xD0A): "Cortex-A75", (0x41, 0xD0B): "Cortex-A76",
    (0x41, 0xD0C): "Neoverse-N1", (0x41, 0xD0D): "Cortex-A77", (0x41, 0xD0E): "Cortex-A76AE",
    (0x41, 0xD40): "Neoverse-V1", (0x41, 0xD41): "Cortex-A78", (0x41, 0xD42): "Cortex-A78AE",
    (0x41, 0xD44): "Cortex-X1", (0x41, 0xD46): "Cortex-A510", (0x41, 0xD47): "Cortex-A710", (0x41, 0xD48): "Cortex-X2",
    (0x41, 0xD49): "Neoverse-N2", (0x41, 0xD4B): "Cortex-A78C", (0x41, 0xD4C): "Cortex-X1C",
    (0x41, 0xD4D): "Cortex-A715", (0x41, 0xD4E): "Cortex-X3", (0x41, 0xD4F): "Neoverse-V2",
    (0x41, 0xD80): "Cortex-A520", (0x41, 0xD81): "Cortex-A720", (0x41, 0xD82): "Cortex-X4",
    (0x41, 0xD85): "Cortex-X925", (0x41, 0xD87): "Cortex-A725",
    (0x43, 0x0A1): "ThunderX", (0x43, 0x0AF): "ThunderX2", (0x46, 0x001): "A64FX", (0x48, 0xD01): "TaiShan v110",
    (0x4E, 0x003): "Denver 2", (0x4E, 0x004): "Carmel", (0x51, 0x001): "Oryon", (0x51, 0x211): "Kryo",
    (0x51, 0x800): "Kryo 2xx Gold", (0x51, 0x801): "Kryo 2xx Silver", (0x51, 0x802): "Kryo 3xx Gold",
    (0x51, 0x803): "Kryo 3xx Silver", (0x51, 0x804): "Kryo 4xx Gold", (0x51, 0x805): "Kryo 4xx Silver",
    (0x61, 0x022): "M1 Icestorm", (0x61, 0x023): "M1 Firestorm", (0x61, 0x032): "M2 Blizzard",
    (0x61, 0x033): "M2 Avalanche", (0xC0, 0xAC3): "Ampere-1",
}  # fmt: skip
X86 = re.compile(r"^(x86_64|amd64|i[3-6]86)$", re.IGNORECASE)
_CONTAINERS = {
    "docker": "docker",
    "containerd": "containerd",
    "kubepods": "kubernetes",
    "lxc": "lxc",
    "libpod": "podman",
}
_ANDROID = {"model": "ro.product.model", "maker": "ro.product.manufacturer", "soc": "ro.soc.model",
            "release": "ro.build.version.release"}  # fmt: skip


def describe() -> dict[str, Any]:
    """All of it, as plain values for a record's notes."""
    android = _android()
    found = {
        "board": _board_model() or _of_firmware(),
        "soc": _soc() or android.get("soc"),
        "architecture": platform.machine(),
        "android": android,
        "classes": core_classes(),
        "power": _power(),
        "temperature_zones": _zones(),
        "container": _container(),
        "cpu_quota": system_files.cpu_quota(),
        "emulated": emulated(),
    }
    return {name: value for name, value in found.items() if value not in (None, "", {}, [])}


def processor_name() -> str:
    """What records call the processor of a board or phone: its model and its cores; empty where neither is told."""
    android = _android()
    phone = " ".join(filter(None, (android.get("maker"), android.get("model"))))
    board = _board_model() or phone
    if not board:
        return ""
    counted = [(one["name"], len(one["cores"])) for one in core_classes() if "name" in one]
    totals: dict[str, int] = {}
    for name, count in counted:
        totals[name] = totals.get(name, 0) + count
    cores = " + ".join(f"{count}x {name}" for name, count in totals.items())
    inside = ", ".join(filter(None, (android.get("soc"), cores)))
    return f"{board} ({inside or platform.machine()})"


# ------------------------------------------------------------------------------ classes of cores


def core_classes() -> list[dict[str, Any]]:
    """The classes of cores, the fastest first: those that share a frequency policy, or else those of equal capacity.

    Each has ``cores`` (numbers), and where the system tells ``name``, ``mhz_least``, ``mhz_most``, ``governor`` and
    ``capacity`` (1024 is the fastest core's).
    """
    names = _part_names()
    capacities = _capacities()
    groups: list[tuple[list[int], Path | None]] = []
    for policy in sorted((system_files.SYSTEM / "devices/system/cpu/cpufreq").glob("policy*")):
        cores = _numbers(_text(policy / "related_cpus") or _text(policy / "affected_cpus"))
        if cores:
            groups.append((cores, policy))
    if not groups:
        kinds: dict[tuple[Any, Any], list[int]] = {}
        for core in sorted(names.keys() | capacities.keys()):
            kinds.setdefault((names.get(core), capacities.get(core)), []).append(core)
        groups = [(cores, None) for cores in kinds.values()]
    alike: dict[str, dict[str, Any]] = {}
    for cores, folder in groups:
        one: dict[str, Any] = {}
        if cores[0] in names:
            one["name"] = names[cores[0]]
        if cores[0] in capacities:
            one["capacity"] = capacities[cores[0]]
        for key, file in (("mhz_least", "cpuinfo_min_freq"), ("mhz_most", "cpuinfo_max_freq")):
            told = _text(folder / file) if folder else ""
            if told.isdecimal():
                one[key] = int(told) / 1000
        governor = _text(folder / "scaling_governor") if folder else ""
        if governor:
            one["governor"] = governor
        # On processors with a policy for every core those that are alike are one class.
        alike.setdefault(repr(one), {**one, "cores": []})["cores"] += cores
    found = list(alike.values())
    for one in found:
        one["cores"].sort()
    return sorted(found, key=lambda one: (*(-value for value in _rank(one)), one["cores"]))


def _rank(one: dict[str, Any]) -> tuple[float, float]:
    """How fast a class of cores is beside others."""
    return one.get("capacity", 0), one.get("mhz_most", 0)


def cores_named(word: str) -> list[int]:
    """The cores of the class ``big`` (the fastest) or ``little`` (the slowest).

    Raises:
        ValueError: there is one class only, or the system tells of none.
    """
    classes = core_classes()
    ranked = [_rank(one) for one in classes]
    if len(set(ranked)) < 2:
        raise ValueError("the cores of this machine are all alike, or the system does not tell them apart")
    chosen = ranked[0] if word == "big" else ranked[-1]
    return sorted(core for one in classes if _rank(one) == chosen for core in one["cores"])


def _part_names() -> dict[int, str]:
    """Arm's names of cores by number; codes where they are not known here."""
    found: dict[int, str] = {}
    core, implementer = -1, None
    for line in _text(system_files.PROCESSES / "cpuinfo").splitlines():
        key, _, value = (part.strip() for part in line.partition(":"))
        if key == "processor" and value.isdecimal():
            core, implementer = int(value), None
        elif key == "CPU implementer":
            implementer = _hex(value)
        elif key == "CPU part" and implementer is not None:
            part = _hex(value)
            maker = IMPLEMENTERS.get(implementer, f"implementer {implementer:#04x}")
            known = PARTS.get((implementer, part if part is not None else -1))
            found[core] = known or f"{maker} part {value}"
    return found


def _capacities() -> dict[int, int]:
    found = {}
    for folder in (system_files.SYSTEM / "devices/system/cpu").glob("cpu[0-9]*"):
        told = _text(folder / "cpu_capacity")
        if told.isdecimal():
            found[int(folder.name[3:])] = int(told)
    return found


# ------------------------------------------------------------------------------ board, system on chip, phone


def _board_model() -> str:
    for folder in (system_files.PROCESSES / "device-tree", system_files.SYSTEM / "firmware/devicetree/base"):
        model = _text(folder / "model").strip("\0 \n")
        if model:
            return model
    return ""


def _of_firmware() -> str:
    """A computer's model, as its maker told the firmware, Apple or Windows."""
    if platform.system() == "Darwin":
        return system_files.output("sysctl", "-n", "hw.model")
    if platform.system() == "Windows":
        return _windows_model()
    folder = system_files.SYSTEM / "class/dmi/id"
    names = [_text(folder / name) for name in ("sys_vendor", "product_name")]
    return " ".join(name for name in names if name and "filled by" not in name.lower())


def _windows_model() -> str:
    try:
        import winreg

        open_key: Any = winreg.OpenKey  # type: ignore[attr-defined,unused-ignore]
        value: Any = winreg.QueryValueEx  # type: ignore[attr-defined,unused-ignore]
        with open_key(winreg.HKEY_LOCAL_MACHINE, r"HARDWARE\DESCRIPTION\System\BIOS") as key:  # type: ignore[attr-defined,unused-ignore]
            return " ".join(str(value(key, name)[0]) for name in ("SystemManufacturer", "SystemProductName"))
    except (ImportError, OSError):
        return ""


def _soc() -> str:
    for folder in sorted((system_files.SYSTEM / "devices").glob("soc[0-9]*")):
        names = [_text(folder / name) for name in ("family", "soc_id", "machine")]
        told = " ".join(name for name in names if name)
        if told:
            return told
    # The board's list of names that it is compatible with ends with its system on chip's.
    compatible = _text(system_files.PROCESSES / "device-tree/compatible").strip("\0 \n").split("\0")
    return compatible[-1] if len(compatible) > 1 else ""


def _android() -> dict[str, str]:
    """Its properties, where Python runs on Android, as under Termux."""
    if "ANDROID_ROOT" not in os.environ:
        return {}
    found = {name: system_files.output("getprop", key) for name, key in _ANDROID.items()}
    return {name: value for name, value in found.items() if value}


# ------------------------------------------------------------------------------ power, sensors, container, emulation


def _power() -> str:
    """battery, or mains."""
    supplies = [(_text(one / "type"), one) for one in sorted((system_files.SYSTEM / "class/power_supply").glob("*"))]
    outside = [_text(one / "online") for kind, one in supplies if kind in ("Mains", "USB", "Wireless")]
    batteries = [
        _text(one / "status") for kind, one in supplies if kind == "Battery" and _text(one / "scope") != "Device"
    ]
    if "1" in outside:
        return "mains"
    if batteries:
        return "battery" if "Discharging" in batteries or "0" in outside else "mains"
    return "mains" if "0" not in outside and outside else ""


def _zones() -> dict[str, float]:
    """Degrees Celsius now, by the names of the zones."""
    found = {}
    for zone in sorted((system_files.SYSTEM / "class/thermal").glob("thermal_zone*")):
        told = _text(zone / "temp")
        if re.fullmatch(r"-?\d{1,6}", told) and 0 < int(told) < 200_000:
            found[f"{_text(zone / 'type') or 'zone'} ({zone.name[12:]})"] = int(told) / 1000
    return found


def _container() -> str:
    """What kind of container this runs in; empty on the machine itself."""
    if (system_files.PROCESSES.parent / ".dockerenv").exists():
        return "docker"
    if (system_files.PROCESSES.parent / "run/.containerenv").exists():
        return "podman"
    groups = _text(system_files.PROCESSES / "1/cgroup") + _text(system_files.PROCESSES / "self/cgroup")
    for word, name in _CONTAINERS.items():
        if word in groups:
            return name
    return ""


def emulated() -> str:
    """What speaks for a processor that is emulated, where timings mean nothing; empty where nothing does."""
    mine = platform.machine()
    kernel = _text(system_files.PROCESSES / "sys/kernel/arch")
    intel = bool(X86.match(mine))
    if kernel and intel != bool(X86.match(kernel)):
        return f"the program is for {mine}, and the kernel is for {kernel}"
    if not intel and "GenuineIntel" in _text(system_files.PROCESSES / "cpuinfo"):
        return f"the program is for {mine}, and the processor is Intel's"
    if not intel and "AuthenticAMD" in _text(system_files.PROCESSES / "cpuinfo"):
        return f"the program is for {mine}, and the processor is AMD's"
    if not intel and (system_files.SYSTEM / "devices/system/cpu/microcode").exists():
        return f"the program is for {mine}, and the processor takes x86 microcode"
    if platform.system() == "Darwin" and system_files.output("sysctl", "-n", "sysctl.proc_translated") == "1":
        return "Rosetta translates the program"
    return ""


# ------------------------------------------------------------------------------ reading


def _text(path: Path) -> str:
    return system_files.content(path).strip()


def _hex(value: str) -> int | None:
    try:
        return int(value, 16)
    except ValueError:
        return None


def _numbers(text: str) -> list[int]:
    """``0 1 2-3`` as numbers."""
    found: list[int] = []
    for first, last in re.findall(r"(\d{1,4})(?:-(\d{1,4}))?", text):
        found += range(int(first), int(last or first) + 1)
    return found
