"""``python -m bench.predict``: skeletons drawn on pictures, and the joints as JSON."""

import argparse
import json
import tempfile
from collections.abc import Iterable, Iterator
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import torch

from bench import cli
from bench.accuracy.evaluation import refuse_bad
from bench.accuracy.network_check import check_output
from bench.accuracy.predicting import BatchPredictions, predict
from bench.backends import catalogue
from bench.cli import say, warn
from bench.codecs import Codec
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.data import pictures
from bench.data.dataset import Picture
from bench.data.registry import entry_of, entry_with_joints
from bench.drawing import draw_skeleton, sheet
from bench.predict.pictures import Pictures, find
from bench.weights import build_trained, default_input

GRID_PICTURES, GRID_COLUMNS, GRID_CELL = 24, 6, (320, 240)


def main(arguments: argparse.Namespace) -> int:
    entry = entry_with_joints(arguments.joints)
    arguments.input = arguments.input or default_input(arguments.weights, arguments.model, entry_of("coco").input)
    size = cli.one_input(arguments.input, "predict")
    looks = find(arguments.images, arguments.boxes, category=arguments.category, out=arguments.out)
    dataset = Pictures(looks, entry)
    device = machine.resolve_device(arguments.device)
    check_writable(arguments.out)
    trained = build_trained(
        arguments.model,
        arguments.weights,
        num_joints=arguments.joints,
        input_size=arguments.input,
        dataset=entry.weights,
    )
    codec = check_output(arguments.model, trained.model, entry.name, arguments.joints, size)
    if trained.weights == "random":
        warn("the weights are random numbers: the joints mean nothing")
    if trained.weights == "bundled":
        warn("the bundled weights learnt from drawn people: they are for checking the harness, not for photographs")
    found: list[dict[str, Any]] = []
    bad: dict[str, None] = {}
    try:
        for answer in answers(trained.model.to(device), dataset, codec, device, arguments):
            found += answer.predictions
            bad |= dict.fromkeys(answer.errors.values())
            refuse_bad(list(bad), arguments.skip_bad)
    except (InputError, KeyboardInterrupt) as error:
        whole = of_whole_pictures(found, dataset)
        if not whole:
            raise
        kept = write(whole, dataset, arguments, bad)
        reason = str(error) or "interrupted"
        raise type(error)(f"{reason}; pictures done: {len(kept)}, kept in {arguments.out}") from None
    entries = write(found, dataset, arguments, bad)
    if bad:
        warn(f"bad pictures left out: {len(bad)}, the first: {next(iter(bad))}")
    if not arguments.quiet:
        people = sum(len(entry["people"]) for entry in entries)
        say(
            f"people: {people}, pictures: {len(entries)}, in {arguments.out}/predictions.json, {arguments.out}/grid.png"
        )
    return 0


def check_writable(folder: Path) -> None:
    """Raises ``OSError`` if nothing can be written to a folder; makes it."""
    folder.mkdir(parents=True, exist_ok=True)
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = str(folder)
        raise


def answers(
    model: torch.nn.Module, dataset: Pictures, codec: Codec, device: str, arguments: argparse.Namespace
) -> Iterator[BatchPredictions]:
    """Predictions in the order of ``dataset``, a batch at a time."""
    batch = min(arguments.batch, len(dataset))
    artifact = catalogue.build("eager", model, torch.zeros(batch, 3, *codec.input_size, device=device))
    with (
        catalogue.open_artifact(artifact, device=device) as session,
        cli.counter(len(dataset), "people", shown=not arguments.quiet) as step,
    ):
        for answer in predict(
            session,
            dataset,
            range(len(dataset)),
            codec.input_size,
            batch=batch,
            workers=0,
            flip=not arguments.no_flip,
            codec=codec,
        ):
            yield answer
            step(len(answer.predictions) + len(answer.errors), arguments.model)


def of_whole_pictures(found: list[dict[str, Any]], dataset: Pictures) -> list[dict[str, Any]]:
    """Without the people of a last picture that is not done."""
    if not found or found[-1]["index"] + 1 == len(dataset):
        return found
    last, after = (dataset.looks[found[-1]["index"] + more].path for more in (0, 1))
    return found if last != after else [one for one in found if dataset.looks[one["index"]].path != last]


def write(
    found: list[dict[str, Any]], dataset: Pictures, arguments: argparse.Namespace, bad: Iterable[str]
) -> list[dict[str, Any]]:
    """One drawn picture each, the grid, and ``predictions.json``; returns what the latter holds of the pictures.

    Raises:
        InputError: there is nobody to draw.
    """
    if not found:
        raise InputError(f"no picture can be used; the first: {next(iter(bad), 'none')}")
    skeleton = dataset.skeleton
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
        "pictures": entries, "left_out": list(bad),
    }  # fmt: skip
    write_whole(arguments.out / "predictions.json", (json.dumps(about, indent=1) + "\n").encode())
    return entries


def _write_picture(path: Path, picture: Picture) -> None:
    done, encoded = cv2.imencode(path.suffix, picture[:, :, ::-1])
    if not done:
        raise InputError(f"{path} cannot be written as a picture")
    write_whole(path, encoded.tobytes())
