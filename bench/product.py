"""A large matrix product: the yardstick of what a machine's arithmetic can do, now and here."""

import time

import torch
from torch import Tensor

SIDE = {"cpu": 1536, "cuda": 8192}  # rows and columns: large enough for the best rate, small enough for many rounds
ROUNDS = 5


class Product:
    """``a @ b`` of two square matrices into a third, all of them kept."""

    def __init__(self, device: torch.device, dtype: torch.dtype = torch.float32) -> None:
        side = SIDE[device.type]
        self.macs = side**3
        self.a, self.b, self.out = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(3))

    @torch.inference_mode()
    def __call__(self) -> Tensor:
        return torch.mm(self.a, self.b, out=self.out)


def rounds_ms() -> list[float]:
    """Milliseconds of each of ``ROUNDS`` products on the CPU in float32, after one that is not counted."""
    product = Product(torch.device("cpu"))
    product()
    found = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        product()
        found.append((time.perf_counter() - start) * 1000)
    return found
