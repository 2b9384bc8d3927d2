"""The synthetic data set in memory: pictures are drawn when they are asked for."""

import hashlib
from collections.abc import Iterable, Iterator
from typing import Any, Literal

import numpy as np

from bench.core.skeletons import COCO, Skeleton
from bench.data.dataset import Person, Picture
from bench.data.registry import DatasetEntry, entry_of
from bench.data.synthetic.annotation import Annotation
from bench.data.synthetic.evaluation_set import IMAGES, SEED
from bench.data.synthetic.picture import (
    GENERATOR_VERSION,
    Scene,
    annotate,
    draw_portrait,
    draw_scene,
    plan_portrait,
    plan_scene,
)
from bench.data.synthetic.variants import Variant, dataset_name

Kind = Literal["scenes", "portraits"]
DRAW = {"scenes": draw_scene, "portraits": draw_portrait}
PLAN = {"scenes": plan_scene, "portraits": plan_portrait}


def fingerprint(images: int, seed: int, kind: Kind, variant: Variant = "body") -> str:
    """SHA-256 over what decides every pixel and annotation: the generator's version, the seed, how many, which kind."""
    more = "" if variant == "body" else f" {variant}"
    text = f"lightpose synthetic {GENERATOR_VERSION} {kind} {seed} {images}{more}"
    return hashlib.sha256(text.encode()).hexdigest()


class SyntheticDataset:
    """Drawn people, as evaluation and training take them.

    Of scenes, everyone with labelled joints, picture by picture; of portraits, the main person of each.

    Args:
        images: how many pictures.
        seed: a whole number from 0.
        kind: scenes, as evaluation takes them, or portraits, as training does.
        variant: which joints are labelled: 17 of COCO, 23 with the feet, or 29 with the hands, which have fingers then.
    """

    name: str
    skeleton: Skeleton
    annotated = True

    def __init__(self, images: int, seed: int, kind: Kind = "scenes", variant: Variant = "body") -> None:
        self.images, self.seed, self.kind, self.variant = images, seed, kind, variant
        self.entry: DatasetEntry = entry_of(dataset_name(variant))
        self.skeleton = self.entry.skeleton
        # Every training draws people of its own; of the sets to evaluate on, one has the plain name.
        usual = kind == "portraits" or (images, seed) == (IMAGES, SEED)
        name = self.entry.name
        self.name = name if usual else f"{name} ({images} scenes, seed {seed})"
        self.fingerprint = fingerprint(images, seed, kind, variant)
        self._people: list[tuple[int, Annotation]] | None = None
        self._drawn: tuple[int, Scene] | None = None
        if kind == "scenes":
            self._people = [
                (index, annotation)
                for index, _, annotations in self._pictures()
                for annotation in annotations
                if annotation["num_keypoints"]
            ]

    def _pictures(self) -> Iterator[tuple[int, tuple[int, int], list[Annotation]]]:
        for index in range(self.images):
            plan = PLAN[self.kind](self.seed, index, self.variant)
            yield index, plan.size, annotate(plan)

    def __len__(self) -> int:
        return self.images if self._people is None else len(self._people)

    def person(self, index: int) -> Person:
        """A person, without the picture."""
        if self._people is None:
            return as_person(index + 1, annotate(PLAN["portraits"](self.seed, index, self.variant))[0])
        picture, annotation = self._people[index]
        return as_person(picture + 1, annotation)

    def load(self, index: int) -> tuple[Picture, Person]:
        """A person and the picture they are in, drawn now; a scene is read-only, as its people share it."""
        if self._people is None:
            scene = draw_portrait(self.seed, index, self.variant)
            return scene.image, as_person(index + 1, scene.annotations[0])
        picture, annotation = self._people[index]
        if self._drawn is None or self._drawn[0] != picture:
            self._drawn = (picture, draw_scene(self.seed, picture, self.variant))
            self._drawn[1].image.flags.writeable = False
        return self._drawn[1].image, as_person(picture + 1, annotation)

    def ground_truth(self) -> dict[str, Any]:
        """The annotations as a dictionary in the format of COCO's ``person_keypoints`` files."""
        return coco_dict(self.seed, self.kind, self._pictures(), self.skeleton)

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        """COCO's keypoint metrics against the annotations of all pictures.

        Args:
            predictions: as ``bench.data.dataset.Dataset.score`` takes them.
            evaluator: ``faster`` or ``pycocotools``.
        """
        return self.entry.score(self.ground_truth(), predictions, evaluator)


def as_person(image_id: int, annotation: Annotation) -> Person:
    keypoints = np.array(annotation["keypoints"], np.float32).reshape(-1, 3)
    x, y, width, height = annotation["bbox"]
    return Person(image_id, (x, y, width, height), 1.0, keypoints[:, :2], keypoints[:, 2])


def file_name(index: int) -> str:
    """As COCO names its pictures; the first has number 1."""
    return f"{index + 1:012d}.jpg"


def coco_dict(
    seed: int,
    kind: Kind,
    pictures: Iterable[tuple[int, tuple[int, int], list[Annotation]]],
    skeleton: Skeleton = COCO,
) -> dict[str, Any]:
    """Number annotations of pictures (index, (width, height), annotations) and add what COCO's files hold besides.

    Of portraits only the main person is kept: a data set of portraits is one person a picture.
    """
    images: list[dict[str, Any]] = []
    annotations: list[dict[str, Any]] = []
    for index, (width, height), found in pictures:
        images.append({"id": index + 1, "file_name": file_name(index), "width": width, "height": height, "license": 1})
        for annotation in found if kind == "scenes" else found[:1]:
            annotations.append({"id": len(annotations) + 1, "image_id": index + 1, "category_id": 1} | annotation)
    return {
        "info": {"description": "people drawn by lightpose-bench", "version": str(GENERATOR_VERSION),
                 "seed": seed, "kind": kind, "images": len(images)},
        "licenses": [{"id": 1, "name": "Apache License 2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"}],
        "images": images,
        "annotations": annotations,
        "categories": [{
            "id": 1, "name": "person", "supercategory": "person", "keypoints": list(skeleton.joints),
            "skeleton": [[first + 1, second + 1] for first, second in skeleton.limbs],
        }],
    }  # fmt: skip
