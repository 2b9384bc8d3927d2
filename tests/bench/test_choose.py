"""Choosing by limits: verdicts at the limits, the front, the order, and what the command says."""

import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import append
from bench.report.candidates import Candidate, candidates
from bench.report.choosing import VERDICTS, Limits, choose, judge
from bench.report.measured import Measured
from tests.bench.test_report import CPU, record, speed
from tests.commands import command

COCO = "coco_val2017"


def timed(model: str, fps: float, ends: tuple[float, float] | None, backend: str = "eager", **more: float) -> Record:
    made = speed(model, fps, backend=backend)
    metrics = {key: value for key, value in made.metrics.items() if "ci95" not in key} | more
    metrics |= {"fps_ci95_low": ends[0], "fps_ci95_high": ends[1]} if ends else {}
    return made.model_copy(update={"metrics": metrics})


def found(*records: Record) -> dict[str, Candidate]:
    return {one.model: one for one in candidates(Measured(records))}


def test_the_interval_decides_between_fits_maybe_and_out() -> None:
    """lightweight_mobilenetv3, AP 65.8 in the paper, at 50 FPS: 20 ms, from 16 to 25."""
    one = found(timed("lightweight_mobilenetv3", 50.0, (40.0, 62.5), model_file_bytes=12 * 2**20))[
        "lightweight_mobilenetv3"
    ]
    for limit, verdict in ((15.9, "out"), (16.0, "maybe"), (24.9, "maybe"), (25.0, "fits")):
        assert judge(one, Limits(max_ms=limit), COCO)[0] == verdict, limit
    assert judge(one, Limits(max_ms=18), COCO)[1] == ("20.0 ms (16.0 to 25.0) reaches 18 ms",)
    assert judge(one, Limits(min_ap=65.8), COCO) == ("fits", ())
    assert judge(one, Limits(min_ap=65.81), COCO) == ("out", ("AP 65.8, the paper's, is below 65.81",))
    assert judge(one, Limits(max_mib=12), COCO) == ("fits", ())
    assert judge(one, Limits(max_mib=11.9), COCO) == ("out", ("file of 12.0 MiB is above 11.9 MiB",))
    assert judge(one, Limits(max_memory_mib=9e9), COCO) == ("out", ("its memory was not recorded",))
    # A reason to be out is told without the reasons to be in doubt.
    assert judge(one, Limits(max_ms=18, min_ap=70), COCO)[1] == ("AP 65.8, the paper's, is below 70",)
    unsure = found(timed("lightweight_mobilenetv3", 50.0, None))["lightweight_mobilenetv3"]
    assert [judge(unsure, Limits(max_ms=limit), COCO)[0] for limit in (19.9, 20.0)] == ["out", "maybe"]


def test_whose_accuracy_counts() -> None:
    """The measured one, else the paper's, else its publisher's; an int8 network has its own, or none."""
    measured = record("accuracy", "lite_hrnet_18", {"ap": 0.61}, dataset=COCO, protocol={"name": "paper"})
    int8 = record("accuracy", "lite_hrnet_30", {"ap": 0.59}, dataset=COCO, backend="openvino_int8", precision="int8")
    records = [measured, int8, speed("lite_hrnet_18", 9.0), speed("lite_hrnet_30", 9.0), speed("rtmpose_t", 9.0),
               speed("my.py:net", 9.0)]  # fmt: skip
    own = found(*records)
    assert {name: (one.accuracies.get(COCO) and one.accuracies[COCO].origin) for name, one in own.items()} == {
        "lite_hrnet_18": "measured", "lite_hrnet_30": "paper", "rtmpose_t": "publisher", "my.py:net": None
    }  # fmt: skip
    assert own["lite_hrnet_18"].accuracies[COCO].value == 61
    assert own["rtmpose_t"].accuracies[COCO].value == 68.2
    quantised = [
        speed(model, 9.0, backend="openvino_int8", precision="int8") for model in ("lite_hrnet_18", "lite_hrnet_30")
    ]
    made = found(measured, int8, *quantised)
    assert COCO not in made["lite_hrnet_18"].accuracies
    assert made["lite_hrnet_30"].accuracies[COCO].value == 59
    assert "in int8" in judge(made["lite_hrnet_18"], Limits(min_ap=1), COCO)[1][0]


def ap_of(one: Candidate) -> float:
    return one.accuracies[COCO].value


MODELS = ("simplebaseline_mobilenetv2", "lite_hrnet_18", "lite_hrnet_30", "small_hrnet_w16", "lightweight_mobilenetv3")
SPEEDS = st.lists(
    st.tuples(
        st.sampled_from(MODELS), st.sampled_from(("eager", "openvino")), st.integers(5, 100),
        st.one_of(st.none(), st.tuples(st.floats(0.5, 1), st.floats(1, 2))),
    ),
    min_size=1, max_size=8, unique_by=lambda drawn: drawn[:2],
)  # fmt: skip


@given(SPEEDS, st.floats(5, 250), st.floats(50, 70))
def test_what_is_chosen_keeps_within_and_nothing_beats_the_front(speeds: list, max_ms: float, min_ap: float) -> None:
    made = [
        timed(model, float(fps), ends and (fps * ends[0], fps * ends[1]), backend)
        for model, backend, fps, ends in speeds
    ]
    choices = choose(candidates(Measured(made)), Limits(max_ms, min_ap), COCO)
    assert len(choices) == len(made)
    assert [VERDICTS.index(c.verdict) for c in choices] == sorted(VERDICTS.index(c.verdict) for c in choices)
    remain = [choice for choice in choices if choice.verdict != "out"]
    for choice in choices:
        one = choice.candidate
        low, high = one.ms_interval or (one.ms, float("inf"))
        assert choice.verdict == (
            "out" if low > max_ms or ap_of(one) < min_ap else "fits" if high <= max_ms else "maybe"
        )
        assert bool(choice.reasons) == (choice.verdict != "fits")
    for choice in remain:
        one = choice.candidate
        rivals = [c.candidate for c in remain if c is not choice and ap_of(c.candidate) >= ap_of(one)]
        surely_slower = one.ms_interval and any(
            other.ms_interval and other.ms_interval[1] < one.ms_interval[0] for other in rivals
        )
        assert (choice.front == "no") == bool(surely_slower)
        if choice.front == "yes":
            assert all(other.ms > one.ms for other in rivals)
    # What is certain is on the front: the fastest of those with the highest AP cannot be beaten for sure.
    if remain:
        top = max(ap_of(choice.candidate) for choice in remain)
        best = min((c for c in remain if ap_of(c.candidate) == top), key=lambda c: c.candidate.ms)
        assert best.front != "no"
    for verdict in ("fits", "maybe"):
        aps = [ap_of(choice.candidate) for choice in choices if choice.verdict == verdict]
        assert aps == sorted(aps, reverse=True)


def test_the_command_says_what_it_needs(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    choosing = command("choose")
    with pytest.raises(InputError, match=r"run python -m bench\.speed first"):
        choosing(["--results", str(tmp_path)])
    other = CPU.model_copy(update={"cpu": "Other CPU"})
    append([speed("lite_hrnet_18", 10.0), speed("lite_hrnet_18", 10.0, batch=8),
            speed("lite_hrnet_18", 20.0, machine=other)], tmp_path)  # fmt: skip
    results = ["--results", str(tmp_path)]
    with pytest.raises(InputError, match=r"name a --machine.*Other CPU, 2 cores; Test\(R\)"):
        choosing(results)
    with pytest.raises(InputError, match=r"several machines have 'cpu'"):
        choosing([*results, "--machine", "cpu"])
    with pytest.raises(InputError, match=r"no speed record with backend onnx: there is eager"):
        choosing([*results, "--machine", "other", "--backend", "onnx"])
    with pytest.raises(InputError, match=r"no speed record with batch 8: there is 1"):
        choosing([*results, "--machine", "other", "--batch", "8"])
    with pytest.raises(InputError, match=r"no accuracy is known on 'coco': there is coco_val2017"):
        choosing([*results, "--dataset", "coco"])
    with pytest.raises(InputError, match=r"--min-ap 0\.64 is less than one percent: .* such as 64$"):
        choosing([*results, "--min-ap", "0.64"])
    with pytest.raises(InputError, match=r"'6400' is not a percentage: give a number from 0 to 100"):
        choosing([*results, "--min-ap", "6400"])
    limited = other.model_copy(update={"cpu_quota": 1.5})
    append([speed("lite_hrnet_18", 15.0, machine=limited, threads=1)], tmp_path)
    with pytest.raises(InputError, match=r"several machines have 'other'"):
        choosing([*results, "--machine", "other"])
    for name, wanted in (("Other CPU, 2 cores", 20.0), ("Other CPU, 2 cores, of which 1.5 may be used", 15.0)):
        assert choosing([*results, "--machine", name, "--json"]) == 0  # a whole name, which the other begins with
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["ms"] == pytest.approx(1000 / wanted)
    # A data set of one's own is chosen for among networks of as many joints.
    thirteen = {"num_joints": 13, "dataset": "climbers (9 pictures)"}
    ours = [speed("lite_hrnet_18", fps, machine=other, num_joints=joints) for joints, fps in ((13, 12.5), (17, 20.0))]
    append([*ours, record("accuracy", "lite_hrnet_18", {"ap": 0.5}, machine=other, **thirteen)], tmp_path / "own")
    assert choosing(["--results", str(tmp_path / "own"), "--dataset", "climbers (9 pictures)", "--json"]) == 0
    (line,) = capsys.readouterr().out.splitlines()
    assert (json.loads(line)["ms"], json.loads(line)["ap"]) == (pytest.approx(80), 50)
    results[-1] = str(tmp_path / "one")
    append([speed("lite_hrnet_18", 20.0, machine=other)], tmp_path / "one")
    assert choosing([*results, "--machine", "other", "--min-ap", "64"]) == 0
    told = capsys.readouterr()
    assert "64.8*" in told.out
    assert "* AP as the paper printed it" in told.err
    assert choosing([*results, "--machine", "other", "--max-ms", "10", "--json"]) == 1
    (line,) = capsys.readouterr().out.splitlines()
    assert json.loads(line)["reasons"] == ["50.0 ms (48.1 to 52.6) is above 10 ms"]


def test_threads_are_of_a_cpu_alone(tmp_path: Path) -> None:
    on_gpu = CPU.model_copy(update={"gpu": "NVIDIA Test"})
    append([speed("lite_hrnet_18", 10.0, device="cuda", machine=on_gpu)], tmp_path)
    asked = ["--results", str(tmp_path), "--machine", "test", "--quiet", "--json"]
    assert command("choose")(asked) == 0
    with pytest.raises(InputError, match=r"--threads is of a CPU, and these were timed on cuda: leave it out"):
        command("choose")([*asked, "--threads", "7"])


def test_two_gpus_are_not_one_machine(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """Hosts of one processor with different GPUs: which one is meant must be said."""
    hosts = [CPU.model_copy(update={"gpu": gpu}) for gpu in ("NVIDIA One", "NVIDIA Two")]
    append(
        [
            speed("lite_hrnet_18", fps, device="cuda", machine=host)
            for host, fps in zip(hosts, (10.0, 40.0), strict=True)
        ],
        tmp_path,
    )
    choosing = command("choose")
    asked = ["--results", str(tmp_path), "--quiet", "--json"]
    for wanted in ("test", "nvidia", f"{CPU.cpu}, 2 cores"):
        with pytest.raises(InputError, match=r"several GPUs with --machine: there is .* with NVIDIA One; .*NVIDIA Two"):
            choosing([*asked, "--machine", wanted])
    for wanted, ms in (("nvidia two", 25), (f"{CPU.cpu}, 2 cores with NVIDIA One", 100)):
        assert choosing([*asked, "--machine", wanted]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["ms"] == pytest.approx(ms)


def test_this_machine_is_the_one_with_its_own_limit(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    limited = CPU.model_copy(update={"cpu_quota": 1.5})
    append([speed("lite_hrnet_18", 10.0, threads=1), speed("lite_hrnet_30", 5.0, machine=limited, threads=1)], tmp_path)
    for here, model in ((CPU, "lite_hrnet_18"), (limited, "lite_hrnet_30")):
        monkeypatch.setattr("bench.core.machine.this_machine", lambda here=here: here)
        assert command("choose")(["--results", str(tmp_path), "--json"]) == 0
        (line,) = capsys.readouterr().out.splitlines()
        assert json.loads(line)["model"] == model


def test_one_process_is_not_enough_to_fit_for_sure() -> None:
    one = timed("lightweight_mobilenetv3", 50.0, (49.9, 50.1))
    alone = one.model_copy(update={"protocol": one.protocol | {"sets": 1}})
    assert judge(found(one)["lightweight_mobilenetv3"], Limits(max_ms=21), COCO)[0] == "fits"
    assert judge(found(alone)["lightweight_mobilenetv3"], Limits(max_ms=21), COCO) == (
        "maybe", ("20.0 ms has no interval: measure it in 3 sets or more",)
    )  # fmt: skip


def test_an_accuracy_in_percent_is_no_share(tmp_path: Path) -> None:
    append([speed("own", 10.0), record("accuracy", "own", {"ap": 64.8}, dataset="coco_val2017")], tmp_path)
    with pytest.raises(InputError, match=r"accuracy\.jsonl, line 1: .*metrics\.ap: .* less than or equal to 1"):
        command("choose")(["--results", str(tmp_path), "--machine", "test"])


def test_records_that_are_not_there_are_said_with_the_option(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no folder .*none: give that of the records with --results"):
        command("choose")(["--results", str(tmp_path / "none")])
