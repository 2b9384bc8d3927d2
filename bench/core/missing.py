"""What ``--missing`` leaves to do."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from bench.core import machine
from bench.core.record import Kind, Record


class Planned(Protocol):
    """A measurement that is planned."""

    def identity(self) -> str:
        """As ``Record.identity`` with the runtime of its record."""
        ...


P = TypeVar("P", bound=Planned)


def without_record(plans: Sequence[P], known: Sequence[Record], kind: Kind, device: str | None) -> list[P]:
    """The plans that there is no record of yet, made by these very sources.

    Args:
        plans: what is asked for.
        known: the records that there are.
        kind: of the records that count.
        device: records of another machine do not count, its GPU included where this is a CUDA device; none where the
            machine changes nothing.
    """
    source = machine.source_sha256()
    here = machine.this_machine(device) if plans and device is not None else None
    done = {
        record.identity(record.software.runtime)
        for record in known
        if record.kind == kind and record.software.source_sha256 == source and here in (None, record.machine)
    }
    return [plan for plan in plans if plan.identity() not in done]
