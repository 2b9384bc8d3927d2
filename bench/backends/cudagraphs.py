"""The kernels of one inference on CUDA, recorded once and launched together ever after."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from bench.backends import Prepared, state_bytes
from bench.backends.simplify import kept_if_possible
from bench.core.errors import InputError

ABOUT = "the kernels recorded once and replayed together (CUDA graph), of the simplified graph or of the modules"
DEVICES = ("cuda",)
PACKAGES = ()
INSTALL = ""
QUANTISED = False
WARMUP = 3  # runs before the recording: libraries choose algorithms and take memory in the first ones
TRIALS = 30  # replays of each candidate


def version() -> str:
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    check_device("cudagraphs", device)


def check_device(name: str, device: str) -> None:
    if not device.startswith("cuda"):
        raise InputError(f"backend {name} runs on CUDA devices only: give --device cuda")


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Record the simplified graph and the modules as they are, and keep what replays faster.

    Folding a batch norm leaves a bias, which PyTorch adds in a kernel of its own, in float32 at times a slower one than
    the batch norm's.

    Raises:
        InputError: the example is not on a CUDA device.
    """
    check(example.device.type, "")
    simplified, found = kept_if_possible(model, example)
    candidates = {"simplified graph": simplified, "modules": model}
    recorded = {name: record(module, example) for name, module in candidates.items()}
    chosen = min(recorded, key=lambda name: recorded[name].replay_ms())
    size = state_bytes(candidates[chosen])
    return Prepared(recorded[chosen], size, "state dict", from_cache=found, note=f"graph of the {chosen}")


@dataclass(frozen=True)
class Recorded:
    """One inference as a graph; called, it copies the batch in and the outputs out, so that they are its own."""

    graph: torch.cuda.CUDAGraph
    entry: Tensor
    exit: Any
    run: Callable[[Tensor], Any]  # what was recorded: the graph reads its weights where they are

    def __call__(self, batch: Tensor) -> Any:
        self.entry.copy_(batch)
        self.graph.replay()
        return tree_map(torch.clone, self.exit)

    def replay_ms(self, trials: int = TRIALS) -> float:
        """Milliseconds of a replay, the best of several."""
        best = float("inf")
        for _ in range(trials):
            first, last = (torch.cuda.Event(enable_timing=True) for _ in range(2))  # type: ignore[no-untyped-call]
            first.record()
            self.graph.replay()
            last.record()
            last.synchronize()
            best = min(best, first.elapsed_time(last))
        return best


def record(run: Callable[[Tensor], Any], example: Tensor) -> Recorded:
    """Record a function of the example, after a few runs."""
    with torch.cuda.device(example.device):
        entry = example.clone()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP):
                run(entry)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            exit_ = run(entry)
    return Recorded(graph, entry, exit_, run)
