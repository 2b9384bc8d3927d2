"""``python -m bench.predict``: skeletons drawn on pictures, and the joints as JSON."""

import argparse
import json
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import cv2
import torch

from bench import cli, weights
from bench.accuracy.evaluation import refuse_bad
from bench.accuracy.network_check import check_output, fit_file
from bench.accuracy.predicting import BatchPredictions, predict
from bench.backends import catalogue
from bench.cli import say, warn
from bench.codecs.codec import codec_of
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.files import fitting, write_whole
from bench.core.processes import bounded
from bench.core.unfinished import Unfinished, Work
from bench.data.dataset import Picture
from bench.data.registry import entry_of
from bench.drawing import draw_skeleton, sheet
from bench.models import Model, choose, network_sha256
from bench.network_joints import count_joints, entry_of_joints
from bench.predict.pictures import Pictures, find
from bench.weights import Trained, default_input

GRID_PICTURES, GRID_COLUMNS, GRID_CELL = 24, 6, (320, 240)
UNFINISHED = ".unfinished"  # in the folder of the results: people found before an interruption


def main(arguments: argparse.Namespace) -> int:
    usual = default_input(arguments.weights, arguments.model, entry_of("coco").input)
    given = cli.given_input(arguments.input, "predict")
    arguments.joints = count_joints(arguments, arguments.model)
    (model,) = choose(arguments, [arguments.model], given, usual=cli.one_input(usual, "predict"))
    entry, size, arguments.input = entry_of_joints(arguments, model), model.input, cli.input_text(model.input)
    looks = find(arguments.images, arguments.boxes, category=arguments.category, out=arguments.out)
    dataset = Pictures(looks, entry)
    device = machine.resolve_device(arguments.device)
    machine.check_memory(arguments.batch, size, "--batch or --input")
    check_writable(arguments.out)
    trained = weights.trained(model, arguments.weights, dataset=entry.weights)
    if model.file is not None:
        fit_file(model.file, entry.skeleton, entry.name)
        arguments.weights = model.file.name
    if isinstance(trained.model, torch.nn.Module):
        check_output(arguments.model, trained.model, entry.name, model.num_joints, size)
    if trained.weights == "random":
        warn("the weights are random numbers: the joints mean nothing")
    if trained.weights == "bundled":
        warn("the bundled weights learnt from drawn people: they are for checking the harness, not for photographs")
    unfinished = arguments.out / UNFINISHED
    unfinished.mkdir(exist_ok=True)
    with results.only_one(unfinished, "predict", "--out"):
        file = Unfinished(unfinished / "people.partial", BatchPredictions)
        work = file.work(identity(trained, model, dataset, device, arguments))
        try:
            entries, bad = draw_all(trained, model, dataset, device, arguments, work)
            file.path.unlink(missing_ok=True)
        finally:
            if not file.path.exists():
                shutil.rmtree(unfinished, ignore_errors=True)
    if bad:
        warn(f"bad pictures left out: {len(bad)}, the first: {bad[0]}")
    if not arguments.quiet:
        people = sum(len(entry["people"]) for entry in entries)
        say(
            f"people: {people}, pictures: {len(entries)}, in {arguments.out}/predictions.json, {arguments.out}/grid.png"
        )
    return 0


def identity(trained: Trained, model: Model, dataset: Pictures, device: str, arguments: argparse.Namespace) -> str:
    """All that decides where joints are found, the pictures' sizes and times included."""
    files = [path.stat() for path in dict.fromkeys(look.path for look in dataset.looks)]
    software = machine.this_software(catalogue.version(model.own_backend(device)))
    return json.dumps([
        arguments.model, network_sha256(arguments.model, model.planned["file"]), trained.sha256, trained.options,
        arguments.input, model.num_joints, model.file.protocol() if model.file else None, arguments.batch,
        not arguments.no_flip, device, torch.get_num_threads(), dataset.fingerprint,
        [(file.st_size, file.st_mtime_ns) for file in files],
        software.model_dump_json(exclude={"git_commit", "git_dirty"}),
    ])  # fmt: skip


def draw_all(
    trained: Trained, model: Model, dataset: Pictures, device: str, arguments: argparse.Namespace,
    work: Work[BatchPredictions],
) -> tuple[list[dict[str, Any]], list[str]]:  # fmt: skip
    """Find everybody who was not found before an interruption, and draw; what ``write`` returns, and bad pictures.

    Raises:
        InputError: more bad pictures than allowed, or a network that does not fit; the pictures done are drawn.
        KeyboardInterrupt: likewise.
    """
    found = {one["index"]: one for answer in work.parts.values() for one in answer.predictions}
    todo = [index for index in range(len(dataset)) if index not in found]  # bad pictures may have been mended
    bad: dict[str, None] = {}
    try:
        for answer in answers(trained, model, dataset, todo, device, arguments):
            people = [*(one["index"] for one in answer.predictions), *answer.errors]
            work.add(f"{len(people)} people, {min(people)} to {max(people)}", answer)
            found |= {one["index"]: one for one in answer.predictions}
            bad |= dict.fromkeys(answer.errors.values())
            refuse_bad(list(bad), arguments.skip_bad)
    except (InputError, KeyboardInterrupt) as error:
        whole = of_whole_pictures(in_order(found), dataset)
        if not whole:
            raise
        kept = write(whole, dataset, arguments, bad)
        reason = str(error) or "interrupted, the same command goes on from there"
        raise type(error)(f"{reason}; pictures done: {len(kept)}, kept in {arguments.out}") from None
    return write(in_order(found), dataset, arguments, bad), list(bad)


def in_order(found: dict[int, dict[str, Any]]) -> list[dict[str, Any]]:
    return [found[index] for index in sorted(found)]


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
    trained: Trained, model: Model, dataset: Pictures, todo: Sequence[int], device: str,
    arguments: argparse.Namespace,
) -> Iterator[BatchPredictions]:  # fmt: skip
    """Predictions of some of the people, a batch at a time."""
    if not todo:
        return
    batch = min(arguments.batch, len(dataset))
    example = torch.zeros(batch, 3, *model.input, device=device)
    with bounded(arguments.model):
        artifact = catalogue.build(model.own_backend(device), trained.on(device), example)
    with (
        catalogue.open_artifact(artifact, device=device) as session,
        cli.counter(len(dataset), "people", shown=not arguments.quiet) as step,
    ):
        step(len(dataset) - len(todo), arguments.model, earlier=True)
        for answer in predict(
            session,
            dataset,
            todo,
            model.input,
            batch=batch,
            workers=0,
            flip=not arguments.no_flip,
            codec=codec_of(trained.model, model.input, arguments.model),
            normalisation=trained.normalisation,
            who=arguments.model,
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
    for path, group in groupby(found, key=lambda one: dataset.looks[one["index"]].path):
        people = list(group)
        drawn = dataset.looks[people[0]["index"]].read().copy()
        entry: dict[str, Any] = {"picture": str(path), "people": []}
        for one in people:
            draw_skeleton(drawn, one["keypoints"], skeleton, size=max(one["bbox"][2:]), threshold=arguments.threshold)
            entry["people"].append({key: one[key] for key in ("bbox", "bbox_score", "keypoints")})
        target = fitting(arguments.out / f"{len(entries) + 1:04d}_{path.stem}.jpg")
        entry["drawn"] = target.name
        _write_picture(target, drawn)
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
