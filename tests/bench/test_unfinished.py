"""Unfinished work: no kill loses a part, no damage stops the work, nothing is done or recorded twice."""

import json
import math
import os
import random
import subprocess
import sys
import time
import warnings
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench.core.errors import InputError
from bench.core.results import append_once, read
from bench.core.unfinished import Unfinished
from tests.bench.test_record import make
from tests.conftest import ROOT


@dataclass
class Sample:
    """A part of some work."""

    ms: list[float]
    errors: dict[int, str] = field(default_factory=dict)
    precision: float | None = None


def at(folder: Path) -> Unfinished[Sample]:
    return Unfinished(folder / "work.partial", Sample)


samples = st.builds(
    Sample, st.lists(st.floats(allow_nan=False), max_size=3), st.dictionaries(st.integers(), st.text(), max_size=2)
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["set 1", "set 2", "ä\n"]), samples), max_size=8))
def test_what_is_added_is_there_for_the_next_run(tmp_path_factory, added: list[tuple[str, str, Sample]]) -> None:
    folder = tmp_path_factory.mktemp("work")
    works = {name: at(folder).work(f"the identity of {name}") for name in "ab"}
    for name, part, sample in added:
        if part not in works[name].parts:
            works[name].add(part, sample)
    again = {name: at(folder).work(f"the identity of {name}") for name in "ab"}
    assert {name: work.parts for name, work in again.items()} == {name: work.parts for name, work in works.items()}
    assert all(again[name].started_at == works[name].started_at for name in "ab" if works[name].parts)
    again["a"].drop()
    assert at(folder).work("the identity of a").parts == {}
    assert at(folder).work("the identity of b").parts == works["b"].parts
    again["b"].drop()
    assert [path.name for path in folder.iterdir() if path.name != ".lock"] == []


def test_infinity_and_whole_number_keys_come_back_as_they_were(tmp_path: Path) -> None:
    sample = Sample([1.5, math.inf], {3: "bad picture"}, math.inf)
    at(tmp_path).work("w").add("batch", sample)
    assert at(tmp_path).work("w").parts == {"batch": sample}


DAMAGE = [
    "{}", "null", "5", "[]", '"text"', '{"work": "', "\x00\xff", "[" * 100_000, "9" * 6000, '{"work": 5, "part": []}',
]  # fmt: skip


@pytest.mark.parametrize("damage", DAMAGE, ids=range(len(DAMAGE)))
@pytest.mark.parametrize("newline", ["\n", ""])
def test_a_damaged_line_is_a_part_to_make_again(tmp_path: Path, damage: str, newline: str) -> None:
    path = at(tmp_path).path
    at(tmp_path).work("w").add("one", Sample([1.0]))
    with path.open("a", encoding="latin-1") as file:
        file.write(damage + newline)
    work = at(tmp_path).work("w")
    assert work.parts.keys() == {"one"}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".*half-written last line")
        work.add("two", Sample([2.0]))
    assert at(tmp_path).work("w").parts == {"one": Sample([1.0]), "two": Sample([2.0])}
    work.drop()
    assert not path.exists()


@pytest.mark.parametrize("content", [{}, None, 5, [], {"ms": None}, {"ms": ["x"]}, {"ms": [1], "errors": {"x": "y"}}])
def test_content_that_does_not_fit_is_a_part_to_make_again(tmp_path: Path, content: object) -> None:
    at(tmp_path).work("w").add("one", Sample([1.0]))
    line = json.loads(at(tmp_path).path.read_text())
    at(tmp_path).path.write_text(json.dumps(line | {"content": content}) + "\n")
    assert at(tmp_path).work("w").parts == {}


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="there are no named pipes on this system")
def test_a_pipe_in_its_place_is_refused(tmp_path: Path) -> None:
    os.mkfifo(at(tmp_path).path)
    with pytest.raises(InputError, match="no regular file"):
        at(tmp_path).work("w")


WORK = """
import sys
from pathlib import Path
from bench.core.record import Record
from bench.core.results import append_once
from bench.core.unfinished import Unfinished

folder, record = Path(sys.argv[1]), Record.model_validate_json(sys.argv[2])
work = Unfinished(folder / "work.partial", list[float]).work("w")
for number in range(30):
    if str(number) not in work.parts:
        work.add(str(number), [float(number)] * 2000)
        print(number, flush=True)
samples = {"latency_ms": [work.parts[str(number)] for number in range(30)]}
append_once([record.model_copy(update={"started_at": work.started_at, "samples": samples})], folder)
print("recorded", flush=True)
work.drop()
"""


def test_killed_at_any_moment_nothing_is_lost_or_doubled(tmp_path: Path) -> None:
    """Killed again and again until it has ended by itself; every part that was reported is kept, and made once."""
    delays = random.Random(0)
    made: list[str] = []
    for attempt in range(100):
        process = subprocess.Popen(
            [sys.executable, "-c", WORK, str(tmp_path), make().to_json()], cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        assert process.stdout is not None
        said = []
        until = 1 + attempt // 2  # lines after which it is killed, somewhat later
        for line in process.stdout:
            said.append(line.strip())
            if len(said) == until:
                time.sleep(delays.random() * 0.01)
                process.kill()
        made += said
        if process.wait() == 0:
            break
    numbers = [word for word in made if word != "recorded"]
    assert sorted(map(int, numbers)) == sorted(set(map(int, numbers)))  # what was said to be kept was not made again
    (record,) = read(tmp_path)
    assert [one[0] for one in record.samples["latency_ms"]] == [float(n) for n in range(30)]
    assert not at(tmp_path).path.exists()


def test_a_record_that_is_there_is_not_added_again(tmp_path: Path) -> None:
    """Killed between the record and the end of its parts, the next run has the same record to add."""
    record, later = make(), make(started_at="2026-01-02T00:00:00+00:00")
    append_once([record], tmp_path / "new")
    append_once([record, later], tmp_path / "new")
    append_once([record], tmp_path / "new")
    assert read(tmp_path / "new") == [record, later]
