"""Explanations: what is counted, by hand; that the parts are the whole; what is said; the command from outside."""

import io
import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from bench.complexity import COUNTERS
from bench.core.record import Machine, Record, Software
from bench.core.results import read
from bench.explain import explain
from bench.explain.explanation import paragraph
from bench.explain.findings import SMALLEST
from bench.explain.operators import Operator, names, trace
from bench.explain.peaks import Peaks
from bench.explain.split import at_no_pixels, grouped, split, together
from bench.models import build
from bench.report.command import make
from bench.report.measured import Measured
from bench.report.page.html import data_of
from bench.report.sections.explain import charts, picture
from tests.commands import command, run_command
from tests.conftest import ROOT

main = command("explain")
PARTS = ("compute_bound_ms", "memory_bound_ms", "dispatch_ms", "setup_ms", "above_bound_ms")


class ByHand(nn.Module):
    """A convolution with a bias, a ReLU that runs twice, and calls of functions."""

    def __init__(self, *, inplace: bool) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 4, 3, padding=1)
        self.act = nn.ReLU(inplace=inplace)
        self.inner = nn.Sequential(nn.Conv2d(4, 4, 1, groups=4, bias=False))

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.conv(x))
        x = self.act(self.inner(x))
        return torch.cat((x + x, x.transpose(2, 3).transpose(2, 3)), 1)


@pytest.mark.parametrize("inplace", [False, True])
def test_operators_bytes_and_macs_are_those_worked_out_by_hand(inplace: bool) -> None:
    relu = "aten::relu_" if inplace else "aten::relu"
    pixels = 8 * 6
    assert trace(ByHand(inplace=inplace).eval(), torch.zeros(1, 3, 8, 6)) == [
        Operator("aten::conv2d", "conv", 4 * pixels * 27, 4 * (3 * pixels + 4 * 27 + 4 + 4 * pixels)),
        Operator(relu, "act", 0, 4 * (4 * pixels + 4 * pixels)),
        Operator("aten::conv2d", "inner.0", 4 * pixels, 4 * (4 * pixels + 4 + 4 * pixels)),
        Operator(relu, "act", 0, 4 * (4 * pixels + 4 * pixels)),
        Operator("aten::add", "(model)", 0, 4 * (4 * pixels + 4 * pixels)),  # one tensor in, though named twice
        Operator("aten::transpose", "(model)", 0, 0),
        Operator("aten::transpose", "(model)", 0, 0),
        Operator("aten::cat", "(model)", 0, 4 * (8 * pixels + 8 * pixels)),
    ]


@pytest.mark.parametrize("name", ["lite_hrnet_18", "lightweight_mobilenetv3", "simplebaseline_shufflenetv2"])
def test_networks_cost_what_complexity_counts_and_do_the_same_on_the_smallest_input(name: str) -> None:
    model = build(name)
    example = torch.zeros(1, 3, 128, 96)
    found = trace(model, example)
    assert sum(operator.macs for operator in found) == COUNTERS["torch"](model, example)[0]
    assert names(trace(model, torch.zeros(1, 3, *SMALLEST))) == names(found)
    assert {operator.layer for operator in found} <= {module or "(model)" for module, _ in model.named_modules()}


@settings(max_examples=300, deadline=None)
@given(
    seconds=st.floats(0, 1), macs=st.integers(0, 10**10), moved=st.integers(0, 10**9), call=st.floats(0, 1e-3),
    fixed=st.floats(-1e-2, 1e-1), speed=st.floats(1e8, 1e14), bandwidth=st.floats(1e8, 1e13),
)  # fmt: skip
def test_parts_are_the_whole_and_none_is_more_than_it_may_be(
    seconds: float, macs: int, moved: int, call: float, fixed: float, speed: float, bandwidth: float
) -> None:
    peaks = Peaks(speed, bandwidth, call, 0.0)
    cost = split(Operator("aten::x", "x", macs, moved), seconds, peaks, call=call, fixed=fixed)
    parts = (cost.compute, cost.memory, cost.dispatch, cost.setup, cost.above)
    assert min(parts) >= 0
    assert sum(parts) == pytest.approx(seconds, rel=1e-12)
    bound = max(macs / speed, moved / bandwidth)
    assert 0 in (cost.compute, cost.memory)
    assert cost.compute + cost.memory <= bound
    assert cost.must == pytest.approx(bound + call)
    if cost.setup:
        assert cost.setup <= fixed - call
    if cost.above:  # nothing is left over while something else still has room
        assert (cost.dispatch, cost.compute + cost.memory) == (call, bound)
    assert cost.faster == pytest.approx(max(0.0, bound - max(0.0, seconds - call)), abs=1e-12)


def test_a_split_worked_out_by_hand() -> None:
    """10 G multiply-adds a second, 1 GB a second, 1 ms a call."""
    peaks = Peaks(1e10, 1e9, 1e-3, 0.0)
    heavy = split(Operator("aten::conv2d", "a", 10**8, 10**6), 0.030, peaks, call=1e-3, fixed=5e-3)
    assert (heavy.dispatch, heavy.compute, heavy.memory) == (1e-3, 0.010, 0.0)
    assert (heavy.setup, heavy.above) == (pytest.approx(0.004), pytest.approx(0.015))
    assert (heavy.bound, heavy.small, heavy.intensity) == ("compute", False, 100)
    cached = split(Operator("aten::add", "b", 0, 10**7), 0.006, peaks, call=1e-3)
    assert (cached.memory, cached.above, cached.faster) == (pytest.approx(0.005), 0.0, pytest.approx(0.005))
    view = split(Operator("aten::view", "b", 0, 0), 0.0005, peaks, call=1e-3)
    assert (view.dispatch, view.small, view.bound) == (0.0005, True, "dispatch")
    whole = together([heavy, cached, view])
    assert (whole.operators, whole.macs, whole.bytes) == (3, 10**8, 11 * 10**6)
    operators = [Operator("aten::add", "b", 0, 10**7), Operator("aten::view", "b", 0, 0)]
    (layer,) = grouped(["b", "b"], operators, [cached, view])
    assert (layer.kinds, layer.cost.seconds) == (("add",), pytest.approx(0.0065))
    # 2 s on 4 pixels and 8 s on 16: half a second a pixel and none to start; 3 and 8: more to start.
    assert at_no_pixels(8, 2, (16, 4)) == 0
    assert at_no_pixels(9, 3, (16, 4)) == 1
    assert at_no_pixels(20, 2, (16, 4)) == 0


def test_everything_adds_up_to_the_measured_time() -> None:
    model = nn.Sequential(
        nn.Conv2d(3, 16, 3, 2, 1), nn.BatchNorm2d(16), nn.ReLU(), nn.Conv2d(16, 16, 3, 2, 1, groups=16), nn.Sigmoid()
    ).train()
    record = explain(model, torch.randn(1, 3, 128, 128), rounds=3, name="small")
    m = record.metrics
    assert model.training
    assert m["operators"] == 5
    assert m["macs"] == 64 * 64 * 16 * 27 + 32 * 32 * 16 * 9
    assert sum(m[part] for part in PARTS) == pytest.approx(m["latency_ms_measured"], rel=1e-9)
    rows: Any = record.notes["layers"]
    assert {row["name"] for row in rows} == {"0", "1", "2", "3", "4"}
    assert sum(row["ms"] for row in rows) + m["dispatch_between_ms"] == pytest.approx(
        m["latency_ms_measured"], rel=1e-3
    )
    assert [row["ms"] for row in rows] == sorted((row["ms"] for row in rows), reverse=True)
    assert sum(row["must_take_ms"] for row in rows) == pytest.approx(m["must_take_ms"], abs=1e-4)
    assert record.notes["smallest"] == "64x64"
    assert m["latency_ms_smallest"] > 0
    assert min(m[peak] for peak in ("peak_macs_per_s", "peak_bytes_per_s", "operator_overhead_us")) > 0
    # Other work on the machine is warned of as well.
    doubted = [note for note in record.warnings if "busy" not in note]
    assert bool(doubted) == (abs(m["discrepancy_relative"]) > record.protocol["tolerance"])
    # An input hardly larger than the smallest tells nothing about set-up: absent, not zero.
    without = explain(model, torch.randn(1, 3, 64, 96), rounds=1)
    assert "setup_ms" not in without.metrics
    assert "less than four times" in str(without.notes["no_setup"])
    found = sum(without.metrics.get(part, 0) for part in PARTS)
    assert found == pytest.approx(without.metrics["latency_ms_measured"], rel=1e-9)


def made_up(parts: tuple[float, float, float, float, float], **metrics: float) -> Record:
    """A record whose parts, in the order of ``PARTS``, are given in percent of 50 ms."""
    figures = dict(zip(PARTS, (part / 2 for part in parts), strict=True))
    return Record(
        kind="explain", model="net", backend="eager", precision="fp32", batch=1, num_joints=17,
        input="256x192", device="cpu", threads=2, started_at="2026-01-02T03:04:05+00:00",
        command="x", protocol={"name": "explain"},
        machine=Machine(os="Linux", cpu="CPU", cores=2, logical_cores=2, memory_bytes=2**33),
        software=Software(python="3.11", torch="2.6", runtime="torch", project="0", source_sha256="ab"),
        notes={"smallest": "64x64", "layers": [{"name": "head.final", "share": 0.12, "times_bound": 3.44}],
               "kinds": [{"name": "conv2d", "share": 0.3}]},
        metrics=figures | {
            "operators": 1870, "small_operators": 1200, "small_operators_ms": 30.5, "latency_ms_measured": 50.0,
            "macs": 2 * 10**8, "peak_macs_per_s": 5e10, "dispatch_between_ms": figures["dispatch_ms"] - 1,
            "latency_ms_smallest": 31.0, "must_take_ms": 20.0, "faster_than_bound_ms": 0.0, **metrics,
        },
    )  # fmt: skip


def test_words_say_the_most_important_first() -> None:
    starting = paragraph(made_up((8, 9, 34, 29, 20)))
    assert "net takes 50.0 ms (2 threads, 256x192)" in starting
    assert "its 200 M would take 4.0 ms" in starting
    assert "spends 63 % of its time on getting 1,870 operators started" in starting
    assert "32 % in Python between them, 2 % in empty calls, 29 % in setting them up" in starting
    assert "On a picture of 64x64 it still takes 31.0 ms." in starting
    assert "1,200 of its 1,870 operators are too small to fill the machine" in starting
    assert "61 % of the time passes in them" in starting
    assert "The costliest layer, head.final, takes 12 %, 3.4 times what it must." in starting
    assert starting.index("20 % above") < starting.index("9 % moving") < starting.index("8 % multiply")
    assert "cache" not in starting
    doubtful = made_up((8, 9, 34, 29, 20)).model_copy(update={"warnings": ["do not trust the split"]})
    assert paragraph(doubtful) == f"Caution: do not trust the split. {starting}"
    assert "their data stay in a cache" in paragraph(made_up((8, 9, 34, 29, 20), faster_than_bound_ms=9))
    assert "only fewer of them" in paragraph(made_up((70, 5, 10, 5, 10)))
    assert "70 % of the time is data on their way" in paragraph(made_up((5, 70, 10, 5, 10), faster_than_bound_ms=9))
    honest = paragraph(made_up((10, 5, 10, 5, 70)))
    assert "70 % of the time has no reason that can be seen from here" in honest
    assert "up to 2.5 times as fast" in honest
    assert "started, not on their work" not in honest


def test_the_report_shows_parts_that_add_up(tmp_path: Path) -> None:
    slow = made_up((8, 9, 34, 29, 20))
    ours = made_up((40, 20, 10, 10, 20)).model_copy(update={"model": "lightweight_mobilenetv3"})
    doubtful = made_up((40, 20, 20, 0, 20)).model_copy(
        update={"model": "lite_hrnet_30", "warnings": ["the parts add up to 50% of the whole: do not trust the split"]}
    )
    unknown = doubtful.model_copy(
        update={"threads": 1, "metrics": {k: v for k, v in doubtful.metrics.items() if k != "setup_ms"}}
    )
    measured = Measured([slow, ours, doubtful, unknown])
    two, one = sorted(charts(measured), key=lambda chart: chart.key)
    assert (two.key, one.key) == ("explain_cpu-2cores_cpu", "explain_cpu-2cores_cpu_1threads")
    labels = [bar.label for bar in two.bars]
    assert labels == ["Lite-HRNet30 (doubtful)", "Ours (the paper's)", "net"]
    assert "Set-up not told apart: Lite-HRNet30." in one.remarks
    drawn = picture(two)
    for axes, whole in zip(drawn.axes, (50.0, 100.0), strict=True):
        ends = [0.0] * len(two.bars)
        for bar in axes.patches:
            row = round(bar.get_y() + bar.get_height() / 2)  # type: ignore[attr-defined]
            assert bar.get_x() == pytest.approx(ends[row])  # type: ignore[attr-defined]  # where the last ends
            ends[row] += bar.get_width()  # type: ignore[attr-defined]
        assert ends == pytest.approx([whole] * len(two.bars))
    drawn.canvas.draw()
    page = drawn.bbox
    for text in (*drawn.texts, *drawn.axes[0].get_yticklabels(), *drawn.axes[0].texts, *drawn.legends):
        box = text.get_window_extent()
        assert box.x0 >= page.x0, text
        assert box.x1 <= page.x1, text
    files = make([slow, ours, doubtful, unknown])
    assert {f"{two.key}.png", f"{one.key}.svg", "explain.md", "explain.csv", "explain.tex"} <= set(files)
    table = pd.read_csv(io.BytesIO(files["explain.csv"]), dtype=str, keep_default_na=False)
    line = table[(table.model == "lightweight_mobilenetv3") & (table.threads == "2")].iloc[0]
    assert (line.latency_measured, line.operators_measured, line.compute_bound_measured) == ("50.0", "1,870", "40")
    assert line.latency_record.startswith("explain-")
    shares = table[[f"{part.removesuffix('_ms')}_measured" for part in PARTS]]
    assert shares[table.latency_measured != ""].replace("", "0").astype(int).sum(axis=1).isin((80, 100)).all()
    assert set(table[table.latency_measured == ""].latency_status) == {"missing"}
    (absent,) = table[(table.model == "lite_hrnet_30") & (table.threads == "1")].setup_status
    assert absent == "missing"
    page = files["index.html"].decode()
    plots = [plot["title"] for plot in data_of(page)["plots"] if plot["section"] == "explain"]
    assert len(plots) == 2
    assert "Why is it slow?" in page
    assert "on getting 1,870 operators started" in page


def test_the_command_explains_and_records(command: Callable, tiny: str, tmp_path: Path) -> None:
    options = ("--models", tiny, "--device", "cpu", "--threads", "1", "--rounds", "2", "--results", str(tmp_path / "r"))
    done = command("bench.explain", *options, "--layers")
    assert done.returncode == 0, done.stderr
    assert "own_model:tiny takes" in done.stdout
    assert "between operators" in done.stdout
    (record,) = read(tmp_path / "r")
    assert (record.kind, record.model, record.device, record.threads, record.weights) == (
        "explain", "own_model:tiny", "cpu", 1, "the factory's own",
    )  # fmt: skip
    assert record.metrics["operators"] == 2
    assert record.metrics["bytes"] == 4 * (3 * 256 * 192 + 17 * 28 + 3 * 17 * 64 * 48)
    assert sum(record.metrics[part] for part in PARTS) == pytest.approx(record.metrics["latency_ms_measured"])
    assert record.command.startswith("python -m bench.explain --models")
    # What is there is not measured again, unless asked for.
    again = command("bench.explain", *options, "--missing", "--json")
    assert (again.returncode, again.stdout) == (0, "")
    third = command("bench.explain", *options, "--json", "--quiet")
    assert json.loads(third.stdout)["model"] == "own_model:tiny"
    assert all(line.startswith("warning: own_model:tiny: ") for line in third.stderr.splitlines())  # it may be busy
    assert len(read(tmp_path / "r")) == 2


FICKLE = """
from torch import nn


class Fickle(nn.Module):
    calls = 0

    def forward(self, x):
        Fickle.calls += 1
        return x * 2 if Fickle.calls % 2 else x * 2 + 1


class Forgotten(nn.Module):
    def forward(self, x):
        x * 2


class Complex(nn.Module):
    def forward(self, x):
        return x * 1j
"""


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--models", "lite_hrnet_19"], "unknown model 'lite_hrnet_19': did you mean"),
        (["--models", "{own}:Fickle"], "does not call the same operators every time"),
        (["--models", "{own}:nothing"], "has no function 'nothing'"),
        (["--input", "250x190"], "multiples of 32, for example 256x192"),
        (["--input", "256x192,384x288"], "give one size at a time to bench.explain"),
        (["--threads", "1000"], "1000 threads are more than this machine's"),
        (["--models", "{own}:Forgotten"], "Forgotten returns NoneType: real floating-point numbers"),
        (["--models", "{own}:Complex"], "real floating-point numbers are needed"),
        (["--threads", "100000"], "give a whole number from 1 to 1,024"),
        (["--device", "tpu"], "unknown device 'tpu': give cpu, cuda"),
        (["--differences", "--rounds", "9"], "--rounds is of timings, and --differences times and records nothing"),
        (["--differences", "--missing"], "--missing is of timings, and --differences times and records nothing"),
        (["--rounds", "0"], "'0' is not a valid count: give a whole number from 1"),
    ],
)
def test_bad_usage_is_one_line(arguments: list[str], says: str, tmp_path: Path, monkeypatch, capsys) -> None:

    (tmp_path / "own.py").write_text(FICKLE)
    given = [argument.format(own=tmp_path / "own.py") for argument in arguments]
    base = ["bench.explain", "--models", "lightweight_mobilenetv3", "--device", "cpu", "--results", str(tmp_path / "r")]
    monkeypatch.setattr(sys, "argv", [*base, "--quiet", *given])
    monkeypatch.chdir(ROOT)
    with pytest.raises(SystemExit) as left:
        run_command("explain")
    assert left.value.code == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (line,) = captured.err.strip().splitlines()
    assert line.startswith("error: ")
    assert says in line
    assert not (tmp_path / "r" / "explain.jsonl").exists()


@pytest.mark.gpu
def test_on_a_gpu_kernels_are_counted_and_a_graph_tells_launch_overhead() -> None:
    model = build("lite_hrnet_18").cuda()
    record = explain(model, torch.randn(1, 3, 256, 192, device="cuda"), rounds=3)
    m = record.metrics
    assert m["kernels"] >= m["operators"] - m["views"]
    assert 0 < m["graph_ms"] <= m["latency_ms_measured"] * 1.1
    assert m["launch_overhead_ms"] == pytest.approx(max(0.0, m["latency_ms_measured"] - m["graph_ms"]))
    assert sum(m.get(part, 0) for part in PARTS) == pytest.approx(m["latency_ms_measured"], rel=1e-9)
