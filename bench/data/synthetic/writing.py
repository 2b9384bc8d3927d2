"""The synthetic data set as files, in COCO's own layout."""

import json
import multiprocessing
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any

import cv2
import numpy as np

from bench.core.errors import InputError
from bench.core.files import is_side_path, write_whole
from bench.core.processes import start_worker
from bench.data.synthetic.annotation import Annotation
from bench.data.synthetic.dataset import DRAW, PLAN, Kind, coco_dict, file_name, fingerprint
from bench.data.synthetic.picture import GENERATOR_VERSION, annotate
from bench.data.synthetic.variants import SKELETONS, VARIANTS, Variant

ANNOTATIONS = Path("annotations") / "person_keypoints_val2017.json"
PICTURES = Path("val2017")
LABEL = Path("synthetic.json")  # says what the folder holds, also while it is not complete
QUALITY = 95  # of the JPEG files
PROCESSES = 2


def write(
    folder: Path, images: int, seed: int, kind: Kind, step: Callable[[int, str], None], variant: Variant = "body"
) -> Path:
    """Write pictures and, last, the annotations. Pictures that an earlier run wrote are kept.

    Args:
        step: called with how many pictures were done, and what was done with them.
        variant: which joints are labelled.

    Returns:
        The annotation file.

    Raises:
        InputError: the folder holds something else.
        OSError: the folder cannot be written, or the disk is full.
    """
    _claim(folder, images, seed, kind, variant)
    target = folder / ANNOTATIONS
    if not all(_is_complete(folder / PICTURES / file_name(index)) for index in range(images)):
        target.unlink(missing_ok=True)  # annotations are only there for pictures that are
    found: list[tuple[int, tuple[int, int], list[Annotation]]] = []
    # Not forks of this process, which has threads; of one that has imported everything, as that takes seconds.
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload([__name__, f"{__package__}.fork_server"])
    pool = ProcessPoolExecutor(PROCESSES, context, initializer=_start_worker)
    try:
        for index, size, annotations in pool.map(partial(_one, folder / PICTURES, seed, kind, variant), range(images)):
            found.append((index, size, annotations))
            step(1, "drawing")
    finally:
        pool.shutdown(cancel_futures=True)
    content = coco_dict(seed, kind, found, SKELETONS[variant])
    write_whole(target, json.dumps(content).encode())
    return target


def _claim(folder: Path, images: int, seed: int, kind: Kind, variant: Variant) -> None:
    """Make the folder, or make sure that it is the same data set's."""
    label = {"generator": GENERATOR_VERSION, "images": images, "seed": seed, "kind": kind,
             "fingerprint": fingerprint(images, seed, kind, variant)}  # fmt: skip
    if variant != "body":
        label = {variant: True} | label
    path = folder / LABEL
    if path.is_file():
        known = _known(path)
        if known != label:
            what = " ".join(
                f"{name} {known[name]}" for name in (*VARIANTS, *label) if name in known and name != "fingerprint"
            )
            raise InputError(
                f"{folder} holds another synthetic data set ({what or f'its {LABEL} cannot be read'}): "
                "give another --out, or remove that folder"
            )
    elif folder.is_dir() and not all(map(is_side_path, folder.iterdir())):
        raise InputError(f"{folder} is not empty and holds no synthetic data set: give another --out")
    else:
        write_whole(path, json.dumps(label).encode())  # before all else: a kill leaves a folder that tells what it is
    for part in (ANNOTATIONS.parent, PICTURES):
        (folder / part).mkdir(exist_ok=True)


def _known(label: Path) -> dict[str, Any]:
    """What the label of a folder says; nothing where it is none."""
    try:
        known = json.loads(label.read_bytes())
    except (ValueError, RecursionError):
        return {}
    return known if isinstance(known, dict) else {}


def _start_worker() -> None:
    start_worker()
    cv2.setNumThreads(1)


def _one(
    folder: Path, seed: int, kind: Kind, variant: Variant, index: int
) -> tuple[int, tuple[int, int], list[Annotation]]:
    path = folder / file_name(index)
    if _is_complete(path):
        plan = PLAN[kind](seed, index, variant)
        return index, plan.size, annotate(plan)
    scene = DRAW[kind](seed, index, variant)
    bgr = np.ascontiguousarray(scene.image[:, :, ::-1])
    write_whole(path, cv2.imencode(".jpg", bgr, (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1].tobytes())
    height, width = scene.image.shape[:2]
    return index, (width, height), scene.annotations


def _is_complete(path: Path) -> bool:
    """Whether a JPEG file is there down to its end marker."""
    try:
        with path.open("rb") as stream:
            stream.seek(-2, os.SEEK_END)
            return stream.read() == b"\xff\xd9"
    except OSError:  # missing, or shorter than two bytes
        return False
