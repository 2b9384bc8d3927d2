"""Records survive crashes, crowds and full disks; garbage is named, never guessed at."""

import json
import os
import subprocess
import sys
import warnings
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core import results
from bench.core.record import Record, json_schema, now
from bench.core.results import RecordError, append, append_once, newest, read
from tests.conftest import ROOT

MACHINE = {"os": "Linux", "cpu": "a processor", "cores": 2, "logical_cores": 2, "memory_bytes": 1}
SOFTWARE = {"python": "3.12.0", "torch": "2.11.0", "runtime": "torch 2.11.0", "project": "0.1.0", "source_sha256": "0"}


def make(**fields: Any) -> Record:
    base: dict[str, Any] = {
        "kind": "speed", "model": "m", "input": "256x192", "metrics": {"fps": 1.0}, "machine": MACHINE,
        "software": SOFTWARE, "started_at": "2026-01-01T00:00:00+00:00", "command": "python -m bench.speed",
    }  # fmt: skip
    return Record.model_validate(base | fields)


numbers = st.floats(allow_nan=False, allow_infinity=False)
metrics_of = st.floats(-1e21, 1e21) | st.integers(-(10**21), 10**21)
texts = st.text(st.characters(exclude_categories=()))  # with what stands for bytes of file names that are no UTF-8


@settings(max_examples=60, deadline=None)
@given(
    model=texts.filter(bool),
    metrics=st.dictionaries(st.from_regex(r"[a-z][a-z0-9_@.]*", fullmatch=True), metrics_of, max_size=4),
    samples=st.lists(st.lists(numbers, max_size=4), max_size=3),
    said=texts,
    notes=st.dictionaries(texts, texts | st.lists(texts) | st.integers(-(2**60), 2**60) | st.none(), max_size=3),
)
def test_what_is_written_is_read(tmp_path_factory, model, metrics, samples, notes, said) -> None:
    folder = tmp_path_factory.mktemp("records")
    records = [
        make(model=model, metrics=metrics, samples={"latency_ms": samples}, notes=notes, command=said, warnings=[said]),
        make(kind="complexity"),
    ]
    append(records, folder)
    append(records[:1], folder)
    assert read(folder) == [records[1], records[0], records[0]]
    assert read(folder / "speed.jsonl")[0].metrics == metrics


def test_appending_reads_the_end_of_a_file_only(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    append([make(model=f"m{number}", command="x" * 5000) for number in range(100)], tmp_path)
    size, seen = (tmp_path / "speed.jsonl").stat().st_size, []
    plain = os.read
    monkeypatch.setattr(results, "lines", lambda path: pytest.fail("read as a whole"))
    monkeypatch.setattr(os, "read", lambda *asked: seen.append(asked[1]) or plain(*asked))
    append_once([make(model="new", started_at=now())], tmp_path)  # as a command's own, with every record
    assert sum(seen) <= 2**16 < size / 4
    monkeypatch.undo()
    assert len(read(tmp_path)) == 101


def test_a_crash_in_mid_write_costs_the_half_line_only(tmp_path: Path) -> None:
    file = tmp_path / "speed.jsonl"
    append([make(model="first")], tmp_path)
    whole = file.read_bytes()
    for cut in (1, len(whole) // 2, len(whole) - 2):
        file.write_bytes(whole + whole[:cut])
        with pytest.warns(UserWarning, match="half-written"):
            assert [record.model for record in read(tmp_path)] == ["first"]
        with pytest.warns(UserWarning, match="cut off"):
            append([make(model="second")], tmp_path)
        assert [record.model for record in read(tmp_path)] == ["first", "second"]


def test_a_record_without_its_newline_is_a_record(tmp_path: Path) -> None:
    """As an editor or ``printf '%s'`` leaves it."""
    file = tmp_path / "speed.jsonl"
    append([make(model="first")], tmp_path)
    file.write_bytes(b"\xef\xbb\xbf" + file.read_bytes().removesuffix(b"\n"))
    assert [record.model for record in read(tmp_path)] == ["first"]
    append([make(model="second")], tmp_path)
    append([make(model="third")], tmp_path)
    assert [record.model for record in read(tmp_path)] == ["first", "second", "third"]


def test_a_full_disk_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """A limit on the file's size stops the write half-way, as a full disk does."""
    resource = pytest.importorskip("resource", reason="this system cannot limit the size of files")
    append([make(model="first")], tmp_path)
    before = (tmp_path / "speed.jsonl").read_bytes()

    def limit() -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (len(before) + 100, len(before) + 100))

    script = "from tests.bench.test_record import make; from bench.core.results import append; " \
        "from pathlib import Path; " \
        f"append([make(model='second')], Path({str(tmp_path)!r}))"  # fmt: skip
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, preexec_fn=limit, capture_output=True, text=True)
    assert done.returncode != 0
    assert "OSError" in done.stderr
    assert (tmp_path / "speed.jsonl").read_bytes() == before


def test_many_writers_at_once_lose_nothing(tmp_path: Path) -> None:
    script = """
import sys
from pathlib import Path
from bench.core.results import append
from tests.bench.test_record import make
for i in range(20):
    append([make(model=f"{sys.argv[2]}-{i}", command="x" * 5000)], Path(sys.argv[1]))
"""
    writers = [subprocess.Popen([sys.executable, "-c", script, str(tmp_path), name], cwd=ROOT) for name in "abc"]
    assert [writer.wait(120) for writer in writers] == [0, 0, 0]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert {record.model for record in read(tmp_path)} == {f"{w}-{i}" for w in "abc" for i in range(20)}


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("garbage", "line 2 is not a record"),
        (json.dumps(json.loads(make().to_json()) | {"schema": 99}), "schema"),
        (json.dumps(json.loads(make().to_json()) | {"input": "large"}), "input"),
        (json.dumps(json.loads(make().to_json()) | {"colour": "red"}), "colour"),
        (make().to_json().replace('"fps":1.0', '"fps":NaN'), "line 2 is not a record"),
        (make().to_json().replace('"fps":1.0', '"FPS":1.0'), "metrics.FPS"),
    ],
)
def test_a_line_that_is_no_record_is_named(tmp_path: Path, line: str, says: str) -> None:
    (tmp_path / "speed.jsonl").write_text(make().to_json() + "\n" + line + "\n")
    with pytest.raises(RecordError, match=says) as error:
        read(tmp_path)
    assert "speed.jsonl, line 2" in str(error.value)
    assert "\n" not in str(error.value)


def test_a_file_that_is_not_text_is_named(tmp_path: Path) -> None:
    (tmp_path / "speed.jsonl").write_bytes(b"\xff\xfe\n")
    with pytest.raises(RecordError, match=r"speed\.jsonl is not a records file"):
        read(tmp_path)


def test_the_newest_of_equal_keys_counts() -> None:
    old, new = make(), make(started_at="2026-01-01T02:00:00+01:00", metrics={"fps": 2.0})
    other = make(threads=1)
    quick = make(protocol={"name": "quick"}, started_at="2026-02-01T00:00:00+00:00")
    elsewhere = make(machine=MACHINE | {"cpu": "another"})
    assert newest([new, old, other, quick, elsewhere]) == [new, other, quick, elsewhere]


def test_the_schema_in_the_docs_is_the_schema() -> None:
    assert (ROOT / "docs" / "record.schema.json").read_text() == json_schema()
