"""What the machine can do at most, just now."""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from bench.backends.families.pytorch import on_cuda
from bench.explain.profiled import profiler_of
from bench.timing import yardstick
from bench.timing.clock import Inference, once

# Rows and columns of a matrix product: large enough for the best rate, small enough for many rounds.
SIDE = {"cpu": yardstick.SIDE, "cuda": 8192}
COPY_BYTES = {"cpu": 2**27, "cuda": 2**30}
EMPTY_CALLS = 1000


@dataclass(frozen=True)
class Peaks:
    """What this machine reached just now, in one precision."""

    macs_per_s: float  # of a large matrix product
    bytes_per_s: float  # read and written by a large copy
    operator_s: float  # a call of an operator on a tensor of one element
    profiler_s: float  # what the profiler adds to a call


class PeakMeter:
    """The machine's best of as many rounds as are asked for: it is slower at times, for seconds or minutes.

    Unlike the yardstick of ``bench.speed``, the product is PyTorch's own, which runs the network, in its precision.
    """

    def __init__(self, device: torch.device, dtype: torch.dtype, *, calls: bool = True) -> None:
        self.device, self.calls = device, calls  # whether to time PyTorch's own calls as well
        self.one = torch.ones(1, device=device)
        side, length = SIDE[device.type], COPY_BYTES[device.type] // dtype.itemsize
        a, b, out = (torch.randn(side, side, device=device, dtype=dtype) for _ in range(3))
        source, target = (torch.ones(length, device=device, dtype=dtype) for _ in range(2))
        self.matrix_product = self._waited_for(lambda: torch.mm(a, b, out=out))
        self.copy = self._waited_for(lambda: target.copy_(source))
        self.seconds: list[tuple[float, float, float, float]] = []
        self.round()
        self.seconds.clear()  # the first one warms up

    def round(self) -> None:
        """A matrix product, a copy, empty calls, and those again under the profiler."""
        with torch.inference_mode():
            _, multiply = once(self.matrix_product)
            _, copy = once(self.copy)
            empty = profiled = 0.0
            if self.calls:
                empty = _empty_call_s(self.one)
                with profiler_of(self.device):
                    torch.add(self.one, self.one)
                    profiled = _empty_call_s(self.one)
        self.seconds.append((multiply, copy, empty, profiled))

    def peaks(self) -> Peaks:
        multiply, copy, empty, profiled = (min(values) for values in zip(*self.seconds, strict=True))
        return Peaks(
            macs_per_s=SIDE[self.device.type] ** 3 / multiply,
            bytes_per_s=2 * COPY_BYTES[self.device.type] / copy,
            operator_s=empty,
            profiler_s=max(0.0, profiled - empty),
        )

    def _waited_for(self, run: Callable[[], object]) -> Inference:
        return on_cuda(run, self.device) if self.device.type == "cuda" else Inference(run)


def _empty_call_s(one: Tensor) -> float:
    """Seconds a call of an operator that has next to nothing to do; on a GPU the call alone, not the kernel."""
    if one.device.type == "cuda":
        torch.cuda.synchronize(one.device)
    _, seconds = once(lambda: [torch.add(one, one) for _ in range(EMPTY_CALLS)])
    return seconds / EMPTY_CALLS
