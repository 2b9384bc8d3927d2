"""What a network has to compute, where it amplifies rounding: a trained Lite-HRNet-30 does, by thousands."""

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from bench.backends import catalogue
from bench.backends.differences import find
from bench.opening import Reference, open_network, reference
from bench.pipeline.plan import PoseNetwork
from bench.pipeline.preparation import prepare
from bench.timing.parity import TOLERANCE, ParityError
from tests.commands import command


class Amplifies(nn.Module):
    """17 heatmaps; each step makes a difference up to three times as large."""

    def __init__(self, steps: int = 8) -> None:
        super().__init__()
        self.steps = steps
        with torch.random.fork_rng():
            torch.manual_seed(0)
            self.conv = nn.Conv2d(3, 17, 4, stride=4)

    def forward(self, x: Tensor) -> Tensor:
        x = self.conv(x)
        for _ in range(self.steps):
            x = torch.sin(3 * x)
        return x


IMAGES = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(0))


def test_a_runtime_may_differ_by_what_the_network_amplifies() -> None:
    pytest.importorskip("onnxruntime")
    images = IMAGES.numpy()
    usual = reference(Amplifies(0).eval(), images, device="cpu", threads=1, who="net")
    assert usual.rounding < 1e-6
    model = Amplifies().eval()
    expected = reference(model, images, device="cpu", threads=1, who="net")
    assert expected.backend == "eager"
    assert 1e-4 < expected.rounding < 2e-3
    opened = open_network(
        lambda: catalogue.build("onnxruntime", model, IMAGES, threads=1), images, device="cpu", threads=1, who="net"
    )
    opened.session.close()
    difference = expected.check(opened.artifact, opened.outputs)
    assert difference > TOLERANCE["fp32"]
    assert "amplifies rounding: eager itself changes by 0.000" in expected.remark(opened.artifact, difference)
    assert not expected.remark(opened.artifact, 1e-6)
    with pytest.raises(ParityError, match=r"backend onnxruntime \(fp32\) differs from eager"):
        Reference("eager", expected.outputs).check(opened.artifact, opened.outputs)
    # Another network is found out all the same.
    with pytest.raises(ParityError, match="differs from eager"):
        expected.check(opened.artifact, [array + np.float32(0.05) for array in opened.outputs])


def test_such_a_network_is_timed_explained_and_exported(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    pytest.importorskip("onnxruntime")
    own = tmp_path / "own.py"
    own.write_text("from tests.bench.test_opening import Amplifies\n\n\ndef net():\n    return Amplifies()\n")
    options = ["--input", "64x64", "--device", "cpu", "--threads", "1", "--rounds", "2", "--sets", "1", "--warmup", "1"]
    results = ["--results", str(tmp_path / "r"), "--quiet"]
    assert command("speed")(["--models", f"{own}:net", "--backend", "onnxruntime", *options, *results]) == 0
    (line,) = (tmp_path / "r" / "speed.jsonl").read_text().splitlines()
    record = json.loads(line)
    assert TOLERANCE["fp32"] < record["metrics"]["parity_max_relative"] < 2e-2
    assert any("amplifies rounding" in warning for warning in record["warnings"])
    network = PoseNetwork(f"{own}:net", 17, (64, 64), "onnxruntime", "fp32", "cpu", 1, "random", "random", None, 0)
    (warning,) = prepare(network, (1,)).warnings
    assert "amplifies rounding" in warning
    explaining = ["--backend", "onnxruntime", "--input", "64x64", "--threads", "1", "--rounds", "3"]
    assert command("explain")(["--models", f"{own}:net", *explaining, *results]) == 0
    (explained,) = (tmp_path / "r" / "explain.jsonl").read_text().splitlines()
    assert any("amplifies rounding" in warning for warning in json.loads(explained)["warnings"])
    people = ["--weights", "own", "--limit", "2", "--batch", "1", "--device", "cpu", "--input", "64x64"]
    assert command("accuracy")(["--models", f"{own}:net", "--backend", "onnxruntime", *people, *results]) == 0
    (evaluated,) = (tmp_path / "r" / "accuracy.jsonl").read_text().splitlines()
    assert any("amplifies rounding" in warning for warning in json.loads(evaluated)["warnings"])
    out = tmp_path / "net.onnx"
    command("export")(
        ["--model", f"{own}:net", "--weights", "own", "--input", "64x64", "--format", "onnx", "--out", str(out)]
    )
    assert out.is_file()
    assert "the largest difference to eager is 0.00" in capsys.readouterr().err
    if catalogue.shows_values("onnxruntime_int8"):
        found = find(Amplifies().eval(), IMAGES, "onnxruntime_int8", threads=1)
        assert found.boundaries
