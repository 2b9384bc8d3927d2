"""What a device is: the files of a Pi 5, a Jetson Orin, an Android phone and a container, and what they are read as."""

import ast
from pathlib import Path
from typing import Any

import pytest

from bench.core import board, machine, system_files
from bench.timing import conditions
from tests.conftest import ROOT


def cpuinfo(*cores: tuple[int, int]) -> str:
    """As an Arm kernel writes it, for implementers and parts of the cores."""
    return "".join(
        f"processor\t: {number}\nBogoMIPS\t: 108.00\nFeatures\t: fp asimd\nCPU implementer\t: {implementer:#04x}\n"
        f"CPU architecture: 8\nCPU variant\t: 0x4\nCPU part\t: {part:#05x}\nCPU revision\t: 1\n\n"
        for number, (implementer, part) in enumerate(cores)
    )


def policy(first: int, last: int, least: int, most: int, governor: str = "ondemand", now: int = 0) -> dict[str, str]:
    folder = f"sys/devices/system/cpu/cpufreq/policy{first}"
    return {
        f"{folder}/related_cpus": " ".join(map(str, range(first, last + 1))) + "\n",
        f"{folder}/cpuinfo_min_freq": f"{least}\n",
        f"{folder}/cpuinfo_max_freq": f"{most}\n",
        f"{folder}/scaling_max_freq": f"{most}\n",
        f"{folder}/scaling_cur_freq": f"{now or most}\n",
        f"{folder}/scaling_governor": f"{governor}\n",
    }


def capacities(*values: int) -> dict[str, str]:
    return {f"sys/devices/system/cpu/cpu{core}/cpu_capacity": f"{value}\n" for core, value in enumerate(values)}


PI_5 = {
    "proc/device-tree/model": "Raspberry Pi 5 Model B Rev 1.0\0",
    "proc/device-tree/compatible": "raspberrypi,5-model-b\0brcm,bcm2712\0",
    "proc/cpuinfo": cpuinfo(*[(0x41, 0xD0B)] * 4) + "Revision\t: c04170\nModel\t\t: Raspberry Pi 5 Model B Rev 1.0\n",
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "61450\n",
    "sys/class/thermal/cooling_device0/type": "pwm-fan\n",
    "sys/class/thermal/cooling_device0/cur_state": "3\n",
    "sys/class/thermal/cooling_device1/type": "cpufreq-cpu0\n",
    "sys/class/thermal/cooling_device1/cur_state": "0\n",
    "sys/devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled": "50000\n",  # earlier, not now
    **policy(0, 3, 1_500_000, 2_400_000, now=1_800_000),
}
JETSON = {
    "proc/device-tree/model": "NVIDIA Jetson Orin Nano Developer Kit\0",
    "sys/devices/soc0/family": "Tegra\n",
    "sys/devices/soc0/soc_id": "35\n",
    "proc/cpuinfo": "".join(
        part.replace("BogoMIPS", "model name\t: ARMv8 Processor rev 1 (v8l)\nBogoMIPS")
        for part in cpuinfo(*[(0x41, 0xD42)] * 6).splitlines(True)
    ),
    "sys/class/thermal/thermal_zone0/type": "cpu-thermal\n",
    "sys/class/thermal/thermal_zone0/temp": "48000\n",
    "sys/class/thermal/thermal_zone1/type": "gpu-thermal\n",
    "sys/class/thermal/thermal_zone1/temp": "-256000\n",  # as it says when the GPU sleeps
    **policy(0, 3, 115_200, 1_510_400, "schedutil"),
    **policy(4, 5, 115_200, 1_510_400, "schedutil"),
}
PHONE = {
    "proc/cpuinfo": cpuinfo(*[(0x41, 0xD46)] * 4, *[(0x41, 0xD47)] * 3, (0x41, 0xD48)),
    "sys/class/power_supply/battery/type": "Battery\n",
    "sys/class/power_supply/battery/status": "Discharging\n",
    "sys/class/power_supply/usb/type": "USB\n",
    "sys/class/power_supply/usb/online": "0\n",
    **policy(0, 3, 300_000, 1_785_600, "walt"),
    **policy(4, 6, 633_600, 2_496_000, "walt"),
    **policy(7, 7, 787_200, 2_995_200, "walt"),
    **capacities(325, 325, 325, 325, 801, 801, 801, 1024),
}
CONTAINER = {
    "proc/cpuinfo": "processor\t: 0\nmodel name\t: AMD EPYC 7B13\n",
    "proc/1/cgroup": "0::/kubepods/burstable/pod5\n",
    "proc/self/cgroup": "0::/\n",
    "sys/fs/cgroup/cpu.max": "150000 100000\n",
    "sys/class/dmi/id/sys_vendor": "Google\n",
    "sys/class/dmi/id/product_name": "Google Compute Engine\n",
}


@pytest.fixture
def lay_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    def do(files: dict[str, str]) -> None:
        for name, text in files.items():
            path = tmp_path / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        monkeypatch.setattr(system_files, "SYSTEM", tmp_path / "sys")
        monkeypatch.setattr(system_files, "PROCESSES", tmp_path / "proc")

    return do


@pytest.fixture
def aarch64(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")


def test_a_pi_5(lay_out: Any, aarch64: None) -> None:
    lay_out(PI_5)
    found = board.describe()
    assert found["board"] == "Raspberry Pi 5 Model B Rev 1.0"
    assert found["soc"] == "brcm,bcm2712"
    assert found["classes"] == [
        {"name": "Cortex-A76", "mhz_least": 1500.0, "mhz_most": 2400.0, "governor": "ondemand", "cores": [0, 1, 2, 3]}
    ]
    assert found["temperature_zones"] == {"cpu-thermal (0)": 61.45}
    assert not found.keys() & {"power", "container", "emulated", "android"}
    assert machine.this_machine().cpu == "Raspberry Pi 5 Model B Rev 1.0 (4x Cortex-A76)"
    with pytest.raises(ValueError, match="all alike"):
        board.cores_named("big")
    watch = conditions.Watch()
    watch(1)
    found = watch.found()
    assert found.pop("looking_s") > 0
    assert found == {
        "cpu_mhz_least": 1800.0, "below_top_frequency_share": 1.0, "cpu_celsius_most": 61.45, "throttled_share": 0.0,
        "looks": 1,
    }  # fmt: skip
    assert watch.warnings() == []
    for name, now in (("devices/platform/soc@107c000000/soc@107c000000:firmware/get_throttled", "50005\n"),
                      ("class/thermal/cooling_device1/cur_state", "2\n")):  # fmt: skip
        before = (system_files.SYSTEM / name).read_text()
        (system_files.SYSTEM / name).write_text(now)
        slowed = conditions.Watch()
        slowed(1)
        assert slowed.warnings() == ["CPU throttled for 100% of the time: it is too warm, or its power too weak"]
        (system_files.SYSTEM / name).write_text(before)


def test_a_jetson_orin(lay_out: Any, aarch64: None) -> None:
    lay_out(JETSON)
    found = board.describe()
    assert found["soc"] == "Tegra 35"
    assert [one["cores"] for one in found["classes"]] == [[0, 1, 2, 3, 4, 5]]  # two clusters, but alike
    assert found["temperature_zones"] == {"cpu-thermal (0)": 48.0}
    # "model name" says "ARMv8 Processor", which is every such machine.
    assert machine.this_machine().cpu == "NVIDIA Jetson Orin Nano Developer Kit (6x Cortex-A78AE)"


def test_an_android_phone(lay_out: Any, aarch64: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(PHONE)
    properties = {"ro.product.model": "SM-S901B", "ro.product.manufacturer": "samsung", "ro.soc.model": "SM8450"}
    monkeypatch.setenv("ANDROID_ROOT", "/system")
    monkeypatch.setattr(system_files, "output", lambda *command: properties.get(command[-1], ""))
    found = board.describe()
    assert found["android"] == {"model": "SM-S901B", "maker": "samsung", "soc": "SM8450"}
    assert [(one["name"], one["cores"], one["mhz_most"]) for one in found["classes"]] == [
        ("Cortex-X2", [7], 2995.2), ("Cortex-A710", [4, 5, 6], 2496.0), ("Cortex-A510", [0, 1, 2, 3], 1785.6),
    ]  # fmt: skip
    assert found["power"] == "battery"
    assert machine.this_machine().cpu == "samsung SM-S901B (SM8450, 1x Cortex-X2 + 3x Cortex-A710 + 4x Cortex-A510)"
    assert board.cores_named("big") == [7]
    assert board.cores_named("little") == [0, 1, 2, 3]


def test_a_container_with_a_quota(lay_out: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out(CONTAINER)
    monkeypatch.setattr("platform.machine", lambda: "x86_64")
    found = board.describe()
    assert (found["container"], found["cpu_quota"]) == ("kubernetes", 1.5)
    assert found["board"] == "Google Google Compute Engine"
    assert machine.this_machine().cpu == "AMD EPYC 7B13"


def test_unknown_cores_keep_their_codes(lay_out: Any, aarch64: None) -> None:
    lay_out({"proc/cpuinfo": cpuinfo((0x41, 0xFFF), (0x99, 0x123)), "sys/none": ""})
    assert [one["name"] for one in board.core_classes()] == ["Arm part 0xfff", "implementer 0x99 part 0x123"]


def test_an_emulated_processor_is_seen(lay_out: Any, aarch64: None) -> None:
    lay_out({"proc/cpuinfo": "processor\t: 0\nvendor_id\t: GenuineIntel\nflags\t: sse\n"})
    assert "Intel" in board.emulated()


def test_an_emulated_processor_is_seen_by_the_kernels_word(lay_out: Any, aarch64: None) -> None:
    lay_out({"proc/sys/kernel/arch": "x86_64\n"})
    assert "kernel is for x86_64" in board.emulated()


def test_a_32_bit_system_on_a_64_bit_board_is_not_emulated(lay_out: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    lay_out({"proc/sys/kernel/arch": "aarch64\n"})
    monkeypatch.setattr("platform.machine", lambda: "armv7l")
    assert board.emulated() == ""


def test_it_reads_as_python_3_9() -> None:
    ast.parse((ROOT / "bench" / "core" / "board.py").read_text(), feature_version=(3, 9))
