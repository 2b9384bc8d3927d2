"""The timing kit: what a round is, when rounds end, what is watched meanwhile, and when two outputs agree."""

import ast
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.core import system_files, workers
from bench.core.errors import InputError
from bench.speed import schedule
from bench.speed.plan import SpeedPlan
from bench.timing import conditions, parity
from bench.timing.clock import Fixed, Inference, Steady, Sustained, no_garbage_collection, time_rounds, warm_up
from bench.timing.intervals import binomial_quantile, median_interval, rounds_for_percentile
from bench.timing.parity import ParityError
from bench.timing.process_variables import converting_variables, process_variables
from tests.conftest import ROOT


class Device:
    """Something that computes while ``run`` returns at once, and has a clock of its own."""

    def __init__(self) -> None:
        self.log: list[str] = []
        self.now_ms = 0.0

    def run(self) -> None:
        self.log.append("run")
        self.now_ms += 2.0

    def wait(self) -> None:
        self.log.append("wait")

    def marks(self) -> "list[Mark]":
        return [Mark(self), Mark(self)]


class Mark:
    def __init__(self, device: Device) -> None:
        self.device = device

    def record(self) -> None:
        self.device.log.append("mark")
        self.at_ms = self.device.now_ms

    def elapsed_time(self, last: "Mark") -> float:
        return last.at_ms - self.at_ms


def test_a_round_ends_when_the_device_is_done() -> None:
    device = Device()
    inference = Inference(device.run, device.wait, device.marks)
    warm_up(inference, 1)
    assert device.log == ["run", "wait"]
    device.log.clear()
    looks: list[int] = []
    found = time_rounds(inference, Fixed(2), looks.append)
    # What is under way is waited for first; marks go around the inference; it is waited for within the round.
    assert device.log == ["wait", "mark", "run", "mark", "wait"] * 2
    assert found.device_ms == [2.0, 2.0]
    assert len(found.latency_ns) == len(looks) == 2
    assert looks == sorted(looks)


def test_rounds_go_on_until_they_agree_or_the_time_is_up() -> None:
    even = time_rounds(Inference(lambda: time.sleep(0.002)), Steady(10, budget_s=20.0, precision=0.5))
    assert len(even.latency_ns) % 10 == 0
    assert even.elapsed_s < 20
    assert even.median_ci95_relative is not None
    assert even.median_ci95_relative <= 0.5
    turns = iter(range(10**6))
    uneven = Inference(lambda: time.sleep(0.004 if next(turns) % 2 else 0.001))
    found = time_rounds(uneven, Steady(10, budget_s=0.1, precision=1e-9))
    assert found.elapsed_s >= 0.1
    assert len(found.latency_ns) % 10 == 0
    lasting = time_rounds(Inference(lambda: time.sleep(0.001)), Sustained(5, for_s=0.05))
    assert lasting.elapsed_s >= 0.05
    assert lasting.latency_ms == [ns / 1e6 for ns in lasting.latency_ns]


@pytest.mark.parametrize("until", [Fixed(0), Steady(0, 1.0), Sustained(-1, 1.0)])
def test_no_rounds_are_refused(until: object) -> None:
    with pytest.raises(InputError, match="time at least 1"):
        time_rounds(Inference(lambda: None), until)
    with pytest.raises(InputError, match="give 0 or more"):
        warm_up(Inference(lambda: None), -1)


def test_garbage_is_collected_before_and_not_within() -> None:
    import gc

    with no_garbage_collection():
        assert not gc.isenabled()
    assert gc.isenabled()
    gc.disable()
    try:
        with no_garbage_collection():
            pass
        assert not gc.isenabled()
    finally:
        gc.enable()


@given(count=st.integers(1, 3000), probability=st.floats(0.001, 0.999))
def test_the_binomial_quantile_is_scipys(count: int, probability: float) -> None:
    found, wanted = binomial_quantile(probability, count), int(stats.binom.ppf(probability, count, 0.5))
    # Where the distribution function meets the probability to the last bits, either is right.
    assert found == wanted or abs(stats.binom.cdf(min(found, wanted), count, 0.5) - probability) < 1e-9


@pytest.mark.parametrize("count", [6, 7, 10, 50, 51, 1000])
def test_the_medians_interval_is_scipys(count: int) -> None:
    """Ours is computed with numpy alone, on devices too."""
    rounds = np.random.default_rng(count).lognormal(size=count)
    assert median_interval(rounds) == tuple(stats.quantile_test(rounds, p=0.5).confidence_interval(0.95))


def test_rounds_that_a_percentile_needs_are_mlperfs() -> None:
    assert [rounds_for_percentile(p) for p in (90, 99)] == [64, 662]


def test_parity_names_what_is_wrong() -> None:
    good = [np.array([[1.0, -4.0]], np.float32), np.zeros((0, 3), np.float32)]
    assert parity.difference(good, [good[0] + np.float32(0.5), good[1]]) == pytest.approx(0.125)
    assert parity.check(good, good, "fp32", "it") == 0
    for found, says in (
        (good[:1], "it returns 1 tensors and eager 2"),
        ([good[0].T, good[1]], "it makes 2x1 and eager 1x2"),
        ([good[0] * np.float32("nan"), good[1]], "output 0 of it holds 2 values of 2 that are not finite"),
        ([good[0] + np.array([[0, np.inf]], np.float32), good[1]], "output 0 of it holds 1 values of 2"),
    ):
        with pytest.raises(ParityError, match=says):
            parity.check(good, found, "fp32", "it")
    with pytest.raises(ParityError, match="output 0 of eager holds 2 values"):
        parity.difference([good[0] * np.float32("nan")], [good[0]])
    with pytest.raises(ParityError, match=r"it \(fp32\) differs from eager by 0.001 of the largest output"):
        parity.check(good, [good[0] * np.float32(1.001), good[1]], "fp32", "it")
    with pytest.raises(InputError, match="is a return missing"):
        parity.check_outputs([], "net")
    for output, says in (
        (None, "NoneType"),
        (np.zeros(3, np.int64), "int64 numbers"),
        (np.zeros(2, complex), "complex"),
        (np.zeros((0, 17, 16, 12), np.float32), "returns 0x17x16x12 numbers, which is none"),
    ):
        with pytest.raises(InputError, match=says):
            parity.check_outputs([output], "net")


def test_what_a_network_amplifies_is_allowed_by_the_last_bits_of_its_type() -> None:
    images = np.array([[0.0, 1.0, -2.5, 1e-3]], np.float32)
    moved = parity.last_bits(images)
    assert (moved != images).all()
    assert (np.abs(moved - images) <= np.spacing(np.abs(images))).all()
    assert parity.allowed("fp32") == parity.allowed("fp32", 1e-6) == 1e-4
    assert parity.allowed("fp32", 5e-4) == pytest.approx(5e-3)
    assert parity.allowed("fp32", 0.5) == 2e-2  # of a chaotic network nobody can tell
    assert parity.allowed("int8", 0.5) == 0.5
    assert parity.allowed("fp16", 2e-7) == parity.allowed("tf32", 2e-7) == 2e-2
    assert parity.allowed("fp16", 1e-6) == parity.allowed("tf32", 1e-6) == pytest.approx(10 * 1e-6 * 2**13)
    assert parity.allowed("fp16", 0.01) == parity.allowed("bf16", 0.01) == 0.1
    good = [np.array([1.0, -4.0], np.float32)]
    assert parity.check(good, [good[0] * np.float32(1.001)], "fp32", "it", rounding=2e-4) == pytest.approx(1e-3, 0.01)
    with pytest.raises(ParityError, match=r"by 0.001 of the largest output, more than 0.0009"):
        parity.check(good, [good[0] * np.float32(1.001)], "fp32", "it", rounding=9e-5)


def test_threads_of_what_converts_beside_others_sleep_while_they_wait_and_what_is_timed_does_as_everywhere(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("OMP_WAIT_POLICY", "GOMP_SPINCOUNT", "KMP_BLOCKTIME"):
        monkeypatch.delenv(name, raising=False)
    assert "OMP_WAIT_POLICY" not in process_variables(2)
    assert converting_variables(2) == process_variables(2) | {"OMP_WAIT_POLICY": "PASSIVE"}
    monkeypatch.setenv("GOMP_SPINCOUNT", "1000")
    assert converting_variables(2) == process_variables(2)
    monkeypatch.delenv("GOMP_SPINCOUNT")
    started: list[dict[str, str]] = []
    monkeypatch.setattr(workers, "Worker", lambda *given: started.append(given[3]))
    for backend in ("eager", "compile_max", "onnxruntime", "openvino", "executorch_int8"):
        plan = SpeedPlan(
            model="lite_hrnet_18", input=(256, 192), num_joints=17, device="cpu", backend=backend, precision="fp32",
            batch=1, threads=2, rounds=1, warmup=0, sets=1, protocol="paper", image=None, seed=0,
        )  # fmt: skip
        progress = schedule.PlanProgress(plan, None)  # type: ignore[arg-type]
        schedule._start_preparation(progress, beside_others=True)
        schedule._start_preparation(progress, beside_others=False)
        progress.prepared = schedule.Prepared(None, "", None, None)  # type: ignore[arg-type]
        schedule._start_set(progress)
    sleeping = ["OMP_WAIT_POLICY" in variables for variables in started]
    alone = [False, False, False]
    assert sleeping == [*alone, *alone, True, False, False, True, False, False, True, False, False]


def test_a_busy_machine_and_a_throttled_one_are_said() -> None:
    before = {"busy_s": 10.0, "own_s": 1.0, "stolen_s": 0.5, "page_faults": 100, "load_average": 0.5}
    after = {"busy_s": 14.0, "own_s": 2.0, "stolen_s": 1.0, "page_faults": 300, "load_average": 1.5}
    found, notes = conditions.judge(before, after, 2.0, 10)
    assert found == {
        "elapsed_s": 2.0, "load_average_before": 0.5, "load_average_after": 1.5, "page_faults_per_round": 20.0,
        "others_cores": 1.25, "stolen_cores": 0.25,
    }  # fmt: skip
    assert len(notes) == 2
    assert "other processes used 1.2 cores" in notes[0]
    assert "hypervisor took away 0.2 cores" in notes[1]
    assert conditions.judge(before, before, 2.0, 10)[1] == []
    # A system that tells nothing is no reason to fail.
    assert conditions.judge({}, {}, 1.0, 1) == ({"elapsed_s": 1.0}, [])
    hot = {"gpu_throttle_reasons": 32, "gpu_sm_mhz": 900}
    assert conditions.judge(hot, hot, 1.0, 1)[1] == ["GPU throttled: thermal slowdown"]


def test_frequency_and_heat_are_watched_between_rounds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(system_files, "SYSTEM", tmp_path)
    policies = [tmp_path / f"devices/system/cpu/cpufreq/policy{index}" for index in (0, 4)]
    for policy in policies:
        policy.mkdir(parents=True)
        (policy / "cpuinfo_max_freq").write_text("2000000\n")
        (policy / "scaling_cur_freq").write_text("2000000\n")
    zone = tmp_path / "class/thermal/thermal_zone0"
    zone.mkdir(parents=True)
    (zone / "temp").write_text("48000\n")
    monkeypatch.setattr(conditions, "LOOKING_SHARE", 1.0)  # whatever else this machine has to do
    watch = conditions.Watch(every_s=1.0)
    for second, (kilohertz, celsius) in enumerate(
        ((2000000, 48000), (1000000, 81000), (1000000, 83500), (2000000, 70000))
    ):
        for policy in policies:
            (policy / "scaling_cur_freq").write_text(f"{kilohertz}\n")
        (zone / "temp").write_text(f"{celsius}\n")
        watch(second * 10**9)
        watch(second * 10**9 + 5)  # too early to look again
    found = watch.found()
    assert found.pop("looking_s") > 0
    assert found == {
        "cpu_mhz_least": 1000.0, "below_top_frequency_share": 0.5, "cpu_celsius_most": 83.5, "looks": 4
    }  # fmt: skip
    monkeypatch.setattr(conditions, "LOOKING_SHARE", 1e-6)
    watch(10 * 10**9)
    watch(11 * 10**9)  # a look of a microsecond is worth a second of rounds
    assert watch.found()["looks"] == 5
    (zone / "temp").write_text("nonsense")
    assert conditions.cpu_state()["cpu_mhz"] == 2000.0
    assert "cpu_celsius" not in conditions.cpu_state()


def test_what_is_measured_of_this_process_is_true() -> None:
    if not Path("/proc/self/status").exists():
        pytest.skip("this system has no /proc")
    before = conditions.memory_bytes()
    block = np.ones(50_000_000)
    after, peak = conditions.memory_bytes(), conditions.peak_memory_bytes()
    assert before is not None
    assert after is not None
    assert peak is not None
    assert after - before > 0.9 * block.nbytes
    assert peak >= after
    start = conditions.cpu_state()
    until = time.process_time() + 0.3
    while time.process_time() < until:
        pass
    assert conditions.cpu_state()["own_s"] - start["own_s"] >= 0.3
    assert conditions.cpu_state()["busy_s"] - start["busy_s"] > 0.2


# What runs on devices: it must read as Python 3.9, and import numpy and nothing else.
ON_DEVICES = sorted(
    [*(ROOT / "bench/timing").glob("*.py"), *(ROOT / "bench/backends/families").glob("*.py")]
    + [ROOT / f"bench/backends/{name}.py" for name in ("artifact", "catalogue", "openvino_kernels", "session")]
    + [ROOT / f"bench/core/{name}.py" for name in ("board", "errors", "hardware", "library_settings", "system_files")]
)


@pytest.mark.parametrize("path", ON_DEVICES, ids=lambda path: str(path.relative_to(ROOT)))
def test_what_runs_on_devices_reads_as_python_3_9(path: Path) -> None:
    source = path.read_text()
    tree = ast.parse(source, feature_version=(3, 9))
    assert "from __future__ import annotations" in source or not any(
        isinstance(node, (ast.AnnAssign, ast.FunctionDef)) for node in ast.walk(tree)
    )
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "zip":
            assert not node.keywords, f"line {node.lineno}: zip has no strict in Python 3.9"


def test_the_open_halves_import_numpy_and_nothing_heavy() -> None:
    """All backends are known, and what opens them is imported, where nothing heavy can be."""
    blocked = (
        "torch",
        "zoo",
        "cv2",
        "pandas",
        "pydantic",
        "psutil",
        "scipy",
        "rich",
        "onnx",
        "openvino",
        "onnxruntime",
    )
    script = (
        "import sys\n"
        f"for name in {blocked!r}:\n    sys.modules[name] = None\n"
        "from bench.backends import catalogue\n"
        "from bench.timing import clock, conditions, parity, yardstick\n"
        "import bench.backends.openvino_kernels, bench.core.hardware\n"
        "print(*catalogue.names())\n"
        "assert catalogue.resolve('openvino', 'cpu', 'fp32', here=False) == 'fp32'\n"
        "assert catalogue.resolve('onnxruntime_int8', 'cpu', 'fp32', here=False) == 'int8'\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {"eager", "onnxruntime", "openvino", "openvino_int8"} <= set(done.stdout.split())
