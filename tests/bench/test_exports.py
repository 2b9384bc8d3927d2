"""Sets in COCO's format as annotation tools export them: made up here, each with the habits of one tool."""

import copy
import json
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from PIL import Image, ImageOps

from bench.accuracy import evaluation
from bench.core.errors import InputError
from bench.core.results import read
from bench.core.skeletons import COCO
from bench.data import open_dataset
from bench.data.annotations import read_annotations
from bench.data.dataset import ImageError
from bench.data.registry import entry_of
from bench.pipeline.sources import Pictures as Frames
from bench.pipeline.sources import boxes_from_file
from bench.predict.pictures import Pictures as Predicted
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
@pytest.mark.filterwarnings("ignore:.*is missing for|.*have no width and height|.*joints have no names")
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


def warned(work: Callable[[], Any]) -> tuple[Any, list[str]]:
    """What comes of it, and the warnings."""
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        done = work()
    return done, [str(one.message) for one in record]


def opened(folder: Path, export: Export, **options: Any) -> tuple[Any, list[str]]:
    """The export as a data set, and the warnings."""
    (folder / "images" / "walk").mkdir(parents=True, exist_ok=True)
    for name in NAMES:
        cv2.imwrite(str(folder / "images" / name), np.zeros((60, 80, 3), np.uint8))
    (folder / "export.json").write_text(json.dumps(export))
    options = {"pictures": folder / "images"} | options
    return warned(lambda: open_dataset("coco", annotations=folder / "export.json", **options))


@pytest.mark.parametrize("box", [None, [], [0.0, 0.0, 0.0, 0.0]], ids=["missing", "empty", "zero"])
def test_who_annotates_joints_alone_gets_the_boxes_around_them(box: list[float] | None, tmp_path: Path) -> None:
    """As COCO Annotator and FiftyOne write them; evaluation and prediction look into the same boxes."""
    export = plain()
    first, second = export["annotations"]
    joints = [500, 500, 0, *KEYPOINTS[3:-3], 44, 0, 0]
    first |= {"bbox": box, "area": 0, "keypoints": joints, "num_keypoints": 15}
    point = {"keypoints": [12.0, 10.0, 2, *[0] * 48], "num_keypoints": 1}
    export["annotations"].append(first | point | {"id": 3})
    dataset, said = opened(tmp_path, export)
    assert said[:2] == [
        "export.json: bbox is missing or has no size for 2 of 3 people: taken around the labelled joints",
        "export.json: area is 0 for 1 of 3 people: taken from the box",
    ]
    around = [14.0, 12.0, 28.0, 28.0]  # without the first joint and the last, which are not labelled
    assert dataset.truth.boxes[0].tolist() == around
    assert dataset.truth.areas.tolist() == [28.0 * 28.0, second["area"], 0]
    assert [dataset.person(index).box for index in range(2)] == [(14, 12, 27, 27), (10, 8, 39, 44)]
    assert dataset.left_out == {"box without size": 1}
    looks, said = warned(lambda: find([tmp_path / "images"], tmp_path / "export.json"))
    assert [look.box for look in looks] == [tuple(BOX), tuple(around)]
    assert any("left out: 1 boxes without size" in one for one in said)
    # In published sets a box of 0 is what it says.
    annotations = read_annotations({**export, "annotations": [first | {"bbox": [0, 0, 0, 0], "area": 0}]})
    assert (annotations.boxes.tolist(), annotations.areas.tolist()) == ([[0, 0, 0, 0]], [0])
    del first["keypoints"], first["num_keypoints"]
    first["bbox"] = None
    with pytest.raises(InputError, match="annotation 1: lacks bbox"):
        opened(tmp_path, export)


def test_people_whose_joints_nobody_annotated_are_left_out_and_counted(tmp_path: Path) -> None:
    """Outlines beside poses, as COCO Annotator and Datumaro write them: the first of the file too."""
    export = plain()
    whole, _ = opened(tmp_path, export)
    bare = {key: value for key, value in export["annotations"][0].items() if key not in ("keypoints", "num_keypoints")}
    more = [{}, {"keypoints": None}, {"keypoints": []}, {"num_keypoints": 0}]
    export["annotations"] = [
        *(bare | one | {"id": 10 + number, "bbox": [number, 5, 9, 9]} for number, one in enumerate(more)),
        *export["annotations"],
    ]
    dataset, said = opened(tmp_path, export)
    assert "export.json: keypoints is missing for 4 of 6 people: taken as people without a labelled joint" in said
    assert dataset.left_out == {"no labelled joint": 4}
    found = [
        {"index": 0, "image_id": 1, "bbox_score": 1, "size_px": [50, 56],
         "keypoints": [[x, y, 1] for x, y in dataset.person(0).joints.tolist()]}
    ]  # fmt: skip
    assert dataset.score(found) == whole.score(found)  # they do not count as people to be found
    export["annotations"][0]["num_keypoints"] = 4
    with pytest.raises(InputError, match="annotation 10: lacks keypoints"):
        opened(tmp_path, export)
    export["annotations"] = export["annotations"][1:4]
    with pytest.raises(InputError, match=r"export.json: nobody has keypoints: annotations of joints are needed"):
        opened(tmp_path, export)


def test_numbers_of_joints_that_contradict_them_are_said(tmp_path: Path) -> None:
    export = plain()
    export["annotations"].append(export["annotations"][0] | {"id": 3, "keypoints": [0] * 51})
    dataset, said = opened(tmp_path, export)
    assert said == [
        "export.json: num_keypoints is above 0 for 1 people without a labelled joint: not looked at, and counted as "
        "people who were not found, as by COCO's own tools"
    ]
    found = [
        {"index": index, "image_id": index + 1, "bbox_score": 1, "size_px": [50, 56],
         "keypoints": [[x, y, 1] for x, y in dataset.person(index).joints.tolist()]}
        for index in range(len(dataset))
    ]  # fmt: skip
    assert (len(dataset), dataset.score(found)["ar"]) == (2, pytest.approx(2 / 3))


@pytest.mark.parametrize(
    "nothing", [[None, None, 0], [float("nan"), float("nan"), 0], [None] * 3, [float("nan")] * 3, ["", "", 0]]
)
def test_places_of_joints_that_are_not_labelled_do_not_matter(nothing: list[Any], tmp_path: Path) -> None:
    """As tools for tables write what is missing; of a labelled joint, a place is needed."""
    export = plain()
    export["annotations"][0] |= {"keypoints": [*nothing, *KEYPOINTS[3:]], "num_keypoints": 16}
    dataset, said = opened(tmp_path, export)
    assert said == []
    assert dataset.truth.keypoints[:, 0].tolist() == [[0, 0, 0], KEYPOINTS[:3]]
    assert dataset.truth.keypoints[0, 1:].flatten().tolist() == KEYPOINTS[3:]
    export["annotations"][0]["keypoints"] = [*nothing[:2], 2, *KEYPOINTS[3:]]
    with pytest.raises(InputError, match=r"annotation 1: keypoints (holds no numbers|is not finite)"):
        opened(tmp_path, export)


def test_a_visibility_of_0_for_joints_that_have_a_place_is_said(tmp_path: Path) -> None:
    export = plain()
    for annotation in export["annotations"]:
        annotation["keypoints"] = [0 if place % 3 == 2 and place > 18 else v for place, v in enumerate(KEYPOINTS)]
        annotation["num_keypoints"] = 6
    dataset, said = opened(tmp_path, export)
    assert len(dataset) == 2
    assert said == [
        "export.json: 65% of the joints that have a place have a visibility of 0, and count as not labelled: 1 is "
        "needed for hidden and 2 for visible ones"
    ]
    for annotation in export["annotations"]:
        annotation["keypoints"][21:] = [0] * 30
    assert opened(tmp_path, export)[1] == []


def test_coordinates_of_smaller_pictures_are_said(tmp_path: Path) -> None:
    """Joints and boxes agree, and are in percent, or of pictures that were made smaller to be annotated."""
    export, _ = crowd(12)
    for annotation in export["annotations"]:
        annotation["keypoints"] = [
            v for _ in range(17) for v in (annotation["bbox"][0] + 5, annotation["bbox"][1] + 5, 2)
        ]
    assert opened(tmp_path, export)[1] == []
    for annotation in export["annotations"]:
        for key in ("bbox", "keypoints"):
            annotation[key] = [v if key == "keypoints" and place % 3 == 2 else v / 2.1
                               for place, v in enumerate(annotation[key])]  # fmt: skip
        annotation["area"] /= 4
    (said,) = opened(tmp_path, export)[1]
    assert said.startswith("export.json: none of the 12 people reaches beyond the left 3")
    assert said.endswith("in pixels of the pictures as they are, and not of smaller ones or in percent")


def test_ids_of_pictures_may_be_texts(tmp_path: Path) -> None:
    """Names, as converters of one's own take them: read, scored and written as they are."""
    export, boxes = crowd(4)
    expected, _ = opened(tmp_path, export)
    for one in export["images"]:
        one["id"] = f"frame_{one['id']}"
    for one in (*export["annotations"], *boxes):
        one["image_id"] = f"frame_{one['image_id']}"
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    for options in ({}, {"detections": tmp_path / "boxes.json"}, {"limit": 1}):
        dataset, said = opened(tmp_path, export, **options)
        assert [one for one in said if "outside" not in one] == []
        images = [2 if one["image_id"] == "frame_2" else 1 for one in export["annotations"]]
        assert [dataset.person(index).image_id for index in range(len(dataset))] == sorted(images)[: len(dataset)]
    dataset, _ = opened(tmp_path, export)
    found = [
        {"index": index, "image_id": expected.person(index).image_id, "bbox_score": 1 - index / 9, "size_px": [50, 56],
         "keypoints": [[x, y, 1] for x, y in expected.person(index).joints.tolist()]}
        for index in range(4)
    ]  # fmt: skip
    assert dataset.score(found) == expected.score(found)
    written, numbers = (evaluation._results(one, found) for one in (dataset, expected))
    assert written == [one | {"image_id": f"frame_{one['image_id']}"} for one in numbers]
    assert len(find([tmp_path / "images"], tmp_path / "export.json")) == 4
    for kind, name, problem in (
        ("images", 7, r"image frame_1: id is not a whole number"), ("images", "frame_1", "this id occurs twice"),
        ("annotations", 2, "image_id is 2, and the ids of images are texts"),
        ("annotations", "frame_3", 'annotation 1: image_id "frame_3" is not in export.json'),
    ):  # fmt: skip
        changed = copy.deepcopy(export)
        changed[kind][1]["id" if kind == "images" else "image_id"] = name
        with pytest.raises(InputError, match=problem):
            opened(tmp_path, changed)
    for name, problem in (
        (2, "image_id is 2, and the ids of export.json are texts"),
        ("x", 'image_id "x" is not in export.json; --subset'),
    ):
        (tmp_path / "boxes.json").write_text(json.dumps([boxes[0], boxes[1] | {"image_id": name}]))
        with pytest.raises(InputError, match=problem):
            opened(tmp_path, export, detections=tmp_path / "boxes.json")


def test_ids_of_annotations_may_be_texts(tmp_path: Path) -> None:
    """They say nothing, but that each person is another."""
    export = plain()
    for annotation, name in zip(export["annotations"], ("a1f-09", 2), strict=True):
        annotation["id"] = name
    assert len(opened(tmp_path, export)[0]) == 2
    for name, problem in (
        ("a1f-09", "annotation a1f-09: this id occurs twice"),
        ([2], "id .2. is neither a number nor"),
    ):
        export["annotations"][1]["id"] = name
        with pytest.raises(InputError, match=problem):
            opened(tmp_path, export)


def test_joints_without_names_are_said_to_be_taken_as_cocos(tmp_path: Path) -> None:
    """As CVAT numbers them, and Label Studio leaves them out."""
    for names in (None, [], [str(number) for number in range(1, 18)], list(range(17))):
        export = plain()
        export["categories"][0]["keypoints"] = names
        dataset, said = opened(tmp_path, export)
        assert dataset.skeleton == COCO
        assert said == ["export.json, category 1: its joints have no names: taken as COCO's 17 in COCO's order"]


@pytest.mark.parametrize("written", [float, str, {1: 1, 2: "2", 17: 17.0}.get])
def test_whole_numbers_may_be_written_as_fractions_and_texts(written: Callable[[int], Any], tmp_path: Path) -> None:
    """As pandas writes a column that had a gap, and tools whose ids are keys of objects; 7.5 is none."""
    export = plain()
    for one in (*export["images"], *export["annotations"], *export["categories"]):
        for key in {"id", "image_id", "category_id", "iscrowd", "num_keypoints", "width", "height"} & set(one):
            one[key] = one[key] if written(one[key]) is None else written(one[key])
    dataset, said = opened(tmp_path, export)
    assert (len(dataset), said) == (2, [])
    assert [dataset.person(index).image_id for index in range(2)] == [1, 2]
    assert len(find([tmp_path / "images"], tmp_path / "export.json")) == 2
    boxes = tmp_path / "boxes.json"
    boxes.write_text(json.dumps([{"image_id": 2.0, "bbox": BOX, "category_id": 1.0, "score": 1}]))
    cv2.imwrite(str(tmp_path / "0002.png"), np.zeros((60, 80, 3), np.uint8))
    assert [look.box for look in find([tmp_path / "0002.png"], boxes)] == [tuple(BOX)]
    for bad in (7.5, 1e300, 2.0**53, "7.5", "", "1e3", "9" * 19):
        export["annotations"][0]["image_id"] = bad
        with pytest.raises(InputError, match=r"annotation 1(.0)?: image_id is not a whole number"):
            opened(tmp_path, export)


# Where a tool puts pictures that it calls NAMES, and what it calls them; both in one folder.
LAYOUTS = {
    "subsets": (["default/walk/one.png", "default/two.png"], NAMES),
    "names alone": (["run/a/one.png", "run/b/two.png"], ["one.png", "two.png"]),
    "addresses": (["my walk/one 1.png", "zwei ä.png"], ["my%20walk/one%201.png", "zwei%20%C3%A4.png"]),
    "server": (["one.png", "walk/two.png"], ["upload/3/one.png", "https://server/data/walk/two.png"]),
    "no ending": (["walk/one.png", "two.JPG"], ["walk/one", "two"]),
    "decomposed": (["u\u0308ber/one.png", "zwo\u0308lf.png"], ["\u00fcber/one.png", "zw\u00f6lf.png"]),
    "capitals": (["Walk/ONE.JPG", "two.PNG"], ["walk/one.jpg", "Two.png"]),
    "own folder": (["walk/one.png", "two.png"], ["images/walk/one.png", "images\\two.png"]),
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_pictures_are_found_where_tools_put_them(layout: str, tmp_path: Path) -> None:
    """By one rule for people to evaluate, and for boxes to predict in."""
    places, names = LAYOUTS[layout]
    folder = tmp_path / "images"
    for number, place in enumerate(places):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / place), np.full((60, 80, 3), 90 * number, np.uint8))
    export = plain()
    for image, name in zip(export["images"], names, strict=True):
        image["file_name"] = name
    file = tmp_path / "export.json"
    file.write_text(json.dumps(export))
    dataset, said = warned(lambda: open_dataset("coco", annotations=file, pictures=folder))
    assert [int(dataset.load(index)[0][0, 0, 0]) for index in range(2)] == pytest.approx([0, 90], abs=3)
    expected = [] if layout == "own folder" else ["export.json: 2 pictures are elsewhere in"]
    assert [one[: len(expected[0])] for one in said] == expected
    assert {look.path for look in find([folder], file)} == {folder / place for place in places}
    # What a picture holds belongs to the set, wherever it lies.
    cv2.imwrite(str(folder / places[1]), np.random.RandomState(0).randint(0, 255, (60, 80, 3)).astype(np.uint8))
    again, _ = warned(lambda: open_dataset("coco", annotations=file, pictures=folder))
    assert again.fingerprint != dataset.fingerprint


def test_pictures_that_may_be_several_are_missing(tmp_path: Path) -> None:
    """Nobody gets the picture of another, and a folder without any is said before any work."""
    folder = tmp_path / "images"
    export = plain()
    export["images"][0]["file_name"] = "cam0/one.png"
    export["images"][1]["file_name"] = "cam1/one.png"
    for place in ("one.png", "deep/two.png"):
        (folder / place).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / place), np.zeros((60, 80, 3), np.uint8))
    file = tmp_path / "export.json"

    def load(*names: str) -> Any:
        for image, name in zip(export["images"], names, strict=True):
            image["file_name"] = name
        file.write_text(json.dumps(export))
        dataset, _ = warned(lambda: open_dataset("coco", annotations=file, pictures=folder))
        return dataset.load(0)

    assert load("two.png", "one.png")[0].shape == (60, 80, 3)
    with pytest.raises(ImageError, match=r"no picture .*cam0/one.png"):  # that one is another's
        load("cam0/one.png", "one.png")
    with pytest.raises(InputError, match=r"images has none of the 2 pictures of export.json, such as \"cam0/one.png\""):
        load("cam0/one.png", "cam1/one.png")  # one of them, and which?
    (folder / "more").mkdir()
    cv2.imwrite(str(folder / "more" / "two.png"), np.zeros((60, 80, 3), np.uint8))
    with pytest.raises(ImageError, match=r"no picture .*images/two.png"):
        load("two.png", "one.png")
    (folder / "more" / "two.png").unlink()
    outside = tmp_path / "outside.png"
    (folder / "deep" / "two.png").rename(outside)
    (folder / "deep" / "two.png").symlink_to(outside)
    with pytest.raises(ImageError, match="leads out of"):
        load("two.png", "one.png")


def test_a_picture_that_is_listed_twice_is_said(tmp_path: Path) -> None:
    """As where an export drops the folders of its pictures: two pictures become one."""
    export = plain()
    export["images"][1]["file_name"] = NAMES[0]
    _, said = opened(tmp_path, export)
    assert said == [
        'export.json, image 2: its file_name "walk/one.png" is that of image 1 too, 1 such in all: their people are '
        "looked for in the same picture; if there is one of the name in several folders, file_name needs the folder"
    ]


def crowd(count: int) -> tuple[Export, list[dict[str, Any]]]:
    """Several people in each of two pictures, and what a good detector finds of them."""
    export, rng = plain(), np.random.RandomState(3)
    person = export["annotations"][0]
    export["annotations"] = []
    for number in range(count):
        box = [*rng.uniform(20, 30, 2), *rng.uniform(25, 30, 2)]
        export["annotations"].append(person | {"id": number, "image_id": 1 + number % 2, "bbox": box, "area": 400.0})
    boxes = [
        {"image_id": one["image_id"], "category_id": 1, "score": 0.9,
         "bbox": [value + rng.uniform(-1, 1) for value in one["bbox"]]}
        for one in export["annotations"]
    ]  # fmt: skip
    return export, boxes


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda x, y, width, height: [x, y, width, height], None),
        (lambda x, y, width, height: [x, y, x + width, y + height], "and not two corners"),
        (lambda x, y, width, height: [x + width / 2, y + height / 2, width, height], "overlaps"),
        (lambda x, y, width, height: [x / 80, y / 60, width / 80, height / 60], "overlaps"),
        (lambda *box: [value / 2 for value in box], "overlaps"),
    ],
    ids=["right", "corners", "centres", "shares", "scaled"],
)
def test_detections_in_other_conventions_are_said(change: Callable[..., Any], says: str | None, tmp_path: Path) -> None:
    export, boxes = crowd(2)
    changed = [one | {"bbox": change(*one["bbox"])} for one in boxes]
    (tmp_path / "boxes.json").write_text(json.dumps(changed))
    dataset, said = opened(tmp_path, export, detections=tmp_path / "boxes.json")
    assert len(dataset) == len(boxes)
    about = [one for one in said if one.startswith("boxes.json")]
    assert any(says in one for one in about) if says else about == []


def test_detections_of_other_numbering_are_said(tmp_path: Path) -> None:
    """Numbers that a detector took from names of files, where the annotations count otherwise."""
    export, boxes = crowd(2)
    for number, box in enumerate(([5.0, 5.0, 20.0, 30.0], [50.0, 25.0, 25.0, 30.0])):
        export["annotations"][number]["bbox"] = boxes[number]["bbox"] = box
        boxes[number]["image_id"] = 2 - number
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    _, said = opened(tmp_path, export, detections=tmp_path / "boxes.json")
    (about,) = [one for one in said if one.startswith("boxes.json")]
    assert about.startswith("boxes.json: only 0 of the 2 annotated people in its pictures have a box that overlaps")
    assert "image_id must be that of export.json" in about


def test_detections_that_name_their_pictures(tmp_path: Path) -> None:
    """By names without endings, as Ultralytics writes them, or whole ones; without a category, all are people."""
    export, boxes = crowd(4)
    expected, _ = opened(tmp_path, export)
    for names in (("one", "two"), ("walk/one.png", "two.png"), ("walk\\one", "two.png"), ("one", "2")):
        named = [{"image_id": names[one["image_id"] - 1], "bbox": one["bbox"], "score": one["score"]} for one in boxes]
        (tmp_path / "boxes.json").write_text(json.dumps(named))
        dataset, said = opened(tmp_path, export, detections=tmp_path / "boxes.json")
        assert [one for one in said if one.startswith("boxes")] == []
        assert [dataset.person(index).image_id for index in range(4)] == [1, 1, 2, 2]
        assert len(find([tmp_path / "images"], tmp_path / "boxes.json")) == (2 if names[1] == "2" else 4)
    assert dataset.truth.image_ids.tolist() == expected.truth.image_ids.tolist()
    named[1]["image_id"] = "three"
    (tmp_path / "boxes.json").write_text(json.dumps(named))
    with pytest.raises(InputError, match=r'detection at position 1: image_id "three" is not in export.json; --subset'):
        opened(tmp_path, export, detections=tmp_path / "boxes.json")
    dataset, _ = opened(tmp_path, export, detections=tmp_path / "boxes.json", subset=True)
    assert (len(dataset), dataset.left_out) == (3, {"in a picture outside the set": 1})
    for names, name in ((("walk/two.png", "run/two.png"), "two"), (("2.png", "two.png"), "2")):
        for image, file in zip(export["images"], names, strict=True):
            image["file_name"] = file
            (tmp_path / "images" / file).parent.mkdir(exist_ok=True)
            cv2.imwrite(str(tmp_path / "images" / file), np.zeros((60, 80, 3), np.uint8))
        (tmp_path / "boxes.json").write_text(json.dumps([one | {"image_id": name} for one in named]))
        with pytest.raises(InputError, match=rf'image_id "{name}" may be any of the images 1, 2 in export.json: give'):
            opened(tmp_path, export, detections=tmp_path / "boxes.json")


def test_detections_of_another_category_say_which_is_meant(tmp_path: Path) -> None:
    export, boxes = crowd(3)
    (tmp_path / "boxes.json").write_text(json.dumps([one | {"category_id": 0} for one in boxes]))
    with pytest.raises(
        InputError,
        match=r"nobody to look at \(3 not a person\): category_id is 0 \(3\), and that of the people in "
        r"export.json is 1$",
    ):
        opened(tmp_path, export, detections=tmp_path / "boxes.json")


@pytest.mark.parametrize("orientation", [1, 6, 8])
def test_boxes_drawn_on_a_picture_as_stored_are_looked_into_there(orientation: int, tmp_path: Path) -> None:
    """Where a tool did not turn a picture as its EXIF data ask: by evaluation, prediction and pipeline alike."""
    path, exif = tmp_path / "two.jpg", Image.Exif()
    exif[0x0112] = orientation
    shades = np.add.outer(np.arange(60), 2 * np.arange(80)).astype(np.uint8)
    Image.fromarray(shades).save(path, exif=exif, quality=98)
    with Image.open(path) as picture:
        stored, upright = (np.asarray(one.convert("RGB")) for one in (picture, ImageOps.exif_transpose(picture)))
    export = plain()
    export["images"], export["annotations"] = export["images"][1:], export["annotations"][1:]
    export["images"][0]["file_name"] = path.name
    file = tmp_path / "export.json"
    for width, height in ((80, 60), (60, 80)):
        export["images"][0] |= {"width": width, "height": height}
        file.write_text(json.dumps(export))
        expected = stored if (width, height) == (80, 60) else upright
        (look,) = find([path], file)
        frames = boxes_from_file(file, 1, {path: path.name})
        readers = (
            open_dataset("coco", annotations=file).load,
            lambda number, look=look: Predicted([look], entry_of("coco")).load(number),
            lambda number, frames=frames: [Frames([path], frames.sizes).read(number)[:, :, ::-1]],
        )
        for load in readers:
            if expected.shape != (height, width, 3):
                with pytest.raises(ImageError, match=r"two.jpg is 80x60, and the annotations say 60x80"):
                    load(0)
            else:
                np.testing.assert_array_equal(load(0)[0], expected)


def test_the_command_takes_an_export(dots: Path, tmp_path: Path, command) -> None:
    """From file and folder to a record that goes by the file's name, with detections of further pictures left out."""
    held = json.loads((dots / "annotations" / "person_keypoints_val2017.json").read_text())
    held["images"] = held["images"][:14]
    held["categories"][0] |= {"name": "dancer", "id": 7}
    for annotation in held["annotations"]:
        annotation["category_id"] = 7
    for image in held["images"]:
        del image["width"], image["height"]
    (tmp_path / "dancers.json").write_text(json.dumps(held))
    boxes = [
        {"image_id": one["image_id"], "category_id": 7, "bbox": one["bbox"], "score": 0.9}
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
    # As COCO's tools read them with the annotations: by the category that these have.
    predictions = json.loads((tmp_path / "r" / "predictions" / record.notes["predictions"]).read_text())
    assert {one["category_id"] for one in predictions} == {7}
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
