"""``python -m bench.speed``: latency and FPS of networks, by the paper's protocol."""

import argparse
from pathlib import Path

import torch
from rich.table import Table

from bench import InputError, backends, cli, machine
from bench.cli import say, warn
from bench.data import photograph
from bench.models import build, is_factory, model_names, recorded_name
from bench.record import Record
from bench.speed import schedule
from bench.speed.loop import PRECISIONS
from bench.speed.measuring import ROUNDS, SETS, WARMUP, make_record
from bench.speed.schedule import Job

QUICK_ROUNDS, QUICK_SETS = 10, 2


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("speed", "Time networks: 50 rounds after 5 of warm-up, in 5 fresh processes each.")
    cli.add_model_options(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or auto: cuda where there is one")
    parser.add_argument("--backend", default="eager", metavar="NAME[,NAME]", help=", ".join(backends.BACKENDS))
    parser.add_argument("--precision", default="fp32", choices=list(PRECISIONS))
    parser.add_argument("--threads", type=cli.positive, help="CPU threads (default: one a physical core)")
    parser.add_argument("--batch", type=cli.positive, default=1, help="images a round")
    parser.add_argument("--rounds", type=cli.positive, help=f"timed rounds a set (default: {ROUNDS})")
    parser.add_argument("--warmup", type=cli.positive, help=f"rounds before them, not counted (default: {WARMUP})")
    parser.add_argument("--sets", type=cli.positive, help=f"fresh processes a network (default: {SETS})")
    parser.add_argument("--image", type=Path, help="time on this picture instead of the one shipped")
    parser.add_argument("--seed", type=int, default=0, help="of the random weights")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SETS} sets of {QUICK_ROUNDS} rounds, marked so in the records"
    )
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    # What was asked for by number counts; --quick only changes what was left open.
    quick = arguments.quick
    arguments.protocol = "quick" if quick else "paper"
    defaults = {"rounds": QUICK_ROUNDS if quick else ROUNDS, "warmup": WARMUP, "sets": QUICK_SETS if quick else SETS}
    for name, default in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif getattr(arguments, name) != default:
            arguments.protocol = "custom"
    return arguments


def main(argv: list[str]) -> int:
    arguments = parse(argv)
    jobs = make_jobs(arguments)
    known = cli.open_results(arguments.results)
    if arguments.missing:
        jobs = without_record(jobs, known, arguments.protocol)
    records: list[Record] = []
    failures: list[str] = []
    status = 0

    def finished(job: Job, progress: schedule.Progress) -> None:
        record = job_record(job, progress, arguments.protocol)
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
            schedule.run(jobs, arguments.results, now=cli.now, finished=finished, failed=failed, step=step)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished sets are kept, the same command goes on from there"
        ) from None
    if records and not arguments.json:
        order = [(recorded_name(job.model), job.backend) for job in jobs]
        print_table(sorted(records, key=lambda record: order.index((record.model, record.backend or ""))))
    if records and not arguments.quiet:
        say(f"added to {arguments.results / 'speed.jsonl'}: {len(records)}")
    for note in sorted({f"{record.model}: {note}" for record in records for note in record.warnings}):
        warn(note)
    if failures:
        cli.fail("; ".join(failures), status)
    return 0


def make_jobs(arguments: argparse.Namespace) -> list[Job]:
    """One job a network and backend, everything that can be checked beforehand checked."""
    device = machine.resolve_device(arguments.device)
    threads = arguments.threads or machine.default_threads()
    if threads > machine.usable_cores():
        raise InputError(f"{threads} threads are more than this machine's {machine.usable_cores()} processors")
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size at a time to bench.speed")
    names = model_names(arguments.models)
    runtimes = list(dict.fromkeys(part.strip() for part in arguments.backend.split(",")))
    for runtime in runtimes:
        backends.load(runtime).check(device, arguments.precision)
    example = photograph(size, arguments.image)
    for name in names:
        check_model(name, arguments.joints, example)
    return [
        Job(
            model=name,
            num_joints=arguments.joints,
            input=size,
            image=str(arguments.image) if arguments.image else None,
            batch=arguments.batch,
            device=device,
            backend=runtime,
            precision=arguments.precision,
            threads=threads,
            rounds=arguments.rounds,
            warmup=arguments.warmup,
            sets=arguments.sets,
            seed=arguments.seed,
        )
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


def job_record(job: Job, progress: schedule.Progress, protocol: str) -> Record:
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
            "rounds": job.rounds,
            "warmup": job.warmup,
            "sets": job.sets,
            "image": Path(job.image).name if job.image else "astronaut.png",
            "interval": {1: "rounds", 2: "none"}.get(job.sets, "sets, then rounds"),
        },
        started_at=progress.started_at,
        num_joints=job.num_joints,
        seed=job.seed,
        weights="random",
        notes={"environment": dict(schedule.worker_environment(job))},
    )


def print_table(records: list[Record]) -> None:
    """What a reader wants first: who is how fast, and how sure that is."""
    first = records[0]
    where = first.machine.gpu if first.device == "cuda" else f"{first.machine.cpu}, {first.threads} threads"
    table = Table(title=f"{where}, {first.precision}, {first.input}, batch {first.batch}")
    for heading in ("model", "backend", "FPS", "95 % interval", "mean ms", "median ms", "p90 ms", "peak MiB"):
        table.add_column(heading, justify="left" if heading in ("model", "backend") else "right", no_wrap=True)
    for record in records:
        m = record.metrics
        table.add_row(
            record.model, record.backend, f"{m['fps'] * (record.batch or 1):.1f}",
            f"{m['fps_ci95_low']:.1f} to {m['fps_ci95_high']:.1f}" if "fps_ci95_low" in m else "needs 3 sets",
            *(f"{m[f'latency_ms_{what}']:.1f}" for what in ("mean", "median", "p90")),
            f"{m.get('peak_cuda_bytes', m.get('peak_rss_bytes', 0)) / 2**20:.0f}",
        )  # fmt: skip
    cli.output.print(table)


if __name__ == "__main__":
    cli.run(main)
