"""The simplified graph on CUDA, its kernels recorded once and launched together ever after."""

from typing import Any

import torch
from torch import Tensor, nn
from torch.utils._pytree import tree_map

from bench import InputError
from bench.backends import Prepared, state_bytes
from bench.backends.simplify import simplified_if_possible

ABOUT = "the simplified graph, its kernels recorded once and replayed together (CUDA graph)"
DEVICES = ("cuda",)
PACKAGES = ()
INSTALL = ""
QUANTISED = False
WARMUP = 3  # runs before the recording: libraries choose algorithms and take memory in the first ones


def version() -> str:
    return f"torch {torch.__version__}, CUDA {torch.version.cuda}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    if not device.startswith("cuda"):
        raise InputError("backend cudagraphs runs on CUDA devices only: give --device cuda")


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Record one inference. A run copies its batch in, replays, and copies the outputs out, so that they are its own.

    Raises:
        InputError: the example is not on a CUDA device.
    """
    check(example.device.type, "")
    module = simplified_if_possible(model, example)
    with torch.cuda.device(example.device):
        entry = example.clone()
        side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        side.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(side):
            for _ in range(WARMUP):
                module(entry)
        torch.cuda.current_stream().wait_stream(side)
        graph = torch.cuda.CUDAGraph()
        with torch.cuda.graph(graph):
            exit_ = module(entry)

    def run(batch: Tensor) -> Any:
        entry.copy_(batch)
        graph.replay()
        return tree_map(torch.clone, exit_)

    return Prepared(run, state_bytes(module), "state dict")
