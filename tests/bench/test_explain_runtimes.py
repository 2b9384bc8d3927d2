"""What runtimes run, mapped back to the network's layers; and the layer where a backend parts from float32."""

import json
import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.differences import Differences, compare, find, module_values
from bench.backends.profiles import LAYOUT, ROOT, Profile, layer_of
from bench.core import workers
from bench.core.errors import InputError
from bench.core.record import Record
from bench.core.results import read
from bench.explain import explain, worker
from bench.explain.deployed import added, typical
from bench.explain.explanation import paragraph
from bench.explain.runtime_peaks import RuntimeCost
from bench.report.measured import Measured
from bench.report.sections.explain import charts, side_by_side, table
from bench.timing.parity import TOLERANCE, difference
from tests import commands
from tests.bench.test_explain import made_up
from zoo.vitpose import Layer

main = commands.command("explain")
RUNTIMES = ("onnxruntime", "openvino")
PARTS = ("compute_bound_ms", "memory_bound_ms", "dispatch_ms", "above_bound_ms", "layout_ms")


class Several(nn.Module):
    """What runtimes join, what they lay out anew, and what the project's own rewrites make of it."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU())
        self.depthwise = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1, groups=16, bias=False), nn.BatchNorm2d(16))
        self.act = nn.Hardswish()
        self.squeeze, self.excite = nn.Conv2d(16, 4, 1), nn.Conv2d(4, 16, 1)
        self.grouped = nn.Conv2d(16, 32, 3, 1, 1, groups=4)
        self.up = nn.ConvTranspose2d(32, 8, 4, 2, 1)
        self.final = nn.Conv2d(8, 5, 3, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = self.stem(x)
        y = self.act(self.depthwise(x))
        y = x + y * torch.sigmoid(self.excite(torch.relu(self.squeeze(y.mean((2, 3), keepdim=True)))))
        y = self.grouped(y)
        n, c, h, w = y.shape
        y = y.view(n, 2, c // 2, h, w).transpose(1, 2).reshape(n, c, h, w)
        found: Tensor = self.final(torch.relu(self.up(y)))
        return found


# Every convolution of it, and how often the file has it: a transposed one is four ordinary ones there.
CONVOLUTIONS = {"stem.0": 1, "depthwise.0": 1, "squeeze": 1, "excite": 1, "grouped": 1, "up": 4, "final": 1}
# Multiply-adds by hand, but for the grouped one, whose groups of 4 channels a backend may join with zeros between.
MACS = {
    "stem.0": 32 * 32 * 16 * 27, "depthwise.0": 32 * 32 * 16 * 9, "squeeze": 64, "excite": 64,
    "up": 64 * 64 * 8 * 32 * 4, "final": 64 * 64 * 5 * 8 * 9,
}  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
        yield


@pytest.fixture(scope="module")
def network() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return Several().eval(), torch.randn(1, 3, 64, 64)


@pytest.fixture(scope="module", params=RUNTIMES)
def profiled(
    request: pytest.FixtureRequest, network: tuple[nn.Module, Tensor], tmp_path_factory: pytest.TempPathFactory
) -> tuple[str, Profile]:
    """Three inferences under a runtime's profiler, which leaves no file behind."""
    pytest.importorskip(request.param)
    model, example = network
    artifact = Artifact.from_json(catalogue.build(request.param, model, example, threads=1).to_json())
    folder = tmp_path_factory.mktemp("temporary")
    with pytest.MonkeyPatch.context() as patch, torch.inference_mode():
        patch.setattr(tempfile, "tempdir", str(folder))
        patch.chdir(folder)
        with catalogue.open_profiled(artifact, threads=1) as session:
            for _ in range(3):
                outputs = session.run(example.numpy())
                session.collect()
            profile = session.profile()
        with catalogue.open_profiled(artifact, threads=1) as session:  # closed before anybody asks
            session.run(example.numpy())
        assert difference([model(example).numpy()], outputs) < TOLERANCE["fp32"]
    assert list(folder.iterdir()) == []
    return request.param, profile


def test_every_convolution_is_found_once_and_the_rest_has_a_layer(
    profiled: tuple[str, Profile], network: tuple[nn.Module, Tensor]
) -> None:
    runtime, profile = profiled
    assert [len(row) for row in profile.seconds] == [len(profile.operators)] * 3
    multiplying = [part for one in profile.operators for part in one.parts if part.macs]
    assert len({part.name for part in multiplying}) == len(multiplying)
    assert Counter(part.layer for part in multiplying) == CONVOLUTIONS
    counted: Counter[str] = Counter()
    for part in multiplying:
        counted[part.layer] += part.macs
    grouped = counted.pop("grouped")
    assert counted == MACS
    assert grouped in {32 * 32 * 32 * 9 * inputs for inputs in (4, 8, 16)}
    layers = {path for path, _ in network[0].named_modules() if path} | {"(model)"}
    for one in profile.operators:
        assert one.added == (one.layer == LAYOUT)
        assert one.added or set(one.layers) <= layers, one
        assert one.bytes >= 0
    stem = next(one for one in profile.operators if one.layer == "stem.0")
    assert stem.what in ("Conv+Relu", "Convolution+Relu")
    assert stem.layers == ("stem.0", "stem.2")
    # Read and written once: the picture, the weights with or without a bias, and the output, perhaps in blocks of 8.
    assert stem.bytes in [4 * (3 * 64 * 64 + 16 * 27 + bias + 16 * 32 * 32) for bias in (0, 16)]
    depthwise = next(one for one in profile.operators if one.layer == "depthwise.0")
    assert depthwise.layers == ("depthwise.0", "act")
    # Channels innermost or in blocks, and the last output is neither.
    assert {one.kind for one in profile.operators if one.added} <= {"Reorder", "ReorderInput", "ReorderOutput"}
    assert any(one.added for one in profile.operators), runtime


def test_mnn_names_what_it_copies_for_the_network_and_for_itself(network: tuple[nn.Module, Tensor]) -> None:
    pytest.importorskip("MNN.expr")
    model, example = network
    with catalogue.open_profiled(catalogue.build("mnn", model, example, threads=1), threads=1) as session:
        for _ in range(2):
            outputs = session.run(example.numpy())
        profile = session.profile()
    with torch.inference_mode():
        assert difference([model(example).numpy()], outputs) < TOLERANCE["fp32"]
    counted: Counter[str] = Counter()
    for one in profile.operators:
        counted[one.layer] += one.macs
    assert {layer for layer, macs in counted.items() if macs} == set(CONVOLUTIONS)
    assert {layer: counted[layer] for layer in MACS} == MACS
    stem = next(one for one in profile.operators if one.layer == "stem.0")
    assert (stem.what, stem.layers) == ("Conv+Relu", ("stem.0", "stem.2"))
    copies = [one for one in profile.operators if one.kind == "Raster"]
    assert any("Transpose" in one.what for one in copies)  # the shuffle of channels
    assert any(one.added for one in copies)
    assert all(one.kind == "Raster" for one in profile.operators if one.added)


class Tokens(nn.Module):
    """16 tokens of a picture, and attention between them."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.layer = nn.Conv2d(3, 384, 16, 16), Layer(0.0)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.layer(self.patches(x).flatten(2).transpose(1, 2))
        return found


@pytest.mark.parametrize("runtime", [*RUNTIMES, "mnn"])
def test_products_of_linear_layers_and_attention_are_counted(runtime: str) -> None:
    """Runtimes join the product with its bias, and call both by the bias, or by a name of their own."""
    pytest.importorskip({"mnn": "MNN.expr"}.get(runtime, runtime))
    torch.manual_seed(0)
    model, example = Tokens().eval(), torch.randn(1, 3, 64, 64)
    with catalogue.open_profiled(catalogue.build(runtime, model, example, threads=1), threads=1) as session:
        session.run(example.numpy())
        session.collect()
        profile = session.profile()
    counted: Counter[str] = Counter()
    for one in profile.operators:
        counted[one.layer] += one.macs
    assert {layer: macs for layer, macs in counted.items() if macs} == {
        "patches": 16 * 384 * 3 * 256, "layer.attn.qkv": 16 * 384 * 1152, "layer.attn": 2 * 16 * 16 * 384,
        "layer.attn.proj": 16 * 384 * 384, "layer.ffn.layers.0.0": 16 * 384 * 1536,
        "layer.ffn.layers.1": 16 * 1536 * 384,
    }  # fmt: skip


def test_a_quantised_file_keeps_the_layers(network: tuple[nn.Module, Tensor]) -> None:
    pytest.importorskip("onnxruntime")
    model, example = network
    artifact = catalogue.build("onnxruntime_int8", model, example, threads=1, calibration=[example])
    with catalogue.open_profiled(artifact, threads=1) as session:
        session.run(example.numpy())
        session.collect()
        profile = session.profile()
    assert Counter(part.layer for one in profile.operators for part in one.parts if part.macs) == CONVOLUTIONS
    assert any(one.added and one.kind.endswith("QuantizeLinear") for one in profile.operators)


def test_the_split_is_the_whole(network: tuple[nn.Module, Tensor]) -> None:
    runtime = "onnxruntime"
    pytest.importorskip(runtime)
    record = explain(*network, backend=runtime, rounds=2, threads=1)
    m = record.metrics
    assert (record.backend, record.precision) == (runtime, "fp32")
    assert record.software.runtime == catalogue.version(runtime)
    assert sum(m[part] for part in PARTS) == pytest.approx(m["latency_ms_measured"], rel=1e-9)
    rows: Any = record.notes["layers"]
    assert sum(row["ms"] for row in rows) + m["dispatch_between_ms"] == pytest.approx(
        m["latency_ms_measured"], rel=1e-3, abs=1e-3
    )
    assert {row["name"]: row for row in rows}["stem.0"]["joined"] == ["stem.2"]
    assert m["layout_ms"] == pytest.approx(sum(row["ms"] for row in rows if row["name"] == LAYOUT), abs=1e-4)
    assert m["joined_operators"] >= 2
    assert "setup_ms" not in m
    doubted = [note for note in record.warnings if "busy" not in note]
    assert bool(doubted) == (abs(m["discrepancy_relative"]) > record.protocol["tolerance"])
    said = paragraph(record)
    assert f" ms in {record.software.runtime} (1 thread, 64x64)" in said
    assert "Python" not in said
    assert f"It runs {m['operators']:,} operators, {m['joined_operators']:,} of them joined from several" in said


def test_operators_that_name_no_layer_stand_together_by_their_kind(tmp_path: Path) -> None:
    """In a file that somebody brought, unless what they read from is of a layer."""
    openvino, ops = pytest.importorskip("openvino"), pytest.importorskip("openvino.opset13")
    path, random = tmp_path / "net.xml", np.random.default_rng(0)
    entry = last = ops.parameter([1, 8, 32, 32], np.float32, "images")
    for name in ("conv1", "conv2", "head/conv"):
        weights = random.normal(size=(8, 8, 3, 3)).astype(np.float32)
        last = ops.sigmoid(
            ops.convolution(last, weights, [1, 1], [1, 1], [1, 1], [1, 1], name=name), name=f"act_{name[-1]}"
        )
    openvino.save_model(openvino.Model([last], [entry]), path, compress_to_fp16=False)
    with catalogue.open_profiled(Artifact("openvino", "fp32", (path, path.with_suffix(".bin"))), threads=1) as session:
        session.run(np.ones((1, 8, 32, 32), np.float32))
        session.collect()
        profile = session.profile()
    parts = [part for one in profile.operators for part in one.parts]
    assert Counter(part.layer for part in parts) == {"(Convolution)": 2, "(Sigmoid)": 2, "head": 2}
    assert [layer_of(name) for name in ("/backbone/conv/Conv", "/Conv")] == ["backbone.conv", ROOT]
    record = made_up((8, 9, 34, 29, 20))
    assert "by their kind" not in paragraph(record)
    layers = [{"name": "(Convolution)", "share": 0.5, "times_bound": 2.0}]
    assert "by their kind" in paragraph(record.model_copy(update={"notes": record.notes | {"layers": layers}}))


def test_what_the_profiler_adds_is_taken_off() -> None:
    """The two quicker of three rounds: totals of 10 and 12, operators of 4 and 6, of 1 and 1."""
    seconds, between = typical([[4, 1], [9, 9], [6, 1]], [10, 30, 12], within_s=0.5, outside_s=1.0)
    assert seconds == [4.5, 0.5]
    assert between == 3.0  # 5 and 5 are between them, of which 2 are the profiler's


def test_what_the_profiler_adds_is_what_it_adds_in_the_network() -> None:
    """Shared as in a chain of empty operators, where that can be measured; a chain is the least of it."""
    assert added([10, 30, 12], [20, 22, 90]) == 10
    chain = RuntimeCost(operator_s=2e-6, within_s=4e-6, outside_s=4e-6, macs_per_s=None)
    assert chain.scaled(12e-6) == RuntimeCost(2e-6, pytest.approx(6e-6), pytest.approx(6e-6), None)
    assert chain.scaled(3e-6) == chain
    silent = RuntimeCost(2e-6, 1e-8, 2e-8, None)
    assert silent.scaled(12e-6) == silent


def test_openvino_tells_means_over_all_inferences_so_far() -> None:
    """Of two nodes: the first inference takes ten times as long, every second one twice as long as the others."""
    pytest.importorskip("openvino")
    from bench.backends.profilers import openvino

    session: Any = openvino._Session.__new__(openvino._Session)
    taken = [(400e-6 * slow, 25e-6 * slow) for slow in (10, *[2, 1] * 20)]
    session.whole = [sum(one) + 5e-6 for one in taken]
    session.means = [
        {name: int(1e6 * np.mean([one[index] for one in taken[: count + 1]])) / 1e6 for index, name in enumerate("ab")}
        for count in range(len(taken))
    ]
    rounds = session._rounds(["a", "b"])
    for (a, b), whole, (true_a, true_b) in list(zip(rounds, session.whole, taken, strict=True))[1:]:
        assert a == pytest.approx(true_a, rel=0.02)
        assert b == pytest.approx(true_b, rel=0.08)  # of whole microseconds
        assert a + b <= whole


def test_backends_that_tell_nothing_are_refused(network: tuple[nn.Module, Tensor]) -> None:
    for backend, says in (
        ("ncnn", "NCNN_BENCHMARK"),
        ("litert", "XNNPACK runs the network as one"),
        ("fused", "eager"),
    ):
        with pytest.raises(InputError, match=f"backend {backend} cannot be explained: .*{says}"):
            catalogue.profiler_of(backend)


def test_the_command_explains_a_runtime_once(command: Callable, tiny: str, tmp_path: Path) -> None:
    pytest.importorskip("openvino")
    options = ("--models", tiny, "--device", "cpu", "--threads", "1", "--rounds", "1", "--results", str(tmp_path / "r"))
    done = command("bench.explain", *options, "--backend", "openvino", "--layers")
    assert done.returncode == 0, done.stderr
    assert "own_model:tiny in openvino: " in done.stdout
    assert "tiny, openvino: the first time up to 2 minutes" in " ".join(done.stderr.split())
    (record,) = read(tmp_path / "r")
    assert (record.model, record.backend, record.precision, record.threads) == ("own_model:tiny", "openvino", "fp32", 1)
    assert record.metrics["macs"] == 64 * 48 * 17 * 27
    assert sum(record.metrics[part] for part in PARTS) == pytest.approx(record.metrics["latency_ms_measured"])
    assert {row["name"] for row in record.notes["layers"]} <= {"0", LAYOUT}  # type: ignore[union-attr, index, call-overload]
    again = command("bench.explain", *options, "--backend", "openvino", "--missing", "--quiet")
    assert (again.returncode, again.stdout, again.stderr) == (0, "", "")


# ------------------------------------------------------------------------------ the report


def test_the_report_puts_runtimes_side_by_side() -> None:
    def of(backend: str, total: float, **changed: Any) -> Record:
        """Half of the time changes of layout."""
        parts = dict.fromkeys(PARTS, total / 8) | {"layout_ms": total / 2}
        made = made_up((20, 20, 20, 20, 20)).model_copy(update={"backend": backend, **changed})
        metrics = {key: value for key, value in made.metrics.items() if key != "setup_ms"}
        counts = {"layout_operators": 7, "joined_operators": 5, "latency_ms_measured": total}
        return made.model_copy(update={"metrics": metrics | parts | counts})

    eager = made_up((8, 9, 34, 29, 20))
    other = of("onnxruntime", 20.0, model="other")
    measured = Measured(
        [eager, of("onnxruntime", 20.0), of("openvino", 10.0), other, of("openvino_int8", 8.0, precision="int8")]
    )
    ((chart, ratio),) = side_by_side(measured)  # what only one runtime ran is compared with nothing
    assert [bar.label for bar in chart.bars] == ["eager", "onnxruntime", "openvino", "openvino_int8"]
    assert ratio == 50 / 8
    assert chart.title == "Where net's time goes in each runtime"
    for bar in chart.bars:
        assert sum(bar.parts) == pytest.approx(bar.total)
    assert {one.backend for one in charts(measured)} == {"eager", "onnxruntime", "openvino", "openvino_int8"}
    made = table(measured)
    assert made is not None
    titles = {column.title for column in made.columns if dict(column.setting)["backend"] == "openvino"}
    assert "Changes of layout, %" in titles
    assert "Set-up of operators, %" not in titles
    assert "75 % " not in paragraph(of("openvino", 10.0))
    assert "50 % of the time is spent on changing layouts and number types" in paragraph(of("openvino", 10.0))
    assert "and 7 added to change layouts or number types" in paragraph(of("openvino", 10.0))


# ------------------------------------------------------------- where numbers part from float32


class Chain(nn.Module):
    """Five convolutions; the fourth undoes what is done to the third."""

    def __init__(self) -> None:
        super().__init__()
        torch.manual_seed(0)
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1), nn.ReLU())
        self.middle = nn.Sequential(nn.Conv2d(16, 16, 3, 1, 1), nn.BatchNorm2d(16), nn.ReLU())
        self.wide, self.narrow, self.final = nn.Conv2d(16, 16, 1), nn.Conv2d(16, 16, 1), nn.Conv2d(16, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        found: Tensor = self.final(torch.relu(self.narrow(self.wide(self.middle(self.stem(x))))))
        return found


def overflowing() -> nn.Module:
    """Values of more than 65,504 after ``wide``, and ordinary ones after ``narrow``."""
    model = Chain().eval()
    with torch.no_grad():
        model.wide.weight *= 1e6
        model.narrow.weight *= 1e-6
    return model


def collapsing() -> nn.Module:
    """One channel after ``wide`` is thousands of times as large as the others; ``narrow`` does not use it."""
    model = Chain().eval()
    with torch.no_grad():
        model.wide.weight[3] *= 1e4
        model.wide.bias[3] *= 1e4  # type: ignore[index]
        model.narrow.weight[:, 3] = 0
    return model


def first(found: Differences) -> str:
    assert found.first is not None, found.sentence()
    return found.boundaries[found.first].layer


def test_the_layer_that_overflows_in_half_precision_is_named() -> None:
    example = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    found = find(overflowing(), example, "eager", precision="fp16")
    assert first(found) == "wide"
    assert "are not finite in fp16; in float32 the largest is" in found.sentence()
    assert found.sentence().endswith("and fp16 ends at 65,504")
    assert find(overflowing(), example, "eager", precision="bf16").first is None  # it has float32's range
    assert find(Chain().eval(), example, "eager", precision="fp16").first is None
    # What has the half precision of another runtime is compared in PyTorch.
    with pytest.raises(InputError, match="shows nothing between its input and its outputs"):
        find(Chain().eval(), example, "fused")


@pytest.mark.parametrize("backend", ["onnxruntime_int8", "openvino_int8"])
def test_the_layer_that_collapses_in_int8_is_named(backend: str) -> None:
    try:
        catalogue.resolve(backend, "cpu", "fp32")
    except InputError as error:
        pytest.skip(str(error))
    example = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(1))
    found = find(collapsing(), example, backend, threads=1)
    assert first(found) == "wide"
    assert "times what a channel usually holds" in found.sentence()
    before = found.boundaries[: found.first]
    assert {"stem.0", "middle.2"} & {one.layer for one in before}
    assert max(one.difference for one in before) < 0.4


def test_what_a_difference_is_by_hand() -> None:
    """Two channels of root mean square 1 and 100, the first off by half, the second by a hundredth."""
    wanted = np.stack([np.ones((2, 2)), np.full((2, 2), 100.0)])[None].astype(np.float32)

    class Fixed(nn.Module):
        def forward(self, x: Tensor) -> Tensor:
            return x

    values = module_values(Fixed(), torch.from_numpy(wanted))
    assert [(one.layer, one.name, one.is_output) for one in values] == [("(model)", "Fixed", True)]
    given = module_values(Fixed(), torch.from_numpy(wanted) + torch.tensor([0.5, 1.0]).view(1, 2, 1, 1))
    found = compare(values, given, "int8", "x")
    assert found.boundaries[0].difference == pytest.approx((0.5 + 0.01) / 2)
    assert (found.boundaries[0].largest, found.boundaries[0].usual, found.first) == (100.0, 50.5, None)
    told = json.loads(json.dumps(found.to_json()))
    assert told["first"] is None
    assert told["says"].startswith("no layer differs from float32 by more than 0.5 of its values")
    broken = module_values(Fixed(), torch.from_numpy(np.where(wanted == 1, np.nan, wanted)))
    assert compare(values, broken, "int8", "x").boundaries[0].not_finite == 4


def test_the_command_names_the_layer_and_leaves_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    own = tmp_path / "own.py"
    own.write_text(
        "from tests.bench.test_explain_runtimes import Chain, overflowing\n"
        "def over():\n    return overflowing()\n\n\ndef fine():\n    return Chain()\n"
    )
    # What the process of its own does is done here.
    monkeypatch.setattr(
        workers, "run_each", lambda plans, *_: ((plan, worker._run(asdict(plan), lambda: None)) for plan in plans)
    )
    monkeypatch.chdir(tmp_path)
    options = ["--device", "cpu", "--threads", "1", "--differences", "--quiet", "--precision", "fp16"]
    assert main(["--models", f"{own}:fine,{own}:over", *options, "--json"]) == 1
    fine, over = map(json.loads, capsys.readouterr().out.splitlines())
    assert (fine["model"], fine["first"]) == ("own:fine", None)
    assert over["boundaries"][over["first"]]["layer"] == "wide"
    assert main(["--models", f"{own}:over", *options]) == 1
    said = " ".join(capsys.readouterr().out.split())
    assert "the first large difference is at wide (Conv2d)" in said
    assert "infinite" in said
    assert main(["--models", f"{own}:fine", *options]) == 0
    assert [one.name for one in tmp_path.iterdir() if one.name != "__pycache__"] == ["own.py"]  # no record
