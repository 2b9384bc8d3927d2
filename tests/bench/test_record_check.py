"""``python -m bench.record``: sound records pass, and each fault is named with its file and line."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from bench.record.soundness import summary
from bench.speed.statistics import summarise
from tests.bench.test_record import make
from tests.commands import command
from tests.conftest import ROOT

SETS = [[10.0, 12.0, 11.0], [9.0, 30.0, 10.5]]


def sound(**fields: Any) -> dict[str, Any]:
    """A record of two sets, as JSON."""
    record = make(
        metrics=summarise(SETS), samples={"latency_ms": SETS}, protocol={"name": "paper", "sets": 2, "rounds": 3}
    )
    whole: dict[str, Any] = json.loads(record.to_json())
    return whole | fields


def check(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench.record", *map(str, arguments)], cwd=ROOT, capture_output=True, text=True
    )


def test_figures_are_worked_out_as_the_command_that_times_does() -> None:
    """Two ways to the same numbers; and by hand: the sets' means are 11 and 16.5 ms."""
    assert summary(SETS).items() <= summarise(SETS).items()
    assert summary(SETS)["latency_ms_mean"] == 13.75
    assert summary(SETS)["latency_ms_median"] == 10.75
    assert summary([[4.0]])["fps"] == 250


def test_the_records_that_come_along_are_sound() -> None:
    done = check("check", "results/reference")
    assert (done.returncode, done.stdout) == (0, "")
    assert "records in" in done.stderr


FAULTS: list[tuple[dict[str, Any], str]] = [
    ({"metrics": summarise(SETS) | {"fps": 73.0}}, "fps is 73, and samples.latency_ms give 72.7272727273"),
    ({"metrics": summarise(SETS) | {"latency_ms_p99": 29.0}}, "latency_ms_p99 is 29"),
    ({"metrics": {"fps": 1000 / 13.75}}, "latency_ms_std is missing"),
    ({"metrics": summarise(SETS) | {"fps": 0}}, "fps 0 is not above 0"),
    ({"metrics": summarise(SETS) | {"fps_ci95_low": 1.0}}, "fps_ci95_high is missing"),
    ({"metrics": summarise(SETS) | {"fps_ci95_low": 80.0, "fps_ci95_high": 90.0}}, "outside of its own interval"),
    ({"samples": {}}, "samples.latency_ms is missing"),
    ({"samples": {"latency_ms": [[1.0], []]}}, "a set without rounds"),
    ({"samples": {"latency_ms": [*SETS, [1.0, 2.0, 3.0]]}}, "protocol.sets is 2, and there are samples of 3"),
    ({"protocol": {"name": "paper", "rounds": 50}}, "protocol.rounds is 50, and the sets have 3, 3"),
    ({"started_at": "1999-01-01T00:00:00+00:00"}, "is no time at which"),
    ({"kind": "complexity"}, "a record of kind complexity in a file of kind speed"),
    ({"kind": "accuracy", "metrics": {"ap": 1.5}}, "ap 1.5 is no share"),
    ({"metrics": {"fps": "fast"}}, "is not a record: metrics.fps"),
    ({"schema": 99}, "written by a newer version"),
]  # fmt: skip


@pytest.mark.parametrize(("change", "says"), FAULTS, ids=range(len(FAULTS)))
def test_each_fault_is_named_with_its_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], change: dict[str, Any], says: str
) -> None:
    file = tmp_path / "speed.jsonl"
    file.write_text(json.dumps(sound(model="another")) + "\n\n" + json.dumps(sound(**change)) + "\n")
    assert command("record")(["check", str(tmp_path)]) == 1
    said = capsys.readouterr().out
    assert all(line.startswith(f"{file}:3: ") for line in said.splitlines())
    assert says in said


def test_every_fault_is_named_not_only_the_first(tmp_path: Path) -> None:
    lines = ["garbage", json.dumps(sound()), json.dumps(sound()), "5"]
    (tmp_path / "speed.jsonl").write_text("\n".join(lines) + "\n")
    done = check("check", tmp_path / "speed.jsonl")
    assert done.returncode == 1
    assert [line.split(":")[1] for line in done.stdout.splitlines()] == ["1", "3", "4"]
    assert "the same measurement as in line 2" in done.stdout


def test_nothing_to_check_is_an_error(tmp_path: Path) -> None:
    (tmp_path / "no_records.jsonl").write_text("\n")
    (tmp_path / "half" / "a").mkdir(parents=True)
    for path in (tmp_path / "half", tmp_path / "missing.jsonl", tmp_path / "no_records.jsonl"):
        done = check("check", path)
        assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
        assert str(path) in done.stderr


def test_the_schema_is_the_one_in_the_docs() -> None:
    assert check("schema").stdout == (ROOT / "docs" / "record.schema.json").read_text()
