"""Runtimes compute what eager mode computes, say what they are, and are never skipped in silence."""

import copy
import gc
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

import zoo
from bench.backends import calibration, catalogue, openvino_kernels, precisions
from bench.backends.artifact import Artifact
from bench.backends.building import Network
from bench.backends.families import cuda_graphs, onnxruntime, openvino
from bench.backends.families.pytorch import state_bytes
from bench.backends.graphs.capture import capture
from bench.backends.graphs.fusing import join_activations
from bench.backends.graphs.onnx_export import export
from bench.backends.graphs.openvino_operators import use_its_operators
from bench.backends.graphs.operators import (
    BATCH_NORM,
    CONVOLUTION,
    PADDED_BY_NAME,
    PIXEL_SHUFFLE,
    POOL,
    STACK,
    TRANSPOSED,
    VIEW,
    argument,
    aten,
    calls,
    tensor_of,
)
from bench.backends.graphs.shuffle_blocks import keep_channels_in_place
from bench.backends.graphs.simplify import join_groups, simplify, split_transposed
from bench.backends.session import Session
from bench.core.errors import InputError
from bench.models import build
from bench.random_weights import enliven
from bench.speed import measure
from bench.timing.clock import Inference, time_in_turns
from bench.timing.parity import ParityError
from tests.conftest import ROOT

ON_CPU = ("eager", "fused", "compile", "compile_max", "onnxruntime", "openvino", "onnxruntime_int8", "openvino_int8")


class Corners(nn.Module):
    """Where folding a batch norm is possible in unusual ways, and where it is not."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Conv2d(3, 8, 3, 2, 1)
        self.stem_bn = nn.BatchNorm2d(8, eps=1e-2)
        self.same = nn.Conv2d(8, 8, 3, padding="same", groups=2, bias=False)
        self.same_bn = nn.BatchNorm2d(8, affine=False)
        self.up = nn.ConvTranspose2d(8, 12, 4, 2, 1, groups=4)
        self.up_bn = nn.BatchNorm2d(12)
        self.shared = nn.Conv2d(12, 12, 1)
        self.shared_bn = nn.BatchNorm2d(12)
        self.other_bn = nn.BatchNorm2d(12)
        self.last = nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.hardswish(self.stem_bn(self.stem(x)))
        x = functional.relu(self.same_bn(self.same(x)) + x)
        x = functional.relu6(self.up_bn(self.up(x)))
        y = self.shared(x)  # used twice: its batch norm must stay
        x = self.shared_bn(y).relu() + torch.sigmoid(y)
        x = torch.add(x, self.shared(x), alpha=2)  # the same weights once more, now without batch norm
        return self.last(self.other_bn(x))


@pytest.fixture
def corners() -> tuple[nn.Module, Tensor]:
    torch.manual_seed(0)
    return enliven(Corners(), 1).eval(), torch.randn(2, 3, 32, 32)


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path / "cache/inductor"))
    return tmp_path / "cache"


def traced(model: nn.Module, example: Tensor) -> Any:
    return capture(model, example).graph()


def in_float32(model: nn.Module, example: Tensor, calibration_inputs: Any = None) -> Network:
    return Network(model, example, "fp32", 2, calibration_inputs)


def opened(name: str, model: nn.Module, example: Tensor, calibration_inputs: Any = None) -> tuple[Artifact, Session]:
    threads = torch.get_num_threads()  # what is chosen by trying depends on it
    artifact = catalogue.build(name, model, example, threads=threads, calibration=calibration_inputs)
    session = catalogue.open_artifact(artifact, threads=threads)
    session.prepare(example.numpy())
    return artifact, session


def outputs(session: Session, example: Tensor) -> Tensor:
    (output,) = session.run(example.numpy())
    return torch.from_numpy(output)


def difference(found: Tensor, wanted: Tensor) -> float:
    return float((found.double() - wanted.double()).abs().max() / wanted.double().abs().max())


# Lite-HRNet-30 has the blocks of Lite-HRNet-18, more of them.
@pytest.mark.parametrize("name", [name for name in zoo.list_models("paper") if name != "lite_hrnet_30"])
def test_simplified_networks_are_the_same_function(name: str) -> None:
    """To rounding in float64, and within 1e-5 in float32; with weights under which the output depends on the input."""
    model = enliven(build(name), 0)
    example = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    with torch.no_grad():
        wanted = model(example)
        assert (wanted - wanted.mean((2, 3), keepdim=True)).abs().max() > 0.1 * wanted.abs().max()
        model.double()
        graph = simplify(traced(model, example.double()), example.double(), shuffle_blocks=False, group=1)
        assert not calls(graph, BATCH_NORM)
        assert difference(graph(example.double()), model(example.double())) < 1e-12
        # What is left of the parameters: all of them but those of batch norms, each as a bias at most.
        assert state_bytes(graph) < state_bytes(model)
        keep_channels_in_place(graph, example.double())
        join_groups(graph, 16)
        split = copy.deepcopy(graph)
        split_transposed(split, example.double(), of_groups=True)
        assert not calls(split, TRANSPOSED)
        # Lite-HRNet's blocks are in place, but for the stem's, whose halves come from two convolutions.
        assert len(calls(split, STACK)) < 20
        assert difference(split(example.double()), model(example.double())) < 1e-12
        use_its_operators(split, example.double())
        assert not calls(split, PIXEL_SHUFFLE, STACK)
        assert all(list(argument(node, 1)) == [1, 1] for node in calls(split, POOL))
        assert difference(split(example.double()), model(example.double())) < 1e-12
        graph.float()
        join_activations(graph, example)
        assert difference(graph(example), wanted) < 1e-5


class Mixed(nn.Module):
    """Means and interleaved channels, of the kinds that OpenVINO has an operator for and of others."""

    def forward(self, x: Tensor) -> Tensor:
        even, uneven = (functional.adaptive_avg_pool2d(x, size) for size in ((16, 8), (7, 8)))
        turns = torch.stack((even, 2 * even, even + 1), 2).flatten(1, 2)
        in_blocks = torch.stack((even, 2 * even, even + 1, -even), 2).flatten(1, 2)
        beside = torch.stack((even, 2 * even), 3).flatten(2, 3)  # rows in turn
        return torch.cat([part.mean((1, 2, 3)) * weight for weight, part in enumerate(
            (turns * torch.arange(9.0).view(9, 1, 1), uneven**2, functional.pixel_shuffle(in_blocks, 2)[..., ::2],
             functional.pixel_shuffle(torch.cat((x, x, x), 1), 3)[..., 1:], beside[:, :, ::3]), 1)])  # fmt: skip


def test_a_network_may_keep_more_than_tensors() -> None:
    class Scaled(nn.Linear):
        def get_extra_state(self) -> object:
            return {"scale": 1}

    model = Scaled(2, 3)
    assert state_bytes(model) == 4 * 9
    before = model.weight.clone()
    assert not torch.equal(enliven(model, 0).weight, before)


def test_a_network_may_give_the_same_memory_each_time() -> None:
    """As one that is written for speed does: the flip test holds two answers at a time."""

    class Thrifty(nn.Module):
        made = torch.empty(1, 17, 8, 8)

        def forward(self, x: Tensor) -> Tensor:
            return self.made.copy_(x[:, :1, ::4, ::4].expand(-1, 17, -1, -1))

    images = torch.rand(1, 3, 32, 32)
    with catalogue.open_artifact(catalogue.build("eager", Thrifty().eval(), images)) as session:
        (first,), (second,) = (session.run(one.numpy()) for one in (images, images.flip(3)))
    assert (first[0, 0] == images[0, 0, ::4, ::4].numpy()).all()
    assert (second != first).any()


def test_what_openvino_has_no_operator_for_stays() -> None:
    example = torch.randn(2, 3, 32, 32, generator=torch.Generator().manual_seed(0)).double()
    graph = simplify(traced(Mixed().eval(), example), example)
    use_its_operators(graph, example)
    assert len(calls(graph, aten.channel_shuffle.default)) == 1
    assert [list(argument(node, 1)) for node in calls(graph, POOL)] == [[7, 8]]
    assert len(calls(graph, PIXEL_SHUFFLE)) == 1
    assert len(calls(graph, STACK)) == 1
    assert difference(graph(example), Mixed()(example)) < 1e-13


class Block(nn.Module):
    """A shuffle block as Lite-HRNet's, on one tensor; ``gates`` of 0 leaves the second weighting out."""

    def __init__(self, channels: int, kernel: int = 3, dilation: int = 1, gates: int = 0) -> None:
        super().__init__()
        half = channels // 2
        self.weigh = nn.Conv2d(half, 3 * half, 1)
        padding = dilation * (kernel - 1) // 2
        self.convolve = nn.Conv2d(half, half, kernel, padding=padding, dilation=dilation, groups=half, bias=kernel > 3)
        self.gate = nn.Conv2d(half, gates, 1) if gates else None

    def forward(self, x: Tensor) -> Tensor:
        first, second = x.chunk(2, 1)
        pooled = functional.adaptive_avg_pool2d(second, (x.shape[2] // 2, x.shape[3] // 2))
        weights = torch.sigmoid(self.weigh(pooled)).chunk(3, 1)[1]
        second = self.convolve(functional.interpolate(weights, size=x.shape[-2:]) * second)
        if self.gate is not None:
            second = second * torch.sigmoid(self.gate(functional.adaptive_avg_pool2d(second, 1)))
        return torch.stack((first, second), 2).flatten(1, 2)


class Blocks(nn.Module):
    """Blocks, and after them something that the order of channels has to get through, or cannot."""

    def __init__(self, after: str, gates: int) -> None:
        super().__init__()
        self.after = after
        self.stem = nn.Conv2d(3, 12, 3, 2, 1)
        self.blocks = nn.Sequential(Block(12, gates=gates), Block(12, 5, gates=gates), Block(12, 3, 2, gates=6))
        self.strided = nn.Conv2d(12, 12, 3, 2, 1, groups=12)
        self.grouped = nn.Conv2d(12, 12, 3, padding=1, groups=2)
        self.plain = nn.Conv2d(12, 12, 1)
        self.last = nn.Conv2d(12, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.relu(self.stem(x))
        y = self.blocks(x)
        after = {
            "convolution": lambda: self.last(y),
            "depthwise": lambda: self.last(functional.interpolate(self.strided(y), scale_factor=2.0, mode="bilinear")),
            "sum": lambda: self.last(functional.relu(torch.add(self.plain(x), y, alpha=2)) + self.plain(y)),
            "halves": lambda: self.last(torch.cat((y[:, -6:], y[:, :6]), 1)),
            "more blocks": lambda: self.last(self.blocks(functional.relu(y + self.plain(y)))),
            "one for all": lambda: self.last(y * self.plain(y)[:, :1]),
            "output": lambda: y,
            "groups": lambda: self.last(self.grouped(y)),
            "an input's sum": lambda: self.last(x + y),
            "a bias from it": lambda: functional.conv2d(y, self.last.weight, y.mean((0, 2, 3))[:4]),
            "constant": lambda: self.last(y * torch.arange(12.0, dtype=y.dtype).view(12, 1, 1)),
        }
        return after[self.after]()


@pytest.mark.parametrize(
    ("after", "gates"),
    [
        *((after, 6) for after in ("convolution", "depthwise", "sum", "halves", "more blocks", "one for all", "output",
                                   "groups", "an input's sum", "a bias from it", "constant")),
        *((after, gates) for after in ("convolution", "sum", "output") for gates in (0, 1)),
    ],
)  # fmt: skip
def test_shuffle_blocks_in_place(after: str, gates: int) -> None:
    """All or none: where the order of channels cannot be followed to the end, blocks stay as they are."""
    torch.manual_seed(0)
    model = Blocks(after, gates).double().eval()
    example = torch.randn(2, 3, 32, 32).double()
    before = simplify(traced(model, example), example, shuffle_blocks=False)
    graph = simplify(traced(model, example), example)
    followed = after not in ("output", "groups", "an input's sum", "a bias from it", "constant") and gates != 1
    assert len(calls(graph, STACK)) == (0 if followed else len(calls(before, STACK)))
    with torch.no_grad():
        wanted = model(example)
        assert difference(graph(example), wanted) < 1e-14
        assert difference(before(example), wanted) < 1e-14


def test_parts_are_put_together_late_and_once(corners: tuple[nn.Module, Tensor]) -> None:
    model, example = corners
    model.double()
    graph = simplify(traced(model, example.double()), example.double(), deeply=True)
    with torch.no_grad():
        assert difference(graph(example.double()), model(example.double())) < 1e-13
    assert not calls(graph, TRANSPOSED)
    # Here a batch norm, which is not done part by part, looks at all pixels of two tensors; in the paper's head
    # the two lower layers are put together for the next one, the third for its gate and for the heatmaps.
    assert len(calls(graph, PIXEL_SHUFFLE)) == 2
    paper = simplify(
        traced(build("lightweight_mobilenetv3"), torch.randn(1, 3, 64, 64)), torch.randn(1, 3, 64, 64), deeply=True
    )
    shuffled = [node.args[0].args[1][1] // 4 for node in calls(paper, PIXEL_SHUFFLE)]
    assert shuffled == [256, 256, 1, 17]


@pytest.mark.parametrize(("channels", "shapes"), [(8, [8, 8, 1, 6, 18]), (16, [16, 16, 1, 12, 18])])
def test_small_groups_are_joined(channels: int, shapes: list[int]) -> None:
    """To that many input channels at most; depthwise and large groups stay."""
    torch.manual_seed(0)
    layers = nn.Sequential(
        nn.Conv2d(3, 32, 1), nn.Conv2d(32, 64, 3, groups=16, padding="same"), nn.Conv2d(64, 32, 5, 2, groups=16),
        nn.Conv2d(32, 32, 3, groups=32), nn.Conv2d(32, 36, 1), nn.Conv2d(36, 36, 1, groups=6),
        nn.Conv2d(36, 8, 1, groups=2),
    ).double().eval()  # fmt: skip
    example = torch.randn(2, 3, 32, 32).double()
    graph = simplify(traced(layers, example), example, group=channels)
    with torch.no_grad():
        assert difference(graph(example), layers(example)) < 1e-13
    grouped = [conv for conv in calls(graph, CONVOLUTION, PADDED_BY_NAME) if argument(conv, 6) > 1]
    assert [tensor_of(graph, conv.args[1]).shape[1] for conv in grouped] == shapes


def test_only_what_may_be_folded_is(corners: tuple[nn.Module, Tensor]) -> None:
    model, example = corners
    model.double()
    graph = simplify(traced(model, example.double()), example.double())
    assert len(calls(graph, BATCH_NORM)) == 2  # the one after the shared convolution, and the one after a sum
    assert len(calls(traced(model, example.double()), BATCH_NORM)) == 5
    with torch.no_grad():
        assert difference(graph(example.double()), model(example.double())) < 1e-13


@pytest.mark.parametrize("name", ON_CPU)
def test_runtimes_agree_with_eager(name: str, corners: tuple[nn.Module, Tensor]) -> None:
    try:
        catalogue.resolve(name, "cpu", "fp32")
    except InputError as error:
        pytest.skip(str(error))
    model, example = corners
    before = {key: value.clone() for key, value in model.state_dict().items()}
    record = measure(model, example, rounds=3, warmup=1, backend=name)
    assert record.precision == ("int8" if name.endswith("int8") else "fp32")
    assert record.batch == 2
    assert record.metrics["model_file_bytes"] > (500 if name.endswith("int8") else 4 * 1000)
    assert record.metrics["first_inference_ms"] > 0
    assert "prepare_s" in record.metrics
    if name != "eager":
        bound = 0.2 if name.endswith("int8") else 1e-5
        assert record.metrics["parity_max_relative"] < bound
    if name.endswith("int8"):
        assert record.metrics["parity_max_relative"] > 1e-4  # it was quantised
    if name != "eager":
        torch._dynamo.reset()
        artifact, session = opened(name, model, example)
        with session:
            first, second = outputs(session, example), outputs(session, example * 0.5)
        assert artifact.from_cache
        assert session.from_cache in (None, True)
        assert not torch.equal(first, second)  # outputs are not overwritten by the next run
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


NUMPY_BACKEND = '''
"""A linear layer that numpy runs: what a new file in bench/backends/families has in it."""

from __future__ import annotations

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.session import Session

BACKENDS = (Backend("numpy_product", "one matrix product of numpy", 500, ("cpu",), file="npy"),)


def version(backend):
    return f"numpy {np.__version__}"


def build(backend, network):
    (weight,) = network.model.parameters()
    made = network.file("numpy", ".npy", lambda path: np.save(path, weight.detach().numpy()))
    return Artifact(backend.name, "fp32", (made.path,), from_cache=made.from_cache, size_bytes=weight.numel() * 4)


class Product(Session):
    def __init__(self, weight):
        self.weight = weight

    def run(self, images):
        return [images @ self.weight.T]


def open_artifact(backend, artifact, device, threads):
    return Product(np.load(artifact.file))
'''


@pytest.fixture
def numpy_backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A family in a file of its own, found as those in bench/backends/families are."""
    import bench.backends.families as families

    (tmp_path / "families").mkdir()
    (tmp_path / "families" / "numpy_product.py").write_text(NUMPY_BACKEND)
    monkeypatch.setattr(families, "__path__", [*families.__path__, str(tmp_path / "families")])
    catalogue.catalogue.cache_clear()
    yield
    catalogue.catalogue.cache_clear()
    sys.modules.pop("bench.backends.families.numpy_product", None)


def test_a_backend_is_added_by_one_file(numpy_backend: None) -> None:
    assert catalogue.names().index("numpy_product") == catalogue.names().index("onnxruntime_int8") - 1
    model, example = nn.Linear(8, 5, bias=False).eval(), torch.randn(2, 3, 8, 8)
    record = measure(model, example, rounds=3, backend="numpy_product")
    assert record.metrics["parity_max_relative"] < 1e-6
    assert record.software.runtime.startswith("numpy ")
    assert record.metrics["model_file_bytes"] == 160
    assert catalogue.build("numpy_product", model, example).from_cache
    with pytest.raises(InputError, match="runs on the CPU in fp32"):
        measure(model, example, backend="numpy_product", precision="bf16")
    wrong = nn.Sequential(nn.Linear(8, 5, bias=False), nn.ReLU()).eval()
    with pytest.raises(ParityError, match="backend numpy_product"):
        measure(wrong, example, backend="numpy_product")


class Shuffled(nn.Module):
    """Channels of two convolutions in turn, which is a view when traced, and not with channels last."""

    def __init__(self) -> None:
        super().__init__()
        self.left, self.right, self.last = nn.Conv2d(3, 8, 3, padding=1), nn.Conv2d(3, 8, 1), nn.Conv2d(16, 4, 1)

    def forward(self, x: Tensor) -> Tensor:
        both = torch.stack((self.left(x), self.right(x)), 2)
        return self.last(both.reshape(x.shape[0], 16, *x.shape[2:]))


def test_a_graph_from_the_cache_is_the_one_that_was_traced(
    cache: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Also with channels last, where views that were traced may not fit what libraries put out; and without a cache."""
    model, another = (enliven(Shuffled(), seed).eval() for seed in (0, 1))
    example = torch.randn(1, 3, 16, 16)
    last = example.to(memory_format=torch.channels_last)
    with torch.inference_mode():
        wanted = model(example)
        for entry in (example, last):
            first, again = (catalogue.build("fused", model, entry) for _ in range(2))
            assert (first.from_cache, again.from_cache) == (False, True)
            assert first.files == again.files
            graph = torch.load(again.file, weights_only=False)
            assert difference(graph(entry), wanted) < 1e-5
        weights = [tensor_of(graph, conv.args[1]) for conv in calls(graph, CONVOLUTION, TRANSPOSED)]
        assert all(weight.is_contiguous(memory_format=torch.channels_last) for weight in weights)
        other = catalogue.build("fused", another, example)
        assert not other.from_cache
        assert not torch.equal(torch.load(other.file, weights_only=False)(example), wanted)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "file"))
    artifact, session = opened("fused", model, example)
    assert not artifact.files
    with session:
        assert difference(outputs(session, example), wanted) < 1e-5


WEIGHED = """
from torch import nn


class Net(nn.Module):
    def __init__(self, heavy=False, by_attribute=True, factor=1.0):
        super().__init__()
        self.stem = nn.Conv2d(3, 17, 3, 4, 1)
        self.more = nn.Conv2d(17, 17, 3, 1, 1)
        if by_attribute:
            self.heavy = heavy
            self.scale = lambda x: x
        else:
            self.heavy = False
            self.scale = lambda x: x * factor  # a closure

    def forward(self, x, times=2):
        x = self.scale(self.stem(x))
        for _ in range(times if self.heavy else 0):
            x = self.more(x).relu()
        return x


def light():
    return Net(False)


def heavy():
    return Net(True)


def closed_over_two():
    return Net(by_attribute=False, factor=2.0)


def closed_over_three():
    return Net(by_attribute=False, factor=3.0)


def twice():
    return Net(True)


def thrice():
    net = Net(True)
    forward = type(net).forward
    net.forward = lambda x, times=3: forward(net, x, times)
    return net
"""


@pytest.mark.parametrize("pair", [("light", "heavy"), ("closed_over_two", "closed_over_three"), ("twice", "thrice")])
@pytest.mark.parametrize("name", ["fused", "compile", "onnxruntime", "openvino", "onnxruntime_int8", "openvino_int8"])
def test_networks_that_differ_in_what_no_repr_shows_are_told_apart(
    name: str, pair: tuple[str, str], tmp_path: Path
) -> None:
    """In an attribute, a closure or a default argument: each runs as itself, whatever is in the cache."""
    try:
        catalogue.resolve(name, "cpu", "fp32")
    except InputError as error:
        pytest.skip(str(error))
    (tmp_path / "weighed.py").write_text(WEIGHED)
    example = torch.randn(1, 3, 32, 32, generator=torch.Generator().manual_seed(1))
    found = []
    for factory in pair:
        model = build(f"{tmp_path}/weighed.py:{factory}", seed=3)
        artifact, session = opened(name, model, example, [example])
        with session, torch.inference_mode():
            wanted = model(example)
            assert difference(outputs(session, example), wanted) < (0.2 if name.endswith("int8") else 1e-5)
        assert not artifact.from_cache
        found.append(wanted)
    assert difference(found[0], found[1]) > 0.25


def test_openvino_runs_in_the_kernels_that_are_fastest(
    corners: tuple[nn.Module, Tensor], monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("openvino")
    model, example = corners
    asked: list[tuple[str, ...]] = []
    fastest: list[tuple[str, ...]] = []

    def priorities(path: Path) -> list[str]:
        return re.findall(r'name="primitives_priority"[^>]*value="cpu:jit_[a-z0-9]+?(_dw|_1x1)?"', path.read_text())

    class Sleeper(Session):
        def __init__(self, path: Path) -> None:
            self.kinds = tuple(sorted(set(priorities(path))))
            asked.append(self.kinds)

        def run(self, images: Any) -> list[Any]:
            time.sleep(0.002 if self.kinds == fastest[-1] else 0.004)
            return []

    def run(path: Path) -> Tensor:
        artifact = Artifact("openvino", "fp32", (path, path.with_suffix(".bin")))
        with catalogue.open_artifact(artifact, threads=2) as session:
            return outputs(session, example)

    plain = openvino.convert(in_float32(model, example)).path
    before = plain.read_text()
    wanted = run(plain)
    for kinds in ((), ("_1x1",), ("", "_1x1")):  # the network has no depthwise convolution
        fastest.append(kinds)
        path = plain.with_name("own.xml")
        path.write_text(before)
        shutil.copy(plain.with_suffix(".bin"), path.with_suffix(".bin"))
        openvino_kernels.keep_fastest(path, example.numpy(), Sleeper)
        assert tuple(sorted(set(priorities(path)))) == kinds
        assert openvino_kernels.note(path).startswith(f"{len(priorities(path))} of ")
        assert difference(run(path), wanted) < 1e-5
        assert sorted(file.name for file in plain.parent.glob("own*")) == ["own.bin", "own.xml"]
    assert asked[:3] == [(), ("_1x1",), ("", "_1x1")]
    # A kernel that does not exist here is no failure.
    monkeypatch.setattr(openvino_kernels, "_names", lambda: dict.fromkeys(openvino_kernels.KINDS, "jit_nowhere"))
    openvino_kernels.prefer(plain, openvino_kernels.KINDS).write(path)
    assert "jit_nowhere" in path.read_text()
    assert difference(run(path), wanted) < 1e-5
    assert plain.read_text() == before  # what bench.export writes out is for any machine


def test_a_form_far_slower_than_the_best_is_dropped_after_its_first_inference() -> None:
    """One of OpenVINO's ends in code without vector instructions: minutes, were it tried as often as the others."""
    calls_of: list[int] = [0, 0, 0]

    def candidate(index: int, seconds: float) -> Inference:
        def run() -> None:
            calls_of[index] += 1
            time.sleep(seconds)

        return Inference(run)

    seconds = time_in_turns(
        [candidate(0, 0.002), candidate(1, 0.2), candidate(2, 0.002)], turns=4, rounds=3, skipped=1, budget_s=60
    )
    assert calls_of == [2 + 12, 1, 2 + 12]
    assert [len(taken) for taken in seconds] == [8, 1, 8]
    assert seconds[1][0] > 0.1
    # Time runs out after the turn that is under way.
    two = [candidate(0, 0.003), candidate(2, 0.003)]
    assert [len(taken) for taken in time_in_turns(two, turns=9, rounds=3, skipped=1, budget_s=0)] == [4, 4]
    # With one there is nothing to compare.
    assert [len(taken) for taken in time_in_turns(two[:1], turns=9, rounds=3, skipped=1, budget_s=60)] == [1]


def test_quantised_by_the_inputs_that_are_given(corners: tuple[nn.Module, Tensor], cache: Path) -> None:
    pytest.importorskip("onnxruntime")
    model, example = corners
    mine = [torch.randn(3, 3, 32, 32)]
    with torch.no_grad():
        wanted = model(example)
        fitting = difference(outputs(opened("onnxruntime_int8", model, example, mine)[1], example), wanted)
        # Ranges from inputs that are nearly black cut everything off.
        dark = [one * 0.01 for one in mine]
        cut = difference(outputs(opened("onnxruntime_int8", model, example, dark)[1], example), wanted)
    assert fitting < 0.2 < cut
    assert len(list((cache / "lightpose-bench/onnx-int8").glob("*.onnx"))) == 2
    # Three pictures in batches of two: the last is filled up.
    assert [tuple(one.shape) for one in calibration.inputs_for(example, mine)] == [(2, 3, 32, 32)] * 2


def test_int8_weights_keep_to_half_of_their_range(corners: tuple[nn.Module, Tensor]) -> None:
    """Or sums of two products overflow 16 bits on processors without VNNI, and the outputs are another machine's."""
    onnx, *_ = map(pytest.importorskip, ("onnx", "onnxscript", "onnxruntime", "openvino", "nncf"))
    model, example = corners
    network = in_float32(model, example, [example])
    paths = [family.quantise(network).path for family in (onnxruntime, openvino)]
    in_onnx = [onnx.numpy_helper.to_array(one) for one in onnx.load(paths[0]).graph.initializer if len(one.dims) == 4]
    operators = openvino.import_openvino().Core().read_model(paths[1]).get_ops()
    in_openvino = [
        one.data for one in operators if one.get_type_name() == "Constant" and one.get_element_type().size == 1
    ]
    for weights in (in_onnx, in_openvino):
        largest = [int(abs(one.astype(int)).max()) for one in weights if one.dtype == "int8"]
        assert len(largest) > 3
        assert 60 < max(largest) <= 64


def test_drawn_people_are_what_ranges_are_chosen_by() -> None:
    first, second = (calibration.inputs_for(torch.zeros(1, 3, 64, 48), None) for _ in range(2))
    assert len(first) == calibration.COUNT
    assert all(torch.equal(a, b) for a, b in zip(first, second, strict=True))
    assert all(one.shape == (1, 3, 64, 48) and one.std() > 0.2 for one in first)
    assert len({one.sum().item() for one in first}) == calibration.COUNT


class Fickle(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return x * 2 if x.sum() > 0 else x


def test_a_network_whose_path_depends_on_values() -> None:
    model, example = Fickle().eval(), torch.ones(1, 3, 32, 32)
    with pytest.raises(InputError, match=r"cannot be traced as a graph: .*; the backends eager and compile do without"):
        catalogue.build("fused", model, example)
    artifact = catalogue.build("eager", model, example)
    with catalogue.open_artifact(artifact) as session:
        assert torch.equal(outputs(session, example), example * 2)


def test_a_network_that_cannot_be_traced_is_not_cached(cache: Path) -> None:
    pytest.importorskip("onnxscript")
    with pytest.raises(InputError, match="cannot be traced as a graph"):
        export(in_float32(Fickle().eval(), torch.ones(1, 3, 32, 32)))
    assert not list(cache.rglob("*.onnx"))


def test_install_commands_exist(monkeypatch: pytest.MonkeyPatch) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    for backend in catalogue.catalogue().values():
        packages = tuple(dict.fromkeys((*backend.build_packages, *backend.open_packages)))
        if packages:
            with pytest.raises(
                InputError, match=f"backend {backend.name} needs {', '.join(packages)}: install with pip"
            ):
                catalogue.resolve(backend.name, backend.devices[0], backend.precisions[0])
        if "lightpose-bench[" in backend.install:
            extra = backend.install.partition("[")[2].partition("]")[0]
            provided = {requirement.partition(">")[0] for requirement in extras[extra]}
            assert set(packages) <= provided, backend.name
    usable, reasons = catalogue.usable("cpu", "fp32")
    assert set(usable) | set(reasons) == set(catalogue.names())
    assert "lightpose-bench[openvino]" in reasons["openvino_int8"]


def test_without_a_compiler(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda word: None)
    usable, reasons = catalogue.usable("cpu", "fp32")
    assert "compile" not in usable
    assert "neither g++ nor clang++ here: install one" in reasons["compile_max"]


def test_not_installed_is_said_or_refused(command: Callable, tiny: str, tmp_path: Path) -> None:
    """A package that cannot be found, in the real command: refused by name, listed and left out of all."""
    (tmp_path / "sitecustomize.py").write_text(
        "import importlib.util as u\nreal = u.find_spec\n"
        "ABSENT = ('openvino', 'onnxruntime', 'ncnn', 'pnnx', 'MNN', 'ai_edge_litert', 'executorch')\n"
        "u.find_spec = lambda n, *a: None if n in ABSENT else real(n, *a)\n"
    )

    environment = os.environ | {"PYTHONPATH": f"{tmp_path}:{ROOT}", "CXX": "", "PATH": "/nowhere"}
    settings = ("--models", tiny, "--input", "32x32", "--sets", "1", "--rounds", "2", "--results", str(tmp_path / "r"))
    refused = command("bench.speed", "--device", "cpu", "--backend", "eager,openvino", *settings, env=environment)
    assert refused.returncode == 2
    assert refused.stderr.splitlines() == [
        "error: backend openvino needs openvino: install with pip install 'lightpose-bench[openvino]'"
    ]
    assert not (tmp_path / "r/speed.jsonl").exists()
    done = command("bench.speed", "--device", "cpu", "--backend", "all", *settings, env=environment)
    assert done.returncode == 0, done.stderr
    for said in ("left out: backend openvino needs openvino", "left out: backend compile needs a C++ compiler",
                 "left out: backend cudagraphs runs on CUDA devices only"):  # fmt: skip
        assert said in " ".join(done.stderr.split())
    listed = command("bench.speed", "--list-backends", env=environment)
    assert listed.returncode == 0
    assert all(name in listed.stdout for name in catalogue.names())
    assert f"torch {torch.__version__}" in listed.stdout
    assert "lightpose-bench[openvino]" in "".join(listed.stdout.split()).replace("│", "")
    assert ("no CUDA" in listed.stdout) != torch.cuda.is_available()  # what it lacks is not a package


def test_what_onnxruntime_says_of_a_provider_that_fails_is_in_the_error(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """It is logged from C++, and the session is one on the CPU."""

    class Fallback:
        def __init__(self, *_: object, **__: object) -> None:
            os.write(1, b"*************** EP Error ***************\n")
            os.write(
                2, b"\x1b[1;31m2026-01-02 03:04:05.678 [E:onnxruntime:Default, provider_bridge_ort.cc:1992 Get] "
                b"/src/a.cc:1637 Provider& Get() [ONNXRuntimeError] : 1 : FAIL : Failed to load library libx.so with "
                b"error: libcublasLt.so.12: cannot open shared object file\x1b[m\n",
            )  # fmt: skip

        def get_providers(self) -> list[str]:
            return ["CPUExecutionProvider"]

    found = SimpleNamespace(InferenceSession=Fallback, SessionOptions=SimpleNamespace)
    monkeypatch.setattr(onnxruntime, "import_onnxruntime", lambda: found)
    (tmp_path / "net.onnx").write_bytes(b"")
    artifact = Artifact("onnxruntime_cuda", "fp32", (tmp_path / "net.onnx",), from_cache=False)
    with pytest.raises(InputError) as error:
        onnxruntime.open_artifact(catalogue.find("onnxruntime_cuda"), artifact, "cuda", 1)
    assert str(error.value) == (
        "ONNX Runtime could not start its CUDAExecutionProvider: Failed to load library libx.so with error: "
        "libcublasLt.so.12: cannot open shared object file"
    )


def test_no_telemetry(tmp_path: Path) -> None:
    """In a process of its own: nncf itself sends nothing where it finds pytest."""
    pytest.importorskip("nncf")
    script = (
        "import torch, sys\nfrom bench.backends import catalogue\n"
        "model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()\n"
        "artifact = catalogue.build('openvino_int8', model, torch.randn(1, 3, 32, 32))\n"
        "catalogue.open_artifact(artifact).close()\n"
        "assert not [name for name in sys.modules if name.startswith('openvino_telemetry.')]\n"
        "import nncf.telemetry.wrapper as wrapper\n"
        "assert not isinstance(wrapper.telemetry, wrapper.NNCFTelemetry)\n"
    )

    home = tmp_path / "home"
    home.mkdir()
    environment = os.environ | {"HOME": str(home), "PYTHONPATH": str(ROOT)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert not (home / "intel").exists()


def test_with_channels_last_the_graph_as_traced_has_no_views_either() -> None:
    """Libraries on a GPU may lay out what they put out otherwise than traced, and a view of that is an error."""
    model, example = enliven(build("simplebaseline_shufflenetv2"), 0), torch.randn(1, 3, 64, 64)
    precisions.channels_last(model)
    network = Network.in_precision(
        model, example.contiguous(memory_format=torch.channels_last), "fp32", 1, None, cast=False
    )
    files = cuda_graphs.build(catalogue.find("cudagraphs"), network).files
    assert len(files) == 2
    for graph in (torch.load(file, weights_only=False) for file in files):
        assert not list(calls(graph, VIEW))
        convolutions = list(calls(graph, CONVOLUTION))
        assert convolutions
        for convolution in convolutions:
            assert tensor_of(graph, convolution.args[1]).is_contiguous(memory_format=torch.channels_last)
        with torch.inference_mode():
            assert torch.allclose(graph(network.example), model(example), rtol=1e-4, atol=1e-4)


def test_channels_last_is_for_tensors_of_four_dimensions() -> None:
    model = build("dite_hrnet_18")  # its banks of kernels have five
    images = torch.randn(1, 3, 64, 64)
    with torch.inference_mode():
        expected = model.eval()(images)
        precisions.channels_last(model)
        assert torch.allclose(model(images), expected, rtol=1e-4, atol=1e-6)
    dimensions = {tensor.dim() for tensor in model.parameters()}
    assert {4, 5} <= dimensions
    for tensor in model.parameters():
        assert tensor.dim() != 4 or tensor.is_contiguous(memory_format=torch.channels_last)


def test_what_takes_long_once_is_said_once() -> None:
    notes = catalogue.Conversions()
    assert notes.note("eager", "one, eager", "one") == ""
    assert notes.note("onnxruntime", "one.ONNX, onnxruntime", "folder/one.ONNX") == ""  # it opens the file as it is
    assert "up to 2 minutes" in notes.note("openvino", "one.onnx, openvino", "one.onnx")
    assert "up to 8 minutes" in notes.note("executorch_int8", "one, executorch_int8", "one")
    assert notes.note("ncnn", "one, ncnn", "one").startswith("converting one, ncnn: the first time up to a minute ")
    assert notes.note("ncnn", "one, ncnn", "one") == ""  # at another batch
    assert notes.note("ncnn", "two, ncnn", "two") == "converting two, ncnn"
    assert notes.note("mnn", "two, mnn", "two").startswith("converting two, mnn: the first time up to ")
    assert catalogue.Conversions().note("ncnn", "two, ncnn", "two") != "converting two, ncnn"


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["cudagraphs", "compile_cudagraphs"])
def test_a_graph_keeps_the_weights_that_it_reads(name: str) -> None:
    model = enliven(build("lightweight_mobilenetv3"), 0).cuda()
    example = torch.randn(1, 3, 64, 64).cuda()
    artifact = catalogue.build(name, model, example)
    session = catalogue.open_artifact(artifact, device="cuda:0")
    images = example.cpu().numpy()
    session.prepare(images)
    del artifact
    (first,) = session.run(images)
    gc.collect()
    torch.cuda.empty_cache()
    filled = [torch.full((2**22,), float("nan"), device="cuda") for _ in range(16)]
    assert (session.run(images)[0] == first).all()
    assert not (session.run(images * 0.5)[0] == first).all()
    assert filled[0].isnan().all()


@pytest.mark.gpu
@pytest.mark.parametrize("name", ["fused", "compile", "cudagraphs", "compile_cudagraphs"])
@pytest.mark.parametrize("precision", ["fp32", "tf32", "fp16"])
def test_runtimes_agree_on_cuda(name: str, precision: str) -> None:
    model = enliven(build("lightweight_mobilenetv3"), 0).cuda()
    example = torch.randn(1, 3, 64, 64).cuda()
    allowed = torch.backends.cudnn.allow_tf32
    record = measure(model, example, rounds=3, warmup=1, backend=name, precision=precision)
    assert torch.backends.cudnn.allow_tf32 == allowed
    assert record.metrics["parity_max_relative"] < (1e-4 if precision == "fp32" else 2e-2)


@pytest.mark.gpu
@pytest.mark.parametrize("network", ["simplebaseline_shufflenetv2", "lite_hrnet_18", "dite_hrnet_18"])
def test_networks_with_shuffles_and_banks_of_kernels_run_in_half_precision_on_cuda(network: str) -> None:
    model = enliven(build(network), 0).cuda()
    record = measure(
        model, torch.randn(1, 3, 64, 64).cuda(), rounds=3, warmup=1, backend="cudagraphs", precision="fp16"
    )
    assert record.metrics["parity_max_relative"] < 5e-2
