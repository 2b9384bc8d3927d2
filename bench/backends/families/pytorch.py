"""PyTorch on the CPU or a GPU: eager, its operators on the simplified graph, and ``torch.compile``."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import PRECISIONS, Backend
from bench.backends.session import Session
from bench.core.errors import InputError, in_short
from bench.timing.clock import Inference

if TYPE_CHECKING:
    import torch

    from bench.backends.building import Network

BACKENDS = (
    Backend(
        "eager", "PyTorch as it comes: every module called in turn", 10, ("cpu", "cuda"), PRECISIONS, in_memory=True
    ),
    Backend(
        "fused", "PyTorch's operators of the simplified graph: batch norms folded, activations joined to convolutions",
        20, ("cpu", "cuda"), PRECISIONS,
    ),
    Backend("compile", "torch.compile, its default mode", 30, ("cpu", "cuda"), PRECISIONS),
    Backend("compile_max", "torch.compile, mode max-autotune", 40, ("cpu", "cuda"), PRECISIONS),
)  # fmt: skip
MODES = {"compile": None, "compile_max": "max-autotune"}
_VERSION_SUFFIXES = {
    "eager": "",
    "fused": ", simplified",
    "compile": ", inductor",
    "compile_max": ", inductor max-autotune",
}
NO_PROFILER = "PyTorch's profiler tells the layers of modules alone; --backend eager explains those"


def version(backend: Backend) -> str:
    from bench.core.machine import torch_version

    return f"torch {torch_version()}{_VERSION_SUFFIXES[backend.name]}"


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    return lacking_compiler(backend.name, device) if backend.name in MODES else None


def lacking_compiler(name: str, device: str) -> str | None:
    """The missing compiler: for the CPU torch generates C++, for CUDA Triton code."""
    if device.startswith("cuda"):
        from torch.utils._triton import has_triton

        return None if has_triton() else (
            f"backend {name} needs Triton for this CUDA device: install with pip install triton"
        )  # fmt: skip
    if any(shutil.which(compiler) for compiler in (os.environ.get("CXX"), "g++", "clang++", "cl") if compiler):
        return None
    return (
        f"backend {name} needs a C++ compiler, and there is neither g++ nor clang++ here: install one "
        "(apt install g++), or name it in the environment variable CXX"
    )


def build(backend: Backend, network: Network) -> Artifact:
    """In memory for eager; for the others the simplified graph, from the cache if possible.

    Raises:
        InputError: the network cannot be traced, for ``fused``; ``torch.compile`` has a tracer of its own.
    """
    if backend.name == "eager":
        return in_memory(backend, network)
    if backend.name == "fused":
        try:
            _ = network.captured
        except InputError as error:
            raise InputError(f"{error}; the backends eager and compile do without") from error
    return simplified(backend, network)


def in_memory(backend: Backend, network: Network) -> Artifact:
    return Artifact(
        backend.name, network.precision, network=network.model, size_bytes=state_bytes(network.model)
    )  # fmt: skip


def simplified(backend: Backend, network: Network) -> Artifact:
    """The simplified graph as a file, or the network in memory if it cannot be traced."""
    import torch

    from bench.backends.graphs.simplify import simplify
    from bench.core.files import CacheError

    if network.traced is None:
        return in_memory(backend, network)
    traced = network.traced
    try:
        made = network.file(
            "graph", ".pt", lambda path: torch.save(simplify(traced.graph(), network.example), path)
        )  # fmt: skip
    except CacheError:  # works without a cache folder that cannot be written
        graph = simplify(traced.graph(), network.example)
        return Artifact(backend.name, network.precision, network=graph, size_bytes=state_bytes(graph))
    return Artifact(
        backend.name, network.precision, (made.path,), from_cache=made.from_cache,
        size_bytes=state_bytes(torch.load(made.path, weights_only=False)),
    )  # fmt: skip


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    network = load(artifact)
    if backend.name == "eager":
        return TorchSession(network, artifact.precision, device, threads)
    if backend.name == "fused":
        return _FusedSession(network, artifact.precision, device, threads)
    return CompiledSession(network, artifact.precision, device, threads, MODES[backend.name])


def load(artifact: Artifact) -> Any:
    """The network in memory, or the graph in the file, on the device that it was built for."""
    import torch

    if artifact.network is not None:
        return artifact.network
    # The project's own file, from its cache folder; torch.load's warning is about files of others.
    return torch.load(artifact.file, weights_only=False)


def state_bytes(model: Any) -> int:
    """Bytes of a model's state dict as a safetensors file, without the header of some KB."""
    import torch

    # A module may keep anything beside its tensors (get_extra_state).
    tensors = [value for value in model.state_dict().values() if isinstance(value, torch.Tensor)]
    return sum(tensor.numel() * tensor.element_size() for tensor in tensors)


class TorchSession(Session):
    """A network that PyTorch runs."""

    leaves_input: bool | None = None  # whether it leaves its input as it is; found out by the first ``run``

    def __init__(self, network: Any, precision: str, device: str, threads: int) -> None:
        import torch

        self.network: Callable[[Any], Any] = network
        self.precision = precision
        self.device = torch.device(device)
        self.threads_before = torch.get_num_threads()
        if threads:
            torch.set_num_threads(threads)

    def place(self, images: np.ndarray) -> torch.Tensor:
        """A batch on this session's device, in its type and layout."""
        import torch

        from bench.backends.precisions import place

        return place(torch.from_numpy(np.ascontiguousarray(images)), self.precision, self.device)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        import torch

        batch = self.place(images if self.leaves_input else np.array(images))
        with self.computing():
            outputs = arrays(self.network(batch))
            if self.leaves_input is None:
                self.leaves_input = torch.equal(batch, self.place(images))
        return outputs

    def bind(self, images: np.ndarray) -> Inference:
        import torch

        batch, network = self.place(np.array(images)), self.network
        network(batch)
        if not torch.equal(batch, self.place(images)):
            raise InputError(
                "the network changes its input in place, and would be timed on another one each round: "
                "let it work on a copy, as x = x.clone() makes one"
            )
        if self.device.type != "cuda":
            return Inference(lambda: network(batch))
        torch.cuda.reset_peak_memory_stats(self.device)
        return on_cuda(lambda: network(batch), self.device)

    @contextlib.contextmanager
    def computing(self) -> Iterator[None]:
        """A context without gradients, in this session's precision.

        Raises:
            InputError: the network has changed the number of threads, which records give.
        """
        import torch

        from bench.backends.precisions import arithmetic

        threads = torch.get_num_threads()
        with torch.inference_mode(), arithmetic(self.precision):
            yield
        if torch.get_num_threads() != threads:
            raise InputError(
                f"the network set {torch.get_num_threads()} threads while it ran, and {threads} were asked for: "
                "leave torch.set_num_threads out of it, and give --threads"
            )

    def peak_device_bytes(self) -> int:
        import torch

        return torch.cuda.max_memory_allocated(self.device) if self.device.type == "cuda" else 0

    def close(self) -> None:
        import torch

        torch.set_num_threads(self.threads_before)


def arrays(outputs: Any) -> list[np.ndarray]:
    """All tensors of an output, whatever its structure, as separate float32 arrays."""
    import torch
    from torch.utils._pytree import tree_leaves

    found: list[Any] = []
    for leaf in tree_leaves(outputs):
        if isinstance(leaf, torch.Tensor):
            kind = torch.float32 if leaf.is_floating_point() else leaf.dtype
            # A network may give the same memory each time.
            leaf = leaf.detach().to("cpu", kind, copy=True).numpy()
        found.append(leaf)
    return found


def on_cuda(run: Callable[[], Any], device: torch.device) -> Inference:
    """An inference on a GPU: waited for, and marked on the GPU's own clock."""
    import torch

    def marks() -> list[Any]:
        return [torch.cuda.Event(enable_timing=True) for _ in range(2)]  # type: ignore[no-untyped-call]

    return Inference(run, lambda: torch.cuda.synchronize(device), marks)


class _FusedSession(TorchSession):
    """On a CPU in float32, a convolution, the addition after it and the activation become one call."""

    def prepare(self, images: np.ndarray) -> None:
        import torch

        from bench.backends.graphs.fusing import join_activations

        fits = self.precision == "fp32" and self.device.type == "cpu"
        if fits and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
            with self.computing():
                join_activations(self.network, self.place(images))  # type: ignore[arg-type]


class CompiledSession(TorchSession):
    """A network compiled by ``torch.compile`` for inputs of one shape, with a mode or with compiler options (it takes
    one of the two)."""

    def __init__(
        self, network: Any, precision: str, device: str, threads: int, mode: str | None = None, options: Any = None
    ) -> None:
        super().__init__(network, precision, device, threads)
        self.mode, self.options = mode, options

    def prepare(self, images: np.ndarray) -> None:
        """Compile; earlier compilations come from the cache folder.

        Raises:
            InputError: it cannot be compiled.
        """
        from bench.core.library_settings import set_folders

        set_folders()
        os.environ.setdefault("TRITON_CACHE_DIR", str(Path(os.environ["TORCHINDUCTOR_CACHE_DIR"]) / "triton"))
        import torch
        from torch._dynamo.utils import counters

        from bench.backends.graphs.operators import quiet

        before = counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"]
        self.network = torch.compile(self.network, mode=self.mode, options=self.options, dynamic=False)
        try:
            with quiet(), self.computing():
                self.network(self.place(images))
        except Exception as error:
            raise InputError(f"cannot be compiled: {in_short(error)}") from error
        hits, misses = (counters["inductor"][f"fxgraph_cache_{what}"] for what in ("hit", "miss"))
        self.from_cache = hits > before[0] and misses == before[1]
