"""Two folders of records: the interval is scipy's, says what it should as often as it should, and needs enough sets."""

import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from scipy import stats

from bench.core.errors import InputError
from bench.core.results import append
from bench.report import comparison
from bench.speed.statistics import summarise
from tests.bench.test_record import MACHINE, SOFTWARE, make
from tests.commands import command


def speed(sets: list[list[float]], **more: Any) -> Any:
    return make(metrics=summarise(sets), samples={"latency_ms": sets}, backend="eager", threads=1, **more)


def lines(first: list[Any], second: list[Any]) -> list[comparison.DifferenceLine]:
    return [comparison.line_of(*pair) for pair in comparison.pairs(first, second)]


def test_the_interval_is_welchs() -> None:
    random = np.random.default_rng(0)
    first, second = (random.normal(10, 0.3, (count, 50)).tolist() for count in (5, 7))
    ratio, low, high = comparison.ratio_interval(first, second)
    a, b = (np.log([np.mean(one) for one in sets]) for sets in (first, second))
    known = stats.ttest_ind(b, a, equal_var=False).confidence_interval(0.95)
    assert math.log(ratio) == pytest.approx(b.mean() - a.mean())
    assert math.log(low) == pytest.approx(known.low, abs=2e-4)  # whole degrees of freedom: a little wider
    assert math.log(low) <= known.low
    assert math.log(high) >= known.high


def test_equal_machines_are_said_to_differ_as_rarely_as_the_level_says() -> None:
    random = np.random.default_rng(1)
    wrong = 0
    for _ in range(400):
        first, second = (np.exp(random.normal(0, 0.05, (5, 1))).tolist() for _ in range(2))
        _, low, high = comparison.ratio_interval(first, second)
        wrong += not low <= 1 <= high
    assert wrong <= 34  # 20 expected; a binomial with p = 0.05 exceeds 34 once in a thousand


@pytest.mark.parametrize(
    ("second", "verdict"),
    [
        ([[20.0] * 3, [20.1] * 3, [19.9] * 3], "differs for sure: slower"),
        ([[5.0] * 3, [5.1] * 3, [4.9] * 3], "differs for sure: faster"),
        ([[10.0] * 3, [10.01] * 3, [9.99] * 3], "no difference seen"),
        ([[9.0] * 3, [10.0] * 3, [13.0] * 3], "may differ"),
        ([[20.0] * 3, [20.0] * 3], "may differ: needs 3 sets in each"),
    ],
)
def test_verdicts(second: list[list[float]], verdict: str) -> None:
    first = [[10.0] * 3, [10.01] * 3, [9.99] * 3]
    (line,) = lines([speed(first)], [speed(second)])
    assert line.verdict == verdict


def test_only_what_both_have_is_compared_and_differences_are_said() -> None:
    sets = [[10.0, 11.0]] * 3
    first = [speed(sets), speed(sets, model="only here")]
    second = [
        speed(
            sets,
            machine=MACHINE | {"cpu": "another"},
            software=SOFTWARE | {"runtime": "torch 3"},
            protocol={"name": "x"},
        )
    ]
    assert [line.model for line in lines(first, second)] == ["m"]
    assert list(comparison.differences(first, second)) == [
        "processor: a processor | another", "runtime: torch 2.11.0 | torch 3", "protocol: None | x",
    ]  # fmt: skip
    assert list(comparison.differences(first, first)) == []


def test_equal_numbers_of_threads_are_compared() -> None:
    """Whichever was measured last, one thread here is never compared with two there."""

    def timed(threads: int, hour: int) -> Any:
        record = speed([[20.0 / threads]] * 3, started_at=f"2026-11-01T{hour:02}:00:00+00:00")
        return record.model_copy(update={"threads": threads})

    def told(first: list[Any], second: list[Any]) -> list[tuple[object, float]]:
        return [(line.threads, round(line.ratio, 9)) for line in lines(first, second)]

    assert told([timed(1, 1), timed(2, 2)], [timed(2, 1), timed(1, 2)]) == [((1, 1), 1.0), ((2, 2), 1.0)]
    assert told([timed(1, 1), timed(2, 2)], [timed(1, 1)]) == [((1, 1), 1.0)]
    assert told([timed(2, 1)], [timed(4, 1)]) == [((2, 4), 0.5)]  # other machines have other defaults
    assert told([timed(1, 1), timed(2, 2)], [timed(4, 1)]) == []


def test_of_several_machines_equal_ones_are_compared(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Never this machine with whichever of the other folder's was timed last; nor another variant of a network."""

    def on(cpu: str, ms: float, hour: int = 1, **more: Any) -> Any:
        started = f"2026-11-01T{hour:02}:00:00+00:00"
        return speed([[ms]] * 3, machine=MACHINE | {"cpu": cpu}, started_at=started, device="cpu", **more)

    def ratios(first: list[Any], second: list[Any]) -> list[float]:
        return [round(line.ratio, 9) for line in lines(first, second)]

    many = [on("fast", 5.0, 2), on("slow", 20.0, 3)]
    assert ratios([on("fast", 10.0)], many) == [0.5]
    assert ratios(many, [on("slow", 10.0), on("fast", 10.0)]) == [2.0, 0.5]
    assert ratios([on("another", 10.0)], many) == []
    assert ratios([on("another", 10.0)], [many[0]]) == [0.5]
    variant = on("fast", 40.0, 4, options={"attention": "se"})
    assert ratios([on("fast", 10.0), variant], [many[0], variant]) == [0.5, 1.0]
    quick = on("fast", 50.0, 9, protocol={"name": "quick"})
    proper = on("fast", 10.0, protocol={"name": "paper"})
    assert ratios([proper], [proper, quick]) == [1.0]
    assert ratios([quick], [proper, quick]) == [1.0]
    assert ratios([quick], [proper]) == [0.2]  # which is said
    for name, records in (("here", [on("another", 10.0)]), ("there", many), ("own", [on("fast", 10.0)])):
        append(records, tmp_path / name)
    here, there, own = (str(tmp_path / name) for name in ("here", "there", "own"))
    with pytest.raises(
        InputError, match=r"has cpu timings of another, 2 cores, and .*fast, .*; slow, .*: give folders"
    ):
        command("report")(["--results", here, "--compare", there])
    assert command("report")(["--results", own, "--compare", there]) == 0
    shown = capsys.readouterr().out
    assert "slow" not in shown
    assert command("report")(["--results", there, "--compare", there]) == 0
    shown = capsys.readouterr().out.splitlines()
    assert [line for line in shown if line.startswith("on ")] == ["on fast, 2 cores:", "on slow, 2 cores:"]


def test_a_record_without_its_median_is_compared() -> None:
    record = speed([[10.0, 12.0]] * 3)
    del record.metrics["latency_ms_median"]
    (line,) = lines([record], [record])
    assert line.median_ms == (11.0, 11.0)


def test_the_command_prints_it_and_writes_no_report(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    append([speed([[10.0, 11.0]] * 3)], tmp_path / "a")
    append([speed([[20.0, 22.0]] * 3, machine=MACHINE | {"cpu": "another"})], tmp_path / "b")
    append([speed([[1.0]], model="else")], tmp_path / "c")
    monkeypatch.chdir(tmp_path)
    assert command("report")(["--results", str(tmp_path / "a"), "--compare", str(tmp_path / "b")]) == 0
    first, heading, line = capsys.readouterr().out.splitlines()
    assert first == "differs: processor: a processor | another"
    assert heading.split()[:5] == ["model", "backend", "threads", "a", "ms"]
    assert " ".join(line.split()) == "m eager 1 10.50 21.00 2.000 2.000 to 2.000 differs for sure: slower"
    with pytest.raises(InputError, match="no timing in common"):
        command("report")(["--results", str(tmp_path / "a"), "--compare", str(tmp_path / "c")])
    assert {path.name for path in tmp_path.iterdir()} == {"a", "b", "c"}
    # Lines that would look alike say what sets them apart.
    append([speed([[5.0, 6.0]] * 3, precision="fp16"), speed([[50.0, 60.0]] * 3, batch=8)], tmp_path / "a")
    assert command("report")(["--results", str(tmp_path / "a"), "--compare", str(tmp_path / "a")]) == 0
    heading, *shown = capsys.readouterr().out.splitlines()
    assert heading.split()[:5] == ["model", "backend", "precision", "batch", "threads"]
    assert len({tuple(line.split()[:5]) for line in shown}) == len(shown) == 3
    for option in (["--json"], ["--out", "x"], ["--figures", "main"]):
        with pytest.raises(InputError, match=f"{option[0]} has no effect here: --compare makes no report"):
            command("report")(["--compare", str(tmp_path / "b"), *option])
