"""Skeletons on pictures, by the real command, with the network that finds dots."""

import json
import re
import shutil
import warnings
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
    for image in ("139", "000000000139", 139.0):
        boxes.write_text(json.dumps([{"image_id": image, "bbox": [1, 0, 9, 9]}]))
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


@pytest.mark.parametrize("absolute", [True, False])
def test_the_folder_in_a_name_tells_pictures_apart_that_were_given_one_by_one(
    absolute: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    files = [(tmp_path if absolute else Path()) / "pictures" / name / "1.jpg" for name in ("cam0", "cam1")]
    write_pictures(tmp_path / "pictures", "cam0/1.jpg", "cam1/1.jpg")
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps({"cam1/1.jpg": [[2, 0, 9, 9]], "cam0/1.jpg": [[1, 0, 9, 9]]}))
    assert boxes_of(find(files, boxes)) == {"cam0/1.jpg": [1, 0, 9, 9], "cam1/1.jpg": [2, 0, 9, 9]}
    boxes.write_text(json.dumps({"1.jpg": [[2, 0, 9, 9]]}))
    with pytest.raises(InputError, match=r"which may be any of .*cam0/1.jpg, .*cam1/1.jpg"):
        find(files, boxes)


def annotate(file: Path, *people: dict, names: tuple[str, ...] = ("1.jpg", "2.jpg")) -> Path:
    """A file in COCO's format of some pictures."""
    images = [{"id": number, "file_name": name} for number, name in enumerate(names, 1)]
    everyone = [
        {"id": number, "image_id": 1, "category_id": 1, "iscrowd": 0, "bbox": [number, 0, 9, 9], **one}
        for number, one in enumerate(people, 1)
    ]
    categories = [{"id": 1, "name": "person"}, {"id": 2, "name": "dog"}]
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"images": images, "annotations": everyone, "categories": categories}))
    return file


def said(*arguments: object, **options: object) -> tuple[list, list[str]]:
    """What is looked at, and the warnings."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        looks = find(*arguments, **options)
    return looks, [str(one.message) for one in record]


def test_each_coco_folder_has_its_own_boxes_and_pictures_without_any_are_said(tmp_path: Path) -> None:
    pictures, in_layout = tmp_path / "pictures", "annotations/person_keypoints_val2017.json"
    folders = [pictures / "coco1", pictures / "coco2"]
    write_pictures(pictures, "my.jpg", *(f"{folder.name}/val2017/{n}.jpg" for folder in folders for n in (1, 2)))
    annotate(folders[0] / in_layout, {"bbox": [1, 0, 9, 9]}, {"image_id": 2, "bbox": [2, 0, 9, 9]})
    annotate(folders[1] / in_layout, {"bbox": [3, 0, 9, 9]}, {"bbox": [4, 0, 9, 9]})
    looks, warned = said([*folders, pictures / "my.jpg"], None)
    assert [(look.path.relative_to(pictures).as_posix(), look.box[0]) for look in looks] == [
        ("coco1/val2017/1.jpg", 1), ("coco1/val2017/2.jpg", 2), ("coco2/val2017/1.jpg", 3), ("coco2/val2017/1.jpg", 4),
    ]  # fmt: skip
    assert warned == [f"pictures without boxes, left out: 2, the first: {folders[1] / 'val2017' / '2.jpg'}"]
    # The folder's own pictures, given before it: they are the same.
    looks, warned = said([folders[0] / "val2017", folders[0]], None)
    assert (len(looks), warned) == (2, [])
    # Nobody in one of them is no error, and nobody in any is.
    annotate(folders[0] / in_layout)
    assert len(said(folders, None)[0]) == 2
    annotate(folders[1] / in_layout, {"iscrowd": 1})
    with pytest.raises(
        InputError, match=r"coco1.* no box for any.*: it names none; .*coco2.*: left out: 1 regions of c"
    ):
        find(folders, None)


def test_what_a_file_of_boxes_leaves_out_is_said(tmp_path: Path) -> None:
    pictures, boxes = tmp_path / "pictures", tmp_path / "boxes.json"
    write_pictures(pictures, "a.jpg", "b.jpg", "c.jpg")
    boxes.write_text('{"b.jpg": [[1, 0, 9, 9]], "c.jpg": []}')
    looks, warned = said([pictures], boxes)
    assert [look.path.name for look in looks] == ["b.jpg"]
    assert warned == [f"pictures without boxes, left out: 2, the first: {pictures / 'a.jpg'}"]
    boxes.write_text('{"b.jpg": [[1, 0, 9, 9]], "typo.jpg": []}')
    with pytest.raises(InputError, match=r"typo\.jpg, which is not among the pictures"):
        find([pictures], boxes)
    boxes.write_text('{"b.jpg": [], "c.jpg": []}')
    with pytest.raises(InputError, match=r"has no box for any of the pictures: nobody is in b.jpg, c.jpg$"):
        find([pictures], boxes)
    annotate(boxes, {}, {"image_id": 2}, {"category_id": 2}, names=("a.jpg", "far.jpg"))
    looks, warned = said([pictures / "a.jpg"], boxes)
    assert [look.box[0] for look in looks] == [1]
    assert warned == [
        f"{boxes}: left out: 1 annotations of other categories than person",
        f"{boxes}: left out: the boxes of 1 pictures that were not given, the first: far.jpg",
    ]


@pytest.mark.parametrize(
    ("box", "says"),
    [([9, 8, 40, 30], None), ([30, 25, 55, 38], "reach far beyond their picture: .* not two corners"),
     ([0.2, 0.3, 0.5, 0.5], "no larger than a pixel: .* not shares of the picture")],
)  # fmt: skip
def test_boxes_in_other_conventions_are_said(box: list, says: str | None, tmp_path: Path) -> None:
    """Before any work, whichever kind of file they are in; by the pictures, of which some may be damaged."""
    write_pictures(tmp_path / "pictures", "1.jpg", "2.jpg")
    (tmp_path / "pictures" / "3.jpg").write_bytes(b"")
    boxes = tmp_path / "boxes.json"
    for content in (
        {"1.jpg": [box], "2.jpg": [box, [1, 1, 9, 9]], "3.jpg": [[1, 1, 9, 9]]},
        [{"image_id": number, "bbox": box} for number in (1, 2)],
    ):
        boxes.write_text(json.dumps(content))
        _, warned = said([tmp_path / "pictures"], boxes)
        odd = [one for one in warned if "of the boxes" in one]
        assert re.search(f"boxes.json: (67|100)% of the boxes.*{says}", odd[0]) if says else odd == []


@pytest.mark.parametrize(("category", "text"), [(0, "0"), ("1", '"1"'), (2.5, "2.5"), ([1], "[1]")])
def test_detections_of_other_categories_are_said(category: object, text: str, tmp_path: Path) -> None:
    write_pictures(tmp_path, "1.jpg")
    boxes = tmp_path / "boxes.json"
    one = {"image_id": 1, "bbox": [1, 0, 9, 9], "category_id": category}
    boxes.write_text(json.dumps([one, {**one, "category_id": 18}, one]))
    says = (
        f"left out: 3 of 3 detections, whose category_id is {text} (2), 18 (1): people have the number 1, as in COCO, "
        "or no category_id"
    )
    with pytest.raises(InputError, match=re.escape(f"has no box for any of the pictures: {says}")):
        find([tmp_path / "1.jpg"], boxes)
    boxes.write_text(json.dumps([one, {**one, "category_id": 1}, {**one, "category_id": None}]))
    looks, warned = said([tmp_path / "1.jpg"], boxes)
    assert len(looks) == 2
    assert [f"left out: 1 of 3 detections, whose category_id is {text} (1): " in one for one in warned] == [True]


def test_boxes_without_joints_are_taken_and_people_without_among_others_are_counted(tmp_path: Path) -> None:
    write_pictures(tmp_path, "1.jpg")
    none, flat = [0] * 51, [5, 5, 2] * 17
    for people, taken, left in (
        ([{"num_keypoints": 0}], [1], 0),
        ([{"num_keypoints": 0, "keypoints": []}, {}], [1, 2], 0),
        ([{"num_keypoints": 0, "keypoints": none}] * 2, [1, 2], 0),
        ([{"num_keypoints": 17, "keypoints": flat}, {"num_keypoints": 0, "keypoints": none}], [1], 1),
        ([{"num_keypoints": 17, "keypoints": flat}, {"num_keypoints": 0}], [1, 2], 0),
    ):
        boxes = annotate(tmp_path / "boxes.json", *people, names=("1.jpg",))
        looks, warned = said([tmp_path / "1.jpg"], boxes)
        assert [look.box[0] for look in looks] == taken
        expected = f"{boxes}: left out: 1 people without a labelled joint, in a file that labels joints"
        assert warned == [expected] * left


def test_a_category_without_effect_is_refused(tmp_path: Path) -> None:
    write_pictures(tmp_path, "1.jpg")
    boxes, out = tmp_path / "boxes.json", tmp_path / "out"
    for content in (None, {"1.jpg": [[1, 0, 9, 9]]}, [{"image_id": 1, "bbox": [1, 0, 9, 9]}]):
        boxes.write_text(json.dumps(content))
        options = ["--boxes", str(boxes)] if content else []
        with pytest.raises(InputError, match=r"--category dog has no effect.*leave it out"):
            main([str(tmp_path / "1.jpg"), *options, "--category", "dog", "--out", str(out)])
    assert not out.exists()
    annotate(boxes, {"category_id": 2})
    assert len(find([tmp_path / "1.jpg"], boxes, category="dog")) == 1


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


def test_pictures_with_the_longest_names_are_drawn(tmp_path: Path) -> None:
    (tmp_path / "nets.py").write_text(NETWORKS)
    names = [f"{letters}.jpg" for letters in ("あ" * 80, "あ" * 83 + "a", "あ" * 83 + "b", "b" * 251, "é" * 125)]
    content = cv2.imencode(".jpg", np.zeros((40, 60, 3), np.uint8))[1].tobytes()
    for name in names:
        (tmp_path / name).write_bytes(content)
    model = ["--model", f"{tmp_path}/nets.py:double", "--weights", "own", "--input", "64x48", "--device", "cpu"]
    out = tmp_path / "out"
    assert main([*(str(tmp_path / name) for name in names), *model, "--quiet", "--out", str(out)]) == 0
    drawn = [one["drawn"] for one in json.loads((out / "predictions.json").read_text())["pictures"]]
    assert [name[:6] for name in drawn] == ["0001_あ", "0002_あ", "0003_あ", "0004_b", "0005_é"]
    assert drawn[0] == f"0001_{names[0]}"  # long enough for the name to write it under alone
    assert {path.name for path in out.iterdir()} == {*drawn, "grid.png", "predictions.json"}
    assert all(name.endswith(".jpg") for name in drawn)
