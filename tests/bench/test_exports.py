"""Sets in COCO's format as annotation tools export them: made up here, each with the habits of one tool."""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from bench.core.errors import InputError
from bench.core.results import read
from bench.core.skeletons import COCO
from bench.data import open_dataset
from bench.predict.pictures import find

Export = dict[str, Any]
KEYPOINTS = [float(value) for joint in range(17) for value in (12 + 2 * joint, 10 + 2 * joint, 1 + joint % 2)]
BOX = [10.0, 8.0, 40.0, 45.0]
NAMES = ["walk/one.png", "two.png"]


def plain() -> Export:
    """One person in each of two pictures."""
    return {
        "images": [
            {"id": number, "file_name": name, "width": 80, "height": 60} for number, name in enumerate(NAMES, 1)
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "bbox": BOX, "area": 900.0, "iscrowd": 0,
             "num_keypoints": 17, "keypoints": KEYPOINTS}
            for number in (1, 2)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints), "skeleton": []}],
    }  # fmt: skip


def cvat(export: Export) -> Export:
    """Licences and an info of empty texts; attributes; the box counts as the area; tracks of boxes of other labels."""
    export |= {"licenses": [{"name": "", "id": 0, "url": ""}], "info": {"contributor": "", "date_created": ""}}
    export["categories"].append({"id": 2, "name": "bicycle", "supercategory": ""})
    for annotation in export["annotations"]:
        annotation |= {"area": BOX[2] * BOX[3], "segmentation": [], "attributes": {"occluded": False}}
    export["annotations"].append({"id": 9, "image_id": 1, "category_id": 2, "bbox": [1, 2, 3, 4], "segmentation": []})
    return export


def label_studio(export: Export) -> Export:
    """Numbers from 0, backslashes, the folder of the pictures in their names, ``ignore``; no joint names."""
    for kind in ("images", "annotations"):
        for one in export[kind]:
            one["id"] -= 1
    for image in export["images"]:
        image["file_name"] = "images\\" + image["file_name"].replace("/", "\\")
    for annotation in export["annotations"]:
        annotation |= {"image_id": annotation["image_id"] - 1, "category_id": 0, "ignore": 0, "segmentation": []}
        del annotation["num_keypoints"]
    export["categories"] = [{"id": 0, "name": "person"}]
    return export


def coco_annotator(export: Export) -> Export:
    """True and false for crowds, paths on its own server, colours of joints, people without a joint."""
    for image in export["images"]:
        image |= {"path": f"/datasets/run/{image['file_name']}", "dataset_id": 3, "deleted": False, "regenerate": True}
    for annotation in export["annotations"]:
        annotation |= {"iscrowd": False, "isbbox": True, "color": "#aabbcc", "metadata": {}, "segmentation": [[]]}
    export["categories"][0] |= {"keypoint_colors": ["#bf5c4d"] * 17, "metadata": {}}
    nobody = {"id": 7, "image_id": 2, "num_keypoints": 0, "keypoints": [0] * 51}
    export["annotations"].append(export["annotations"][0] | nobody)
    return export


def roboflow(export: Export) -> Export:
    """A root category of the same name comes first; the pictures lie beside the file; licence by number."""
    export["info"] = {"year": "2026", "version": "1", "description": "Exported", "contributor": "", "url": ""}
    export["categories"].insert(0, {"id": 0, "name": "person", "supercategory": "none"})
    for image in export["images"]:
        image |= {"license": 1, "date_captured": "2026-01-01T00:00:00+00:00"}
    return export


def via(export: Export) -> Export:
    """No sizes of pictures, no area, no crowds; numbers without a fraction; a byte-order mark."""
    for image in export["images"]:
        image |= {"width": -1, "height": -1}
    for annotation in export["annotations"]:
        del annotation["area"], annotation["iscrowd"], annotation["num_keypoints"]
        annotation |= {"bbox": [int(value) for value in BOX], "keypoints": [int(value) for value in KEYPOINTS]}
    return export


def supervisely(export: Export) -> Export:
    """A category of one's own name; null where there is nothing."""
    export["categories"] = [{"id": 5, "name": "human_pose", "supercategory": None, "keypoints": list(COCO.joints)}]
    for annotation in export["annotations"]:
        annotation |= {"category_id": 5, "iscrowd": None, "area": None}
    return export


TOOLS = [plain, cvat, label_studio, coco_annotator, roboflow, via, supervisely]


def write(folder: Path, tool: Callable[[Export], Export]) -> tuple[Path, dict[str, Any]]:
    """The export with its pictures, and what has to be said to read it."""
    (folder / "images" / "walk").mkdir(parents=True)
    for number, name in enumerate(NAMES):
        cv2.imwrite(str(folder / "images" / name), np.full((60, 80, 3), 90 * number, np.uint8))
    export = plain() if tool is plain else tool(plain())
    beside = tool is roboflow
    file = (folder / "images" if beside else folder) / f"{tool.__name__}.json"
    file.write_bytes(json.dumps(export).encode("utf-8-sig" if tool is via else "utf-8"))
    options = {} if beside else {"pictures": folder / "images"}
    return file, options | ({"category": "human_pose"} if tool is supervisely else {})


@pytest.mark.parametrize("tool", TOOLS, ids=lambda tool: tool.__name__)
@pytest.mark.filterwarnings("ignore:.*is missing for|.*have no width and height")
def test_an_export_is_read_as_it_is(tool: Callable[[Export], Export], tmp_path: Path) -> None:
    """The same people, boxes and joints whoever exported them; scored without a change of the file."""
    file, options = write(tmp_path, tool)
    dataset = open_dataset("coco", annotations=file, **options)
    assert dataset.name == f"{tool.__name__} (2 pictures)"
    assert len(dataset) == 2
    for index, shade in enumerate((0, 90)):
        picture, person = dataset.load(index)
        assert picture.shape == (60, 80, 3)
        assert picture[0, 0, 0] == shade
        assert person.box == (10, 8, 39, 44)
        assert np.column_stack([person.joints, person.visible]).flatten().tolist() == KEYPOINTS
    found = [
        {"index": index, "image_id": dataset.person(index).image_id, "bbox_score": 1.0, "size_px": [50, 56],
         "keypoints": [[*joint, 1.0] for joint in dataset.person(index).joints.tolist()]}
        for index in range(2)
    ]  # fmt: skip
    assert dataset.score(found)["ap"] == 1
    looks = find([tmp_path / "images"], file, category=options.get("category"))
    assert [(look.path.name, look.box) for look in looks] == [("two.png", tuple(BOX)), ("one.png", tuple(BOX))]


def test_the_command_takes_an_export(dots: Path, tmp_path: Path, command) -> None:
    """From file and folder to a record that goes by the file's name, with detections of further pictures left out."""
    held = json.loads((dots / "annotations" / "person_keypoints_val2017.json").read_text())
    held["images"] = held["images"][:14]
    held["categories"][0]["name"] = "dancer"
    for image in held["images"]:
        del image["width"], image["height"]
    (tmp_path / "dancers.json").write_text(json.dumps(held))
    boxes = [
        {"image_id": one["image_id"], "category_id": 1, "bbox": one["bbox"], "score": 0.9}
        for one in held["annotations"]
    ]
    (tmp_path / "boxes.json").write_text(json.dumps([*boxes, boxes[0] | {"image_id": 999}]))
    arguments = [
        "bench.accuracy", "--models", f"{dots}/finder.py:finder", "--weights", "own", "--no-flip", "--device", "cpu",
        "--results", str(tmp_path / "r"), "--workers", "0", "--annotations", str(tmp_path / "dancers.json"),
        "--images", str(dots / "val2017"), "--category", "dancer", "--detections", str(tmp_path / "boxes.json"),
    ]  # fmt: skip
    done = command(*arguments)
    assert done.returncode == 2
    assert done.stderr.splitlines()[-1].endswith("--subset leaves such detections out")
    done = command(*arguments, "--subset")
    assert done.returncode == 0, done.stderr
    (record,) = read(tmp_path / "r")
    assert record.dataset == "dancers (14 pictures)"
    assert record.weights == "own"
    assert record.notes["left_out"] == {"in a picture outside the set": 1}
    assert record.metrics["ap"] > 0.8
    assert "mean nothing" not in done.stderr
    done = command(*arguments[:-4], "--category", "person")
    assert done.returncode == 2
    assert "no category 'person' (there is: dancer)" in done.stderr


@pytest.mark.parametrize(
    ("options", "problem"),
    [
        ({"root": True}, "--annotations takes the place of --data-root"),
        ({"test_dev": True}, "--annotations takes the place of --data-root, and of --test-dev"),
        ({"pictures": Path("nowhere")}, "no folder nowhere: put the pictures of plain.json there"),
        ({"category": "dog"}, r"no category 'dog' \(there is: person\)"),
    ],
)
def test_what_does_not_go_together_is_said(options: dict[str, Any], problem: str, tmp_path: Path) -> None:
    file, usual = write(tmp_path, plain)
    options = copy.deepcopy(options)
    root = tmp_path if options.pop("root", False) else None
    with pytest.raises(InputError, match=problem):
        open_dataset("coco", root, annotations=file, **(usual | options))
    with pytest.raises(InputError, match="mpii has a format of its own"):
        open_dataset("mpii", annotations=file)
