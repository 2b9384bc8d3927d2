"""A kit made at home, run by a Python that has numpy and ONNX Runtime alone, and its records checked at home."""

import ast
import dataclasses
import hashlib
import importlib.metadata
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from bench.backends import catalogue
from bench.backends.artifact import sha256
from bench.core import board, hardware
from bench.core.errors import InputError
from bench.core.results import append, read
from bench.kit import collecting, device, lock, making, soundness
from bench.kit.ledger import Ledger, append_line, lines
from bench.kit.manifest import Manifest, inside
from bench.kit.options import parse
from bench.kit.reporting import RecordMaker, append_once, percentile_text
from bench.timing import sustained
from tests.commands import clean, command
from tests.conftest import ROOT


@pytest.fixture
def kit(made_kit: Path, tmp_path: Path) -> Path:
    """A copy to run in, unpacked from the archive as on a device."""
    with zipfile.ZipFile(made_kit.with_name("kit.zip")) as archive:
        archive.extractall(tmp_path)
    return tmp_path / "kit"


Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def run(bare_python: Path, kit: Path) -> Run:
    def do(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([bare_python, "run.py", *arguments], cwd=kit, capture_output=True, text=True, env=clean())

    return do


def check(*arguments: str | Path) -> int:
    return command("kit")([*map(str, arguments)])


def test_it_runs_without_the_projects_packages_and_its_records_collect(run: Run, kit: Path, tmp_path: Path) -> None:
    done = run()
    assert done.returncode == 0, done.stderr
    assert {line.split()[0] for line in done.stdout.splitlines()[1:]} == {"own:tiny", "own:other"}
    assert "needs 662" in done.stdout  # 250 rounds carry no p99
    assert not (kit / "records" / "speed.partial").exists()
    assert not (kit / "records" / ".running").exists()
    assert check("collect", kit / "records", "--results", tmp_path / "results") == 0
    records = read(tmp_path / "results")
    assert {record.model for record in records} == {"own:tiny", "own:other"}
    for record in records:
        assert record.protocol["name"] == "paper"
        assert [len(rounds) for rounds in record.samples["latency_ms"]] == [50] * 5
        assert record.metrics["parity_max_relative"] < 1e-5
        assert record.software.packages.keys() == {"numpy"}
        assert record.notes["device"]["architecture"]  # type: ignore[index,call-overload]
        assert "product_macs_per_s" in record.metrics
    # What was collected can be checked where it lies, and is not added twice.
    assert check("check", tmp_path / "results") == 0
    assert check("collect", kit / "records", "--results", tmp_path / "results") == 0
    assert len(read(tmp_path / "results")) == 2


def test_a_kit_record_is_the_same_measurement_as_one_from_home(made_kit: Path, run: Run, kit: Path) -> None:
    """So that a report puts them side by side."""
    from bench.core.record import Record

    assert run("--models", "own:tiny").returncode == 0
    (line,) = (kit / "records" / "speed.jsonl").read_text().splitlines()
    away = Record.model_validate_json(line)
    from bench.speed.plan import SpeedPlan

    home = SpeedPlan(
        str(made_kit.parent / "own.py") + ":tiny", 17, (64, 64), None, 1, "cpu", "onnxruntime", "fp32",
        away.threads or 0, "paper", 50, 5, 5, 0,
    )  # fmt: skip
    assert away.identity(away.software.runtime) == home.identity()


def test_a_kill_half_way_costs_one_set_at_most_and_each_set_is_there_once(
    bare_python: Path, kit: Path, run: Run
) -> None:
    process = subprocess.Popen([bare_python, "run.py"], cwd=kit, stderr=subprocess.PIPE, text=True, env=clean())
    assert process.stderr is not None
    for line in process.stderr:
        if line.startswith("4/10"):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    partial = kit / "records" / "speed.partial"
    before = [json.loads(line) for line in partial.read_text().splitlines()]
    assert 4 <= len(before) <= 5
    partial.write_bytes(partial.read_bytes() + b'{"work": "half a li')  # as a power cut leaves it
    done = run()
    assert done.returncode == 0, done.stderr
    assert "are there from before" in done.stderr
    records = [json.loads(line) for line in (kit / "records" / "speed.jsonl").read_text().splitlines()]
    assert sorted(record["model"] for record in records) == ["own:other", "own:tiny"]
    kept = [entry["content"]["result"]["latency_ms"] for entry in before]
    found = [rounds for record in records for rounds in record["samples"]["latency_ms"]]
    assert len(found) == 10
    assert all(found.count(rounds) == 1 for rounds in kept)
    assert not partial.exists()


def test_a_run_killed_after_its_records_does_not_add_them_again(kit: Path, run: Run) -> None:
    assert run("--sets", "1").returncode == 0
    file = kit / "records" / "speed.jsonl"
    before = file.read_bytes()
    for line in before.splitlines():
        append_once(json.loads(line) | {"command": "python run.py, the next start"}, kit / "records", resumed=True)
    assert file.read_bytes() == before


def test_a_changed_file_costs_its_network_only(kit: Path, run: Run) -> None:
    file = kit / "artifacts" / "own_tiny.onnxruntime" / "network.onnx"
    file.write_bytes(file.read_bytes() + b"\0")
    done = run("--sets", "1")
    assert done.returncode == 2
    assert "failed: own:tiny, onnxruntime: artifacts/own_tiny.onnxruntime/network.onnx is not as it was" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["own:other"]
    file.unlink()
    done = run("--sets", "1", "--models", "own:tiny")
    assert (done.returncode, done.stdout) == (2, "")
    assert "network.onnx is missing" in done.stderr


def test_a_changed_module_costs_all(kit: Path, run: Run) -> None:
    (kit / "bench" / "timing" / "clock.py").write_text("# nothing\n" + (kit / "bench/timing/clock.py").read_text())
    done = run()
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: bench/timing/clock.py is not as it was made")


def test_another_function_is_not_timed(kit: Path, run: Run) -> None:
    """The expected outputs of one network with the artifact of the other: its hash is right, and its outputs wrong."""
    path = kit / "manifest.json"
    told = json.loads(path.read_text())
    one, two = told["networks"]
    one["expected"], two["expected"] = two["expected"], one["expected"]
    path.write_text(json.dumps(told))
    done = run("--sets", "1")
    assert done.returncode == 1
    assert done.stderr.count("differs from eager by") == 4  # once each when it happens, once each at the end
    assert not (kit / "records" / "speed.jsonl").exists()


def test_a_missing_runtime_is_said(kit: Path, tmp_path: Path) -> None:
    (tmp_path / "blocked").mkdir()
    script = (
        "import sys, runpy; sys.modules['onnxruntime'] = None; import importlib.util as u; find = u.find_spec;"
        "u.find_spec = lambda name, *more: None if name == 'onnxruntime' else find(name, *more);"
        "sys.argv = ['run.py']; runpy.run_path('run.py', run_name='__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=kit, capture_output=True, text=True, env=clean())
    assert done.returncode == 2
    assert "onnxruntime is not installed here: pip install onnxruntime" in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize("runtime", ["nobody-has-this 1.0, int8", ", int8"])
def test_a_runtime_whose_version_nothing_tells_is_said(
    kit: Path, monkeypatch: pytest.MonkeyPatch, runtime: str
) -> None:
    def absent(name: str) -> str:
        raise importlib.metadata.PackageNotFoundError(name)

    manifest = Manifest.read(kit / "manifest.json")
    maker = RecordMaker(kit, manifest, {"name": "paper"}, 1, kit / "records")
    monkeypatch.setattr(catalogue, "version", absent)
    with pytest.raises(InputError, match=r"nothing here tells the version of .*: install it"):
        maker.runtime(dataclasses.replace(manifest.networks[0], runtime=runtime))
    told = maker.runtime(dataclasses.replace(manifest.networks[0], runtime="numpy 1.0, int8"))
    assert told == f"numpy {importlib.metadata.version('numpy')}, int8"


def limited(kind: str, most: int) -> Callable[[], None]:
    """For a process that is to begin: a limit of its own and of those that it starts."""
    resource = pytest.importorskip("resource", reason="this system has no limits of processes")
    return lambda: resource.setrlimit(getattr(resource, kind), (most, most))


def test_out_of_memory_costs_its_network_only(bare_python: Path, kit: Path) -> None:
    """As on a board of 512 MB: one network of two needs a gigabyte."""
    import onnx

    many = onnx.helper.make_tensor("many", onnx.TensorProto.INT64, [4], [20_000, 3, 64, 64])
    nodes = [
        onnx.helper.make_node("Expand", ["input", "many"], ["large"]),
        onnx.helper.make_node("ReduceMax", ["large"], ["output"], keepdims=1),
    ]
    file = kit / "artifacts" / "own_other.onnxruntime" / "network.onnx"
    entry = onnx.load(file).graph.input[0]
    nodes[0].input[0] = entry.name
    found = onnx.helper.make_tensor_value_info("output", onnx.TensorProto.FLOAT, [1, 1, 1, 1])
    graph = onnx.helper.make_graph(nodes, "large", [entry], [found], [many])
    opset = [onnx.helper.make_opsetid("", 17)]
    file.write_bytes(onnx.helper.make_model(graph, opset_imports=opset, ir_version=8).SerializeToString())
    manifest = json.loads((kit / "manifest.json").read_text())
    manifest["files"]["artifacts/own_other.onnxruntime/network.onnx"] = sha256(file)
    (kit / "manifest.json").write_text(json.dumps(manifest))
    done = subprocess.run(
        [bare_python, "run.py", "--sets", "1"], cwd=kit, capture_output=True, text=True, env=clean(),
        preexec_fn=limited("RLIMIT_AS", 2**29),
    )  # fmt: skip
    assert done.returncode == 2
    assert "own:other fails on an input of 64x64: out of memory, 983 MB asked for at once" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["own:tiny"]


@pytest.mark.parametrize(
    ("does", "says"),
    [
        ("raise OSError(30, 'Read-only file system')", "error: {kit}/records/.answer: Read-only file system"),
        ("os.kill(os.getpid(), 9)", "failed: own:tiny, onnxruntime: its process was killed (signal 9), most likely"),
    ],
)
def test_why_there_is_no_answer_is_said(bare_python: Path, kit: Path, tmp_path: Path, does: str, says: str) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text(
        "import os, pathlib\nwrite = pathlib.Path.write_text\ndef answer(self, *text, **how):\n"
        f"    if self.name == '.answer':\n        {does}\n    return write(self, *text, **how)\n"
        "pathlib.Path.write_text = answer\n"
    )
    done = subprocess.run(
        [bare_python, "run.py", "--models", "own:tiny", "--sets", "1"], cwd=kit, capture_output=True, text=True,
        env=clean() | {"PYTHONPATH": str(tmp_path / "own")},
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith(says.format(kit=kit))


def test_a_full_disk_loses_nothing(bare_python: Path, kit: Path, run: Run) -> None:
    """Files that may not grow beyond two sets and a half stand in for it."""
    command_line = [bare_python, "run.py", "--models", "own:tiny"]
    done = subprocess.run(
        command_line, cwd=kit, capture_output=True, text=True, env=clean() | {"PYTHONDONTWRITEBYTECODE": "1"},
        preexec_fn=limited("RLIMIT_FSIZE", 6000),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1] == (
        f"error: {kit}/records/speed.partial: the disk is full: free some space, and start again to go on"
    )
    assert "Traceback" not in done.stderr
    kept = [json.loads(line) for line in (kit / "records" / "speed.partial").read_text().splitlines()]
    assert len(kept) >= 1
    done = run("--models", "own:tiny")
    assert done.returncode == 0, done.stderr
    assert f"{len(kept)} of 5 sets are there from before" in done.stderr
    record = json.loads((kit / "records" / "speed.jsonl").read_text())
    assert all(line["content"]["result"]["latency_ms"] in record["samples"]["latency_ms"] for line in kept)


def test_clocks_that_jump_or_were_never_set(bare_python: Path, kit: Path) -> None:
    """Latency has a clock of its own; the record says what was wrong, and its time is not before the kit's making."""
    manifest = json.loads((kit / "manifest.json").read_text())
    manifest["made_at"] = "2126-01-02T03:04:05.000+00:00"
    (kit / "manifest.json").write_text(json.dumps(manifest))
    script = (
        "import itertools, runpy, sys, time; hours = itertools.count(); real = time.time;"
        "time.time = lambda: real() + 3600 * next(hours); sys.argv = ['run.py', '--sets', '1', '--models', 'own:tiny'];"
        "runpy.run_path('run.py', run_name='__main__')"
    )
    done = subprocess.run([bare_python, "-c", script], cwd=kit, capture_output=True, text=True, env=clean())
    assert done.returncode == 0, done.stderr
    record = json.loads((kit / "records" / "speed.jsonl").read_text())
    jump, never = record["warnings"]
    assert re.fullmatch(r"the clock jumped by \+36\d\d s meanwhile; latency has one of its own", jump)
    assert never.startswith("the clock was never set")
    assert "2126-01-02T03:04:05" <= record["started_at"] < "2127"
    assert record["metrics"]["latency_ms_median"] < 1000


def test_an_int8_network_in_a_kit(made_kit: Path, bare_python: Path, tmp_path: Path) -> None:
    """Quantised at home; the device needs neither the quantiser nor pictures."""
    kit = tmp_path / "kit"
    own = f"{made_kit.parent / 'own.py'}:other"
    assert check("make", "--models", own, "--input", "64x64", "--backend", "onnxruntime_int8", "--out", kit) == 0
    run = [bare_python, "run.py", "--sets", "1"]
    done = subprocess.run(run, cwd=kit, capture_output=True, text=True, env=clean())
    assert done.returncode == 0, done.stderr
    assert check("collect", kit / "records", "--results", tmp_path / "results") == 0
    (record,) = read(tmp_path / "results")
    assert (record.precision, record.backend) == ("int8", "onnxruntime_int8")
    assert "drawn people" in str(record.notes["calibration"])
    assert 1e-5 < record.metrics["parity_max_relative"] < 0.5


def test_two_runs_at_once_are_refused(bare_python: Path, kit: Path, run: Run) -> None:
    first = subprocess.Popen(
        [bare_python, "run.py", "--protocol", "sustained", "--for", "600"], cwd=kit, stderr=subprocess.PIPE, text=True,
        env=clean(),
    )  # fmt: skip
    try:
        assert first.stderr is not None
        first.stderr.readline()
        done = run()
        assert done.returncode == 2
        assert "another run of this kit is going on" in done.stderr
    finally:
        first.send_signal(signal.SIGINT)
        assert "the finished sets are kept" in first.communicate()[1]
    assert first.returncode == 130
    assert not (kit / "records" / ".running").exists()


def test_a_lock_that_a_dead_process_left_is_taken_over(tmp_path: Path) -> None:
    path = tmp_path / ".running"
    with lock.alone(path), pytest.raises(InputError, match="another run"), lock.alone(path):
        pass
    for told in ({"pid": 2**22 + 1}, {"pid": os.getpid(), "boot": "another"}, {"pid": "x"}):
        path.write_text(json.dumps(told))
        with lock.alone(path):
            assert json.loads(path.read_text())["pid"] == os.getpid()
    path.write_text("")  # cut off by a power cut long ago; or being written now
    with pytest.raises(InputError), lock.alone(path):
        pass
    os.utime(path, (time.time() - 100, time.time() - 100))
    with lock.alone(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_sustained_shows_latency_fresh_and_settled(kit: Path, run: Run, tmp_path: Path) -> None:
    done = run("--protocol", "sustained", "--for", "0.5", "--models", "own:tiny")
    assert done.returncode == 0, done.stderr
    assert "settled ms" in done.stdout
    assert check("collect", kit / "records", "--results", tmp_path / "r") == 0
    (record,) = read(tmp_path / "r")
    assert record.protocol["for_s"] == 0.5
    assert record.metrics["latency_ms_settled"] > 0


def test_chosen_cores_and_bad_usage(kit: Path, run: Run) -> None:
    done = run("--cores", "0", "--sets", "1", "--models", "own:tiny")
    assert done.returncode == 0, done.stderr
    record = json.loads((kit / "records" / "speed.jsonl").read_text())
    assert (record["protocol"]["cores"], record["threads"], record["protocol"]["name"]) == ("0", 1, "custom")
    for bad, says in (
        (["--cores", "9999"], "processor 9999 is not there"), (["--cores", "x"], "give numbers such as 0-3,6"),
        (["--threads", "9999"], "9999 are more than"), (["--sets", "0"], "'0' is not a number from 1"),
        (["--models", "nobody"], "not in this kit, which has own:other, own:tiny"), (["--for", "nan"], "not a number"),
    ):  # fmt: skip
        done = run(*bad)
        assert done.returncode == 2
        assert len(done.stderr.splitlines()) == 1
        assert says in done.stderr


def test_the_list_says_what_each_needs(run: Run) -> None:
    assert "own:tiny, onnxruntime: onnxruntime 1.14 or later (ONNX opset 18, IR version 8)" in run("--list").stderr


# ------------------------------------------------------------------------------ what comes back


@pytest.fixture(scope="module")
def records(made_kit: Path, bare_python: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a device brings back; not to be changed."""
    kit = tmp_path_factory.mktemp("device") / "kit"
    shutil.copytree(made_kit, kit)
    subprocess.run(
        [bare_python, "run.py", "--models", "own:tiny"], cwd=kit, check=True, capture_output=True, env=clean()
    )
    return kit / "records"


def edited(records: Path, folder: Path, edit: Callable[[dict[str, Any]], object]) -> Path:
    folder.mkdir()
    (folder / "manifest.json").write_bytes((records.parent / "manifest.json").read_bytes())
    record = json.loads((records / "speed.jsonl").read_text())
    edit(record)
    (folder / "speed.jsonl").write_text(json.dumps(record) + "\n")
    return folder


EDITS: dict[str, tuple[Callable[[dict[str, Any]], object], str]] = {
    "a faster median": (lambda r: r["metrics"].update(latency_ms_median=0.001), "latency_ms_median is 0.001"),
    "a narrower interval": (
        lambda r: r["metrics"].update(fps_ci95_low=r["metrics"]["fps"]), "fps_ci95_low is"
    ),
    "a better product": (lambda r: r["metrics"].update(product_macs_per_s=9e15), "product_macs_per_s is 9e+15"),
    "a figure of one's own": (lambda r: r["metrics"].update(speedup=3), "speedup follows from nothing"),
    "no parity": (lambda r: r["metrics"].pop("parity_max_relative"), "parity_max_relative is missing"),
    "bad parity": (lambda r: r["metrics"].update(parity_max_relative=0.1), "fp32 allows 0 to 0.0001"),
    "another network": (lambda r: r.update(model="own:other"), "model is 'own:other', and the kit's network has"),
    "another precision": (lambda r: r.update(precision="fp16"), "precision is 'fp16'"),
    "fewer sets under the same name": (
        lambda r: (r["protocol"].update(sets=1), [r["samples"].update(latency_ms=r["samples"]["latency_ms"][:1])]),
        "protocol.sets is 1, and protocol paper has 5",
    ),
    "rounds that took longer than the clock": (
        lambda r: r["conditions"][0].update(elapsed_s=sum(r["samples"]["latency_ms"][0]) / 1000 - 0.001),
        "the rounds of set 1 took",
    ),
    "another source": (lambda r: r["software"].update(source_sha256="0" * 64), "software.source_sha256 is not"),
    "another kit": (lambda r: r["notes"]["kit"].update(manifest_sha256="0" * 64), "is of a kit that is not here"),
    "no kit": (lambda r: r["notes"].pop("kit"), "is not of a kit"),
    "a network that is not in it": (lambda r: r["notes"]["kit"].update(network="x"), "'x' is not in the kit"),
    "a gigantic number": (lambda r: r["notes"].update(n=10**400), "beyond 1e+19"),
    "no number": (lambda r: r["metrics"].update(fps=float("nan")), "holds NaN"),
    "a newer schema": (lambda r: r.update(schema=99), "written by a newer version"),
}  # fmt: skip


@pytest.mark.parametrize("case", EDITS)
def test_an_edited_record_is_refused_with_what_does_not_follow(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    edit, says = EDITS[case]
    folder = edited(records, tmp_path / "in", edit)
    assert check("collect", folder, "--results", tmp_path / "out") == 1
    out = capsys.readouterr().out
    assert says in out
    assert f"{folder / 'speed.jsonl'}:1: " in out
    assert not (tmp_path / "out" / "speed.jsonl").exists()
    assert check("check", folder) == 1


def test_what_was_not_edited_is_sound(records: Path, tmp_path: Path) -> None:
    assert check("check", edited(records, tmp_path / "in", lambda record: None)) == 0


def test_a_samples_edit_with_its_figures_worked_out_anew_still_fails(records: Path, tmp_path: Path) -> None:
    """Slower rounds do not fit the clock around them."""
    from bench.record.soundness import summary

    def edit(record: dict[str, Any]) -> None:
        record["samples"]["latency_ms"] = [[1e4 * ms for ms in one] for one in record["samples"]["latency_ms"]]
        record["metrics"].update(summary(record["samples"]["latency_ms"]))

    assert check("check", edited(records, tmp_path / "in", edit)) == 1


def test_a_manifest_of_ones_own_is_refused(records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Made of these very sources, with another clock."""
    told = json.loads((records.parent / "manifest.json").read_text())
    told["files"]["bench/timing/clock.py"] = "0" * 64
    text = json.dumps(told)

    def edit(record: dict[str, Any]) -> None:
        record["notes"]["kit"]["manifest_sha256"] = hashlib.sha256(text.encode()).hexdigest()

    folder = edited(records, tmp_path / "in", edit)
    (folder / "manifest.json").write_text(text)
    assert check("check", folder) == 1
    assert "bench/timing/clock.py is not the one of the sources" in capsys.readouterr().out


def test_conflicts_and_emulated_ones_are_named(
    records: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert check("collect", records, "--results", tmp_path / "out") == 0
    other = edited(records, tmp_path / "in", lambda record: record["metrics"].update(peak_rss_bytes=1))
    assert check("collect", other, "--results", tmp_path / "out") == 1
    assert "conflicts with one in" in capsys.readouterr().out
    emulated = edited(records, tmp_path / "e", lambda record: record["notes"]["device"].update(emulated="by a test"))
    assert check("check", emulated) == 0
    assert check("collect", emulated, "--results", tmp_path / "new") == 1
    assert "emulated processor (by a test)" in capsys.readouterr().out
    assert not (tmp_path / "new" / "speed.jsonl").exists()


def test_archives_are_read_and_hostile_ones_refused(records: Path, tmp_path: Path) -> None:
    good = tmp_path / "good.zip"
    with zipfile.ZipFile(good, "w") as archive:
        for file in records.rglob("*.json*"):
            archive.write(file, file.relative_to(records.parent))
    assert check("check", good) == 0
    for name in ("../../evil.txt", "/etc/evil", "C:\\evil", "a/../../b"):
        bad = tmp_path / "bad.zip"
        shutil.copy(good, bad)
        with zipfile.ZipFile(bad, "a") as archive:
            archive.writestr(zipfile.ZipInfo(name), "x")
        with pytest.raises(InputError, match="leaves its folder"):
            check("check", bad)
    (tmp_path / "no.zip").write_bytes(b"PK nothing")
    with pytest.raises(InputError, match="no archive that can be read"):
        check("check", tmp_path / "no.zip")
    with zipfile.ZipFile(tmp_path / "bomb.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("manifest.json", b"0" * (65 * 2**20))
    with pytest.raises(InputError, match="more than the 67 MB"):
        check("check", tmp_path / "bomb.zip")


def test_manifests_of_other_versions_and_none_at_all(made_kit: Path, records: Path, tmp_path: Path) -> None:
    told = json.loads((made_kit / "manifest.json").read_text())
    for change, says in (
        ({"schema": 2}, "a newer one"), ({"schema": 0}, "an older one"), ({"networks": 5}, "is no manifest"),
        ({"files": {"../x": "0"}, "networks": []}, "outside of the kit"), ({"extra": 1}, "is no manifest"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            Manifest.parse(json.dumps(told | change), "it")
    for rounding in ("much", -1, float("nan")):
        networks = [one | {"rounding": rounding} for one in told["networks"]]
        with pytest.raises(InputError, match="is no manifest"):
            Manifest.parse(json.dumps(told | {"networks": networks}), "it")
    assert {one["reference"] for one in told["networks"]} == {"eager"}
    with pytest.raises(InputError, match="is no manifest"):
        Manifest.parse(json.dumps(told | {"networks": [one | {"reference": 5} for one in told["networks"]]}), "it")
    for text in ("", "[]", "nul", "[" * 10**5):
        with pytest.raises(InputError):
            Manifest.parse(text, "it")
    (tmp_path / "speed.jsonl").write_bytes((records / "speed.jsonl").read_bytes())
    assert check("check", tmp_path) == 1
    assert check("check", tmp_path, "--kit", made_kit) == 0


# What stands where a manifest has something else, or the same thing with other things inside.
OTHERS = [
    None, [], {}, "", "text", "a\nb", "../..", ", x", 0, -1, 0.5, 10**400, True, float("nan"), [[[1]]],
    {"a": {"b": []}},
]  # fmt: skip


def places(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where each value is in JSON, the whole first."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inner:
        yield from places(one, (*path, key))


def small_manifest(kit: Path) -> Any:
    """With one network and a module, which say as much as all."""
    told = json.loads((kit / "manifest.json").read_text())
    told["networks"] = told["networks"][:1]
    (one,) = told["networks"]
    told["files"] = {name: told["files"][name] for name in [*one["files"], one["input"], one["expected"], "run.py"]}
    return told


def replaced(value: Any, path: tuple[Any, ...], other: Any) -> Any:
    """JSON with another value in a place; ``GONE`` takes it away."""
    if not path:
        return {} if other is GONE else other
    key, *rest = path
    items = dict(value) if isinstance(value, dict) else list(value)
    if not rest and other is GONE:
        del items[key]
    else:
        items[key] = replaced(value[key], tuple(rest), other) if rest else other
    return items


GONE = object()
ANY_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@pytest.fixture
def survives(
    made_kit: Path, records: Path, kit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[[Any], bool]:
    """Goes as far with a manifest as home and the device go before anything is timed; whether it was one at all."""
    what, where = hardware.describe(), board.describe()
    monkeypatch.setattr(hardware, "describe", lambda: what)
    monkeypatch.setattr(board, "describe", lambda: where)
    # What takes the longest: modules, which are as they were made, and figures, for which no manifest is needed.
    monkeypatch.setattr(soundness, "_same_module", lambda name, told: True)
    monkeypatch.setattr(soundness, "_figures", lambda record: iter(()))
    (line,) = (records / "speed.jsonl").read_text().splitlines()
    digest = sha256(records.parent / "manifest.json")
    asked = [device.parse(["--protocol", protocol]) for protocol in ("paper", "steady", "sustained")]

    def go(told: Any) -> bool:
        text = json.dumps(told)
        (kit / "manifest.json").write_text(text)
        refused = ""
        try:
            manifest = Manifest.read(kit / "manifest.json")
        except InputError as error:
            refused = str(error)
        assert "\n" not in refused
        if refused:
            return False
        (checked,) = collecting.check(collecting.RecordSource("it", [(1, line)], {digest: text}))
        assert not any("\n" in problem for problem in checked.wrong), checked.wrong
        for arguments in asked:
            timing = device.make_settings(manifest, arguments)
            assert timing.sets >= 1
            assert timing.until["rounds"] >= 1
        run = device._KitRun(kit, manifest, timing, kit / "records")
        for network in manifest.networks:
            started = run._start(network)
            assert started is None or json.dumps(started.artifact)
            assert run.maker.measurement(network)["model"]
            assert datetime.fromisoformat(run.maker.now())
        assert len(capsys.readouterr().err.splitlines()) <= len(manifest.networks)
        return True

    return go


def test_an_option_of_another_protocol_is_refused() -> None:
    numbers = {"rounds": 50, "sets": 5, "warmup": 5, "budget_s": 20.0}
    manifest: Any = SimpleNamespace(protocols=dict.fromkeys(("paper", "steady", "sustained"), numbers))
    for protocol in ("paper", "steady"):
        with pytest.raises(
            InputError, match=f"--for has no effect with --protocol {protocol}: give --protocol sustain"
        ):
            device.make_settings(manifest, device.parse(["--protocol", protocol, "--for", "600"]))
    timing = device.make_settings(manifest, device.parse(["--protocol", "sustained"]))
    assert (timing.protocol["for_s"], timing.limit_s) == (600, 2400)


def test_a_manifest_with_one_value_of_another_kind_is_refused_or_harmless(
    made_kit: Path, survives: Callable[[Any], bool]
) -> None:
    told = small_manifest(made_kit)
    assert survives(told)
    for path in places(told):
        for other in (GONE, *OTHERS):
            survives(replaced(told, path, other))
    assert not survives(replaced(told, ("networks", 0, "measurement"), []))


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_whatever_a_manifest_holds_only_input_errors_come_out(
    made_kit: Path, survives: Callable[[Any], bool], data: st.DataObject
) -> None:
    told = small_manifest(made_kit)
    for _ in range(data.draw(st.integers(1, 3))):
        path = data.draw(st.sampled_from(sorted(places(told), key=repr)))
        told = replaced(told, path, data.draw(ANY_JSON))
    survives(told)


@pytest.mark.parametrize(
    ("path", "other"),
    [
        (("networks", 0, "measurement"), []), (("networks", 0, "measurement", "model"), None),
        (("networks", 0, "measurement", "backend"), GONE), (("networks", 0, "measurement", "protocol"), []),
        (("networks", 0, "notes"), None), (("networks", 0, "files"), []), (("networks", 0, "artifact"), {}),
        (("networks", 0, "artifact", "metadata"), []), (("networks", 0, "runtime"), ""),
        (("networks", 0, "id"), "../x"),
        (("networks", 0, "rounding"), True), (("networks", 0, "rounding"), float("inf")), (("software",), []),
        (("software", "torch"), GONE), (("protocols",), {}), (("protocols", "paper"), GONE),
        (("protocols", "paper", "sets"), 0), (("protocols", "paper", "sets"), 2.5), (("protocols", "more"), 5),
        (("protocols", "steady", "budget_s"), "20"), (("made_at",), "2026-11-27"), (("made_at",), "today"),
        (("schema",), True), (("schema",), None), (("command",), 5), (("files", "run.py"), None),
    ],
)  # fmt: skip
def test_a_manifest_of_other_types_inside_is_damaged(made_kit: Path, path: tuple[Any, ...], other: Any) -> None:
    told = json.loads((made_kit / "manifest.json").read_text())
    with pytest.raises(InputError, match=r"^it is no manifest of a kit, or is damaged: copy the kit anew$"):
        Manifest.parse(json.dumps(replaced(told, path, other)), "it")


def test_a_manifest_may_have_the_largest_seed(made_kit: Path) -> None:
    told = json.loads((made_kit / "manifest.json").read_text())
    largest = replaced(told, ("networks", 0, "measurement", "seed"), 2**63 - 1)
    assert Manifest.parse(json.dumps(largest), "it").networks[0].measurement["seed"] == 2**63 - 1


def test_paths_that_leave_a_folder() -> None:
    assert all(inside(name) for name in ("a", "a/b.txt", "a/..b"))
    assert not any(inside(name) for name in ("", "..", "../a", "/a", "a/../b", "c:/a", "a\\b", "a\0"))


def test_a_report_shows_them_beside_those_from_home(records: Path, tmp_path: Path) -> None:
    from bench.report import render
    from bench.report.measured import Measured
    from bench.report.sections import all_sections

    def to_board(record: dict[str, Any]) -> None:
        record["machine"]["cpu"] = "Raspberry Pi 5"

    results = tmp_path / "results"
    assert check("collect", edited(records, tmp_path / "in", to_board), "--results", results / "pi5") == 0
    (away,) = read(results)
    home = away.model_copy(update={"machine": away.machine.model_copy(update={"cpu": "Home"}), "notes": {}})
    append([home], results / "home")
    measured = Measured(read(results))
    tables = [table for section in all_sections() if (table := section.table(measured)) is not None]
    shown = [text for text in (render.markdown(table, measured) for table in tables) if "own:tiny" in text]
    fps = f"{away.metrics['fps']:.1f}"
    assert any("Raspberry Pi 5" in text and "Home" in text and text.count(fps) >= 2 for text in shown), shown


# ------------------------------------------------------------------------------ the rest


def test_everything_on_the_device_reads_as_python_3_9(made_kit: Path) -> None:
    files = sorted(made_kit.rglob("*.py"))
    assert len(files) > 25
    for file in files:
        tree = ast.parse(file.read_text(), feature_version=(3, 9))
        future = any(isinstance(node, ast.ImportFrom) and node.module == "__future__" for node in tree.body)
        annotations = {
            id(inner)
            for node in ast.walk(tree)
            for part in (getattr(node, "annotation", None), getattr(node, "returns", None))
            if part is not None
            for inner in ast.walk(part)
        }
        for node in ast.walk(tree):
            assert not isinstance(node, ast.Match), file
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") == "zip":
                assert not node.keywords, file
            if isinstance(node, ast.BinOp) and isinstance(node.op, ast.BitOr):
                names = {getattr(side, "id", getattr(side, "value", 0)) for side in (node.left, node.right)}
                types = names & {None, "str", "int", "float", "bytes", "Path"}
                assert not types or (future and id(node) in annotations), (file, node.lineno)


def test_what_the_modules_import_at_once_is_in_the_kit(tmp_path: Path) -> None:
    """Of every family that a kit can carry."""
    making.copy_modules(tmp_path, sorted({b.family for b in catalogue.catalogue().values() if making.travels(b)}))
    for file in tmp_path.rglob("*.py"):
        for node in ast.parse(file.read_text()).body:
            if isinstance(node, ast.ImportFrom) and str(node.module).startswith("bench"):
                whole = tmp_path / str(node.module).replace(".", "/")
                names = [whole / f"{alias.name}.py" for alias in node.names]
                assert whole.with_suffix(".py").exists() or all(name.exists() for name in names), (file, node.module)


def test_the_modules_import_in_a_real_python_3_9(made_kit: Path) -> None:
    """Those that do without numpy, which no Python 3.9 here may have."""
    python = shutil.which("python3.9")
    there = {**clean(), "PYENV_VERSION": "3.9"}
    if python is None or subprocess.run([python, "-c", ""], capture_output=True, env=there).returncode:
        pytest.skip("there is no Python 3.9 here")
    script = (
        "import sys; sys.path.insert(0, sys.argv[1]); from bench.core import board, hardware;"
        "from bench.kit import manifest, ledger, lock; from bench.timing import process_variables, conditions;"
        "assert hardware.describe() and board.describe(); conditions.Watch()(1)"
    )
    done = subprocess.run([python, "-c", script, str(made_kit)], capture_output=True, text=True, env=there)
    assert done.returncode == 0, done.stderr


def test_a_run_of_python_3_8_is_told(made_kit: Path) -> None:
    ast.parse((made_kit / "run.py").read_text(), feature_version=(3, 7))


def test_percentiles_are_printed_where_enough_rounds_carry_them() -> None:
    assert percentile_text([[1.0] * 60, [2.0] * 3], 90) == "needs 64"
    assert percentile_text([[1.0] * 60, [2.0] * 4], 90) == "1.00"
    assert percentile_text([[1.0] * 661], 99) == "needs 662"
    assert percentile_text([[1.0] * 662], 99) == "1.00"


def test_heat_is_seen_where_it_sets_in() -> None:
    """10 ms for 60 s, then 14 ms for 40 s: by hand."""
    found = sustained.figures([10.0] * 6000 + [14.0] * 2857)
    assert found["latency_ms_fresh"] == 10
    assert found["latency_ms_settled"] == 14
    assert found["slower_after_s"] == pytest.approx(60, abs=1e-2)
    assert sustained.figures([5.0]) == {"latency_ms_fresh": 5.0, "latency_ms_settled": 5.0}
    assert "slower_after_s" not in sustained.figures([10.0] * 100 + [14.0] * 100 + [10.0] * 300)


def test_a_ledger_forgets_what_was_half_written(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "speed.partial")
    ledger.add("a", "set 1", {"x": 1})
    with ledger.path.open("ab") as file:
        file.write(b'{"work": "a", "part": "set 2", "con')
    assert ledger.parts("a") == {"set 1": {"x": 1}}
    ledger.add("b", "set 1", {"x": 2})
    assert len(ledger.path.read_text().splitlines()) == 2
    ledger.drop({"a"})
    assert (ledger.parts("a"), ledger.parts("b")) == ({}, {"set 1": {"x": 2}})
    ledger.drop({"b"})
    assert not ledger.path.exists()


@pytest.mark.parametrize("ending", ["", "\r", " "])
@pytest.mark.parametrize("mark", [b"", b"\xef\xbb\xbf"])
def test_a_last_line_without_its_newline_is_kept(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], ending: str, mark: bytes
) -> None:
    """As an editor or ``printf '%s'`` leaves it; whatever counts as there is still there afterwards."""
    file = tmp_path / "speed.jsonl"
    for before in (['{"a": 1}'], ['{"a": 1}', '{"b": 2}'], [json.dumps({"a": "x" * 200_000})]):
        file.write_bytes(mark + ("\n".join(before) + ending).encode())
        there = [json.loads(line) for line in before]
        assert list(lines(file)) == there
        append_line(file, '{"c": 3}')
        append_line(file, '{"d": 4}')
        assert list(lines(file)) == [*there, {"c": 3}, {"d": 4}]
        assert file.read_bytes() == mark + ("\n".join(before) + ending + '\n{"c": 3}\n{"d": 4}\n').encode()
    assert not capsys.readouterr().err


@pytest.mark.parametrize(
    "tail", [b'{"b": ', b"[2]", b"5", b"\0\0\0", b'{"b": "\xff"}', b"[" * 100_000, b'{"b": 2}{"c": 3}']
)
def test_half_a_last_line_is_cut_off_and_that_is_said(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], tail: bytes
) -> None:
    file = tmp_path / "speed.jsonl"
    file.write_bytes(b'{"a": 1}\n' + tail)
    assert list(lines(file)) == [{"a": 1}]
    append_line(file, '{"c": 3}')
    assert file.read_bytes() == b'{"a": 1}\n{"c": 3}\n'
    assert capsys.readouterr().err == f"warning: {file}: cut off a half-written last line of {len(tail)} bytes\n"


def test_a_record_whose_newline_is_lost_is_there_after_the_next(kit: Path, records: Path) -> None:
    """And is not added twice."""
    file = kit / "records" / "speed.jsonl"
    file.parent.mkdir()
    first = json.loads((records / "speed.jsonl").read_text())
    file.write_bytes((records / "speed.jsonl").read_bytes().removesuffix(b"\n"))
    append_once(first | {"command": "python run.py, the next start"}, kit / "records", resumed=True)
    assert list(lines(file)) == [first]
    second = first | {"started_at": "2026-11-27T23:59:48.964+00:00"}
    append_once(second, kit / "records", resumed=True)
    assert list(lines(file)) == [first, second]


def test_a_ledger_counts_what_is_not_of_it_as_not_there(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "speed.partial")
    for work, part, content in ((["a"], "set 1", {}), ("a", ["set 1"], {}), ("a", "set 1", 5), ("a", {}, None)):
        append_line(ledger.path, json.dumps({"work": work, "part": part, "content": content}))
    assert ledger.parts("a") == {}
    ledger.add("a", "set 2", {"x": 2})
    ledger.drop({"b"})
    assert ledger.parts("a") == {"set 2": {"x": 2}}


def test_a_set_that_the_disk_has_otherwise_is_timed_again(
    kit: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    manifest = Manifest.read(kit / "manifest.json")
    run = device._KitRun(kit, manifest, device.make_settings(manifest, device.parse([])), kit / "records")
    (one,) = [one for one in map(run._start, manifest.networks[:1]) if one]
    good = {"started_at": "2026-11-27T23:59:48.964+00:00", "result": {"latency_ms": [1.0]}}
    for other in (
        {}, {"result": None}, {"started_at": "", "result": {}}, good | {"result": {"latency_ms": ["1"]}},
        good | {"result": {"latency_ms": []}}, good | {"result": {"latency_ms": [1.0], "more": 1}},
        good | {"started_at": None},
    ):  # fmt: skip
        run.ledger.add(one.work, "set 1", good)
        run.ledger.add(one.work, "set 2", other)
        run.ledger.add(one.work, "set 3", good)
        assert len(run._start(manifest.networks[0]).timed) == 1


def test_what_a_kit_cannot_carry(tmp_path: Path) -> None:
    for backend, says in (("eager", "does not run from files"), ("nobody", "unknown backend")):
        with pytest.raises(InputError, match=says):
            check("make", "--models", "small_hrnet_w16", "--backend", backend, "--out", tmp_path / "kit")
    (tmp_path / "kit").mkdir()
    with pytest.raises(InputError, match="is there already"):
        check("make", "--out", tmp_path / "kit")
    with pytest.raises(InputError, match="is there already: give the name of a folder to be made"):
        check("make", "--out", ".")
    assert [path.name for path in tmp_path.iterdir()] == ["kit"]
    (tmp_path / "kit" / "empty.jsonl").write_text("\n")
    for what in (["check"], ["collect", "--results", tmp_path / "results"]):
        with pytest.raises(InputError, match=r"empty.jsonl: not a single record"):
            check(*what, tmp_path / "kit" / "empty.jsonl")


def test_networks_of_one_name_have_folders_of_their_own(tmp_path: Path) -> None:
    """Also where a folder's name is cut, where case is ignored, and where another network has that name already."""
    names = [
        "a/net.py:Net",
        "b/net.py:Net",
        "b/net.py:net",
        "b/net-2.py:Net",
        f"a/{'x' * 99}.py:A",
        f"a/{'x' * 99}.py:B",
    ]
    for name in names:
        file = tmp_path / name.partition(":")[0]
        file.parent.mkdir(exist_ok=True)
        file.touch()
    asked = ",".join(str(tmp_path / name) for name in names)
    plans = making.make_plans(parse(["make", "--models", asked, "--out", str(tmp_path / "kit")]))
    found = making.identities(plans)
    assert found[:2] == ["net_Net.onnxruntime", "net_Net-2.onnxruntime"]
    assert len({name.casefold() for name in found}) == len(names)
    assert max(map(len, found)) < 100


def test_an_archive_by_its_name_alone_is_none(tmp_path: Path) -> None:
    """A folder is one, whatever it is called; a pipe may never end."""
    folder = tmp_path / "records.zip"
    folder.mkdir()
    (folder / "speed.jsonl").write_text("{}\n")
    assert collecting.read(folder, {}).where == str(folder / "speed.jsonl")
    os.mkfifo(tmp_path / "pipe.zip")
    with pytest.raises(InputError, match=r"pipe\.zip is no regular file"):
        collecting.read(tmp_path / "pipe.zip", {})


@pytest.mark.parametrize("arguments", [[], ["make"], ["collect"], ["check"]])
def test_help_needs_nothing_heavy(arguments: list[str]) -> None:
    heavy = ("torch", "zoo", "cv2", "pandas", "numpy", "pydantic", "scipy", "matplotlib", "PIL")
    script = (
        f"import sys, runpy; sys.modules.update(dict.fromkeys({heavy})); sys.argv = ['x', *{arguments}, '--help'];"
        "runpy.run_module('bench.kit', None, '__main__')"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("usage: ")
