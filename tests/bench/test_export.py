"""Exported files: what runs them without this project gets what the network computes, and learns how to use it."""

import ast
import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import zoo
from bench.codecs.decoding import decode
from bench.core.skeletons import COCO
from bench.data import box_to_crop, photograph
from bench.data.cropping import MEAN, PHOTOGRAPH, STD
from bench.export import FORMATS
from bench.models import build
from tests.commands import command, run_command
from tests.conftest import ROOT
from tests.reference_weights import FORWARD, reference_state

main = command("export")
OWN = '''
import torch
from torch import nn


class Liar(nn.Module):
    """Computes one thing in eager and another once traced."""

    def forward(self, x):
        return x[:, :1] * (2.0 if torch.jit.is_tracing() else 1.0)


class Fixed(nn.Module):
    """Remembers the batch size that it was traced with."""

    def forward(self, x):
        return x.reshape(len(x.tolist()) if not torch.jit.is_tracing() else 2, 3, *x.shape[2:])


class Integers(nn.Module):
    def forward(self, x):
        return x.long()


class Forgotten(nn.Module):
    def forward(self, x):
        x * 2


class Unsound(nn.Module):
    """A pixel of one heatmap is not finite."""

    def forward(self, x):
        x = x.clone()
        x[:, 1, 2, 3] = float("nan")
        return x


class Vector(nn.Module):
    def forward(self, x):
        return x.flatten(1)
'''


def call(*arguments: object, monkeypatch: pytest.MonkeyPatch) -> int:
    """The command in this process; its exit status."""

    monkeypatch.setattr(sys, "argv", ["bench.export", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        run_command("export")
    return int(left.value.code or 0)


def run_onnx(path: Path, images: Tensor) -> tuple[Tensor, dict[str, str]]:
    onnxruntime = pytest.importorskip("onnxruntime")
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    return torch.from_numpy(session.run(None, {"images": images.numpy()})[0]), (
        session.get_modelmeta().custom_metadata_map
    )


def run_openvino(path: Path, images: Tensor) -> tuple[Tensor, dict[str, str]]:
    openvino = pytest.importorskip("openvino")
    graph = openvino.Core().read_model(path)
    found = openvino.compile_model(graph, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(images.numpy())[0]
    keys = ("model", "input", "mean", "joints", "flip_pairs", "weights_sha256", "dynamic_batch")
    return torch.from_numpy(found), {key: str(graph.get_rt_info(["lightpose", key]).value) for key in keys}


def run_torchscript(path: Path, images: Tensor) -> tuple[Tensor, dict[str, str]]:
    files = {"metadata.json": ""}
    model = torch.jit.load(str(path), _extra_files=files)
    return model(images).detach(), json.loads(files["metadata.json"])


@pytest.fixture(autouse=True)
def own_cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files that runtimes keep are made anew."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))


RUN = {"onnx": run_onnx, "openvino": run_openvino, "torchscript": run_torchscript}
ENDING = {"onnx": "onnx", "openvino": "xml", "torchscript": "pt"}


@pytest.mark.parametrize("kind", list(RUN))
def test_a_file_does_what_the_network_does_on_any_batch(
    kind: str, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    if kind != "torchscript":
        pytest.importorskip({"onnx": "onnxscript", "openvino": "openvino"}[kind])
    out = tmp_path / f"net.{ENDING[kind]}"
    out.write_text("what was there before")
    options = ("--model", tiny, "--weights", "random", "--format", kind, "--input", "64x96")
    assert call(*options, "--dynamic-batch", "--out", out, monkeypatch=monkeypatch) == 0
    captured = capsys.readouterr()
    assert captured.out == f"{out}\n"
    assert "warning: the weights are random" in captured.err
    images = torch.randn(3, 3, 64, 96)
    found, told = RUN[kind](out, images)
    model = build(tiny)
    with torch.no_grad():
        torch.testing.assert_close(found, model(images), rtol=1e-5, atol=1e-6)
    assert (told["model"], json.loads(told["input"]), told["dynamic_batch"]) == ("own_model:tiny", [3, 64, 96], "true")
    assert json.loads(told["mean"]) == list(MEAN)
    assert json.loads(told["joints"]) == list(COCO.joints)
    assert [tuple(pair) for pair in json.loads(told["flip_pairs"])] == list(COCO.flip_pairs)
    digest = hashlib.sha256()
    for name, value in model.state_dict().items():
        digest.update(name.encode() + value.numpy().tobytes())
    assert told["weights_sha256"] == digest.hexdigest()
    beside = {"net.bin"} if kind == "openvino" else set()
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"own_model.py", out.name} | beside


@pytest.mark.parametrize("kind", ["onnx", "openvino"])
def test_a_file_for_one_image_and_one_in_int8(
    kind: str, tiny: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for package in {"onnx": ("onnxscript", "onnxruntime"), "openvino": ("openvino", "nncf")}[kind]:
        pytest.importorskip(package)
    images = photograph((64, 96))
    with torch.no_grad():
        expected = build(tiny)(images)
    monkeypatch.chdir(tmp_path)
    options = ("--model", tiny, "--weights", "random", "--format", kind, "--input", "64x96", "--quiet")
    differences = []
    for more in ((), ("--int8",)):
        assert call(*options, *more, monkeypatch=monkeypatch) == 0
        path = Path(capsys.readouterr().out.strip())
        assert str(path) == f"exports/own_model_tiny_64x96{'_int8' if more else ''}.{ENDING[kind]}"
        found, told = RUN[kind](path, images)
        assert told["dynamic_batch"] == "false"
        differences.append(float((found - expected).abs().mean() / expected.abs().max()))
    exact, int8 = differences
    assert exact < 1e-6
    assert 1e-4 < int8 < 0.02  # 256 steps for each tensor: not exact, and not far


def test_trained_weights_and_options_go_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    torch.manual_seed(5)
    trained = zoo.create_model("lightweight_mobilenetv3", num_joints=16, attention="se").eval()
    zoo.save_weights(trained, tmp_path / "mine.safetensors")
    monkeypatch.chdir(tmp_path)
    options = ("--model", "lightweight_mobilenetv3", "--weights", "mine.safetensors", "--joints", 16)
    assert call(*options, "--input", "64x64", "--format", "torchscript", "--quiet", monkeypatch=monkeypatch) == 0
    assert capsys.readouterr().out == "exports/lightweight_mobilenetv3_64x64.pt\n"
    images = torch.randn(1, 3, 64, 64)
    found, told = run_torchscript(tmp_path / "exports/lightweight_mobilenetv3_64x64.pt", images)
    with torch.no_grad():
        torch.testing.assert_close(found, trained(images), rtol=1e-3, atol=1e-5)
    assert told["weights"] == "mine.safetensors"
    assert told["weights_sha256"] == hashlib.sha256((tmp_path / "mine.safetensors").read_bytes()).hexdigest()
    assert (told["options"], told["dynamic_batch"], told["num_joints"]) == ("attention=se", "false", "16")
    assert json.loads(told["std"]) == list(STD)
    assert json.loads(told["joints"])[:2] == ["right_ankle", "right_knee"]


def test_the_example_finds_joints_without_this_project(command: Callable, tmp_path: Path) -> None:
    for package in ("onnxscript", "onnxruntime"):
        pytest.importorskip(package)
    name = "lightweight_mobilenetv3"
    weights, out = tmp_path / "weights.pth", tmp_path / "net.onnx"
    # Random weights make flat heatmaps, whose highest pixel is a matter of rounding; these do not.
    torch.save(reference_state(name, FORWARD[name]["gain"]), weights)
    done = command("bench.export", "--model", name, "--weights", str(weights), "--format", "onnx", "--input", "96x64",
                   "--out", str(out))  # fmt: skip
    assert done.returncode == 0, done.stderr
    example = ROOT / "examples/run_exported.py"
    imported = {
        alias.name for node in ast.walk(ast.parse(example.read_text())) if isinstance(node, ast.Import)
        for alias in node.names
    }  # fmt: skip
    assert imported == {"json", "sys", "cv2", "numpy", "onnxruntime"}
    ran = subprocess.run(
        [sys.executable, str(example), str(out), str(PHOTOGRAPH)], cwd=tmp_path, capture_output=True, text=True
    )
    assert ran.returncode == 0, ran.stderr
    printed = [line.split() for line in ran.stdout.splitlines()]
    assert [name for name, *_ in printed] == list(COCO.joints)
    network = build(name)
    zoo.load_weights(network, weights)
    with torch.inference_mode():
        heatmaps = network(photograph((96, 64), PHOTOGRAPH))
    center, size_px = box_to_crop((0.0, 0.0, 512.0, 512.0), (96, 64))
    (joints,), (scores,) = decode(heatmaps, center[None], size_px[None], "argmax")
    found = np.array([[float(number) for number in numbers] for _, *numbers in printed])
    assert scores.min() > 0
    assert found[:, :2] == pytest.approx(joints, abs=0.06)
    assert found[:, 2] == pytest.approx(scores, rel=1e-3, abs=1e-3)
    assert len(np.unique(joints, axis=0)) > 5


@pytest.mark.parametrize(
    ("network", "options", "says"),
    [
        ("Liar", (), "differs from eager by 1 of the largest output"),
        ("Fixed", ("--dynamic-batch",), "fails on a batch of 1"),
        ("Unsound", (), "output 0 of eager holds 1 values of 3072 that are not finite (NaN or infinity): not kept"),
    ],
)
def test_a_file_that_computes_something_else_is_not_kept(
    network: str, options: tuple[str, ...], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "own_networks.py").write_text(OWN)
    out = tmp_path / "net.pt"
    out.write_text("what was there before")
    arguments = ("--model", f"{tmp_path}/own_networks.py:{network}", "--weights", "random", "--format", "torchscript")
    assert call(*arguments, "--input", "32x32", "--out", out, *options, monkeypatch=monkeypatch) == 1
    assert says in " ".join(capsys.readouterr().err.split())
    assert out.read_text() == "what was there before"
    assert {path.name for path in tmp_path.iterdir()} - {"__pycache__"} == {"own_networks.py", "net.pt"}


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["--format", "tflite"], "unknown format 'tflite': choose from onnx, openvino, torchscript"),
        (["--model", "lite_hrnet_19"], "unknown model 'lite_hrnet_19': did you mean"),
        (["--model", "{folder}/own_networks.py:Vector"], "give a network that makes heatmaps [1, J, h, w]"),
        (["--weights", "absent.pth"], "absent.pth"),
        (["--weights", "{folder}/own_networks.py"], "own_networks.py"),
        (["--input", "250x190"], "multiples of 32, for example 256x192"),
        (["--input", "64x64,32x32"], "give one size"),
        (["--out", "{folder}"], "is a folder, and a file is needed here"),
        (["--out", "net.onnx"], "a file of format torchscript ends in .pt"),
        (["--out", "own_networks.py/net.pt"], "own_networks.py: is a file, and a folder is needed here"),
        (["--model", "{folder}/own_networks.py:Integers"], "of type torch.int64: heatmaps [1, J, h, w] are needed"),
        (["--model", "{folder}/own_networks.py:Forgotten"], "makes NoneType of one image"),
        (["--int8"], "format torchscript is float32 only: give onnx or openvino"),
        (["--int8", "--format", "onnx", "--dynamic-batch"], "leave out --dynamic-batch"),
        (["--joints", "0"], "'0' is not a number of joints: give a whole number from 1"),
    ],
)
def test_bad_usage_is_one_line(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    (tmp_path / "own_networks.py").write_text(OWN)
    monkeypatch.chdir(tmp_path)
    base = ("--model", "lightweight_mobilenetv3", "--weights", "random", "--format", "torchscript", "--input", "64x64")
    given = [argument.format(folder=tmp_path) for argument in arguments]
    assert call(*base, *given, monkeypatch=monkeypatch) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    line = captured.err.strip().splitlines()[-1]
    assert line.startswith("error: ")
    assert says in line
    left = {path.name for path in tmp_path.rglob("*") if path.is_file() and path.suffix != ".pyc"}
    assert left == {"own_networks.py"}


def test_nothing_is_written_over_what_is_exported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    """The weights, under any name; a checkpoint as a model; and a file beside that belongs to nothing here."""
    network = zoo.create_model("lightweight_mobilenetv3", input_size=(64, 64))
    weights = tmp_path / "mine.pt"
    torch.save(network.state_dict(), weights)
    (tmp_path / "linked.pt").symlink_to(weights)
    (tmp_path / "again.pt").hardlink_to(weights)
    (tmp_path / "net.bin").write_text("somebody's weights")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".py"}
    zoo_model = ("--model", "lightweight_mobilenetv3", "--weights", weights)
    file_model = ("--model", weights, "--model-info", "network=lightweight_mobilenetv3")
    for arguments, out, says in (
        (zoo_model, weights, "is what is exported, and would be lost"),
        (zoo_model, tmp_path / "linked.pt", "is what is exported"),
        (zoo_model, tmp_path / "again.pt", "is what is exported"),
        (file_model, weights, "is what is exported"),
        (zoo_model, tmp_path / "net.xml", "net.bin, which belongs to something else: give another name"),
    ):
        kind = "openvino" if out.suffix == ".xml" else "torchscript"
        common = ("--input", "64x64", "--format", kind, "--out", out)
        assert call(*arguments, *common, monkeypatch=monkeypatch) == 2
        assert says in " ".join(capsys.readouterr().err.split())
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.suffix != ".py"} == before


@pytest.mark.skipif(sys.platform == "win32", reason="no limit to the size of files can be set")
def test_a_full_disk_is_one_line_and_keeps_what_was_there(tiny: str, tmp_path: Path) -> None:
    """A limit to the size of files stands for the disk: the system refuses to write on in the same way."""
    import resource

    out = tmp_path / "net.pt"
    out.write_text("what was there before")
    done = subprocess.run(
        [sys.executable, "-B", "-m", "bench.export", "--model", tiny, "--weights", "random", "--format", "torchscript",
         "--input", "64x64", "--out", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=300,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000)),
    )  # fmt: skip
    assert done.returncode == 2, done.stderr
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "a file may not grow so large here (ulimit -f)" in done.stderr
    assert out.read_text() == "what was there before"
    assert not list(tmp_path.glob(".net.pt*"))


@pytest.mark.parametrize("kind", list(RUN))
def test_both_vectors_of_a_classifying_network_are_written(
    kind: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any
) -> None:
    for package in {"onnx": ("onnxscript", "onnxruntime"), "openvino": ("openvino",), "torchscript": ()}[kind]:
        pytest.importorskip(package)
    out = tmp_path / f"net.{ENDING[kind]}"
    options = ("--model", "simcc_mobilenetv2", "--weights", "random", "--format", kind, "--input", "64x96")
    assert call(*options, "--out", out, "--quiet", monkeypatch=monkeypatch) == 0
    told = FORMATS[kind].metadata(out)
    assert (told["output_kind"], json.loads(told["split_ratio"])) == ("simcc", 2)
    assert json.loads(told["output"]) == [[17, 2 * 96], [17, 2 * 64]]
    images = photograph((64, 96))
    with torch.no_grad():
        expected = build("simcc_mobilenetv2", input_size=(64, 96))(images)
    if kind == "torchscript":
        found = torch.jit.load(str(out))(images)
    elif kind == "onnx":
        import onnxruntime

        session = onnxruntime.InferenceSession(str(out), providers=["CPUExecutionProvider"])
        found = [torch.from_numpy(one) for one in session.run(["simcc_x", "simcc_y"], {"images": images.numpy()})]
    else:
        import openvino

        compiled = openvino.compile_model(openvino.Core().read_model(out), "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
        answer = compiled({"images": images.numpy()})
        found = [torch.from_numpy(answer[name]) for name in ("simcc_x", "simcc_y")]
    for one, wanted in zip(found, expected, strict=True):
        torch.testing.assert_close(one, wanted, rtol=1e-3, atol=1e-4 * float(wanted.abs().max()))
