"""The record of one network from its sets."""

from collections.abc import Sequence

from pydantic import JsonValue

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.record import Measurement, Record, complete
from bench.speed.figures import figures
from bench.speed.timed_set import SetResult


def complete_record(
    measurement: Measurement,
    results: Sequence[SetResult],
    *,
    device: str,
    started_at: str,
    notes: dict[str, JsonValue] | None = None,
    prepared: SetResult | None = None,
) -> Record:
    """The record of one network from its sets, and from the preparation that came before them.

    Args:
        measurement: what was measured and how.
        results: one a set.
        device: that it ran on, with its number.
        started_at: when the first set began.
        notes: what else a reader needs.
        prepared: what the process found that made the network ready for the others.
    """
    found = figures(results, prepared)
    return complete(
        measurement,
        metrics=found.metrics,
        samples=found.samples,
        conditions=found.conditions,
        notes=(notes or {}) | found.notes,
        warnings=found.warnings,
        machine=machine.this_machine(device),
        software=machine.this_software(catalogue.version(measurement.backend or "eager")),
        started_at=started_at,
        command=cli.command_line(),
    )
