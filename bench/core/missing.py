"""The measurements that ``--missing`` still has to make."""

from collections.abc import Sequence
from typing import Protocol, TypeVar

from bench.core import machine
from bench.core.record import Kind, Record


class Planned(Protocol):
    """A planned measurement."""

    def identity(self) -> str:
        """``Record.identity`` with the runtime of its record."""
        ...


P = TypeVar("P", bound=Planned)


def without_record(plans: Sequence[P], known: Sequence[Record], kind: Kind, device: str | None) -> list[P]:
    """The plans that have no record from these sources yet.

    Args:
        plans: all that are asked for.
        known: the existing records.
        kind: of the records that count.
        device: only records of this machine count, with its GPU if this is a CUDA device; None if the machine does not
            matter.
    """
    source = machine.source_sha256()
    here = machine.this_machine(device) if plans and device is not None else None
    done = {
        record.identity(record.software.runtime)
        for record in known
        if record.kind == kind and record.software.source_sha256 == source and here in (None, record.machine)
    }
    return [plan for plan in plans if plan.identity() not in done]
