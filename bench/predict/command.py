"""``python -m bench.predict``: skeletons drawn on pictures, and the joints as JSON."""

import argparse
import json
from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import torch

from bench import cli
from bench.accuracy.predicting import predict
from bench.backends import catalogue
from bench.cli import say, warn
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.data import COCO, MPII, Skeleton, pictures
from bench.data.dataset import Picture
from bench.drawing import draw_skeleton, sheet
from bench.predict.pictures import Pictures, find
from bench.weights import build_trained

GRID_PICTURES, GRID_COLUMNS, GRID_CELL = 24, 6, (320, 240)


def main(arguments: argparse.Namespace) -> int:
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size")
    skeleton = COCO if arguments.joints == 17 else MPII
    dataset = Pictures(find(arguments.images, arguments.boxes), skeleton)
    device = machine.resolve_device(arguments.device)
    trained = build_trained(
        arguments.model,
        arguments.weights,
        num_joints=arguments.joints,
        input_size=arguments.input,
        dataset="coco" if arguments.joints == 17 else "mpii",
    )
    if trained.weights == "random":
        warn("the weights are random numbers: the joints mean nothing")
    if trained.weights == "bundled":
        warn("the bundled weights learnt from drawn people: they are for checking the harness, not for photographs")
    found = list(joints(trained.model.to(device), dataset, size, device, arguments))
    entries = write(found, dataset, skeleton, arguments)
    if not arguments.quiet:
        people = sum(len(entry["people"]) for entry in entries)
        say(
            f"people: {people}, pictures: {len(entries)}, in {arguments.out}/predictions.json, {arguments.out}/grid.png"
        )
    return 0


def joints(
    model: torch.nn.Module, dataset: Pictures, size: tuple[int, int], device: str, arguments: argparse.Namespace
) -> Iterator[dict[str, Any]]:
    """Predictions in the order of ``dataset``.

    Raises:
        InputError: a picture cannot be used.
    """
    batch = min(arguments.batch, len(dataset))
    artifact = catalogue.build("eager", model, torch.zeros(batch, 3, *size, device=device))
    with (
        catalogue.open_artifact(artifact, device=device) as session,
        cli.counter(len(dataset), "people", shown=not arguments.quiet) as step,
    ):
        for answer in predict(
            session,
            dataset,
            range(len(dataset)),
            size,
            batch=batch,
            workers=0,
            flip=not arguments.no_flip,
        ):
            for error in answer.errors.values():
                raise InputError(error)
            yield from answer.predictions
            step(len(answer.predictions), arguments.model)


def write(
    found: list[dict[str, Any]], dataset: Pictures, skeleton: Skeleton, arguments: argparse.Namespace
) -> list[dict[str, Any]]:
    """One drawn picture each, the grid, and ``predictions.json``; returns what the latter holds."""
    entries: list[dict[str, Any]] = []
    grid: list[Picture] = []
    for path, people in groupby(found, key=lambda one: dataset.looks[one["index"]].path):
        drawn = pictures.read(path).copy()
        entry: dict[str, Any] = {"picture": str(path), "people": []}
        for one in people:
            draw_skeleton(drawn, one["keypoints"], skeleton, size=max(one["bbox"][2:]), threshold=arguments.threshold)
            entry["people"].append({key: one[key] for key in ("bbox", "bbox_score", "keypoints")})
        entry["drawn"] = f"{len(entries) + 1:04d}_{path.stem}.jpg"
        _write_picture(arguments.out / entry["drawn"], drawn)
        entries.append(entry)
        if len(grid) < GRID_PICTURES:
            grid.append(drawn)
    _write_picture(arguments.out / "grid.png", sheet(grid, columns=min(GRID_COLUMNS, len(grid)), cell=GRID_CELL))
    about = {
        "model": arguments.model, "weights": str(arguments.weights), "input": arguments.input,
        "joints": list(skeleton.joints), "keypoints": "x, y in pixels and confidence, one for each joint",
        "pictures": entries,
    }  # fmt: skip
    write_whole(arguments.out / "predictions.json", (json.dumps(about, indent=1) + "\n").encode())
    return entries


def _write_picture(path: Path, picture: Picture) -> None:
    done, encoded = cv2.imencode(path.suffix, picture[:, :, ::-1])
    if not done:
        raise InputError(f"{path} cannot be written as a picture")
    write_whole(path, encoded.tobytes())
