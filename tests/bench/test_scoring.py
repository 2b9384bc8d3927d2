"""COCO's and MPII's metrics, against the published evaluation and against the original library."""

import copy
import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.io
from hypothesis import given, settings
from hypothesis import strategies as st
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from bench.accuracy import coco_results, oks_nms, score_coco, score_mpii
from bench.accuracy.coco import METRICS, Poses, _oks_by_image
from bench.accuracy.oks import sigmas_of, suppress
from bench.core.errors import InputError
from bench.core.skeletons import COCO as SKELETON
from bench.data.annotations import read_annotations

REFERENCE = Path(__file__).parents[1] / "reference"
EXPECTED = json.loads((REFERENCE / "pipeline.json").read_text())
TRUTH_FILE = REFERENCE / "coco_case" / "ground_truth.json"
TRUTH = json.loads(TRUTH_FILE.read_text())
PREDICTIONS = json.loads((REFERENCE / "coco_case" / "predictions.json").read_text())
EVALUATORS = ("faster", "pycocotools")
SIGMAS = sigmas_of(SKELETON)


@pytest.mark.parametrize("evaluator", EVALUATORS)
def test_coco_case_meets_the_published_metrics(evaluator: str, capfd: pytest.CaptureFixture[str]) -> None:
    expected = list(EXPECTED["coco_case"]["expected"].values())
    truth, predictions = copy.deepcopy(TRUTH), copy.deepcopy(PREDICTIONS)
    from_file = score_coco(TRUTH_FILE, predictions, evaluator=evaluator)
    assert tuple(from_file) == METRICS
    assert list(from_file.values()) == pytest.approx(expected, rel=0, abs=1e-9)
    assert score_coco(truth, predictions, evaluator=evaluator) == from_file
    assert (truth, predictions) == (TRUTH, PREDICTIONS)  # what was given is as it was
    assert capfd.readouterr().out == ""  # the libraries print


def original(truth: dict[str, Any], results: list[dict[str, Any]]) -> COCOeval:
    """pycocotools as its own documentation says to use it."""
    index = COCO()
    index.dataset = copy.deepcopy(truth)
    index.createIndex()
    evaluation = COCOeval(index, index.loadRes(copy.deepcopy(results)), "keypoints")
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return evaluation


def random_case(
    people: list[int], found: list[int], seed: int, noise: float, crowd: float, digits: int
) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    """People and poses near them: as many as given an image, in a mixed order."""
    random = np.random.RandomState(seed)
    images = random.choice(100, len(people), replace=False).tolist()
    truth: dict[str, Any] = {
        "images": [{"id": image} for image in images],
        "categories": TRUTH["categories"],
        "annotations": [],
    }
    predictions = []
    for image, count, poses in zip(images, people, found, strict=True):
        boxes = np.column_stack((random.rand(count, 2) * 400, random.rand(count, 2) * 150 + 5))
        joints = [random.rand(17, 2) * box[2:] + box[:2] for box in boxes]
        for box, at in zip(boxes, joints, strict=True):
            # As many visible joints as comes, none and all included; a number of joints that the file may deny.
            visible = random.choice([0, 1, 2], 17) * (random.rand(17) < random.choice([0, 0.3, 1]))
            crowded = random.rand() < crowd
            truth["annotations"].append(
                {
                    "id": len(truth["annotations"]) + 1,
                    "image_id": image,
                    "category_id": 1,
                    "bbox": box.tolist(),
                    "area": float(box[2] * box[3] * random.rand()),
                    "iscrowd": int(crowded),
                    "num_keypoints": int((visible > 0).sum()) if random.rand() < 0.9 else 0,
                    "keypoints": np.column_stack((at, visible)).ravel().round().astype(int).tolist(),
                }
            )
        for _ in range(poses):
            target = random.randint(count) if count and random.rand() < 0.8 else None
            size = random.rand(2) * 150 + 5 if target is None else boxes[target][2:] * 1.25
            at = random.rand(17, 2) * 400 if target is None else joints[target]
            at = at + random.randn(17, 2) * noise * random.rand() * np.sqrt(size.prod())
            predictions.append(
                {
                    "image_id": image,
                    "bbox_score": round(random.rand(), digits),
                    "keypoints": np.column_stack((at, random.rand(17).round(digits))).tolist(),
                    "size_px": size.tolist(),
                }
            )
    random.shuffle(predictions)
    return truth, predictions


@settings(max_examples=60, deadline=None)
@given(
    counts=st.lists(st.tuples(st.integers(0, 5), st.integers(0, 28)), min_size=1, max_size=5),
    seed=st.integers(0, 2**31),
    noise=st.sampled_from([0.01, 0.05, 0.2]),
    crowd=st.sampled_from([0, 0.3]),
    digits=st.sampled_from([0, 1, 9]),
)
def test_both_evaluators_agree_to_the_last_bit(
    counts: list[tuple[int, int]], seed: int, noise: float, crowd: float, digits: int
) -> None:
    """Images without people or poses, crowds, more poses than the 20 that count, equal scores."""
    people, found = [people for people, _ in counts], [found for _, found in counts]
    truth, predictions = random_case(people, found, seed, noise, crowd, digits)
    faster = score_coco(truth, predictions)
    assert faster == score_coco(truth, predictions, evaluator="pycocotools")
    if predictions:
        evaluation = original(truth, coco_results(predictions))
        assert list(faster.values()) == evaluation.stats.tolist()
        similarity = _oks_by_image(read_annotations(truth), Poses.of(predictions, 0.2, SKELETON).suppressed(0.9), 20)
        for (image, _), expected in evaluation.ious.items():
            assert np.array_equal(similarity.get(image, []), expected)
    else:
        assert set(faster.values()) <= {0, -1}


def test_scores_of_perfect_and_of_no_predictions() -> None:
    people = [person for person in TRUTH["annotations"] if not person["iscrowd"] and person["num_keypoints"]]
    perfect = [
        {
            "image_id": person["image_id"],
            "bbox_score": 1.0,
            "keypoints": np.reshape(person["keypoints"], (17, 3)).astype(float).clip(max=[9999, 9999, 1]),
            "size_px": person["bbox"][2:],
        }
        for person in people
    ]
    nobody = {**TRUTH, "annotations": []}
    for evaluator in EVALUATORS:
        assert score_coco(TRUTH, perfect, evaluator=evaluator) == dict.fromkeys(METRICS, 1.0)
        assert score_coco(TRUTH, [], evaluator=evaluator) == dict.fromkeys(METRICS, 0.0)
        assert score_coco(nobody, PREDICTIONS, evaluator=evaluator) == dict.fromkeys(METRICS, -1.0)


def test_ids_of_annotations_do_not_matter() -> None:
    """pycocotools takes a match with annotation 0 for none; two annotations of one id are one to it."""
    renumbered = copy.deepcopy(TRUTH)
    for number, annotation in enumerate(renumbered["annotations"]):
        annotation["id"] = number // 2
    other = {"id": 5, "name": "bicycle"}
    renumbered["categories"].append(other)
    renumbered["annotations"].append({"id": 0, "image_id": 1, "category_id": 5, "bbox": [0, 0, 9, 9]})
    for evaluator in EVALUATORS:
        assert score_coco(renumbered, PREDICTIONS, evaluator=evaluator) == score_coco(TRUTH, PREDICTIONS)


def test_results_are_rescored_sorted_and_in_the_servers_format() -> None:
    def prediction(image: int, box_score: float, joint_scores: list[float], x: float) -> dict[str, Any]:
        joints = [[x + joint, 2.0 * joint, score] for joint, score in enumerate(joint_scores)]
        return {"image_id": image, "bbox_score": box_score, "keypoints": joints, "size_px": [30, 40]}

    results = coco_results(
        [
            prediction(7, 0.5, [0.9] * 2 + [0.2] * 15, x=0),  # 0.2 is not above 0.2
            prediction(3, 0.9, [0.1] * 17, x=0),  # no joint is
            prediction(7, 0.8, [0.6] * 17, x=300),
            prediction(7, 0.4, [1.0] * 17, x=300.1),  # the one before, again
        ]
    )
    assert [(result["image_id"], round(result["score"], 9)) for result in results] == [(3, 0), (7, 0.48), (7, 0.45)]
    assert results[1]["keypoints"] == [float(value) for j in range(17) for value in (300 + j, 2 * j, 0.6)]
    assert all(set(result) == {"image_id", "category_id", "keypoints", "score"} for result in results)
    assert all(result["category_id"] == 1 for result in results)
    assert json.loads(json.dumps(results)) == results
    assert coco_results([]) == []


@settings(max_examples=60, deadline=None)
@given(
    count=st.integers(0, 25), seed=st.integers(0, 2**31), threshold=st.sampled_from([0.3, 0.7, 0.9]), ties=st.booleans()
)
def test_suppression_keeps_what_the_rule_keeps(count: int, seed: int, threshold: float, ties: bool) -> None:
    """In one picture and in many, whose poses come mixed."""
    random = np.random.RandomState(seed)
    persons = random.rand(3, 17, 2) * 200
    poses = persons[random.randint(3, size=count)] + random.randn(count, 17, 2) * random.choice([1, 10], (count, 1, 1))
    areas, scores = random.uniform(1e3, 5e4, count), random.rand(count).round(0 if ties else 9)
    image = random.choice([9, 2, 5], count)

    def alike(a: int, b: int) -> float:
        squares = ((poses[a] - poses[b]) ** 2).sum(1)
        return float(np.mean(np.exp(-squares / (2 * (areas[a] + areas[b]) / 2 * (2 * SIGMAS) ** 2))))

    def kept(candidates: list[int]) -> list[int]:
        result: list[int] = []
        for candidate in sorted(candidates, key=lambda index: (-scores[index], -index)):
            if all(alike(candidate, other) <= threshold for other in result):
                result.append(candidate)
        return result

    assert oks_nms(poses, areas, scores, threshold) == kept(list(range(count)))
    by_image = [pose for which in (2, 5, 9) for pose in kept(np.flatnonzero(image == which).tolist())]
    assert suppress(image, poses, areas, scores, threshold, SIGMAS).tolist() == by_image


def test_a_pose_exactly_at_the_threshold_stays() -> None:
    poses = np.zeros((2, 17, 2))
    assert oks_nms(poses, [100, 100], [0.5, 0.5], 1.0) == [1, 0]
    assert oks_nms(poses, [100, 100], [0.5, 0.5], np.nextafter(1.0, 0)) == [1]


def change(items: list[dict[str, Any]], number: int, **fields: Any) -> list[dict[str, Any]]:
    """A copy with some fields of one item changed; None takes a field out."""
    changed = {key: value for key, value in {**items[number], **fields}.items() if value is not None}
    return [*items[:number], changed, *items[number + 1 :]]


JOINTS = PREDICTIONS[4]["keypoints"]


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"image_id": 999}, r"prediction 4 is for image 999, which .*ground_truth\.json has not"),
        ({"image_id": "1"}, "prediction 4: image_id is not a whole number"),
        ({"keypoints": JOINTS[:16]}, r"prediction 4 \(image 1\): keypoints is not 17 x 3 numbers"),
        ({"keypoints": [*JOINTS[:16], [1, 2]]}, "prediction 4 .*keypoints is not 17 x 3 numbers"),
        ({"keypoints": [*JOINTS[:16], [1, np.nan, 1]]}, "prediction 4 .*keypoints .* finite"),
        ({"bbox_score": float("inf")}, "prediction 4 .*bbox_score .* finite"),
        ({"bbox_score": None}, "prediction 4 .* has no bbox_score"),
        ({"size_px": [10, -5]}, "prediction 4 .*size_px is not above 0"),
    ],
)
def test_a_bad_prediction_is_named(changed: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        score_coco(TRUTH_FILE, change(PREDICTIONS, 4, **changed))


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"categories": []}, "no category 'person' \\(there is: none\\)"),
        (
            {"categories": change(TRUTH["categories"], 0, keypoints=["a"] * 18)},
            "has 18 joints, and COCO's 17 are needed",
        ),
        ({"images": []}, "has no images"),
        ({"images": None}, "image list: must be a list"),
        ({"annotations": {}}, "annotation list: must be a list"),
        (
            {"annotations": change(TRUTH["annotations"], 2, keypoints=[1] * 54)},
            "annotation 3: keypoints has 54 values, not 51",
        ),
        ({"annotations": change(TRUTH["annotations"], 2, area=float("nan"))}, "annotation 3: area is not finite"),
        ({"annotations": change(TRUTH["annotations"], 2, area=-1)}, "annotation 3: area is -1"),
        ({"annotations": change(TRUTH["annotations"], 2, bbox=None, keypoints=None)}, "annotation 3: lacks bbox"),
        ({"annotations": change(TRUTH["annotations"], 2, image_id=12345)}, "annotation 3: image_id 12345 is not in"),
    ],
)
def test_bad_annotations_are_named(changed: dict[str, Any], message: str, tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    path.write_text(json.dumps({**TRUTH, **changed}))
    with pytest.raises(InputError, match=f"annotations.json.*{message}"):
        score_coco(path, PREDICTIONS)


def test_files_that_are_no_annotations(tmp_path: Path) -> None:
    path = tmp_path / "annotations.json"
    with pytest.raises(InputError, match=r"no file .*annotations\.json"):
        score_coco(path, PREDICTIONS)
    for content, message in (
        (TRUTH_FILE.read_bytes()[:-9], "is not JSON"),
        (b"\xff\xfe\x00", "is not JSON"),
        (b"[]", "format"),
    ):
        path.write_bytes(content)
        with pytest.raises(InputError, match=rf"annotations\.json.*{message}"):
            score_coco(path, PREDICTIONS)
    with pytest.raises(InputError, match="evaluator 'fast' is unknown: give faster or pycocotools"):
        score_coco(TRUTH, PREDICTIONS, evaluator="fast")


MPII_CASE = REFERENCE / "mpii_case"
MPII_PREDICTIONS = json.loads((MPII_CASE / "predictions.json").read_text())


def test_mpii_case_meets_the_published_metrics() -> None:
    scores = score_mpii(MPII_CASE, MPII_PREDICTIONS)
    expected = EXPECTED["mpii_case"]["expected"]
    assert list(scores) == list(expected)
    assert scores == pytest.approx(expected, rel=0, abs=1e-9)


def test_mpii_joints_that_are_exactly_there_count_and_those_not_annotated_do_not() -> None:
    arrays = scipy.io.loadmat(MPII_CASE / "mpii_gt_val.mat")
    exact = arrays["pos_gt_src"].transpose(2, 0, 1) - 1
    assert set(score_mpii(MPII_CASE, exact).values()) == {100}
    # What is moved: joints that nobody annotated, and pelvis and thorax.
    exact[arrays["jnt_missing"].T != 0] += 1000
    exact[:, 6:8] += 1000
    assert set(score_mpii(str(MPII_CASE), exact).values()) == {100}
    # Everything by half a head's size and a hair less, then more.
    corners = arrays["headboxes_src"]
    radius = 0.5 * 0.6 * np.linalg.norm(corners[1] - corners[0], axis=0)
    exact = arrays["pos_gt_src"].transpose(2, 0, 1) - 1
    near, far = exact.copy(), exact.copy()
    near[..., 0] += 0.9999 * radius[:, None]
    far[..., 0] += 1.0001 * radius[:, None]
    assert score_mpii(MPII_CASE, near)["PCKh"] == 100
    assert score_mpii(MPII_CASE, near)["PCKh@0.1"] == 0
    assert set(score_mpii(MPII_CASE, far).values()) == {0}


def test_mpii_files_and_predictions_that_do_not_match(tmp_path: Path) -> None:
    shutil.copytree(MPII_CASE, tmp_path, dirs_exist_ok=True)
    mat, people = tmp_path / "mpii_gt_val.mat", tmp_path / "mpii_val.json"
    arrays = {name: value for name, value in scipy.io.loadmat(mat).items() if not name.startswith("__")}

    def fails(message: str, predictions: Any = MPII_PREDICTIONS) -> None:
        with pytest.raises(InputError, match=message):
            score_mpii(tmp_path, predictions)

    fails(r"predictions are \(59, 16, 2\), and .* needs \(60, 16, 2\)", MPII_PREDICTIONS[1:])
    fails(r"predictions are not \(60, 16, 2\) numbers", [MPII_PREDICTIONS[0][1:], *MPII_PREDICTIONS[1:]])
    fails("prediction 3 .* finite", [*MPII_PREDICTIONS[:3], [[np.nan] * 2] * 16, *MPII_PREDICTIONS[4:]])
    people.write_text(json.dumps(json.loads(people.read_text())[:-1]))
    fails(r"mpii_val\.json holds 59 people, mpii_gt_val\.mat 60")
    people.write_text("{")
    fails(r"mpii_val\.json is not JSON")
    people.unlink()
    fails(r"no file .*mpii_val\.json")
    for changed, message in (
        ({"jnt_missing": arrays["jnt_missing"][:, 1:]}, "of 60, 60 and 59 people"),
        ({"pos_gt_src": arrays["pos_gt_src"][:14]}, r"pos_gt_src is \(14, 2, 60\), and 16 x 2 x people"),
        ({"headboxes_src": arrays["headboxes_src"] * 0}, "person 0 has .* a head of no size"),
        ({"jnt_missing": arrays["jnt_missing"] * 0 + 1}, "annotated of nobody"),
    ):
        scipy.io.savemat(mat, {**arrays, **changed})
        fails(rf"mpii_gt_val\.mat: .*{message}")
    del arrays["headboxes_src"]
    scipy.io.savemat(mat, arrays)
    fails("has no array headboxes_src")
    mat.write_bytes(mat.read_bytes()[:1000])
    fails(r"mpii_gt_val\.mat is no MATLAB file")
    mat.unlink()
    fails(r"no file .*mpii_gt_val\.mat")
