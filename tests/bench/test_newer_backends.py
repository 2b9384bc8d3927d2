"""The newer networks' own operators in every runtime, and SimCC and UDP networks through the real commands."""

import json
from pathlib import Path

import cv2
import pytest
import torch
from torch import Tensor, nn

from bench.backends import catalogue
from bench.backends.families.pytorch import arrays
from bench.backends.graphs.capture import capture
from bench.backends.graphs.operators import BATCH_NORM, calls
from bench.backends.graphs.simplify import simplify
from bench.core.errors import InputError
from bench.core.results import read
from bench.data.synthetic import draw_portrait
from bench.random_weights import enliven
from bench.timing.parity import difference
from tests.bench.test_device_backends import PREPARED, skip_where_it_does_not_run
from tests.commands import command
from zoo.dite_hrnet import DynamicConvBNAct, GlobalContext
from zoo.rtmpose import RTMCCHead
from zoo.vitpose import Layer

accuracy, predict = command("accuracy"), command("predict")
COMMON = ["--weights", "random", "--device", "cpu", "--quiet"]


class NewParts(nn.Module):
    """Kernels made for every picture, attention between the places of a map, and RTMPose's head on the result."""

    def __init__(self) -> None:
        super().__init__()
        self.depthwise = DynamicConvBNAct(16, 16, 3, groups=16)
        self.pointwise = DynamicConvBNAct(16, 384)
        self.context = GlobalContext(16, 4)
        self.layer = Layer(0.0)
        self.last = nn.Conv2d(384, 5, 1)
        self.head = RTMCCHead(384, 5, (256, 192))

    def forward(self, x: Tensor) -> tuple[Tensor, ...]:
        y = self.pointwise(self.context(self.depthwise(x)))
        y = self.layer(y.flatten(2).transpose(1, 2)).transpose(1, 2).reshape(y.shape)
        return self.last(y), *self.head(y)


@pytest.mark.parametrize("name", ["fused", "onnxruntime", "openvino", "ncnn", "mnn", "litert"])
def test_what_only_the_newer_networks_have_agrees_with_eager(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    (tmp_path / "lightpose-bench").mkdir()
    (tmp_path / "lightpose-bench/environments").symlink_to(PREPARED.parent)
    skip_where_it_does_not_run(name)
    torch.manual_seed(0)
    model, example = enliven(NewParts(), 1).eval(), torch.randn(1, 16, 8, 6)
    artifact = catalogue.build(name, model, example, threads=1)
    with catalogue.open_artifact(artifact, threads=1) as session, torch.no_grad():
        session.prepare(example.numpy())
        for images in (example, 0.5 * example.flip(3)):
            assert difference(arrays(model(images)), session.run(images.numpy())) < 2e-5


class MixedAfterViews(nn.Module):
    """A kernel made for every picture, of channels that were viewed before all were changed in place: tracing makes
    that view anew inside the pooling, as Dite-HRNet has it."""

    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Conv2d(3, 16, 3, padding=1)
        self.mixed = DynamicConvBNAct(8, 8, 3, groups=8)
        self.last = nn.Conv2d(16, 5, 1)

    def forward(self, images: Tensor) -> Tensor:
        x = self.first(images)
        one, other = x[:, :8], x[:, 8:]
        x.relu_()
        last: Tensor = self.last(torch.cat([self.mixed(one), other], 1))
        return last


@pytest.mark.parametrize("name", ["onnxruntime_int8", "openvino_int8", "executorch_int8"])
def test_kernels_that_are_mixed_for_every_picture_can_be_in_a_network_in_int8(
    name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    skip_where_it_does_not_run(name)
    torch.manual_seed(0)
    model, example = enliven(MixedAfterViews(), 1).eval(), torch.rand(1, 3, 32, 24)  # as pictures are
    artifact = catalogue.build(name, model, example, threads=1)
    with catalogue.open_artifact(artifact, threads=1) as session, torch.no_grad():
        session.prepare(example.numpy())
        assert 1e-4 < difference(arrays(model(example)), session.run(example.numpy())) < 0.1


def test_batch_norm_goes_into_the_kernels_that_are_mixed() -> None:
    model = enliven(nn.Sequential(DynamicConvBNAct(16, 16, 3, groups=16), DynamicConvBNAct(16, 24)), 0).eval().double()
    for batch, left in ((1, 0), (2, 2)):  # a batch is one convolution of as many groups, whose channels are in a view
        x = torch.randn(batch, 16, 8, 8, dtype=torch.float64)
        graph = simplify(capture(model, x).graph(), x)
        assert len(calls(graph, BATCH_NORM)) == left
        with torch.no_grad():
            torch.testing.assert_close(graph(x), model(x), rtol=0, atol=1e-12)


@pytest.mark.parametrize("model", ["simcc_mobilenetv2", "cspnext_t_udp"])
def test_evaluation_with_the_flip_test_agrees_between_runtimes(
    model: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Random numbers for weights: the joints mean nothing, and are the same wherever the network runs."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    common = [
        "--models", model, "--dataset", "synthetic", "--images", "2", "--input", "64x64", "--batch", "2", "--workers",
        "0", "--threads", "1", *COMMON,
    ]  # fmt: skip
    found = {}
    for backend in ("eager", {"simcc_mobilenetv2": "onnxruntime", "cspnext_t_udp": "openvino"}[model]):
        try:
            catalogue.resolve(backend, "cpu", "fp32")
        except InputError:
            continue
        out = tmp_path / backend
        assert accuracy([*common, "--backend", backend, "--results", str(out)]) == 0
        (file,) = (out / "predictions").glob("*.json")
        found[backend] = json.loads(file.read_text())
        (record,) = read(out)
        assert record.protocol["flip"] is True
        assert record.protocol["decode"] == {"simcc_mobilenetv2": "argmax", "cspnext_t_udp": "dark_udp"}[model]
        assert record.protocol.get("crop") == {"simcc_mobilenetv2": None, "cspnext_t_udp": "udp"}[model]
    first = found.pop("eager")
    if not found:
        pytest.skip("its backend is not installed")
    assert len(first) >= 2
    for others in found.values():
        assert [one["image_id"] for one in others] == [one["image_id"] for one in first]
        together = [
            (a, b)
            for one, other in zip(first, others, strict=True)
            for a, b in zip(one["keypoints"], other["keypoints"], strict=True)
        ]
        # A tie may be broken the other way; nearly all joints are where they were.
        assert sum(abs(a - b) < 0.1 for a, b in together) > 0.95 * len(together)


def test_prediction_draws_what_a_simcc_network_finds(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "one.png"), draw_portrait(0, 0).image[:, :, ::-1])
    arguments = [str(tmp_path / "one.png"), "--model", "rtmpose_t", "--input", "64x64", *COMMON]
    assert predict([*arguments, "--out", str(tmp_path / "out")]) == 0
    (entry,) = json.loads((tmp_path / "out" / "predictions.json").read_text())["pictures"]
    assert len(entry["people"][0]["keypoints"]) == 17
    assert (tmp_path / "out" / entry["drawn"]).is_file()


@pytest.mark.parametrize(
    ("model", "decode", "told"),
    [("simcc_mobilenetv2", "quarter_offset", r"^simcc_mobilenetv2 gives two arrays .* does not decode: use argmax$"),
     ("cspnext_t_udp", "dark", r"^cspnext_t_udp gives heatmaps .*, from UDP crops, which dark .* use dark_udp$"),
     ("small_hrnet_w16", "dark_udp", r"^small_hrnet_w16 gives heatmaps .*: use quarter_offset or argmax or dark$")],
)  # fmt: skip
def test_another_kind_s_decoding_is_one_line(model: str, decode: str, told: str, tmp_path: Path) -> None:
    arguments = ["--models", model, "--images", "1", "--input", "64x64", "--decode", decode, *COMMON]
    with pytest.raises(InputError, match=told):
        accuracy([*arguments, "--results", str(tmp_path)])
