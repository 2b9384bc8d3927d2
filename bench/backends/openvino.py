"""OpenVINO on the CPU, from the simplified graph, converted once and cached by content.

OpenVINO's converter and nncf report their use to their makers through the package openvino-telemetry unless the user
has opted out. Here they find that package not installed, which both allow for, in this process only.
"""

import importlib.metadata
import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, fx, nn

from bench.backends import Prepared, only_cpu, openvino_kernels
from bench.backends.cache import cached, content
from bench.backends.graph import quiet
from bench.backends.openvino_graph import use_its_operators
from bench.backends.simplify import simplified_if_possible
from bench.core import machine

ABOUT = "OpenVINO on the CPU, from the simplified graph"
DEVICES = ("cpu",)
PACKAGES: tuple[str, ...] = ("openvino",)
INSTALL = "pip install 'lightpose-bench[openvino]'"
QUANTISED = False


def version() -> str:
    return f"openvino {importlib.metadata.version('openvino')}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    only_cpu("openvino", device, precision)


def import_openvino() -> Any:
    """The package, without its telemetry."""
    sys.modules["openvino_telemetry"] = None  # type: ignore[assignment]  # importing it raises ImportError
    import openvino

    return openvino


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Convert (or take from the cache) and compile for one request at a time with as many threads as torch uses.

    Raises:
        InputError: another device than the CPU or another precision than float32, or no conversion is possible.
    """
    check(example.device.type, "fp32" if example.dtype == torch.float32 else "another")
    path, found = convert_for_here(model, example)
    told = openvino_kernels.note(path)
    return Prepared(on_cpu(path, "f32"), file_bytes(path), "openvino xml + bin", from_cache=found, note=told)


def convert_for_here(model: nn.Module, example: Tensor) -> tuple[Path, bool]:
    """``convert``, in the kernels that are fastest on this machine with as many threads as torch uses now."""

    def make(path: Path) -> None:
        portable, _ = convert(model, example)
        for ending in (".xml", ".bin"):
            shutil.copy(portable.with_suffix(ending), path.with_suffix(ending))
        openvino_kernels.keep_fastest(path, example, lambda file: on_cpu(file, "f32"))

    processor = machine.this_machine().cpu
    key = content(model, example, version(), processor, torch.get_num_threads())
    return cached("openvino-here", key, ".xml", make)


def convert(model: nn.Module, example: Tensor, *, in_place: bool = True) -> tuple[Path, bool]:
    """The model as ``xml`` file with a ``bin`` file beside it, in the user's cache folder, and whether it was there.

    Args:
        in_place: as ``simplify`` has it.

    Raises:
        InputError: the model cannot be converted.
    """

    def make(path: Path) -> None:
        graph = simplified_if_possible(model, example, in_place=in_place, deeply=True)
        if isinstance(graph, fx.GraphModule):
            use_its_operators(graph, example)
        write(graph, example, path)

    return cached("openvino", content(model, example, version(), in_place), ".xml", make)


def write(module: nn.Module, example: Tensor, path: Path) -> None:
    """Write a network as it is, ``xml`` and ``bin``. Raises whatever the converter does."""
    openvino = import_openvino()
    with quiet(), torch.no_grad(), torch.inference_mode(False):
        converted = openvino.convert_model(torch.export.export(module, (example.clone(),)))
    converted.reshape(list(example.shape))
    openvino.save_model(converted, path, compress_to_fp16=False)


def file_bytes(path: Path) -> int:
    return path.stat().st_size + path.with_suffix(".bin").stat().st_size


def on_cpu(path: Path, precision: str) -> Callable[[Tensor], Any]:
    """A request on the CPU, from tensor to tensor.

    ``precision`` is what floating-point layers compute in: left open, OpenVINO takes bfloat16 where the processor
    has it.
    """
    core = import_openvino().Core()
    settings = {
        "INFERENCE_NUM_THREADS": torch.get_num_threads(),
        "PERFORMANCE_HINT": "LATENCY",
        "NUM_STREAMS": 1,
        "INFERENCE_PRECISION_HINT": precision,
        "ENABLE_CPU_PINNING": False,  # as the other runtimes: the system places threads
    }
    request = core.compile_model(core.read_model(path), "CPU", settings).create_infer_request()

    def run(batch: Tensor) -> Any:
        # Copied, as the request writes its next outputs into the same memory.
        outputs = [torch.from_numpy(value.copy()) for value in request.infer([batch.numpy()], share_inputs=True,
                                                                             share_outputs=True).values()]  # fmt: skip
        return outputs[0] if len(outputs) == 1 else outputs

    return run
