"""Skeletons: those that are built in, those that people bring, and the way of 13 made-up joints through the commands.

The metrics of the published data sets are compared with values worked out by hand, whose steps stand beside them, and
with those of the published evaluator.
"""

import json
import math
import re
import warnings
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from pycocotools import coco as pycoco
from pycocotools.cocoeval import COCOeval
from safetensors import safe_open

from bench.accuracy import coco_results
from bench.accuracy.heads import score_heads
from bench.accuracy.network_check import fit_joints
from bench.core import results
from bench.core.errors import InputError
from bench.core.skeletons import (
    BODY_AND_FEET,
    BODY_FEET_HANDS,
    COCO,
    CROWDPOSE,
    HALPE26,
    KNOWN,
    MPII,
    WHOLEBODY,
    Skeleton,
    guess_flip_pairs,
    side_of,
)
from bench.data import Dataset, open_dataset
from bench.data.annotations import Layout, read_annotations
from bench.data.coco import CocoDataset
from bench.data.registry import entry_of
from bench.data.skeleton_files import make_skeleton, read_skeleton
from bench.data.synthetic import SyntheticDataset, draw_portrait, draw_scene, fingerprint
from bench.data.synthetic.body import AT_EASE, SIDES, pose
from bench.data.synthetic.hands import Hand, digits
from bench.data.synthetic.picture import annotate, plan_portrait
from bench.data.synthetic.variants import Variant
from bench.drawing import LEFT, MIDDLE, RIGHT, draw_skeleton
from bench.export.formats import load_torchscript
from bench.network_joints import learnt_joints
from bench.pipeline.cell import measure
from bench.pipeline.command import make_plans
from bench.pipeline.options import parse as parse_pipeline
from bench.pipeline.plan import plan_of
from bench.pipeline.preparation import artifact_of, module
from bench.pipeline.quality import shared
from tests.bench.conftest import NETWORK
from tests.commands import command
from tests.made_up_people import PARTS, SEED, made_up

# ------------------------------------------------------------------------------ built in


@pytest.mark.parametrize("skeleton", KNOWN, ids=lambda one: f"{len(one.joints)} joints")
def test_a_skeleton_is_whole(skeleton: Skeleton) -> None:
    count = len(skeleton.joints)
    assert len(set(skeleton.joints)) == count
    flat = [joint for pair in skeleton.flip_pairs for joint in pair]
    assert len(set(flat)) == len(flat)
    assert {*flat, *skeleton.upper_body, *(joint for limb in skeleton.limbs for joint in limb)} <= set(range(count))
    assert skeleton is MPII or (len(skeleton.sigmas or ()) == count and min(skeleton.sigmas or ()) > 0)
    # Names and pairs say the same; points of a face have numbers, not sides.
    sided = {frozenset(pair) for pair in skeleton.flip_pairs if side_of(skeleton.joints[pair[0]])}
    assert {frozenset(pair) for pair in guess_flip_pairs(skeleton.joints)} == sided
    # These measured the left and the right foot apart; MPII has no sigmas.
    if skeleton not in (MPII, BODY_AND_FEET, BODY_FEET_HANDS, WHOLEBODY):
        sigmas = skeleton.sigmas or ()
        assert all(sigmas[first] == sigmas[second] for first, second in skeleton.flip_pairs)


def test_the_built_in_skeletons_are_the_published_ones() -> None:
    assert [len(one.joints) for one in (COCO, MPII, CROWDPOSE, HALPE26, BODY_AND_FEET, WHOLEBODY)] == [
        17, 16, 14, 26, 23, 133,
    ]  # fmt: skip
    assert WHOLEBODY.joints[:17] == HALPE26.joints[:17] == COCO.joints
    assert CROWDPOSE.joints[12:] == ("top_head", "neck")
    of = dict(zip(WHOLEBODY.joints, WHOLEBODY.sigmas or (), strict=True))
    assert [of[name] for name in ("right_heel", "face_8", "face_47", "left_hand_4", "right_hand_20")] == [
        0.094, 0.020, 0.034, 0.047, 0.031,
    ]  # fmt: skip
    assert HALPE26.sigmas[17:20] == (0.08,) * 3  # type: ignore[index]
    assert len(WHOLEBODY.flip_pairs) == 8 + 3 + 29 + 21


def test_names_tell_sides_however_they_are_spelt() -> None:
    names = ["Nose", "LShoulder", "RShoulder", "l_hip", "r_hip", "knee-left", "knee-right", "left tail", "Leftover"]
    assert guess_flip_pairs(names) == ((1, 2), (3, 4), (5, 6))
    assert [side_of(name) for name in names[-2:]] == ["left", None]
    assert guess_flip_pairs(["left_1", "left_1", "right_1"]) == ()  # nobody can tell which
    picture = np.zeros((60, 60, 3), np.uint8)
    own = Skeleton(("LHand", "RHand", "Head"), ((0, 1),), (), ())
    draw_skeleton(picture, [[10, 30, 1], [30, 30, 1], [50, 30, 1]], own, size=80)
    assert [tuple(picture[30, x].tolist()) for x in (10, 30, 50)] == [LEFT, RIGHT, MIDDLE]


# ------------------------------------------------------------------------------ published data sets, worked out by hand


def away(oks: float, sigma: float, area: float) -> float:
    """How far a joint is predicted from where it is whose part of the OKS is this: the definition, solved for it."""
    return math.sqrt(-2 * math.log(oks) * area) * 2 * sigma


def layout(root: Path, listing: str, pictures: str, people: list[dict[str, Any]], **images: list[float]) -> None:
    """A data set with a picture for each person, numbered from 1; pictures themselves are not needed to score."""
    (root / listing).parent.mkdir(parents=True)
    (root / pictures).mkdir()
    content = {
        "images": [
            {"id": number + 1, "file_name": f"{number}.jpg", "width": 640, "height": 480}
            | {key: values[number] for key, values in images.items()}
            for number in range(len(people))
        ],
        "annotations": [
            {"id": number, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": [100, 100, 100, 100]} | person
            for number, person in enumerate(people, 1)
        ],
        "categories": [{"id": 1, "name": "person"}],
    }
    (root / listing).write_text(json.dumps(content))


def labelled(count: int, joints: dict[int, tuple[float, float]]) -> list[float]:
    flat = [0.0] * 3 * count
    for joint, place in joints.items():
        flat[3 * joint : 3 * joint + 3] = [*place, 2]
    return flat


def prediction(index: int, count: int, joints: dict[int, tuple[float, float]], score: float) -> dict[str, Any]:
    """Joints that nobody labelled are found in the middle of the box."""
    keypoints = [[*joints.get(joint, (150.0, 150.0)), 1.0] for joint in range(count)]
    return {"index": index, "image_id": index + 1, "bbox_score": score, "size_px": [125, 125], "keypoints": keypoints}


@pytest.mark.parametrize("evaluator", ["faster", "pycocotools"])
def test_crowdpose_by_hand(evaluator: str, tmp_path: Path) -> None:
    """One person in each of an easy, a medium and a hard picture, who is found, nearly found and missed."""
    shoulders = {0: (120.0, 120.0), 1: (180.0, 120.0)}
    people = [{"keypoints": labelled(14, shoulders), "num_keypoints": 2, "area": 1.0}] * 3
    layout(tmp_path, "annotations/crowdpose_test.json", "images", people, crowdIndex=[0.1, 0.2, 0.9])
    dataset = open_dataset("crowdpose", tmp_path)
    assert (dataset.name, len(dataset)) == ("crowdpose_test (3 pictures)", 3)
    # OKS 0.72 by the shoulders' sigma and 0.53 of the box: right at 5 of the 10 thresholds, 0.5 to 0.7.
    off = away(0.72, 0.079, 0.53 * 100 * 100)
    predictions = [
        prediction(0, 14, shoulders, 0.9),
        prediction(1, 14, {joint: (x + off, y) for joint, (x, y) in shoulders.items()}, 0.8),
        prediction(2, 14, {joint: (x + 900, y) for joint, (x, y) in shoulders.items()}, 0.7),
    ]
    found = dataset.score(predictions, evaluator=evaluator)
    # Of 101 levels of recall, 67 are at most 2/3 and 34 at most 1/3; precision is 1 there, as the best come first.
    assert found == pytest.approx(
        {
            "ap": (5 * 67 + 5 * 34) / 10 / 101, "ap50": 67 / 101, "ap75": 34 / 101, "ar": 0.5, "ar50": 2 / 3,
            "ar75": 1 / 3, "ap_easy": 1, "ap_medium": 0.5, "ap_hard": 0,
        },
        abs=1e-9,
    )  # fmt: skip


@pytest.mark.parametrize("evaluator", ["faster", "pycocotools"])
def test_wholebody_by_hand(evaluator: str, tmp_path: Path) -> None:
    """Two people: one with a body, a foot, a face and a left hand, the other with a body and a right hand."""
    fields = {"keypoints": 17, "foot_kpts": 6, "face_kpts": 68, "lefthand_kpts": 21, "righthand_kpts": 21}
    first = {"keypoints": {5: (120, 120)}, "foot_kpts": {0: (130, 190)}, "face_kpts": {8: (150, 110)},
             "lefthand_kpts": {0: (170, 150)}}  # fmt: skip
    second = {"keypoints": {5: (120, 120)}, "righthand_kpts": {0: (170, 150)}}
    people = [
        {name: labelled(count, person.get(name, {})) for name, count in fields.items()}
        | {"area": 10_000.0, "num_keypoints": 1}
        for person in (first, second)
    ]
    layout(tmp_path, "annotations/coco_wholebody_val_v1.0.json", "val2017", people)
    dataset = open_dataset("coco_wholebody", tmp_path)
    assert dataset.person(0).joints is not None
    assert dataset.person(0).joints.shape == (133, 2)
    chin = (150 + away(0.62, 0.020, 10_000), 110)  # right at 0.5, 0.55 and 0.6
    predictions = [
        prediction(0, 133, {5: (120, 120), 17: (130, 190), 31: chin, 91: (500, 150)}, 0.9),
        prediction(1, 133, {5: (120, 120), 112: (170, 150)}, 0.8),
    ]
    found = dataset.score(predictions, evaluator=evaluator)
    assert list(entry_of("coco_wholebody").metrics)[:3] == ["ap_body", "ar_body", "ap_foot"]
    # The whole: OKS of the first is (1 + 1 + 0.62 + 0) / 4 = 0.655, right at 4 thresholds. At the other 6 the better
    # pose is wrong: recall reaches 1/2, 51 of 101 levels, with precision 1/2.
    expected = {
        "ap_body": 1, "ar_body": 1, "ap_foot": 1, "ar_foot": 1, "ap_face": 0.3, "ar_face": 0.3, "ap_lefthand": 0,
        "ar_lefthand": 0, "ap_righthand": 1, "ar_righthand": 1, "ap_hand": 0.5, "ar_hand": 0.5,
        "ap": (4 + 6 * 51 / 101 / 2) / 10, "ar": (4 + 6 / 2) / 10,
    }  # fmt: skip
    assert found == pytest.approx(expected, abs=1e-9)


def test_halpe_by_hand_and_ochuman_as_coco(tmp_path: Path) -> None:
    """A head where it is and a toe that is not, among 136 joints of which 26 are taken; COCO's metrics for OCHuman."""
    flat = labelled(136, {17: (150, 100), 20: (150, 190), 100: (1, 1)})
    flat[2 + 3 * 17] = 1.5  # Halpe's visibilities are any numbers
    person = {"keypoints": flat, "num_keypoints": 3, "area": 10_000.0}
    layout(tmp_path / "halpe", "annotations/halpe_val_v1.json", "val2017", [{"area": 10_000.0}, person])
    off = away(0.72, 0.089, 10_000)
    predicted = prediction(1, 26, {17: (150, 100), 20: (150 + off, 190)}, 0.9)
    with pytest.warns(UserWarning, match="keypoints is missing for 1 of 2 people: taken as people without a labelled"):
        dataset = open_dataset("halpe26", tmp_path / "halpe")
    assert isinstance(dataset, CocoDataset)
    assert (len(dataset), dataset.left_out) == (1, {"no labelled joint": 1})
    found = dataset.score([predicted])
    # Together, OKS is 0.86: right at 8 thresholds; the toe alone, at 5.
    assert [found[key] for key in ("ap", "ap_body", "ap_foot")] == pytest.approx([0.8, 1, 0.5], abs=1e-9)

    name = "ochuman_coco_format_val_range_0.00_1.00.json"
    person = {"keypoints": labelled(17, {0: (150, 110)}), "num_keypoints": 1, "area": 10_000.0}
    layout(tmp_path / "ochuman", f"annotations/{name}", "images", [person])
    nose = (150 + away(0.72, 0.026, 10_000), 110)
    found = open_dataset("ochuman", tmp_path / "ochuman").score([prediction(0, 17, {0: nose}, 0.9)])
    assert [found[key] for key in ("ap", "ap50", "ap75", "ap_m", "ap_l")] == pytest.approx([0.5, 1, 0, -1, 0.5])
    with pytest.raises(InputError, match="ochuman is for evaluation: train on coco"):
        open_dataset("ochuman", tmp_path / "ochuman", split="train")


def test_crowdpose_needs_its_crowd_index_before_any_work(tmp_path: Path) -> None:
    people = [{"keypoints": labelled(14, {0: (120, 120)}), "num_keypoints": 1}]
    layout(tmp_path, "annotations/crowdpose_test.json", "images", people, crowdIndex=[1.5])
    with pytest.raises(InputError, match=r"image 1: crowdIndex is 1\.5, and must be from 0 to 1"):
        open_dataset("crowdpose", tmp_path)
    listing = tmp_path / "annotations" / "crowdpose_test.json"
    listing.write_text(listing.read_text().replace("crowdIndex", "crowd"))
    with pytest.raises(InputError, match="image 1: lacks crowdIndex"):
        open_dataset("crowdpose", tmp_path)
    names = json.dumps(["head", *CROWDPOSE.joints[1:]])
    told = listing.read_text().replace('"crowd"', '"crowdIndex"').replace("1.5", "0.5")
    listing.write_text(told.replace('"name": "person"', f'"name": "person", "keypoints": {names}'))
    with pytest.warns(UserWarning, match="category 1: the joint 'head' is taken for left_shoulder"):
        assert open_dataset("crowdpose", tmp_path).skeleton == CROWDPOSE


def test_crowdpose_and_wholebody_are_what_their_evaluator_says() -> None:
    """xtcocotools' figures of people made up from a seed, computed once: tests/made_up_people.py."""
    told = json.loads((Path(__file__).parents[1] / "reference" / "skeletons.json").read_text())
    content, predictions = made_up(14, SEED)
    crowds = entry_of("crowdpose")
    truth = read_annotations(content, layout=Layout.of(CROWDPOSE, box_area=0.53))
    found = [*crowds.score(truth, predictions, "faster").values()]
    assert found[:6] == pytest.approx(told["crowdpose"][:6], abs=1e-12)
    assert found[6:] == pytest.approx(told["crowdpose"][6:], abs=6e-5)  # it rounds these
    content, predictions = made_up(133, SEED)
    truth = read_annotations(content, layout=Layout(WHOLEBODY, PARTS, any_flag=True))
    by_name = entry_of("coco_wholebody").score(truth, predictions, "faster")
    for part in ("body", "foot", "face", "lefthand", "righthand", "whole"):
        end = "" if part == "whole" else f"_{part}"
        ap, ar = told[part][0], told[part][5]
        assert (by_name[f"ap{end}"], by_name[f"ar{end}"]) == pytest.approx((ap, ar), abs=1e-12), part


NAMES = ("body", "foot", "face", "lefthand", "righthand")


def test_wholebody_results_are_scored_alike_by_who_reads_their_five_fields(tmp_path: Path) -> None:
    """As the published evaluator does: part by part, and all fields in its order, with pycocotools."""
    content, predictions = made_up(133, SEED)
    entry = entry_of("coco_wholebody")
    ours = entry.score(read_annotations(content, layout=Layout(WHOLEBODY, PARTS, any_flag=True)), predictions, "faster")
    held = coco_results(predictions, skeleton=WHOLEBODY, fields=entry.result_fields)
    (tmp_path / "results.json").write_text(json.dumps(held))
    read = json.loads((tmp_path / "results.json").read_text())
    assert list(read[0]) == ["image_id", "category_id", *PARTS, "score"]
    start = 0
    wanted = [(f"_{part}", [field]) for part, field in zip(NAMES, PARTS, strict=True)]
    for part, names in (*wanted, ("", list(PARTS))):
        count = sum(PARTS[name] for name in names)
        joints = slice(start, start + count) if part else slice(0, 133)
        start += count

        def flat(one: dict[str, Any], names: list[str] = names) -> list[float]:
            return [value for name in names for value in one[name]]

        truth = pycoco.COCO()
        people = [
            one | {"keypoints": flat(one), "num_keypoints": sum(flag > 0 for flag in flat(one)[2::3])}
            for one in content["annotations"]
        ]
        truth.dataset = content | {"annotations": people}
        truth.createIndex()
        evaluation = COCOeval(truth, truth.loadRes([one | {"keypoints": flat(one)} for one in read]), "keypoints")
        evaluation.params.kpt_oks_sigmas = np.array(WHOLEBODY.part(joints).sigmas)
        evaluation.evaluate()
        evaluation.accumulate()
        evaluation.summarize()
        assert (ours[f"ap{part}"], ours[f"ar{part}"]) == pytest.approx(evaluation.stats[[0, 5]], abs=1e-12), part


def test_pckh_by_the_size_of_a_head_that_the_skeleton_names() -> None:
    """By hand: a head of 10 pixels, and one of nobody's size, whose joints do not count."""
    skeleton = Skeleton(("top", "chin", "hand"), (), (), (), head=(0, 1))
    people = np.array([
        [[0, 0, 2], [6, 8, 2], [50, 50, 1]],
        [[0, 0, 2], [6, 8, 2], [70, 50, 2]],
        [[0, 0, 0], [6, 8, 2], [50, 50, 2]],
    ], np.float64)  # fmt: skip
    found = people.copy()
    found[0, 2, 0] += 1  # a tenth of the head
    found[1, 2, 0] += 5  # half of it
    found[1, 1, 1] += 5.1
    predictions = [{"index": index, "keypoints": found[index].tolist()} for index in range(3)]
    assert score_heads(skeleton, people, predictions) == pytest.approx({"pckh": 100 * 5 / 6, "pckh@0.1": 100 * 4 / 6})
    # Who was not found has no joint where it is.
    assert score_heads(skeleton, people, predictions[:1]) == {"pckh": 50, "pckh@0.1": 50}
    assert score_heads(skeleton, people[2:], []) == {"pckh": -1, "pckh@0.1": -1}


# ------------------------------------------------------------------------------ drawn people with feet and hands


def test_drawn_feet_are_on_the_feet_of_the_same_pictures() -> None:
    for draw, indices in ((draw_scene, range(1)), (draw_portrait, range(3))):
        for index in indices:
            plain, more = draw(5, index), draw(5, index, "feet")
            assert np.array_equal(plain.image, more.image)
            assert [one["keypoints"] for one in plain.annotations] == [
                one["keypoints"][: 3 * 17] for one in more.annotations
            ]
    lengths, turns = [], []
    for index in range(16):
        points = np.reshape(annotate(plan_portrait(5, index, "feet"))[0]["keypoints"], (23, 3))
        for ankle, big, small, heel in ((15, 17, 18, 19), (16, 20, 21, 22)):
            if (points[[ankle, big, small, heel], 2] > 0).all():
                leg = max(np.linalg.norm(points[ankle - 2, :2] - points[ankle, :2]), 1)
                lengths.append(np.linalg.norm(points[big, :2] - points[heel, :2]) / leg)
                # Seen from above, the left small toe lies left of the way from heel to big toe, the right one right.
                way, aside = points[big, :2] - points[heel, :2], points[small, :2] - points[heel, :2]
                turns.append((ankle == 15, float(way[0] * aside[1] - way[1] * aside[0])))
    assert len(lengths) > 4
    assert 0.2 < np.median(lengths) < 0.9  # a foot is about half as long as a shin
    left, right = (np.median([turn for is_left, turn in turns if is_left == side]) for side in (True, False))
    assert left * right < 0


def test_drawn_hands_have_fingers_on_the_side_of_the_thumb() -> None:
    """A hanging hand has its thumb ahead and the little finger behind; curled up, all tips are on the palm's side."""
    angles = dict.fromkeys(AT_EASE, 0.0) | {
        f"{side}_{name}": 0.0 for side, _ in SIDES for name in AT_EASE if not name.startswith(("spine", "pelvis"))
    }
    body = pose("standing", 1.7, 1.0, 1.0, angles, 0.0)
    for side, (name, sign) in enumerate(SIDES):
        wrist = body.points[f"{name}_wrist"]
        flat, fist = (digits(body, side, Hand(0.5, curl, curl))[:, 2] - wrist for curl in (0.0, 0.9))
        assert (np.diff(flat[:, 2]) < 0).all()  # thumb to little finger, from front to back
        lengths = np.linalg.norm(flat, axis=1) / body.height
        assert (lengths[1:] > 0.08).all()
        assert (lengths < 0.108).all()  # the length of a hand, of Drillis and Contini
        assert (sign * fist[1:, 0] < -0.02).all()  # inward
        assert np.abs(flat[:, 0]).max() < 1e-9
    tips, seen, differ = slice(23, 29), 0, 0
    for index in range(8):
        plain, more = draw_portrait(5, index, "feet"), draw_portrait(5, index, "hands")
        flags = np.reshape(more.annotations[0]["keypoints"], (29, 3))[tips, 2]
        seen += int((flags == 2).sum())
        differ += not np.array_equal(plain.image, more.image)
    assert seen > 16  # of 48
    assert differ == 8


@pytest.mark.parametrize(("variant", "skeleton"), [("feet", BODY_AND_FEET), ("hands", BODY_FEET_HANDS)])
def test_drawn_people_with_more_joints_are_a_data_set(variant: Variant, skeleton: Skeleton) -> None:
    dataset = SyntheticDataset(2, 3, variant=variant)
    assert (dataset.name, dataset.skeleton) == (f"synthetic_{variant} (2 scenes, seed 3)", skeleton)
    assert dataset.fingerprint not in (SyntheticDataset(2, 3).fingerprint, fingerprint(2, 3, "portraits", variant))
    perfect = [
        {"index": index, "image_id": person.image_id, "bbox_score": 1.0, "size_px": person.box[2:],
         "keypoints": [[*joint, 1.0] for joint in person.joints.tolist()]}
        for index in range(len(dataset))
        if (person := dataset.person(index)).joints is not None
    ]  # fmt: skip
    assert dataset.score(perfect)["ap50"] > 0.99


# ------------------------------------------------------------------------------ 13 joints of one's own

JOINTS = ("crown", *COCO.joints[5:])
SIGMAS = [0.08, *(COCO.sigmas or ())[5:]]
NETWORK_NAME = "lightweight_mobilenetv3"
COLOURS = [(r, g, b) for r in (40, 140, 240) for g in (40, 140, 240) for b in (60, 220)][:13]


@pytest.fixture(scope="module")
def thirteen(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Six pictures of someone made of 13 dots, in ``train.json`` and ``val.json``; ``skeleton.json``; a finder."""
    root = tmp_path_factory.mktemp("thirteen")
    random = np.random.default_rng(3)
    images, annotations = [], []
    for number in range(1, 7):
        picture = np.zeros((260, 200, 3), np.uint8)
        spots = random.permutation(20)[:13]
        joints = np.stack((45 + 25 * (spots % 4), 35 + 45 * (spots // 4)), 1) + random.uniform(-3, 3, (13, 2))
        for joint, colour in zip(joints, COLOURS, strict=True):
            cv2.circle(picture, tuple(round(v * 16) for v in joint), 5 * 16, colour, -1, cv2.LINE_AA, 4)
        cv2.imwrite(str(root / f"{number}.png"), picture[:, :, ::-1])
        images.append({"id": number, "file_name": f"{number}.png", "width": 200, "height": 260})
        annotations.append({
            "id": number, "image_id": number, "category_id": 3, "bbox": [32, 15, 112, 230], "area": 15_000,
            "iscrowd": 0, "keypoints": np.column_stack((joints, np.full(13, 2))).round(2).flatten().tolist(),
            "num_keypoints": 13,
        })  # fmt: skip
    category = {"id": 3, "name": "climber", "keypoints": list(JOINTS), "skeleton": [[1, 2], [1, 3]]}
    for name, part in (("train", slice(0, 4)), ("val", slice(4, 6))):
        content = {"images": images[part], "annotations": annotations[part], "categories": [category]}
        (root / f"{name}.json").write_text(json.dumps(content))
    (root / "skeleton.json").write_text(json.dumps({"sigmas": SIGMAS}))
    (root / "finder.py").write_text(NETWORK.format(colours=COLOURS))
    return root


def names_of(content: dict[str, Any]) -> list[str]:
    names: list[str] = content["categories"][0]["keypoints"]
    return names


def changed(thirteen: Path, folder: Path, change: Callable[[dict[str, Any]], Any], name: str = "val") -> Path:
    """A copy of an annotation file, changed."""
    content = json.loads((thirteen / f"{name}.json").read_text())
    change(content)
    (folder / f"{name}.json").write_text(json.dumps(content))
    return folder / f"{name}.json"


def seventeen(names: list[str]) -> Callable[[dict[str, Any]], None]:
    """People of 17 joints of these names, of which the last four are not labelled."""

    def change(content: dict[str, Any]) -> None:
        content["categories"][0].update(keypoints=names, skeleton=[])
        for annotation in content["annotations"]:
            annotation["keypoints"] += [0.0] * 12

    return change


@pytest.mark.filterwarnings("ignore:.*change places")
def test_a_set_of_13_joints_goes_all_the_way(thirteen: Path, tmp_path: Path) -> None:
    """Trained on, evaluated, predicted with and exported; and what finds the dots has a high AP by its own sigmas."""
    ours = ["--annotations", thirteen / "val.json", "--images", thirteen, "--category", "climber"]
    skeleton = ["--skeleton", thirteen / "skeleton.json"]
    usual = ["--device", "cpu", "--results", tmp_path / "results", "--workers", "0", "--threads", "1", "--quiet"]
    network = ["--input", "32x32"]

    def run(name: str, *arguments: object) -> None:
        assert command(name)([str(one) for one in arguments]) == 0, name

    run(
        "train", "--model", NETWORK_NAME, "--annotations", thirteen / "train.json", "--images", thirteen,
        "--val-annotations", thirteen / "val.json", "--category", "climber", *skeleton, *usual, *network,
        "--epochs", "1", "--batch", "2", "--out", tmp_path / "trained",
    )  # fmt: skip
    weights = next((tmp_path / "trained").glob("*/last.safetensors"))
    run("accuracy", "--models", NETWORK_NAME, "--weights", weights, *ours, *skeleton, *usual, *network, "--batch", "2")
    finder = f"{thirteen}/finder.py:finder"
    run("accuracy", "--models", finder, "--weights", "own", *ours, *skeleton, *usual, "--no-flip", "--batch", "2")
    records = results.read(tmp_path / "results")
    assert [(record.kind, record.num_joints) for record in records].count(("accuracy", 13)) == 2
    assert [record.metrics["steps"] for record in records if record.kind == "train" and record.num_joints == 13] == [2]
    by_model = {record.model: record for record in records if record.kind == "accuracy"}
    assert by_model["finder:finder"].metrics["ap"] > 0.8
    assert 0 <= by_model[NETWORK_NAME].metrics["ap"] <= 1
    assert by_model[NETWORK_NAME].dataset == "val (2 pictures)"
    written = tmp_path / "results" / "predictions" / str(by_model["finder:finder"].notes["predictions"])
    assert {len(one["keypoints"]) for one in json.loads(written.read_text())} == {39}

    # The weights say whose joints they find, so that nobody needs to say it again.
    with safe_open(weights, "pt") as opened:
        told = opened.metadata()
    assert json.loads(told["joints"]) == list(JOINTS)
    assert json.loads(told["limbs"]) == [[0, 1], [0, 2]]
    prediction_options = ["--device", "cpu", "--quiet", "--boxes", thirteen / "val.json", "--category", "climber"]
    run(
        "predict", thirteen, "--model", NETWORK_NAME, "--weights", weights, *network, *prediction_options,
        "--out", tmp_path / "drawn",
    )  # fmt: skip
    held = json.loads((tmp_path / "drawn" / "predictions.json").read_text())
    assert held["joints"] == list(JOINTS)
    assert [len(picture["people"][0]["keypoints"]) for picture in held["pictures"]] == [13, 13]
    assert {one.name for one in (tmp_path / "drawn").glob("*.jpg")} == {"0001_5.jpg", "0002_6.jpg"}
    exported = tmp_path / "net.pt"
    formats = ["--format", "torchscript", "--out", exported, "--quiet"]
    run("export", "--model", NETWORK_NAME, "--weights", weights, *network, *formats)
    _, metadata = load_torchscript(exported)
    assert (json.loads(metadata["joints"]), metadata["num_joints"]) == (list(JOINTS), "13")
    assert json.loads(metadata["flip_pairs"]) == [[joint, joint + 1] for joint in range(1, 13, 2)]

    # And the way from a frame to its joints; how good they are is told by those that drawn people have as well.
    asked = ["--motion", "--people", "1", "--size", "320x240", "--quick", "--frames", "3", "--warmup", "0", "--draw"]
    one = ["--backend", "eager", "--threads", "1", "--batching", "each", "--flip", "yes"]
    arguments = parse_pipeline(["--models", NETWORK_NAME, "--weights", str(weights), *network, *asked, *one])
    (plan,) = make_plans(arguments, "cpu")
    assert (plan.network.found.joints, plan.network.found.limbs) == (JOINTS, ((0, 1), (0, 2)))
    assert plan_of(json.loads(json.dumps(asdict(plan)))) == plan
    assert "joints_sha256" in plan.measurement().protocol
    built = artifact_of(plan.network, module(plan.network), 1)
    found = measure(plan, {1: built})
    assert found.people == 3
    assert found.quality["error_relative"] > 0
    assert shared(plan.network.found) == [(joint, joint + 4) for joint in range(1, 13)]

    # Weights of other joints, of as many, are refused; so is another number.
    (tmp_path / "other").mkdir()
    renamed = changed(thirteen, tmp_path / "other", lambda one: names_of(one).__setitem__(0, "tail"))
    other = ["--annotations", renamed, "--images", thirteen, "--category", "climber", *skeleton, *usual, *network]
    for arguments, problem in (
        (["--weights", weights, *other], r"last\.safetensors has 'crown' as joint 0, and val .* has 'tail' there"),
        (["--weights", "bundled", *ours, *skeleton, *usual, *network], "they are for 17 joints and the network has 13"),
    ):
        with pytest.raises(InputError, match=problem):
            command("accuracy")(["--models", NETWORK_NAME, *map(str, arguments)])


def test_what_says_the_joints_of_a_network_of_ones_own(thirteen: Path, tmp_path: Path) -> None:
    """--skeleton, where no weights name them; without it, 13 joints are nobody's."""
    asked = [str(thirteen / "5.png"), "--model", f"{thirteen}/finder.py:finder", "--weights", "random", "--no-flip",
             "--device", "cpu", "--quiet", "--out", str(tmp_path)]  # fmt: skip
    (tmp_path / "s.json").write_text(json.dumps({"joints": JOINTS, "limbs": [["crown", "left_shoulder"]]}))
    with pytest.warns(UserWarning, match="by their names: left_shoulder and right_shoulder"):
        assert command("predict")([*asked, "--skeleton", str(tmp_path / "s.json")]) == 0
    held = json.loads((tmp_path / "predictions.json").read_text())
    assert held["joints"] == list(JOINTS)
    truth = json.loads((thirteen / "val.json").read_text())["annotations"][0]["keypoints"]
    found = np.array(held["pictures"][0]["people"][0]["keypoints"])[:, :2]
    assert np.abs(found - np.reshape(truth, (13, 3))[:, :2]).max() < 8
    with pytest.raises(InputError, match=r"gives \(13, .*coco needs .*17"):
        command("predict")(asked)


# ------------------------------------------------------------------------------ what is wrong is said in a line


def says(text: str, **told: Any) -> tuple[dict[str, Any], str]:
    return told, re.escape(text)


@pytest.mark.filterwarnings("ignore:.*change places")
@pytest.mark.parametrize(
    ("told", "problem"),
    [
        says("s.json: flip_pairs: there is no joint \"left_wing\"", flip_pairs=[["left_wing", "left_hip"]]),
        says("s.json: flip_pairs: [\"left_hip\", \"left_hip\"] is a joint and itself", flip_pairs=[["left_hip"] * 2]),
        says("s.json: flip_pairs: there is no joint 13: give names, or numbers from 0 to 12", flip_pairs=[[0, 13]]),
        says("s.json: flip_pairs: 'left_hip' is in two pairs", flip_pairs=[["left_hip", "right_hip"], ["left_hip", 0]]),
        says("s.json: flip_pairs: [1] is not a pair", flip_pairs=[[1]]),
        says("s.json: flip_pairs: 7 is not a list", flip_pairs=7),
        says("s.json: sigmas: 12 numbers for 13 joints", sigmas=SIGMAS[1:]),
        says("s.json: sigmas: 'left_shoulder' has 0, and must have a number above 0", sigmas=[0.1, 0, *SIGMAS[2:]]),
        says("s.json: sigmas: there is none of 'left_shoulder'", sigmas={"crown": 0.1}),
        says("s.json: sigmas: there is no joint \"tail\"", sigmas={"tail": 0.1}),
        says("s.json: sigmas: \"?\" is neither a list", sigmas="?"),
        says("s.json: joints: two joints are named \"a\"", joints=["a", "b", "a"]),
        says("has 13 joints, and s.json has 2", joints=["a", "b"]),
        says("has 'crown' as joint 0, and s.json has 'top' there", joints=["top", *JOINTS[1:]]),
        says("s.json: sigmas: \"left_hip\" and \"LHip\" are both 'left_hip': give one", sigmas={
            **dict(zip(JOINTS, SIGMAS, strict=True)), "LHip": 0.1}),
        says("s.json: flip_pairs: 'left_hip' is in two pairs", flip_pairs=[["LHip", "RHip"], ["left hip", "crown"]]),
        says("s.json: limbs: [\"LHip\", \"left_hip\"] is a joint and itself", limbs=[["LHip", "left_hip"]]),
        says("s.json: upper_body: there is no joint \"?\"", upper_body=["?"]),
        says("s.json: limbs: there is no joint 99", limbs=[[0, 99]]),
        says("s.json: head: there is no joint \"chin\"", head=["crown", "chin"]),
        says("s.json: \"sigma\" is not known: there is joints, flip_pairs, sigmas, limbs, ", sigma=SIGMAS),
        says("the sigmas of its joints, which OKS and AP need, are not known: write {\"sigmas\": {\"crown\": ?, "
             "\"left_shoulder\": 0.079, ", flip_pairs=[]),
    ],
)  # fmt: skip
def test_a_bad_skeleton_is_named(told: dict[str, Any], problem: str, thirteen: Path, tmp_path: Path) -> None:
    (tmp_path / "s.json").write_text(json.dumps(told))
    with pytest.raises(InputError, match=problem):
        open_dataset("coco", annotations=thirteen / "val.json", category="climber", skeleton=tmp_path / "s.json")


@pytest.mark.parametrize(
    "spelt",
    [
        str.upper,
        lambda name: name.title().replace("_", " "),
        lambda name: name.replace("_", "-"),
        lambda name: f" {name.replace('_', '')} ",
        lambda name: re.sub("(left|right)_(.)", lambda found: (found[1][0] + found[2]).upper(), name),
        lambda name: re.sub("(left|right)_(.*)", lambda found: f"{found[2].title()}.{found[1][0].upper()}", name),
        lambda name: re.sub("(left|right)_(.*)", r"\2_\1", name),
    ],
)
def test_a_skeleton_file_names_joints_however_they_are_spelt(
    spelt: Callable[[str], str], thirteen: Path, tmp_path: Path
) -> None:
    """In every field alike: sigmas were looked for as the annotations spell them, and so were all pairs."""
    pairs = [[JOINTS[one], JOINTS[other]] for one, other in guess_flip_pairs(JOINTS)]
    exact = {
        "sigmas": dict(zip(JOINTS, SIGMAS, strict=True)), "flip_pairs": pairs, "limbs": [["crown", "left_hip"]],
        "upper_body": ["crown", "left_elbow"], "head": ["crown", "left_shoulder"],
    }  # fmt: skip
    free = {
        key: {spelt(name): sigma for name, sigma in told.items()} if isinstance(told, dict)
        else [[spelt(name) for name in one] if isinstance(one, list) else spelt(one) for one in told]
        for key, told in exact.items()
    }  # fmt: skip
    found = []
    for told in (exact, free):
        (tmp_path / "s.json").write_text(json.dumps(told))
        usual = {"category": "climber", "skeleton": tmp_path / "s.json", "pictures": thirteen}
        found.append(open_dataset("coco", annotations=thirteen / "val.json", **usual).skeleton)
    assert found[0] == found[1]
    assert found[0].sigmas == tuple(SIGMAS)


def test_a_name_that_may_be_two_joints_is_refused_with_both(tmp_path: Path) -> None:
    """As they are spelt, they are told apart; otherwise nobody can tell which is meant."""
    joints = ["LHip", "left_hip", "?", "!"]

    def read(**told: Any) -> Skeleton:
        (tmp_path / "s.json").write_text(json.dumps({"joints": joints, "sigmas": [0.1] * 4, "flip_pairs": []} | told))
        return make_skeleton(None, file=read_skeleton(tmp_path / "s.json"), where="x")

    assert read(limbs=[["LHip", "left_hip"], ["?", "!"]]).limbs == ((0, 1), (2, 3))
    by_name = {"!": 0.04, "left_hip": 0.02, "?": 0.03, "LHip": 0.01}
    assert read(sigmas=by_name).sigmas == (0.01, 0.02, 0.03, 0.04)
    for field, told in (
        ("limbs", [["left hip", "?"]]), ("flip_pairs", [["left hip", "?"]]), ("upper_body", ["left hip"]),
        ("head", ["?", "left hip"]), ("sigmas", {"left hip": 0.1}),
    ):  # fmt: skip
        wanted = re.escape(f's.json: {field}: "left hip" may be any of "LHip", "left_hip": write it as one of them')
        with pytest.raises(InputError, match=wanted):
            read(**{field: told})


@pytest.mark.filterwarnings("ignore:.*by their names:")
def test_what_a_skeleton_hardly_means_is_said(thirteen: Path, tmp_path: Path) -> None:
    def said(**told: Any) -> list[str]:
        (tmp_path / "s.json").write_text(json.dumps({"sigmas": SIGMAS} | told))
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            open_dataset("coco", annotations=thirteen / "val.json", category="climber", skeleton=tmp_path / "s.json")
        return [str(one.message) for one in caught if "by their names:" not in str(one.message)]

    pairs = [list(pair) for pair in guess_flip_pairs(JOINTS)]
    assert said(flip_pairs=pairs) == said(flip_pairs=[]) == said() == []
    from_one = [[first - 1, second - 1] for first, second in pairs]
    for wrong in (from_one, pairs[1:]):
        (line,) = said(flip_pairs=wrong)
        assert line.startswith("s.json: flip_pairs has left_shoulder with ")
        assert line.endswith("numbers count from 0")
    (line,) = said(sigmas=[0.05] * 12 + [0.89])  # as COCO's tools write them, in tenths
    assert line.startswith(f"s.json: sigmas: '{JOINTS[12]}' has 0.89, and COCO's joints have 0.025 to 0.107")


@pytest.mark.filterwarnings("ignore:.*change places")
def test_bad_categories_and_options_are_named(thirteen: Path, tmp_path: Path) -> None:
    usual = {"category": "climber", "skeleton": thirteen / "skeleton.json", "pictures": thirteen}
    for name in ("a", "b", "c"):
        (tmp_path / name).mkdir()
    doubled = changed(thirteen, tmp_path / "a", lambda one: names_of(one).__setitem__(1, "crown"))
    nameless = changed(thirteen, tmp_path / "b", lambda one: one["categories"][0].pop("keypoints"))
    shuffled = changed(thirteen, tmp_path / "c", lambda one: names_of(one).reverse())
    for file, options, problem in (
        (doubled, usual, 'val.json, category 3: keypoints: two joints are named "crown"'),
        (nameless, usual, "val.json, category 3 does not name its joints: write them into a file of --skeleton"),
        (thirteen / "val.json", usual | {"skeleton": None}, "give it with --skeleton; for each ?, the spread"),
    ):
        with pytest.raises(InputError, match=re.escape(problem)):
            open_dataset("coco", annotations=file, **options)
    with pytest.raises(InputError, match="--skeleton goes with --annotations FILE"):
        open_dataset("synthetic", skeleton=thirteen / "skeleton.json")
    (tmp_path / "s.json").write_text(json.dumps({"sigmas": SIGMAS[1:]}))
    wanted = re.escape("12 numbers for 13 joints: one for each joint is needed (the joints of val.json, category 3)")
    with pytest.raises(InputError, match=wanted):
        open_dataset("coco", annotations=thirteen / "val.json", **(usual | {"skeleton": tmp_path / "s.json"}))
    for text in ("[]", "{", '{"joints": []}'):
        (tmp_path / "s.json").write_text(text)
        with pytest.raises(InputError, match=r"s\.json"):
            open_dataset("coco", annotations=thirteen / "val.json", **(usual | {"skeleton": tmp_path / "s.json"}))
    with pytest.raises(InputError, match=r"val\.json has 'right_ankle' as joint 0, and train\.json has 'crown' there"):
        command("train")([
            "--model", NETWORK_NAME, "--annotations", str(thirteen / "train.json"), "--val-annotations",
            str(shuffled), "--val-images", str(thirteen), "--category", "climber", "--skeleton",
            str(thirteen / "skeleton.json"), "--epochs", "1", "--out", str(tmp_path), "--results", str(tmp_path / "r"),
            "--device", "cpu",
        ])  # fmt: skip


def test_a_skeleton_of_ones_own_decides_the_score(thirteen: Path, tmp_path: Path) -> None:
    """Sigmas as a list or by names; pairs and limbs as they are said; COCO's joints however spelt need nothing."""
    by_name = dict(zip(JOINTS, [2 * sigma for sigma in SIGMAS], strict=True))
    pairs = [["left_hip", "right_hip"]]
    (tmp_path / "s.json").write_text(
        json.dumps({"sigmas": by_name, "flip_pairs": pairs, "upper_body": [0, 1, 2], "head": ["crown", 1]})
    )
    usual = {"annotations": thirteen / "val.json", "category": "climber", "pictures": thirteen}
    wide = open_dataset("coco", **usual, skeleton=tmp_path / "s.json")
    with pytest.warns(UserWarning, match="change places"):
        narrow = open_dataset("coco", **usual, skeleton=thirteen / "skeleton.json")
    assert wide.skeleton == Skeleton(JOINTS, ((7, 8),), ((0, 1), (0, 2)), (0, 1, 2), tuple(by_name.values()), (0, 1))
    assert narrow.skeleton.upper_body == (0, 1, 2, 3, 4, 5, 6)  # by names: what is no hip, knee or ankle
    assert wide.fingerprint != narrow.fingerprint
    predictions = []
    for index in range(2):
        person = narrow.person(index)
        assert person.joints is not None
        off = person.joints + np.array([[away(0.72, sigma, 15_000), 0] for sigma in SIGMAS])
        keypoints = [[*place, 1.0] for place in off.tolist()]
        predictions.append({"index": index, "image_id": person.image_id, "bbox_score": 1.0, "size_px": [112, 230],
                            "keypoints": keypoints})  # fmt: skip
    assert narrow.score(predictions)["ap"] == pytest.approx(0.5, abs=1e-6)
    # Twice the sigma is the fourth root: 0.72 ** 0.25 is 0.921.
    scored = wide.score(predictions)
    assert scored["ap"] == pytest.approx(0.9, abs=1e-6)
    assert 0 <= scored["pckh@0.1"] <= scored["pckh"] <= 100
    assert list(wide.entry.metrics)[-2:] == ["pckh", "pckh@0.1"]

    for spelt in (
        lambda name: name.title().replace("_", " "),
        lambda name: name.replace("_", ""),
        lambda name: "_".join(name.split("_")[::-1]),
    ):
        file = changed(thirteen, tmp_path, seventeen([spelt(name) for name in COCO.joints]))
        assert open_dataset("coco", **(usual | {"annotations": file})).skeleton == COCO
    file = changed(thirteen, tmp_path, seventeen([name.upper() for name in COCO.joints[::-1]]))
    with pytest.raises(InputError, match=r"COCO's joints in another order: .* --skeleton FILE with their sigmas takes"):
        open_dataset("coco", **(usual | {"annotations": file}))


@pytest.mark.filterwarnings("ignore:.*change places")
def test_what_other_tools_mean_by_edges_boxes_and_joints_is_said(thirteen: Path, tmp_path: Path) -> None:
    """Edges counted from 0 connect the joints that are meant; joints and boxes of other conventions are warned of."""

    def opened(change: Callable[[dict[str, Any]], Any]) -> Dataset:
        file = changed(thirteen, tmp_path, change)
        return open_dataset(
            "coco", annotations=file, category="climber", pictures=thirteen, skeleton=thirteen / "skeleton.json"
        )

    def edges(*pairs: Any) -> Callable[[dict[str, Any]], Any]:
        return lambda content: content["categories"][0].update(skeleton=[*pairs])

    def people(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[dict[str, Any]], Any]:
        return lambda content: [one.update(change(one)) for one in content["annotations"]]

    with pytest.warns(UserWarning, match="skeleton is taken as counted from 0, because it names a joint 0"):
        assert opened(edges([0, 1], [0, 2], [11, 12])).skeleton.limbs == ((0, 1), (0, 2), (11, 12))
    assert opened(edges([0, 1], [1, 13], [2, 2], ["a", 1], [14, 1])).skeleton.limbs == ((0, 12),)
    flat = [slice(0, None, 3), slice(1, None, 3)]

    def of_corners(one: dict[str, Any]) -> dict[str, Any]:
        x, y, width, height = one["bbox"]
        return {"bbox": [x + 80, y, x + 80 + width, y + height], "area": 25_000}

    def of_shares(one: dict[str, Any]) -> dict[str, Any]:
        keypoints = np.array(one["keypoints"])
        for part, size in zip(flat, (200, 260), strict=True):
            keypoints[part] /= size
        return {"keypoints": keypoints.tolist()}

    def of_centres(one: dict[str, Any]) -> dict[str, Any]:
        x, y, width, height = one["bbox"]
        return {"bbox": [x + width / 2, y + height / 2, width, height]}

    for change, says in (
        (of_corners, "val.json: 100% of the boxes reach far beyond their picture: bbox must be x, y, width, height"),
        (of_shares, "val.json: 100% of the labelled joints are outside the box of their person"),
        (of_centres, r"val.json: \d\d% of the labelled joints are outside the box of their person"),
    ):
        with pytest.warns(UserWarning, match=says):
            opened(people(change))
    first = changed(thirteen, tmp_path, lambda content: content["annotations"][0].update(num_keypoints=0))
    with pytest.warns(UserWarning, match="num_keypoints is 0 for 1 people whose joints are labelled: not looked at"):
        assert len(opened(lambda content: content.update(json.loads(first.read_text())))) == 1
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        warnings.filterwarnings("ignore", message=".*change places")
        assert len(opened(lambda content: None)) == 2


def test_weights_without_names_are_for_the_joints_that_they_learnt(thirteen: Path, tmp_path: Path) -> None:
    """Published and bundled ones are COCO's and MPII's; as many joints of something else are not theirs."""
    paws = [f"paw {number}" for number in range(17)]
    file = changed(thirteen, tmp_path, seventeen(paws))
    (tmp_path / "s.json").write_text(json.dumps({"joints": paws, "sigmas": [0.05] * 17, "flip_pairs": []}))
    usual = ["--skeleton", str(tmp_path / "s.json"), "--weights", "bundled", "--device", "cpu", "--quiet"]
    network = f"{NETWORK_NAME} (bundled weights) has 'nose' as joint 0, and"
    with pytest.raises(InputError, match=re.escape(f"{network} val (2 pictures) has 'paw 0' there")):
        command("accuracy")(["--models", NETWORK_NAME, "--annotations", str(file), "--images", str(thirteen),
                             "--category", "climber", "--results", str(tmp_path / "r"), *usual])  # fmt: skip
    with pytest.raises(InputError, match=re.escape(f"{network} s.json has 'paw 0' there")):
        command("predict")([str(thirteen / "5.png"), "--model", NETWORK_NAME, "--out", str(tmp_path / "o"), *usual])
    with pytest.raises(InputError, match=r"published weights\) has 'right_ankle' as joint 0, and tail has 'a' there"):
        fit_joints(learnt_joints("net", "published", "mpii"), Skeleton(tuple("abcdefghijklmnop"), (), (), ()), "tail")
