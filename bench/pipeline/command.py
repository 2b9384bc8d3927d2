"""Times the whole way from frames to joints: plans the cells, measures them in fresh processes, records the results."""

import argparse
import contextlib
import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from bench import cli
from bench.accuracy.network_check import fit_file
from bench.backends import catalogue
from bench.backends.artifact import sha256
from bench.cli import say, warn
from bench.core import machine, results, workers
from bench.core.errors import InputError
from bench.core.missing import without_record
from bench.core.record import Record
from bench.core.unfinished import Unfinished
from bench.data.picture_files import find_pictures
from bench.data.registry import DatasetEntry
from bench.models import USUAL_INPUT, Model, choose, model_names
from bench.network_joints import count_joints, entry_of_joints
from bench.pipeline import tables
from bench.pipeline.cell import CellResult, frames_of
from bench.pipeline.detectors import files_of
from bench.pipeline.options import BATCHING, FLIP, RATE
from bench.pipeline.plan import Frames, PipelinePlan, PoseNetwork, circumstances
from bench.pipeline.record import complete_record
from bench.pipeline.sources import Video
from bench.speed.command import summarised_warnings
from bench.timing.process_variables import process_variables
from bench.weights import bundled, default_input
from zoo.weights import fetch, find

WORKER = "bench.pipeline.worker"
USUAL_BACKEND = "onnxruntime"  # of networks


@dataclass
class Part:
    """A part of the unfinished work of one network: its preparation, or a set of all its cells."""

    artifacts: dict[str, Any] | None = None
    parity: float | None = None
    warnings: list[str] = field(default_factory=list)
    cells: list[CellResult] | None = None


def main(arguments: argparse.Namespace) -> int:
    device = machine.resolve_device(arguments.device)
    plans = make_plans(arguments, device)
    done: list[PipelinePlan] = []
    if arguments.missing:
        todo = without_record(plans, results.open_folder(arguments.results), "pipeline", device)
        done, plans = [plan for plan in plans if plan not in todo], todo
    groups = _by_network(plans)
    if not plans and not arguments.quiet:
        say(f"nothing to time: {arguments.results} has it all (leave out --missing to time again)")
    _check_frames(plans)
    records: list[Record] = []
    failures: list[str] = []
    conversions = catalogue.Conversions()
    total = sum(1 + group[0].sets for group in groups.values())
    try:
        with (
            results.only_one(arguments.results, "pipeline"),
            cli.progress(total, "timing", shown=not arguments.quiet) as step,
        ):
            for group in _by_network(done).values():
                _file(arguments.results).work(circumstances(group)).drop()  # a kill came between their records and this
            for group in groups.values():
                try:
                    made = _measure(group, arguments, step, conversions)
                except InputError as error:
                    failures.append(str(error))
                    continue
                cli.save(made, arguments)
                _file(arguments.results).work(circumstances(group)).drop()
                records += made
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished sets are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        tables.print_records(records)
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'pipeline.jsonl'}: {len(records)}")
    for note in summarised_warnings(records):
        warn(note)
    if failures:
        cli.fail("; ".join(failures), 2)
    return 0


def _by_network(plans: Sequence[PipelinePlan]) -> dict[PoseNetwork, list[PipelinePlan]]:
    found: dict[PoseNetwork, list[PipelinePlan]] = {}
    for plan in plans:
        found.setdefault(plan.network, []).append(plan)
    return found


def _file(folder: Path) -> Unfinished[Part]:
    return Unfinished(folder / "pipeline.partial", Part)


def _measure(
    plans: list[PipelinePlan], arguments: argparse.Namespace, step: Any, conversions: catalogue.Conversions
) -> list[Record]:
    """The records of one network's cells; parts of an interrupted run are taken up.

    Raises:
        InputError: the network, the frames or the boxes cannot be used.
    """
    network = plans[0].network
    work = _file(arguments.results).work(circumstances(plans))
    prepared = work.parts.get("prepared")
    if prepared is None or not _still_there(prepared):
        batches = sorted({batch for plan in plans for batch in plan.batches})
        note = conversions.note(network.backend, network.who, network.model)
        if note and not arguments.quiet:
            say(note)
        told = _ask(network, {"prepare": True, "network": asdict(network), "batches": batches})["prepared"]
        prepared = Part(**told)
        work.add("prepared", prepared)
    step(f"{network.who} prepared")
    for number in range(1, plans[0].sets + 1):
        name = f"set {number}"
        if name not in work.parts:
            task = {"plans": [asdict(plan) for plan in plans], "artifacts": prepared.artifacts, "set": number}
            cells = [CellResult(**told) for told in _ask(network, task)["cells"]]
            work.add(name, Part(cells=cells))
        step(f"{network.who}, {name}")
    sets = [work.parts[f"set {number}"].cells or [] for number in range(1, plans[0].sets + 1)]
    notes: dict[str, JsonValue] = {"environment": dict(process_variables(network.threads))}
    return [
        complete_record(
            plan, [cells[index] for cells in sets], started_at=work.started_at,
            parity=prepared.parity, notes=notes, warnings=prepared.warnings,
        )
        for index, plan in enumerate(plans)
    ]  # fmt: skip


def _still_there(prepared: Part) -> bool:
    files = [file for told in (prepared.artifacts or {}).values() for file in told["files"]]
    return all(Path(file).is_file() for file in files)


def _ask(network: PoseNetwork, task: dict[str, Any]) -> dict[str, Any]:
    with workers.Worker(WORKER, task, network.who, process_variables(network.threads)) as worker:
        worker.wait_until_ready()
        return worker.answer()


def _check_frames(plans: Sequence[PipelinePlan]) -> None:
    """Draw, or look into, all frames before any network is made ready.

    Raises:
        InputError: they cannot be drawn or read, or the detector cannot be used.
    """
    for told in dict.fromkeys((plan.frames, plan.count, plan.scenario, plan.batch) for plan in plans):
        plan = next(plan for plan in plans if (plan.frames, plan.count, plan.scenario, plan.batch) == told)
        with contextlib.closing(frames_of(plan)) as given:
            if len(given.source):
                given.boxes(0, given.source.read(0))


# ---------------------------------------------------------------------------------------------------------------------
# Plans


def make_plans(arguments: argparse.Namespace, device: str) -> list[PipelinePlan]:
    """A plan for each cell that is asked for; everything that can be checked in advance is.

    Raises:
        InputError: an unknown network or backend, or files that are not there.
    """
    given = cli.given_input(arguments.input, "pipeline")
    threads = machine.checked_threads(arguments.threads)
    networks = []
    for name in model_names(arguments.models):
        usual = default_input(arguments.weights, name, cli.input_text(USUAL_INPUT))
        told = argparse.Namespace(**{**vars(arguments), "joints": count_joints(arguments, name)})
        (model,) = choose(told, [name], given, cli.one_input(usual, "pipeline"))
        entry = entry_of_joints(arguments, model)
        if model.file is not None:
            fit_file(model.file, entry.skeleton, entry.name)
        own = model.own_backend(device) if model.file else USUAL_BACKEND
        for backend in cli.listed(arguments.backend or own):
            catalogue.resolve(backend, device, arguments.precision)
            if model.file is not None:
                model.file.check_backend(backend)
            networks.append(_network(arguments, model, entry, backend, device, threads))
    all_frames = _frames(arguments)
    plans = [
        plan
        for network in networks
        for frames in all_frames
        for batching in BATCHING[arguments.batching]
        for flip in FLIP[arguments.flip]
        for plan in _cells(arguments, network, frames, batching, flip)
    ]
    return list(dict.fromkeys(plans))


def _network(
    arguments: argparse.Namespace, model: Model, entry: DatasetEntry, backend: str, device: str, threads: int
) -> PoseNetwork:
    label, path, digest = arguments.weights, arguments.weights, None
    if model.file is not None:
        label, digest = model.file.name, model.file.sha256
    elif label == "bundled":
        if model.name not in bundled():
            raise InputError(f"no weights of {model.name} are bundled: --weights bundled has {', '.join(bundled())}")
        digest = sha256(bundled()[model.name])
    elif label == "published":
        path = str(fetch(find(model.name, cli.input_text(model.input), entry.weights)))
        digest = sha256(Path(path))
    elif label not in ("random", "own"):
        if not Path(label).is_file():
            raise InputError(f"no weights {label}: give a checkpoint, or random, bundled, published or own")
        label, digest = Path(label).name, sha256(Path(label))
    file = json.dumps(model.planned["file"]) if model.file else ""
    return PoseNetwork(
        model.name, model.num_joints, model.input, backend, arguments.precision, device, threads, path, label, digest,
        arguments.seed, file, entry.skeleton,
    )  # fmt: skip


def _frames(arguments: argparse.Namespace) -> list[Frames]:
    boxes = "detector" if arguments.detector else "file" if arguments.boxes else "given"
    path = arguments.detector or arguments.boxes
    if path and not path.is_file():
        raise InputError(f"no file {path}: give it with {'--detector' if arguments.detector else '--boxes'}")
    rate = arguments.rate or RATE
    found = Frames(
        arguments.source, boxes=boxes, boxes_path=str(path) if path else "", rate=rate,
        boxes_fingerprint=_digest(files_of(path) if arguments.detector else [path]) if path else "",
        jitter=arguments.jitter if boxes == "given" else 0.0,
    )  # fmt: skip
    if arguments.source in ("scenes", "motion"):
        sizes = arguments.size
        people = [0] if arguments.scenario == "offline" else arguments.people
        return [replace(found, people=count, size=size) for size in sizes for count in people]
    if arguments.source == "pictures":
        names = find_pictures(arguments.pictures).names
        paths = list(names)
        found = replace(found, names=tuple(names.values()))
    else:
        paths = [arguments.video]
        video = Video(arguments.video)
        found = replace(found, rate=arguments.rate or video.rate or RATE)
    boxes = "whole" if boxes == "given" else boxes
    return [
        replace(found, paths=tuple(map(str, paths)), fingerprint=_digest(paths), boxes=boxes, jitter=0.0)
    ]  # fmt: skip


def _digest(paths: Sequence[Path]) -> str:
    return hashlib.sha256("".join(sha256(path) for path in paths if path.is_file()).encode()).hexdigest()


def _cells(
    arguments: argparse.Namespace, network: PoseNetwork, frames: Frames, batching: str, flip: bool
) -> list[PipelinePlan]:  # fmt: skip
    count = 0 if arguments.all_frames else arguments.frames
    if frames.people == 1 or arguments.scenario == "offline":  # there is one way only
        batching = "one by one" if frames.people == 1 else "batched"
    plan = PipelinePlan(
        network, frames, arguments.protocol, arguments.scenario, batching, flip, count, arguments.warmup,
        arguments.sets, arguments.for_s or 0.0, smooth=arguments.smooth, draw=arguments.draw,
    )  # fmt: skip
    if arguments.scenario == "offline":
        return [replace(plan, batch=batch) for batch in arguments.offline]
    return [
        replace(plan, streams=streams, detect_every=every)
        for streams in arguments.streams or (1,)
        for every in arguments.detect_every
    ]
