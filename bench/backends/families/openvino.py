"""OpenVINO on the CPU, in float32, in half precision where the processor has it, and in int8.

OpenVINO's converter and nncf report usage to their makers through the package openvino-telemetry unless the user has
opted out. In this process the package appears not to be installed, which both allow.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import importlib.metadata
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.backends.artifact import Artifact, OnDisk
from bench.backends.catalogue import Backend
from bench.backends.session import Port, Session
from bench.core.errors import InputError, first_line

if TYPE_CHECKING:
    from bench.backends.building import Made, Network

_INSTALL = "pip install 'lightpose-bench[openvino]'"
BACKENDS = (
    Backend(
        "openvino", "OpenVINO on the CPU, from the simplified graph", 100, ("cpu",), ("fp32", "bf16", "fp16"),
        ("openvino",), ("openvino",), _INSTALL, "openvino xml + bin", opens=(".xml",), takes_onnx=True,
        rounds_itself=True, minutes=2,
    ),
    Backend(
        "openvino_int8", "OpenVINO on the CPU in int8, quantised after training by a few pictures (nncf)", 100,
        ("cpu",), ("fp32",), ("openvino", "nncf"), ("openvino",), _INSTALL, "openvino xml + bin", takes_onnx=True,
        quantises=True, minutes=2,
    ),
)  # fmt: skip
_HALF = {"bf16": "BF16", "fp16": "FP16"}  # as OpenVINO names what a processor can do
_NEEDS = {"bf16": "on x86 AVX-512 BF16 or AMX", "fp16": "on x86 AVX-512 FP16 or AMX FP16"}
RT_INFO = "lightpose"  # where files of this project keep their metadata
_HINT = {"fp32": "f32", "int8": "f32", "bf16": "bf16", "fp16": "f16"}


def version(backend: Backend) -> str:
    quantised = f", nncf {importlib.metadata.version('nncf')}, int8" if backend.quantises else ""
    return f"openvino {importlib.metadata.version('openvino')}{quantised}"


def lacking(backend: Backend, device: str, precision: str) -> str | None:
    """OpenVINO computes in float32 without a word where the processor has no half precision."""
    name = _HALF.get(precision)
    if name is None or name in import_openvino().Core().get_property("CPU", "OPTIMIZATION_CAPABILITIES"):
        return None
    return (
        f"backend openvino computes in {precision} where the processor can, and OpenVINO finds no {precision} "
        f"arithmetic in this one ({_NEEDS[precision]}): give --precision fp32"
    )


def import_openvino() -> Any:
    """The package, with telemetry off."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it raises ImportError
    import openvino

    return openvino


def build(backend: Backend, network: Network) -> Artifact:
    """An ``xml`` file and its ``bin``: quantised, or in the kernels that are fastest on this machine.

    Raises:
        InputError: the network cannot be converted.
    """
    from bench.backends import openvino_kernels

    made = quantise(network) if backend.quantises else convert_for_here(network)
    return _artifact(backend, network, made, "" if backend.quantises else openvino_kernels.note(made.path))


def build_portable(backend: Backend, network: Network) -> Artifact:
    """As ``build``, for any processor: in no kernels in particular, until ``fit`` chooses."""
    return _artifact(backend, network, quantise(network) if backend.quantises else convert(network), "")


def fit(artifact: Artifact, images: np.ndarray, threads: int, folder: Path) -> Artifact:
    """A portable artifact in the kernels that are fastest on this machine, as a copy in a folder."""
    import dataclasses

    from bench.backends import openvino_kernels

    path = folder / artifact.file.name
    for ending in (".xml", ".bin"):
        shutil.copy(artifact.file.with_suffix(ending), path.with_suffix(ending))
    openvino_kernels.keep_fastest(path, images, lambda file: _Session(file, threads, artifact.precision))
    return dataclasses.replace(
        artifact, files=(path, path.with_suffix(".bin")), note=openvino_kernels.note(path)
    )  # fmt: skip


def _artifact(backend: Backend, network: Network, made: Made, note: str) -> Artifact:
    return Artifact(
        backend.name, "int8" if backend.quantises else network.precision, (made.path, made.path.with_suffix(".bin")),
        from_cache=made.from_cache,
        size_bytes=sum(made.path.with_suffix(end).stat().st_size for end in (".xml", ".bin")), note=note,
    )  # fmt: skip


def convert_for_here(network: Network) -> Made:
    """``convert``, with the kernels that are fastest on this machine at the network's number of threads."""
    from bench.backends import openvino_kernels
    from bench.core.machine import this_machine

    images, precision = network.example.numpy(), network.precision

    def make(path: Path) -> None:
        portable = convert(network).path
        for ending in (".xml", ".bin"):
            shutil.copy(portable.with_suffix(ending), path.with_suffix(ending))
        openvino_kernels.keep_fastest(path, images, lambda file: _Session(file, network.threads, precision))

    return network.file("openvino-here", ".xml", make, _versions(), this_machine().cpu, network.threads, precision)


def convert(network: Network, *, shuffle_blocks: bool = True) -> Made:
    """The network as an ``xml`` file with a ``bin`` file beside it, for any processor.

    Args:
        shuffle_blocks: as ``simplify`` has it.

    Raises:
        InputError: the network cannot be converted.
    """
    from bench.backends.graphs.layers import name_layers
    from bench.backends.graphs.openvino_operators import use_its_operators
    from bench.backends.graphs.simplify import simplify

    def make(path: Path) -> None:
        if network.onnx is not None:
            read = import_openvino().Core().read_model(network.onnx)
            read.reshape(list(network.example.shape))
            import_openvino().save_model(read, path, compress_to_fp16=False)
            return
        graph = simplify(network.captured.graph(), network.example, shuffle_blocks=shuffle_blocks, deeply=True)
        use_its_operators(graph, network.example)
        name_layers(graph, network.model)
        write(graph, network.example, path)

    return network.file("openvino", ".xml", make, _versions(), shuffle_blocks)


def _versions() -> str:
    return importlib.metadata.version("openvino")


def write(module: Any, example: Any, path: Path) -> None:
    """Write a torch module as it is, ``xml`` and ``bin``, its operators named after their layers.

    Raises whatever the converter raises.
    """
    import logging

    import torch

    from bench.backends.graphs import layers
    from bench.backends.graphs.operators import quiet
    from bench.backends.profiles import operator_name

    openvino = import_openvino()
    from openvino.frontend.pytorch.fx_decoder import TorchFXPythonDecoder

    with quiet(), torch.no_grad(), torch.inference_mode(False):
        exported = torch.export.export(module, (example.clone(),))
        layers.carry(module, exported)
        silent = logging.root.manager.disable
        logging.disable(logging.WARNING)  # it tells of operators that another version of torch had
        try:
            # As convert_model does by itself, which then leaves nothing to read the layers from.
            decoder = TorchFXPythonDecoder.from_exported_program(exported)
        finally:
            logging.disable(silent)
        converted = openvino.convert_model(decoder)
    converted.reshape(list(example.shape))
    by_operator = layers.by_operator(decoder.pt_module.graph)
    for operator in converted.get_ops():
        name = operator.get_friendly_name()
        layer = by_operator.get(name.partition("/")[0])
        if layer is not None:
            operator.set_friendly_name(operator_name(layer, name))
    openvino.save_model(converted, path, compress_to_fp16=False)


def quantise(network: Network) -> Made:
    """The int8 file, by static post-training quantisation.

    Weights use only half of their range; ``bench.backends.families.onnxruntime.quantise`` says why.
    """
    import io
    import logging
    from contextlib import redirect_stderr, redirect_stdout

    from bench.backends.calibration import inputs_for
    from bench.backends.graphs.operators import quiet

    inputs = inputs_for(network.example, network.calibration, network.normalisation, network.codec)

    def make(path: Path) -> None:
        openvino = import_openvino()
        with quiet(), redirect_stdout(io.StringIO()), redirect_stderr(io.StringIO()):
            import nncf
            from nncf.quantization.advanced_parameters import AdvancedQuantizationParameters, OverflowFix

            logging.getLogger("nncf").setLevel(logging.ERROR)
            # Shuffle blocks stay: a channel that only passes through a block would be rounded to int8 at every step.
            converted = openvino.Core().read_model(convert(network, shuffle_blocks=False).path)
            batches = nncf.Dataset([one.numpy() for one in inputs])
            # MIXED: hard swishes and sigmoids are not symmetric about zero.
            quantised = nncf.quantize(
                converted, batches, preset=nncf.QuantizationPreset.MIXED, subset_size=len(inputs),
                advanced_parameters=AdvancedQuantizationParameters(overflow_fix=OverflowFix.ENABLE),
            )  # fmt: skip
        openvino.save_model(quantised, path, compress_to_fp16=False)

    return network.file("openvino-int8", ".xml", make, _versions(), importlib.metadata.version("nncf"), *inputs)


def on_disk(path: Path) -> OnDisk:
    """An ``xml`` file, with the ``bin`` file that must lie beside it.

    Raises:
        InputError: there is no such ``bin`` file.
    """
    weights = path.with_suffix(".bin")
    if not weights.is_file():
        raise InputError(f"{path} keeps its weights in {weights.name}, and {weights} is not there")
    quantised = b'type="FakeQuantize"' in path.read_bytes()
    return OnDisk((path, weights), "int8" if quantised else "fp32")  # weights in float16 compute in float32


def open_artifact(backend: Backend, artifact: Artifact, device: str, threads: int) -> Session:
    """A session on the CPU; layers of an int8 file that stay in floating point compute in float32."""
    return _Session(artifact.file, threads, artifact.precision)


@contextlib.contextmanager
def opening(path: Path) -> Iterator[None]:
    """Errors of OpenVINO become ``InputError``."""
    try:
        yield
    except RuntimeError as error:
        raise InputError(f"{path} cannot be opened by OpenVINO: {first_line(error)}") from error


def read_model(path: Path) -> Any:
    return import_openvino().Core().read_model(path)


def open_request(model: Any, threads: int, precision: str, further: Mapping[str, Any] | None = None) -> Any:
    """OpenVINO's own request for inferences of a model, with further settings."""
    core = import_openvino().Core()
    settings = {
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        # By default, OpenVINO uses bfloat16 where the processor has it.
        "INFERENCE_PRECISION_HINT": _HINT[precision],
        "ENABLE_CPU_PINNING": False,  # the system places threads, as for the other runtimes
        **(further or {}),
    }
    if threads:
        settings["INFERENCE_NUM_THREADS"] = threads
    return core.compile_model(model, "CPU", settings).create_infer_request()


def open_for_pixels(
    backend: Backend, artifact: Artifact, device: str, threads: int, mean: Sequence[float], std: Sequence[float]
) -> Session:
    """As ``open_artifact``, for pixels: their normalisation becomes part of the compiled graph."""
    return _Session(artifact.file, threads, artifact.precision, (mean, std))


def _from_pixels(model: Any, mean: Sequence[float], std: Sequence[float]) -> Any:
    """A model that takes uint8 ``[N, 3, H, W]``, from one that takes them as float32, normalised."""
    openvino = import_openvino()
    steps = openvino.preprocess.PrePostProcessor(model)
    steps.input().tensor().set_element_type(openvino.Type.u8).set_layout(openvino.Layout("NCHW"))
    steps.input().model().set_layout(openvino.Layout("NCHW"))
    steps.input().preprocess().convert_element_type(openvino.Type.f32).mean([255 * value for value in mean]).scale(
        [255 * value for value in std]
    )
    return steps.build()


def read_metadata(network: Any) -> dict[str, str]:
    """What a file of this project says of itself; nothing of other files."""
    if not network.has_rt_info([RT_INFO]):
        return {}
    return {key: str(network.get_rt_info([RT_INFO, key]).value) for key in network.get_rt_info([RT_INFO]).value}


def _port(entry: Any) -> Port:
    shape = tuple(None if one.is_dynamic else one.get_length() for one in entry.partial_shape)
    return Port(entry.any_name if entry.names else "", shape, entry.element_type.to_dtype().name)


class _Session(Session):
    def __init__(
        self,
        path: Path,
        threads: int,
        precision: str,
        statistics: tuple[Sequence[float], Sequence[float]] | None = None,
    ) -> None:
        with opening(path):
            model: Any = read_model(path)
            self.inputs = tuple(map(_port, model.inputs))
            self.outputs = tuple(one.any_name if one.names else one.node.friendly_name for one in model.outputs)
            self.metadata = read_metadata(model)
            if statistics is not None:
                model = _from_pixels(model, *statistics)
            self.request = open_request(model, threads, precision)

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        # Copied, because the request writes its next outputs into the same memory.
        found = self.request.infer([images], share_inputs=True, share_outputs=True)
        return [np.array(value, np.float32) for value in found.values()]

    def close(self) -> None:
        del self.request
