"""``python -m bench.accuracy``: the paper's metrics of networks on COCO, MPII or drawn people."""

import argparse
from collections.abc import Callable
from pathlib import Path

import torch
from rich.table import Table
from torch import nn

from bench import cli, distributed
from bench.accuracy import job as jobs
from bench.accuracy import server
from bench.accuracy.job import Job, Settings, Work
from bench.backends import catalogue
from bench.cli import say, warn
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.record import Record
from bench.data import Dataset, open_dataset
from bench.models import model_names, recorded_name
from bench.weights import build_trained, bundled
from zoo.weights import published


def main(arguments: argparse.Namespace) -> int:
    names = model_names(arguments.models) if arguments.models else default_models(arguments)
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size at a time to bench.accuracy")
    if arguments.server_result:
        return record_server_result(arguments, names)
    device = machine.resolve_device(arguments.device)
    catalogue.resolve(arguments.backend, device, arguments.precision)
    known = results.open_folder(arguments.results)
    torch.set_num_threads(arguments.threads or machine.default_threads())
    dataset = open_data(arguments)
    evaluations = [make_job(name, dataset, size, device, arguments) for name in names]
    if arguments.missing:
        evaluations = [one for one in evaluations if not has_record(one, known)]
        if not evaluations and not arguments.quiet:
            say(f"nothing to evaluate: {arguments.results} has it all (leave out --missing to evaluate again)")
    fabric = distributed.launch(device)
    records: list[Record] = []
    total = sum(len(one.dataset) for one in evaluations)
    try:
        with cli.counter(total, "people", shown=not arguments.quiet and fabric.is_global_zero) as step:
            for one in evaluations:
                step_of = named(step, recorded_name(one.model))
                outcome = jobs.run(one, fabric, step_of, lambda made: cli.save(made, arguments))
                if outcome and outcome.record:
                    records.append(outcome.record)
                if outcome and not arguments.quiet:
                    say(f"predictions: {', '.join(map(str, outcome.files))}")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished batches are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        print_table(records)
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'accuracy.jsonl'}: {len(records)}")
    for note in sorted({f"{record.model}: {note}" for record in records for note in record.warnings}):
        warn(note)
    return 0


def default_models(arguments: argparse.Namespace) -> list[str]:
    """The networks that there are weights of, of the kind that was asked for."""
    if arguments.weights == "bundled":
        if not bundled():
            raise InputError(
                "no weights are bundled: train some with python -m bench.train, and give --models and --weights FILE"
            )
        return list(bundled())
    if arguments.weights == "published" and arguments.dataset != "synthetic":
        return [e.model for e in published() if (e.dataset, e.input) == (arguments.dataset, arguments.input)]
    raise InputError(f"--weights {arguments.weights} needs --models: which network these weights are of")


def named(step: Callable[[int, str], None], name: str) -> Callable[[int], None]:
    return lambda people: step(people, name)


def open_data(arguments: argparse.Namespace) -> Dataset:
    """The data set that the options name.

    Raises:
        InputError: options that do not go together, or a data set that cannot be used.
    """
    if arguments.dataset != "synthetic" and arguments.data_root is None:
        raise InputError(f"--dataset {arguments.dataset} needs --data-root: the folder of its annotations and pictures")
    if arguments.detections and arguments.dataset != "coco":
        raise InputError("--detections goes with --dataset coco: the other sets come with boxes")
    if arguments.test_dev and not (arguments.dataset == "coco" and arguments.detections):
        raise InputError("--test-dev goes with --dataset coco and --detections: its pictures come without boxes")
    return open_dataset(
        arguments.dataset,
        arguments.data_root,
        detections=arguments.detections,
        test_dev=arguments.test_dev,
        limit=arguments.limit,
        images=arguments.images,
        seed=arguments.seed,
    )


def make_job(name: str, dataset: Dataset, size: tuple[int, int], device: str, arguments: argparse.Namespace) -> Job:
    trained = build_trained(
        name,
        arguments.weights,
        num_joints=len(dataset.skeleton.joints),
        input_size=cli.input_text(size),
        dataset="mpii" if arguments.dataset == "mpii" else "coco",
    )
    check_output(name, trained.model, dataset, size)
    if trained.weights == "random":
        warn(f"{name}: the weights are random numbers, the accuracy means nothing")
    settings = Settings(
        input=size,
        boxes=arguments.detections.name if arguments.detections else jobs.GROUND_TRUTH,
        backend=arguments.backend,
        precision=arguments.precision,
        flip=not arguments.no_flip,
        decode=arguments.decode,
        limit=arguments.limit,
    )
    work = Work(
        results=arguments.results,
        batch=arguments.batch,
        workers=arguments.workers,
        threads=torch.get_num_threads(),
        device=device,
        evaluator=arguments.evaluator,
        skip_bad=arguments.skip_bad,
    )
    return Job(name, trained, dataset, settings, work)


def check_output(name: str, model: nn.Module, dataset: Dataset, size: tuple[int, int]) -> None:
    """Fail on a network that does not fit the data set before anything is evaluated."""
    try:
        with torch.inference_mode():
            shape = tuple(model(torch.zeros(1, 3, *size)).shape)
    except InputError:
        raise
    except Exception as error:
        raise InputError(f"{name} fails on an input of {cli.input_text(size)}: {error}") from error
    joints = len(dataset.skeleton.joints)
    if len(shape) != 4 or shape[1] != joints:
        raise InputError(f"{name} gives {shape[1:]}, and {dataset.name} needs {joints} heatmaps, one for each joint")


def has_record(job: Job, known: list[Record]) -> bool:
    """Whether these very sources evaluated these weights on this data in this way before."""
    wanted = (
        recorded_name(job.model), job.trained.sha256, job.dataset.fingerprint, cli.input_text(job.settings.input),
        job.settings.backend, job.precision, job.settings.flip, job.settings.decode, machine.source_sha256(),
    )  # fmt: skip
    return any(
        wanted == (
            r.model, r.weights_sha256, r.dataset_fingerprint, r.input, r.backend, r.precision,
            r.protocol.get("flip"), r.protocol.get("decode"), r.software.source_sha256,
        )
        for r in known
        if r.kind == "accuracy"
    )  # fmt: skip


def record_server_result(arguments: argparse.Namespace, names: list[str]) -> int:
    """The record of what the evaluation server found, for Table II."""
    if not arguments.test_dev or len(names) != 1:
        raise InputError("--server-result goes with --test-dev and one network in --models")
    results.open_folder(arguments.results)
    record = server.make_record(
        arguments.server_result, recorded_name(names[0]), arguments.input, weights=Path(arguments.weights).name
    )
    cli.save([record], arguments)
    if not arguments.json:
        print_table([record])
    return 0


def print_table(records: list[Record]) -> None:
    """The data set's metrics; COCO's as percent, as the paper prints them."""
    first = records[0]
    mpii = first.dataset is not None and first.dataset.startswith("mpii")
    keys = (
        ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle", "pckh", "pckh@0.1")
        if mpii
        else ("ap", "ap50", "ap75", "ap_m", "ap_l", "ar")
    )
    how = [first.dataset, first.input]
    how += [f"boxes: {first.protocol['boxes']}"] if "boxes" in first.protocol else []
    how += [str(first.protocol["name"])] if first.protocol["name"] != "paper" else []
    table = Table(title=", ".join(map(str, how)))
    table.add_column("model", no_wrap=True)
    for key in (*keys, "people/s"):
        table.add_column(key if mpii or key == "people/s" else key.upper(), justify="right", no_wrap=True)
    for record in records:
        values = [record.metrics.get(key, -1.0) * (1 if mpii else 100) for key in keys]
        speed = record.metrics.get("people_per_s")
        table.add_row(
            record.model, *(f"{value:.1f}" if value >= 0 else "—" for value in values), f"{speed:.1f}" if speed else ""
        )
    cli.output().print(table)
