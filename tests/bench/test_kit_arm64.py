"""A kit on an Arm processor that QEMU emulates: parity, identity, a kill half-way, and joints in float16 arithmetic."""

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

from bench.backends import catalogue
from bench.core.files import cache_path
from bench.data import open_dataset
from bench.timing.parity import TOLERANCE, difference
from benchmarks.arm64_accuracy import Emulated, ap
from tests.bench.conftest import COLOURS
from tests.bench.test_kit_identity import PI_5
from tests.commands import command
from tests.conftest import ROOT

CPU = "cortex-a76"  # of a Raspberry Pi 5; it has float16 arithmetic
NETWORK = """
from torch import nn


def small():
    return nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.Hardswish(), nn.Conv2d(8, 8, 5, 2, 2, groups=8), nn.ReLU(),
        nn.Conv2d(8, 17, 1),
    )
"""


@pytest.fixture(scope="module")
def emulated() -> Path:
    """The folder that ``.ci/arm64.sh`` makes."""
    root = Path(os.environ.get("LIGHTPOSE_ARM64") or cache_path("arm64"))
    if not (root / "made").is_file():
        pytest.skip("no arm64 root is here: .ci/arm64.sh makes one, with Debian's packages")
    return root


@pytest.fixture(scope="module")
def kit(emulated: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    pytest.importorskip("ncnn")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("home")
    (folder / "own.py").write_text(NETWORK)
    done = subprocess.run(
        [sys.executable, "-m", "bench.kit", "make", "--models", f"{folder / 'own.py'}:small", "--input", "64x64",
         "--backend", "ncnn_fp16,onnxruntime", "--out", folder / "kit"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return folder / "kit"


@pytest.fixture
def board(emulated: Path, tmp_path: Path) -> dict[str, str]:
    """The environment in which the emulated Python sees a Pi 5's files, and of the project only the kit."""
    root = tmp_path / "board"
    root.mkdir()
    for name in ("lib", "usr"):
        (root / name).symlink_to(emulated / "root" / name)
    for name, text in PI_5.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    told = {"EMULATED_CPU": CPU, "EMULATED_ROOT": str(root), "OMP_NUM_THREADS": "1"}
    return {name: value for name, value in os.environ.items() if name != "PYTHONPATH"} | told


def test_a_kit_on_an_emulated_board(
    emulated: Path, kit: Path, board: dict[str, str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Killed after its first network, it goes on; its records are sound, and its timings are in no table."""
    run = [emulated / "python", "run.py", "--sets", "1"]
    process = subprocess.Popen(run, cwd=kit, stderr=subprocess.PIPE, text=True, env=board)
    assert process.stderr is not None
    said = []
    for line in process.stderr:
        said.append(line)
        if line.startswith("1/2"):
            os.kill(process.pid, signal.SIGKILL)
            break
    process.wait()
    assert len([line for line in said if "emulated processor" in line]) == 1, said
    done = subprocess.run(run, cwd=kit, capture_output=True, text=True, env=board)
    assert done.returncode == 0, done.stderr
    assert "1 of 1 sets are there from before" in done.stderr
    assert len(re.findall(r"^1/1 ", done.stderr, re.MULTILINE)) == 1
    rows = [line.split() for line in done.stdout.splitlines()[1:]]
    assert sorted(row[:6] for row in rows) == [
        ["own:small", backend, *["emulated"] * 4] for backend in ("ncnn_fp16", "onnxruntime")
    ]
    records = {one["backend"]: one for one in map(json.loads, (kit / "records/speed.jsonl").read_text().splitlines())}
    assert records.keys() == {"ncnn_fp16", "onnxruntime"}
    for record in records.values():
        assert record["machine"]["cpu"] == "Raspberry Pi 5 Model B Rev 1.0 (4x Cortex-A76)"
        device = record["notes"]["device"]
        assert (device["board"], device["soc"]) == ("Raspberry Pi 5 Model B Rev 1.0", "brcm,bcm2712")
        assert (device["architecture"], device["classes"][0]["mhz_most"]) == ("aarch64", 2400)
        assert device["emulated"].startswith("the program is for aarch64, and the kernel is for ")
        assert record["conditions"][0]["below_top_frequency_share"] == 1  # its file says 1.8 of 2.4 GHz
        assert record["conditions"][0]["cpu_celsius_most"] == pytest.approx(61.45)
    worst = {backend: record["metrics"]["parity_max_relative"] for backend, record in records.items()}
    assert worst["onnxruntime"] < 1e-5
    assert 1e-5 < worst["ncnn_fp16"] < 2e-2
    assert "float16 arithmetic" in json.dumps(records["ncnn_fp16"]["notes"])
    # What comes back is sound, and yet refused for that reason alone; nor does a report show it.
    assert command("kit")(["check", str(kit / "records")]) == 0
    out = capsys.readouterr().out
    assert out.count("emulated") == 8
    assert command("kit")(["collect", str(kit / "records"), "--results", str(tmp_path / "results")]) == 1
    assert capsys.readouterr().out.count("made on an emulated processor") == 2
    assert not (tmp_path / "results" / "speed.jsonl").exists()
    from bench.report.command import read

    assert read(kit / "records" / "speed.jsonl") == []
    assert "2 records of emulated processors are left out" in capsys.readouterr().err


class Colours(nn.Module):
    """Finds the joints of people made of dots by colour, in layers that ncnn has; no training."""

    def __init__(self) -> None:
        super().__init__()
        levels = [(channel, level) for channel in range(3) for level in sorted({one[channel] for one in COLOURS})]
        std, mean = (0.229, 0.224, 0.225), (0.485, 0.456, 0.406)
        self.far, self.joint = nn.Conv2d(3, len(levels), 1), nn.Conv2d(len(levels), len(COLOURS), 1)
        with torch.no_grad():
            for parameter in self.parameters():
                parameter.zero_()
            for number, (channel, level) in enumerate(levels):
                self.far.weight[number, channel] = std[channel]
                self.far.bias[number] = mean[channel] - level / 255
                for joint, colour in enumerate(COLOURS):
                    self.joint.weight[joint, number] = -4.0 * (colour[channel] == level)
            self.joint.bias.fill_(1)

    def forward(self, x: Tensor) -> Tensor:
        return nn.functional.avg_pool2d(nn.functional.relu(self.joint(self.far(x).abs())), 4)


def test_ap_in_float16_arithmetic_beside_float32(emulated: Path, kit: Path, dots: Path) -> None:
    """A float16 file computes in float32 on x86, so only an Arm processor shows what its arithmetic costs."""
    dataset = open_dataset("coco", dots)
    model, example = Colours().eval(), torch.zeros(1, 3, 128, 96)
    with catalogue.open_artifact(catalogue.build("eager", model, example)) as session:
        exact = ap(session, dataset, (128, 96), len(dataset))
    noise = torch.rand(1, 3, 128, 96, generator=torch.Generator().manual_seed(0))
    with Emulated(emulated, kit, catalogue.build("ncnn_fp16", model, example), CPU) as session:
        assert "float16 arithmetic" in session.note
        half = ap(session, dataset, (128, 96), len(dataset))
        rounded = difference([model(noise).detach().numpy()], session.run(noise.numpy()))
    assert exact > 0.8
    assert half == pytest.approx(exact, abs=0.03)
    assert 1e-4 < rounded < TOLERANCE["fp16"]  # more than a float16 file computed in float32 differs by
