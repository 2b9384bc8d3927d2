"""``python -m bench.choose``: which networks keep within limits, the best first, and why the others do not."""

import argparse
import json
from collections.abc import Callable, Sequence

from bench import cli
from bench.core import machine
from bench.core.errors import InputError
from bench.core.metrics import printed
from bench.report.candidates import Accuracy, Candidate, candidates, datasets
from bench.report.choosing import MIB, Choice, Limits, choose, short
from bench.report.command import read
from bench.report.measured import Measured, Setting, machine_name

FRONT = {"yes": "yes", "maybe": "maybe", "no": ""}
MARKS = {"measured": "", "paper": "*", "publisher": "**"}
MARKED = {
    "paper": "* AP as the paper printed it: none was measured here.",
    "publisher": "** AP as the publisher of the weights gives it: none was measured here, and the paper has none.",
}


def main(arguments: argparse.Namespace) -> int:
    records = read(arguments.results)
    measured = Measured(records)
    if not measured.of_kind("speed"):
        raise InputError(f"no speed records in {arguments.results}: run python -m bench.speed first")
    if arguments.dataset not in datasets(measured):
        raise InputError(f"no accuracy is known on {arguments.dataset!r}: there is {', '.join(datasets(measured))}")
    joints = next((r.num_joints for r in measured.of_kind("accuracy") if r.dataset == arguments.dataset), None)
    chosen = of_place(candidates(measured), arguments, joints or (16 if arguments.dataset.startswith("mpii") else 17))
    limits = Limits(arguments.max_ms, arguments.min_ap, arguments.max_mib, arguments.max_memory_mib)
    choices = choose(chosen, limits, arguments.dataset, arguments.best)
    if arguments.json:
        for choice in choices:
            print(json.dumps(as_json(choice, arguments.dataset, measured)))
    else:
        _show(choices, arguments.dataset, quiet=arguments.quiet)
    return int(all(choice.verdict == "out" for choice in choices))


def of_place(found: Sequence[Candidate], arguments: argparse.Namespace, joints: int) -> list[Candidate]:
    """The candidates of one machine and device that the options ask for, with as many joints as the data set has.

    Raises:
        InputError: there is none, or the machine is not told; the message says what there is. Or an option has no
            effect there.
    """
    left = _on_machine(list(found), arguments.machine)

    def keep(what: str, wanted: str | None, of: Callable[[Setting], object]) -> None:
        nonlocal left
        there = sorted({str(of(one.setting)) for one in left})
        if wanted is not None and wanted not in there:
            raise InputError(
                f"{left[0].setting.machine} has no speed record with {what} {wanted}: there is {', '.join(there)}"
            )
        left = [one for one in left if wanted in (None, str(of(one.setting)))]

    devices = {one.setting.device for one in left}
    keep("device", arguments.device or ("cpu" if "cpu" in devices else min(devices)), lambda s: s.device)
    gpus = sorted({_name(one) for one in left})
    if len(gpus) > 1:
        raise InputError(f"name one of several GPUs with --machine: there is {'; '.join(gpus)}")
    keep("input", arguments.input, lambda s: s.input)
    keep("batch", str(arguments.batch), lambda s: s.batch)
    keep("backend", None if arguments.backend == "all" else arguments.backend, lambda s: s.backend)
    precisions = {one.precision for one in left}
    usual = "fp32" if arguments.backend == "all" and "fp32" in precisions else None
    keep("precision", None if arguments.precision == "all" else arguments.precision or usual, lambda s: s.precision)
    keep("joints", str(joints), lambda s: s.joints)
    threads = {one.setting.threads for one in left if one.setting.usual_threads} or {left[0].setting.threads}
    if left[0].setting.device != "cpu" and arguments.threads:
        raise InputError(f"--threads is of a CPU, and these were timed on {left[0].setting.device}: leave it out")
    if left[0].setting.device == "cpu":
        keep("threads", str(arguments.threads or max(threads)), lambda s: s.threads)
    return left


def _name(one: Candidate) -> str:
    """Of the machine with its GPU, as ``--machine`` takes it."""
    return one.setting.machine + (f" with {one.setting.gpu}" if one.setting.gpu else "")


def _on_machine(found: list[Candidate], wanted: str | None) -> list[Candidate]:
    there = sorted({_name(one) for one in found})
    if wanted is None:
        here = machine.this_machine()
        own = machine_name(here.cpu, here.cores, here.cpu_quota or 0.0)
        mine = [one for one in found if one.setting.machine == own]
        if mine or len({one.setting.machine for one in found}) == 1:
            return mine or found
        raise InputError(f"name a --machine, as nothing was timed on this one: there is {'; '.join(there)}")
    # A whole name is meant as such, also where a longer one begins with it.
    same = [one for one in found if wanted.lower() in (one.setting.machine.lower(), _name(one).lower())]
    alike = same or [one for one in found if wanted.lower() in _name(one).lower()]
    if not alike:
        raise InputError(f"nothing was timed on a machine with {wanted!r} in its name: there is {'; '.join(there)}")
    machines = sorted({one.setting.machine for one in alike})
    if len(machines) > 1:
        raise InputError(f"several machines have {wanted!r} in their names: {'; '.join(machines)}")
    return alike


def as_json(choice: Choice, dataset: str, measured: Measured) -> dict[str, object]:
    """What the page says of a network, too."""
    one = choice.candidate
    accuracy = one.accuracies.get(dataset)
    return {
        "model": one.model, "backend": one.backend, "precision": one.precision, "verdict": choice.verdict,
        "reasons": list(choice.reasons), "front": choice.front, "ms": one.ms, "ms_interval": one.ms_interval,
        "ap": accuracy and accuracy.value, "ap_origin": accuracy and accuracy.origin, "file_bytes": one.file_bytes,
        "memory_bytes": one.memory_bytes, "record": measured.id(one.record),
    }  # fmt: skip


def _show(choices: Sequence[Choice], dataset: str, *, quiet: bool) -> None:
    from rich.table import Table

    remain = [choice for choice in choices if choice.verdict != "out"]
    setting = choices[0].candidate.setting
    threads = f", {setting.threads} thread{'s'[: setting.threads != 1]}" if setting.threads else ""
    where = f"{setting.gpu or setting.machine}{threads}, batch {setting.batch}, input {setting.input}"
    if remain:
        shown = Table()
        for heading in ("fits", "model", "backend", "ms", "95 % interval", "AP", "file MiB", "memory MiB", "Pareto"):
            number = heading in ("ms", "AP", "file MiB", "memory MiB")
            shown.add_column(
                heading, justify="right" if number else "left", no_wrap=heading in ("model", "backend", "95 % interval")
            )
        for choice in remain:
            one = choice.candidate
            backend = one.backend if one.precision in ("fp32", "int8") else f"{one.backend} {one.precision}"
            interval = " to ".join(map(short, one.ms_interval)) if one.ms_interval else ""
            shown.add_row(
                "yes" if choice.verdict == "fits" else "maybe", one.model + "".join(f" ({tag})" for tag in one.tags),
                backend, short(one.ms), interval, _ap(one.accuracies.get(dataset)),
                _mib(one.file_bytes, 1), _mib(one.memory_bytes, 0), FRONT[choice.front],
            )  # fmt: skip
        cli.show_table(shown, where)
    else:
        print(f"nothing keeps within these limits on {where}")
    for choice in choices:
        if choice.reasons:
            one = choice.candidate
            print(f"{choice.verdict}: {one.model}, {one.backend}: {'; '.join(choice.reasons)}")
    if not quiet:
        whose = {found.origin for choice in remain if (found := choice.candidate.accuracies.get(dataset))}
        for origin, sentence in MARKED.items():
            if origin in whose:
                cli.say(sentence)


def _ap(accuracy: Accuracy | None) -> str:
    return printed(accuracy.value, 1, 1) + MARKS[accuracy.origin] if accuracy else "unknown"


def _mib(value: float | None, decimals: int) -> str:
    return "" if value is None else printed(value / MIB, 1, decimals)
