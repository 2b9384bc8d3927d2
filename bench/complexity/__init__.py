"""Parameters and multiply-adds, in the conventions that papers count by."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.complexity.counting import COUNTERS as COUNTERS
    from bench.complexity.counting import Layer as Layer
    from bench.complexity.counting import layers as layers
    from bench.complexity.record import measure as measure

_COUNTING = "bench.complexity.counting"
__getattr__, __dir__, __all__ = attach(
    __name__, {"COUNTERS": _COUNTING, "Layer": _COUNTING, "layers": _COUNTING, "measure": "bench.complexity.record"}
)
