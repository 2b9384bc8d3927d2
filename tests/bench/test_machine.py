"""What machine this is: a container's limits as the kernel writes them down, and what follows for threads."""

import ast
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from bench.core import hardware, machine, system_files
from bench.core.errors import InputError
from bench.regress import checkout
from tests.conftest import ROOT

MAX, HALF = "max 100000\n", "150000 100000\n"
# The process's own line of /proc/self/cgroup, files below /sys/fs/cgroup, and the processors that may be used.
GROUPS = {
    "version 2, in a container": ("0::/\n", {"cpu.max": HALF}, 1.5),
    "version 2, no limit": ("0::/\n", {"cpu.max": MAX}, None),
    "version 2, the root has no such file": ("0::/\n", {}, None),
    "version 2, a limit further up": (
        "0::/a.slice/b.scope\n", {"a.slice/cpu.max": "50000 100000", "a.slice/b.scope/cpu.max": "300000 100000"}, 0.5
    ),
    "version 2, the path is the host's": ("0::/../../kubepods/pod1\n", {"cpu.max": "200000 100000"}, 2.0),
    "version 1": (
        "5:memory:/x\n4:cpu,cpuacct:/docker/1\n0::/\n",
        {"cpu,cpuacct/docker/1/cpu.cfs_quota_us": "250000\n", "cpu,cpuacct/docker/1/cpu.cfs_period_us": "100000\n"},
        2.5,
    ),
    "version 1, in a container, another name of the mount": (
        "4:cpuacct,cpu:/docker/1\n", {"cpu/cpu.cfs_quota_us": "100000", "cpu/cpu.cfs_period_us": "100000"}, 1.0
    ),
    "version 1, no limit": ("4:cpu:/\n", {"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, None),
    "nonsense": ("5\n0::/\n::\n", {"cpu.max": "a lot"}, None),
    "no groups at all": ("", {}, None),
}  # fmt: skip


@pytest.fixture
def system(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Folders in place of /sys and /proc."""
    for name in ("SYSTEM", "PROCESSES"):
        monkeypatch.setattr(system_files, name, tmp_path / name)
        (tmp_path / name).mkdir()
    (tmp_path / "PROCESSES" / "self").mkdir()
    return tmp_path


def lay_out(system: Path, line: str, files: dict[str, str]) -> None:
    (system / "PROCESSES/self/cgroup").write_text(line)
    for name, text in files.items():
        path = system / "SYSTEM/fs/cgroup" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


@pytest.mark.parametrize("case", GROUPS)
def test_a_containers_quota_is_read_and_recorded(system: Path, case: str) -> None:
    line, files, quota = GROUPS[case]
    lay_out(system, line, files)
    assert hardware.cpu_quota() == quota
    assert hardware.describe().get("cpu_quota") == quota
    assert machine.this_machine().cpu_quota == quota


def test_threads_keep_to_the_quota_and_to_what_the_user_says(system: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hardware, "physical_cores", lambda: 8)
    monkeypatch.setattr(hardware, "usable_cores", lambda: 16)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert hardware.default_threads() == 8
    for quota, threads in (("350000", 3), ("50000", 1), ("9900000", 8)):
        lay_out(system, "0::/\n", {"cpu.max": f"{quota} 100000"})
        assert hardware.default_threads() == threads
    for said, threads in (("5", 5), (" 4,2", 4), ("64", 16), ("0", 8), ("", 8), ("many", 8), ("-3", 8)):
        monkeypatch.setenv("OMP_NUM_THREADS", said)
        assert hardware.default_threads() == threads, said


def test_a_batch_that_memory_cannot_hold_is_refused(system: Path) -> None:
    """Before a container's limit ends the process, which would say nothing."""
    lay_out(system, "0::/\n", {"memory.max": "1000000000"})
    machine.check_memory(512, (384, 288), "--batch")
    says = "1024 images of 384x288 alone are 1.359 GB, and this process may have 1 GB: give a smaller --batch"
    with pytest.raises(InputError, match=f"^out of memory: {re.escape(says)}$"):
        machine.check_memory(1024, (384, 288), "--batch")
    lay_out(system, "0::/\n", {"memory.max": "max"})
    assert hardware.usable_memory_bytes() == hardware.describe()["memory_bytes"]


def test_boards_have_names(system: Path) -> None:
    (system / "PROCESSES/device-tree").mkdir()
    (system / "PROCESSES/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    assert hardware.describe()["cpu"].startswith("Raspberry Pi 5 Model B Rev 1.0 (")
    (system / "PROCESSES/cpuinfo").write_text("processor\t: 0\nmodel name\t: AMD EPYC 7B13\n")
    assert hardware.describe()["cpu"] == "AMD EPYC 7B13"


@pytest.mark.parametrize(("flags", "says"), [
    ("fma avx avx2 hypervisor", " (AVX2)"), ("fma avx avx2", ""), ("sse4_2 hypervisor", " (no AVX2)"),
    ("avx2 hypervisor avx512f avx512_vnni avx512_bf16", " (AVX-512, VNNI, BF16)"),
    ("avx2 hypervisor avx512f avx512_vnni amx_tile", " (AVX-512, VNNI, AMX)"),
])  # fmt: skip
def test_processors_that_a_hypervisor_calls_by_one_name_have_two(system: Path, flags: str, says: str) -> None:
    """Two machines called "AMD EPYC", one with AVX-512 and 1.6 times as fast, once stood in one column."""
    (system / "PROCESSES/cpuinfo").write_text(f"processor\t: 0\nmodel name\t: AMD EPYC\nflags\t\t: fpu {flags}\n")
    assert hardware.describe()["cpu"] == f"AMD EPYC{says}"


def test_without_other_packages_it_is_the_same_machine(tmp_path: Path) -> None:
    """As on a device that has no psutil: the same description, from a Python without site-packages."""
    (tmp_path / "psutil.py").write_text("raise ImportError")
    script = "import sys; sys.path.insert(0, sys.argv[1]); from bench.core import hardware; print(hardware.describe())"
    done = subprocess.run(
        [sys.executable, "-S", "-c", script, str(ROOT)],
        capture_output=True, text=True, env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert ast.literal_eval(done.stdout) == hardware.describe()


@pytest.mark.parametrize("name", ["hardware", "errors"])
def test_what_runs_on_devices_reads_as_python_3_9(name: str) -> None:
    ast.parse((ROOT / "bench" / "core" / f"{name}.py").read_text(), feature_version=(3, 9))


def test_looking_at_the_repository_locks_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A lock of a command that is killed at that moment would stay, and stop the user's own work there."""
    git = ("git", "-C", str(tmp_path), "-c", "user.name=a", "-c", "user.email=a@b.c")
    (tmp_path / "file").write_text("1")
    for arguments in (("init", "-q"), ("add", "file"), ("commit", "-qm", "one")):
        subprocess.run([*git, *arguments], check=True)
    os.utime(tmp_path / "file", (1, 1))  # which git status would note down in its index
    before = (tmp_path / ".git" / "index").read_bytes()
    monkeypatch.setattr(machine, "ROOT", tmp_path)
    assert machine._git("status", "--porcelain") == ""
    assert checkout._git(tmp_path, "status", "--porcelain") == ""
    assert (tmp_path / ".git" / "index").read_bytes() == before


def test_a_repository_of_another_user_is_named_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a container, where git opens nothing by itself."""
    commit = machine.this_software("none").git_commit
    monkeypatch.setenv("GIT_TEST_ASSUME_DIFFERENT_OWNER", "1")
    assert machine.this_software("none").git_commit == commit
