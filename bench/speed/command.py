"""``python -m bench.speed``: latency and FPS of networks, by the paper's protocol."""

import argparse
from pathlib import Path

import torch
from pydantic import JsonValue

from bench import backends, cli, precisions
from bench.backends import calibration
from bench.cli import say, warn
from bench.core import machine, results, workers
from bench.core.errors import InputError
from bench.core.record import Record, now
from bench.data import photograph
from bench.models import build, is_factory, model_names, recorded_name
from bench.speed import schedule, tables
from bench.speed.measuring import make_record
from bench.speed.schedule import Job


def main(arguments: argparse.Namespace) -> int:
    if arguments.list_backends:
        tables.print_backends()
        return 0
    device = machine.resolve_device(arguments.device)
    precisions.check(arguments.precision, device)
    runtimes, left_out = choose_backends(arguments.backend, device, arguments.precision)
    for reason in () if arguments.quiet else left_out.values():
        say(f"left out: {reason}")
    jobs = make_jobs(arguments, device, runtimes)
    known = results.open_folder(arguments.results)
    if arguments.missing:
        jobs = without_record(jobs, known, arguments.protocol)
    records: list[Record] = []
    failures: list[str] = []
    status = 0

    def finished(job: Job, progress: schedule.Progress) -> None:
        record = job_record(job, progress, arguments.protocol, arguments.ahead)
        cli.save([record], arguments)
        records.append(record)

    def failed(job: Job, error: Exception) -> None:
        nonlocal status
        failures.append(str(error))
        status = max(status, 2 if isinstance(error, InputError) else 1)

    if not jobs and not arguments.quiet:
        say(f"nothing to time: {arguments.results} has it all (leave out --missing to time again)")
    total = sum(job.sets for job in jobs) + len(schedule.needing_preparation(jobs))
    try:
        with cli.progress(total, "timing", shown=not arguments.quiet) as step:
            schedule.run(
                jobs, arguments.results, ahead=arguments.ahead, now=now, finished=finished, failed=failed, step=step
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished sets are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        order = [(recorded_name(job.model), job.backend, job.batch) for job in jobs]
        records.sort(key=lambda r: order.index((r.model, r.backend or "", r.batch or 1)))
        tables.print_speeds(records, list(left_out.values()))
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'speed.jsonl'}: {len(records)}")
    for note in sorted({f"{record.model}: {note}" for record in records for note in record.warnings}):
        warn(note)
    if failures:
        cli.fail("; ".join(failures), status)
    return 0


def choose_backends(text: str, device: str, precision: str) -> tuple[list[str], dict[str, str]]:
    """The backends asked for; with ``all``, those that run, and of each of the others why it does not.

    Raises:
        InputError: one that was asked for by name is unknown, not installed, or does not run on the device.
    """
    if text == "all":
        return backends.usable(device, precision)
    names = list(dict.fromkeys(part.strip() for part in text.split(",")))
    for name in names:
        backends.load(name).check(device, precision)
    return names, {}


def make_jobs(arguments: argparse.Namespace, device: str, runtimes: list[str]) -> list[Job]:
    """One job a network, backend and batch size, everything that can be checked beforehand checked."""
    threads = arguments.threads or machine.default_threads()
    if threads > machine.usable_cores():
        raise InputError(f"{threads} threads are more than this machine's {machine.usable_cores()} processors")
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size at a time to bench.speed")
    names = model_names(arguments.models)
    example = photograph(size, arguments.image)
    for name in names:
        check_model(name, arguments.joints, example)
    return [
        Job(
            model=name,
            num_joints=arguments.joints,
            input=size,
            image=str(arguments.image) if arguments.image else None,
            batch=batch,
            device=device,
            backend=runtime,
            precision="int8" if backends.quantised(runtime) else arguments.precision,
            threads=threads,
            rounds=arguments.rounds,
            warmup=arguments.warmup,
            sets=arguments.sets,
            seed=arguments.seed,
            budget_s=arguments.budget / arguments.sets if arguments.protocol == "steady" else 0.0,
        )
        for batch in arguments.batch
        for runtime in runtimes
        for name in names
    ]


def check_model(name: str, num_joints: int, example: torch.Tensor) -> None:
    """Fail on an impossible network or input before anything is timed."""
    model = build(name, num_joints=num_joints)
    try:
        with torch.inference_mode():
            model(example)
    except InputError:
        raise
    except Exception as error:
        if not is_factory(name):
            raise
        size = cli.input_text((example.shape[2], example.shape[3]))
        raise InputError(f"{name} fails on an input of {size}: {type(error).__name__}: {error}") from error


def without_record(jobs: list[Job], known: list[Record], protocol: str) -> list[Job]:
    """The jobs that there is no record of yet, made by these very sources on this machine."""
    if not jobs:
        return []
    here, source = machine.this_machine(jobs[0].device), machine.source_sha256()
    done = {
        (r.model, r.input, r.num_joints, r.backend, r.device, r.precision, r.batch, r.threads, r.protocol.get("name"))
        for r in known
        if r.kind == "speed" and r.machine == here and r.software.source_sha256 == source
    }
    return [
        job
        for job in jobs
        if (
            recorded_name(job.model), cli.input_text(job.input), job.num_joints, job.backend,
            job.device.partition(":")[0], job.precision, job.batch, job.threads, protocol,
        ) not in done
    ]  # fmt: skip


def job_record(job: Job, progress: schedule.Progress, protocol: str, ahead: int) -> Record:
    steady: dict[str, float] = {"budget_s": job.budget_s * job.sets} if job.budget_s else {}
    notes: dict[str, JsonValue] = {"environment": dict(workers.environment(job.threads))}
    if backends.quantised(job.backend):
        notes["calibration"] = f"{calibration.COUNT} drawn people, seed {calibration.SEED}"
    return make_record(
        progress.sets,
        model=recorded_name(job.model),
        size=job.input,
        batch=job.batch,
        device=job.device,
        backend=job.backend,
        precision=job.precision,
        threads=job.threads,
        protocol={
            "name": protocol,
            "rounds": max(len(one.latency_ms) for one in progress.sets),
            "warmup": job.warmup,
            "sets": job.sets,
            "image": Path(job.image).name if job.image else "astronaut.png",
            "interval": {1: "rounds", 2: "none"}.get(job.sets, "sets, then rounds"),
            **steady,
            **({"ahead": ahead} if ahead > 1 else {}),
        },
        started_at=progress.started_at,
        num_joints=job.num_joints,
        seed=job.seed,
        weights="the factory's own" if is_factory(job.model) else "random",
        notes=notes,
        prepared=progress.prepared,
    )
