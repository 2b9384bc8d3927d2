"""Skeletons on pictures, by the real command, with the network that finds dots."""

import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest
from filelock import FileLock

from bench.core.errors import InputError
from bench.data import COCO
from bench.drawing import LEFT, RIGHT, draw_skeleton, sheet
from bench.predict.pictures import find
from tests.commands import command as in_process

main = in_process("predict")


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


def write_pictures(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.zeros((40, 60, 3), np.uint8))


def boxes_of(looks: list) -> dict[str, list]:
    return {look.path.as_posix().split("pictures/")[1]: list(look.box) for look in looks}


def test_pictures_of_one_name_in_two_folders_keep_their_own_boxes(tmp_path: Path) -> None:
    pictures, boxes = tmp_path / "pictures", tmp_path / "boxes.json"
    names = ("cam0/frame_000001.jpg", "cam1/frame_000001.jpg", "cam1/deep/frame_000002.jpg")
    write_pictures(pictures, *names)
    given = {name: [[number + 1, 0, 9, 9]] for number, name in enumerate(names)}
    for keys in (lambda name: name, lambda name: name.replace("/", "\\"), lambda name: f"server/export/{name}"):
        boxes.write_text(json.dumps({keys(name): box for name, box in given.items()}))
        assert boxes_of(find([pictures], boxes)) == {name: box for name, (box,) in given.items()}
    # The name of the folder above goes as well, and a name that only one picture has.
    boxes.write_text(json.dumps({"frame_000002.jpg": [[5, 0, 9, 9]], "pictures/cam0/frame_000001.jpg": [[6, 0, 9, 9]]}))
    assert boxes_of(find([pictures], boxes)) == {
        "cam0/frame_000001.jpg": [6, 0, 9, 9], "cam1/deep/frame_000002.jpg": [5, 0, 9, 9]
    }  # fmt: skip
    boxes.write_text(json.dumps({"frame_000001.jpg": [[1, 0, 9, 9]]}))
    with pytest.raises(
        InputError, match=r"boxes for frame_000001.jpg, which may be any of .*cam0.*, .*cam1.*: give whole"
    ):
        find([pictures], boxes)
    # One picture for two names: neither is it.
    boxes.write_text(json.dumps({"a/frame_000001.jpg": [[1, 0, 9, 9]], "b/frame_000001.jpg": [[1, 0, 9, 9]]}))
    with pytest.raises(InputError, match=r"a/frame_000001.jpg and for b/frame_000001.jpg, and both may be"):
        find([pictures / "cam0" / "frame_000001.jpg"], boxes)


def test_numbers_stand_for_pictures_only_if_one_has_them(tmp_path: Path) -> None:
    pictures, boxes = tmp_path / "pictures", tmp_path / "boxes.json"
    write_pictures(pictures, "left_1.jpg", "right_1.jpg", "000000000139.jpg")
    boxes.write_text(json.dumps([{"image_id": 139, "bbox": [1, 0, 9, 9]}, {"image_id": 7, "bbox": [2, 0, 9, 9]}]))
    assert boxes_of(find([pictures], boxes)) == {"000000000139.jpg": [1, 0, 9, 9]}
    boxes.write_text(json.dumps([{"image_id": 1, "bbox": [1, 0, 9, 9]}]))
    with pytest.raises(
        InputError, match=r"boxes for 1, which may be any of .*left_1.jpg, .*right_1.jpg: give whole names"
    ):
        find([pictures], boxes)
    # An annotation file names its pictures: its numbers mean nothing else.
    held = {
        "images": [{"id": 1, "file_name": "right_1.jpg"}], "categories": [{"id": 1, "name": "person"}],
        "annotations": [{"id": 1, "image_id": 1, "category_id": 1, "bbox": [3, 0, 9, 9], "iscrowd": 0}],
    }  # fmt: skip
    boxes.write_text(json.dumps(held))
    assert boxes_of(find([pictures], boxes)) == {"right_1.jpg": [3, 0, 9, 9]}


def test_folders_are_read_with_their_subfolders_but_not_the_results(tmp_path: Path) -> None:
    write_pictures(tmp_path / "pictures", "a/b/1.jpg", "2.png", "out/0001_2.jpg", ".hidden/3.jpg")
    (tmp_path / "pictures" / "a" / "notes.txt").write_text("no picture")
    looks = find([tmp_path / "pictures"], None, out=tmp_path / "pictures" / "out")
    assert [look.path.name for look in looks] == ["2.png", "1.jpg"]
    (tmp_path / "empty" / "deep").mkdir(parents=True)
    with pytest.raises(InputError, match="there are no pictures in"):
        find([tmp_path / "empty"], None)


def test_bad_pictures_are_left_out_if_allowed_and_what_is_done_is_kept(dots: Path, tmp_path: Path, command) -> None:
    folder = tmp_path / "pictures"
    shutil.copytree(dots / "val2017", folder)
    bad = folder / "000000000003.png"
    bad.write_bytes(bad.read_bytes()[:300])
    arguments = (
        "bench.predict", str(folder), "--model", f"{dots}/finder.py:finder", "--weights", "own", "--no-flip",
        "--device", "cpu", "--batch", "2",
    )  # fmt: skip
    done = command(*arguments, "--out", str(tmp_path / "a"))
    assert done.returncode == 2
    last = done.stderr.splitlines()[-1]
    assert "000000000003.png is cut short or damaged" in last
    assert "--skip-bad N leaves out" in last
    assert last.endswith(f"pictures done: 3, kept in {tmp_path / 'a'}")
    held = json.loads((tmp_path / "a" / "predictions.json").read_text())
    assert [int(Path(one["picture"]).stem) for one in held["pictures"]] == [1, 2, 4]  # the bad one's batch is whole

    # The same command goes on from there: what was found before is taken as it was kept.
    (kept,) = (tmp_path / "a" / ".unfinished").glob("*.partial")
    first, *rest = kept.read_text().splitlines(keepends=True)
    kept.write_text("".join([first.replace('"bbox_score":1.0', '"bbox_score":0.125'), *rest]))
    with FileLock(kept.with_name(".predict.lock")), pytest.raises(InputError, match=r"at work .* give another --out"):
        main([*arguments[1:], "--out", str(tmp_path / "a"), "--skip-bad", "1"])
    done = command(*arguments, "--out", str(tmp_path / "a"), "--skip-bad", "1")
    assert done.returncode == 0, done.stderr
    held = json.loads((tmp_path / "a" / "predictions.json").read_text())
    scores = [person["bbox_score"] for one in held["pictures"] for person in one["people"]]
    assert scores == [0.125] * 2 + [1.0] * 11
    assert not (tmp_path / "a" / ".unfinished").exists()
    assert len(held["pictures"]) == 13
    assert len(held["left_out"]) == 1
    assert "bad pictures left out: 1" in done.stderr


NETWORKS = """
import torch
from torch import nn


class Net(nn.Module):
    def __init__(self, change):
        super().__init__()
        self.net, self.change = nn.Conv2d(3, 17, 4, 4), change

    def forward(self, x):
        return self.change(self.net(x))


def nothing():
    return Net(lambda maps: None)


def pair():
    return Net(lambda maps: (maps, maps))


def flat():
    return Net(lambda maps: maps.flatten(2))


def whole():
    return Net(lambda maps: maps.long())


def undefined():
    return Net(lambda maps: maps / 0 * 0)


def double():
    return Net(lambda maps: maps.double())


def few():
    return Net(lambda maps: maps[:, :16])


def alone():
    return Net(lambda maps: maps[:1])


def sparse():
    return Net(lambda maps: maps.to_sparse())


def nowhere():
    return Net(lambda maps: maps.to("meta"))


def fixed():
    return Net(lambda maps: nn.Parameter(maps))


def swapped():
    net = Net(lambda maps: {"y": maps.amax(3).repeat(1, 1, 8), "x": maps.amax(2).repeat(1, 1, 8)})
    net.output_kind = "simcc"
    return net


def pixels():
    net = Net(lambda maps: 64 + 0 * maps.flatten(2)[..., :2])
    net.output_kind = "coordinates"
    return net
"""


@pytest.mark.parametrize(
    ("name", "problem"),
    [("nothing", "gives nothing: one tensor of 17 heatmaps is needed"), ("pair", "gives a tuple: one tensor of 17"),
     ("flat", r"gives \(17, \d+\), and coco needs 17 heatmaps"), ("whole", "gives numbers of type torch.int64"),
     ("undefined", "gives numbers that are not finite"), ("few", r"gives \(16, \d+, \d+\), and coco needs 17"),
     ("fixed", None),
     ("sparse", "gives a tensor of torch.sparse_coo: a dense one"), ("nowhere", "gives a tensor of the device meta"),
     ("swapped", "gives 'y' before 'x': the vectors along x must come first"), ("double", None)],
)  # fmt: skip
def test_what_a_network_gives_is_checked_first(name: str, problem: str | None, tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    write_pictures(tmp_path, "1.png")
    arguments = [
        str(tmp_path / "1.png"), "--model", f"{tmp_path}/nets.py:{name}", "--weights", "own", "--input", "64x48",
        "--device", "cpu", "--quiet", "--out", str(tmp_path / "out"),
    ]  # fmt: skip
    if problem is None:
        assert main(arguments) == 0
    else:
        with pytest.raises(InputError, match=problem):
            main(arguments)
        assert not list((tmp_path / "out").glob("*"))


def test_an_answer_for_one_image_alone_is_not_taken_for_all(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    write_pictures(tmp_path, "1.png")
    write_pictures(tmp_path, "2.png")
    model = ["--model", f"{tmp_path}/nets.py:alone", "--weights", "own", "--input", "64x48", "--device", "cpu"]
    with pytest.raises(InputError, match=r"nets.py:alone gives answers for 1 images of 2: one for each is needed"):
        main([str(tmp_path / "1.png"), str(tmp_path / "2.png"), *model, "--quiet", "--out", str(tmp_path / "out")])


def test_coordinates_in_pixels_are_warned_of(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    write_pictures(tmp_path, "1.png")
    model = ["--model", f"{tmp_path}/nets.py:pixels", "--weights", "own", "--input", "64x48", "--device", "cpu"]
    with pytest.warns(UserWarning, match="nets.py:pixels gives coordinates far outside the crop: shares of its width"):
        assert main([str(tmp_path / "1.png"), *model, "--quiet", "--out", str(tmp_path / "out")]) == 0
