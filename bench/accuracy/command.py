"""``python -m bench.accuracy``: the paper's metrics of networks on COCO, MPII or drawn people."""

import argparse
from dataclasses import replace
from pathlib import Path

import torch
from rich.table import Table

from bench import cli, distributed, weights
from bench.accuracy import evaluation, evaluation_server
from bench.accuracy.evaluation import Evaluation
from bench.accuracy.network_check import check_output, fit_file, fit_joints
from bench.accuracy.settings import GROUND_TRUTH, GROUND_TRUTH_BOXES, EvaluationOptions, EvaluationSettings
from bench.backends import catalogue
from bench.cli import say, warn
from bench.codecs.codec import codec_of
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.metrics import printed, text
from bench.core.missing import without_record
from bench.core.record import Record
from bench.data import Dataset, open_dataset
from bench.data.registry import DatasetEntry, entry_of
from bench.model_files.endings import is_file
from bench.models import Model, choose, is_factory, model_names, recorded_name, take_up
from bench.timing.parity import ParityError
from bench.weights import bundled, default_input
from zoo.weights import published


def main(arguments: argparse.Namespace) -> int:
    usual = entry_of(arguments.dataset).input
    given = cli.given_input(arguments.input, "accuracy")
    networks = [name for name in model_names(arguments.models or "all") if not is_file(name)]
    only = networks[0] if arguments.models and len(networks) == 1 else arguments.models
    arguments.input = arguments.input or default_input(arguments.weights, only, usual)
    if arguments.workers is None:
        arguments.workers = max(1, min(4, machine.usable_cores() - 1))
    names = model_names(arguments.models) if arguments.models else default_models(arguments)
    size = cli.one_input(arguments.input, "accuracy")
    if arguments.server_result:
        return record_server_result(arguments, names)
    device = machine.resolve_device(arguments.device)
    models = choose(arguments, names, given, usual=size)
    for model in models:
        check_backend(model, arguments.backend or model.own_backend(device), device, arguments.precision)
        machine.check_memory(arguments.batch, model.input, "--batch or --input")
    known = results.open_folder(arguments.results)
    torch.set_num_threads(machine.checked_threads(arguments.threads))
    dataset = open_data(arguments)
    evaluations = [make_evaluation(model, dataset, device, arguments) for model in models]
    if arguments.missing:
        todo = without_record(evaluations, known, "accuracy", device)
        for one in evaluations:
            if one not in todo:
                evaluation.forget(one)
        evaluations = todo
        if not evaluations and not arguments.quiet:
            say(f"nothing to evaluate: {arguments.results} has it all (leave out --missing to evaluate again)")
    fabric = distributed.launch(device)
    records: list[Record] = []
    warnings: set[str] = set()
    total = sum(len(one.dataset) for one in evaluations)
    conversions = catalogue.Conversions()
    try:
        with cli.counter(total, "people", shown=not arguments.quiet and fabric.is_global_zero) as step:
            for one in evaluations:
                backend = one.settings.backend
                note = conversions.note(backend, f"{recorded_name(one.model)}, {backend}", one.model)
                if note and fabric.is_global_zero and not arguments.quiet:
                    say(note)
                try:
                    take_up(one.model)
                    outcome = evaluation.run(one, fabric, step, lambda made: cli.save(made, arguments))
                except ParityError as error:
                    cli.fail(f"{recorded_name(one.model)}: {error}: not evaluated", 1)
                if outcome:
                    warnings |= {f"{recorded_name(one.model)}: {warning}" for warning in outcome.warnings}
                if outcome and outcome.record:
                    records.append(outcome.record)
                if outcome and not arguments.quiet:
                    say(f"predictions: {', '.join(map(str, outcome.files))}")
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished batches are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        print_table(records, dataset.entry)
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'accuracy.jsonl'}: {len(records)}")
    for warning in sorted(warnings):
        warn(warning)
    return 0


def default_models(arguments: argparse.Namespace) -> list[str]:
    """The networks that there are weights of, of the kind that was asked for."""
    if arguments.weights == "bundled":
        if not bundled():
            raise InputError(
                "no weights are bundled: train some with python -m bench.train, and give --models and --weights FILE"
            )
        return list(bundled())
    entry = entry_of(arguments.dataset)
    if arguments.weights == "published" and entry.needs_files:
        found = [e.model for e in published() if (e.dataset, e.input) == (entry.weights, arguments.input)]
        if not found:
            raise InputError(
                f"no weights for {entry.name} at {arguments.input} were published: give --models and --weights FILE"
            )
        return found
    raise InputError(f"--weights {arguments.weights} needs --models: which network these weights are of")


def open_data(arguments: argparse.Namespace) -> Dataset:
    """The data set that the options name.

    Raises:
        InputError: options that do not go together, or a data set that cannot be used.
    """
    dataset = open_dataset(
        arguments.dataset,
        arguments.data_root,
        annotations=arguments.annotations,
        pictures=arguments.pictures,
        category=arguments.category,
        skeleton=arguments.skeleton,
        subset=arguments.subset,
        detections=arguments.detections,
        test_dev=arguments.test_dev,
        limit=arguments.limit,
        images=arguments.images,
        seed=arguments.seed,
    )
    if not dataset.annotated and not arguments.test_dev:
        raise InputError(
            f"{dataset.name} has no annotations to score with: only COCO's evaluation server can, and --test-dev "
            "writes the file that it takes"
        )
    return dataset


def check_backend(model: Model, backend: str, device: str, precision: str) -> None:
    """Raise ``InputError`` unless a backend can run a model on a device in a precision."""
    catalogue.resolve(backend, device, precision)
    if model.file:
        model.file.check_backend(backend)


def make_evaluation(model: Model, dataset: Dataset, device: str, arguments: argparse.Namespace) -> Evaluation:
    name, size, joints = model.name, model.input, len(dataset.skeleton.joints)
    if model.file is None:
        model = replace(model, num_joints=joints)
    trained = weights.trained(model, arguments.weights, dataset=dataset.entry.weights)
    if model.file is not None:
        fit_file(model.file, dataset.skeleton, dataset.name)
    else:
        fit_joints(trained.skeleton_file, dataset.skeleton, dataset.name)
    codec = codec_of(trained.model, size, name)
    if isinstance(trained.model, torch.nn.Module):
        check_output(name, trained.model, dataset.name, joints, size)
    decoding = arguments.decode or codec.decoding
    codec.kind.check_decoding(decoding, udp=codec.udp, who=name)
    if trained.weights == "random":
        own = "; if your factory loads trained ones, give --weights own" if is_factory(name) else ""
        warn(f"{name}: the weights are random numbers, the accuracy means nothing{own}")
    settings = EvaluationSettings(
        input=size,
        boxes=arguments.detections.name if arguments.detections else GROUND_TRUTH,
        backend=arguments.backend or model.own_backend(device),
        precision=arguments.precision,
        flip=not arguments.no_flip,
        decode=decoding,
        limit=arguments.limit,
    )
    how = EvaluationOptions(
        results=arguments.results,
        batch=arguments.batch,
        workers=arguments.workers,
        threads=torch.get_num_threads(),
        device=device,
        evaluator=arguments.evaluator,
        skip_bad=arguments.skip_bad,
    )
    return Evaluation(name, trained, dataset, settings, how, codec, model.planned["file"])


def record_server_result(arguments: argparse.Namespace, names: list[str]) -> int:
    """The record of what the evaluation server found, for Table II."""
    if not arguments.test_dev or len(names) != 1:
        raise InputError("--server-result goes with --test-dev and one network in --models")
    results.open_folder(arguments.results)
    record = evaluation_server.make_record(
        arguments.server_result, recorded_name(names[0]), arguments.input, weights=Path(arguments.weights).name
    )
    cli.save([record], arguments)
    if not arguments.json:
        print_table([record], entry_of(arguments.dataset))
    return 0


def print_table(records: list[Record], entry: DatasetEntry) -> None:
    """The data set's metrics as percent, as the paper prints them."""
    first = records[0]
    how = [first.dataset, first.input]
    protocol = str(first.protocol["name"])
    how += [f"boxes: {first.protocol['boxes']}"] if "boxes" in first.protocol else []
    how += [protocol] if protocol not in ("paper", GROUND_TRUTH_BOXES) else []  # the boxes stand there already
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in (*entry.metrics.values(), "people/s"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        values = [record.metrics.get(key, -1.0) * factor(key, entry) for key in entry.metrics]
        speed = record.metrics.get("people_per_s")
        table.add_row(
            record.model,
            *(printed(value, 1, 1) if value >= 0 else "—" for value in values),
            text("people_per_s", speed) if speed else "",
        )
    cli.show_table(table, ", ".join(map(str, how)))


def factor(key: str, entry: DatasetEntry) -> float:
    """By which a metric of a record is multiplied to be percent."""
    return 1 if key.startswith("pckh") else entry.factor  # it is percent already
