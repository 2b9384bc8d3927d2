"""What machine and software a record is made on, and the state the machine is in."""

import functools
import hashlib
import importlib.metadata
import importlib.util
import platform
import re
import subprocess
from pathlib import Path
from typing import Any

from bench.core import hardware
from bench.core.errors import InputError, bytes_text
from bench.core.files import PROJECT
from bench.core.hardware import default_threads as default_threads
from bench.core.hardware import usable_cores as usable_cores
from bench.core.record import Machine, Software

ROOT = Path(__file__).resolve().parents[2]
WHAT_RUNS = (".", ":!results", ":!reports")  # records change while they are being made


# Of a driver for CUDA on Linux: a graphics card, one in a virtual machine, one under Windows' Linux, a Jetson.
CUDA_SIGNS = ("/proc/driver/nvidia", "/dev/nvidiactl", "/dev/nvidia0", "/dev/dxg", "/dev/nvhost-gpu", "/dev/nvmap")


def this_machine(device: str = "cpu") -> Machine:
    """This machine; with its GPU only if ``device`` is a CUDA device."""
    gpu: dict[str, Any] = {}
    if device.startswith("cuda"):
        gpu = _gpu(device)
    return Machine(**hardware.describe(), **gpu)


def checked_threads(asked: int | None) -> int:
    """The threads that were asked for, or the default.

    Raises:
        InputError: more than this process may run on at once.
    """
    threads = asked or default_threads()
    if threads > usable_cores():
        raise InputError(f"{threads} threads are more than this machine's {usable_cores()} processors")
    return threads


def check_memory(images: int, size: tuple[int, int], options: str) -> None:
    """Fail on a batch whose images alone do not fit into memory.

    Systems grant more memory than there is, and end the process when it is used, which can say nothing any more.

    Args:
        images: how many at a time.
        size: height, width.
        options: that ask for fewer or smaller ones, for the message.

    Raises:
        InputError: they do not.
    """
    needed, there = images * 3 * size[0] * size[1] * 4, hardware.usable_memory_bytes()
    if there is not None and needed > there:
        raise InputError(
            f"out of memory: {images} images of {size[0]}x{size[1]} alone are {bytes_text(needed)}, and this process "
            f"may have {bytes_text(there)}: give a smaller {options}"
        )


def resolve_device(text: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` as a device that exists.

    Raises:
        InputError: it does not.
    """
    count = cuda_devices() if text != "cpu" else 0
    if text == "auto":
        return "cuda:0" if count else "cpu"
    index = text.partition(":")[2]
    if text == "cpu":
        return text
    if not re.fullmatch(r"cuda(:[0-9]{1,9})?", text):
        raise InputError(f"unknown device {text!r}: give cpu, cuda, cuda:N or auto")
    if count == 0:
        raise InputError(f"--device {text}: this machine has no CUDA device that torch can use; give --device cpu")
    if int(index or 0) >= count:
        raise InputError(f"--device {text}: this machine has CUDA devices 0 to {count - 1}")
    return f"cuda:{int(index or 0)}"


def cuda_devices() -> int:
    """How many CUDA devices torch can use; torch is imported only where there is a driver for one."""
    if platform.system() == "Linux" and not any(Path(sign).exists() for sign in CUDA_SIGNS):
        return 0
    import torch

    return torch.cuda.device_count() if torch.cuda.is_available() else 0


def _gpu(device: str) -> dict[str, Any]:
    import torch

    properties = torch.cuda.get_device_properties(device)
    found: dict[str, Any] = {"gpu": properties.name, "gpu_memory_bytes": properties.total_memory}
    handle = nvml_handle(device)
    if handle is not None:
        import pynvml

        found["gpu_driver"] = str(_quiet(pynvml.nvmlSystemGetDriverVersion))
        found["gpu_mhz_max"] = _quiet(pynvml.nvmlDeviceGetMaxClockInfo, handle, pynvml.NVML_CLOCK_SM)
    return found


@functools.cache
def nvml_handle(device: str) -> Any | None:
    """NVML's handle of a CUDA device, or ``None`` where NVML cannot be had."""
    try:
        import pynvml
        import torch

        pynvml.nvmlInit()
        # CUDA_VISIBLE_DEVICES renumbers devices for CUDA, not for NVML; the UUID names both.
        uuid = torch.cuda.get_device_properties(device).uuid
        return pynvml.nvmlDeviceGetHandleByUUID(f"GPU-{uuid}".encode())
    except Exception:
        return None


def gpu_state(device: str) -> dict[str, Any]:
    """Clocks, temperature and throttle reasons of a GPU now; empty where NVML cannot be had."""
    handle = nvml_handle(device)
    if handle is None:
        return {}
    import pynvml

    state = {
        "gpu_sm_mhz": _quiet(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_SM),
        "gpu_memory_mhz": _quiet(pynvml.nvmlDeviceGetClockInfo, handle, pynvml.NVML_CLOCK_MEM),
        "gpu_celsius": _quiet(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU),
        "gpu_throttle_reasons": _quiet(pynvml.nvmlDeviceGetCurrentClocksThrottleReasons, handle),
        "gpu_power_w": _quiet(lambda: pynvml.nvmlDeviceGetPowerUsage(handle) / 1000),
    }
    return {name: value for name, value in state.items() if value is not None}


def _quiet(read: Any, *arguments: Any) -> Any:
    """What a sensor says, or ``None`` where there is none: machines differ in what they tell."""
    try:
        return read(*arguments)
    except Exception:
        return None


def this_software(runtime: str, packages: tuple[str, ...] = ()) -> Software:
    """Versions of what a measurement rests on; ``runtime`` names what runs the network."""
    commit = _git("rev-parse", "HEAD")
    return Software(
        python=platform.python_version(),
        torch=torch_version(),
        runtime=runtime,
        project=_version(PROJECT),
        packages={name: _version(name) for name in packages},
        git_commit=commit,
        git_dirty=bool(_git("status", "--porcelain", "--untracked-files=no", "--", *WHAT_RUNS)) if commit else None,
        source_sha256=source_sha256(),
    )


@functools.cache
def torch_version() -> str:
    """PyTorch's version with the build it is, such as 2.9.0+cpu, without importing it."""
    spec = importlib.util.find_spec("torch")
    if spec is None or spec.origin is None:
        return "not installed"
    told = re.search(r"__version__\s*=\s*['\"]([^'\"]+)", (Path(spec.origin).parent / "version.py").read_text())
    return told[1] if told else _version("torch")


def _version(package: str) -> str:
    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return "not installed"


def _git(*arguments: str) -> str | None:
    # Without locks: of a command that is killed now, one would stay, and stop all that is done in the repository.
    # Whoever owns it: its code is what runs here, so git need not be careful with it. In containers it is another user.
    command = ["git", "--no-optional-locks", "-c", f"safe.directory={ROOT}", "-C", str(ROOT), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=20, check=True)
    except (OSError, subprocess.SubprocessError):
        return None
    return done.stdout.strip()


@functools.cache
def source_sha256() -> str:
    """SHA-256 over the Python sources of zoo and bench: what ran, whatever git says."""
    digest = hashlib.sha256()
    for path in sorted(p for room in ("zoo", "bench") for p in (ROOT / room).rglob("*.py")):
        digest.update(path.relative_to(ROOT).as_posix().encode() + b"\0" + path.read_bytes() + b"\0")
    return digest.hexdigest()
