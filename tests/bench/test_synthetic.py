"""The synthetic data set: the same everywhere, true to what is drawn, and in COCO's format."""

import hashlib
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools import coco as pycoco
from pycocotools.cocoeval import COCOeval

from bench.core.errors import InputError
from bench.core.skeletons import COCO
from bench.data import box_to_crop, crop
from bench.data.dataset import Person
from bench.data.synthetic import (
    GENERATOR_VERSION,
    Scene,
    SyntheticDataset,
    draw_portrait,
    draw_scene,
    fingerprint,
)
from bench.data.synthetic.annotation import ScenePlan, Someone, annotations, outlines, who_is_where
from bench.data.synthetic.body import ACTIVITIES, LIMITS, SIDES, sample_angles, sample_body
from bench.data.synthetic.drawing import mark, paint
from bench.data.synthetic.figure import PARTS
from bench.data.synthetic.joints import OWN_PARTS, joints
from bench.data.synthetic.picture import annotate, plan_portrait, plan_scene
from bench.data.synthetic.random_numbers import RandomNumbers
from bench.drawing import LEFT, RIGHT
from tests.commands import command

# Made by ``python tests/bench/test_synthetic.py``.
main = command("data")
PINNED, PINNED_PIXELS = (Path(__file__).with_name(f"synthetic_seed0.{suffix}") for suffix in ("json", "npz"))
SCENES, PORTRAITS = range(3), range(6)
BLOCK = 8
LEFT_RIGHT = [(COCO.joints.index(f"left_{name}"), COCO.joints.index(f"right_{name}")) for name in ("shoulder", "hip")]
BONES = (("shoulder", "elbow", 0.186), ("elbow", "wrist", 0.146), ("hip", "knee", 0.245), ("knee", "ankle", 0.246))
seeds, indices = st.integers(0, 2**40), st.integers(0, 10**7)


def plans() -> Iterator[ScenePlan]:
    """Some of both kinds."""
    yield from (plan_scene(1, index) for index in range(25))
    yield from (plan_portrait(1, index) for index in range(60))


def digest(scene: Scene) -> str:
    return hashlib.sha256(scene.image.tobytes() + json.dumps(scene.annotations).encode()).hexdigest()


def block_means(image: np.ndarray) -> np.ndarray:
    height, width = (side // BLOCK * BLOCK for side in image.shape[:2])
    blocks = image[:height, :width].reshape(height // BLOCK, BLOCK, width // BLOCK, BLOCK, 3)
    return np.rint(blocks.mean((1, 3))).astype(np.uint8)


def pins() -> dict[str, Any]:
    """What is pinned of seed 0's annotations: all but the outlines of segments."""
    kinds = {
        "scenes": [annotate(plan_scene(0, index)) for index in SCENES],
        "portraits": [annotate(plan_portrait(0, index)) for index in PORTRAITS],
    }
    for pictures in kinds.values():
        for found in pictures:
            for annotation in found:
                del annotation["segmentation"]
    return {"version": GENERATOR_VERSION, "fingerprint": fingerprint(200, 0, "scenes"), **kinds}


def test_seed_0_is_what_it_was() -> None:
    # A failure here means: raise GENERATOR_VERSION, look at the contact sheets, and pin again.
    assert pins() == json.loads(PINNED.read_text())


def test_pixels_of_seed_0_are_what_they_were() -> None:
    # OpenCV's versions differ in the last bits of smoothed edges and of JPEG, so single pixels are not pinned.
    with np.load(PINNED_PIXELS) as pinned:
        for name, scene in (("scene", draw_scene(0, 0)), ("portrait", draw_portrait(0, 0))):
            difference = np.abs(block_means(scene.image).astype(int) - pinned[name].astype(int))
            assert difference.max() <= 1, name


def test_random_numbers_are_those_of_pcg64() -> None:
    # As numpy's documentation shows them for default_rng(12345).
    assert RandomNumbers(12345).many(3).tolist() == [0.22733602246716966, 0.31675833970975287, 0.7973654573327341]


def test_pictures_do_not_depend_on_those_before() -> None:
    first = [digest(draw_portrait(7, 5)), digest(draw_scene(7, 9)), digest(draw_portrait(7, 8))]
    assert [digest(draw_portrait(7, 8)), digest(draw_scene(7, 9)), digest(draw_portrait(7, 5))] == first[::-1]


def test_annotations_need_no_drawing() -> None:
    for index in range(6):
        assert annotate(plan_scene(2, index)) == draw_scene(2, index).annotations
        assert annotate(plan_portrait(2, index)) == draw_portrait(2, index).annotations


@settings(max_examples=40, deadline=None)
@given(seeds, indices, st.booleans())
def test_any_picture_is_valid(seed: int, index: int, portrait: bool) -> None:
    plan = (plan_portrait if portrait else plan_scene)(seed, index)
    width, height = plan.size
    found = annotate(plan)
    assert found or not portrait
    for annotation in found:
        x, y, wide, high = annotation["bbox"]
        assert min(x, y, wide - 1, high - 1, width - x - wide, height - y - high) >= 0
        assert 0 < annotation["area"] <= wide * high
        points = np.array(annotation["keypoints"]).reshape(17, 3)
        assert set(points[:, 2]) <= {0, 1, 2}
        assert annotation["num_keypoints"] == (points[:, 2] > 0).sum()
        assert (points[points[:, 2] == 0] == 0).all()
        assert np.array_equal(points, points.round(2))
        labelled = points[points[:, 2] > 0]
        assert ((labelled[:, :2] >= 0) & (labelled[:, :2] < (width, height))).all()
        seen = points[points[:, 2] == 2]
        assert ((seen[:, :2] >= (x - 1, y - 1)) & (seen[:, :2] <= (x + wide, y + high))).all()


def test_boxes_and_areas_are_those_of_the_pixels() -> None:
    crowds = 0
    for plan in plans():
        shown = outlines(plan)
        parts = who_is_where(plan, shown)
        found = annotations(plan, shown, parts)
        numbers = sorted(range(len(plan.items)), key=lambda number: number != plan.main)
        people = [n + 1 for n in numbers if isinstance(plan.items[n], Someone) and not plan.items[n].crowd]
        masks = [mask for mask in (parts // PARTS == number for number in people) if mask.any()]
        if found and found[-1]["iscrowd"]:
            crowds += 1
            members = [n + 1 for n, item in enumerate(plan.items) if isinstance(item, Someone) and item.crowd]
            masks.append(np.isin(parts // PARTS, members))
        assert len(masks) == len(found)
        for annotation, mask in zip(found, masks, strict=True):
            rows, columns = np.nonzero(mask)
            left, top = columns.min(), rows.min()
            assert annotation["bbox"] == [left, top, columns.max() + 1 - left, rows.max() + 1 - top]
            assert annotation["area"] == mask.sum()
    assert crowds


def test_joints_said_to_be_seen_lie_on_top() -> None:
    """Each item is put on a map of its own: what comes later hides, what comes earlier does not."""
    flags = {0: 0, 1: 0, 2: 0}
    for plan in plans():
        width, height = plan.size
        shown = outlines(plan)
        covers = []
        for number, found in enumerate(shown, 1):
            alone = np.zeros((height, width), np.uint16)
            mark(alone, found, number)
            silhouette = np.zeros((height, width, 3), np.uint8)
            for layer in found:
                layer.colours, layer.details = [(255.0,) * 3] * len(layer.outlines), []
            paint(silhouette, found)
            covers.append((alone, silhouette[..., 0]))  # the edges of the silhouette are smooth
        parts = who_is_where(plan, shown)
        found = iter(annotations(plan, shown, parts))
        for number in sorted(range(len(plan.items)), key=lambda number: number != plan.main):
            item = plan.items[number]
            if not isinstance(item, Someone) or item.crowd:
                continue
            later = np.max(
                [cover for _, cover in covers[number + 1 :]] or [np.zeros((height, width), np.uint8)], axis=0
            )
            if not (parts // PARTS == number + 1).any():
                continue
            points = np.array(next(found)["keypoints"]).reshape(17, 3)
            for (x, y, flag), joint in zip(points, range(17), strict=True):
                flags[int(flag)] += 1
                pixel = round(y), round(x)
                if flag == 2:
                    assert later[pixel] < 255, (COCO.joints[joint], x, y)
                    assert covers[number][0][pixel] // PARTS == number + 1
                elif flag == 1 and later[pixel] == 0:
                    # Hidden by nobody else: by another part, or on the far side of the own head or trunk.
                    own = joints(item.figure, item.view)
                    part = int(covers[number][0][pixel]) % PARTS
                    assert own.turned[joint] or part not in OWN_PARTS[joint]
    assert min(flags.values()) > 300


def test_left_and_right_are_the_persons_own() -> None:
    facing = averted = 0
    for plan in plans():
        for item in plan.items:
            if not isinstance(item, Someone):
                continue
            places = joints(item.figure, item.view).places
            for frame, (left, right) in zip(("chest", "pelvis"), LEFT_RIGHT, strict=True):
                axes = item.view.rotation @ item.figure.body.frames[frame]
                if axes[1, 1] < -0.7 and abs(axes[2, 2]) > 0.6:  # upright, and seen from the front or from behind
                    front = axes[2, 2] < 0
                    facing, averted = facing + front, averted + (not front)
                    assert (places[left, 0] > places[right, 0]) == front
    assert facing > 20
    assert averted > 10


def test_a_face_is_seen_from_the_front_only() -> None:
    for plan in plans():
        for item in plan.items:
            if isinstance(item, Someone):
                where = joints(item.figure, item.view)
                ahead = (item.view.rotation @ item.figure.body.frames["head"])[2, 2]
                assert where.turned[1:3].all() or ahead < 0.5
                assert where.averted[:3].all() or ahead < 0.9


def test_bodies_keep_to_human_limits() -> None:
    rng = RandomNumbers(3, 0)
    for activity in ACTIVITIES:
        for _ in range(20):
            for name, angle in sample_angles(rng, activity).items():
                low, high = LIMITS.get(name.removeprefix("left_").removeprefix("right_"), (-180, 180))
                assert low <= angle <= high, (activity, name)
    for _ in range(100):
        body = sample_body(rng)
        for side, _ in SIDES:
            for first, second, share in BONES:
                length = np.linalg.norm(body.points[f"{side}_{first}"] - body.points[f"{side}_{second}"])
                assert length == pytest.approx(share * body.height, rel=1e-9)
        assert min(point[1] for point in body.points.values()) >= 0
        for frame in body.frames.values():
            assert frame.T @ frame == pytest.approx(np.eye(3), abs=1e-9)
            assert np.linalg.det(frame) == pytest.approx(1)
        # Nobody looks over their own back.
        assert body.frames["head"][:, 2] @ body.frames["chest"][:, 2] > np.cos(np.deg2rad(80))


def test_portraits_fill_the_crop() -> None:
    sizes, cut = [], 0
    for index in range(150):
        plan = plan_portrait(4, index)
        main = annotate(plan)[0]
        size = box_to_crop(tuple(main["bbox"]), (256, 192))[1]
        sizes.append(256 / size[1])
        points = np.array(main["keypoints"]).reshape(17, 3)
        assert main["num_keypoints"] >= 3
        cut += (points[:, 2] == 0).any()
    # Enlarged or shrunk by this much: about as they are, but for people of whom little is seen.
    assert np.median(sizes) == pytest.approx(1.1, abs=0.15)
    assert np.quantile(sizes, 0.03) > 0.85
    assert np.quantile(sizes, 0.9) < 1.6
    assert 30 < cut < 130
    scene = draw_portrait(4, 0)
    assert scene.image.shape == (320, 288, 3)
    assert scene.image.dtype == np.uint8
    cut_out, _ = crop(scene.image, *box_to_crop(tuple(scene.annotations[0]["bbox"]), (256, 192)), (256, 192))
    assert cut_out.std() > 5


def test_scenes_have_people_of_all_sizes() -> None:
    found = [annotation for index in range(60) for annotation in annotate(plan_scene(5, index))]
    single = [annotation for annotation in found if not annotation["iscrowd"]]
    areas = np.array([annotation["area"] for annotation in single if annotation["num_keypoints"]])
    small, medium, large = (areas < 32**2).sum(), ((areas >= 32**2) & (areas < 96**2)).sum(), (areas >= 96**2).sum()
    assert small >= 3
    assert medium >= 30
    assert large >= 30
    assert any(annotation["iscrowd"] for annotation in found)
    assert any(annotation["num_keypoints"] == 0 for annotation in single)


def test_pycocotools_takes_the_ground_truth() -> None:
    dataset = SyntheticDataset(25, 1)
    coco = pycoco.COCO()
    coco.dataset = json.loads(json.dumps(dataset.ground_truth()))
    coco.createIndex()
    crowds = 0
    for annotation in coco.loadAnns(coco.getAnnIds()):
        mask = coco.annToMask(annotation)
        assert mask.shape == tuple(coco.imgs[annotation["image_id"]][side] for side in ("height", "width"))
        if annotation["iscrowd"]:
            crowds += 1
            assert mask.sum() == annotation["area"]
        elif annotation["area"] > 2000:  # outlines go through the middle of the border's pixels
            assert mask.sum() == pytest.approx(annotation["area"], rel=0.2)
    assert crowds
    people = [annotation for annotation in coco.dataset["annotations"] if annotation["num_keypoints"]]
    found = coco.loadRes([{key: a[key] for key in ("image_id", "category_id", "keypoints")} | {"score": 1.0}
                          for a in people])  # fmt: skip
    evaluation = COCOeval(coco, found, "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    assert evaluation.stats == pytest.approx(1)


def test_the_data_set_serves_its_people() -> None:
    dataset = SyntheticDataset(8, 1)
    truth = dataset.ground_truth()
    expected = [a for a in truth["annotations"] if a["num_keypoints"] and not a["iscrowd"]]
    assert len(dataset) == len(expected) > 8
    for index, annotation in enumerate(expected[:6]):
        image, person = dataset.load(index)
        size = truth["images"][person.image_id - 1]
        assert isinstance(person, Person)
        assert image.shape == (size["height"], size["width"], 3)
        assert (person.image_id, list(person.box)) == (annotation["image_id"], annotation["bbox"])
        assert person.joints is not None
        assert person.visible is not None
        assert np.column_stack((person.joints, person.visible)).ravel() == pytest.approx(annotation["keypoints"])
    assert np.array_equal(dataset.load(0)[0], draw_scene(1, 0).image)
    portraits = SyntheticDataset(10**9, 1, "portraits")
    assert len(portraits) == 10**9
    assert np.array_equal(portraits.load(123_456)[0], draw_portrait(1, 123_456).image)
    names = {fingerprint(8, 1, "scenes"), fingerprint(8, 2, "scenes"), fingerprint(9, 1, "scenes"),
             fingerprint(8, 1, "portraits")}  # fmt: skip
    assert len(names) == 4
    assert dataset.fingerprint in names


def test_annotations_as_predictions_score_1() -> None:
    dataset = SyntheticDataset(8, 1)
    predictions = []
    for index in range(len(dataset)):
        _, person = dataset.load(index)
        assert person.joints is not None
        center, size = box_to_crop(person.box, (256, 192))
        keypoints = np.column_stack((person.joints, np.ones(17))).tolist()
        predictions.append({"image_id": person.image_id, "bbox": person.box, "bbox_score": 1.0, "keypoints": keypoints,
                            "center": center.tolist(), "size_px": size.tolist()})  # fmt: skip
    metrics = dataset.score(predictions)
    assert set(metrics) == {"ap", "ap50", "ap75", "ap_m", "ap_l", "ar", "ar50", "ar75", "ar_m", "ar_l"}
    assert all(value == pytest.approx(1) for value in metrics.values())
    # The wrong way round, left for right, is worth nothing.
    order = np.arange(17)
    for first, second in COCO.flip_pairs:
        order[[first, second]] = second, first
    swapped = [one | {"keypoints": [one["keypoints"][joint] for joint in order]} for one in predictions]
    assert dataset.score(swapped, evaluator="pycocotools")["ap"] < 0.3


def test_the_command_writes_resumes_and_refuses(
    tmp_path: Path, command: Callable[..., subprocess.CompletedProcess[str]]
) -> None:
    folder = tmp_path / "set"
    arguments = ["synthetic", "--out", str(folder), "--images", "6", "--seed", "3"]
    done = command("bench.data", *arguments)
    assert done.returncode == 0, done.stderr
    annotation_file = folder / "annotations" / "person_keypoints_val2017.json"
    assert done.stdout.strip() == str(annotation_file)
    assert "6/6" in done.stderr
    written = json.loads(annotation_file.read_text())
    assert written == SyntheticDataset(6, 3).ground_truth()
    files = sorted((folder / "val2017").iterdir())
    assert [file.name for file in files] == [entry["file_name"] for entry in written["images"]]
    content = {file: file.read_bytes() for file in files}
    for index, file in enumerate(files):  # the same bits as in this process
        drawn = draw_scene(3, index).image[:, :, ::-1].copy()
        assert cv2.imencode(".jpg", drawn, (cv2.IMWRITE_JPEG_QUALITY, 95))[1].tobytes() == content[file]

    # One picture is gone and one is cut short: these two are drawn again, and nothing else.
    files[1].unlink()
    files[4].write_bytes(content[files[4]][:1000])
    (folder / "val2017" / ".lightpose-7-000000000009.jpg").write_bytes(b"half, as a kill leaves it")
    untouched = {file: file.stat().st_mtime_ns for file in files if file not in (files[1], files[4])}
    assert main(arguments) == 0
    assert {file: file.read_bytes() for file in (folder / "val2017").iterdir()} == content
    assert {file: file.stat().st_mtime_ns for file in untouched} == untouched
    assert json.loads(annotation_file.read_text()) == written

    with pytest.raises(InputError, match=r"another synthetic data set .* seed 3"):
        main([*arguments[:-1], "4"])
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "thesis.txt").write_text("words")
    with pytest.raises(InputError, match="not empty"):
        main(["synthetic", "--out", str(tmp_path / "mine"), "--images", "6"])
    assert [path.name for path in (tmp_path / "mine").iterdir()] == ["thesis.txt"]


@pytest.mark.parametrize("label", ["", "null", "5", "[]", '"generator"', "[" * 100_000, "{}"])
def test_a_label_that_says_nothing_is_another_data_set(label: str, tmp_path: Path) -> None:
    (tmp_path / "synthetic.json").write_text(label)
    with pytest.raises(InputError, match=r"another synthetic data set \(its synthetic.json cannot be read\)"):
        main(["synthetic", "--out", str(tmp_path), "--images", "1"])
    assert [path.name for path in tmp_path.iterdir()] == ["synthetic.json"]


def test_an_interrupted_command_leaves_no_annotations(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "bench.data", "synthetic", "--out", str(tmp_path / "set"), "--images", "5000"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    pictures = tmp_path / "set" / "val2017"
    while not (pictures.is_dir() and any(pictures.glob("*.jpg"))):
        assert process.poll() is None
        time.sleep(0.05)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 130
    assert "goes on from there" in errors.splitlines()[-1]
    assert not list((tmp_path / "set" / "annotations").iterdir())
    assert not list(pictures.glob(".*"))


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("synthetic", "--out", "x", "--seed", "-1"), "whole number from 0"),
        (("synthetic", "--out", "x", "--images", "0"), "from 1 to 10,000,000"),
        (("sheet", "--out", "x.gif"), ".png"),
        (("sheet", "--out", "x.jpg", "--images", "801"), "on one sheet: give a whole number from 1 to 800"),
        (("paint",), "synthetic"),
        ((), "command"),
    ],
)
def test_bad_usage_is_one_line(arguments: tuple[str, ...], words: str) -> None:
    with pytest.raises(InputError, match=words):
        main(list(arguments))


def test_the_contact_sheet_shows_sides(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "sheet.png"
    for extra in ((), ("--no-skeletons",)):
        assert main(["sheet", "--out", str(path), "--images", "2", "--kind", "portraits", *extra]) == 0
        page = cv2.imread(str(path), cv2.IMREAD_COLOR)[:, :, ::-1].astype(int)
        left, right = ((np.abs(page - colour).max(2) < 12).sum() for colour in (LEFT, RIGHT))
        assert (left > 100 and right > 100) == (not extra)
    assert capsys.readouterr().out.count(str(path)) == 2


if __name__ == "__main__":
    PINNED.write_text(json.dumps(pins(), indent=None, separators=(",", ":")) + "\n")
    np.savez_compressed(
        PINNED_PIXELS, scene=block_means(draw_scene(0, 0).image), portrait=block_means(draw_portrait(0, 0).image)
    )
