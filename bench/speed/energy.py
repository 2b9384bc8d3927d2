"""Energy counters of the machine, if it has any and lets a program read them."""

import contextlib
from pathlib import Path
from typing import Any

POWERCAP = Path("/sys/class/powercap")
State = dict[str, tuple[float, float]]


def read(device: str) -> State:
    """Counters in joules, each with the value at which it wraps around to 0 (infinite: never).

    ``cpu`` is the sum over processor packages (RAPL), including everything that runs on them; ``gpu`` is the whole
    board (NVML). Counters that are absent, or that only root may read, are left out.
    """
    found: State = {}
    for index, folder in enumerate(sorted(POWERCAP.glob("intel-rapl:*"))):
        try:
            # Domains within a package, such as its cores, have a second number and would count twice.
            if folder.name.count(":") == 1 and (folder / "name").read_text().startswith("package"):
                kinds = ("energy", "max_energy_range")
                joules, wrap = (int((folder / f"{kind}_uj").read_text()) / 1e6 for kind in kinds)
                found[f"cpu{index}"] = (joules, wrap)
        except (OSError, ValueError):
            continue
    handle: Any = None
    if device.startswith("cuda"):
        from bench.core import machine  # which devices do without

        handle = machine.nvml_handle(device)
    if handle is not None:
        import pynvml

        with contextlib.suppress(pynvml.NVMLError):  # boards before Volta have no such counter
            found["gpu"] = (pynvml.nvmlDeviceGetTotalEnergyConsumption(handle) / 1000, float("inf"))
    return found


def spent(before: State, after: State) -> dict[str, float]:
    """Joules between two readings, for ``cpu`` and ``gpu``; a counter not read both times is absent."""
    total: dict[str, float] = {}
    for name in before.keys() & after.keys():
        (start, wrap), (end, _) = before[name], after[name]
        kind = name.rstrip("0123456789")
        total[kind] = total.get(kind, 0.0) + (end - start if end >= start else end - start + wrap)
    return total
