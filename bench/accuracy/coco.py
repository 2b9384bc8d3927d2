"""COCO's keypoint metrics of predicted poses."""

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, Self

import faster_coco_eval
import numpy as np
import numpy.typing as npt
from pycocotools import coco, cocoeval

from bench import InputError
from bench.accuracy.files import read_json
from bench.accuracy.oks import Floats, oks_nms, oks_of_pairs

METRICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")
JOINTS = 17
PERSON = 1  # COCO's category id, which the evaluation server expects

Evaluator = Literal["faster", "pycocotools"]


def score_coco(
    ground_truth: str | Path | Mapping[str, Any],
    predictions: Sequence[Mapping[str, Any]],
    vis_thr: float = 0.2,
    oks_thr: float = 0.9,
    evaluator: Evaluator = "faster",
) -> dict[str, float]:
    """COCO's ten metrics of predicted poses, after rescoring and non-maximum suppression (``coco_results``).

    Args:
        ground_truth: an annotation file in COCO's format, or what it holds; it is left as it is.
        predictions: one dict a person looked at, in a fixed order: ``image_id``, ``bbox_score``, ``keypoints``
            (17 times x, y, score; image pixels), ``size_px`` (width, height of the crop in image pixels). Other keys
            do not matter.
        vis_thr: a joint's score counts in the pose's score if it is above.
        oks_thr: of two poses more alike than this the better one stays.
        evaluator: whose matching and averaging to use. The results are equal to the last bit; ``pycocotools`` is the
            original and several times slower.

    Returns:
        AP, AP50, AP75, AP_M, AP_L, AR, AR50, AR75, AR_M, AR_L, in 0 to 1; -1 where nobody of that size is annotated.
        Without predictions they are 0.

    Raises:
        InputError: the annotations or a prediction cannot be used; the message names file and item.
    """
    if evaluator not in ("faster", "pycocotools"):
        raise InputError(f"evaluator {evaluator!r} is unknown: give faster or pycocotools")
    truth = _Truth.read(ground_truth)
    poses = _Poses.of(predictions, vis_thr)
    unknown = np.flatnonzero(~np.isin(poses.image, truth.images))
    if len(unknown):
        raise InputError(f"prediction {unknown[0]} is for image {poses.image[unknown[0]]}, which {truth.name} has not")
    evaluate = _evaluate_faster if evaluator == "faster" else _evaluate_pycocotools
    with contextlib.redirect_stdout(io.StringIO()):  # the libraries print, and stdout is for results
        stats = evaluate(truth, poses.suppressed(oks_thr))
    return dict(zip(METRICS, stats, strict=True))


def coco_results(
    predictions: Sequence[Mapping[str, Any]], vis_thr: float = 0.2, oks_thr: float = 0.9
) -> list[dict[str, Any]]:
    """Predicted poses in COCO's result format, as its evaluation server takes them.

    A pose's score is the box's times the mean of those joint scores above ``vis_thr`` (0 if there is none). Within a
    picture, poses are suppressed by OKS (``oks_nms``) with the crop's area.

    Args:
        predictions: as in ``score_coco``.

    Returns:
        By image, best first: ``image_id``, ``category_id`` 1, ``keypoints`` (51 numbers: x, y, score), ``score``.

    Raises:
        InputError: a prediction cannot be used; the message names it.
    """
    return _Poses.of(predictions, vis_thr).suppressed(oks_thr).results(PERSON)


@dataclass(frozen=True)
class _Poses:
    """Predicted poses as arrays."""

    image: npt.NDArray[np.int64]  # [N]
    joints: Floats  # [N, 17, 3] x, y, score
    area: Floats  # [N] of the crop, in square pixels
    score: Floats  # [N]

    @classmethod
    def of(cls, predictions: Sequence[Mapping[str, Any]], vis_thr: float) -> Self:
        def name(number: int) -> str:
            return f"prediction {number} (image {predictions[number].get('image_id', 'unknown')})"

        joints = _column(predictions, "keypoints", (JOINTS, 3), name)
        size = _column(predictions, "size_px", (2,), name)
        counts = joints[..., 2] > vis_thr
        sums = np.where(counts, joints[..., 2], 0).sum(1)
        confidence = sums / np.maximum(counts.sum(1), 1)
        return cls(
            image=_column(predictions, "image_id", (), name).astype(np.int64),
            joints=joints,
            area=size.prod(1),
            score=confidence * _column(predictions, "bbox_score", (), name),
        )

    def suppressed(self, oks_thr: float) -> Self:
        """The poses that non-maximum suppression keeps, by image, best first."""
        by_image = np.argsort(self.image, kind="stable")
        starts = np.flatnonzero(np.diff(self.image[by_image])) + 1
        kept = [
            poses[oks_nms(self.joints[poses, :, :2], self.area[poses], self.score[poses], oks_thr)]
            for poses in np.split(by_image, starts)
        ]
        return self[np.concatenate(kept)]

    def __getitem__(self, which: npt.NDArray[np.intp]) -> Self:
        return replace(
            self, image=self.image[which], joints=self.joints[which], area=self.area[which], score=self.score[which]
        )

    def results(self, category: int) -> list[dict[str, Any]]:
        """In COCO's result format."""
        flat = self.joints.reshape(len(self.joints), -1)
        return [
            {"image_id": image, "category_id": category, "keypoints": keypoints, "score": score}
            for image, keypoints, score in zip(self.image.tolist(), flat.tolist(), self.score.tolist(), strict=True)
        ]


@dataclass(frozen=True)
class _Truth:
    """The people of an annotation file, checked."""

    name: str  # what to call it in messages
    images: list[int]
    category: int  # of people
    people: list[dict[str, Any]]  # annotations with what the evaluators read, numbered from 1
    joints: Floats  # [G, 17, 3] x, y, visibility
    box: Floats  # [G, 4] x, y, width, height

    @classmethod
    def read(cls, source: str | Path | Mapping[str, Any]) -> Self:
        """Check annotations and take what the evaluation needs.

        Raises:
            InputError: they cannot be used.
        """
        name = "the ground truth" if isinstance(source, Mapping) else str(source)
        content = source if isinstance(source, Mapping) else read_json(Path(source))
        if not isinstance(content, Mapping) or not all(
            isinstance(content.get(key), list) for key in ("images", "annotations", "categories")
        ):
            raise InputError(f"{name} is not in COCO's format: it needs the lists images, annotations and categories")
        if not content["images"]:
            raise InputError(f"{name} has no images")
        images = _column(content["images"], "id", (), lambda n: f"{name}: image {n}").astype(np.int64).tolist()
        category = _person_category(content["categories"], name)
        found = [annotation for annotation in content["annotations"] if annotation.get("category_id") == category]

        def label(number: int) -> str:
            return f"{name}: annotation {found[number].get('id', number)}"

        joints = _column(found, "keypoints", (JOINTS * 3,), label).reshape(-1, JOINTS, 3)
        area = _column(found, "area", (), label)
        image = _column(found, "image_id", (), label).astype(np.int64)
        for wrong, why in ((area < 0, "has a negative area"), (~np.isin(image, images), "is of an unlisted image")):
            if wrong.any():
                raise InputError(f"{label(int(np.flatnonzero(wrong)[0]))} {why}")
        # Numbered anew: to pycocotools an id of 0 means that there is no match. Copied: evaluators write into them.
        people = [
            {
                "id": number,
                "image_id": annotation["image_id"],
                "category_id": category,
                "iscrowd": int(annotation.get("iscrowd", 0)),
                "num_keypoints": annotation.get("num_keypoints", sum(v > 0 for v in annotation["keypoints"][2::3])),
                "area": annotation["area"],
                "bbox": annotation["bbox"],
                "keypoints": annotation["keypoints"],
            }
            for number, annotation in enumerate(found, 1)
        ]
        return cls(name, images, category, people, joints, _column(found, "bbox", (4,), label))

    def index(self, api: Callable[[], Any], annotations: list[dict[str, Any]]) -> Any:
        """A library's index over annotations or detections of these images."""
        index = api()
        images = [{"id": image} for image in self.images]
        index.dataset = {"images": images, "categories": [{"id": self.category}], "annotations": annotations}
        index.createIndex()
        return index


def _person_category(categories: list[dict[str, Any]], name: str) -> int:
    for category in categories:
        if category.get("name") == "person":
            joints = len(category.get("keypoints", []))
            if joints != JOINTS:
                raise InputError(f"{name}: category person has {joints} keypoints, {JOINTS} are needed")
            return int(category["id"])
    raise InputError(f"{name} has no category named person")


def _column(items: Sequence[Mapping[str, Any]], key: str, shape: tuple[int, ...], name: Callable[[int], str]) -> Floats:
    """One field of all items as an array ``[N, *shape]``.

    Raises:
        InputError: an item has it not, or not in this shape, or not finite; the message gives the item's name.
    """
    if not items:
        return np.empty((0, *shape))
    with contextlib.suppress(KeyError, TypeError, ValueError):
        column = np.array([item[key] for item in items], np.float64)
        if column.shape == (len(items), *shape) and np.isfinite(column).all():
            return column
    for number, item in enumerate(items):
        if not isinstance(item, Mapping) or key not in item:
            raise InputError(f"{name(number)} has no {key}")
        try:
            value = np.array(item[key], np.float64)
        except (TypeError, ValueError):
            value = np.array(np.nan)
        if value.shape != shape:
            wanted = " x ".join(map(str, shape)) or "1"
            raise InputError(f"{name(number)}: {key} is not {wanted} numbers")
        if not np.isfinite(value).all():
            raise InputError(f"{name(number)}: {key} holds what is not a finite number")
    raise AssertionError("an array of good items is good")


def _evaluate_pycocotools(truth: _Truth, poses: _Poses) -> list[float]:
    index = truth.index(coco.COCO, truth.people)
    results = poses.results(truth.category)
    found = index.loadRes(results) if results else truth.index(coco.COCO, [])  # loadRes takes no empty list
    return _run(cocoeval.COCOeval(index, found, "keypoints"), truth)


def _run(evaluation: Any, truth: _Truth) -> list[float]:
    evaluation.params.catIds = [truth.category]
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats[: len(METRICS)]]


def _evaluate_faster(truth: _Truth, poses: _Poses) -> list[float]:
    x, y = poses.joints[..., 0], poses.joints[..., 1]
    area = (x.max(1) - x.min(1)) * (y.max(1) - y.min(1))  # what COCO takes for the area of a detected pose
    found = [
        {"id": number, "image_id": image, "category_id": truth.category, "score": score, "area": area}
        for number, (image, score, area) in enumerate(
            zip(poses.image.tolist(), poses.score.tolist(), area.tolist(), strict=True), 1
        )
    ]
    index = truth.index(faster_coco_eval.COCO, truth.people)
    return _run(_FasterEvaluation(index, truth.index(faster_coco_eval.COCO, found), truth, poses), truth)


class _FasterEvaluation(faster_coco_eval.COCOeval_faster):  # type: ignore[misc]
    """faster-coco-eval with the OKS of all pairs computed at once instead of image by image."""

    def __init__(
        self, index: faster_coco_eval.COCO, found: faster_coco_eval.COCO, truth: _Truth, poses: _Poses
    ) -> None:
        super().__init__(index, found, "keypoints")
        self._oks = _oks_by_image(truth, poses, self.params.maxDets[-1])

    def computeOks(self, imgId: int, catId: int) -> list[list[float]]:  # noqa: N802, N803
        return self._oks[imgId]


def _oks_by_image(truth: _Truth, poses: _Poses, at_most: int) -> dict[int, list[list[float]]]:
    """OKS ``[detections, people]`` of each image that has both, for its best detections."""
    people = _members(np.array([person["image_id"] for person in truth.people], np.int64))
    detections = _members(poses.image)  # best first, as ``suppressed`` left them
    both = [image for image in people if image in detections]
    blocks = [np.ix_(detections[image][:at_most], people[image]) for image in both]
    if not blocks:
        return {}
    rows, columns = (
        np.concatenate([np.broadcast_to(block[axis], (len(block[0]), block[1].size)).ravel() for block in blocks])
        for axis in (0, 1)
    )
    area = np.array([person["area"] for person in truth.people], np.float64)
    similarity = oks_of_pairs(poses.joints[..., :2], truth.joints, truth.box, area, rows, columns)
    ends = np.cumsum([len(rows) * columns.size for rows, columns in blocks])[:-1]
    return {
        image: part.reshape(len(block[0]), -1).tolist()
        for image, block, part in zip(both, blocks, np.split(similarity, ends), strict=True)
    }


def _members(image: npt.NDArray[np.int64]) -> dict[int, npt.NDArray[np.intp]]:
    """For each image its items, in their order."""
    order = np.argsort(image, kind="stable")
    images, starts = np.unique(image[order], return_index=True)
    return dict(zip(images.tolist(), np.split(order, starts[1:]), strict=True))
