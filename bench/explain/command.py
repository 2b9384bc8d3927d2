"""Explains networks, each in a fresh process, and records what was found."""

import argparse
from dataclasses import asdict
from typing import Any

from rich.markup import escape
from rich.table import Table

from bench import cli
from bench.backends import catalogue
from bench.core import machine, results, workers
from bench.core.errors import InputError
from bench.core.missing import without_record
from bench.core.record import Measurement, Record
from bench.explain.explanation import paragraph, rows
from bench.explain.options import SHOWN
from bench.explain.plan import ExplainPlan
from bench.models import choose, model_names
from bench.timing.process_variables import process_variables


def main(arguments: argparse.Namespace) -> int:
    plans = make_plans(arguments)
    known = results.open_folder(arguments.results)
    if arguments.missing:
        plans = without_record(plans, known, "explain", plans[0].device)
    if not plans and not arguments.quiet:
        cli.say(f"nothing to explain: {arguments.results} has it all (leave out --missing to measure again)")
    with cli.progress(len(plans), "explaining", shown=not arguments.quiet) as step:
        for plan, answer in workers.run_each(plans, start, arguments.ahead):
            if isinstance(answer, InputError):
                raise answer
            record = whole_record(plan, answer, all_layers=arguments.layers)
            cli.save([record], arguments)
            if not arguments.json:
                show(record)
            step(plan.model)
            for note in record.warnings:
                cli.warn(f"{record.model}: {note}")
    if plans and not arguments.quiet:
        cli.say(f"added to {arguments.results / 'explain.jsonl'}: {len(plans)}")
    return 0


def make_plans(arguments: argparse.Namespace) -> list[ExplainPlan]:
    """One plan a network, everything that can be checked beforehand checked."""
    device = machine.resolve_device(arguments.device)
    catalogue.resolve("eager", device, arguments.precision)
    threads = machine.checked_threads(arguments.threads)
    models = choose(arguments, model_names(arguments.models), cli.given_input(arguments.input, "explain"))
    for model in models:
        if model.file:
            model.file.check_backend("eager")
    return [
        ExplainPlan(
            **model.planned, device=device, precision=arguments.precision, threads=threads, rounds=arguments.rounds,
            seed=arguments.seed,
        )
        for model in models
    ]  # fmt: skip


def start(plan: ExplainPlan) -> workers.Worker:
    """A process for one network, set up as those of ``bench.speed``."""
    return workers.Worker("bench.explain.worker", asdict(plan), plan.model, variables(plan))


def variables(plan: ExplainPlan) -> dict[str, str]:
    # The profiler's library reports on standard error whatever it does; 99 is above all its levels.
    return process_variables(plan.threads) | {"KINETO_LOG_LEVEL": "99"}


def whole_record(plan: ExplainPlan, answer: workers.Answer, *, all_layers: bool) -> Record:
    """The process's record, with what only the command knows."""
    record = Record.model_validate_json(answer["record"])
    notes: dict[str, Any] = record.notes | {"environment": dict(variables(plan))}
    if not all_layers:
        notes["layers"] = rows(record, "layers")[:SHOWN]
    planned = {name: getattr(plan.measurement(), name) for name in Measurement.model_fields}
    return record.model_copy(update=planned | {"command": cli.command_line(), "notes": notes})


def show(record: Record) -> None:
    """The paragraph, then the layers that cost most."""
    cli.output().print(escape(paragraph(record)), width=min(100, cli.output().width))
    shown = rows(record, "layers")
    table = Table(title=f"{record.model}: {len(shown)} costliest layers", title_justify="left")
    for heading in ("layer", "operators", "ms", "share", "M MACs", "MB", "MACs/B", "bound by", "times it"):
        is_text = heading in ("layer", "operators", "bound by")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "layer", overflow="fold")
    for row in shown:
        first, *more = row["kinds"] or ["view"]
        table.add_row(
            escape(row["name"]), f"{first} +{len(more)}" if more else first, f"{row['ms']:.2f}", f"{row['share']:.1%}",
            f"{row['macs'] / 1e6:.2f}", f"{row['bytes'] / 1e6:.2f}", f"{row['macs_per_byte']:.1f}", row["bound"],
            "" if row["times_bound"] is None else f"{row['times_bound']:.1f}",
        )  # fmt: skip
    m = record.metrics
    total, between = m["latency_ms_measured"], m["dispatch_between_ms"]
    table.add_section()
    table.add_row("between operators", "", f"{between:.2f}", f"{between / total:.1%}", "", "", "", "dispatch", "")
    table.add_row(
        "the whole network", f"{m['operators']:,}", f"{total:.2f}", "100.0%", f"{m['macs'] / 1e6:.1f}",
        f"{m['bytes'] / 1e6:.1f}", f"{m['macs_per_byte']:.1f}", "", f"{total / m['must_take_ms']:.1f}",
    )  # fmt: skip
    cli.output().print(table)
