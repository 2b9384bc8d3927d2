"""Latency and frames per second, by the paper's protocol (section IV-D)."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.speed.in_process import measure as measure
    from bench.timing.parity import ParityError as ParityError

__getattr__, __dir__, __all__ = attach(
    __name__, {"ParityError": "bench.timing.parity", "measure": "bench.speed.in_process"}
)
