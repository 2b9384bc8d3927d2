"""``python -m bench.complexity``: parameters and multiply-adds of networks."""

import argparse

import torch
from rich.table import Table

from bench import cli
from bench.complexity.counting import COUNTERS, layers
from bench.complexity.record import measure
from bench.core import machine, metrics, results
from bench.core.processes import user_code
from bench.core.record import Record
from bench.models import build, model_names, recorded_name

Item = tuple[str, tuple[int, int]]  # a model's name, and the height and width of its input


def main(arguments: argparse.Namespace) -> int:
    sizes = cli.parse_inputs(arguments.input)
    names = model_names(arguments.models)
    for name in names:  # an unknown name fails before anything is counted
        build(name, num_joints=arguments.joints, input_size=sizes[0])
    known = results.open_folder(arguments.results)
    todo = [(name, size) for size in sizes for name in names]
    if arguments.missing:
        todo = without_record(todo, known, arguments.joints)
    records = []
    with cli.progress(len(todo), "counting", shown=not arguments.quiet) as step:
        for name, size in todo:
            record = count(name, size, arguments.joints)
            cli.save([record], arguments)
            records.append(record)
            step(f"{name} {cli.input_text(size)}")
    if not todo and not arguments.quiet:
        cli.say(f"nothing to count: {arguments.results} has it all (leave out --missing to count again)")
    if arguments.json:
        return 0
    for size in sizes:
        print_table([record for record in records if record.input == cli.input_text(size)])
    if arguments.layers:
        for name, size in todo:
            print_layers(name, size, arguments.joints)
    if records and not arguments.quiet:
        cli.say(f"added to {arguments.results / 'complexity.jsonl'}: {len(records)}")
    return 0


def count(name: str, size: tuple[int, int], num_joints: int) -> Record:
    model = build(name, num_joints=num_joints, input_size=size)
    with user_code(name, f"fails on an input of {cli.input_text(size)}"):
        return measure(model, size, name=recorded_name(name), num_joints=num_joints)


def without_record(todo: list[Item], known: list[Record], joints: int) -> list[Item]:
    """What there is no record of yet that these very sources made."""
    source = machine.source_sha256()
    done = {
        (record.model, record.input, record.num_joints)
        for record in known
        if record.kind == "complexity" and record.software.source_sha256 == source
    }
    return [(name, size) for name, size in todo if (recorded_name(name), cli.input_text(size), joints) not in done]


def print_table(records: list[Record]) -> None:
    if not records:
        return
    table = Table(
        title=f"{records[0].input}, {records[0].num_joints} joints: parameters, and multiply-adds by counter",
        caption="mmcv and torchstat are the conventions of the paper's tables. 1 M = 1e6, 1 G = 1e9.",
    )
    table.add_column("model", no_wrap=True)
    for heading in ("params M", *(f"{counter} G" for counter in COUNTERS)):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        counts = [record.metrics.get(f"macs_{counter}") for counter in COUNTERS]
        macs = ["—" if count is None else metrics.text("macs_mmcv", count) for count in counts]
        table.add_row(record.model, metrics.text("params", record.metrics["params"]), *macs)
    cli.output().print(table)
    cli.output().print("The libraries pass over operations that they do not know; each record lists them.")


def print_layers(name: str, size: tuple[int, int], num_joints: int) -> None:
    model = build(name, num_joints=num_joints, input_size=size)
    rows = layers(model, torch.zeros(1, 3, *size))
    table = Table(title=f"{name}, {cli.input_text(size)}: layers that hold parameters or cost something")
    for heading, justify in (("layer", "left"), ("type", "left"), ("output", "right"), ("params", "right"),
                             ("mmcv M", "right"), ("torchstat M", "right")):  # fmt: skip
        table.add_column(heading, justify=justify, no_wrap=True)  # type: ignore[arg-type]
    for layer in rows:
        if layer.params or layer.mmcv or layer.torchstat:
            shape = "x".join(map(str, layer.output[1:]))
            macs = (f"{layer.mmcv / 1e6:.3f}", f"{layer.torchstat / 1e6:.3f}")
            table.add_row(layer.name, layer.type, shape, f"{layer.params:,}", *macs)
    params, mmcv, torchstat = (sum(getattr(layer, what) for layer in rows) for what in ("params", "mmcv", "torchstat"))
    table.add_section()
    table.add_row("total", "", "", f"{params:,}", f"{mmcv / 1e6:.3f}", f"{torchstat / 1e6:.3f}")
    cli.output().print(table)
