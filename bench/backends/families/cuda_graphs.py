"""CUDA graphs: the kernels of one inference, recorded once and then launched together."""

from __future__ import annotations  # this file is read by Python 3.9 too

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import PRECISIONS, Backend
from bench.backends.families import pytorch
from bench.backends.session import Session
from bench.timing.clock import Inference

if TYPE_CHECKING:
    from bench.backends.building import Network

BACKENDS = (
    Backend(
        "cudagraphs",
        "the kernels recorded once and replayed together (CUDA graph), of the simplified graph or of the modules",
        50, ("cuda",), PRECISIONS,
    ),
    Backend(
        "compile_cudagraphs",
        "torch.compile, layouts kept, its kernels recorded once and replayed together (CUDA graph)",
        60, ("cuda",), PRECISIONS,
    ),
)  # fmt: skip
WARMUP = 3  # runs before recording: in the first ones, libraries choose algorithms and allocate memory
TRIALS = 30  # replays of each candidate
# By default, the compiler puts channels last in float32 too; small_hrnet_w16 on an H200 then takes 1.00 ms instead of
# 0.73. In half precision they are last already.
KEEP_LAYOUT = {"layout_optimization": False}
NO_PROFILER = "a graph is launched as one; --backend eager --device cuda explains its kernels"


def version(backend: Backend) -> str:
    import torch

    compiled = ", inductor" if backend.name == "compile_cudagraphs" else ""
    return f"torch {torch.__version__}{compiled}, CUDA {torch.version.cuda}"


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    return pytorch.lacking_compiler(backend.name, device) if backend.name == "compile_cudagraphs" else None


def build(backend: Backend, network: Network) -> Artifact:
    """The simplified graph; for ``cudagraphs`` also the graph as traced, which may be faster.

    Folding a batch norm leaves a bias, which PyTorch adds in a separate kernel. In float32 that kernel is sometimes
    slower than the batch norm's.
    """
    import torch

    from bench.backends.graphs.simplify import keep_channels_last

    artifact = pytorch.simplified(backend, network)
    if backend.name != "cudagraphs" or network.traced is None or not artifact.files:
        return artifact
    traced = network.traced

    def save_as_traced(path: Path) -> None:
        graph = traced.graph()
        keep_channels_last(graph, network.example)
        torch.save(graph, path)

    plain = network.file("traced", ".pt", save_as_traced)
    return Artifact(
        backend.name, artifact.precision, (*artifact.files, plain.path), from_cache=artifact.from_cache,
        size_bytes=artifact.size_bytes,
    )  # fmt: skip


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    import torch

    network = pytorch.load(artifact)
    if backend.name == "compile_cudagraphs":
        return _CompiledGraphSession(network, artifact.precision, device, threads, None, KEEP_LAYOUT)
    candidates = {"simplified graph": network}
    for path in artifact.files[1:]:
        candidates["modules"] = torch.load(path, weights_only=False)
    return _GraphSession(candidates, artifact.precision, device, threads)


class Recorded:
    """One inference as a CUDA graph.

    It reads its input from ``entry`` and writes ``outputs``. It reads the weights at their addresses, so it keeps a
    reference to the recorded function.
    """

    def __init__(self, run: Callable[[Any], Any], example: Any) -> None:
        import torch

        self.run = run
        with torch.cuda.device(example.device):
            self.entry = example.clone()
            side = torch.cuda.Stream()  # type: ignore[no-untyped-call]
            side.wait_stream(torch.cuda.current_stream())
            with torch.cuda.stream(side):
                for _ in range(WARMUP):
                    run(self.entry)
            torch.cuda.current_stream().wait_stream(side)
            self.graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(self.graph):
                self.outputs = run(self.entry)

    def __call__(self, batch: Any) -> Any:
        """Outputs for a batch, as copies."""
        import torch
        from torch.utils._pytree import tree_map

        self.entry.copy_(batch)
        self.graph.replay()
        return tree_map(torch.clone, self.outputs)

    def replay_ms(self) -> float:
        """Milliseconds of a replay, the best of several."""
        import torch

        inference = pytorch.on_cuda(self.graph.replay, self.entry.device)
        assert inference.marks is not None
        best = float("inf")
        for _ in range(TRIALS):
            first, last = inference.marks()
            first.record()
            self.graph.replay()
            last.record()
            torch.cuda.synchronize(self.entry.device)
            best = min(best, first.elapsed_time(last))
        return best


class _Replaying(pytorch.CompiledSession):
    """Runs a recorded graph; the timed region is the replay alone."""

    recorded: Recorded | None = None

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        with self.computing():
            if self.recorded is None or self.recorded.entry.shape != images.shape:
                self.prepare(images)
            assert self.recorded is not None
            return pytorch.arrays(self.recorded(self.place(images)))

    def bind(self, images: np.ndarray) -> Inference:
        import torch

        self.run(images)
        assert self.recorded is not None
        torch.cuda.reset_peak_memory_stats(self.device)
        return pytorch.on_cuda(self.recorded.graph.replay, self.device)


class _GraphSession(_Replaying):
    """The fastest of several graphs of the same network."""

    def __init__(self, candidates: dict[str, Any], precision: str, device: str, threads: int) -> None:
        super().__init__(candidates["simplified graph"], precision, device, threads)
        self.candidates = candidates

    def prepare(self, images: np.ndarray) -> None:
        """Record all candidates and keep the one that replays fastest."""
        with self.computing():
            recorded = {name: Recorded(network, self.place(images)) for name, network in self.candidates.items()}
            chosen = min(recorded, key=lambda name: recorded[name].replay_ms())
        self.recorded = recorded[chosen]
        self.note = f"graph of the {chosen}"


class _CompiledGraphSession(_Replaying):
    """The simplified graph, compiled by ``torch.compile`` and recorded."""

    def prepare(self, images: np.ndarray) -> None:
        super().prepare(images)
        with self.computing():
            self.recorded = Recorded(self.network, self.place(images))
