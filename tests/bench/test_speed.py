"""The speed command from outside: what it records, how it survives, what it refuses."""

import argparse
import json
import os
import signal
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from bench.backends import catalogue, precisions
from bench.core import machine
from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import read
from bench.core.unfinished import Unfinished
from bench.speed import ParityError, energy, measure, schedule, tables, worker
from bench.speed.options import parse
from bench.speed.plan import SpeedPlan
from bench.speed.schedule import Part, Prepared
from bench.speed.timed_set import SetResult
from bench.timing.intervals import median_interval, relative_precision
from tests.bench.test_report import speed as made_up
from tests.commands import command, run_command
from tests.conftest import ROOT

main = command("speed")
RUNTIME_LIES = '''
import torch
from torch import nn


class Liar(nn.Module):
    """Computes one thing in eager and another once exported."""

    def forward(self, x):
        exporting = torch.compiler.is_compiling() or torch.onnx.is_in_onnx_export()
        return x[:, :1] * (2.0 if exporting else 1.0)


def liar():
    return Liar()
'''


def start(*arguments: str) -> subprocess.Popen:
    return subprocess.Popen(
        [sys.executable, "-m", "bench.speed", "--device", "cpu", "--threads", "1", *arguments],
        cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip


def test_a_record_holds_every_round_of_every_set(tiny: str, tmp_path: Path) -> None:
    settings = ("--input", "64x32", "--sets", "3", "--rounds", "4", "--json", "--results", str(tmp_path))
    process = start("--models", tiny, *settings)
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    (record,) = read(tmp_path)
    assert [Record.model_validate_json(line) for line in stdout.splitlines()] == [record]
    samples = record.samples["latency_ms"]
    assert [len(one) for one in samples] == [4, 4, 4]
    rounds = [value for one in samples for value in one]
    assert record.metrics["latency_ms_mean"] == pytest.approx(statistics.mean(rounds))
    assert record.metrics["fps"] == pytest.approx(1000 / statistics.mean(rounds))
    # Eager's runtime is torch: it is not there before, as no backend's is.
    assert record.metrics["peak_rss_bytes"] - record.metrics["rss_before_bytes"] > 80e6
    assert record.metrics["rss_before_bytes"] > 0
    products = record.samples["product_ms"]
    assert [len(one) for one in products] == [5, 5, 5]
    mean_s = sum(sum(one) for one in products) / 15 / 1000
    assert record.metrics["product_macs_per_s"] == pytest.approx(1536**3 / mean_s)
    assert (record.model, record.backend, record.device, record.threads) == ("own_model:tiny", "eager", "cpu", 1)
    assert record.metrics["model_file_bytes"] == 4 * (17 * 3 * 9 + 17)
    assert record.notes["model_file"] == "state dict"
    assert record.metrics["first_inference_ms"] > 0
    assert record.protocol["name"] == "custom"
    assert len(record.conditions) == 3
    assert {"load_average_before", "load_average_after", "others_cores"} <= set(record.conditions[0])
    assert record.software.source_sha256 == machine.source_sha256()
    assert not (tmp_path / "speed.partial").exists()


@pytest.mark.parametrize("blow", [signal.SIGINT, signal.SIGKILL])
def test_an_interrupted_run_goes_on_where_it_stopped(tiny: str, tmp_path: Path, blow: signal.Signals) -> None:
    pytest.importorskip("onnxruntime")
    arguments = ("--models", tiny, "--input", "64x32", "--sets", "4", "--rounds", "3", "--backend", "onnxruntime",
                 "--results", str(tmp_path / "r"))  # fmt: skip
    partial = tmp_path / "r" / "speed.partial"
    process = start(*arguments)
    deadline = time.monotonic() + 120
    while not (partial.exists() and "set 1" in partial.read_text() and partial.read_text().endswith("\n")):
        assert time.monotonic() < deadline, "no set was finished"
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    os.kill(process.pid, blow)
    _, stderr = process.communicate(timeout=60)
    if blow is signal.SIGINT:
        assert process.returncode == 130
        assert "the same command goes on from there" in stderr
        assert "Traceback" not in stderr
    assert not (tmp_path / "r" / "speed.jsonl").exists()
    parts = [json.loads(line)["content"] for line in partial.read_text().splitlines()]
    kept = [part["timed"]["latency_ms"] for part in parts if part["timed"]]
    assert 1 <= len(kept) < 4
    again = start(*arguments)
    _, stderr = again.communicate(timeout=300)
    assert again.returncode == 0, stderr
    (record,) = read(tmp_path / "r")
    assert len(record.samples["latency_ms"]) == 4
    assert record.samples["latency_ms"][: len(kept)] == kept
    assert not partial.exists()
    # And with its record there, --missing measures nothing more.
    third = start(*arguments, "--missing")
    assert third.communicate(timeout=300)
    assert len(read(tmp_path / "r")) == 1


def test_a_matrix_of_batches_until_they_agree(tiny: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Networks and batch sizes crossed, rounds until the median is known or the time is up."""
    (tmp_path / "twice.py").write_text(Path(tiny.rpartition(":")[0]).read_text().replace("tiny", "twice"))
    process = start("--models", f"{tiny},{tmp_path}/twice.py:twice", "--batch", "1,3",
                    "--protocol", "steady", "--budget", "1.5", "--sets", "1", "--input", "64x32",
                    "--backend", "onnxruntime", "--results", str(tmp_path / "r"))  # fmt: skip
    stdout, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    records = read(tmp_path / "r")
    assert {(r.model, r.batch) for r in records} == {(m, n) for m in ("own_model:tiny", "twice:twice") for n in (1, 3)}
    for record in records:
        assert record.protocol["name"] == "steady"
        assert record.protocol["budget_s"] == 1.5
        rounds = record.samples["latency_ms"][0]
        assert len(rounds) % 10 == 0
        low, high = median_interval(rounds)
        reached = record.metrics["median_ci95_relative"]
        assert reached == pytest.approx((high - low) / 2 / statistics.median(rounds), rel=1e-3)
        # One of the two must have been so, or it would have gone on.
        assert reached <= 0.01 or record.conditions[0]["elapsed_s"] >= 1.5
        short = record.samples["latency_ms"][0][:-10]
        assert len(short) < 6 or relative_precision(short) > 0.01
    # Where there are several backends too, each batch size has a matrix; its title is not wrapped, narrow as it is.
    tables.print_speeds([*records, *(record.model_copy(update={"backend": "eager"}) for record in records)], [])
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if line.startswith("images a second; ")]
    assert sorted(title.rpartition(", ")[2] for title in titles) == ["batch 1", "batch 3"]
    matrix = shown[shown.index(titles[0]) :]
    for batch in (1, 3):
        for model in ("own_model:tiny", "twice:twice"):
            for record in (r for r in records if (r.model, r.batch) == (model, batch)):
                assert matrix.count(text := f"{record.metrics['fps'] * batch:.1f}") >= 2, text
                assert text in stdout


def test_a_table_says_what_each_row_is_of(capsys: pytest.CaptureFixture[str]) -> None:
    """Model files have inputs of their own, and one process has no interval."""
    more = {"latency_ms_median": 9.0, "latency_ms_p90": 11.0, "first_inference_ms": 1.0, "model_file_bytes": 1.0}
    made = [
        made_up(f"{name}.onnx", fps, backend=backend, input=size)
        for name, size, fps in (("a", "256x192", 10.0), ("b", "384x288", 20.0))
        for backend in ("onnxruntime", "openvino")
    ]
    records = [
        one.model_copy(update={"metrics": one.metrics | more, "protocol": one.protocol | {"sets": 1}}) for one in made
    ]
    tables.print_speeds(records, [])
    shown = capsys.readouterr().out
    titles = [line for line in shown.splitlines() if "fp32" in line]
    assert len(titles) == 2
    assert not [title for title in titles if "x192" in title or "x288" in title]
    assert [shown.count(size) for size in ("256x192", "384x288")] == [3, 3]  # a line a runtime, and one of the matrix
    assert shown.count("none of 1 set ") == 4
    tables.print_speeds(records[:2], [])
    assert "fp32, 256x192, batch 1" in capsys.readouterr().out


def a_plan(tiny: str, **changed: object) -> SpeedPlan:
    settings: dict[str, object] = {
        "model": tiny, "num_joints": 17, "input": (64, 32), "image": None, "batch": 1, "device": "cpu",
        "backend": "onnxruntime", "precision": "fp32", "threads": 1, "protocol": "custom", "rounds": 2, "warmup": 1,
        "sets": 3, "seed": 0,
    }  # fmt: skip
    return SpeedPlan(**(settings | changed))  # type: ignore[arg-type]


def test_a_preparation_that_was_interrupted_is_not_made_again(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nor are its sets, unless the files are gone that they were to open."""
    (tmp_path / "images.npz").write_bytes(b"")
    plan = a_plan(tiny, sets=2)
    work = Unfinished(tmp_path / "speed.partial", Part).work(plan.circumstances())
    prepared = Prepared(SetResult([1.0], prepare_s=7.5), str(tmp_path / "images.npz"), None, None)
    work.add("prepared", Part(prepared=prepared))
    work.add("set 1", Part(timed=SetResult([3.0])))
    work.add("set 2", Part(timed=SetResult([4.0])))
    monkeypatch.setattr("bench.core.workers.Worker", None)  # no process is started
    finished: list[schedule.PlanProgress] = []
    steps: list[str] = []
    schedule.run([plan], tmp_path, finished=finished.append, failed=lambda *_: None, step=steps.append)
    ((progress,), count) = (finished, len(steps))
    assert (progress.prepared, [one.latency_ms for one in progress.timed]) == (prepared, [[3.0], [4.0]])
    assert count == schedule.steps([plan])
    assert not (tmp_path / "speed.partial").exists()


CHANGES = {
    "--models": ["lite_hrnet_18"], "--input": ["64x64"], "--joints": ["16"], "--precision": ["bf16"],
    "--threads": ["2"], "--batch": ["2"], "--rounds": ["20"], "--warmup": ["9"], "--sets": ["4"], "--seed": ["7"],
    "--backend": ["fused"], "--protocol": ["steady"], "--quick": [], "--image": ["bench/assets/astronaut.png"],
    "--budget": ["3", "--protocol", "steady"],
}  # fmt: skip
NO_CHANGE = {
    "--results": ["elsewhere"], "--json": [], "--quiet": [], "--debug": [], "--missing": [], "--ahead": ["2"],
    "--timeout": ["60"],
}  # fmt: skip


def identities(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> set[str]:
    from bench.speed.command import make_plans

    monkeypatch.setattr(machine, "usable_cores", lambda: 64)
    options = parse(["--models", "small_hrnet_w16", "--device", "cpu", "--threads", "1", *arguments])
    return {plan.identity() for plan in make_plans(options, "cpu", (options.backend or "eager").split(","))}


@pytest.mark.parametrize("option", [*CHANGES, *NO_CHANGE])
def test_any_option_that_can_change_the_answer_changes_the_identity(
    option: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    plain = identities(monkeypatch)
    assert plain == identities(monkeypatch)
    changed = identities(monkeypatch, option, *CHANGES.get(option, NO_CHANGE.get(option, [])))
    assert (changed != plain) == (option in CHANGES)
    assert len(plain) == len(changed) == 1
    assert option != "--budget" or changed != identities(monkeypatch, *CHANGES["--budget"][1:])


def test_no_option_is_forgotten_in_the_test_of_identity(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: set[str] = set()
    real = argparse._ActionsContainer.add_argument

    def note(self: argparse._ActionsContainer, *names: str, **options: object) -> argparse.Action:
        seen.update(name for name in names if name.startswith("--"))
        return real(self, *names, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(argparse._ActionsContainer, "add_argument", note)
    parse([])
    assert seen - {"--help", "--version", "--list-backends", "--device", "--model-info"} == {*CHANGES, *NO_CHANGE}


def test_other_versions_and_other_files_are_other_measurements(
    tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    plan = a_plan(tiny)
    before = plan.identity()
    monkeypatch.setattr(catalogue, "version", lambda name: "onnxruntime 99")
    assert plan.identity() != before
    monkeypatch.undo()
    path = Path(tiny.rpartition(":")[0])
    other = tmp_path / "other" / path.name
    other.parent.mkdir()
    other.write_text(path.read_text() + "# changed\n")
    assert a_plan(f"{other}:tiny").identity() != before
    other.with_name("same.py").write_text(path.read_text())
    assert a_plan(f"{other.parent}/same.py:tiny").measurement().network_sha256 == plan.measurement().network_sha256
    pictures = [tmp_path / name for name in ("a/picture.png", "b/picture.png")]
    for number, picture in enumerate(pictures):
        picture.parent.mkdir()
        picture.write_bytes(bytes([number]))
    assert len({a_plan(tiny, image=str(picture)).identity() for picture in pictures}) == 2


def test_energy_counters_are_read_where_there_are_some(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(energy, "POWERCAP", tmp_path)
    assert energy.read("cpu") == {}
    for index, (folder, name) in enumerate((("intel-rapl:0", "package-0"), ("intel-rapl:1", "package-1"),
                                            ("intel-rapl:0:0", "core"), ("intel-rapl:2", "psys"))):  # fmt: skip
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "name").write_text(name + "\n")
        (tmp_path / folder / "energy_uj").write_text(f"{(index + 1) * 1000000}\n")
        (tmp_path / folder / "max_energy_range_uj").write_text("10000000\n")
    before = energy.read("cpu")
    (tmp_path / "intel-rapl:0/energy_uj").write_text("4000000\n")  # 3 J more
    (tmp_path / "intel-rapl:1/energy_uj").write_text("500000\n")  # around the end: 10 - 2 + 0.5
    assert energy.spent(before, energy.read("cpu")) == {"cpu": pytest.approx(11.5)}
    (tmp_path / "intel-rapl:0/energy_uj").unlink()  # absent, not zero
    (tmp_path / "intel-rapl:1/energy_uj").unlink()
    assert energy.spent(before, energy.read("cpu")) == {}


def test_energy_is_an_images_share_of_rounds_of_their_own(tiny: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """However short the timed rounds are: counters move in steps."""
    runs = 0

    class Counted(torch.nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            nonlocal runs
            runs += 1
            return x

    monkeypatch.setattr("bench.speed.timed_set.ENERGY_S", 0.05)
    monkeypatch.setattr(energy, "read", lambda device: {"cpu0": (3.0 * runs, float("inf"))})
    record = measure(Counted(), torch.zeros(2, 3, 8, 8), rounds=1, warmup=0)
    assert record.metrics["energy_cpu_j_per_image"] == pytest.approx(1.5)
    assert len(record.samples["latency_ms"][0]) == 1
    assert runs > 10
    monkeypatch.setattr(energy, "read", lambda device: {})
    assert "energy_cpu_j_per_image" not in measure(Counted(), torch.zeros(2, 3, 8, 8), rounds=1).metrics


def test_processes_that_get_ready_ahead_make_the_same_records(tiny: str, tmp_path: Path) -> None:
    process = start("--models", tiny, "--backend", "eager,fused", "--input", "64x32", "--sets", "2", "--rounds", "4",
                    "--ahead", "2", "--results", str(tmp_path))  # fmt: skip
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 0, stderr
    records = read(tmp_path)
    assert {record.backend for record in records} == {"eager", "fused"}
    for record in records:
        assert [len(one) for one in record.samples["latency_ms"]] == [4, 4]
        assert record.protocol["ahead"] == 2
        if record.backend == "fused":  # the graph is traced once, and read by the sets
            assert record.metrics["prepare_cached_s"] > 0


def test_precisions_are_told_apart(
    capsys: pytest.CaptureFixture[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flags = (torch.backends.cudnn, torch.backends.cuda.matmul)
    before = [flag.allow_tf32 for flag in flags]
    for precision in catalogue.PRECISIONS:
        with precisions.arithmetic(precision):
            assert [flag.allow_tf32 for flag in flags] == [precision == "tf32"] * 2
    assert [flag.allow_tf32 for flag in flags] == before
    model, example = torch.nn.Conv2d(3, 4, 1), torch.zeros(1, 3, 8, 8)
    assert precisions.cast(model, example, "fp32") == (model, example)
    half, half_example = precisions.cast(model, example, "bf16")
    assert (half.weight.dtype, half_example.dtype, model.weight.dtype) == (
        torch.bfloat16,
        torch.bfloat16,
        torch.float32,
    )
    monkeypatch.setattr(sys, "argv", ["x", "--device", "cpu", "--precision", "tf32", "--results", str(tmp_path / "r")])
    for name in ("speed", "explain"):
        with pytest.raises(SystemExit) as left:
            run_command(name)
        assert left.value.code == 2
        assert capsys.readouterr().err == (
            "error: precision tf32 needs a CUDA device: give --device cuda, or --precision fp32\n"
        )
    assert not (tmp_path / "r").exists()


def test_a_backend_that_computes_something_else_is_not_timed(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    (tmp_path / "liars.py").write_text(RUNTIME_LIES)
    process = start("--models", f"{tmp_path}/liars.py:liar", "--backend", "onnxruntime", "--sets", "1",
                    "--rounds", "2", "--input", "32x32", "--results", str(tmp_path / "r"))  # fmt: skip
    _, stderr = process.communicate(timeout=300)
    assert process.returncode == 1
    assert "error: " in stderr
    assert "differs from eager by 1 of the largest output" in " ".join(stderr.split())
    assert not list((tmp_path / "r").glob("*.jsonl"))


def test_onnxruntime_agrees_with_eager(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.Hardswish(), torch.nn.ConvTranspose2d(4, 2, 4, 2))
    example = torch.randn(1, 3, 64, 64)
    record = measure(model, example, rounds=2, warmup=1, backend="onnxruntime")
    assert 0 <= record.metrics["parity_max_relative"] < 1e-4
    (exported,) = tmp_path.rglob("*.onnx")
    written = exported.stat().st_mtime_ns
    measure(model, example, rounds=2, warmup=1, backend="onnxruntime")
    assert exported.stat().st_mtime_ns == written  # taken from the cache
    with torch.no_grad():
        next(model.parameters()).mul_(2)
    measure(model, example, rounds=2, warmup=1, backend="onnxruntime")
    assert len(list(tmp_path.rglob("*.onnx"))) == 2  # other weights, other content


def test_measure_leaves_the_model_as_it_was() -> None:
    model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4)).train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    threads = torch.get_num_threads()
    record = measure(model, torch.randn(2, 3, 32, 32), rounds=3, warmup=1, precision="bf16", threads=1, name="mine")
    assert model.training
    assert torch.get_num_threads() == threads
    assert all(torch.equal(before[key], value) and value.dtype == before[key].dtype
               for key, value in model.state_dict().items())  # fmt: skip
    assert (record.model, record.batch, record.precision, record.input) == ("mine", 2, "bf16", "32x32")
    assert len(record.samples["latency_ms"][0]) == 3
    assert 0 < record.metrics["parity_max_relative"] < 0.1


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--models", "lite_hrnet_19"], "unknown model 'lite_hrnet_19': did you mean"),
        (["--models", ","], "names nothing: give all"),
        (["--models", "nowhere.py:net"], "no file nowhere.py"),
        (["--models", "nowhere.py"], "nowhere.py names no function: give nowhere.py:FUNCTION"),
        (["--models", "LICENSE"], "no network is called LICENSE, and a model file ends in one of .ckpt, "),
        (["--models", ":net"], "no network ':net': give path/to/file.py:function"),
        (["--device", "cuda:\N{ARABIC-INDIC DIGIT THREE}"], "give cpu, cuda, cuda:N or auto"),
        (["--models", "os:nothing_here"], "os has no function 'nothing_here'"),
        (["--models", "os:getcwd"], "it must return a torch.nn.Module"),
        (["--input", "250x190"], "multiples of 32, for example 256x192"),
        (["--input", "big"], "'big' is not HEIGHTxWIDTH, for example 256x192"),
        (["--input", "0x192"], "height and width go from 32"),
        (["--rounds", "0"], "give a whole number from 1 to 1,000,000"),
        (["--sets", "-1"], "'-1' is not a valid count"),
        (["--threads", "100000"], "give a whole number from 1 to 1,024"),
        (["--threads", "1024"], "1024 threads are more than this machine's"),
        (["--seed", "-1"], "is not a seed: give a whole number from 0"),
        (["--seed", "18446744073709551616"], "is not a seed"),
        (["--backend", "tensorflow"], "unknown backend 'tensorflow': choose from"),
        (["--backend", "onnxruntime", "--precision", "fp16"], "give --device cpu --precision fp32"),
        (["--batch", "1,0"], "'0' is not a batch size: give a whole number from 1 to 4,096"),
        (["--budget", "soon"], "'soon' is not a number of seconds above 0"),
        (["--budget", "20"], "--budget has no effect here: it is of --protocol steady"),
        (["--protocol", "steady", "--rounds", "5"], "leave out --rounds"),
        (["--backend", "cudagraphs"], "runs on CUDA devices only: give --device cuda"),
        (["--backend", "openvino_int8", "--precision", "bf16"], "give --device cpu --precision fp32"),
        (["--device", "tpu"], "unknown device 'tpu': give cpu, cuda"),
        (["--image", "LICENSE"], "LICENSE is not an image"),
        (["--image", "absent.jpg"], "no image absent.jpg"),
        (["--roundz", "3"], "unrecognized arguments: --roundz"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], says: str, tmp_path: Path, monkeypatch, capsys) -> None:

    base = ["bench.speed", "--models", "lightweight_mobilenetv3", "--device", "cpu", "--results", str(tmp_path / "r")]
    monkeypatch.setattr(sys, "argv", base + arguments)
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as left:
        run_command("speed")
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not (tmp_path / "r" / "speed.jsonl").exists()


@pytest.mark.skipif(torch.cuda.is_available(), reason="this machine has CUDA")
def test_cuda_where_there_is_none(command: Callable, tmp_path: Path) -> None:
    done = command("bench.speed", "--device", "cuda", "--results", str(tmp_path))
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "error: --device cuda: this machine has no CUDA device that torch can use; give --device cpu"
    ]


def test_a_results_folder_that_is_a_file(command: Callable, tiny: str, tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")
    done = command("bench.speed", "--models", tiny, "--results", str(tmp_path / "taken"))
    assert done.returncode == 2
    (line,) = done.stderr.splitlines()
    assert "taken" in line
    assert "a folder is needed" in line


def test_impossible_numbers_are_refused_by_the_function() -> None:
    with pytest.raises(InputError, match="time at least 1"):
        measure(torch.nn.Identity(), torch.zeros(1, 3, 32, 32), rounds=0)
    with pytest.raises(InputError, match="output 0 of eager holds 3072 values of 3072 that are not finite"):
        measure(torch.nn.Identity(), torch.full((1, 3, 32, 32), torch.nan), rounds=1)
    assert issubclass(ParityError, Exception)


def test_a_network_of_ones_own_that_gives_other_joints_than_recorded_says_so() -> None:
    plan = {"model": "own.py:net", "num_joints": 17, "file": None}
    (said,) = worker._other_joints(plan, [np.zeros((1, 13, 128)), np.zeros((1, 13, 96))])
    assert said == "recorded as of 17 joints, and it gives 13 x ...: --joints 13 says so"
    for quiet, shape in ((plan | {"num_joints": 13}, (1, 13, 2)), (plan | {"model": "lite_hrnet_18"}, (1, 13, 2)),
                         (plan, (1, 34))):  # fmt: skip
        assert worker._other_joints(quiet, [np.zeros(shape)]) == []


@pytest.mark.gpu
def test_cuda_rounds_are_timed_by_two_clocks(tiny: str, tmp_path: Path) -> None:
    process = subprocess.run(
        [sys.executable, "-m", "bench.speed", "--device", "cuda", "--models", f"{tiny},lightweight_mobilenetv3",
         "--sets", "3", "--rounds", "5", "--results", str(tmp_path)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    assert process.returncode == 0, process.stderr
    for record in read(tmp_path):
        wall, event = record.samples["latency_ms"], record.samples["latency_ms_event"]
        assert [len(one) for one in wall] == [len(one) for one in event] == [5, 5, 5]
        # The wall clock starts before the first event and stops after the last.
        assert all(w >= e > 0 for ws, es in zip(wall, event, strict=True) for w, e in zip(ws, es, strict=True))
        assert record.metrics["peak_cuda_bytes"] > 0
        assert record.machine.gpu == torch.cuda.get_device_name()
        assert record.machine.gpu_driver
        assert "gpu_celsius_after" in record.conditions[0]


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp16", "bf16"])
def test_half_precision_on_cuda(precision: str) -> None:
    from bench.models import build

    record = measure(build("lightweight_mobilenetv3").cuda(), torch.randn(1, 3, 256, 192).cuda(), rounds=3,
                     precision=precision)  # fmt: skip
    assert record.device == "cuda"
    assert record.metrics["parity_max_relative"] < 0.1
