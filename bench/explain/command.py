"""``python -m bench.explain``: why networks take the time they take."""

import argparse
from dataclasses import asdict, dataclass
from typing import Any

from rich.markup import escape
from rich.table import Table

from bench import cli, precisions
from bench.core import machine, results, workers
from bench.core.errors import InputError
from bench.core.record import Record
from bench.data import photograph
from bench.explain.options import SHOWN
from bench.explain.words import paragraph, rows
from bench.models import model_names, recorded_name
from bench.speed.command import check_model


@dataclass(frozen=True)
class Job:
    """One network and how to explain it."""

    model: str
    num_joints: int
    input: tuple[int, int]
    device: str
    precision: str
    threads: int
    rounds: int
    seed: int = 0


def main(arguments: argparse.Namespace) -> int:
    jobs = make_jobs(arguments)
    known = results.open_folder(arguments.results)
    if arguments.missing:
        jobs = without_record(jobs, known)
    if not jobs and not arguments.quiet:
        cli.say(f"nothing to explain: {arguments.results} has it all (leave out --missing to measure again)")
    with cli.progress(len(jobs), "explaining", shown=not arguments.quiet) as step:
        for job, answer in workers.in_turns(jobs, start, arguments.ahead):
            if isinstance(answer, InputError):
                raise answer
            record = complete(job, answer, all_layers=arguments.layers)
            cli.save([record], arguments)
            if not arguments.json:
                show(record)
            step(job.model)
            for note in record.warnings:
                cli.warn(f"{record.model}: {note}")
    if jobs and not arguments.quiet:
        cli.say(f"added to {arguments.results / 'explain.jsonl'}: {len(jobs)}")
    return 0


def make_jobs(arguments: argparse.Namespace) -> list[Job]:
    """One job a network, everything that can be checked beforehand checked."""
    device = machine.resolve_device(arguments.device)
    precisions.check(arguments.precision, device)
    threads = arguments.threads or machine.default_threads()
    if threads > machine.usable_cores():
        raise InputError(f"{threads} threads are more than this machine's {machine.usable_cores()} processors")
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size at a time to bench.explain")
    names = model_names(arguments.models)
    example = photograph(size)
    for name in names:
        check_model(name, arguments.joints, example)
    return [Job(name, arguments.joints, size, device, arguments.precision, threads, arguments.rounds) for name in names]


def without_record(jobs: list[Job], known: list[Record]) -> list[Job]:
    """The jobs that there is no record of yet, made by these very sources on this machine."""
    if not jobs:
        return []
    here, source = machine.this_machine(jobs[0].device), machine.source_sha256()
    done = {
        (record.model, record.input, record.num_joints, record.device, record.precision, record.threads)
        for record in known
        if record.kind == "explain" and record.machine == here and record.software.source_sha256 == source
    }
    return [
        job
        for job in jobs
        if (recorded_name(job.model), cli.input_text(job.input), job.num_joints, job.device.partition(":")[0],
            job.precision, job.threads) not in done
    ]  # fmt: skip


def start(job: Job) -> workers.Worker:
    """A process for one network, set up as those of ``bench.speed``."""
    return workers.Worker("bench.explain.worker", asdict(job), job.model, variables(job))


def variables(job: Job) -> dict[str, str]:
    # The profiler's library reports on standard error whatever it does; 99 is above all its levels.
    return workers.environment(job.threads) | {"KINETO_LOG_LEVEL": "99"}


def complete(job: Job, answer: workers.Answer, *, all_layers: bool) -> Record:
    """The process's record, with what only the command knows."""
    record = Record.model_validate_json(answer["record"])
    notes: dict[str, Any] = record.notes | {"environment": dict(variables(job))}
    if not all_layers:
        notes["layers"] = rows(record, "layers")[:SHOWN]
    return record.model_copy(
        update={
            "model": recorded_name(job.model),
            "num_joints": job.num_joints,
            "seed": job.seed,
            "weights": "random",
            "command": cli.command_line(),
            "notes": notes,
        }
    )


def show(record: Record) -> None:
    """The paragraph, then the layers that cost most."""
    cli.output().print(escape(paragraph(record)), width=min(100, cli.output().width))
    shown = rows(record, "layers")
    table = Table(title=f"{record.model}: {len(shown)} costliest layers", title_justify="left")
    for heading in ("layer", "operators", "ms", "share", "M MACs", "MB", "MACs/B", "bound by", "times it"):
        words = heading in ("layer", "operators", "bound by")
        table.add_column(heading, justify="left" if words else "right", no_wrap=heading != "layer", overflow="fold")
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
