"""People of MPII Human Pose, in the JSON layout that is commonly distributed for single-person evaluation."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.errors import InputError
from bench.core.skeletons import MPII, Skeleton
from bench.data import pictures
from bench.data.annotations import FARTHEST
from bench.data.dataset import Person, Picture
from bench.data.json_files import Items, fingerprints, read_json
from bench.data.mpii_truth import JOINTS, Truth, read_truth
from bench.data.registry import DatasetEntry, entry_of

NOWHERE = -1e6  # pixels; far from every joint
SAME = 10.0  # pixels: two files that place a joint farther apart do not mean the same one
# Annotations with what PCKh needs beside them: head sizes and true joints of the same people. First as commonly
# converted, then as HRNet and SimpleBaseline lay it out.
TRUTHS = {"mpii_val.json": "mpii_gt_val.mat", "valid.json": "gt_valid.mat"}


class MpiiDataset:
    """People in pictures, in the order of the annotation file, which scoring goes by."""

    skeleton: Skeleton = MPII

    def __init__(self, annotation_file: Path, image_folder: Path, *, name: str, limit: int | None = None) -> None:
        """Read and check the files; pictures are opened by :meth:`load`.

        Args:
            annotation_file: ``mpii_val.json`` with ``mpii_gt_val.mat`` beside it, or ``valid.json`` with
                ``gt_valid.mat``, or that of another split: a list of ``image``, ``center`` (x, y), ``scale`` (a
                body's height in 200 pixels), ``joints`` and ``joints_vis``.
            image_folder: where the pictures are that it names.
            name: as records name the data set.
            limit: only the first people, this many.

        Raises:
            InputError: a file or the folder is missing, does not hold what it should, or the two do not belong
                together.
        """
        self.annotation_file = annotation_file
        self.image_folder = image_folder
        self.entry: DatasetEntry = entry_of("mpii")
        self.name = name
        content, sha = read_json(annotation_file)
        hashes = [sha]
        items = Items(content, f"{annotation_file.name}, person")
        if not len(items):
            raise InputError(f"{annotation_file} has nobody to look at: it is empty")
        self.annotated = annotation_file.name in TRUTHS
        truth = _read_truth(annotation_file, items) if self.annotated else None
        if truth:
            hashes.append(truth.sha256)
            truth = truth.first(len(items) if limit is None else limit)
        if limit is not None and limit < len(items):
            items = items.chosen(np.arange(len(items)) < limit)
            hashes.append(f"limit {limit}")
        if not image_folder.is_dir():
            raise InputError(f"no folder {image_folder}: put the pictures of {annotation_file.name} there")

        self._files = pictures.relative_names(items, "image")
        # The same picture has the same number, by first occurrence.
        self._numbers = {file: number for number, file in enumerate(dict.fromkeys(self._files))}
        self._boxes = _boxes(items)
        visible = items.numbers("joints_vis", len(MPII.joints))
        strange = ~np.isin(visible, (0, 1)).all(axis=1)
        items.refuse(strange, lambda _: "joints_vis must be 0 or 1 for each joint")
        # MPII counts pixels from 1, as MATLAB does. It does not tell hidden joints from others.
        joints = items.numbers("joints", len(MPII.joints), 2)
        far = (np.abs(joints) > FARTHEST).any(axis=(1, 2))
        items.refuse(far, lambda _: f"a joint is farther than {FARTHEST:g} pixels")
        if truth:
            _check_same(items, truth, joints, visible)
        self._joints = (joints - 1).astype(np.float32)
        self._visible = (2 * visible).astype(np.float32)
        self._last: tuple[int, Picture] | None = None
        self.fingerprints = fingerprints(hashes, pictures.places(image_folder, {file: file for file in self._numbers}))
        self.fingerprint = self.fingerprints.whole

    def __len__(self) -> int:
        return len(self._files)

    def person(self, index: int) -> Person:
        """A person, without the picture."""
        x, y, width, height = self._boxes[index].tolist()
        return Person(
            image_id=self._numbers[self._files[index]], box=(x, y, width, height), joints=self._joints[index],
            visible=self._visible[index],
        )  # fmt: skip

    def load(self, index: int) -> tuple[Picture, Person]:
        """A person and the picture they are in; the picture is read-only, as its people share it."""
        person = self.person(index)
        last = self._last
        if last is None or last[0] != person.image_id:
            last = person.image_id, pictures.read(pictures.locate(self.image_folder, self._files[index]))
            last[1].flags.writeable = False
            self._last = last
        return last[1], person

    def score(self, predictions: list[dict[str, Any]], *, evaluator: str = "faster") -> dict[str, float]:
        """PCKh, the share of joints within half (or a tenth) of the head's size, in percent; there is one evaluator."""
        if not self.annotated:
            with_heads = next(iter(TRUTHS))
            raise InputError(f"{self.annotation_file.name} has no head sizes to score with: only {with_heads} has")
        # Who was left out was not found.
        found = np.full((len(self), len(MPII.joints), 2), NOWHERE)
        for prediction in predictions:
            found[prediction["index"]] = np.array(prediction["keypoints"], np.float64)[:, :2]
        return self.entry.score(self.annotation_file, found, evaluator)


def _boxes(items: Items) -> npt.NDArray[np.float64]:
    """The square of a body's height, moved down a little so that no ankle is cut off, as published. ``[N, 4]``.

    The published crop is 1.25 times as large, which is the padding of ``box_to_crop``. People whose centre is unknown
    (-1) are published without that; for them the square is smaller, so that the crop is theirs.
    """
    centres, scales = items.numbers("center", 2), items.numbers("scale")
    items.refuse(scales <= 0, lambda index: f"scale is {scales[index]:g}, and must be above 0")
    known = centres[:, 0] != -1
    centres[:, 1] += np.where(known, 15 * scales, 0)
    sides = (200 * scales * np.where(known, 1, 1 / 1.25))[:, None]
    boxes = np.concatenate([centres - 1 - sides / 2, sides, sides], axis=1)
    far = (np.abs(boxes) > FARTHEST).any(axis=1)
    items.refuse(far, lambda _: f"center and scale give a box farther than {FARTHEST:g} pixels")
    return boxes


def _read_truth(annotation_file: Path, items: Items) -> Truth:
    """The file beside the annotations, which must be about the same people."""
    truth = read_truth(annotation_file.with_name(TRUTHS[annotation_file.name]))
    shape, expected = (JOINTS, 2, len(truth.joints)), (JOINTS, 2, len(items))
    if shape != expected:
        raise InputError(
            f"{truth.path} has true joints of shape {shape}, and the {len(items)} people of {annotation_file.name} "
            f"need {expected}: take both files from one distribution"
        )
    return truth


def _check_same(items: Items, truth: Truth, joints: npt.NDArray[np.float64], visible: npt.NDArray[np.float64]) -> None:
    """Fail if the people of the two files are not the same ones in the same order."""
    both = truth.annotated & (visible != 0)
    apart = np.linalg.norm(joints - truth.joints, axis=2)[both] > SAME
    if 2 * apart.sum() > len(apart):
        raise InputError(
            f"{items.file} and {truth.path.name} have other people, or in another order: "
            f"{apart.sum()} of {len(apart)} joints are not in the same place; take both files from one distribution"
        )
