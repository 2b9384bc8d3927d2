"""Data sets as they lie on disk: what is read, and what is refused with which words."""

import copy
import io
import json
import os
import re
import shutil
import warnings
import zlib
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageOps

from bench.accuracy.coco import score_coco
from bench.core.errors import InputError
from bench.core.skeletons import COCO
from bench.data import box_to_crop, open_dataset, pictures
from bench.data.annotations import read_annotations
from bench.data.coco import CocoDataset
from bench.data.dataset import ImageError
from bench.data.json_files import read_json
from bench.data.mpii import MpiiDataset
from bench.data.skeleton_files import read_skeleton
from bench.model_files.description import read_sidecar
from bench.pipeline.detectors import Sidecar
from bench.predict.pictures import find

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "pipeline.json").read_text())
COLOURS = cv2.GaussianBlur(np.random.RandomState(0).randint(0, 256, (60, 80, 3)).astype(np.uint8), (0, 0), 4)
COLOURS = cv2.normalize(COLOURS, None, 0, 255, cv2.NORM_MINMAX)  # smooth, so that JPEG hardly changes it


# ---- pictures


def encode(image: Image.Image, form: str = "JPEG", **options: object) -> bytes:
    file = io.BytesIO()
    image.save(file, form, **({"quality": 98, "subsampling": 0} if form == "JPEG" else {}) | options)
    return file.getvalue()


def png16(pixels: np.ndarray) -> bytes:
    return cv2.imencode(".png", pixels.astype(np.uint16) * 257)[1].tobytes()


RGB = Image.fromarray(COLOURS)
GREY = np.repeat(np.asarray(RGB.convert("L"))[:, :, None], 3, axis=2)
PALETTE = RGB.quantize(200)
FORMS = {
    "colour.jpg": (encode(RGB), COLOURS),
    "progressive.jpg": (encode(RGB, progressive=True), COLOURS),
    # A whole picture, with an end marker, lies in a comment, as thumbnails do in EXIF data.
    "thumbnail.jpg": (encode(RGB, comment=encode(RGB.resize((16, 12)))), COLOURS),
    "grey.jpg": (encode(RGB.convert("L")), GREY),
    "cmyk.jpg": (encode(RGB.convert("CMYK")), COLOURS),
    "grey16.png": (png16(GREY[:, :, 0]), GREY),
    "colour16.png": (png16(COLOURS[:, :, ::-1]), COLOURS),
    "alpha16.png": (png16(np.dstack([COLOURS[:, :, ::-1], GREY[:, :, :1]])), COLOURS),
    "palette.png": (encode(PALETTE, "PNG"), np.asarray(PALETTE.convert("RGB"))),
    "palette_alpha.png": (encode(PALETTE, "PNG", transparency=bytes(range(200))), np.asarray(PALETTE.convert("RGB"))),
    "alpha.png": (encode(Image.merge("RGBA", (*RGB.split(), RGB.getchannel(0))), "PNG"), COLOURS),
    "grey_alpha.png": (encode(RGB.convert("LA"), "PNG"), GREY),
    "colour.webp": (encode(RGB, "WEBP", lossless=True), COLOURS),
}  # fmt: skip


@pytest.mark.parametrize("name", FORMS)
def test_every_form_becomes_rgb(name: str, tmp_path: Path) -> None:
    data, expected = FORMS[name]
    path = tmp_path / name
    path.write_bytes(data)
    picture = pictures.read(path)
    assert picture.dtype == np.uint8
    assert picture.flags.c_contiguous
    difference = np.abs(picture.astype(int) - expected).max(initial=0)
    assert difference <= (8 if name.endswith("jpg") else 0)
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(ImageError, match=f"{name} is cut short or damaged"):
        pictures.read(path)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_pictures_stand_as_their_annotations_say(orientation: int, tmp_path: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    path = tmp_path / "turned.jpg"
    path.write_bytes(encode(RGB, exif=exif))
    with Image.open(path) as stored:
        raw, upright = np.asarray(stored), np.asarray(ImageOps.exif_transpose(stored))
    turned = upright.shape != raw.shape
    np.testing.assert_array_equal(pictures.read(path), upright)
    np.testing.assert_array_equal(pictures.read(path, (60, 80) if turned else (80, 60)), upright)
    if turned:
        np.testing.assert_array_equal(pictures.read(path, (80, 60)), raw)
    with pytest.raises(ImageError, match=r"turned.jpg is \d+x\d+, and the annotations say 81x60"):
        pictures.read(path, (81, 60))


DAMAGEABLE = [FORMS[name][0] for name in ("thumbnail.jpg", "progressive.jpg", "alpha.png")]


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DAMAGEABLE), st.floats(0, 1, exclude_max=True))
def test_a_cut_picture_is_refused_or_whole(tmp_path_factory: pytest.TempPathFactory, data: bytes, share: float) -> None:
    path = tmp_path_factory.getbasetemp() / "cut"
    path.write_bytes(data)
    whole = pictures.read(path)
    path.write_bytes(data[: int(len(data) * share)])
    try:
        picture = pictures.read(path)
    except ImageError:
        return
    np.testing.assert_array_equal(picture, whole)  # nothing but the end marker was missing
    assert int(len(data) * share) >= len(data) - 2


@settings(max_examples=150, deadline=None)
@given(st.sampled_from(DAMAGEABLE), st.floats(0, 1, exclude_max=True), st.binary(min_size=1, max_size=40))
def test_any_damage_gives_a_picture_or_an_image_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes, share: float, noise: bytes
) -> None:
    path = tmp_path_factory.getbasetemp() / "damaged"
    start = int(len(data) * share)
    path.write_bytes(data[:start] + noise + data[start + len(noise) :])
    try:
        picture = pictures.read(path)
    except ImageError:
        return
    assert picture.ndim == 3


def huge_png(width: int, height: int) -> bytes:
    """A picture whose header promises more than there is."""
    data = bytearray(encode(Image.new("L", (8, 8)), "PNG"))
    data[16:24] = width.to_bytes(4, "big") + height.to_bytes(4, "big")
    data[29:33] = zlib.crc32(data[12:29]).to_bytes(4, "big")
    return bytes(data)


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        (None, "no picture {}"),
        (b"", "{} is empty"),
        (b"<html>404 Not Found</html>", "{} is no picture that can be read: give a JPEG or PNG file"),
        (huge_png(11_000, 10_000), "{} has more than 100 megapixels: make it smaller"),
        (huge_png(60_000, 60_000), "{} has more than 100 megapixels: make it smaller"),
    ],
    ids=["missing", "empty", "text", "huge", "gigantic"],
)
@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_is_no_picture_is_named(content: bytes | None, problem: str, tmp_path: Path) -> None:
    path = tmp_path / "0001.jpg"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ImageError) as caught:
        pictures.read(path)
    assert str(caught.value) == problem.format(path)


# ---- COCO

GROUND_TRUTH = json.loads((REFERENCE / "coco_case" / "ground_truth.json").read_text())
DETECTIONS = REFERENCE / "coco_case" / "detections.json"


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The reference case with pictures, each of one shade that tells which it is, in COCO's layout."""
    root = tmp_path_factory.mktemp("coco")
    (root / "val2017").mkdir()
    (root / "annotations").mkdir()
    shutil.copy(REFERENCE / "coco_case" / "ground_truth.json", root / "annotations" / "person_keypoints_val2017.json")
    for image in GROUND_TRUTH["images"]:
        shade = np.full((image["height"], image["width"]), 5 * image["id"], np.uint8)
        cv2.imwrite(str(root / "val2017" / image["file_name"]), shade)
    return root


def open_coco(root: Path, **options: object) -> CocoDataset:
    return CocoDataset(
        root / "annotations" / "person_keypoints_val2017.json", root / "val2017", name="coco_val2017", **options
    )  # fmt: skip


def test_detected_people_are_those_of_the_reference_predictions(coco: Path) -> None:
    dataset = open_coco(coco, detections=DETECTIONS)
    expected = json.loads((REFERENCE / "coco_case" / "predictions.json").read_text())
    assert len(dataset) == len(expected)
    assert dataset.left_out == {}
    for index, prediction in enumerate(expected):
        picture, person = dataset.load(index)
        assert (person.image_id, list(person.box), person.score) == (
            prediction["image_id"], prediction["bbox"], prediction["bbox_score"],
        )  # fmt: skip
        assert person.joints is None
        assert abs(int(picture[0, 0, 0]) - 5 * person.image_id) <= 2
        centre, size_px = box_to_crop(person.box, (256, 192))
        np.testing.assert_allclose(centre, prediction["center"], rtol=3e-7)
        np.testing.assert_allclose(size_px, prediction["size_px"], rtol=3e-7)


def test_annotated_people_are_those_with_labelled_joints(coco: Path) -> None:
    dataset = open_coco(coco)
    known = [item for item in GROUND_TRUTH["annotations"] if not item["iscrowd"]]
    assert len(dataset) == len(known)
    assert dataset.left_out == {"crowd region": len(GROUND_TRUTH["annotations"]) - len(known)}
    for index, item in enumerate(sorted(known, key=lambda item: item["image_id"])):
        person = dataset.person(index)
        assert person.image_id == item["image_id"]
        np.testing.assert_array_equal(np.column_stack([person.joints, person.visible]).flatten(), item["keypoints"])
        assert person.joints.dtype == person.visible.dtype == np.float32
        assert person.score == 1


def test_people_of_one_picture_share_it(coco: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = []
    read = pictures.read
    monkeypatch.setattr(pictures, "read", lambda path, size: opened.append(path) or read(path, size))
    dataset = open_coco(coco, detections=DETECTIONS)
    people = [dataset.load(index)[1] for index in range(len(dataset))]
    assert len(opened) == len({person.image_id for person in people}) < len(people)
    with pytest.raises(ValueError, match="read-only"):
        dataset.load(0)[0][:] = 0


def test_scores_are_the_reference_scores(coco: Path, tmp_path: Path) -> None:
    predictions = json.loads((REFERENCE / "coco_case" / "predictions.json").read_text())
    scores = open_coco(coco, detections=DETECTIONS).score(predictions)
    assert scores == pytest.approx(renamed(EXPECTED["coco_case"]["expected"]), abs=1e-9)
    folder = write_mpii(tmp_path)
    poses = json.loads((REFERENCE / "mpii_case" / "predictions.json").read_text())
    results = [{"index": index, "keypoints": [[*joint, 0.5] for joint in pose]} for index, pose in enumerate(poses)]
    dataset = open_mpii(folder)
    scores = dataset.score(results[::-1])
    assert scores == pytest.approx(renamed(EXPECTED["mpii_case"]["expected"]), abs=1e-9)
    # Who is left out was not found: never a smaller set.
    assert dataset.score(results[:30])["pckh"] < 0.7 * scores["pckh"]


def renamed(metrics: dict[str, float]) -> dict[str, float]:
    """As records call them: AP (M) of the reference is ap_m."""
    renames = {"ap .5": "ap50", "ap .75": "ap75", "ar .5": "ar50", "ar .75": "ar75"}
    renames |= {f"{metric} ({size})": f"{metric}_{size}" for metric in ("ap", "ar") for size in "ml"}
    return {renames.get(name.lower(), name.lower()): value for name, value in metrics.items()}


def test_a_limit_makes_a_set_of_its_own(coco: Path) -> None:
    predictions = json.loads((REFERENCE / "coco_case" / "predictions.json").read_text())
    whole, part = open_coco(coco, detections=DETECTIONS), open_coco(coco, detections=DETECTIONS, limit=10)
    first = [prediction for prediction in predictions if prediction["image_id"] <= 10]
    assert [part.person(index).image_id for index in range(len(part))] == [one["image_id"] for one in first]
    truth = {
        **GROUND_TRUTH,
        "images": [image for image in GROUND_TRUTH["images"] if image["id"] <= 10],
        "annotations": [one for one in GROUND_TRUTH["annotations"] if one["image_id"] <= 10],
    }
    assert part.score(first) == renamed(score_coco(truth, first))
    assert part.fingerprint != whole.fingerprint
    assert open_coco(coco, detections=DETECTIONS, limit=40).fingerprint == whole.fingerprint


def test_people_of_one_picture_are_neighbours_in_the_order_of_the_file(coco: Path, tmp_path: Path) -> None:
    boxes = json.loads(DETECTIONS.read_text())
    np.random.RandomState(0).shuffle(boxes)
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    dataset = open_coco(coco, detections=tmp_path / "boxes.json")
    found = [dataset.person(index) for index in range(len(dataset))]
    expected = sorted(boxes, key=lambda box: box["image_id"])
    assert [[person.image_id, person.score] for person in found] == [
        [box["image_id"], box["score"]] for box in expected
    ]


def small() -> dict:
    """Two people in two pictures, the second picture first."""
    keypoints = [value for joint in range(17) for value in (joint + 20, joint + 10, 1 + joint % 2)]
    person = {"category_id": 1, "iscrowd": 0, "num_keypoints": 17, "area": 300.5, "keypoints": keypoints}
    return {
        "info": {"description": "COCO 2017 Dataset"},
        "images": [{"id": image, "file_name": f"{image}.png", "width": 80, "height": 60} for image in (7, 3)],
        "annotations": [
            {"id": 100 + image, "image_id": image, "bbox": [10.5, 5.25, 40, 50.5], **copy.deepcopy(person)}
            for image in (7, 3)
        ],
        "categories": [{"id": 1, "name": "person", "keypoints": list(COCO.joints)}],
    }


def small_boxes() -> list:
    return [{"image_id": image, "category_id": 1, "bbox": [-3.5, 5, 40, 90], "score": 0.25} for image in (7, 3, 7)]


def write_small(root: Path, content: object, detections: object = None, split: str = "val2017") -> CocoDataset:
    listing = root / "annotations" / f"person_keypoints_{split}.json"
    for folder in (listing.parent, root / split):
        folder.mkdir(parents=True, exist_ok=True)
    listing.write_text(content if isinstance(content, str) else json.dumps(content))
    for image in (7, 3):
        Image.fromarray(COLOURS).save(root / split / f"{image}.png")
    boxes = root / "boxes.json"
    if detections is not None:
        boxes.write_text(detections if isinstance(detections, str) else json.dumps(detections))
    return CocoDataset(listing, root / split, name="c", detections=None if detections is None else boxes)


def test_a_picture_with_its_sides_swapped_is_refused(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "a.png"), np.zeros((40, 60, 3), np.uint8))
    with pytest.raises(ImageError, match="60x40, and the annotations say 40x60"):
        pictures.read(tmp_path / "a.png", (40, 60))


def by_problem(value: object) -> str:
    """A test's name: a function's own differs between processes."""
    return value if isinstance(value, str) else ""


def put(*path: str | int, value: object) -> Callable[[object], None]:
    """A change to JSON content."""

    def change(content: object) -> None:
        for step in path[:-1]:
            content = content[step]
        content[path[-1]] = value

    return change


def drop(*path: str | int) -> Callable[[object], None]:
    def change(content: object) -> None:
        for step in path[:-1]:
            content = content[step]
        del content[path[-1]]  # type: ignore[attr-defined]

    return change


FIRST = ("annotations", 0)
IN_FILE = "person_keypoints_val2017.json"


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put("categories", value=[{"id": 1, "name": "cat"}]), "no category 'person' (there is: cat)"),
        (put("categories", value=[]), "no category 'person' (there is: none)"),
        (drop("categories"), "no category 'person' (there is: none)"),
        (put("categories", 0, "keypoints", value=["nose"] * 18), "category 1: person has 18 joints, and COCO's 17"),
        (drop("images"), "must be an object with images, annotations and categories"),
        (put("images", value={"7": {}}), 'image list: must be a list of objects, and is {"7": {}}'),
        (put("images", 1, "id", value=7), "image 7: this id occurs twice"),
        (put("images", 1, "id", value="7"), "image 7: this id occurs twice"),
        (put("images", 1, "id", value="٧"), 'image \\u0667: id is not a whole number: "\\u0667"'),
        (put("images", 1, "id", value="7a"), 'image 7a: id is not a whole number: "7a"'),
        (put("images", 0, "width", value=0), "image 7: width x height is 0x60"),
        (drop("images", 1, "file_name"), "image 3: lacks file_name"),
        (put("annotations", value=[]), "has nobody to look at (it is empty)"),
        (put("annotations", value="many"), 'annotation list: must be a list of objects, and is "many"'),
        (put("annotations", 1, value=None), "annotation at position 1: is null, not an object"),
        (put(*FIRST, "id", value=103), "annotation 103: this id occurs twice"),
        (put(*FIRST, "image_id", value=5), "annotation 107: image_id 5 is not in person_keypoints_val2017.json"),
        (put(*FIRST, "keypoints", value=[]), "annotation 107: keypoints has 0 values, not 51 values: []"),
        (put(*FIRST, "keypoints", value=[1] * 54), "annotation 107: keypoints has 54 values, not 51 values: [1, 1,"),
        (put(*FIRST, "keypoints", 3, value=float("nan")), "annotation 107: keypoints is not finite: ["),
        (put(*FIRST, "keypoints", 5, value=3), "annotation 107: visibility of left_eye is 3, and must be 0, 1 or 2"),
        (drop(*FIRST, "keypoints"), "annotation 107: lacks keypoints"),
        (put(*FIRST, "bbox", value=[1, 2, -3, 4]), "annotation 107: bbox has width -3"),
        (put(*FIRST, "bbox", value=[1, 2, 3, -0.5]), "annotation 107: bbox has height -0.5"),
        (put(*FIRST, "bbox", value=[1, 2, 3]), "annotation 107: bbox has 3 values, not 4 values: [1, 2, 3]"),
        (put(*FIRST, "bbox", value=[1, 2, 3, float("inf")]), "annotation 107: bbox is not finite: [1, 2, 3, Infinity]"),
        (put(*FIRST, "bbox", value=[1, 2, 3, "4"]), 'annotation 107: bbox holds no numbers: [1, 2, 3, "4"]'),
        (put(*FIRST, "bbox", value=[1, 2, 3, [4]]), "annotation 107: bbox is ragged: [1, 2, 3, [4]]"),
        (put(*FIRST, "area", value=float("nan")), "annotation 107: area is not finite: NaN"),
        (put(*FIRST, "area", value=True), "annotation 107: area is not a number: true"),
        (put(*FIRST, "image_id", value=True), "annotation 107: image_id is not a number: true"),
        (put(*FIRST, "area", value=-1), "annotation 107: area is -1"),
        (put(*FIRST, "iscrowd", value="no"), 'annotation 107: iscrowd is not a whole number: "no"'),
        (put(*FIRST, "image_id", value=2**63), "annotation 107: image_id is too large: 9223372036854775808"),
        (put("images", 0, "width", value=-5), "image 7: width x height is -5x60"),
        (put("categories", 0, "keypoints", value=list(COCO.joints[::-1])), "COCO's joints in another order"),
        (put("images", 0, "file_name", value="/dev/zero"), 'image 7: file_name "/dev/zero" is absolute'),
        (put("images", 0, "file_name", value="C:\\a.jpg"), 'image 7: file_name "C:\\\\a.jpg" is absolute'),
        (put("images", 0, "file_name", value="a/../../b.jpg"), "leads out of the folder of the pictures"),
        (put("images", 0, "file_name", value="..\\b.jpg"), "leads out of the folder of the pictures"),
        (put("images", 0, "file_name", value="a\0.jpg"), "is no name that a file can have"),
        (put("images", 0, "file_name", value="a\nb.jpg"), "is no name that a file can have"),
        (put("images", 0, "file_name", value="a" * 5000), "is no name that a file can have"),
        (put("images", 0, "file_name", value="a\ud800.jpg"), "is no name that a file can have"),
        (put(*FIRST, "num_keypoints", value=[17]), "annotation 107: num_keypoints has 1 values, not a single value"),
        (put(*FIRST, "num_keypoints", value=-5), "annotation 107: num_keypoints is -5"),
    ],
    ids=by_problem,
)  # fmt: skip
def test_bad_annotations_are_refused_by_item(change: Callable, problem: str, tmp_path: Path) -> None:
    content = small()
    change(content)
    with pytest.raises(InputError) as caught:
        write_small(tmp_path, content)
    assert problem in str(caught.value)
    assert IN_FILE in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (put(1, "image_id", value=99), "boxes.json, detection at position 1: image_id 99 is not in person_keypoints"),
        (put(1, "bbox", value=[1, 2, 3, -4]), "boxes.json, detection at position 1: bbox has height -4"),
        (put(1, "bbox", value=[1, 2, 3]), "boxes.json, detection at position 1: bbox has 3 values, not 4 values"),
        (put(1, "score", value=float("nan")), "boxes.json, detection at position 1: score is not finite: NaN"),
        (put(1, "score", value=True), "boxes.json, detection at position 1: score is not a number: true"),
        (put(1, "score", value=None), "boxes.json, detection at position 1: lacks score"),
        (drop(1, "category_id"), "boxes.json, detection at position 1: lacks category_id"),
        (put(1, value=[1, 2]), "boxes.json, detection at position 1: is [1, 2], not an object"),
    ],
    ids=by_problem,
)
def test_bad_detections_are_refused_by_item(change: Callable, problem: str, tmp_path: Path) -> None:
    boxes = small_boxes()
    change(boxes)
    with pytest.raises(InputError) as caught:
        write_small(tmp_path, small(), boxes)
    assert problem in str(caught.value)


def test_bad_files_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"val2017.json is not JSON: Expecting ',' delimiter at line 2, column 8$"):
        write_small(tmp_path, '{"images":\n [1, 2 3]}')
    with pytest.raises(InputError, match=r"boxes.json is not JSON: Expecting value at line 1, column 1$"):
        write_small(tmp_path, small(), "")
    with pytest.raises(InputError, match=r"boxes.json, detection list: must be a list of objects"):
        write_small(tmp_path, small(), {"boxes": []})
    with pytest.raises(InputError, match=r"boxes.json has nobody to look at \(3 not a person\)"):
        write_small(tmp_path, small(), [{**box, "category_id": 18} for box in small_boxes()])
    with pytest.raises(InputError, match=r"no file .*nowhere.json"):
        CocoDataset(tmp_path / "nowhere.json", tmp_path, name="c")
    with pytest.raises(InputError, match=r"no folder .*nowhere: put the pictures of person_keypoints_val2017.json"):
        CocoDataset(tmp_path / "annotations" / IN_FILE, tmp_path / "nowhere", name="c")


@pytest.mark.parametrize(
    ("fields", "problem"),
    [({"bbox": [1, 2, 3]}, "bbox has 3 values"), ({"area": "x"}, "area is not a number"), ({"area": -1}, "area is -1")],
)
def test_an_item_without_id_is_named_by_its_place_in_the_file(fields: dict, problem: str, tmp_path: Path) -> None:
    content = small()
    cat = {"image_id": 7, "category_id": 2, "bbox": [0, 0, 1, 1]}
    first, second = ({name: value for name, value in one.items() if name != "id"} for one in content["annotations"])
    first.pop("area")  # who has none is read apart
    content["annotations"] = [cat, first, cat, second | fields]
    with pytest.raises(InputError, match=f"annotation at position 3: {problem}"):
        write_small(tmp_path, content)


def test_nobody_is_left_out_unsaid(tmp_path: Path) -> None:
    content = small()
    extra = [
        {"iscrowd": 1, "keypoints": [0] * 51, "num_keypoints": 0},
        {"keypoints": [0] * 51, "num_keypoints": 0},
        {"num_keypoints": 0},
        {"category_id": 2, "bbox": "a cat has no joints"},
        {"bbox": [10, 10, 0, 20]},
        {"bbox": [85, 10, 20, 20]},  # outside the picture
        {"area": 0},
    ]
    content["annotations"] += [
        {**content["annotations"][0], "id": 200 + number, **fields} for number, fields in enumerate(extra)
    ]
    with pytest.warns(UserWarning, match=r"annotation 204: bbox \[10.0, 10.0, 0.0, 20.0\], .* 3 such in all"):
        dataset = write_small(tmp_path, content)
    assert dataset.left_out == {"not a person": 1, "crowd region": 1, "no labelled joint": 2, "box without size": 3}
    assert len(dataset) + sum(dataset.left_out.values()) == len(content["annotations"])

    boxes = small_boxes() + [
        {**small_boxes()[0], **fields}
        for fields in ({"category_id": 3}, {"score": -0.1}, {"bbox": [1, 1, 0, 0]}, {"bbox": [1, 1, 0, 9]})
    ]
    with pytest.warns(UserWarning, match=r"detection at position 5: bbox \[1.0, 1.0, 0.0, 0.0\] has no size"):
        dataset = write_small(tmp_path, small(), boxes)
    assert dataset.left_out == {"not a person": 1, "score below 0": 1, "box without size": 1}
    people = [dataset.person(index) for index in range(len(dataset))]
    assert [person.image_id for person in people] == [3, 7, 7, 7]  # neighbours
    assert people[0].box == (-3.5, 5, 40, 90)  # as the detector gave it


def test_what_is_missing_is_taken_as_cocos_tools_imply_and_said_once(tmp_path: Path) -> None:
    """By the reader that loading, scoring and predicting share: nothing is refused by one and accepted by another."""
    content = small()
    whole = write_small(tmp_path / "whole", content)
    found = [
        {"index": index, "image_id": whole.person(index).image_id, "bbox_score": 1.0, "size_px": [40, 50],
         "keypoints": np.column_stack([whole.person(index).joints, np.ones(17)]).tolist()}
        for index in range(2)
    ]  # fmt: skip
    expected = whole.score(found)
    for annotation in content["annotations"]:
        del annotation["iscrowd"], annotation["num_keypoints"]
    del content["categories"][0]["keypoints"]
    content["annotations"].append({**content["annotations"][0], "id": 1, "iscrowd": True, "num_keypoints": None})
    content["annotations"].append({**content["annotations"][0], "id": 2, "keypoints": [0] * 51, "iscrowd": False})
    with warnings.catch_warnings(record=True) as record:
        warnings.simplefilter("always")
        dataset = write_small(tmp_path / "bare", content)
        assert dataset.score(found) == expected
    assert [str(one.message) for one in record] == [
        f"{IN_FILE}: iscrowd is missing for 2 of 4 people: taken as 0",
        f"{IN_FILE}: num_keypoints is missing for everyone: counted by the joints' visibility",
    ]
    assert dataset.left_out == {"crowd region": 1, "no labelled joint": 1}
    with pytest.warns(UserWarning, match="iscrowd|num_keypoints"):
        from_content = score_coco(content, found)
    assert renamed(from_content) == expected
    (tmp_path / "bare.json").write_text("\ufeff" + json.dumps(content))
    looks = find([tmp_path / "bare" / "val2017"], tmp_path / "bare.json")
    assert sorted(look.path.name for look in looks) == ["3.png", "7.png"]


def test_areas_that_are_missing_are_the_boxes_and_strange_ones_are_said(tmp_path: Path) -> None:
    content = small()
    for annotation in content["annotations"]:
        del annotation["area"]
    with pytest.warns(UserWarning, match=f"{IN_FILE}: area is missing for everyone: taken from the box"):
        dataset = write_small(tmp_path, content)
    annotated = small()
    for annotation in annotated["annotations"]:
        annotation["area"] = 40 * 50.5
    near = [{"image_id": 7, "bbox_score": 1, "size_px": [40, 50],
             "keypoints": [[joint + 23, joint + 10, 1] for joint in range(17)]}]  # fmt: skip
    assert dataset.score(near) == write_small(tmp_path, annotated).score(near)
    annotated["annotations"][0]["area"] = 1
    with pytest.warns(
        UserWarning, match=r"annotation 107: area 1 is far from what a box of 40x50.5 allows, 1 such in all"
    ):
        write_small(tmp_path, annotated)


def test_people_annotated_twice_are_said_once_and_counted(tmp_path: Path) -> None:
    """In one picture, that is; who differs in anything that counts is somebody else. Nobody is left out."""
    content = small()
    person = content["annotations"][0]
    moved, hidden, unlabelled = (list(person["keypoints"]) for _ in range(3))
    moved[0] += 1
    hidden[2] = 3 - hidden[2]  # visible or hidden, but labelled in the same place
    unlabelled[:3] = [0, 0, 0]
    others = [
        {"bbox": [*person["bbox"][:3], person["bbox"][3] - 1]}, {"keypoints": moved},
        {"keypoints": unlabelled, "num_keypoints": 16}, {"iscrowd": 1}, {"num_keypoints": 0},
        {"category_id": 2},
    ]  # fmt: skip
    content["annotations"] += [{**person, "id": 200 + number, **fields} for number, fields in enumerate(others)]

    def said() -> list[str]:
        with warnings.catch_warnings(record=True) as record:
            warnings.simplefilter("always")
            write_small(tmp_path, content)
        return [str(one.message) for one in record if "annotated again" in str(one.message)]

    assert said() == []
    again = [{}, {"keypoints": hidden}, {"keypoints": [9, 9, 0, *unlabelled[3:]], "num_keypoints": 16}, {}]
    content["annotations"] += [{**person, "id": 300 + number, **fields} for number, fields in enumerate(again)]
    assert said() == [
        f"{IN_FILE}, annotation 300 as {person['id']}, 301 as {person['id']}, 302 as 202: annotated again in the same "
        "picture with the same box and joints, 4 such in all; each counts as a person, which lowers AP: keep one of "
        "each"
    ]
    with pytest.warns(UserWarning, match="annotated again"):
        assert len(read_annotations(content).people or ()) == len(content["annotations"]) - 1


@pytest.mark.parametrize("root", [0, 3])
def test_of_several_categories_person_the_annotated_one_counts(root: int, tmp_path: Path) -> None:
    content = small()
    content["categories"].insert(root and 1, {"id": root, "name": "person", "supercategory": "none"})
    assert len(write_small(tmp_path, content)) == 2
    content["annotations"].append({**content["annotations"][0], "id": 1, "category_id": root})
    assert len(write_small(tmp_path, content)) == 2  # the one that names joints
    content["categories"][0]["keypoints"] = content["categories"][1]["keypoints"] = list(COCO.joints)
    with pytest.raises(InputError, match=r"2 categories are named 'person' \(id \d with \d annotations, id \d with"):
        write_small(tmp_path, content)


@pytest.mark.parametrize("mark", ["utf-8-sig", "utf-16"])
def test_byte_order_marks_and_backslashes_are_read(mark: str, tmp_path: Path) -> None:
    content = small()
    dataset = write_small(tmp_path, content, small_boxes())
    (tmp_path / "val2017" / "more").mkdir()
    (tmp_path / "val2017" / "7.png").rename(tmp_path / "val2017" / "more" / "7.png")
    content["images"][0]["file_name"] = "more\\7.png"
    dataset.annotation_file.write_bytes(json.dumps(content).encode(mark))
    (tmp_path / "boxes.json").write_bytes(json.dumps(small_boxes()).encode(mark))
    again = CocoDataset(dataset.annotation_file, dataset.image_folder, name="c", detections=tmp_path / "boxes.json")
    assert [again.load(index)[1].image_id for index in range(3)] == [3, 7, 7]


def test_sizes_that_the_file_does_not_give_are_the_pictures(tmp_path: Path) -> None:
    content = small()
    content["annotations"][0]["bbox"] = [60, 40, 100, 100]
    expected = write_small(tmp_path / "a", content).person(1).box
    content["images"][0].update(width=-1, height=-1)
    del content["images"][1]["width"], content["images"][1]["height"]
    write_small(tmp_path / "b", small())
    with pytest.warns(UserWarning, match="2 pictures have no width and height: read from the pictures"):
        dataset = write_small(tmp_path / "b", content)
    assert dataset.person(1).box == expected == (60, 40, 19, 19)
    assert dataset.load(1)[0].shape == (60, 80, 3)
    # Turned upright: its sides as they are shown.
    exif = Image.Exif()
    exif[0x0112] = 6
    (tmp_path / "turned.jpg").write_bytes(encode(RGB, exif=exif))
    assert pictures.read_size(tmp_path / "turned.jpg") == (60, 80)


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs a system with named pipes")
def test_only_regular_files_inside_the_folder_are_opened(tmp_path: Path) -> None:
    dataset = write_small(tmp_path, small())
    folder = dataset.image_folder
    outside = tmp_path / "outside.png"
    (folder / "7.png").rename(outside)
    (folder / "7.png").symlink_to(outside)
    with pytest.raises(ImageError, match=r"7\.png leads out of"):
        dataset.load(1)
    (folder / "7.png").unlink()
    os.mkfifo(folder / "7.png")
    with pytest.raises(ImageError, match=r"7\.png is no regular file"):
        dataset.load(1)
    (folder / "7.png").unlink()
    (folder / "7.png").symlink_to("/dev/zero")
    with pytest.raises(ImageError, match=r"7\.png leads out of"):
        dataset.load(1)
    (folder / "7.png").unlink()
    (folder / "7.png").symlink_to(folder / "7.png")
    with pytest.raises(ImageError, match=r"7.png"):
        dataset.load(1)
    (folder / "7.png").unlink()
    (folder / "deeper").mkdir()
    outside.rename(folder / "deeper" / "7.png")
    (folder / "7.png").symlink_to(Path("deeper") / "7.png")
    assert dataset.load(1)[0].shape == (60, 80, 3)  # a link that stays inside
    os.mkfifo(tmp_path / "pipe.json")
    for special in ("/dev/zero", str(tmp_path / "pipe.json"), str(tmp_path)):
        with pytest.raises(InputError, match="is no regular file"):
            CocoDataset(Path(special), folder, name="c")


@pytest.mark.parametrize(
    ("text", "problem"),
    [("[" * 100_000, "nested too deeply"), ('{"a": ' * 100_000, "nested too deeply"), ("1" * 5000, "not JSON"),
     ('[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1e400}]', "score is not finite"),
     ('[{"image_id": 7, "category_id": 1, "bbox": [1, 2, 3, 4], "score": ' + "1" * 400 + "}]", "score"),
     ('[{"image_id": ' + "1" * 400 + ', "category_id": 1, "bbox": [1, 2, 3, 4], "score": 1}]', "image_id")],
    ids=["lists", "objects", "digits", "infinite", "large", "id"],
)  # fmt: skip
def test_absurd_json_is_one_line(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=problem) as caught:
        write_small(tmp_path, small(), text)
    assert len(str(caught.value)) < 400


REPEATED = '"a": [[1, 0, 9, 9]], "b": 1, "a": [[2, 0, 9, 9]]'


@pytest.mark.parametrize(
    ("read", "text"),
    [
        (read_json, f"{{{REPEATED}}}"), (read_json, f'[1, {{"deep": [{{{REPEATED}}}]}}]'),
        (read_json, f'\ufeff{{{REPEATED}, "a": 3}}'), (read_json, f"{{{REPEATED}}}".replace('"a"', '"\\u0061"', 1)),
        (read_skeleton, f"{{{REPEATED}}}"), (read_sidecar, f"{{{REPEATED}}}"), (Sidecar.read, f"{{{REPEATED}}}"),
        (read_annotations, f'{{"images": [], "annotations": [{{{REPEATED}}}]}}'),
    ],
)  # fmt: skip
def test_a_key_that_stands_twice_is_refused(read: Callable[[Path], object], text: str, tmp_path: Path) -> None:
    """Python keeps the last one: boxes of a picture went without a word."""
    path = tmp_path / "file.json"
    path.write_text(text, encoding="utf-8")
    with pytest.raises(InputError) as caught:
        read(path)
    assert str(caught.value) == (
        f'{path} has the key "a" twice in one object, with [[1, 0, 9, 9]] and with [[2, 0, 9, 9]]: each key may stand '
        "there once"
    )


def test_detections_of_other_pictures_are_counted_with_subset(tmp_path: Path) -> None:
    boxes = [*small_boxes(), {**small_boxes()[0], "image_id": 99}]
    with pytest.raises(InputError, match=r"detection at position 3: image_id 99 is not in .*; --subset leaves such"):
        write_small(tmp_path, small(), boxes)
    with pytest.warns(UserWarning, match="1 of 4 detections are in pictures outside the set, and left out"):
        dataset = CocoDataset(
            tmp_path / "annotations" / IN_FILE, tmp_path / "val2017", name="c", detections=tmp_path / "boxes.json",
            subset=True,
        )  # fmt: skip
    assert len(dataset) == 3
    assert dataset.left_out == {"in a picture outside the set": 1}


finite = st.floats(-30, 120).map(lambda value: round(value, 2))


@settings(max_examples=60, deadline=None)
@given(st.tuples(finite, finite, finite.map(abs), finite.map(abs)))
def test_annotated_boxes_are_clipped_as_published(tmp_path_factory: pytest.TempPathFactory, box: tuple) -> None:
    content = small()
    content["annotations"][0]["bbox"] = box
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        dataset = write_small(tmp_path_factory.getbasetemp() / "clip", content)
    x, y, width, height = box
    x1, y1 = max(0, x), max(0, y)
    x2, y2 = min(79, x1 + max(0, width - 1)), min(59, y1 + max(0, height - 1))
    if x2 > x1 and y2 > y1:
        assert dataset.person(1).box == (x1, y1, x2 - x1, y2 - y1)
    else:
        assert dataset.left_out == {"box without size": 1}
        assert len(dataset) == 1


def test_fingerprint_changes_with_whatever_decides_a_result(tmp_path: Path) -> None:
    def root(name: str) -> Path:
        return tmp_path / name

    def named(content: dict, **fields: object) -> dict:
        content["annotations"][0].update(fields)
        return content

    plain = write_small(root("a"), small()).fingerprint
    assert len(plain) == 64
    assert write_small(root("b"), small()).fingerprint == plain  # wherever it lies
    seen = {plain, write_small(root("a"), named(small(), area=301)).fingerprint}
    seen.add(write_small(root("a"), small(), small_boxes()).fingerprint)
    seen.add(write_small(root("a"), small(), small_boxes()[1:]).fingerprint)
    dataset = write_small(root("b"), small())
    first = root("b") / "val2017" / "7.png"
    Image.fromarray(GREY).save(first)
    seen.add(CocoDataset(dataset.annotation_file, dataset.image_folder, name="c").fingerprint)
    first.unlink()
    missing = CocoDataset(dataset.annotation_file, dataset.image_folder, name="c")
    seen.add(missing.fingerprint)
    assert len(seen) == 6
    # One picture that is missing does not hide the others.
    assert missing.load(0)[1].image_id == 3
    with pytest.raises(ImageError, match=r"no picture .*7.png"):
        missing.load(1)


# ---- MPII

PEOPLE = json.loads((REFERENCE / "mpii_case" / "mpii_val.json").read_text())


def write_mpii(root: Path, content: object = PEOPLE) -> Path:
    (root / "images").mkdir(parents=True, exist_ok=True)
    (root / "annotations").mkdir(exist_ok=True)
    (root / "annotations" / "mpii_val.json").write_text(json.dumps(content))
    shutil.copy(REFERENCE / "mpii_case" / "mpii_gt_val.mat", root / "annotations")
    return root


def open_mpii(root: Path) -> MpiiDataset:
    return MpiiDataset(root / "annotations" / "mpii_val.json", root / "images", name="mpii_val")


def test_mpii_people_are_cropped_as_published(tmp_path: Path) -> None:
    content = copy.deepcopy(PEOPLE)
    content[1]["image"] = content[0]["image"]
    content[2]["center"] = [-1, -1]
    write_mpii(tmp_path, content)
    Image.fromarray(COLOURS).save(tmp_path / "images" / content[0]["image"], quality=98)
    dataset = open_mpii(tmp_path)
    assert len(dataset) == 60
    for index, item in enumerate(content):
        centre, scale = np.array(item["center"], np.float32), np.float32(item["scale"])
        if centre[0] != -1:
            centre[1] += 15 * scale
            scale *= np.float32(1.25)
        person = dataset.person(index)
        found_centre, found_size = box_to_crop(person.box, (256, 256))
        np.testing.assert_allclose(found_centre, centre - 1, rtol=3e-7)
        np.testing.assert_allclose(found_size, [200 * scale, 200 * scale], rtol=3e-7)
        np.testing.assert_allclose(person.joints, np.array(item["joints"]) - 1, rtol=1e-6, atol=1e-4)
        assert person.visible.tolist() == [2 * visible for visible in item["joints_vis"]]
    (first, one), (second, two) = dataset.load(0), dataset.load(1)
    assert first is second
    assert one.image_id == two.image_id != dataset.person(2).image_id
    assert np.abs(first.astype(int) - COLOURS).mean() < 3
    with pytest.raises(ImageError, match=r"no picture .*000000002.jpg"):
        dataset.load(2)
    assert open_mpii(write_mpii(tmp_path)).fingerprint != dataset.fingerprint


def test_mpii_as_hrnet_lays_it_out_is_the_same_set(tmp_path: Path) -> None:
    """``annot/valid.json`` with ``gt_valid.mat`` beside it; the train split is ``annot/train.json``."""
    ours = write_mpii(tmp_path / "a")
    theirs = tmp_path / "b" / "annot"
    theirs.mkdir(parents=True)
    (tmp_path / "b" / "images").mkdir()
    shutil.copy(ours / "annotations" / "mpii_val.json", theirs / "valid.json")
    shutil.copy(ours / "annotations" / "mpii_gt_val.mat", theirs / "gt_valid.mat")
    (theirs / "train.json").write_text(json.dumps(PEOPLE[:9]))
    one, other = (open_dataset("mpii", tmp_path / place) for place in "ab")
    assert (one.name, one.fingerprint, len(one)) == (other.name, other.fingerprint, len(other))
    poses = json.loads((REFERENCE / "mpii_case" / "predictions.json").read_text())
    results = [{"index": index, "keypoints": [[*joint, 0.5] for joint in pose]} for index, pose in enumerate(poses)]
    assert other.score(results) == one.score(results)
    train = open_dataset("mpii", tmp_path / "b", split="train")
    assert (train.name, train.annotated) == ("mpii_train (9 people)", False)
    (theirs / "gt_valid.mat").unlink()
    with pytest.raises(InputError, match=r"no file .*gt_valid.mat"):
        open_dataset("mpii", tmp_path / "b")


@pytest.mark.parametrize(
    ("change", "problem"),
    [
        (drop(0), "has true joints of shape (16, 2, 60), and the 59 people of mpii_val.json need (16, 2, 59): take"),
        (put(4, "joints", 0, value=[1, float("nan")]), "mpii_val.json, person at position 4: joints is not finite"),
        (put(4, "joints", value=[[1, 2]] * 17), "person at position 4: joints has 17x2 values, not 16x2 values"),
        (put(4, "joints_vis", 0, value=3), "person at position 4: joints_vis must be 0 or 1 for each joint"),
        (put(4, "scale", value=0), "person at position 4: scale is 0, and must be above 0"),
        (put(4, "center", value=[3]), "person at position 4: center has 1 values, not 2 values: [3]"),
        (drop(4, "image"), "person at position 4: lacks image"),
        (put(4, "image", value="../../secret.jpg"), 'person at position 4: image "../../secret.jpg" leads out of the'),
        (put(4, "image", value="/dev/zero"), 'person at position 4: image "/dev/zero" is absolute'),
        (put(4, "image", value="a\0b"), "person at position 4: image \"a\\u0000b\" is no name that a file can have"),
        (put(4, "image", value="\ud800"), 'person at position 4: image "\\ud800" is no name that a file can have'),
        (put(4, "joints", 0, value=[1e39, 0]), "person at position 4: a joint is farther than 1e+07 pixels"),
        (put(4, "scale", value=1e300), "person at position 4: center and scale give a box farther than 1e+07 pixels"),
    ],
    ids=by_problem,
)  # fmt: skip
def test_bad_mpii_files_are_refused_by_item(change: Callable, problem: str, tmp_path: Path) -> None:
    content = copy.deepcopy(PEOPLE)
    change(content)
    write_mpii(tmp_path, content)
    with pytest.raises(InputError) as caught:
        open_mpii(tmp_path)
    assert problem in str(caught.value)


def nan(array: np.ndarray) -> np.ndarray:
    array = array.astype(float)
    array.flat[7] = np.nan
    return array


@pytest.mark.parametrize(
    ("name", "change", "problem"),
    [
        ("pos_gt_src", None, "has no array pos_gt_src of numbers: give the file that belongs to the annotations"),
        ("headboxes_src", None, "has no array headboxes_src of numbers"),
        ("jnt_missing", None, "has no array jnt_missing of numbers"),
        ("pos_gt_src", lambda array: array + 1j, "has no array pos_gt_src of numbers"),
        ("headboxes_src", lambda array: array.T, "headboxes_src is (60, 2, 2), and 2 x 2 x people is needed"),
        ("headboxes_src", lambda array: array.transpose(1, 0, 2), "head boxes of 33 of 60 people do not go from top"),
        ("headboxes_src", lambda array: array * 1e300, "person 0 has a joint that is not finite or a head of no size"),
        ("headboxes_src", nan, "person 7 has a joint that is not finite or a head of no size"),
        ("jnt_missing", nan, "person 7 has jnt_missing other than 0 and 1"),
        ("jnt_missing", lambda array: array[:, :-1], "its arrays are of 60, 60 and 59 people"),
        ("jnt_missing", lambda array: array * 0 + 1, "joint 0 is annotated of nobody; PCKh is not defined without"),
        ("pos_gt_src", lambda array: array[..., ::-1], "joints are not in the same place; take both files from one"),
    ],
)  # fmt: skip
def test_bad_mpii_truth_is_refused_before_any_work(
    name: str, change: Callable | None, problem: str, tmp_path: Path
) -> None:
    truth = write_mpii(tmp_path) / "annotations" / "mpii_gt_val.mat"
    arrays = {key: array for key, array in scipy.io.loadmat(truth).items() if not key.startswith("_")}
    array = arrays.pop(name)
    scipy.io.savemat(truth, arrays if change is None else arrays | {name: change(array)})
    with pytest.raises(InputError, match=re.escape(problem)) as caught:
        open_mpii(tmp_path)
    assert "mpii_gt_val.mat" in str(caught.value)


def test_the_mpii_truth_is_a_file_that_is_whole(tmp_path: Path) -> None:
    truth = write_mpii(tmp_path) / "annotations" / "mpii_gt_val.mat"
    whole = truth.read_bytes()
    for bad in (b"not a MATLAB file", b"", whole[: len(whole) // 2]):
        truth.write_bytes(bad)
        with pytest.raises(InputError, match=r"mpii_gt_val.mat is no MATLAB file that can be read"):
            open_mpii(tmp_path)
    truth.unlink()
    with pytest.raises(InputError, match=r"no file .*mpii_gt_val.mat"):
        open_mpii(tmp_path)


def test_a_limit_that_leaves_a_joint_without_people_is_refused(tmp_path: Path) -> None:
    folder = write_mpii(tmp_path)
    with pytest.raises(InputError, match=r"joint \d+ is annotated of nobody among the first 1 people: give a higher"):
        MpiiDataset(folder / "annotations" / "mpii_val.json", folder / "images", name="mpii_val", limit=1)


# ---- by name


def test_data_sets_are_found_where_they_commonly_lie(tmp_path: Path) -> None:
    write_small(tmp_path / "coco", small())
    write_small(tmp_path / "coco", small(), split="train2017")
    write_mpii(tmp_path / "mpii")
    # What is not as large as the published set does not go by its name.
    assert open_dataset("coco", tmp_path).name == "coco_val2017 (2 pictures)"
    assert open_dataset("coco", tmp_path / "coco", split="train").name == "coco_train2017 (2 pictures)"
    (tmp_path / "coco" / "images").mkdir()
    (tmp_path / "coco" / "val2017").rename(tmp_path / "coco" / "images" / "val2017")
    assert len(open_dataset("coco", tmp_path)) == 2
    for place in (tmp_path, tmp_path / "mpii"):
        assert open_dataset("mpii", place).name == "mpii_val (60 people)"
    for name in ("mpii_val.json", "mpii_gt_val.mat"):
        (tmp_path / "mpii" / "annotations" / name).rename(tmp_path / "mpii" / name)
    assert len(open_dataset("mpii", tmp_path)) == 60

    training = tmp_path / "mpii" / "mpii_train.json"
    training.write_text(json.dumps(PEOPLE[:9]))
    dataset = open_dataset("mpii", tmp_path, split="train")
    assert (dataset.name, len(dataset)) == ("mpii_train (9 people)", 9)
    with pytest.raises(InputError, match=r"mpii_train.json has no head sizes to score with: only mpii_val.json has"):
        dataset.score([])


def test_drawn_people_are_never_reported_as_coco(tmp_path: Path) -> None:
    content = small()
    content["info"] = open_dataset("synthetic", images=1).ground_truth()["info"]  # type: ignore[attr-defined]
    write_small(tmp_path, content)
    assert open_dataset("coco", tmp_path).name == "synthetic (2 pictures)"
    assert open_dataset("synthetic", tmp_path).name == "synthetic (2 pictures)"
    write_small(tmp_path, small())
    with pytest.raises(InputError, match=r"was not written by bench.data synthetic: open it as coco"):
        open_dataset("synthetic", tmp_path)


def test_test_dev_takes_detections_and_gives_no_score(tmp_path: Path) -> None:
    content = small()
    del content["annotations"]
    content["categories"] = [{"id": 1, "name": "person", "supercategory": "person"}, {"id": 2, "name": "bicycle"}]
    dataset = write_small(tmp_path, content, small_boxes())
    (tmp_path / "test2017").mkdir()
    dataset.annotation_file.rename(dataset.annotation_file.with_name("image_info_test-dev2017.json"))
    with pytest.raises(InputError, match=r"test-dev2017 has no annotations: give the boxes .* with --detections"):
        open_dataset("coco", tmp_path, test_dev=True)
    dataset = open_dataset("coco", tmp_path, test_dev=True, detections=tmp_path / "boxes.json")
    assert (dataset.name, len(dataset)) == ("coco_test-dev2017 (2 pictures)", 3)
    with pytest.raises(InputError, match=r"only COCO's evaluation server can score .* --test-dev"):
        dataset.score([])
    with pytest.raises(InputError, match=r"person_keypoints_val2017.json has no annotations: give the boxes"):
        write_small(tmp_path, content)


@pytest.mark.parametrize(
    ("arguments", "options", "problem"),
    [
        (("imagenet", "."), {}, "no data set 'imagenet': there is coco, coco_wholebody"),
        (("coco", "."), {"split": "test"}, "no split 'test': there is val and train"),
        (("mpii", "."), {"test_dev": True}, "only coco has a test-dev split"),
        (("mpii", "."), {"detections": DETECTIONS}, "mpii has its boxes in its annotations: leave out --detections"),
        (("synthetic",), {"detections": DETECTIONS}, "synthetic has its boxes in its annotations"),
        (("coco",), {}, "coco is read from disk: give the folder that it is in with --data-root"),
        (("coco", "nowhere"), {}, "no folder"),
        (
            ("coco", "."), {},
            r"not found: \S+/annotations/person_keypoints_val2017.json, nor \S+/coco/annotations/person_keypoints_val"
            "2017.json; give the data set's folder with --data-root",
        ),
        (("mpii", "."), {"split": "train"}, r"not found: \S+/annotations/mpii_train.json, nor "),
    ],
)  # fmt: skip
def test_what_cannot_be_opened_is_said(arguments: tuple, options: dict, problem: str, tmp_path: Path) -> None:
    name, *root = arguments
    with pytest.raises(InputError, match=problem):
        open_dataset(name, *(tmp_path / part for part in root), **options)
