"""A large matrix product: the yardstick of the machine's arithmetic at this moment."""

from __future__ import annotations  # this file is read by Python 3.9 too

import numpy as np

from bench.timing.clock import Fixed, Inference, time_rounds, warm_up

SIDE = 1536  # rows and columns: large enough for the best rate, small enough for many rounds
MACS = SIDE**3
ROUNDS = 5


def rounds_ms() -> list[float]:
    """Milliseconds of each of ``ROUNDS`` float32 products by numpy, after one that is not counted."""
    random = np.random.default_rng(0)
    a, b = (random.standard_normal((SIDE, SIDE), np.float32) for _ in range(2))
    out = np.empty((SIDE, SIDE), np.float32)
    inference = Inference(lambda: np.matmul(a, b, out=out))
    warm_up(inference, 1)
    return time_rounds(inference, Fixed(ROUNDS)).latency_ms
