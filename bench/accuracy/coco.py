"""COCO's keypoint metrics of predicted poses."""

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Self

import faster_coco_eval
import numpy as np
from pycocotools import coco, cocoeval

from bench.accuracy.arrays import column, ids
from bench.accuracy.oks import Indices, oks_of_pairs, sigmas_of, suppress
from bench.core.arrays import Float64Array, Int64Array
from bench.core.errors import InputError
from bench.core.skeletons import COCO, Skeleton
from bench.data.annotations import Annotations, Layout, read_annotations

METRICS = ("AP", "AP50", "AP75", "AP_M", "AP_L", "AR", "AR50", "AR75", "AR_M", "AR_L")
PERSON = 1  # COCO's category id, which the evaluation server expects


def score_coco(
    ground_truth: str | Path | Mapping[str, Any] | Annotations,
    predictions: Sequence[Mapping[str, Any]],
    vis_thr: float = 0.2,
    oks_thr: float = 0.9,
    evaluator: str = "faster",
    skeleton: Skeleton = COCO,
) -> dict[str, float]:
    """COCO's ten metrics of predicted poses, after rescoring and non-maximum suppression (``coco_results``).

    Args:
        ground_truth: an annotation file in COCO's format, or what it holds, read already or not; it is left as it is.
        predictions: one dict a person looked at, in a fixed order: ``image_id``, ``bbox_score``, ``keypoints``
            (J times x, y, score; image pixels), ``size_px`` (width, height of the crop in image pixels). Other keys
            do not matter.
        vis_thr: a joint's score counts in the pose's score if it is above.
        oks_thr: of two poses more alike than this the better one stays.
        evaluator: whose matching and averaging to use. The results are equal to the last bit; ``pycocotools`` is the
            original and several times slower.
        skeleton: whose joints they are; annotations that were read say it themselves.

    Returns:
        AP, AP50, AP75, AP_M, AP_L, AR, AR50, AR75, AR_M, AR_L, in 0 to 1; -1 where nobody of that size is annotated.
        Without predictions they are 0.

    Raises:
        InputError: the annotations or a prediction cannot be used; the message names file and item.
    """
    truth = ground_truth if isinstance(ground_truth, Annotations) else _read(ground_truth, skeleton)
    return evaluate(truth, poses_of(truth, predictions, vis_thr).suppressed(oks_thr), evaluator)


def poses_of(truth: Annotations, predictions: Sequence[Mapping[str, Any]], vis_thr: float = 0.2) -> "Poses":
    """Predicted poses as arrays, scored by box and joints.

    Raises:
        InputError: one of them cannot be used, or is in a picture that is not among the annotated.
    """
    poses = Poses.of(predictions, vis_thr, _skeleton(truth))
    unknown = np.flatnonzero(~np.isin(poses.image, truth.image_ids))
    if len(unknown):
        raise InputError(f"prediction {unknown[0]} is for image {poses.image[unknown[0]]}, which {truth.name} has not")
    return poses


def evaluate(truth: Annotations, poses: "Poses", evaluator: str = "faster") -> dict[str, float]:
    """``METRICS`` of poses as they are; those of the joints of ``truth``.

    Raises:
        InputError: there is no such evaluator.
    """
    if evaluator not in ("faster", "pycocotools"):
        raise InputError(f"evaluator {evaluator!r} is unknown: give faster or pycocotools")
    with contextlib.redirect_stdout(io.StringIO()):  # the libraries print, and stdout is for results
        stats = (_evaluate_faster if evaluator == "faster" else _evaluate_pycocotools)(truth, poses)
    return dict(zip(METRICS, stats, strict=True))


def _read(source: str | Path | Mapping[str, Any], skeleton: Skeleton) -> Annotations:
    content = source if isinstance(source, Mapping) else Path(source)
    truth = read_annotations(content, layout=Layout.of(skeleton))
    if truth.people is None:
        raise InputError(f"{truth.name} has no annotations to score with")
    return truth


def coco_results(
    predictions: Sequence[Mapping[str, Any]],
    vis_thr: float = 0.2,
    oks_thr: float = 0.9,
    skeleton: Skeleton = COCO,
    fields: Mapping[str, int] | None = None,
    category: int = PERSON,
) -> list[dict[str, Any]]:
    """Predicted poses in COCO's result format, as its evaluation server takes them.

    A pose's score is the box's times the mean of those joint scores above ``vis_thr`` (0 if there is none). Within a
    picture, poses are suppressed by OKS (``oks_nms``) with the crop's area.

    Args:
        predictions: as in ``score_coco``.
        skeleton: whose joints they are.
        fields: which hold the joints one after the other, and how many each holds; by default ``keypoints`` all.
        category: the id of the people's category in their annotations.

    Returns:
        By image, best first: ``image_id``, ``category_id``, ``keypoints`` or the other fields (x, y, score of every
        joint), ``score``.

    Raises:
        InputError: a prediction cannot be used; the message names it.
    """
    return Poses.of(predictions, vis_thr, skeleton).suppressed(oks_thr).results(category, fields)


@dataclass(frozen=True)
class Poses:
    """Predicted poses as arrays."""

    image: Int64Array  # [N]
    joints: Float64Array  # [N, J, 3] x, y, score
    area: Float64Array  # [N] of the crop, in square pixels
    score: Float64Array  # [N]
    sigmas: Float64Array  # [J]

    @classmethod
    def of(cls, predictions: Sequence[Mapping[str, Any]], vis_thr: float, skeleton: Skeleton) -> Self:
        """Check predictions, and score them by box and joints.

        Raises:
            InputError: one of them cannot be used.
        """

        def name(number: int) -> str:
            return f"prediction {number} (image {predictions[number].get('image_id', 'not given')})"

        image = ids(predictions, "image_id", "prediction {}".format)
        joints = column(predictions, "keypoints", (len(skeleton.joints), 3), name)
        size = column(predictions, "size_px", (2,), name)
        box_score = column(predictions, "bbox_score", (), name)
        if (size <= 0).any():
            raise InputError(f"{name(int(np.argwhere(size <= 0)[0, 0]))}: size_px is not above 0")
        counts = joints[..., 2] > vis_thr
        confidence = np.where(counts, joints[..., 2], 0).sum(1) / np.maximum(counts.sum(1), 1)
        return cls(image, joints, size.prod(1), confidence * box_score, sigmas_of(skeleton))

    def suppressed(self, oks_thr: float) -> Self:
        """The poses that non-maximum suppression keeps, by image, best first."""
        kept = suppress(self.image, self.joints[..., :2], self.area, self.score, oks_thr, self.sigmas)
        return self._chosen(kept)

    def _chosen(self, kept: Indices) -> Self:
        return replace(
            self, image=self.image[kept], joints=self.joints[kept], area=self.area[kept], score=self.score[kept]
        )

    def of_images(self, image_ids: set[int]) -> Self:
        """The poses in some of the pictures."""
        return self._chosen(np.flatnonzero(np.isin(self.image, list(image_ids))))

    def part(self, joints: slice) -> Self:
        """Some of the joints alone, with the score of all."""
        return replace(self, joints=self.joints[:, joints], sigmas=self.sigmas[joints])

    def results(self, category: int, fields: Mapping[str, int] | None = None) -> list[dict[str, Any]]:
        """In COCO's result format; ``fields`` as ``coco_results`` takes them."""
        counts = fields or {"keypoints": len(self.sigmas)}
        parts = np.split(self.joints, np.cumsum([*counts.values()])[:-1], axis=1)
        columns = [part.reshape(len(part), 3 * part.shape[1]).tolist() for part in parts]
        return [
            {"image_id": image, "category_id": category, **dict(zip(counts, flat, strict=True)), "score": score}
            for image, score, *flat in zip(self.image.tolist(), self.score.tolist(), *columns, strict=True)
        ]


def _people(truth: Annotations) -> list[dict[str, Any]]:
    """Annotations as the evaluators read them, which write into them.

    They are numbered anew: to pycocotools, to be matched with 0 is to be matched with nobody.
    """
    joints = _joints(truth).reshape(len(truth.image), 3 * len(_skeleton(truth).joints))
    return [
        {
            "id": number,
            "image_id": image,
            "category_id": truth.category,
            "iscrowd": int(crowd),
            "num_keypoints": labelled,
            "area": area,
            "bbox": box,
            "keypoints": keypoints,
        }
        for number, (image, crowd, labelled, area, box, keypoints) in enumerate(
            zip(
                truth.image.tolist(), truth.crowds.tolist(), truth.labelled.tolist(), truth.areas.tolist(),
                truth.boxes.tolist(), joints.tolist(), strict=True,
            ), 1,
        )
    ]  # fmt: skip


def _joints(truth: Annotations) -> Float64Array:
    """``[N, J, 3]`` x, y, visibility."""
    assert truth.keypoints is not None
    return truth.keypoints


def _skeleton(truth: Annotations) -> Skeleton:
    assert truth.skeleton is not None
    return truth.skeleton


def _index(truth: Annotations, api: Callable[[], Any], annotations: list[dict[str, Any]]) -> Any:
    """A library's index over annotations or detections of these images."""
    index = api()
    images = [{"id": image} for image in truth.image_ids.tolist()]
    index.dataset = {"images": images, "categories": [{"id": truth.category}], "annotations": annotations}
    index.createIndex()
    return index


def _evaluate_pycocotools(truth: Annotations, poses: Poses) -> list[float]:
    index = _index(truth, coco.COCO, _people(truth))
    results = poses.results(truth.category)
    found = index.loadRes(results) if results else _index(truth, coco.COCO, [])  # loadRes takes no empty list
    return _run(cocoeval.COCOeval(index, found, "keypoints"), truth)


def _run(evaluation: Any, truth: Annotations) -> list[float]:
    evaluation.params.catIds = [truth.category]
    evaluation.params.kpt_oks_sigmas = sigmas_of(_skeleton(truth))
    evaluation.evaluate()
    evaluation.accumulate()
    evaluation.summarize()
    return [float(value) for value in evaluation.stats[: len(METRICS)]]


def _evaluate_faster(truth: Annotations, poses: Poses) -> list[float]:
    x, y = poses.joints[..., 0], poses.joints[..., 1]
    area = (x.max(1) - x.min(1)) * (y.max(1) - y.min(1))  # what COCO takes for the area of a detected pose
    found = [
        {"id": number, "image_id": image, "category_id": truth.category, "score": score, "area": area}
        for number, (image, score, area) in enumerate(
            zip(poses.image.tolist(), poses.score.tolist(), area.tolist(), strict=True), 1
        )
    ]
    index = _index(truth, faster_coco_eval.COCO, _people(truth))
    return _run(_FasterEvaluation(index, _index(truth, faster_coco_eval.COCO, found), truth, poses), truth)


class _FasterEvaluation(faster_coco_eval.COCOeval_faster):  # type: ignore[misc]
    """faster-coco-eval, with the OKS of all pairs computed at once, and pycocotools' precision of a lone detection.

    pycocotools adds the spacing of 1 to the number of detections by which it divides. That is lost in all numbers but
    1: where only the best detection is right, precision is a hair below 1. faster-coco-eval says 1.
    """

    def __init__(self, index: Any, found: Any, truth: Annotations, poses: Poses) -> None:
        super().__init__(index, found, "keypoints")
        self._oks = _oks_by_image(truth, poses, self.params.maxDets[-1])

    def computeOks(self, imgId: int, catId: int) -> list[list[float]]:  # noqa: N802, N803
        return self._oks.get(imgId, [])

    def evaluate(self) -> None:
        """Evaluate at a further recall for each range of areas, which only a second right detection reaches."""
        recalls = self.params.recThrs
        self.params.recThrs = np.append(recalls, [1.5 / max(self._people(*area), 1) for area in self.params.areaRng])
        super().evaluate()
        precision = self.eval["precision"]  # [overlap, recall, category, area, detections]
        second = precision[:, len(recalls) :].diagonal(axis1=1, axis2=3)[:, None].swapaxes(3, 4)  # [overlap, 1, ...]
        precision = precision[:, : len(recalls)]
        self.eval["precision"] = np.where((precision == 1) & (second < 1), 1 / (1 + np.spacing(1)), precision)

    def _people(self, smallest: float, largest: float) -> int:
        """How many annotated people of a range of areas count."""
        annotations = self.cocoGt.dataset["annotations"]
        counted = (one for one in annotations if not one["iscrowd"] and one["num_keypoints"])
        return sum(smallest <= one["area"] <= largest for one in counted)


def _oks_by_image(truth: Annotations, poses: Poses, at_most: int) -> dict[int, list[list[float]]]:
    """OKS ``[detections, people]`` of each image that has both, for its best detections."""
    people, found = _members(truth.image), _members(poses.image)  # best first, as ``suppressed`` left them
    pairs = [(image, found[image][:at_most], people[image]) for image in people if image in found]
    if not pairs:
        return {}
    similarity = oks_of_pairs(
        poses.joints[..., :2],
        _joints(truth),
        truth.boxes,
        truth.areas,
        np.concatenate([np.repeat(detections, len(persons)) for _, detections, persons in pairs]),
        np.concatenate([np.tile(persons, len(detections)) for _, detections, persons in pairs]),
        poses.sigmas,
    )
    ends = np.cumsum([len(detections) * len(persons) for _, detections, persons in pairs])
    return {
        image: part.reshape(len(detections), len(persons)).tolist()
        for (image, detections, persons), part in zip(pairs, np.split(similarity, ends[:-1]), strict=True)
    }


def _members(image: Int64Array) -> dict[int, Indices]:
    """For each image, from the lowest id, its items in their order."""
    order = np.argsort(image, kind="stable")
    images, starts = np.unique(image[order], return_index=True)
    return dict(zip(images.tolist(), np.split(order, starts)[1:], strict=True))
