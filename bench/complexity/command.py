"""Counts parameters and multiply-adds of networks, and records them."""

import argparse
from pathlib import Path
from typing import Any

import torch
from rich.table import Table
from torch import nn

from bench import cli
from bench.complexity.counting import COUNTERS, layers
from bench.complexity.plan import ComplexityPlan
from bench.complexity.record import measure, measure_onnx
from bench.core import metrics, results
from bench.core.errors import InputError
from bench.core.missing import without_record
from bench.core.processes import user_code
from bench.core.record import Measurement, Record
from bench.model_files.reading import from_json
from bench.models import build, choose, model_names


def main(arguments: argparse.Namespace) -> int:
    names = model_names(arguments.models)
    known = results.open_folder(arguments.results)
    given: list[tuple[int, int] | None] = [*cli.parse_inputs(arguments.input)] if arguments.input else [None]
    plans = [ComplexityPlan(**model.planned) for size in given for model in choose(arguments, names, size)]
    for plan in plans:
        check_countable(plan)
    sizes = list(dict.fromkeys(plan.input for plan in plans))
    if arguments.missing:
        plans = without_record(plans, known, "complexity", device=None)
    records = []
    with cli.progress(len(plans), "counting", shown=not arguments.quiet) as step:
        for plan in plans:
            record = count(plan)
            cli.save([record], arguments)
            records.append(record)
            step(f"{plan.model} {cli.input_text(plan.input)}")
    if not plans and not arguments.quiet:
        cli.say(f"nothing to count: {arguments.results} has it all (leave out --missing to count again)")
    if arguments.json:
        return 0
    for size in sizes:
        print_table([record for record in records if record.input == cli.input_text(size)])
    if arguments.layers:
        for plan in plans:
            if plan.file and plan.file["kind"] == "artifact":
                cli.say(f"{plan.model}: its layers are not known: it is counted by operators")
            else:
                print_layers(plan)
    if records and not arguments.quiet:
        cli.say(f"added to {arguments.results / 'complexity.jsonl'}: {len(records)}")
    return 0


def check_countable(plan: ComplexityPlan) -> None:
    """Raise ``InputError`` for a file whose operators are not known from here."""
    if plan.file and plan.file["kind"] == "artifact" and Path(plan.model).suffix.lower() != ".onnx":
        raise InputError(
            f"{Path(plan.model).name} cannot be counted: of files, ONNX files and checkpoints can, by their graph and "
            "their network"
        )


def network(plan: ComplexityPlan) -> nn.Module:
    """What is counted layer by layer."""
    if plan.file:
        made = from_json(plan.file).make(plan.num_joints, plan.input)
        assert isinstance(made, nn.Module)
        return made
    return build(plan.model, num_joints=plan.num_joints, input_size=plan.input)


def count(plan: ComplexityPlan) -> Record:
    if plan.file and plan.file["kind"] == "artifact":
        return measure_onnx(plan)
    model = network(plan)
    with user_code(plan.model, f"fails on an input of {cli.input_text(plan.input)}"):
        record = measure(model, plan.input)
    measurement = plan.measurement()
    return record.model_copy(update={name: getattr(measurement, name) for name in Measurement.model_fields})


def print_table(records: list[Record]) -> None:
    if not records:
        return
    table = Table()
    table.add_column("model", no_wrap=True)
    of_graphs = any("macs_onnx" in record.metrics for record in records)
    counters = (*COUNTERS, "onnx") if of_graphs else tuple(COUNTERS)
    for heading in ("params M", *(f"{counter} G" for counter in counters)):
        table.add_column(heading, justify="right", no_wrap=True)
    joints = sorted({record.num_joints or 0 for record in records})  # a model file has its own
    for record in records:
        counts = [record.metrics.get(f"macs_{counter}") for counter in counters]
        macs = ["—" if count is None else metrics.text("macs_mmcv", count) for count in counts]
        who = record.model if len(joints) == 1 else f"{record.model}, {record.num_joints} joints"
        table.add_row(who, metrics.text("params", record.metrics["params"]), *macs)
    of = f", {joints[0]} joints" if len(joints) == 1 else ""
    cli.show_table(table, f"{records[0].input}{of}: parameters, and multiply-adds by counter")
    cli.output().print("mmcv and torchstat are the conventions of the paper's tables. 1 M = 1e6, 1 G = 1e9.")
    for record in records:
        for counter, skipped in left_out(record).items():
            listed = ", ".join(f"{name} {macs / 1e6:.1f} M" for name, macs in skipped.items())
            cli.output().print(f"{record.model}: {counter} leaves out {listed} multiply-adds")
    cli.output().print("Each record lists what a counter passes over.")
    if of_graphs:
        cli.output().print(
            "Files are counted from their graph: mmcv by the same rules for its operators (folded batch norms are "
            "none), onnx the multiply-adds of convolutions and matrix products alone."
        )


def left_out(record: Record) -> dict[str, dict[str, int]]:
    """By counter, what it leaves out that has multiply-adds, and how many."""
    found: Any = record.notes["skipped"]
    with_macs = {
        counter: {name: what["macs"] for name, what in names.items() if isinstance(what, dict)}
        for counter, names in found.items()
    }
    return {counter: names for counter, names in with_macs.items() if names}


def print_layers(plan: ComplexityPlan) -> None:
    model = network(plan)
    rows = layers(model, torch.zeros(1, 3, *plan.input))
    table = Table()
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
    cli.show_table(table, f"{plan.model}, {cli.input_text(plan.input)}: layers that hold parameters or cost something")
