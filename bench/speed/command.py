"""Times networks: plans the measurements, runs them in fresh processes, and records the results."""

import argparse

from pydantic import JsonValue

from bench import cli
from bench.backends import catalogue
from bench.cli import say, warn
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.missing import without_record
from bench.core.record import Record
from bench.models import choose, model_names, pairs, recorded_name
from bench.speed import schedule, tables
from bench.speed.figures import kinds_of_warnings
from bench.speed.plan import SpeedPlan
from bench.speed.record import complete_record
from bench.timing.process_variables import process_variables


def main(arguments: argparse.Namespace) -> int:
    if arguments.list_backends:
        tables.print_backends()
        return 0
    device = machine.resolve_device(arguments.device)
    backends, left_out = choose_backends(arguments.backend, device, arguments.precision)
    plans = make_plans(arguments, device, backends, left_out)
    for reason in () if arguments.quiet else left_out.values():
        say(f"left out: {reason}")
    known = results.open_folder(arguments.results)
    done: list[SpeedPlan] = []
    if arguments.missing:
        todo = without_record(plans, known, "speed", device)
        done, plans = [plan for plan in plans if plan not in todo], todo
    records: list[Record] = []
    failures: list[str] = []
    status = 0

    def finished(progress: schedule.PlanProgress) -> None:
        record = plan_record(progress, arguments.ahead)
        cli.save([record], arguments)
        records.append(record)

    def failed(_plan: SpeedPlan, error: Exception) -> None:
        nonlocal status
        failures.append(str(error))
        status = max(status, 2 if isinstance(error, InputError) else 1)

    if not plans and not arguments.quiet:
        say(f"nothing to time: {arguments.results} has it all (leave out --missing to time again)")
    try:
        with (
            results.only_one(arguments.results, "speed"),
            cli.progress(schedule.steps(plans), "timing", shown=not arguments.quiet) as step,
        ):
            schedule.forget(done, arguments.results)
            schedule.run(
                plans, arguments.results, ahead=arguments.ahead, finished=finished, failed=failed, step=step,
                tell=(lambda _note: None) if arguments.quiet else say,
            )  # fmt: skip
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished sets are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        order = [(recorded_name(plan.model), plan.backend, plan.batch) for plan in plans]
        records.sort(key=lambda r: order.index((r.model, r.backend or "", r.batch or 1)))
        tables.print_speeds(records, list(left_out.values()))
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'speed.jsonl'}: {len(records)}")
    for note in summarised_warnings(records):
        warn(note)
    if failures:
        cli.fail("; ".join(failures), status)
    return 0


def choose_backends(text: str | None, device: str, precision: str) -> tuple[list[str], dict[str, str]]:
    """The backends asked for; for ``all``, those that run here, and for each of the others the reason why not.

    None are asked for where every model is to run in its own.

    Raises:
        InputError: a backend asked for by name is unknown, not installed, or does not run on the device.
    """
    if text is None:
        return [], {}
    if text == "all":
        return catalogue.usable(device, precision)
    names = cli.listed(text)
    for name in names:
        catalogue.resolve(name, device, precision)
    return names, {}


def make_plans(
    arguments: argparse.Namespace, device: str, backends: list[str], left_out: dict[str, str] | None = None
) -> list[SpeedPlan]:
    """One plan per network, backend and batch size; everything that can be checked in advance is.

    Args:
        backends: every model's own where there are none.
        left_out: gets the reason for each file and backend that do not go together.
    """
    threads = machine.checked_threads(arguments.threads)
    models = choose(arguments, model_names(arguments.models), cli.given_input(arguments.input, "speed"))
    if arguments.image and not arguments.image.is_file():
        raise InputError(f"no image {arguments.image}: give a JPEG or PNG file with --image")
    chosen = pairs(models, device, backends, {} if left_out is None else left_out)
    for model, backend in chosen:
        catalogue.resolve(backend, device, arguments.precision)
        if model.file:
            for batch in arguments.batch:
                model.file.check_batch(batch)
    return [
        SpeedPlan(
            **model.planned,
            image=str(arguments.image) if arguments.image else None,
            batch=batch,
            device=device,
            backend=backend,
            precision=arguments.precision,
            threads=threads,
            protocol=arguments.protocol,
            rounds=arguments.rounds,
            warmup=arguments.warmup,
            sets=arguments.sets,
            seed=arguments.seed,
            budget_s=arguments.budget / arguments.sets if arguments.protocol == "steady" else 0.0,
        )
        for batch in arguments.batch
        for model, backend in chosen
    ]


def plan_record(progress: schedule.PlanProgress, ahead: int) -> Record:
    plan = progress.plan
    notes: dict[str, JsonValue] = {"environment": dict(process_variables(plan.threads))}
    if catalogue.find(plan.backend).quantises:
        from bench.backends import calibration

        notes["calibration"] = f"{calibration.COUNT} drawn people, seed {calibration.SEED}"
    measurement = plan.measurement()
    if ahead > 1:
        measurement = measurement.model_copy(update={"protocol": measurement.protocol | {"ahead": ahead}})
    return complete_record(
        measurement,
        progress.timed,
        device=plan.device,
        started_at=progress.work.started_at,
        notes=notes,
        prepared=progress.prepared.result if progress.prepared else None,
    )


def summarised_warnings(records: list[Record]) -> list[str]:
    """Each kind of warning once, with how many networks have it and the worst of them."""
    found = []
    for cases in kinds_of_warnings((record.model, note) for record in records for note in record.warnings):
        models = dict.fromkeys(model for model, _ in cases)
        model, worst = cases[-1]
        others = f" ({len(models)} networks have such a warning; this is the worst)" if len(models) > 1 else ""
        found.append(f"{model}: {worst}{others}")
    return found
