"""Tells whether a change made networks slower, so that CI can rely on it."""

import argparse
import errno
import os
import random
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from bench import cli
from bench.backends import catalogue
from bench.core import machine, results
from bench.core.errors import InputError, os_text
from bench.core.files import write_whole
from bench.core.record import Record
from bench.model_files.endings import is_file
from bench.models import USUAL_INPUT, USUAL_JOINTS, Model, choose, is_factory, model_names
from bench.network_joints import count_joints, entry_of_joints
from bench.regress import baseline, output, self_test
from bench.regress.checkout import checkout
from bench.regress.compare import Comparison, DrawPair, Show, compare
from bench.regress.pairs import time_pair, time_process
from bench.regress.plan import RegressPlan
from bench.regress.records import comparison_record, self_test_record
from bench.regress.sequential import Interval
from bench.regress.sides import Side, UnknownModelError, prepared

Tell = Callable[[str], None]


def main(arguments: argparse.Namespace) -> int:
    plans = make_plans(arguments)
    results.open_folder(arguments.results)
    if arguments.self_test:
        return test_itself(plans, arguments)
    with cli.ticker(shown=not arguments.quiet) as tell:
        if arguments.update:
            return update(plans, arguments, tell)
        records = with_baseline(plans, arguments, tell) if arguments.baseline else with_base(plans, arguments, tell)
    return conclude(records, arguments)


def make_plans(arguments: argparse.Namespace) -> list[RegressPlan]:
    """One plan a network, what can be checked beforehand checked; whether it can be built, each side finds out."""
    device = machine.resolve_device(arguments.device)
    threads = machine.checked_threads(arguments.threads)
    given = cli.given_input(arguments.input, "regress")
    plans = []
    for name in model_names(arguments.models):
        told = argparse.Namespace(**{**vars(arguments), "joints": count_joints(arguments, name)})
        if is_factory(name):  # it may be in the other revision alone
            model = Model(name, given or USUAL_INPUT, told.joints or USUAL_JOINTS)
        else:
            (model,) = choose(told, [name], given)
        backend = arguments.backend or model.own_backend(device)
        catalogue.resolve(backend, device, "fp32")
        if model.file:
            model.file.check_backend(backend)
            model.file.check_batch(arguments.batch)
        plans.append(
            RegressPlan(
                **model.planned, batch=arguments.people or arguments.batch, device=device, backend=backend,
                threads=threads, people=arguments.people or 0,
                skeleton=entry_of_joints(arguments, model).skeleton if arguments.people else None,
            )
        )  # fmt: skip
    return plans


def with_base(plans: list[RegressPlan], arguments: argparse.Namespace, tell: Tell) -> list[Record]:
    """Compare the working tree with another revision, network by network."""
    records = []
    with checkout(arguments.base, Path.cwd()) as trees:
        base = Side(arguments.base, trees.base, trees.base / trees.below)
        head = Side("the working tree", trees.head, trees.head / trees.below)
        if trees.changed and not arguments.quiet:
            cli.say(f"the working tree has {trees.changed} changed files: compared as it is")
        protocol: dict[str, str | int | float] = {
            "name": "against a revision", "base": arguments.base, "base_commit": trees.base_commit,
            "head_commit": trees.head_commit, "changed_files": trees.changed, "budget_s": arguments.budget,
        }  # fmt: skip
        for plan in plans:
            seconds: dict[str, float] = {}
            try:
                with ready((base, head), inside(trees.head, plan), arguments, tell, seconds) as (old, new):
                    draw = drawing(old, new, inside(trees.head, plan))
                    found = compare(draw, arguments.threshold, arguments.budget, showing(plan, tell))
            except UnknownModelError as error:
                if arguments.named:
                    raise
                cli.warn(f"left out: {error}")
                continue
            record = comparison_record(plan, found, arguments.threshold, protocol, seconds)
            cli.save([record], arguments)
            records.append(record)
    if not records:
        raise InputError(f"{arguments.base} has none of the networks: nothing to compare")
    return records


def inside(root: Path, plan: RegressPlan) -> RegressPlan:
    """A user's own file in the repository is each side's own, also where its full path was given."""
    if is_file(plan.model):
        path = Path(plan.model)
        return replace(plan, model=os.path.relpath(path)) if path.is_absolute() and path.is_relative_to(root) else plan
    where, _, factory = plan.model.rpartition(":")
    if is_factory(plan.model) and Path(where).is_absolute() and Path(where).is_relative_to(root):
        return replace(plan, model=f"{os.path.relpath(where)}:{factory}")
    return plan


@contextmanager
def ready(
    sides: Sequence[Side], plan: RegressPlan, arguments: argparse.Namespace, tell: Tell, seconds: dict[str, float]
) -> Iterator[list[Side]]:
    """The sides with what their processes open, made ready one after the other; ``seconds`` is told how long it took.

    Raises:
        UnknownModelError: a side does not have the network.
        InputError: a side cannot be made ready, or not within ``--timeout``.
    """
    with tempfile.TemporaryDirectory(prefix="bench-regress-") as folder:
        found = []
        for side in sides:
            tell(f"{plan.model}: {side.name} is being prepared for {plan.backend}")
            began = time.monotonic()
            found.append(prepared(side, plan, Path(folder)))
            seconds[side.name] = round(time.monotonic() - began, 3)
        if not arguments.quiet:
            each = ", ".join(f"{name} {taken:.1f} s" for name, taken in seconds.items())
            cli.say(f"{plan.model}: prepared for {plan.backend}: {each}")
        yield found


def drawing(base: Side, head: Side, plan: RegressPlan) -> DrawPair:
    order = random.Random()
    return lambda: time_pair(base, head, plan, order)


def showing(plan: RegressPlan, tell: Tell) -> Show:
    """Says how far a comparison is."""

    def show(count: int, interval: Interval) -> None:
        known = f", {interval.low:.3f} to {interval.high:.3f}" if interval.low > 0 else ""
        tell(f"{plan.model}: {count} timed, ratio {interval.ratio:.3f}{known}")

    return show


def update(plans: list[RegressPlan], arguments: argparse.Namespace, tell: Tell) -> int:
    """Store a baseline: of all networks, or nothing."""
    here = Side("this code", machine.ROOT, Path.cwd())
    records = []
    for number, plan in enumerate(plans, 1):
        with ready([here], plan, arguments, tell, {}) as (side,):
            tell(f"{plan.model}: {number} of {len(plans)}, {baseline.PROCESSES} processes")
            records.append(baseline.measure(lambda: time_process(side, plan), plan))  # noqa: B023 - called at once
    baseline.write(records, arguments.baseline)
    if arguments.json:
        for record in records:
            print(record.to_json())
    elif not arguments.quiet:
        cli.say(f"stored in {arguments.baseline}: {len(records)} networks")
    return 0


def with_baseline(plans: list[RegressPlan], arguments: argparse.Namespace, tell: Tell) -> list[Record]:
    """Compare with stored latencies of this very machine."""
    here = Side("this code", machine.ROOT, Path.cwd())
    records = []
    for plan, stored in zip(plans, baseline.load(arguments.baseline, plans), strict=True):
        seconds: dict[str, float] = {}
        with ready([here], plan, arguments, tell, seconds) as (side,):
            found = baseline.compare(
                lambda: time_process(side, plan), stored, arguments.threshold, showing(plan, tell)  # noqa: B023
            )  # fmt: skip
        base = {"name": "against a baseline", "base": arguments.baseline.name, "base_started_at": stored.started_at}
        record = comparison_record(plan, found, arguments.threshold, base, seconds)
        cli.save([record], arguments)
        records.append(record)
    return records


def conclude(records: Sequence[Record], arguments: argparse.Namespace) -> int:
    """Say what came out, wherever it is to be said."""
    if not arguments.json:
        output.print_table(records)
    if arguments.markdown:
        write_whole(arguments.markdown, output.markdown(records).encode())
    if arguments.benchmark_json:
        write_whole(arguments.benchmark_json, output.github_benchmark(records).encode())
    if os.environ.get("GITHUB_STEP_SUMMARY"):
        add_to_summary(Path(os.environ["GITHUB_STEP_SUMMARY"]), output.markdown(records))
    verdicts = [record.protocol["verdict"] for record in records]
    undecided = verdicts.count("undecided")
    if undecided and not arguments.strict:
        cli.warn(f"{undecided} of {len(records)} undecided: a longer --budget or a quieter machine may tell")
    return int("regression" in verdicts or (arguments.strict and undecided > 0))


def add_to_summary(path: Path, text: str) -> None:
    """Add to the page that GitHub shows of a run. Nobody asked for it: what is wrong with it changes no verdict."""
    try:
        if path.exists() and not path.is_file():  # a pipe may wait for ever
            raise OSError(errno.EINVAL, "is no regular file", str(path))
        with path.open("ab") as summary:
            summary.write(text.encode())
    except (OSError, ValueError) as error:
        reason = os_text(error) if isinstance(error, OSError) else str(error)
        cli.warn(f"GITHUB_STEP_SUMMARY: nothing is added to the run's summary ({reason})")


def test_itself(plans: list[RegressPlan], arguments: argparse.Namespace) -> int:
    """Measure how often the check errs."""
    if len(plans) > 1:
        raise InputError("--self-test takes one network at a time: give it with --models")
    (plan,) = plans
    settings = {"threshold": arguments.threshold, "budget_s": arguments.budget}
    wanted = self_test.conditions(arguments.threshold, arguments.planted)
    test = self_test.SelfTest(plan, settings, wanted, arguments.results)
    total = arguments.self_test * len(wanted)
    with ready([Side("this code", machine.ROOT, Path.cwd())], plan, arguments, lambda _line: None, {}) as (here,):

        def compare_with_itself(condition: self_test.Condition) -> Comparison:
            draw = drawing(here, replace(here, slower=condition.planted), plan)
            return compare(draw, arguments.threshold, arguments.budget, lambda _count, _interval: None)

        try:
            with cli.progress(total, "comparing", shown=not arguments.quiet) as step:
                done = test.run(arguments.self_test, compare_with_itself, step)
        except KeyboardInterrupt:
            raise KeyboardInterrupt(
                "interrupted: the finished comparisons are kept, the same command goes on from there"
            ) from None
    started = test.started_at()
    records = [self_test_record(plan, condition, found, settings, started) for condition, found in done.items()]
    cli.save(records, arguments)
    test.forget()
    if not arguments.json:
        output.print_rates(records)
    return int(any(self_test.is_wrong(condition, found) for condition, found in done.items()))
