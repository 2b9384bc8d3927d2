"""A network opened for several batch sizes: any number of people, in as few inferences as there can be."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.backends.session import Session


class Networks:
    """Sessions of one network by batch size.

    Args:
        sessions: each takes as many images as its key says, and no other number.
    """

    def __init__(self, sessions: Mapping[int, Session]) -> None:
        self.sessions = dict(sorted(sessions.items(), reverse=True))
        self.smallest = min(self.sessions)

    def room(self, people: int) -> int:
        """Images that there must be memory for: the last inference may take more than are left."""
        return -(-people // self.smallest) * self.smallest

    def run(self, images: npt.NDArray[Any], people: int) -> list[npt.NDArray[Any]]:
        """The network's outputs for the first people; what lies behind them in memory fills the last batch.

        Args:
            images: ``[room(people), ...]`` at least.
            people: how many count.
        """
        parts: list[list[npt.NDArray[Any]]] = []
        start = 0
        while start < people:
            size = next((size for size in self.sessions if size <= people - start), self.smallest)
            parts.append(self.sessions[size].run(images[start : start + size]))
            start += size
        if len(parts) == 1:
            return [output[:people] for output in parts[0]]
        return [np.concatenate(outputs)[:people] for outputs in zip(*parts, strict=True)]

    def close(self) -> None:
        """Close all sessions, the one that was opened last first."""
        for size in self.sessions:
            self.sessions[size].close()
