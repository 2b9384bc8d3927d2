"""Latency and frames per second, by the paper's protocol (section IV-D)."""

from bench.speed.loop import ParityError
from bench.speed.measuring import measure

__all__ = ["ParityError", "measure"]
