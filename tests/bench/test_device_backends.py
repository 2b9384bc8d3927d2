"""Runtimes of devices and half precision on a CPU compute what eager mode does, to rounding, and send nothing."""

import itertools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.backends import catalogue, converter_environments, converters, native_output
from bench.backends.artifact import Artifact
from bench.backends.families import openvino
from bench.core.errors import InputError
from bench.models import build
from bench.random_weights import enliven
from bench.timing.parity import TOLERANCE, difference
from tests.bench.test_backends import Corners, Fickle
from tests.conftest import ROOT

# Largest difference to eager in float32, relative to the largest output, and what it is at least.
BOUNDS = {
    "ncnn": (2e-5, 0.0), "ncnn_fp16": (5e-3, 1e-6), "mnn": (2e-5, 0.0), "mnn_fp16": (2e-2, 1e-5),
    "mnn_int8_weights": (0.2, 1e-4), "litert": (2e-5, 0.0), "litert_fp16": (2e-2, 1e-5), "litert_int8": (0.2, 1e-4),
    "executorch": (2e-5, 0.0), "executorch_int8": (0.2, 1e-4),
}  # fmt: skip
PREPARED = converter_environments.folder_of("onnx2tf")  # in the user's own cache: made there once, not by every test


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "cache/lightpose-bench").mkdir(parents=True)
    (tmp_path / "cache/lightpose-bench/environments").symlink_to(PREPARED.parent)
    return tmp_path / "cache"


def skip_where_it_does_not_run(name: str) -> None:
    try:
        catalogue.resolve(name, "cpu", "fp32")
    except InputError as error:
        pytest.skip(str(error))
    if name.startswith("litert") and not (PREPARED / "complete").is_file():
        pytest.skip("the environment of onnx2tf is not prepared: build any network for litert once")


class TwoHeads(nn.Module):
    """Two outputs of different numbers of dimensions, as of coordinate classification."""

    def __init__(self) -> None:
        super().__init__()
        self.body, self.maps, self.rows = nn.Conv2d(3, 8, 3, 2, 1), nn.Conv2d(8, 5, 1), nn.Linear(256, 7)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        y = functional.hardswish(self.body(x))
        return self.maps(y), self.rows(y.flatten(2))


class Attending(TwoHeads):
    """What LiteRT has no int8 form for, and some of it no float16 form."""

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        maps, rows = super().forward(x)
        attention = torch.softmax(0.2 * rows @ rows.transpose(1, 2), 2)
        return maps, functional.gelu(attention @ rows) + rows


def compared(name: str, model: nn.Module, example: Tensor) -> Artifact:
    """Build twice and compare with eager, on the example and on another input."""
    least_and_most = BOUNDS[name]
    artifact, again = (catalogue.build(name, model, example, threads=1, calibration=[example]) for _ in range(2))
    assert (artifact.from_cache, again.from_cache) == (False, True)
    assert artifact.files == again.files
    assert artifact.precision == catalogue.resolve(name, "cpu", "fp32")
    # Another process gets it as text.
    artifact = Artifact.from_json(json.loads(json.dumps(artifact.to_json())))
    found, wanted = [], []
    with catalogue.open_artifact(artifact, threads=1) as session, torch.no_grad():
        session.prepare(example.numpy())
        for images in (example, 0.5 * example.flip(0, 3)):
            outputs = model(images)
            wanted.append([one.numpy() for one in (outputs if isinstance(outputs, tuple) else (outputs,))])
            found.append(session.run(images.numpy()))
    for first, second in zip(wanted, found, strict=True):  # outputs are not overwritten by the next run
        most, least = least_and_most
        assert most <= TOLERANCE[artifact.precision]
        assert least <= difference(first, second) <= most
        assert all(one.dtype == np.float32 for one in second)
    return artifact


class Parts(nn.Module):
    """What converters got wrong: halves of channels, shared weights after transposed convolutions of groups, gates that
    are cut to 0 and 1, pools of maxima with an edge, large depthwise kernels, a sum that is put out."""

    def __init__(self) -> None:
        super().__init__()
        self.stem, self.gate = nn.Conv2d(3, 16, 3, 2, 1), nn.Conv2d(8, 8, 1)
        self.wide = nn.Conv2d(8, 8, 7, padding=3, groups=8)
        self.high = nn.Conv2d(8, 8, (9, 5), padding=(4, 2), groups=8, bias=False)
        self.up, self.last = nn.ConvTranspose2d(24, 24, 4, 2, 1, groups=24), nn.Conv2d(24, 5, 1)
        self.beside = nn.Conv2d(24, 5, 1)

    def forward(self, x: Tensor) -> Tensor:
        first, second = functional.max_pool2d(functional.relu(self.stem(x)), 3, 2, 1).chunk(2, 1)
        gate = self.gate(second.mean((2, 3), keepdim=True))
        gated = second * torch.clamp(0.5 * gate + 0.5, 0.0, 1.0)
        first = 0.5 * (self.wide(first) + self.high(second))
        grown = functional.relu(self.up(torch.cat((second, gated, first), 1)))
        return self.last(grown) + self.beside(grown)


@pytest.mark.parametrize("name", BOUNDS)
def test_agrees_with_eager(name: str) -> None:
    skip_where_it_does_not_run(name)
    torch.manual_seed(0)
    artifact = compared(name, enliven(Parts(), 1).eval(), torch.randn(2, 3, 40, 56))
    if name.startswith("litert"):
        with catalogue.open_artifact(artifact, threads=1) as session:
            operators = {one["op_name"] for one in session.interpreter._get_ops_details()}  # type: ignore[attr-defined]
        assert {"DEPTHWISE_CONV_2D", "DEPTH_TO_SPACE"} <= operators
        assert not operators & {"TRANSPOSE", "GATHER"}  # changes of layout, and channels put in another order
    model, example = enliven(Corners(), 1).eval(), torch.randn(2, 3, 32, 32)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    compared(name, model, example)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    heads = Attending if name.startswith("litert") else TwoHeads
    compared(name, enliven(heads(), 1).eval(), torch.randn(2, 3, 32, 32))


@pytest.mark.parametrize("family", sorted({name.partition("_")[0] for name in BOUNDS}))
def test_a_real_network_agrees_with_eager(family: str) -> None:
    """The one that Winograd's convolutions of large tiles took out of bounds; smaller types make smaller files."""
    sizes = []
    variants = [name for name in BOUNDS if name.partition("_")[0] == family]
    for name in (variants[0], variants[-1]):
        skip_where_it_does_not_run(name)
        example = torch.randn(1, 3, 64, 64, generator=torch.Generator().manual_seed(3))
        artifact = compared(name, enliven(build("small_hrnet_w16"), 0).eval(), example)
        assert artifact.size_bytes == sum(file.stat().st_size for file in artifact.files)
        sizes.append(artifact.size_bytes)
    assert all(small < 0.6 * large for large, small in itertools.pairwise(sizes))


class Unknown(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return torch.linalg.inv(x[:, :, :8, :8])


@pytest.mark.parametrize("name", BOUNDS)
def test_what_cannot_be_converted_is_one_line(name: str, cache: Path, capfd: pytest.CaptureFixture) -> None:
    skip_where_it_does_not_run(name)
    example = torch.randn(1, 3, 16, 16)
    for model in (Fickle().eval(), Unknown().eval()):
        capfd.readouterr()  # torch prints the graph that it gave up on
        with pytest.raises(InputError, match=r"cannot be (traced|turned into|opened)") as caught:
            catalogue.build(name, model, example, calibration=[example])
        assert "\n" not in str(caught.value)
    assert not [file for file in cache.rglob("*") if file.is_file()]  # not through the link to the environments
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("name", BOUNDS)
def test_a_broken_file_is_one_line(name: str, tmp_path: Path, capfd: pytest.CaptureFixture) -> None:
    skip_where_it_does_not_run(name)
    broken = tmp_path / "broken.file"
    broken.write_bytes(b"7767517\nnonsense" * 9)
    with pytest.raises(InputError, match=r"broken\.file cannot be opened by .+: .+"):
        catalogue.open_artifact(Artifact(name, catalogue.resolve(name, "cpu", "fp32"), (broken,)))
    assert capfd.readouterr() == ("", "")


def test_an_environment_is_made_once_and_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With a stand-in for uv: what it is asked for, one line where it fails, another try after that."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "own"))
    uv = tmp_path / "uv"
    monkeypatch.setattr(converter_environments, "find_uv", lambda: str(uv))
    asked, path = tmp_path / "asked", tmp_path / "path"
    monkeypatch.setenv("PYENV_ROOT", str(tmp_path))
    for version in ("2.7.18", "3.12.9"):  # what pyenv puts on the path starts one of them alone
        (tmp_path / "versions" / version / "bin").mkdir(parents=True)
    for status in (1, 0):
        uv.write_text(
            f"#!/bin/sh\necho $* >> {asked}\necho $PATH > {path}\n"
            "for last; do :; done\n[ $2 = venv ] && mkdir -p $last\n"
            f"echo '  × no network' >&2\nexit {status}\n"
        )
        uv.chmod(0o755)
        if status:
            with pytest.raises(InputError, match=r"^the environment of onnx2tf cannot be made: no network$"):
                converter_environments.python_of("onnx2tf")
    assert converter_environments.python_of("onnx2tf") == converter_environments.python_of("onnx2tf")
    failed, made, filled = asked.read_text().splitlines()
    assert failed == made
    assert "venv" in made
    assert "--require-hashes" in filled
    assert path.read_text().strip() == f"{os.environ['PATH']}:{tmp_path}/versions/3.12.9/bin"
    lock = (ROOT / "bench/backends/requirements-onnx2tf.lock").read_text()
    assert lock.count("==") > 20
    assert "http" not in lock
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "another"))
    monkeypatch.setattr(converter_environments, "find_uv", lambda: None)
    with pytest.raises(InputError, match="install with pip install uv"):
        converter_environments.python_of("onnx2tf")


def test_a_converter_that_fails_says_why(tmp_path: Path) -> None:
    script = "import pathlib, sys; pathlib.Path('here').write_text(''); print('why'); sys.exit(int(sys.argv[1]))"
    for status, how in {0: "did not write its file", 3: "died with status 3"}.items():
        with pytest.raises(converters.ConversionError, match=f"mine {how}: why"):
            converters.run((sys.executable, "-c", script, str(status)), "mine", (tmp_path / "absent",))
    assert not Path("here").exists()


def test_what_libraries_print_is_caught(capfd: pytest.CaptureFixture) -> None:
    print("before")
    with native_output.caught() as lines:
        os.write(1, b"from C++\n")
        os.write(2, b"more\n")
    print("after")
    assert lines == ["from C++", "more"]
    assert capfd.readouterr() == ("before\nafter\n", "")


WATCH = """
import os, socket, subprocess, sys

def refuse(*arguments, **_):
    with open(os.environ["WATCHED"], "a") as file:
        file.write(f"{arguments[-1]}\\n")
    raise OSError("no connections in this test")

socket.socket.connect = socket.socket.connect_ex = refuse
socket.create_connection = socket.getaddrinfo = socket.gethostbyname = refuse
real = subprocess.Popen.__init__

def watch(self, arguments, *rest, **others):
    with open(os.environ["WATCHED"] + "-programs", "a") as file:
        file.write(f"{arguments}\\n")
    real(self, arguments, *rest, **others)

subprocess.Popen.__init__ = watch
"""
SCRIPT = """
import sys, torch
from bench.backends import catalogue
model = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU()).eval()
artifact = catalogue.build(sys.argv[1], model, torch.randn(1, 3, 32, 32), threads=1)
with catalogue.open_artifact(artifact, threads=1) as session:
    session.run(torch.randn(1, 3, 32, 32).numpy())
"""


# Of each family the one whose conversion has most steps.
@pytest.mark.parametrize("name", ["ncnn_fp16", "mnn_int8_weights", "litert_int8", "executorch_int8"])
def test_nothing_is_sent_or_installed(name: str, tmp_path: Path) -> None:
    """In processes of their own, converters' too: no connection tried, no program but the converter's, no file left
    outside the cache."""
    skip_where_it_does_not_run(name)
    for folder in ("watch", "home", "here", "temporary"):
        (tmp_path / folder).mkdir()
    (tmp_path / "watch/sitecustomize.py").write_text(WATCH)
    packages = {path.name for path in Path(np.__file__).parents[1].iterdir()}
    environment = os.environ | {
        "HOME": str(tmp_path / "home"), "PYTHONDONTWRITEBYTECODE": "1",
        "PYTHONPATH": os.pathsep.join((str(tmp_path / "watch"), str(ROOT), os.environ.get("PYTHONPATH", ""))),
        "WATCHED": str(tmp_path / "watched"), "TMPDIR": str(tmp_path / "temporary"),
    }  # fmt: skip
    command = [sys.executable, "-c", SCRIPT, name]
    done = subprocess.run(
        command, env=environment, cwd=tmp_path / "here", capture_output=True, text=True, timeout=500
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout == ""
    assert not (tmp_path / "watched").exists(), (tmp_path / "watched").read_text()
    assert not [path for folder in ("home", "here", "temporary") for path in (tmp_path / folder).rglob("*.*")]
    assert {path.name for path in Path(np.__file__).parents[1].iterdir()} == packages
    programs = (tmp_path / "watched-programs").read_text()
    assert "pip" not in programs
    converter = {"ncnn": "pnnx", "mnn": "_tools.mnnconvert", "litert": "onnx2tf", "executorch": "flatc"}
    assert converter[name.partition("_")[0]] in programs


@pytest.mark.parametrize("precision", ["bf16", "fp16"])
def test_half_precision_of_openvino(precision: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Refused where the processor has none; where it has, weights stay in the file's float32 and rounding is seen."""
    pytest.importorskip("openvino")
    model, example = enliven(Corners(), 1).eval(), torch.randn(2, 3, 32, 32)
    capabilities = openvino.import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    there = precision.upper() in capabilities
    if not there:
        message = f"OpenVINO finds no {precision} arithmetic in this one .*AVX-512.*: give --precision fp32"
        with pytest.raises(InputError, match=message) as caught:
            catalogue.resolve("openvino", "cpu", precision)
        assert "\n" not in str(caught.value)
        assert "openvino" in catalogue.usable("cpu", precision)[1]
        monkeypatch.setattr(openvino, "lacking", lambda *_: None)  # it falls back on float32, without a word
    artifact = catalogue.build("openvino", model, example, precision=precision, threads=1)
    assert artifact.precision == precision
    with catalogue.open_artifact(artifact, threads=1) as session, torch.no_grad():
        found = difference([model(example).numpy()], session.run(example.numpy()))
    assert (found > 1e-4) == there
    assert found < TOLERANCE[precision]
