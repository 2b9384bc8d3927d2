"""The whole way from a folder of pictures to a record, with a network whose right answers are known."""

import json
import os
import re
import signal
import subprocess
import sys
import time
import zipfile
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional

from bench.accuracy import evaluation, evaluation_server, score_mpii
from bench.accuracy.network_check import check_output, doubts
from bench.accuracy.options import parse
from bench.core.errors import InputError
from bench.core.results import read
from bench.timing import parity
from bench.timing.parity import ParityError
from bench.weights import build_trained

ROOT = Path(__file__).resolve().parents[2]


def arguments(folder: Path, out: Path, *more: str) -> list[str]:
    return [
        "bench.accuracy", "--models", f"{folder}/finder.py:finder", "--dataset", "coco", "--data-root", str(folder),
        "--weights", "random", "--no-flip", "--device", "cpu", "--results", str(out), "--workers", "0", *more,
    ]  # fmt: skip


def predictions(out: Path) -> str:
    (file,) = (out / "predictions").glob("*.json")
    return file.read_text()


@pytest.fixture(scope="module")
def alone(dots: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The results of an undisturbed run."""
    out = tmp_path_factory.mktemp("alone")
    done = subprocess.run([sys.executable, "-m", *arguments(dots, out)], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return out


def test_right_answers_score_high_and_are_recorded(dots: Path, alone: Path) -> None:
    (record,) = read(alone)
    assert record.dataset == "coco_val2017"
    assert record.metrics["people"] == 21
    # Dots are found to a quarter of a heatmap pixel; a crop that is off by more than that would show.
    assert record.metrics["ap"] > 0.8
    assert record.metrics["ap50"] > 0.95
    assert {"read_ms", "crop_ms", "network_ms", "decode_ms", "network_share", "people_per_s"} <= set(record.metrics)
    assert record.protocol["boxes"] == "ground truth"
    assert len(json.loads(predictions(alone))) <= 21
    assert not list(alone.rglob("*.partial"))


@pytest.mark.parametrize("more", [("--batch", "1"), ("--batch", "5", "--workers", "2")])
def test_batches_and_workers_change_nothing(dots: Path, alone: Path, tmp_path: Path, command, more: tuple) -> None:
    assert command(*arguments(dots, tmp_path, *more)).returncode == 0
    assert predictions(tmp_path) == predictions(alone)
    ours, theirs = read(tmp_path)[0], read(alone)[0]
    assert ours.dataset_fingerprint == theirs.dataset_fingerprint
    assert all(ours.metrics[key] == theirs.metrics[key] for key in ("ap", "ap50", "ap75", "ap_l", "ar"))


def test_killed_runs_go_on_where_they_stopped(dots: Path, alone: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", *arguments(dots, tmp_path, "--batch", "2")]
    slow = os.environ | {"FINDER_SLEEP": "0.3"}
    kept = 0
    for _ in range(2):
        process = subprocess.Popen(argv, cwd=ROOT, env=slow, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        until = time.monotonic() + 120
        while lines(tmp_path) < kept + 2 and time.monotonic() < until:
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        process.wait()
        assert lines(tmp_path) >= kept + 2
        kept = lines(tmp_path)
    (part,) = tmp_path.rglob("*.partial")
    with part.open("ab") as file:
        file.write(b'{"predictions": [{"ind')
    unfinished = part.read_bytes()
    done = subprocess.run(argv, cwd=ROOT, env=slow, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert predictions(tmp_path) == predictions(alone)
    (record,) = read(tmp_path)
    assert record.metrics["ap"] == read(alone)[0].metrics["ap"]
    # A kill between the record and the end of its parts leaves these, which --missing takes away.
    part.write_bytes(unfinished)
    done = subprocess.run([*argv, "--missing"], cwd=ROOT, env=slow, capture_output=True, text=True)
    assert (done.returncode, read(tmp_path)) == (0, [record])
    assert "nothing to evaluate" in done.stderr
    assert not part.exists()


def lines(out: Path) -> int:
    return sum(path.read_bytes().count(b"\n") for path in out.rglob("*.partial"))


def test_interrupted_run_says_what_is_kept(dots: Path, tmp_path: Path) -> None:
    argv = [sys.executable, "-m", *arguments(dots, tmp_path, "--batch", "2", "--workers", "1")]
    process = subprocess.Popen(
        argv, cwd=ROOT, env=os.environ | {"FINDER_SLEEP": "0.3"}, stderr=subprocess.PIPE, text=True
    )
    while lines(tmp_path) < 1:
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    _, error = process.communicate(timeout=60)
    assert process.returncode == 130
    assert error.splitlines()[-1] == "interrupted: the finished batches are kept, the same command goes on from there"
    assert "Traceback" not in error


def test_two_processes_give_the_result_of_one(dots: Path, alone: Path, tmp_path: Path) -> None:
    argv = ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2", "-m", *arguments(dots, tmp_path)]
    done = subprocess.run([sys.executable, *argv], cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    assert predictions(tmp_path) == predictions(alone)
    (record,) = read(tmp_path)
    assert record.notes["processes"] == 2
    assert record.metrics["ap"] == read(alone)[0].metrics["ap"]


def test_a_bad_picture_fails_the_run_unless_allowed(dots: Path, tmp_path: Path, command) -> None:
    broken = tmp_path / "coco"
    subprocess.run(["cp", "-r", str(dots), str(broken)], check=True)
    bad = broken / "val2017" / "000000000003.png"
    bad.write_bytes(bad.read_bytes()[:300])
    done = command(*arguments(broken, tmp_path / "out"))
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].startswith("error: ")
    assert "000000000003.png" in done.stderr.splitlines()[-1]
    assert not list((tmp_path / "out").glob("*.jsonl"))
    done = command(*arguments(broken, tmp_path / "out", "--skip-bad", "1"))
    assert done.returncode == 0, done.stderr
    assert "1 bad picture" in done.stderr
    (record,) = read(tmp_path / "out")
    assert (record.metrics["bad_pictures"], record.metrics["people_left_out"], record.metrics["people"]) == (1, 2, 21)


def test_table_1_shows_the_measured_ap(dots: Path, alone: Path, tmp_path: Path, command) -> None:
    assert command("bench.report", "--results", str(alone), "--out", str(tmp_path)).returncode == 0
    table = (tmp_path / "table1.csv").read_text()
    ap = read(alone)[0].metrics["ap"]
    row = next(line for line in table.splitlines() if line.startswith("finder:finder"))
    assert f"{100 * ap:.1f}" in row


def test_misuse_is_one_line(dots: Path, tmp_path: Path, command) -> None:
    cases = {
        ("--dataset", "coco"): "--data-root",
        ("--dataset", "coco", "--data-root", str(tmp_path)): "person_keypoints_val2017.json",
        ("--dataset", "coco", "--data-root", str(dots), "--weights", "nowhere.pth"): "nowhere.pth",
        ("--weights", "bundled", "--models", "lite_hrnet_18"): "bundled",
        ("--test-dev",): "--detections",
    }
    for more, word in cases.items():
        done = command("bench.accuracy", "--models", "lite_hrnet_18", "--results", str(tmp_path / "r"), *more)
        assert done.returncode == 2, more
        assert done.stderr.startswith("error: "), done.stderr
        assert word in done.stderr
        assert len(done.stderr.splitlines()) == 1


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        (["--dataset", "coco", "--data-root", "d", "--images", "2"], "--limit N takes its first N"),
        (["--dataset", "mpii", "--data-root", "d", "--images", "200"], "--limit N takes its first N"),
        (["--data-root", "d", "--seed", "2000003"], "--seed is of people that are drawn"),
        (["--annotations", "a.json", "--seed", "0"], "--seed is of people that are drawn"),
        (["--dataset", "coco", "--data-root", "d", "--subset"], "give --detections FILE with it"),
        (["--images", "pictures"], "a folder of pictures goes with --annotations"),
    ],
)
def test_options_without_effect_are_refused(options: list[str], problem: str) -> None:
    with pytest.raises(InputError, match=re.escape(problem)):
        parse(options)


def test_a_folder_may_be_called_as_many_pictures_as_are_drawn() -> None:
    assert parse(["--annotations", "a.json", "--images", "200"]).pictures == Path("200")
    assert parse(["--images", "200"]).images == 200


SUMMARY = "\n".join(
    f" Average {kind} @[ IoU={iou} | area={area} | maxDets= 20 ] = {value}"
    for kind, iou, area, value in [
        ("Precision  (AP)", "0.50:0.95", "   all", 0.653), ("Precision  (AP)", "0.50     ", "   all", 0.897),
        ("Precision  (AP)", "0.75     ", "   all", 0.734), ("Precision  (AP)", "0.50:0.95", "medium", 0.626),
        ("Precision  (AP)", "0.50:0.95", " large", 0.704), ("Recall     (AR)", "0.50:0.95", "   all", 0.713),
        ("Recall     (AR)", "0.50     ", "   all", 0.93), ("Recall     (AR)", "0.75     ", "   all", 0.78),
        ("Recall     (AR)", "0.50:0.95", "medium", 0.66), ("Recall     (AR)", "0.50:0.95", " large", 0.79),
    ]
)  # fmt: skip


@pytest.mark.parametrize("text", [SUMMARY, json.dumps({"AP": 0.653, "AP_50": 0.897, "AP .75": 0.734, "AP (M)": 0.626,
                                                       "AP_large": 0.704, "AR": 0.713})])  # fmt: skip
def test_what_the_server_answered_becomes_a_record(tmp_path: Path, text: str) -> None:
    (tmp_path / "answer.txt").write_text(text)
    record = evaluation_server.make_record(
        tmp_path / "answer.txt", "lightweight_mobilenetv3", "256x192", weights="own.pth"
    )
    assert record.dataset == "coco_test-dev2017"
    wanted = {"ap": 0.653, "ap50": 0.897, "ap75": 0.734, "ap_m": 0.626, "ap_l": 0.704, "ar": 0.713}
    assert {key: record.metrics[key] for key in wanted} == wanted


def test_no_answer_of_the_server_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "answer.txt").write_text("submission failed")
    with pytest.raises(InputError, match="not an answer of the evaluation server"):
        evaluation_server.make_record(tmp_path / "answer.txt", "lite_hrnet_18", "256x192", weights="")


def test_test_dev_gives_the_file_that_the_server_takes(dots: Path, tmp_path: Path, command) -> None:
    root = tmp_path / "coco"
    (root / "annotations").mkdir(parents=True)
    (root / "test2017").symlink_to(dots / "val2017")
    held = json.loads((dots / "annotations" / "person_keypoints_val2017.json").read_text())
    listing = {key: held[key] for key in ("info", "images", "categories")}
    (root / "annotations" / "image_info_test-dev2017.json").write_text(json.dumps(listing))
    found = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": 0.5} for a in held["annotations"]
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    more = ("--data-root", str(root), "--test-dev", "--detections", str(tmp_path / "boxes.json"))
    done = command(*arguments(dots, tmp_path / "out", *more))
    assert done.returncode == 0, done.stderr
    (archive,) = (tmp_path / "out" / "predictions").glob("*.zip")
    with zipfile.ZipFile(archive) as file:
        (inner,) = file.namelist()
        results = json.loads(file.read(inner))
    assert re.fullmatch(r"person_keypoints_test-dev2017_\w+_results\.json", inner)
    assert len(results) == len(found)
    assert all(set(one) == {"image_id", "category_id", "keypoints", "score"} for one in results)
    assert not read(tmp_path / "out")  # only the server can score it


def test_mpii_from_pictures_to_pckh(tmp_path: Path, command) -> None:
    case = ROOT / "tests" / "reference" / "mpii_case"
    (tmp_path / "mpii" / "annotations").mkdir(parents=True)
    (tmp_path / "mpii" / "images").mkdir()
    for name in ("mpii_val.json", "mpii_gt_val.mat"):
        (tmp_path / "mpii" / "annotations" / name).write_bytes((case / name).read_bytes())
    people = json.loads((case / "mpii_val.json").read_text())
    noise = np.random.default_rng(1)
    for name in {one["image"] for one in people}:
        small = noise.integers(0, 256, (24, 32, 3)).astype(np.uint8)
        picture = cv2.resize(small, (640, 480), interpolation=cv2.INTER_CUBIC)
        cv2.imwrite(str(tmp_path / "mpii" / "images" / name), picture)
    (tmp_path / "own.py").write_text("from torch import nn\ndef net():\n    return nn.Conv2d(3, 16, 3, 4, 1)\n")
    done = command(
        "bench.accuracy", "--models", f"{tmp_path}/own.py:net", "--weights", "random", "--dataset", "mpii",
        "--data-root", str(tmp_path), "--device", "cpu", "--results", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (record,) = read(tmp_path / "out")
    assert (record.input, record.num_joints, record.metrics["people"]) == ("256x256", 16, len(people))
    results = json.loads(predictions(tmp_path / "out"))
    keypoints = np.array([one["keypoints"] for one in results]).reshape(len(people), 16, 3)
    expected = score_mpii(case, keypoints[:, :, :2])
    assert record.metrics["pckh"] == expected["PCKh"]
    assert record.metrics["pckh@0.1"] == expected["PCKh@0.1"]


def test_what_cannot_be_scored_is_refused_before_any_work(dots: Path, tmp_path: Path, command) -> None:
    held = json.loads((dots / "annotations" / "person_keypoints_val2017.json").read_text())
    listing = {key: held[key] for key in ("info", "images", "categories")}
    (tmp_path / "listing.json").write_text(json.dumps(listing))
    found = [
        {"image_id": a["image_id"], "category_id": 1, "bbox": a["bbox"], "score": 0.5} for a in held["annotations"]
    ]
    (tmp_path / "boxes.json").write_text(json.dumps(found))
    done = command(
        "bench.accuracy", "--models", f"{dots}/finder.py:finder", "--weights", "own", "--device", "cpu",
        "--annotations", str(tmp_path / "listing.json"), "--images", str(dots / "val2017"),
        "--detections", str(tmp_path / "boxes.json"), "--results", str(tmp_path / "r"),
    )  # fmt: skip
    assert done.returncode == 2
    assert done.stderr.startswith("error: listing (5000 pictures) has no annotations to score with")
    assert not (tmp_path / "r" / "predictions").exists()


class Doubtful(nn.Module):
    """A network of one layer, and what makes its answers doubtful."""

    def __init__(self, then: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.layer, self.then = nn.Conv2d(3, 17, 4, 4), then

    def forward(self, x: Tensor) -> Tensor:
        return self.then(self.layer(x))


def test_a_network_whose_answers_chance_or_other_images_decide_is_warned_of() -> None:
    for then, says in (
        (functional.dropout, "other answer to the same image each time: dropout may be on in evaluation mode"),
        (nn.BatchNorm2d(17, track_running_stats=False), "where another image is beside it, so that --batch decides"),
        (lambda maps: maps - maps.mean(0), "where another image is beside it, so that --batch decides"),
    ):  # fmt: skip
        with pytest.warns(UserWarning, match=f"own gives an.*{says}"):
            check_output("own", Doubtful(then).eval(), "COCO", 17, (64, 48))
    for sound in (nn.Dropout(), nn.BatchNorm2d(17), nn.InstanceNorm2d(17), lambda maps: maps.view(1, 17, 16, 12)):
        assert not list(doubts("own", Doubtful(sound).eval(), (64, 48)))
    with pytest.raises(ParityError, match=r"than 0.02; eager itself gives another answer each time: dropout may be on"):
        parity.check([np.ones(3)], [np.zeros(3)], "fp32", "the file", rounding=0.7)


def test_where_no_weights_were_published_a_file_is_suggested() -> None:
    for name, dataset in (("small_hrnet_w16", "coco"), ("vipnas_mobilenetv3", "mpii")):
        with pytest.raises(InputError, match=r"were published .*; --weights FILE takes a checkpoint of your own$"):
            build_trained(name, "published", num_joints=17, input_size="256x192", dataset=dataset)


def test_int8_that_leaves_nothing_of_a_network_is_said() -> None:
    """The output of a backend is eager's times a factor."""
    torch.manual_seed(0)
    model = nn.Conv2d(3, 17, 4, stride=4).eval()
    settings = SimpleNamespace(backend="onnxruntime_int8", precision="fp32", input=(64, 64))
    trained = SimpleNamespace(on=lambda _device: model, normalisation=None)
    made: Any = SimpleNamespace(
        settings=settings, options=SimpleNamespace(batch=1, threads=1), trained=trained, model="mine"
    )
    artifact: Any = SimpleNamespace(precision="int8", backend="onnxruntime_int8")

    def compare(factor: float) -> list[str]:
        def run(images: np.ndarray) -> list[np.ndarray]:
            with torch.inference_mode():
                return [factor * model(torch.from_numpy(images)).numpy()]

        session: Any = SimpleNamespace(run=run)
        return evaluation._compare(made, artifact, session, torch.device("cpu"))

    assert not compare(0.6)
    (warning,) = compare(0.4)
    assert re.search(r"changes its outputs by 0\.6 of .*onnxruntime_int8 --differences", warning)
    with pytest.raises(ParityError, match="not finite"):
        compare(float("nan"))
