"""Checkpoints of every kind go in exactly; what is broken or dangerous is refused with its own error."""

import datetime
import json
import pickle
import random
import struct
import sys
import time
import types
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from lightning_fabric.utilities.data import AttributeDict
from safetensors import safe_open
from safetensors.torch import load_file
from safetensors.torch import save as save_safetensors

import zoo
from tests.reference_weights import reference_state
from tests.zoo.checkpoints import legacy_of, mmengine, mmengine_metadata, stand_ins, zip_of
from zoo.weights import files

State = dict[str, torch.Tensor]
SMALLEST = "small_hrnet_w16"


def published_state(name: str) -> State:
    return {key: torch.as_tensor(value).float() for key, value in reference_state(name, 1.0).items()}


def newer(state: State) -> State:
    """The same weights in MMPose 1.x naming."""
    return {key.replace("keypoint_head.", "head."): value for key, value in state.items()}


def averaged(state: State) -> State:
    return {key: value + 1 for key, value in state.items()}


def training(state: State) -> dict[str, object]:
    moments = {"step": 3, "exp_avg": torch.zeros(3)}
    return {
        "meta": {"epoch": 210, "config": "model = dict()", "hook_msgs": {}},
        "optimizer": {"state": {0: moments, 1: moments}, "param_groups": [{"lr": 5e-4, "params": [0, 1]}]},
        "state_dict": state,
    }


def _mmengine(state: State, path: Path) -> None:
    extra = {"data_preprocessor.mean": torch.zeros(3, 1, 1), "data_preprocessor.std": torch.ones(3, 1, 1)}
    with mmengine() as module:
        ema = {f"module.{key}": value for key, value in averaged(newer(state)).items()} | {"steps": torch.tensor(9)}
        torch.save(
            training(extra | newer(state)) | mmengine_metadata(module) | {"ema_state_dict": ema},
            path,
        )
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)  # this file is for our own reader


def _mmengine_legacy(state: State, path: Path) -> None:
    with mmengine() as module:
        everything = training(newer(state)) | mmengine_metadata(module)
        torch.save(everything, path, _use_new_zipfile_serialization=False)
    with pytest.raises(pickle.UnpicklingError):
        torch.load(path, weights_only=True)


def _only_averaged(state: State, path: Path) -> None:
    ema = {f"module.{key}": value for key, value in newer(state).items()} | {"steps": torch.tensor(9)}
    torch.save({"ema_state_dict": ema, "meta": {}}, path)


def _mmcv_averaged(state: State, path: Path) -> None:
    copies = {f"ema_{key.replace('.', '_')}": value for key, value in averaged(state).items() if "running" not in key}
    torch.save({"state_dict": state | copies, "meta": {}}, path)


FORMS: dict[str, Callable[[State, Path], None]] = {
    "MMPose 0.x of 2020, bare pickles": lambda state, path: torch.save(
        {"meta": {"mmpose_version": "0.6.0"}, "state_dict": state}, path, _use_new_zipfile_serialization=False
    ),
    "MMPose 0.x with training state": lambda state, path: torch.save(training(state), path),
    "MMPose 0.x with MMCV's averaged copies": _mmcv_averaged,
    "MMPose 1.x with MMEngine's objects and averaged copies": _mmengine,
    "MMPose 1.x with MMEngine's objects, bare pickles": _mmengine_legacy,
    "a bare state dict of several devices": lambda state, path: torch.save(
        {f"module.{key}": value for key, value in state.items()}, path
    ),
    "parameters instead of tensors": lambda state, path: torch.save(
        {k: torch.nn.Parameter(v) if v.is_floating_point() and "running" not in k else v for k, v in state.items()},
        path,
    ),
    "timm's averaged copy beside the weights": lambda state, path: torch.save(
        {"state_dict": state, "state_dict_ema": averaged(state)}, path
    ),
    "nothing but an averaged copy": _only_averaged,
}


# One of each family: what differs between them is how their parts are named.
FAMILIES = (
    "simplebaseline_mobilenetv2", "vipnas_mobilenetv3", "small_hrnet_w16", "lite_hrnet_18", "lightweight_mobilenetv3",
    "rtmpose_t", "vitpose_s_simple", "dite_hrnet_18",
)  # fmt: skip


@pytest.mark.parametrize("name", FAMILIES)
def test_every_form_of_checkpoint_gives_the_same_weights(name: str, tmp_path: Path) -> None:
    published = published_state(name)
    expected = zoo.create_model(name)
    zoo.load_weights(expected, published)
    state = expected.state_dict()
    model = zoo.create_model(name)
    for form, write in FORMS.items():
        path = tmp_path / "checkpoint.pth"
        write(published, path)
        for value in model.state_dict().values():
            value.zero_()
        zoo.load_weights(model, path)
        assert all(torch.equal(state[key], value) for key, value in model.state_dict().items()), form
        path.unlink()
    assert "mmengine" not in sys.modules
    zoo.save_weights(expected, tmp_path / "own.safetensors")
    model = zoo.create_model(name, weights=tmp_path / "own.safetensors")
    assert all(torch.equal(state[key], value) for key, value in model.state_dict().items())
    (tmp_path / "own.safetensors").unlink()


def test_safetensors_are_known_whatever_the_length_of_their_header(tmp_path: Path) -> None:
    """A file begins with that length, and 0x80, its lowest byte here, is how a pickle begins."""
    tensors = {"weight": torch.randn(3)}
    files_made = (save_safetensors(tensors, {"padding": "x" * count}) for count in range(0, 512, 8))
    content = next(content for content in files_made if content[0] == 0x80)
    (tmp_path / "weights.safetensors").write_bytes(content)
    held, metadata = files.read(tmp_path / "weights.safetensors")
    assert torch.equal(held["weight"], tensors["weight"])
    assert set(metadata) == {"padding"}


def test_our_own_reader_reads_tensors_exactly(tmp_path: Path) -> None:
    base = torch.randn(4, 6)
    held = {
        "plain": base,
        "transposed": base.T,
        "slice": base[1:3, ::2],
        "shared": base.view(-1),
        "half": torch.randn(3).half(),
        "bfloat16": torch.randn(3).bfloat16(),
        "whole": torch.arange(5),
        "flags": torch.tensor([True, False]),
        "number": torch.tensor(3),
        "empty": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.randn(2)),
    }
    for modern in (True, False):
        path = tmp_path / f"{modern}.pth"
        with mmengine() as module:
            torch.save({"state_dict": held} | mmengine_metadata(module), path, _use_new_zipfile_serialization=modern)
        loaded, metadata = files.read(path)
        assert metadata == {}
        assert {key: value.dtype for key, value in loaded["state_dict"].items()} == {  # type: ignore[attr-defined]
            key: value.dtype for key, value in held.items()
        }
        assert all(torch.equal(loaded["state_dict"][key], value) for key, value in held.items())
        assert loaded["meta"]["epoch"] == 210
        assert loaded["meta"]["experiment"].name == "mmengine.logging.history_buffer.ConfigDict"


STAND_INS = {
    "ModelCheckpoint": "pytorch_lightning.callbacks.model_checkpoint", "Timer": "lightning.pytorch.callbacks.timer",
    "DictConfig": "omegaconf.dictconfig", "EasyDict": "easydict", "Munch": "munch",
    "CfgNode": "yacs.config", "ConfigDict": "ml_collections.config_dict.config_dict", "PosixPath": "pathlib._local",
}  # fmt: skip


def beside(state: State, made: dict[str, type]) -> dict[str, dict[str, object]]:
    """What training scripts keep beside the weights; PyTorch's reader refuses something in each."""
    parameters = [torch.nn.Parameter(torch.ones(2))]
    adam = torch.optim.Adam(parameters)
    parameters[0].grad = torch.ones(2)
    adam.step()
    schedules = torch.optim.lr_scheduler
    steps, rate = schedules.MultiStepLR(adam, [170, 200]), schedules.OneCycleLR(adam, 1, 9)
    return {
        "versions": {"torch": torch.__version__, "numpy": np.float64(2.1)},
        "schedules": {"steps": steps.state_dict(), "rate": rate.state_dict(), "best": np.float64(0.7)},
        "objects": {"optimizer": adam, "scheduler": steps, "criterion": torch.nn.MSELoss(), "kind": torch.optim.Adam},
        "options": {
            "fabric": AttributeDict(lr=1),
            "types": types.SimpleNamespace(a=1), "any": Any, "zone": datetime.UTC, "path": made["PosixPath"](),
            "others": [made[name](lr=made["DictConfig"](a=[1])) for name in ("CfgNode", "EasyDict", "Munch")],
        },
        "callbacks": {"callbacks": {made["ModelCheckpoint"]: {"best_model_score": torch.tensor(0.7)}}},
    }  # fmt: skip


@pytest.mark.parametrize("modern", [True, False])
def test_what_training_scripts_keep_beside_the_weights_is_passed_over(modern: bool, tmp_path: Path) -> None:
    state = published_state(SMALLEST)
    expected = zoo.create_model(SMALLEST)
    zoo.load_weights(expected, state)
    path = tmp_path / "checkpoint.ckpt"
    with stand_ins(**STAND_INS) as made:
        held = beside(state, made)
        for content in [*({name: one} for name, one in held.items()), held]:
            torch.save({"state_dict": state, **content}, path, _use_new_zipfile_serialization=modern)
            with pytest.raises(pickle.UnpicklingError):
                torch.load(path, weights_only=True)
            model = zoo.create_model(SMALLEST, weights=path)
            assert all(torch.equal(expected.state_dict()[key], value) for key, value in model.state_dict().items())


def test_a_network_that_keeps_more_than_tensors_is_not_saved_without_it(tmp_path: Path) -> None:
    class Scaled(torch.nn.Linear):
        def get_extra_state(self) -> object:
            return {"scale": 1}

    model = Scaled(2, 2)
    with pytest.raises(zoo.ZooError, match="cannot hold _extra_state, which is no tensor"):
        zoo.save_weights(model, tmp_path / "weights.safetensors")
    assert not list(tmp_path.iterdir())


def test_saved_weights_carry_their_card(tmp_path: Path) -> None:
    model = zoo.create_model("lightweight_mobilenetv3", num_joints=16, attention="se")
    path = tmp_path / "weights.safetensors"
    zoo.save_weights(model.to(memory_format=torch.channels_last), path)
    assert [file.name for file in tmp_path.iterdir()] == ["weights.safetensors"]
    # The library puts metadata in another order each time; equal weights are equal files all the same.
    first = path.read_bytes()
    for _ in range(5):
        zoo.save_weights(model, path)
        assert path.read_bytes() == first
    state = load_file(path)
    assert all(torch.equal(value, state[key]) for key, value in model.state_dict().items())
    with safe_open(path, framework="pt") as opened:
        metadata = opened.metadata()
    assert (metadata["name"], metadata["num_joints"]) == ("lightweight_mobilenetv3", "16")
    assert json.loads(metadata["options"]) == {"attention": "se"}
    assert json.loads(metadata["card"])["paper"] == zoo.model_card("lightweight_mobilenetv3").paper
    with pytest.raises(zoo.ZooError, match=r"of lightweight_mobilenetv3 with attention=se$"):
        zoo.create_model("lightweight_mobilenetv3", num_joints=16, weights=path)
    with pytest.raises(zoo.ZooError, match=r"absent.*cannot be written: No such file or directory"):
        zoo.save_weights(model, tmp_path / "absent" / "weights.safetensors")


# Files that do not fit, are broken, or are something else.


def _error(path: Path) -> str | None:
    """What is wrong with a file, as its user reads it."""
    try:
        files.read(path)
    except zoo.ZooError as error:
        return str(error)
    return None


def test_the_wrong_network_or_number_of_joints_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.pth"
    torch.save({"state_dict": newer(published_state("lite_hrnet_30"))}, path)
    with pytest.raises(zoo.ZooError) as caught:
        zoo.create_model("lite_hrnet_18", weights=path)
    assert str(caught.value) == f"the weights in {path} do not fit lite_hrnet_18: they are of lite_hrnet_30"
    model = zoo.create_model("lite_hrnet_30", num_joints=16)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    with pytest.raises(zoo.ZooError, match=r"for 17 joints and the network has 16; create it with num_joints=17$"):
        zoo.load_weights(model, path)
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())
    integers = {key: value.long() for key, value in published_state(SMALLEST).items()}
    with pytest.raises(zoo.ZooError, match=r"misshapen: .* is 64x3x3x3 int64 strided and should be 64x3x3x3"):
        zoo.load_weights(zoo.create_model(SMALLEST), integers)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """One good checkpoint a format."""
    folder = tmp_path_factory.mktemp("whole")
    model = zoo.create_model(SMALLEST)
    paths = {form: folder / f"{form}.pth" for form in ("zip", "zip with objects", "pickles", "pickles with objects")}
    with mmengine() as module:
        for form, path in paths.items():
            extra = mmengine_metadata(module) if "objects" in form else {}
            torch.save({"state_dict": model.state_dict()} | extra, path, _use_new_zipfile_serialization="zip" in form)
    paths["safetensors"] = folder / "safetensors.safetensors"
    zoo.save_weights(model, paths["safetensors"])
    for path in paths.values():
        zoo.create_model(SMALLEST, weights=path)
    return paths


FORMATS = ("zip", "zip with objects", "pickles", "pickles with objects", "safetensors")


@pytest.mark.parametrize("form", FORMATS)
def test_a_file_cut_anywhere_is_cut_short(form: str, whole: dict[str, Path], tmp_path: Path) -> None:
    data = whole[form].read_bytes()
    path = tmp_path / whole[form].name
    cuts = [20, 100, 1000, len(data) // 2, len(data) - 1000, len(data) - 1]
    for length in cuts + random.Random(0).sample(range(20, len(data)), 10):
        path.write_bytes(data[:length])
        with pytest.raises(zoo.ZooError, match="is cut short: get the file again, whole") as caught:
            files.read(path)
        assert str(path) in str(caught.value)
        assert "\n" not in str(caught.value)
    path.write_bytes(b"")
    with pytest.raises(zoo.ZooError, match="is empty"):
        files.read(path)


@pytest.mark.parametrize("form", FORMATS)
def test_damage_is_a_clear_error_and_never_a_traceback(form: str, whole: dict[str, Path], tmp_path: Path) -> None:
    data = whole[form].read_bytes()
    path = tmp_path / whole[form].name
    rng = random.Random(1)
    # Where the structure is; damage to the numbers shows only where there are checksums.
    structure = range(12, 20000)
    for _ in range(60):
        broken = bytearray(data)
        for place in rng.sample(structure, 3):
            broken[place] = rng.randrange(256)
        path.write_bytes(broken)
        message = _error(path)
        assert message is None or (str(path) in message and "\n" not in message)
    if form.startswith("zip"):
        broken = bytearray(data)
        broken[data.index(b"data/0") + 2000] ^= 1
        path.write_bytes(broken)
        with pytest.raises(zoo.ZooError, match=r"is damaged \(Bad CRC-32 .*\): get the file again"):
            files.read(path)


def test_other_files_are_told_apart(tmp_path: Path) -> None:
    (tmp_path / "page.pth").write_text("<!DOCTYPE html><html>not found</html>")
    zip_of(b"N.", tmp_path / "nothing.pth")
    with zipfile.ZipFile(tmp_path / "docs.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    torch.jit.save(torch.jit.script(torch.nn.ReLU()), tmp_path / "script.pt")
    (tmp_path / "list.pkl").write_bytes(pickle.dumps([1, 2]))
    torch.save(zoo.create_model(SMALLEST), tmp_path / "model.pth")
    for name, message in {
        "page.pth": "is no weights file, it is a web page",
        "nothing.pth": "holds NoneType, not a state dict",
        "docs.zip": "is a zip archive without weights",
        "script.pt": "is a TorchScript program",
        "list.pkl": "torch.save did not write",
        "model.pth": "is refused: it asks for zoo.pose_net.PoseNet",
        ".": "is a folder",
        "absent.pth": "does not exist",
    }.items():
        assert message in str(_error(tmp_path / name))
    torch.save({"epoch": 3, "note": "none"}, tmp_path / "empty.pth")
    with pytest.raises(zoo.ZooError, match=r"empty\.pth holds no weights, only epoch, note"):
        zoo.create_model(SMALLEST, weights=tmp_path / "empty.pth")


# Files that try to run something. Each payload touches a marker; Python's own pickle, run first,
# shows that it would.


def _text(value: str) -> bytes:
    return b"X" + struct.pack("<I", len(value)) + value.encode()


def _global(module: str, name: str) -> bytes:
    return f"c{module}\n{name}\n".encode()


def _call(function: bytes, *arguments: bytes) -> bytes:
    return function + b"(" + b"".join(arguments) + b"tR"


PAYLOADS: dict[str, Callable[[str], bytes]] = {
    "os.system": lambda marker: _call(_global("os", "system"), _text(f"touch {marker}")),
    "posix.system": lambda marker: _call(_global("posix", "system"), _text(f"touch {marker}")),
    "eval": lambda marker: _call(_global("builtins", "eval"), _text(f"open({marker!r}, 'w').close()")),
    "eval under its Python 2 name": lambda marker: _call(
        _global("__builtin__", "eval"), _text(f"open({marker!r}, 'w').close()")
    ),
    "a module found by name": lambda marker: (
        b"\x80\x04" + _text("os") + _text("system") + b"\x93(" + _text(f"touch {marker}") + b"tR"
    ),
    "a nested name": lambda marker: (
        b"\x80\x04" + _text("shutil") + _text("os.system") + b"\x93(" + _text(f"touch {marker}") + b"tR"
    ),
    "protocol 0, INST": lambda marker: b"(" + _text(f"touch {marker}") + b"ios\nsystem\n",
    # Popen(args, bufsize, executable, stdin, stdout, stderr, preexec_fn, close_fds, shell)
    "protocol 1, OBJ": lambda marker: (
        b"(" + _global("subprocess", "Popen") + _text(f"touch {marker}") + b"I-1\nNNNNNI01\nI01\no"
    ),
    "NEWOBJ and BUILD with a __setstate__ put into the object": lambda marker: (
        _global("argparse", "Namespace") + b")\x81}" + _text("__setstate__") + _global("os", "system") + b"sb"
        + _text(f"touch {marker}") + b"b"
    ),
    "getattr of a known class's method": lambda marker: _call(
        _call(_global("builtins", "getattr"), _global("pathlib", "PosixPath"), _text("touch")),
        _call(_global("pathlib", "PosixPath"), _text(marker)),
    ),
    "getattr of an imported module": lambda marker: _call(
        _call(_global("builtins", "getattr"), _call(_global("builtins", "__import__"), _text("os")), _text("system")),
        _text(f"touch {marker}"),
    ),
    "copyreg's constructor": lambda marker: _call(
        _global("copyreg", "_reconstructor"), _global("subprocess", "Popen"), _global("subprocess", "Popen"),
        b"](" + _text("touch") + _text(marker) + b"e",
    ),
    "map and list": lambda marker: _call(
        _global("builtins", "list"),
        _call(_global("builtins", "map"), _global("os", "system"), b"](" + _text(f"touch {marker}") + b"e"),
    ),
    "a function of a library whose classes are known": lambda marker: _call(
        _global("mmengine.logging.history_buffer", "run"), _text(f"touch {marker}")
    ),
    "a function behind a class of such a library": lambda marker: _call(
        _call(
            _call(_global("builtins", "getattr"), _global("mmengine.logging.history_buffer", "HistoryBuffer"),
                  _text("__getattribute__")),
            _global("mmengine.logging.history_buffer", "run"), _text("__call__"),
        ),
        _text(f"touch {marker}"),
    ),
}  # fmt: skip


def _wait_for(marker: Path) -> bool:
    for _ in range(100):
        if marker.exists():
            return True
        time.sleep(0.02)
    return False


@pytest.mark.parametrize("payload", PAYLOADS)
def test_a_pickle_that_runs_something_is_refused_and_did_not_run(payload: str, tmp_path: Path) -> None:
    marker = tmp_path / "marker"
    evil = PAYLOADS[payload](str(marker))
    # Among weights that would load: {"state_dict": {}, "x": evil}
    pickled = b"}(" + _text("state_dict") + b"}" + _text("x") + evil + b"u."
    with mmengine():
        pickle.loads(pickled)
        assert _wait_for(marker), "this payload does nothing"
        marker.unlink()
        for path in (
            zip_of(pickled, tmp_path / "evil_zip.pth"),
            legacy_of(pickled, tmp_path / "evil_pickles.pth"),
            legacy_of(b"}.", tmp_path / "evil_facts.pth", facts=pickled),
            legacy_of(b"}.", tmp_path / "evil_keys.pth", keys=pickled),
        ):
            with pytest.raises(zoo.ZooError, match=r"is refused: it asks for .*nothing in it was run"):
                zoo.create_model(SMALLEST, weights=path)
    if "Popen" in repr(evil):
        _wait_for(marker)
    assert not marker.exists()


def test_what_torch_save_makes_of_a_reduce_is_refused(tmp_path: Path) -> None:
    marker = tmp_path / "marker"

    class Evil:
        def __reduce__(self) -> tuple[object, ...]:
            return np.save, (str(marker), np.zeros(1))

    for modern in (True, False):
        path = tmp_path / f"{modern}.pth"
        state = published_state(SMALLEST)
        torch.save({"state_dict": state, "meta": Evil()}, path, _use_new_zipfile_serialization=modern)
        with pytest.raises(zoo.ZooError, match=r"is refused: it asks for numpy\.save"):
            zoo.create_model(SMALLEST, weights=path)
    assert not list(tmp_path.glob("marker*"))


def test_a_tensor_cannot_reach_beyond_its_data(tmp_path: Path) -> None:
    """Sizes, strides and offsets of a tensor come from the file; so do the sizes of what is stored."""

    def tensor(offset: int, size: int, stride: int, stored: int = 4) -> bytes:
        persistent = b"(" + _text("storage") + _global("torch", "FloatStorage") + _text("0") + _text("cpu")
        persistent += f"I{stored}\n".encode() + b"tQ"
        numbers = f"I{offset}\n(I{size}\nt(I{stride}\nt".encode()
        return _call(_global("torch._utils", "_rebuild_tensor_v2"), persistent, numbers, b"I00\n", b"}")

    def write(value: bytes) -> Path:
        path = tmp_path / "tensor.pth"
        # The metadata make torch's own reader give up, so that ours has it.
        zip_of(b"}(" + _text("x") + value + _text("y") + _global("argparse", "Namespace") + b")\x81u.", path)
        with zipfile.ZipFile(path, "a") as archive:
            archive.writestr("archive/data/0", np.arange(4, dtype=np.float32).tobytes())
        return path

    assert files.read(write(tensor(1, 3, 1)))[0]["x"].tolist() == [1, 2, 3]  # type: ignore[attr-defined]
    for offset, size, stride in (
        (2, 3, 1),
        (0, 4, 2),
        (-1, 2, 1),
        (3, 4, -1),
        (0, -1, 1),
        (0, 2, 2**62),
        (2**63, 1, 1),
    ):
        with pytest.raises(zoo.ZooError, match="is damaged"):
            files.read(write(tensor(offset, size, stride)))
    for stored in (5, 2**40):
        with pytest.raises(zoo.ZooError, match=r"is cut short|is damaged"):
            files.read(write(tensor(0, 1, 1, stored)))
