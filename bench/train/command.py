"""``python -m bench.train``: train networks by the paper's recipe, or all that a table of the paper needs."""

import argparse
import re
from dataclasses import replace
from pathlib import Path

import torch
from rich.table import Table

import zoo
from bench import cli, distributed
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.record import Record
from bench.data import Dataset, open_dataset, registry
from bench.data.coco import CocoDataset
from bench.data.registry import DatasetEntry
from bench.data.skeleton_files import refuse_other_joints
from bench.data.synthetic import SyntheticDataset
from bench.data.synthetic.variants import variant_of
from bench.models import check_names, codec_of_name, is_factory, model_names
from bench.train import ablations
from bench.train.ablations import has_attention
from bench.train.engine import DivergedError
from bench.train.options import SAMPLES
from bench.train.recipe import make_recipe
from bench.train.training import LAST, Training, TrainingData, TrainingOptions, execute, rehearse

VALIDATION_IMAGES = 200
VALIDATION_SEED = 1_000_003  # no training's
# Networks whose backbones torchvision has ImageNet weights of; the paper's own is another network than theirs.
WITH_IMAGENET = ("simplebaseline_mobilenetv2", "simplebaseline_shufflenetv2")


def main(arguments: argparse.Namespace) -> int:
    device = machine.resolve_device(arguments.device)
    if device == "cpu" and arguments.precision == "fp16":
        raise InputError("--precision fp16 needs a CUDA device: on a CPU use fp32 or bf16")
    if device == "cpu" and arguments.sync_bn:
        raise InputError("--sync-bn needs CUDA devices: on CPUs the statistics of batch norm are each process's own")
    if arguments.workers is None:
        arguments.workers = max(1, min(8, machine.usable_cores() - 1))
    known = results.open_folder(arguments.results)
    together = distributed.told("LOCAL_WORLD_SIZE")
    torch.set_num_threads(arguments.threads or max(1, machine.default_threads() // together))
    data = {seed: open_data(arguments, seed) for seed in arguments.seeds or [arguments.seed]}
    runs = [run for seed in data for run in make_runs(arguments, len(data[seed].people), seed)]
    check(runs, data, arguments)
    fabric = distributed.launch(device, arguments.precision)
    loud = not arguments.quiet and fabric.is_global_zero
    folders = [arguments.out / run.folder_name(dataset_name(arguments)) for run in runs]
    if loud:
        describe(runs[0])
        if arguments.resume:
            tell_of_new(folders)
    records: list[Record] = []
    total = sum(run.samples * run.recipe.epochs for run in runs)
    try:
        with cli.counter(total, "samples", shown=loud) as step:
            for number, (run, folder) in enumerate(zip(runs, folders, strict=True), 1):
                work = TrainingOptions(
                    folder, arguments.workers, arguments.validate_every, arguments.checkpoint_every,
                    # A table is many trainings: the same command goes on with it.
                    resume=arguments.resume or arguments.table is not None,
                )  # fmt: skip
                before = f"{number}/{len(runs)} {folder.name}: " if len(runs) > 1 else ""

                def told(count: int, word: str, *, earlier: bool = False, before: str = before) -> None:
                    step(count, before + word, earlier=earlier)

                record = execute(run, data[run.seed], work, fabric, told)
                if record:
                    records.append(record)
                    if record not in known:  # of a training that was finished before, it may be there
                        cli.save([record], arguments)
    except DivergedError as error:
        cli.fail(str(error), 1)
    if records and not arguments.json:
        print_table(records, registry.entry_of(arguments.dataset))
    if records and not arguments.quiet:
        cli.say(f"checkpoints, weights, log and curve: {arguments.out}")
        cli.say(f"added to {arguments.results / 'train.jsonl'}: {len([r for r in records if r not in known])}")
    return 0


def open_data(arguments: argparse.Namespace, seed: int) -> TrainingData:
    """What to train and to validate on, as the options name it.

    Raises:
        InputError: it cannot be used, or nobody in it has labelled joints.
    """
    entry = registry.entry_of(arguments.dataset)
    on_disk = entry.needs_files or arguments.annotations is not None
    train, validation = _on_disk(arguments) if on_disk else _drawn(arguments, seed)
    people = labelled(train)
    if not people:
        raise InputError(f"{train.name} has {len(train)} people and none of them a labelled joint: nothing to learn")
    for dataset in (train, validation):
        refuse_absent_pictures(dataset)
    if train.fingerprint == validation.fingerprint:
        cli.warn(f"{train.name}: training and validation are the same people: the scores say nothing about others")
    elif isinstance(train, CocoDataset) and isinstance(validation, CocoDataset):
        _warn_of_shared_pictures(train, validation)
    return TrainingData(train, people, validation)


def _warn_of_shared_pictures(train: CocoDataset, validation: CocoDataset) -> None:
    """Say how many pictures a network learns from and is measured on, as where people were divided and not pictures."""
    seen = train.files
    shared = sorted(validation.files & seen)
    if shared:
        cli.warn(
            f"{len(shared)} of the {len(validation.files)} pictures with people of {validation.name} are in training "
            f"too, the first: {shared[0]}: the scores say too little about others"
        )


def refuse_absent_pictures(dataset: Dataset) -> None:
    """Raises ``InputError`` if a picture is missing, which a training would come to after hours, and end."""
    found = getattr(dataset, "fingerprints", None)  # of people drawn as they are asked for, none
    if found and found.absent:
        first, *others = found.absent
        more = f" and {len(others)} more" if others else ""
        raise InputError(f"{dataset.name}: there is no picture {first}{more}: training needs all that are named")


def _drawn(arguments: argparse.Namespace, seed: int) -> tuple[Dataset, Dataset]:
    variant = variant_of(registry.entry_of(arguments.dataset).skeleton)
    validation = SyntheticDataset(VALIDATION_IMAGES, VALIDATION_SEED, "scenes", variant)
    if arguments.data_root is not None:
        return open_dataset(arguments.dataset, arguments.data_root, category=arguments.category), validation
    if arguments.category is not None:
        raise InputError("people are drawn, and nothing else: leave out --category, or say what to train on")
    drawn = (arguments.samples or SAMPLES) * arguments.epochs  # no sample is seen twice
    return SyntheticDataset(drawn, seed, "portraits", variant), validation


def _on_disk(arguments: argparse.Namespace) -> tuple[Dataset, Dataset]:
    if arguments.annotations is None:
        train, validation = (
            open_dataset(arguments.dataset, arguments.data_root, split=part, category=arguments.category)
            for part in ("train", "val")
        )
        return train, validation
    pictures = arguments.val_images or arguments.images
    train, validation = (
        open_dataset(
            arguments.dataset,
            annotations=file,
            pictures=folder,
            category=arguments.category,
            skeleton=arguments.skeleton,
        )
        for file, folder in ((arguments.annotations, arguments.images), (arguments.val_annotations, pictures))
    )
    refuse_other_joints(
        validation.skeleton.joints, arguments.val_annotations.name, train.skeleton.joints, arguments.annotations.name
    )
    return train, validation


def dataset_name(arguments: argparse.Namespace) -> str:
    """In the names of folders: of annotations given as a file, the file's."""
    if arguments.annotations is None:
        return str(arguments.dataset)
    return re.sub(r"[^a-zA-Z0-9-]+", "-", arguments.annotations.stem)[:40]


def labelled(dataset: Dataset) -> range | tuple[int, ...]:
    """Those of whom a joint is labelled; of people drawn as they are asked for, everyone."""
    if isinstance(dataset, SyntheticDataset):
        return range(len(dataset))
    visible = (dataset.person(index).visible for index in range(len(dataset)))
    return tuple(index for index, joints in enumerate(visible) if joints is not None and (joints > 0).any())


def make_runs(arguments: argparse.Namespace, people: int, seed: int) -> list[Training]:
    """What to train, one after the other, with one seed."""
    size = cli.one_input(arguments.input, "train")
    entry = registry.entry_of(arguments.dataset)
    drawn = not entry.needs_files and arguments.data_root is None and arguments.annotations is None

    def run_of(model: str) -> Training:
        """One network; the tables' rows are made from the paper's."""
        method = "" if is_factory(model) or ":timm/" in model else zoo.model_card(model).method
        return Training(
            model=model,
            attention=(arguments.attention or "parallel") if has_attention(model) else None,
            init=arguments.init or default_init(model, arguments.dataset),
            input=size,
            samples=arguments.samples or (SAMPLES if drawn else people),
            precision=arguments.precision,
            seed=seed,
            sync_bn=arguments.sync_bn,
            recipe=make_recipe(
                arguments.recipe, model, method, codec_of_name(model, size).kind, size,
                half_body=entry.half_body, epochs=arguments.epochs, batch=arguments.batch, lr=arguments.lr,
                loss=arguments.loss,
            ),
        )  # fmt: skip

    if arguments.table is None:
        return [run_of(name) for name in names(arguments)]
    runs = ablations.rows(arguments.table, run_of(ablations.OURS))
    return [replace(run, init=arguments.init or default_init(run.model, arguments.dataset)) for run in runs]


def names(arguments: argparse.Namespace) -> list[str]:
    chosen = model_names(arguments.model)
    check_names(chosen)
    without = [name for name in chosen if arguments.attention and not has_attention(name)]
    if without:
        raise InputError(f"--attention is for lightweight heads, and {', '.join(without)} has none: leave it out")
    return chosen


def default_init(model: str, dataset: str) -> str:
    return "imagenet" if registry.entry_of(dataset).needs_files and model in WITH_IMAGENET else "scratch"


def check(runs: list[Training], data: dict[int, TrainingData], arguments: argparse.Namespace) -> None:
    """Fail before the first training rather than at the start of the last.

    Raises:
        InputError: a network does not fit or cannot learn, two trainings would have one folder, or the batch is larger
            than what there is.
        ZooError: an unknown network, or weights that cannot be had.
    """
    folders: dict[str, str] = {}
    for run in runs:
        folder = run.folder_name(dataset_name(arguments))
        if folder in folders:
            raise InputError(f"{folders[folder]} and {run.model} would both be trained into {folder}: give one of them")
        folders[folder] = run.model
        if run.recipe.batch * world_size() > run.samples:
            raise InputError(
                f"a batch of {run.recipe.batch} in each of {world_size()} processes is larger than an epoch of "
                f"{run.samples} samples: give a smaller --batch"
            )
        machine.check_memory(run.recipe.batch, run.input, "--batch or --input")
    for run in {(run.model, run.attention): run for run in runs}.values():
        rehearse(run, len(data[run.seed].train.skeleton.joints))


def world_size() -> int:
    """How many processes torchrun started, on all machines."""
    return distributed.told("WORLD_SIZE")


def describe(run: Training) -> None:
    """All that the recipe's name stands for."""
    choices = {**run.recipe.flat(), "input": cli.input_text(run.input), "samples an epoch": run.samples,
               "init": run.init, "precision": run.precision}  # fmt: skip
    cli.say("recipe: " + ", ".join(f"{key} {value}" for key, value in choices.items()))


def tell_of_new(folders: list[Path]) -> None:
    """Say which trainings ``--resume`` starts anew: another ``--out`` or option may have been meant."""
    new = [folder for folder in folders if not (folder / LAST).is_file()]
    if new:
        first, *others = new
        more = f" and {others[0] if len(others) == 1 else f'{len(others)} other folders'}" if others else ""
        cli.say(f"--resume: no {LAST} to go on from in {first}{more}: start{'' if others else 's'} anew")


def print_table(records: list[Record], entry: DatasetEntry) -> None:
    """How every training ended."""
    first = records[0]
    metric = entry.main
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in ("loss", "attention", "seed", entry.metrics[metric], "best", "epoch", "samples/s", "waiting"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        values = record.metrics
        table.add_row(
            record.model, str(record.options["loss"]), str(record.options.get("attention", "")), str(record.seed),
            f"{values[metric] * entry.factor:.1f}", f"{values[f'best_{metric}'] * entry.factor:.1f}",
            f"{values['best_epoch']:g}", f"{values['samples_per_s']:.1f}", f"{values['data_wait_share']:.0%}",
        )  # fmt: skip
    cli.show_table(table, f"{first.dataset}, {first.input}, validated on {first.protocol['validation']}")
