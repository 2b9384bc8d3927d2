"""Model files are models: what somebody brings is measured as the zoo is, or refused in a line."""

import dataclasses
import json
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import pytest
import torch
from onnx import TensorProto, helper, numpy_helper

import zoo
from bench.backends import calibration, catalogue
from bench.backends.adapted import adapted
from bench.backends.artifact import Artifact
from bench.backends.profilers.onnxruntime import OnnxGraph
from bench.backends.session import Port, Session
from bench.codecs.codec import HeatmapCodec
from bench.complexity.onnx_graph import count
from bench.core.errors import InputError
from bench.core.kinds import problem
from bench.core.record import Record
from bench.core.results import read
from bench.data.cropping import Normalisation, normalise
from bench.data.synthetic import SyntheticDataset
from bench.model_files import fitting, worker
from bench.model_files.description import Description, json_schema, merged, read_options, read_sidecar
from bench.model_files.model_file import ModelFile
from bench.model_files.reading import read_files
from bench.models import build
from bench.pipeline.plan import PoseNetwork
from bench.pipeline.preparation import prepare
from bench.regress.plan import RegressPlan
from bench.regress.sides import Side, prepared
from bench.report.measured import Measured
from bench.report.sections import all_sections
from bench.timing import parity
from tests.commands import command, run_command
from tests.conftest import ROOT

ZOO = "lightweight_mobilenetv3"
BUNDLED = ROOT / "bench" / "assets" / "weights" / f"{ZOO}.safetensors"
SAID: dict[str, Any] = {
    "input": [3, 64, 48], "channels": "RGB", "mean": [0.485, 0.456, 0.406], "std": [0.229, 0.224, 0.225],
    "output_kind": "heatmap",
}  # fmt: skip


def make_onnx(
    path: Path,
    shape: tuple[int | str, ...] = (1, 3, 64, 48),
    *,
    joints: int = 17,
    kind: int = TensorProto.FLOAT,
    also: bool = False,
    beside: str | None = None,
    inputs: int = 1,
) -> Path:
    """An ONNX file of one convolution, whose heatmaps are a quarter of the input's size.

    Args:
        shape: of its input; channels last if they are.
        kind: of its input.
        also: whether it gives the highest pixel of each heatmap as well, as whole numbers.
        beside: the name of the file to keep its weights in.
        inputs: how many it takes; only the first matters.
    """
    random = np.random.default_rng(3)
    weight = numpy_helper.from_array(random.normal(0, 0.2, (joints, 3, 4, 4)).astype(np.float32), "weight")
    last = len(shape) == 4 and shape[3] == 3
    nodes = [helper.make_node("Cast", ["images"], ["real"], to=TensorProto.FLOAT)]
    nodes += [helper.make_node("Transpose", ["real"], ["turned"], perm=[0, 3, 1, 2])] if last else []
    entry = "turned" if last else "real"
    nodes += [helper.make_node("Conv", [entry, "weight"], ["maps"], strides=[4, 4])]
    outputs = [helper.make_tensor_value_info("maps", TensorProto.FLOAT, None)]
    if also:
        flat = numpy_helper.from_array(np.array([0, joints, -1], np.int64), "flat")
        nodes += [helper.make_node("Reshape", ["maps", "flat"], ["rows"])]
        nodes += [helper.make_node("ArgMax", ["rows"], ["places"], axis=2, keepdims=0)]
        outputs = [helper.make_tensor_value_info("places", TensorProto.INT64, None), *outputs]
    entries = [helper.make_tensor_value_info("images", kind, shape)]
    entries += [helper.make_tensor_value_info(f"more{i}", TensorProto.FLOAT, [1]) for i in range(1, inputs)]
    graph = helper.make_graph(nodes, "made", entries, outputs, [weight, *([flat] if also else [])])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    if beside is None:
        onnx.save(model, path)
    else:
        onnx.save(model, path, save_as_external_data=True, location=beside, size_threshold=0)
    return path


def looked_at(path: Path, backend: str = "onnxruntime", **said: Any) -> ModelFile:
    """A file as its process finds it, in this one."""
    found = worker._describe(path, backend, {"the sidecar": SAID | said})
    return ModelFile.model_validate(found["file"])


def line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, name: str, *arguments: object) -> str:
    """What a command says that ends with status 2: one line."""
    monkeypatch.setattr(sys, "argv", [f"bench.{name}", *map(str, arguments)])
    with pytest.raises(SystemExit) as left:
        run_command(name)
    said = capsys.readouterr()
    assert (left.value.code, said.out) == (2, "")
    (only,) = said.err.splitlines()
    assert only.startswith("error: ")
    return only


# ------------------------------------------------------------------- the same network, from files


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundled network as an ONNX file, as OpenVINO's made of that, and as a checkpoint; none has a sidecar."""
    folder = tmp_path_factory.mktemp("files")
    command("export")(
        ["--model", ZOO, "--weights", "bundled", "--format", "onnx", "--out", str(folder / "net.onnx"), "--quiet"]
    )
    command("export")(
        ["--model", str(folder / "net.onnx"), "--format", "openvino", "--out", str(folder / "net.xml"), "--quiet"]
    )
    shutil.copy(BUNDLED, folder / "net.safetensors")
    return folder


@pytest.fixture(scope="module")
def evaluated(files: Path) -> dict[str, Record]:
    """Records of the network and its files on drawn people, evaluated in one list."""
    models = [ZOO, *(str(files / name) for name in ("net.onnx", "net.xml", "net.safetensors"))]
    common = ["--results", str(files / "results"), "--quiet", "--device", "cpu", "--threads", "1"]
    command("accuracy")(["--models", ",".join(models), "--images", "6", "--workers", "0", *common])
    return {record.model: record for record in read(files / "results")}


def test_a_network_evaluated_from_its_file_has_the_network_s_ap_to_the_last_digit(
    evaluated: dict[str, Record],
) -> None:
    network = evaluated[ZOO]
    assert {name: record.backend for name, record in evaluated.items()} == {
        ZOO: "eager", "net.onnx": "onnxruntime", "net.xml": "openvino", "net.safetensors": "eager",
    }  # fmt: skip
    assert network.metrics["ap"] > 0.1
    for name in ("net.onnx", "net.xml", "net.safetensors"):
        record = evaluated[name]
        for metric in ("ap", "ap50", "ap75", "ar", "people"):
            assert record.metrics[metric] == network.metrics[metric], name
        assert (record.input, record.num_joints) == (network.input, 17)


def test_a_file_is_told_from_another_by_its_content_and_by_what_is_said_of_it(
    files: Path, evaluated: dict[str, Record], tmp_path: Path
) -> None:
    from bench.backends.artifact import sha256

    record = evaluated["net.onnx"]
    assert record.network_sha256 == sha256(files / "net.onnx") == record.weights_sha256
    assert record.protocol["mean"] == "0.485 0.456 0.406"
    assert evaluated["net.xml"].network_sha256 not in (None, record.network_sha256, sha256(files / "net.xml"))
    identity = record.identity("")
    changed = record.model_copy(update={"protocol": record.protocol | {"channels": "BGR"}})
    assert changed.identity("") != identity
    # The same bytes under another name are the same measurement but for the name.
    shutil.copy(files / "net.onnx", tmp_path / "again.onnx")
    (again,) = read_files([str(tmp_path / "again.onnx")]).values()
    assert again.sha256 == record.network_sha256


def test_speed_and_report_have_files_beside_the_zoo(evaluated: dict[str, Record], tmp_path: Path) -> None:
    """A file in its own backend, and made into a file of another one, which is compared with the first."""
    small = make_onnx(tmp_path / "small.onnx", (1, 3, 256, 192))
    common = ["--results", str(tmp_path / "results"), "--quiet", "--models", str(small)]
    how = ["--sets", "1", "--rounds", "2", "--warmup", "1", "--device", "cpu", "--threads", "1"]
    command("speed")([*common, *how, "--backend", "onnxruntime,openvino"])
    command("complexity")(common)
    found = read(tmp_path / "results")
    speeds = {record.backend: record for record in found if record.kind == "speed"}
    assert set(speeds) == {"onnxruntime", "openvino"}
    assert "parity_max_relative" not in speeds["onnxruntime"].metrics  # others are compared with it
    assert speeds["openvino"].metrics["parity_max_relative"] < 1e-5
    for record in speeds.values():
        assert (record.model, record.weights, record.input) == ("small.onnx", "the file's own", "256x192")
        assert record.network_sha256 == speeds["openvino"].network_sha256 is not None
    other = [record.model_copy(update={"model": "other.onnx"}) for record in speeds.values()]  # no ranking of one
    everything = [*found, *evaluated.values(), *other]
    assert not any(map(problem, everything))
    tables = {section.key: section.table(Measured(everything)) for section in all_sections()}
    files = [("synthetic", name) for name in ("net.onnx", "net.xml", "net.safetensors")]
    for key, name in (*files, *((key, "small.onnx") for key in ("table5", "table1", "ranking"))):
        table = tables[key]
        assert table is not None
        assert name in [row.names["model"] for row in table.rows], key


def test_a_file_that_says_nothing_is_written_again_with_what_was_said(tmp_path: Path, capsys: Any) -> None:
    """``bench.export`` puts the sidecar into the file, or makes OpenVINO's of it; both then need none."""
    source = make_onnx(tmp_path / "source.onnx", also=True)
    sidecar = tmp_path / "source.onnx.json"
    sidecar.write_text(json.dumps(SAID | {"output_names": ["maps"], "about": "made by a test"}))
    for kind, name in (("onnx", "told.onnx"), ("openvino", "told.xml")):
        command("export")(["--model", str(source), "--format", kind, "--out", str(tmp_path / name), "--quiet"])
        (told,) = read_files([str(tmp_path / name)]).values()
        assert isinstance(told, ModelFile)
        assert told.said.output_names == ["maps"]
        assert (told.size, told.num_joints) == ((64, 48), 17)
        assert told.normalisation == Normalisation()
    capsys.readouterr()


# ------------------------------------------------------------------- forms of files


def test_any_form_of_input_and_output_gives_the_same_heatmaps(tmp_path: Path) -> None:
    """Channels last, 8 bits, batches of one and of any number, outputs that nobody asked for."""
    images = np.random.default_rng(0).integers(0, 255, (5, 3, 64, 48)).astype(np.float32)
    forms: dict[str, dict[str, Any]] = {
        "plain": {}, "last": {"shape": (1, 64, 48, 3)}, "eight": {"shape": (1, 64, 48, 3), "kind": TensorProto.UINT8},
        "half": {"kind": TensorProto.FLOAT16}, "any": {"shape": ("n", 3, 64, 48)}, "pairs": {"shape": (2, 3, 64, 48)},
        "two": {"also": True}, "open": {"shape": (1, 3, "h", "w")}, "split": {"beside": "weights.bin"},
    }  # fmt: skip
    found = {}
    for name, form in forms.items():
        file = looked_at(make_onnx(tmp_path / f"{name}.onnx", **form), output_names=["maps"])
        assert (file.size, file.num_joints) == ((64, 48), 17)
        artifact = file.artifact(catalogue.find("onnxruntime"), "fp32")
        with catalogue.open_artifact(artifact, threads=1) as session:
            (found[name],) = session.run(images)
            inference = session.bind(images)  # what is timed
            inference.run()
    assert looked_at(tmp_path / "half.onnx").precision == "fp16"
    assert looked_at(tmp_path / "any.onnx").batch is None
    # A file of which nothing is said is timed as of the joints that it gives, not of 17.
    unsaid = worker._describe(make_onnx(tmp_path / "thirteen.onnx", joints=13), "onnxruntime", {})["file"]
    assert ModelFile.model_validate(unsaid).num_joints == 13
    assert looked_at(tmp_path / "split.onnx").sha256 != looked_at(tmp_path / "plain.onnx").sha256
    for name, maps in found.items():
        assert maps.shape == (5, 17, 16, 12)
        np.testing.assert_allclose(maps, found["plain"], rtol=1e-5, atol=1e-3, err_msg=name)


@pytest.mark.parametrize("backend", ["openvino", "ncnn", "mnn", "onnxruntime_int8"])
def test_an_onnx_file_is_made_into_files_of_other_backends_and_those_are_models_too(
    backend: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip({"onnxruntime_int8": "onnxruntime", "mnn": "MNN"}.get(backend, backend))
    monkeypatch.chdir(tmp_path)  # named by its path from here, as people do; converters run elsewhere
    file = looked_at(make_onnx(Path("net.onnx")))
    example = torch.rand(1, 3, 64, 48)
    with catalogue.open_artifact(catalogue.build("onnxruntime", file, example)) as session:
        expected = session.run(example.numpy())
    artifact = catalogue.build(backend, file, example, threads=1)
    with catalogue.open_artifact(artifact, threads=1) as session:
        parity.check(expected, session.run(example.numpy()), artifact.precision, backend)
    own = catalogue.openers(artifact.file.suffix)[0]
    if own != backend:
        return
    for made in artifact.files:  # the first names the others
        shutil.copy(made, tmp_path / f"other{made.suffix}")
    again = looked_at(tmp_path / f"other{artifact.file.suffix}", backend)
    with catalogue.open_artifact(catalogue.build(backend, again, example), threads=1) as session:
        parity.check(expected, session.run(example.numpy()), "fp32", backend)


def test_a_file_that_another_backend_makes_wrong_is_neither_evaluated_nor_timed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Converters may misread a file without a word; its accuracy would be that of another network."""
    pytest.importorskip("openvino")
    path = make_onnx(tmp_path / "net.onnx")
    file = looked_at(path)
    wrong = onnx.load(path)
    (weight,) = wrong.graph.initializer
    weight.CopyFrom(numpy_helper.from_array(-numpy_helper.to_array(weight), weight.name))
    onnx.save(wrong, tmp_path / "wrong.onnx")
    misread, build_it = looked_at(tmp_path / "wrong.onnx"), catalogue.build

    def build_wrong(name: str, model: Any, example: torch.Tensor, **more: Any) -> Artifact:
        made = build_it("onnxruntime", file if name == "onnxruntime" else misread, example)
        return dataclasses.replace(made, precision="int8") if "int8" in name else made

    monkeypatch.setattr(catalogue, "build", build_wrong)
    network = PoseNetwork(str(path), 17, (64, 48), "openvino", "fp32", "cpu", 1, "own", "own", None, 0,
                          json.dumps(file.model_dump(mode="json")))  # fmt: skip
    with pytest.raises(parity.ParityError, match="differs from onnxruntime by 2 of the largest"):
        prepare(network, (1,))
    Path(f"{path}.json").write_text(json.dumps(SAID))
    options = ["--images", "1", "--workers", "0", "--device", "cpu", "--results", str(tmp_path / "results"), "--quiet"]
    evaluating = ["bench.accuracy", "--models", str(path), "--batch", "1", *options, "--backend"]
    monkeypatch.setattr(sys, "argv", [*evaluating, "openvino"])
    with pytest.raises(SystemExit) as left:
        run_command("accuracy")
    (said,) = capsys.readouterr().err.splitlines()
    assert left.value.code == 1
    assert "differs from onnxruntime by 2 of the largest output, more than 0.0001: not evaluated" in said
    assert not list((tmp_path / "results").glob("*.jsonl"))
    # What int8 costs is what is measured.
    assert command("accuracy")([*evaluating[1:], "onnxruntime_int8"]) == 0


def test_int8_is_calibrated_on_the_crops_that_the_file_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("onnxruntime")
    monkeypatch.setattr(calibration, "COUNT", 2)
    path, example = make_onnx(tmp_path / "net.onnx"), torch.rand(1, 3, 64, 48)
    said = {"mean": [0.5, 0.5, 0.5], "channels": "BGR"}
    plain, udp = (looked_at(path, udp=udp, **said) for udp in (False, True))
    drawn = SyntheticDataset(images=2, seed=calibration.SEED, kind="portraits")
    seen = calibration.inputs_of(
        drawn, (64, 48), normalisation=udp.normalisation, codec=HeatmapCodec((64, 48), udp=True)
    )
    found = [
        catalogue.build("onnxruntime_int8", file, example, threads=1, calibration=inputs).file
        for file, inputs in ((udp, None), (udp, seen), (plain, None))
    ]
    assert found[0] == found[1] != found[2]  # files of the cache are named by all that they are made of


def test_a_backend_that_cannot_run_a_file_says_which_can(tmp_path: Path) -> None:
    message = (
        r"net\.onnx cannot be run by backend eager, which runs networks in memory: choose from onnxruntime, .*openvino"
    )
    with pytest.raises(InputError, match=message):
        looked_at(make_onnx(tmp_path / "net.onnx")).check_backend("eager")


class _Fixed(Session):
    """Gives the same arrays whatever it sees."""

    def __init__(self, **arrays: np.ndarray) -> None:
        self.outputs, self.arrays = tuple(arrays), arrays

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return [np.repeat(array, len(images), 0) for array in self.arrays.values()]


def test_heatmaps_with_joints_last_come_out_with_joints_second() -> None:
    maps = np.random.default_rng(1).random((1, 16, 12, 17), np.float32)
    told = {"input_type": "float32", "num_joints": "17", "output_names": '["maps"]'}
    with adapted(_Fixed(other=np.zeros((1, 3), np.int64), maps=maps), told) as session:
        (found,) = session.run(np.zeros((2, 3, 64, 48), np.float32))
    np.testing.assert_array_equal(found, np.repeat(maps.transpose(0, 3, 1, 2), 2, 0))


def test_normalisation_is_as_said() -> None:
    pixels = torch.randint(0, 256, (2, 5, 4, 3), dtype=torch.uint8)
    how = Normalisation((0.1, 0.2, 0.3), (0.5, 0.6, 0.7), "BGR")
    expected = (pixels.numpy()[..., ::-1] / 255 - np.array(how.mean)) / np.array(how.std)
    np.testing.assert_allclose(normalise(pixels, how).numpy(), expected.transpose(0, 3, 1, 2), rtol=1e-5, atol=1e-6)


# ------------------------------------------------------------------- outputs of other kinds

SIMCC = {"x": (1, 17, 96), "y": (1, 17, 128)}


@pytest.mark.parametrize(
    ("said", "found", "names"),
    [
        ({"output_kind": "simcc"}, SIMCC, ["x", "y"]),
        ({"output_kind": "simcc"}, dict(reversed(SIMCC.items())), ["x", "y"]),
        ({"output_kind": "simcc", "output_names": ["x", "y"], "split_ratio": 2.0}, SIMCC, ["x", "y"]),
        ({"output_kind": "coordinates"}, {"c": (1, 17, 3)}, ["c"]),
    ],
)
def test_outputs_are_found_by_their_shapes(said: dict[str, Any], found: dict[str, Any], names: list[str]) -> None:
    told = fitting.outputs(Path("f.onnx"), found, (64, 48), Description.model_validate(said))
    assert (told.output_names, told.num_joints) == (names, 17)
    assert told.split_ratio == (2.0 if told.output_kind == "simcc" else None)


def test_vectors_of_a_square_input_are_told_apart_by_their_names() -> None:
    said, shape = Description(output_kind="simcc"), (1, 13, 128)
    told = fitting.outputs(Path("f.onnx"), {"simcc_y": shape, "simcc_x": shape}, (64, 64), said)
    assert (told.output_names, told.split_ratio) == (["simcc_x", "simcc_y"], 2.0)
    with pytest.raises(InputError, match="say which is along x"):
        fitting.outputs(Path("f.onnx"), {"a": shape, "b": shape}, (64, 64), said)


WRONG_OUTPUTS: list[tuple[dict[str, Any], dict[str, Any], str]] = [
    ({}, {"a": (1, 17, 16, 12), "b": (1, 17)}, r"gives 'a' \[1, 17, 16, 12\], 'b' \[1, 17\], and heatmap is 1 of them"),
    ({"output_names": ["c"]}, {"a": (1, 17, 16, 12)}, r"no output 'c': it gives 'a' \[1, 17, 16, 12\]"),
    ({}, {"a": (1, 17)}, r"gives 'a' \[1, 17\], which is no heatmap \[N, J, h, w\]"),
    ({"num_joints": 16}, {"a": (1, 17, 16, 12)}, r"which is no heatmap \[N, J, h, w\] of 16 joints"),
    ({"flip_pairs": [[0, 17]]}, {"a": (1, 17, 16, 12)}, "17 joints, and flip_pairs names joint 17"),
    ({"limbs": [[0, 17]]}, {"a": (1, 17, 16, 12)}, "17 joints, and limbs names joint 17"),
    ({"output_kind": "simcc"}, {"a": (1, 17, 16, 12)}, "simcc is 2 of them"),
    ({"output_kind": "simcc"}, {"x": (1, 17, 96), "y": (1, 17, 96)}, "do not fit an input of 64x48"),
    ({"output_kind": "simcc", "output_names": ["y", "x"]}, SIMCC, "the other way round they do"),
    ({"output_kind": "simcc", "split_ratio": 3.0}, SIMCC, "do not fit an input of 64x48 with 3 bins a pixel"),
    ({"output_kind": "coordinates"}, {"a": (1, 17, 5)}, r"no coordinates \[N, J, 2 or 3\]"),
]


@pytest.mark.parametrize(("said", "found", "message"), WRONG_OUTPUTS)
def test_outputs_that_do_not_fit_are_refused_with_what_was_found(
    said: dict[str, Any], found: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        fitting.outputs(Path("f.onnx"), found, (64, 48), Description.model_validate({"output_kind": "heatmap"} | said))


# ------------------------------------------------------------------- what is said, and how it can be wrong

WRONG_SIDECARS: dict[str, tuple[str, str]] = {
    "broken": ('{"mean": [0.5, 0.5', "is not JSON: .* at line 1"),
    "a list": ("[1, 2]", "must hold one object"),
    "deep": ("[" * 100_000, "nested too deeply"),
    "huge": ('{"about": "' + "x" * 1_000_001 + '"}', "is larger than 1000 kB"),
    "an unknown key": ('{"means": [1, 2, 3]}', "'means' is not known: there is input, "),
    "two numbers": ('{"mean": [0.5, 0.5]}', "mean: .*at least 3"),
    "texts": ('{"mean": ["a", "b", "c"]}', "mean: .*number"),
    "infinity": ('{"std": [Infinity, 1, 1]}', "std: "),
    "no deviation": ('{"std": [0, 1, 1]}', "std: .*greater than or equal"),
    "a size of text": ('{"input": "256x192"}', "input: "),
    "a gigantic size": ('{"input": [3, 99999999999, 192]}', r"input: is not \[3, height, width\]"),
    "four channels": ('{"input": [4, 256, 192]}', r"input: is not \[3, height, width\]"),
    "another kind": ('{"output_kind": "heatmaps"}', "output_kind: should be 'heatmap', 'simcc' or 'coordinates'"),
    "many joints": ('{"num_joints": 1000000000000}', "num_joints: .*less than or equal to 1024"),
    "joints twice": ('{"joints": ["nose", "nose"]}', "two joints have one name"),
    "joints and their number": ('{"joints": ["nose"], "num_joints": 2}', "joints: 1 names, and num_joints is 2"),
    "a pair with itself": ('{"flip_pairs": [[1, 1]]}', "names a joint twice"),
    "a pair beyond": ('{"flip_pairs": [[1, 9]], "num_joints": 4}', "names a joint that is not there"),
    "bins of heatmaps": ('{"output_kind": "heatmap", "split_ratio": 2}', "split_ratio: belongs to simcc"),
    "a name of control characters": ('{"input_name": "a\\u0000b"}', "input_name: "),
    "a pickle": ('{"network": {"__reduce__": "os.system"}}', "network: "),
}


@pytest.mark.parametrize("case", WRONG_SIDECARS)
def test_a_wrong_sidecar_is_one_line_that_names_it(case: str, tmp_path: Path) -> None:
    text, message = WRONG_SIDECARS[case]
    path = tmp_path / "net.onnx.json"
    path.write_text(text)
    with pytest.raises(InputError, match=message) as raised:
        read_sidecar(path)
    assert str(raised.value).startswith(str(path))
    assert "\n" not in str(raised.value)
    assert len(str(raised.value)) < 700


def test_places_that_say_it_must_agree() -> None:
    inside, beside = {"channels": "RGB", "mean": [0.0, 0.0, 0.0]}, {"mean": [0, 0, 0], "std": [1, 1, 1]}
    assert merged({"inside": inside, "beside": beside}).std == [1, 1, 1]
    with pytest.raises(InputError, match='beside says channels "BGR", and inside says "RGB"'):
        merged({"inside": inside, "beside": {"channels": "BGR"}})
    with pytest.raises(InputError, match="joints: 1 names, and num_joints is 2"):
        merged({"inside": {"joints": ["nose"]}, "beside": {"num_joints": 2}})
    assert read_options(["mean=[0.5, 0.5, 0.5]", "channels=BGR"]) == {"mean": [0.5, 0.5, 0.5], "channels": "BGR"}
    for wrong in (["channels"], ["channels=BGR", "channels=RGB"], ["colour=red"], ["mean=0.5"]):
        with pytest.raises(InputError, match="--model-info"):
            read_options(wrong)


def _truncated(folder: Path) -> Path:
    path = make_onnx(folder / "cut.onnx")
    path.write_bytes(path.read_bytes()[:-400])
    return path


def _elsewhere(name: str) -> Callable[[Path], Path]:
    def make(folder: Path) -> Path:
        path = make_onnx(folder / "away.onnx", beside="weights.bin")
        model = onnx.load(path, load_external_data=False)
        for entry in model.graph.initializer[0].external_data:
            if entry.key == "location":
                entry.value = name
        path.write_bytes(model.SerializeToString())
        return path

    return make


def _without_weights(folder: Path) -> Path:
    path = make_onnx(folder / "alone.onnx", beside="weights.bin")
    (folder / "weights.bin").unlink()
    return path


def _cut_weights(folder: Path) -> Path:
    path = make_onnx(folder / "short.onnx", beside="weights.bin")
    (folder / "weights.bin").write_bytes(b"x" * 10)
    return path


WRONG_FILES: dict[str, tuple[Callable[[Path], Path], dict[str, Any], str]] = {
    "cut short": (_truncated, {}, "cut.onnx"),
    "no weights beside": (_without_weights, {}, "keeps its weights in weights.bin, and .* is not there"),
    "weights cut short": (_cut_weights, {}, "cannot be opened by ONNX Runtime"),
    "weights above": (_elsewhere("../weights.bin"), {}, r"is refused: it names '\.\./weights\.bin'"),
    "weights anywhere": (_elsewhere("/etc/passwd"), {}, "is refused: it names '/etc/passwd'"),
    "another size": (lambda f: make_onnx(f / "n.onnx", (1, 3, 64, 64)), {}, "64x48 was asked for"),
    "no size": (
        lambda f: make_onnx(f / "n.onnx", (1, 3, "h", "w")), {"input": None},
        r"does not say its input size \(input 'images' \[1, 3, \?, \?\]\): give --input HxW",
    ),
    "one channel": (lambda f: make_onnx(f / "n.onnx", (1, 1, 64, 48)), {}, "which has 1 channels as NCHW"),
    "two inputs": (lambda f: make_onnx(f / "n.onnx", inputs=2), {}, "one input, for images, is needed"),
    "whole numbers": (lambda f: make_onnx(f / "n.onnx", kind=TensorProto.INT64), {}, r"of tensor\(int64\)"),
    "another input": (lambda f: make_onnx(f / "n.onnx"), {"input_name": "pixels"}, "has no input 'pixels'"),
    "sixteen joints": (lambda f: make_onnx(f / "n.onnx", joints=16), {"num_joints": 17}, "no heatmap .* of 17 joints"),
    "which output": (lambda f: make_onnx(f / "n.onnx", also=True), {}, "say which with output_names"),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG_FILES)
def test_a_file_that_is_not_what_was_said_is_one_line(case: str, tmp_path: Path) -> None:
    make, said, message = WRONG_FILES[case]
    path = make(tmp_path)
    told = {key: value for key, value in (SAID | said).items() if value is not None}
    with pytest.raises(InputError, match=message) as raised:
        worker._describe(path, "onnxruntime", {"the sidecar": told})
    assert path.name in str(raised.value)


def test_commands_refuse_what_they_cannot_use_in_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through the real options, with a process that looks into the file."""
    results = ("--results", tmp_path / "results", "--quiet")
    net = make_onnx(tmp_path / "net.onnx", (1, 3, 64, 48))
    accuracy = ("accuracy", "--models", net, "--images", "2", *results)
    assert "does not say its output_kind, channels, mean, std, which evaluation needs: write" in line(
        capsys, monkeypatch, *accuracy
    )
    (tmp_path / "net.onnx.json").write_text(json.dumps(SAID | {"joints": [f"joint {i}" for i in range(17)]}))
    assert "has 'joint 0' as joint 0, and synthetic (2 scenes, seed 2000003) has 'nose' there" in line(
        capsys, monkeypatch, *accuracy
    )
    (tmp_path / "net.onnx.json").write_text(json.dumps(SAID))
    speed = ("speed", "--models", f"small_hrnet_w16,{net}", *results)
    assert "net.onnx takes 1 images at a time, not 8" in line(capsys, monkeypatch, *speed, "--batch", "8")
    assert "--input says input [3, 96, 96], and" in line(capsys, monkeypatch, *speed, "--input", "96x96")
    assert "cannot be run by backend fused" in line(capsys, monkeypatch, *speed, "--backend", "fused")
    assert "--models names none" in line(
        capsys, monkeypatch, "speed", "--models", "small_hrnet_w16", "--model-info", "channels=BGR", *results
    )
    for name, content, message in (
        ("gone.onnx", None, "does not exist"), ("empty.onnx", b"", "is empty"), ("text.onnx", b"text", "no ONNX file"),
        ("text.param", b"text", "no param file of ncnn"), ("alone.xml", b"<net/>", "keeps its weights in alone.bin"),
        ("text.safetensors", b"text", "is no weights file"),
    ):  # fmt: skip
        if content is not None:
            (tmp_path / name).write_bytes(content)
        assert message in line(capsys, monkeypatch, "speed", "--models", tmp_path / name, *results)
    assert not (tmp_path / "results").exists() or not list((tmp_path / "results").rglob("*.jsonl"))


def test_each_revision_is_timed_with_its_own_file_of_that_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Or with the very file, where its tree has none of that path."""
    trees = {name: tmp_path / name for name in ("old", "new", "none")}
    for name, tree in trees.items():
        (tree / "models").mkdir(parents=True)
        if name != "none":
            make_onnx(tree / "models" / "net.onnx", joints=16 if name == "old" else 17)
    monkeypatch.chdir(trees["new"])
    told = looked_at(Path("models/net.onnx")).model_dump(mode="json")
    plan = RegressPlan("models/net.onnx", 17, (64, 48), 1, "cpu", "onnxruntime", 1, file=told)
    for name, tree in trees.items():
        side = prepared(Side(name, tree, tree), plan, tmp_path)
        assert side.artifact is not None
        assert side.artifact["files"] == [str(trees["old" if name == "old" else "new"] / "models" / "net.onnx")]
        assert np.load(side.images).shape == (1, 3, 64, 48)


# ------------------------------------------------------------------- checkpoints


def test_a_checkpoint_is_the_network_that_it_names(tmp_path: Path) -> None:
    """Inside, beside it, or by an option; and it cannot name anything that would have to be run."""
    model = build("small_hrnet_w16", num_joints=16, seed=3)
    zoo.save_weights(model, tmp_path / "own.safetensors")
    torch.save(model.state_dict(), tmp_path / "bare.pth")
    own, bare = (str(tmp_path / name) for name in ("own.safetensors", "bare.pth"))
    with pytest.raises(InputError, match="does not say which network it is of"):
        read_files([bare])
    images = torch.rand(1, 3, 64, 64)
    (tmp_path / "bare.pth.json").write_text('{"network": "small_hrnet_w16", "num_joints": 16}')
    for file in read_files([own, bare]).values():
        made = file.make(file.num_joints or 0, (64, 64))
        assert torch.equal(made(images), model(images))
    with pytest.raises(InputError, match="--model-info says network"):
        read_files([own], info=["network=lite_hrnet_18"])
    for network in ("os:system", "evil.py:run", "../evil"):
        (tmp_path / "bare.pth.json").write_text(json.dumps({"network": network}))
        with pytest.raises(InputError, match="unknown model"):
            read_files([bare])
    (tmp_path / "bare.pth.json").write_text('{"network": "small_hrnet_w16", "mean": [0, 0, 0]}')
    with pytest.raises(InputError, match="mean cannot be chosen for a checkpoint"):
        read_files([bare])


# ------------------------------------------------------------------- counts


def test_a_graph_has_the_multiply_adds_and_parameters_of_its_network(tmp_path: Path) -> None:
    """Of a network whose layers are all modules that mmcv's counter knows, written as it is."""
    from torch import nn

    from bench.complexity.counting import count_mmcv

    model = nn.Sequential(
        nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 8, 3, 1, 1, groups=8, bias=False),
        nn.MaxPool2d(2), nn.ConvTranspose2d(8, 6, 4, 2, 1, groups=2), nn.LeakyReLU(), nn.AdaptiveAvgPool2d(1),
        nn.Flatten(), nn.Linear(6, 5, bias=False),
    ).eval()  # fmt: skip
    path, example = tmp_path / "net.onnx", torch.zeros(1, 3, 64, 48)
    torch.onnx.export(
        model, (example,), path, dynamo=False, opset_version=17, do_constant_folding=False,
        training=torch.onnx.TrainingMode.PRESERVE, input_names=["x"], dynamic_axes={"x": {0: "n", 2: "h", 3: "w"}},
    )  # fmt: skip
    found, unknown = count(path, (64, 48))
    assert found["macs_mmcv"] == count_mmcv(model, example)[0]
    assert found["params"] == sum(parameter.numel() for parameter in model.parameters())
    assert found["macs_onnx"] < found["macs_mmcv"]
    assert unknown == {}
    assert count(path, (128, 96))[0]["macs_onnx"] > 3.9 * found["macs_onnx"]
    # Where shapes are not known nothing is made up, not even of the graph's last operator.
    graph = onnx.load(path).graph
    unknown_operator = helper.make_node("Anything", ["x"], ["y"], domain="somebody.else")
    convolution = helper.make_node("Conv", ["y", "w"], ["z"])
    weight = numpy_helper.from_array(np.zeros((4, 3, 3, 3), np.float32), "w")
    made = helper.make_graph(
        [unknown_operator, convolution], "made", [graph.input[0]],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, None)], [weight],
    )  # fmt: skip
    opsets = [helper.make_opsetid("", 17), helper.make_opsetid("somebody.else", 1)]
    onnx.save(helper.make_model(made, opset_imports=opsets, ir_version=8), tmp_path / "strange.onnx")
    with pytest.raises(InputError, match=r"strange\.onnx: the shapes of Conv 'z' are not known"):
        count(tmp_path / "strange.onnx", (64, 48))
    profiled = OnnxGraph(tmp_path / "strange.onnx")
    assert [profiled.part(node).macs for node in profiled.nodes.values()] == [0, 0]


# ------------------------------------------------------------------- the documentation


def test_the_schema_and_the_example_in_the_docs_are_right() -> None:
    assert (ROOT / "docs" / "model_file.schema.json").read_text() == json_schema()
    text = (ROOT / "docs" / "files.md").read_text()
    for block in text.split("```json\n")[1:]:
        Description.model_validate_json(block.partition("```")[0])
    for field in Description.model_fields:
        assert f"`{field}`" in text, field


def test_ports_tell_what_is_open() -> None:
    form = fitting.form(Path("n.mnn"), [Port("x", (None, None, None, None))], Description(input=[3, 64, 48]))
    assert (form.size, form.batch, form.layout, form.type) == ((64, 48), None, "NCHW", "float32")
    with pytest.raises(InputError, match=r"takes input 'x' \[1, 3\]: images need four dimensions"):
        fitting.form(Path("n.mnn"), [Port("x", (1, 3))], Description(input=[3, 64, 48]))
