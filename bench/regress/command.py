"""``python -m bench.regress``: whether a change made networks slower, decided so that CI can rely on it."""

import argparse
import os
import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from bench import backends, cli
from bench.core import machine, results
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.core.record import Record
from bench.models import is_factory, model_names
from bench.regress import baseline, output, selftest
from bench.regress.checkout import checkout
from bench.regress.compare import Comparison, compare
from bench.regress.pairs import Job, Pair, Side, UnknownModelError, time_pair, time_process
from bench.regress.records import comparison_record, self_test_record
from bench.regress.sequential import Interval

Told = Callable[[str], None]


def main(arguments: argparse.Namespace) -> int:
    jobs = make_jobs(arguments)
    results.open_folder(arguments.results)
    if arguments.self_test:
        return self_test(jobs, arguments)
    with cli.ticker(shown=not arguments.quiet) as told:
        if arguments.update:
            return update(jobs, arguments, told)
        records = with_baseline(jobs, arguments, told) if arguments.baseline else with_base(jobs, arguments, told)
    return conclude(records, arguments)


def make_jobs(arguments: argparse.Namespace) -> list[Job]:
    """One job a network, what can be checked beforehand checked; whether it can be built, each side finds out."""
    device = machine.resolve_device(arguments.device)
    backends.load(arguments.backend).check(device, "fp32")
    if arguments.threads > machine.usable_cores():
        raise InputError(
            f"{arguments.threads} threads are more than this machine's {machine.usable_cores()} processors"
        )
    size, *more = cli.parse_inputs(arguments.input)
    if more:
        raise InputError(f"--input {arguments.input}: give one size at a time to bench.regress")
    names = model_names(arguments.models)
    return [
        Job(name, arguments.joints, size, arguments.batch, device, arguments.backend, arguments.threads)
        for name in names
    ]


def with_base(jobs: list[Job], arguments: argparse.Namespace, told: Told) -> list[Record]:
    """Compare the working tree with another revision, network by network."""
    records = []
    with checkout(arguments.base, Path.cwd()) as trees:
        base = Side(arguments.base, trees.base, trees.base / trees.below)
        head = Side("the working tree", trees.head, trees.head / trees.below)
        if trees.changed and not arguments.quiet:
            cli.say(f"the working tree has {trees.changed} changed files: compared as it is")
        for job in jobs:
            try:
                found = compare(
                    drawing(base, head, inside(trees.head, job)), arguments.threshold, arguments.budget,
                    telling(job, told),
                )  # fmt: skip
            except UnknownModelError as error:
                if arguments.named:
                    raise
                cli.warn(f"left out: {error}")
                continue
            told_of: dict[str, str | int] = {
                "name": "against a revision", "base": arguments.base, "base_commit": trees.base_commit,
                "head_commit": trees.head_commit, "changed_files": trees.changed,
            }  # fmt: skip
            record = comparison_record(job, found, arguments.threshold, arguments.budget, told_of)
            cli.save([record], arguments)
            records.append(record)
    if not records:
        raise InputError(f"{arguments.base} has none of the networks: nothing to compare")
    return records


def inside(root: Path, job: Job) -> Job:
    """A user's own file in the repository is each side's own, also where its full path was given."""
    where, _, factory = job.model.rpartition(":")
    if is_factory(job.model) and Path(where).is_absolute() and Path(where).is_relative_to(root):
        return replace(job, model=f"{os.path.relpath(where)}:{factory}")
    return job


def drawing(base: Side, head: Side, job: Job) -> Callable[[], Pair]:
    order = random.Random()
    return lambda: time_pair(base, head, job, order)


def telling(job: Job, told: Told) -> Callable[[int, Interval], None]:
    """Says how far a comparison is."""

    def tell(count: int, interval: Interval) -> None:
        known = f", {interval.low:.3f} to {interval.high:.3f}" if interval.low > 0 else ""
        told(f"{job.model}: {count} timed, ratio {interval.ratio:.3f}{known}")

    return tell


def update(jobs: list[Job], arguments: argparse.Namespace, told: Told) -> int:
    """Store a baseline: of all networks, or nothing."""
    here = Side("this code", machine.ROOT, Path.cwd())
    records = []
    for number, job in enumerate(jobs, 1):
        told(f"{job.model}: {number} of {len(jobs)}, {baseline.PROCESSES} processes")
        records.append(baseline.measure(lambda job=job: time_process(here, job), job))  # type: ignore[misc]
    baseline.write(records, arguments.baseline)
    if arguments.json:
        for record in records:
            print(record.to_json())
    elif not arguments.quiet:
        cli.say(f"stored in {arguments.baseline}: {len(records)} networks")
    return 0


def with_baseline(jobs: list[Job], arguments: argparse.Namespace, told: Told) -> list[Record]:
    """Compare the working tree with stored latencies."""
    here = Side("this code", machine.ROOT, Path.cwd())
    records = []
    for job, stored in zip(jobs, baseline.load(arguments.baseline, jobs), strict=True):
        found = baseline.compare(
            lambda job=job: time_process(here, job), stored, arguments.threshold, telling(job, told)  # type: ignore[misc]
        )  # fmt: skip
        told_of = {"name": "against a baseline", "base": arguments.baseline.name, "base_started_at": stored.started_at}
        record = comparison_record(job, found, arguments.threshold, arguments.budget, told_of)
        cli.save([record], arguments)
        records.append(record)
    return records


def conclude(records: Sequence[Record], arguments: argparse.Namespace) -> int:
    """Say what came out, wherever it is to be said."""
    if not arguments.json:
        output.print_table(records)
    if arguments.markdown:
        write_whole(arguments.markdown, output.markdown(records).encode())
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a") as summary:
            summary.write(output.markdown(records))
    if arguments.benchmark_json:
        write_whole(arguments.benchmark_json, output.github_benchmark(records).encode())
    verdicts = [record.protocol["verdict"] for record in records]
    undecided = verdicts.count("undecided")
    if undecided and not arguments.strict:
        cli.warn(f"{undecided} of {len(records)} undecided: a longer --budget or a quieter machine may tell")
    return int("regression" in verdicts or (arguments.strict and undecided > 0))


def self_test(jobs: list[Job], arguments: argparse.Namespace) -> int:
    """Measure how often the check errs."""
    if len(jobs) > 1:
        raise InputError("--self-test takes one network at a time: give it with --models")
    (job,) = jobs
    here = Side("this code", machine.ROOT, Path.cwd())

    def compare_with_itself(condition: selftest.Condition) -> Comparison:
        draw = drawing(here, replace(here, slower=condition.planted), job)
        return compare(draw, arguments.threshold, arguments.budget, lambda _count, _interval: None)

    settings = {"threshold": arguments.threshold, "budget_s": arguments.budget}
    total = arguments.self_test * len(selftest.conditions(arguments.threshold))
    try:
        with cli.progress(total, "comparing", shown=not arguments.quiet) as step:
            done = selftest.run(arguments.self_test, job, settings, arguments.results, compare_with_itself, step)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished comparisons are kept, the same command goes on from there"
        ) from None
    records = [self_test_record(job, condition, found, settings) for condition, found in done.items()]
    cli.save(records, arguments)
    selftest.forget(job, settings, arguments.results)
    if not arguments.json:
        output.print_rates(records)
    return int(any(selftest.is_wrong(condition, found) for condition, found in done.items()))
