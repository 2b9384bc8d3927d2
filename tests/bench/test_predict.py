"""Skeletons on pictures, by the real command, with the network that finds dots."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.core.errors import InputError
from bench.data import COCO
from bench.drawing import LEFT, RIGHT, draw_skeleton, sheet
from bench.predict.pictures import find


def predict(dots: Path, out: Path, command, *arguments: str) -> list[dict]:
    model = ("--model", f"{dots}/finder.py:finder", "--weights", "random", "--no-flip", "--device", "cpu")
    done = command("bench.predict", *arguments, *model, "--out", str(out))
    assert done.returncode == 0, done.stderr
    held = json.loads((out / "predictions.json").read_text())
    grid = cv2.imread(str(out / "grid.png"))
    assert grid is not None
    assert grid.shape[1] > 200
    for picture in held["pictures"]:
        assert cv2.imread(str(out / picture["drawn"])).shape == cv2.imread(picture["picture"]).shape
    return held["pictures"]


def truth(dots: Path) -> dict[str, list[np.ndarray]]:
    held = json.loads((dots / "annotations" / "person_keypoints_val2017.json").read_text())
    found: dict[str, list[np.ndarray]] = {}
    for one in held["annotations"]:
        name = f"{one['image_id']:012d}.png"
        found.setdefault(name, []).append(np.reshape(one["keypoints"], (17, 3))[:, :2])
    return found


def test_a_coco_folder_is_predicted_in_its_boxes(dots: Path, tmp_path: Path, command) -> None:
    pictures = predict(dots, tmp_path, command, str(dots))
    wanted = truth(dots)
    assert [Path(picture["picture"]).name for picture in pictures] == sorted(wanted)
    for picture in pictures:
        for person, joints in zip(picture["people"], wanted[Path(picture["picture"]).name], strict=True):
            # Decoded to a quarter of a heatmap pixel, which is about 5 picture pixels.
            assert np.abs(np.array(person["keypoints"])[:, :2] - joints).max() < 5


def test_one_picture_without_boxes_is_taken_whole(dots: Path, tmp_path: Path, command) -> None:
    picture = dots / "val2017" / "000000000002.png"  # of one person
    (found,) = predict(dots, tmp_path, command, str(picture))
    (person,) = found["people"]
    assert person["bbox"] == [0, 0, 800, 300]
    assert np.abs(np.array(person["keypoints"])[:, :2] - truth(dots)[picture.name][0]).max() < 21  # a heatmap pixel


@pytest.mark.parametrize("kind", ["names", "detections"])
def test_a_list_of_boxes(dots: Path, tmp_path: Path, command, kind: str) -> None:
    box = [5, 5, 180, 280]
    held = {"000000000002.png": [box]} if kind == "names" else [{"image_id": 2, "bbox": box, "score": 0.75}]
    (tmp_path / "boxes.json").write_text(json.dumps(held))
    pictures = predict(dots, tmp_path / "out", command, str(dots / "val2017"), "--boxes", str(tmp_path / "boxes.json"))
    (picture,) = pictures
    assert picture["people"][0]["bbox_score"] == (1.0 if kind == "names" else 0.75)


@pytest.mark.parametrize(
    ("content", "word"),
    [("{", "not JSON"), ('{"a.png": [[1, 2, 3]]}', "no box"), ("[1]", "no list of boxes"),
     ('{"b.png": []}', "no box for"), ('[{"image_id": 1, "bbox": [0, 0, 0, 9]}]', "no box"),
     ('[{"image_id": 1, "bbox": [0, 0, 9, 9], "score": NaN}]', "finite score"), ("3", "no list of boxes")],
)  # fmt: skip
def test_bad_boxes_are_named(tmp_path: Path, content: str, word: str) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "boxes.json").write_text(content)
    with pytest.raises(InputError, match=word):
        find([tmp_path / "a.png"], tmp_path / "boxes.json")


def test_only_people_are_looked_at(tmp_path: Path) -> None:
    for name in ("1.png", "2.png"):
        (tmp_path / name).write_bytes(b"")
    boxes = tmp_path / "boxes.json"
    found = [{"image_id": n, "category_id": c, "bbox": [0, 0, 9, 9], "score": 1} for n, c in ((1, 1), (1, 18), (2, 18))]
    boxes.write_text(json.dumps(found))
    assert [look.path.name for look in find([tmp_path], boxes)] == ["1.png"]
    held = {
        "images": [{"id": 1, "file_name": "1.png"}],
        "categories": [{"id": 3, "name": "person"}, {"id": 1, "name": "dog"}],
        "annotations": [{"id": n, "image_id": 1, "category_id": n, "bbox": [n, 0, 9, 9]} for n in (1, 3)],
    }
    boxes.write_text(json.dumps(held))
    assert [look.box for look in find([tmp_path], boxes)] == [(3, 0, 9, 9)]


def test_boxes_of_a_picture_that_is_not_there_are_named(tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(b"")
    (tmp_path / "boxes.json").write_text('{"a.png": [[0, 0, 5, 5]], "typo.png": [[0, 0, 5, 5]]}')
    with pytest.raises(InputError, match=r"typo\.png"):
        find([tmp_path / "a.png"], tmp_path / "boxes.json")


def test_left_and_right_have_their_colours_and_doubtful_joints_are_left_out() -> None:
    picture = np.zeros((200, 200, 3), np.uint8)
    keypoints = np.zeros((17, 3))
    keypoints[5], keypoints[6], keypoints[7] = (150, 100, 1.0), (50, 100, 0.5), (150, 180, 0.1)
    draw_skeleton(picture, keypoints, COCO, size=200)
    assert picture[100, 150].tolist() == list(LEFT)
    assert 0.4 * RIGHT[0] < picture[100, 50, 0] < 0.7 * RIGHT[0]  # half sure, half there
    assert picture[100, 100].any()  # the shoulders are connected
    assert not picture[180, 150].any()


def test_a_sheet_holds_every_picture_whole() -> None:
    colours = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]
    page = sheet(
        [np.full((60, 20 + 50 * n, 3), c, np.uint8) for n, c in enumerate(colours)], columns=2, cell=(133, 100)
    )
    assert page.shape[0] == 2 * 106 + 6
    for colour, width in zip(colours, (20, 70, 120), strict=True):
        area = (page == colour).all(axis=2).sum()
        scale = min(100 / 60, 133 / width)
        np.testing.assert_allclose(area, 60 * width * scale**2, rtol=0.1)
