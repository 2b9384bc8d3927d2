"""Parameters and multiply-adds, in the conventions that papers count by."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.complexity.counting import COUNTERS as COUNTERS
    from bench.complexity.counting import Layer as Layer
    from bench.complexity.counting import layers as layers
    from bench.complexity.measuring import measure as measure

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "COUNTERS": "bench.complexity.counting",
        "Layer": "bench.complexity.counting",
        "layers": "bench.complexity.counting",
        "measure": "bench.complexity.measuring",
    },
)
