"""What a check says: a table for people, Markdown for a pull request, JSON for github-action-benchmark."""

import json
from collections.abc import Sequence

from rich.table import Table
from rich.text import Text

from bench import cli
from bench.core.metrics import text
from bench.core.record import Record
from bench.regress.self_test_conditions import condition

SHOWN = {"regression": "SLOWER", "faster": "faster", "clear": "clear", "undecided": "undecided"}
STYLES = {"regression": "bold red", "faster": "green", "clear": "green", "undecided": "yellow"}


def print_table(records: Sequence[Record]) -> None:
    """Ratio, interval and verdict of every network."""
    table = Table()
    table.add_column("model", no_wrap=True)
    for heading in _headings(records[0]):
        table.add_column(heading, justify="right", no_wrap=True)
    table.add_column("verdict", no_wrap=True)
    for record in records:
        verdict = _verdict(record)
        table.add_row(_who(record, records), *_figures(record), Text(SHOWN[verdict], style=STYLES[verdict]))
    cli.show_table(table, title(records))
    for record in records:
        if explanation(record):
            cli.output().print(f"{_who(record, records)}: {explanation(record)}")


def title(records: Sequence[Record]) -> str:
    """What was compared, and on what, as far as that is the same of all."""
    record = records[0]
    protocol, changed = record.protocol, record.protocol.get("changed_files")
    new = str(protocol["head_commit"])[:9] if "head_commit" in protocol else "this code"
    new += f" with {changed} changed file{'s' if changed != 1 else ''}" if changed else ""
    return f"{new} against {protocol['base']}: {', '.join(_of_all(records))}"


def _setting(record: Record) -> list[str]:
    threads, people = record.threads, record.protocol.get("people")
    what = f"frames of {people} {'person' if people == 1 else 'people'}" if people else f"batch {record.batch}"
    return [f"{record.backend}, {record.device}, {threads} thread{'s' if threads != 1 else ''}", record.input, what]


def _of_all(records: Sequence[Record]) -> list[str]:
    """What is the same of all: a model file has a runtime and an input of its own."""
    settings = [_setting(record) for record in records]
    return [part for part in settings[0] if all(part in setting for setting in settings)]


def _who(record: Record, records: Sequence[Record]) -> str:
    """The network, with what sets it apart from the others."""
    return ", ".join([record.model, *(part for part in _setting(record) if part not in _of_all(records))])


def explanation(record: Record) -> str:
    """What a verdict means, where it takes more than a word."""
    if record.protocol["unconfirmed"]:
        return f"a first set of pairs said slower by more than {_limit(record)}; a second, fresh one did not"
    if _verdict(record) == "undecided":
        reached = f"the ratio is known to {_precision(record)}" if _precision(record) else "there were too few pairs"
        return f"undecided: {reached}, too little to tell whether it is slower by more than {_limit(record)}"
    return ""


def markdown(records: Sequence[Record]) -> str:
    """A summary fit for a pull request."""
    limit = _limit(records[0])
    slower = [f"`{_who(record, records)}`" for record in records if _verdict(record) == "regression"]
    answer = f"Nothing is slower by more than {limit}, as far as could be told."
    if slower:
        answer = f"**Slower by more than {limit}: {', '.join(slower)}.**"
    headings = ["Model", *_headings(records[0]), "verdict"]
    rows = [[f"`{_who(record, records)}`", *_figures(record), SHOWN[_verdict(record)]] for record in records]
    lines = ["## Latency", "", answer, "", f"{title(records)}.", ""]
    lines += [f"| {' | '.join(row)} |" for row in (headings, ["---", *["---:"] * (len(headings) - 2), "---"], *rows)]
    notes = [f"- `{_who(record, records)}`: {explanation(record)}." for record in records if explanation(record)]
    return "\n".join([*lines, *([""] if notes else []), *notes]) + "\n"


def github_benchmark(records: Sequence[Record]) -> str:
    """Latencies as github-action-benchmark reads them (tool ``customSmallerIsBetter``)."""
    entries = [
        {
            "name": _name(record),
            "unit": "ms",
            "value": round(record.metrics["head_ms"], 4),
            "range": _precision(record),
            "extra": f"{record.metrics['ratio']:.4f} times {record.protocol['base']}: {_verdict(record)}",
        }
        for record in records
    ]
    return json.dumps(entries, indent=1) + "\n"


def _name(record: Record) -> str:
    """A name that is the same from commit to commit."""
    people = record.protocol.get("people")
    what = f"{people} people" if people else f"batch {record.batch}"
    return f"{record.model}, {record.backend}, {record.device}, {record.input}, {what}"


def print_rates(records: Sequence[Record]) -> None:
    """How often a self-test's comparisons ended how."""
    first = records[0]
    count = f"{first.metrics['comparisons']:g} comparisons each"
    table = Table()
    table.add_column("new side", no_wrap=True)
    for heading in ("slower", "95 % interval", "clear", "undecided", "median s", "max s", "pairs"):
        table.add_column(heading, justify="right", no_wrap=True)
    for record in records:
        m = record.metrics
        table.add_row(
            condition(record), f"{m['regression']:g}",
            f"{m['regression_rate_low']:.0%} to {m['regression_rate_high']:.0%}", f"{m['clear']:g}",
            *(text(key, m[key]) for key in ("undecided", "seconds_median", "seconds_max")), f"{m['pairs_median']:g}",
        )  # fmt: skip
    cli.show_table(table, f"{first.model}, {count}, slow-down let pass: {_limit(first)}")


def _headings(record: Record) -> list[str]:
    unit = "processes" if record.protocol["name"] == "against a baseline" else "pairs"
    return ["before, ms", "now, ms", "ratio", "95 % interval", unit, "seconds"]


def _figures(record: Record) -> list[str]:
    m = record.metrics
    interval = (
        f"{text('ratio_low', m['ratio_low'])} to {text('ratio_high', m['ratio_high'])}"
        if "ratio_low" in m
        else "unknown"
    )
    return [
        *(text(key, m[key]) for key in ("base_ms", "head_ms", "ratio")), interval,
        *(text(key, m[key]) for key in ("processes", "seconds")),
    ]  # fmt: skip


def _verdict(record: Record) -> str:
    return str(record.protocol["verdict"])


def _limit(record: Record) -> str:
    return f"{100 * float(record.protocol['threshold']):.3g} %"


def _precision(record: Record) -> str:
    """Half of the interval's width; empty where there is none yet."""
    return f"± {record.metrics['precision_relative']:.1%}" if "precision_relative" in record.metrics else ""
