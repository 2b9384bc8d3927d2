"""Parameters and multiply-adds, in the conventions that papers count by."""

from bench.complexity.counting import COUNTERS, Layer, layers
from bench.complexity.measuring import measure

__all__ = ["COUNTERS", "Layer", "layers", "measure"]
