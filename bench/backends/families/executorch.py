"""ExecuTorch with XNNPACK on the CPU, from the simplified graph.

Its package runs files by an extension that is linked to PyTorch's libraries, so the open half imports torch: for these
libraries, and because the extension takes and gives its tensors.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import functools
import importlib
import importlib.metadata
import io
import os
import weakref
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.native_output import caught
from bench.backends.session import Port, Session
from bench.core.errors import InputError, first_line
from bench.timing.clock import Inference

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_INSTALL = "pip install 'lightpose-bench[executorch]'"
_OPEN_PACKAGES = ("executorch", "torch")
BACKENDS = (
    Backend(
        "executorch", "ExecuTorch with XNNPACK on the CPU", 140, ("cpu",), ("fp32",), ("executorch",), _OPEN_PACKAGES,
        _INSTALL, "executorch pte", (".pte",), minutes=3,
    ),
    Backend(
        "executorch_int8", "ExecuTorch with XNNPACK on the CPU in int8, quantised after training by a few pictures",
        140, ("cpu",), ("fp32",), ("executorch", "torchao"), _OPEN_PACKAGES, _INSTALL, "executorch pte",
        quantises=True, minutes=8,
    ),
)  # fmt: skip
NO_PROFILER = "XNNPACK runs most of the network as one operator"
GROUP = 16  # input channels a group, as in ONNX files
SMALLEST_SCALE = 2**-12  # of activations


def version(backend: Backend) -> str:
    quantised = f", torchao {importlib.metadata.version('torchao')}, int8" if backend.quantises else ""
    return f"executorch {importlib.metadata.version('executorch')}{quantised}"


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    """Its extension is made for one version of torch, and may not load beside another."""
    try:
        import_runtime()
    except InputError as error:
        return str(error)
    return None


@functools.cache
def import_runtime() -> Any:
    """The package's extension, by itself: ``executorch.runtime`` imports the converter, some seconds of work, as well.

    Raises:
        InputError: it does not load beside the torch that is installed.
    """
    import torch  # noqa: F401  (its libraries come first)

    with caught():
        try:
            runtime = importlib.import_module("executorch.extension.pybindings._C")
        except (ImportError, OSError) as error:
            own, beside = (importlib.metadata.version(name) for name in ("executorch", "torch"))
            raise InputError(
                f"executorch {own} does not load beside torch {beside}: {first_line(error)}: in an environment of its "
                f"own, {_INSTALL} and the torch that it is made for"
            ) from error
    return runtime


def build(backend: Backend, network: Network) -> Artifact:
    """A ``pte`` file.

    Raises:
        InputError: the network cannot be converted.
    """
    made = convert(network, quantised=backend.quantises)
    return Artifact(
        backend.name, network.precision, (made.path,), from_cache=made.from_cache,
        size_bytes=made.path.stat().st_size,
    )  # fmt: skip


def convert(network: Network, *, quantised: bool) -> Made:
    """The simplified graph, in which transposed convolutions of groups are ordinary ones: XNNPACK has no others.

    What XNNPACK has no operator for, such as growing maps by the nearest pixel, runs in ExecuTorch's own kernels.

    Raises:
        InputError: the network cannot be converted.
    """
    from bench.backends.calibration import inputs_for

    inputs = []
    if quantised:
        inputs = inputs_for(network.example, network.calibration, network.normalisation, network.codec)

    def make(path: Path) -> None:
        import torch

        from bench.backends.graphs.operators import quiet
        from bench.backends.graphs.simplify import simplify

        graph = simplify(network.captured.graph(), network.example, shuffle_blocks=False, deeply=True, group=GROUP)
        example = network.example.clone()
        with caught(), quiet(), torch.inference_mode(False), torch.no_grad():
            from executorch.backends.xnnpack.partition.xnnpack_partitioner import XnnpackPartitioner
            from executorch.exir import to_edge_transform_and_lower

            if quantised:
                _copy_shared_constants(graph)
            exported = torch.export.export(graph, (example,))
            if quantised:
                exported = torch.export.export(_quantised(exported.module(), inputs), (example,))
            lowered = to_edge_transform_and_lower(exported, partitioner=[XnnpackPartitioner()])
            path.write_bytes(lowered.to_executorch().buffer)
        with _Session(path, 1) as session:  # what it has no kernel for shows when it is run
            session.run(network.example.numpy())

    return network.file("executorch", ".pte", make, *_versions(quantised), *inputs)


def _versions(quantised: bool) -> tuple[str, ...]:
    return tuple(importlib.metadata.version(name) for name in ("executorch", *(("torchao",) if quantised else ())))


def _copy_shared_constants(graph: Any) -> None:
    """Convolutions with a weight or a bias in common, as the parts of a transposed one have, get their own: of several
    the quantiser takes only the first, and XNNPACK refuses what it leaves in float32."""
    from bench.backends.graphs.operators import CONVOLUTION, calls, constant_node, is_constant, tensor_of

    for node in calls(graph, CONVOLUTION):
        for source in node.all_input_nodes:
            if is_constant(source) and len(source.users) > 1:
                with graph.graph.inserting_before(node):
                    own = constant_node(graph, tensor_of(graph, source).clone(), f"{source.target}_own")
                node.replace_input_with(source, own)
    graph.recompile()


def _quantised(graph: Any, inputs: Sequence[Any]) -> Any:
    """A graph with the ranges of its tensors: weights get one scale per output channel, activations one per tensor,
    from the smallest and the largest value that the inputs produce, as in the other runtimes."""
    import dataclasses

    from executorch.backends.xnnpack.quantizer.xnnpack_quantizer import (
        XNNPACKQuantizer,
        get_symmetric_quantization_config,
    )
    from torchao.quantization.pt2e import MinMaxObserver
    from torchao.quantization.pt2e.quantize_pt2e import convert_pt2e, prepare_pt2e

    usual = get_symmetric_quantization_config(is_per_channel=True)
    ranges = dataclasses.replace(
        usual.input_activation, observer_or_fake_quant_ctr=MinMaxObserver.with_args(eps=SMALLEST_SCALE)
    )
    config = dataclasses.replace(usual, input_activation=ranges, output_activation=ranges)
    quantizer = XNNPACKQuantizer().set_global(config).set_filter_function(_can_be_quantised)
    watched = prepare_pt2e(graph, quantizer)
    for one in inputs:
        watched(one.clone())
    return convert_pt2e(watched)


def _can_be_quantised(node: Any) -> bool:
    """What the quantiser may look at. Weights that are computed for every picture (Dite-HRNet) stay in float32, as
    XNNPACK's are known beforehand. A slice gets its range from what it is of; the quantiser takes one that was traced
    beside a pooling for that pooling, and fails."""
    from bench.backends.graphs.operators import CONVOLUTION, aten, is_call, is_constant

    if is_call(node, CONVOLUTION, aten.linear.default):
        return is_constant(node.args[1])
    return not is_call(node, aten.slice.Tensor)


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    """A program on the CPU.

    Raises:
        InputError: it cannot be opened, or sessions of another number of threads are open in this process.
    """
    return _Session(artifact.file, threads)


_OPEN: weakref.WeakSet[_Session] = weakref.WeakSet()


class _Session(Session):
    """All sessions of a process share ExecuTorch's pool of threads, which must not change while one is open."""

    def __init__(self, path: Path, threads: int) -> None:
        runtime = import_runtime()
        import torch

        self.torch, self.path = torch, path
        wanted = threads or os.cpu_count() or 1
        # What it logs goes by way of Python's own streams.
        with caught(), contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
            found = runtime._threadpool_get_thread_count()
            if found != wanted:
                if _OPEN:
                    raise InputError(
                        f"{path} cannot be opened by ExecuTorch with {wanted} threads while another file is open with "
                        f"{found}: a process has one pool of threads"
                    )
                runtime._unsafe_reset_threadpool(wanted)
            try:
                self.program = runtime._load_program(
                    str(path), program_verification=runtime.Verification.InternalConsistency
                )
                self.method = self.program.load_method("forward")
                told = self.method.method_meta()
                shapes = [tuple(told.input_tensor_meta(index).sizes()) for index in range(told.num_inputs())]
            except (RuntimeError, IndexError) as error:
                raise InputError(f"{path} cannot be opened by ExecuTorch: {first_line(error)}") from error
        # Its files name neither inputs nor outputs.
        self.inputs = tuple(Port(f"input_{index}", shape) for index, shape in enumerate(shapes))
        self.outputs = tuple(f"output_{index}" for index in range(told.num_outputs()))
        _OPEN.add(self)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        return self._run([self.torch.from_numpy(np.ascontiguousarray(images))])

    def bind(self, images: np.ndarray) -> Inference:
        placed = [self.torch.from_numpy(np.ascontiguousarray(images))]
        return Inference(lambda: self._run(placed))

    def _run(self, placed: list[Any]) -> list[np.ndarray]:
        try:
            return [np.ascontiguousarray(one.numpy(), np.float32) for one in self.method(placed)]  # copies
        except RuntimeError as error:
            raise InputError(f"{self.path} cannot be run by ExecuTorch: {first_line(error)}") from error

    def close(self) -> None:
        _OPEN.discard(self)
        del self.method, self.program
