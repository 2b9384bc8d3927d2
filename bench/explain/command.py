"""Explains networks, each in a fresh process, and records what was found."""

import argparse
import json
from dataclasses import asdict
from typing import Any

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
from bench.models import choose, model_names, pairs, recorded_name
from bench.timing.process_variables import process_variables


def main(arguments: argparse.Namespace) -> int:
    device = machine.resolve_device(arguments.device)
    backends, left_out = choose_backends(
        arguments.backend, device, arguments.precision, differences=arguments.differences
    )
    plans = make_plans(arguments, device, backends, left_out)
    if not arguments.quiet:
        for backend, reason in left_out.items():
            cli.say(f"left out: {backend} ({reason})")
    if arguments.differences:
        return show_differences(plans, arguments)
    known = results.open_folder(arguments.results)
    if arguments.missing:
        plans = without_record(plans, known, "explain", device)
    if not plans and not arguments.quiet:
        cli.say(f"nothing to explain: {arguments.results} has it all (leave out --missing to measure again)")

    conversions = catalogue.Conversions()

    def begin(plan: ExplainPlan) -> workers.Worker:
        note = conversions.note(plan.backend, plan.who, plan.model)
        if note and not arguments.quiet:
            cli.say(note)
        return start(plan)

    with cli.progress(len(plans), "explaining", shown=not arguments.quiet) as step:
        for plan, answer in workers.run_each(plans, begin, arguments.ahead):
            if isinstance(answer, InputError):
                raise answer
            record = whole_record(plan, answer, all_layers=arguments.layers)
            cli.save([record], arguments)
            if not arguments.json:
                show(record)
            step(plan.who)
            who = record.model if plan.backend == "eager" else f"{record.model}, {plan.backend}"
            for note in record.warnings:
                cli.warn(f"{who}: {note}")
    if plans and not arguments.quiet:
        cli.say(f"added to {arguments.results / 'explain.jsonl'}: {len(plans)}")
    return 0


def show_differences(plans: list[ExplainPlan], arguments: argparse.Namespace) -> int:
    """Say of each network where it parts from float32; 1 where one does."""
    large = 0
    with cli.progress(len(plans), "comparing", shown=not arguments.quiet) as step:
        for plan, answer in workers.run_each(plans, start, arguments.ahead):
            if isinstance(answer, InputError):
                raise answer
            found = answer["differences"]
            large += found["first"] is not None
            if arguments.json:
                print(json.dumps({"model": recorded_name(plan.model)} | found))
            else:
                cli.output().print(f"{plan.model}, {found['backend']} ({found['precision']}): {found['says']}.")
                show_boundaries(found, all_layers=arguments.layers)
            step(plan.who)
    return 1 if large else 0


def show_boundaries(found: dict[str, Any], *, all_layers: bool) -> None:
    """What every layer, or those around the first large difference, differ by."""
    shown = list(enumerate(found["boundaries"]))
    if not all_layers:
        first = found["first"] if found["first"] is not None else len(shown)
        shown = shown[max(0, first - SHOWN // 2) :][:SHOWN]
    table = Table()
    for heading in ("layer", "what", "difference", "largest value", "not finite"):
        table.add_column(heading, justify="left" if heading in ("layer", "what") else "right")
    for index, one in shown:
        style = "bold" if index == found["first"] else ""
        apart = f"{one['difference']:.2g}" if one["difference"] < 1e30 else "infinite"
        figures = (apart, f"{one['largest']:.4g}", f"{one['not_finite']:,}")
        table.add_row(one["layer"], one["name"], *figures, style=style)
    cli.show_table(table)


def choose_backends(
    text: str | None, device: str, precision: str, *, differences: bool = False
) -> tuple[list[str], dict[str, str]]:
    """The backends asked for; for ``all``, those that can be explained here, and of the others the reason why not.

    Raises:
        InputError: a backend asked for by name is unknown, does not run here, or tells nothing of its operators.
    """
    if text is None:
        return [], {}
    usable, reasons = catalogue.usable(device, precision) if text == "all" else (cli.listed(text), {})
    found = []
    for name in usable:
        try:
            catalogue.resolve(name, device, precision)
            if name != "eager" and not differences:
                catalogue.profiler_of(name)
            found.append(name)
        except InputError as error:
            if text != "all":
                raise
            reasons[name] = str(error)
    return found, reasons


def make_plans(
    arguments: argparse.Namespace, device: str, backends: list[str], left_out: dict[str, str] | None = None
) -> list[ExplainPlan]:
    """One plan a network and backend, everything that can be checked beforehand checked.

    Args:
        backends: every model's own where there are none.
        left_out: gets the reason for each file and backend that do not go together.
    """
    threads = machine.checked_threads(arguments.threads)
    models = choose(arguments, model_names(arguments.models), cli.given_input(arguments.input, "explain"))
    chosen = pairs(models, device, backends, {} if left_out is None else left_out)
    for model, backend in chosen:
        catalogue.resolve(backend, device, arguments.precision)
        if arguments.differences and model.planned["file"] and model.own_backend(device) != "eager":
            raise InputError(f"--differences compares with eager, which does not run {model.name}: give a network")
        if backend != "eager" and not arguments.differences:
            catalogue.profiler_of(backend)
    return [
        ExplainPlan(
            **model.planned,
            device=device,
            precision=arguments.precision,
            threads=threads,
            rounds=arguments.rounds,
            seed=arguments.seed,
            backend=backend,
            differences=arguments.differences,
        )
        for model, backend in chosen
    ]


def start(plan: ExplainPlan) -> workers.Worker:
    """A process for one network, set up as those of ``bench.speed``."""
    return workers.Worker("bench.explain.worker", asdict(plan), plan.who, variables(plan))


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
    cli.output().print(paragraph(record), width=min(100, cli.output().width))
    shown = rows(record, "layers")
    where = "" if record.backend == "eager" else f" in {record.backend}"
    table = Table()
    for heading in ("layer", "operators", "ms", "share", "M MACs", "MB", "MACs/B", "bound by", "times it"):
        is_text = heading in ("layer", "operators", "bound by")
        table.add_column(heading, justify="left" if is_text else "right", no_wrap=heading != "layer", overflow="fold")
    for row in shown:
        first, *more = row["kinds"] or ["view"]
        table.add_row(
            row["name"], f"{first} +{len(more)}" if more else first, f"{row['ms']:.2f}", f"{row['share']:.1%}",
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
    cli.show_table(table, f"{record.model}{where}: {len(shown)} costliest layers")
