"""Runtimes, one file each: ``prepare(model, example) -> run``, where ``run(example) -> heatmaps``.

``model`` is in evaluation mode, and model and example are on the device and in the precision to run in. Outputs
are torch tensors, or whatever structure of them the model returns. ``run`` is a ``Prepared``, which also tells
what it runs from. Besides ``prepare`` a file has ``ABOUT`` (a line on what it is), ``DEVICES``, the ``PACKAGES``
that it needs and the ``INSTALL`` command that brings them, ``version()``, ``check(device, precision)``, and
``QUANTISED``: whether it computes in int8, whatever precision the model comes in. What the files of a quantised
runtime also take is ``calibration``: normalised inputs ``[N, 3, H, W]`` to choose the ranges by.

docs/runtimes.md says what each does and what it brings.
"""

import importlib
import importlib.util
from collections.abc import Callable
from dataclasses import dataclass
from types import ModuleType
from typing import Any

from torch import Tensor, nn

from bench.core.errors import InputError

BACKENDS = (
    "eager", "fused", "compile", "compile_max", "cudagraphs", "compile_cudagraphs", "onnxruntime", "onnxruntime_cuda",
    "onnxruntime_tensorrt", "openvino", "onnxruntime_int8", "openvino_int8",
)  # fmt: skip


@dataclass(frozen=True)
class Prepared:
    """A network made ready by a runtime: call it with a batch."""

    run: Callable[[Tensor], Any]
    file_bytes: int  # what has to be shipped to run it, without the runtime
    file: str  # what kind of file that is
    from_cache: bool = False  # whether an earlier preparation was made use of
    note: str = ""  # what a reader of its timings must know

    def __call__(self, batch: Tensor) -> Any:
        return self.run(batch)


def load(name: str) -> ModuleType:
    """The backend's module.

    Raises:
        InputError: no such backend, or what it needs is not installed.
    """
    if name not in BACKENDS:
        raise InputError(f"unknown backend {name!r}: choose from {', '.join(BACKENDS)}")
    module = importlib.import_module(f"bench.backends.{name}")
    absent = [package for package in module.PACKAGES if importlib.util.find_spec(package) is None]
    if absent:
        raise InputError(f"backend {name} needs {', '.join(absent)}: install with {module.INSTALL}")
    return module


def quantised(name: str) -> bool:
    """Whether a backend computes in int8."""
    return bool(load(name).QUANTISED)


def usable(device: str, precision: str) -> tuple[list[str], dict[str, str]]:
    """The backends that run on a device in a precision here, and of every other one why it does not."""
    names, reasons = [], {}
    for name in BACKENDS:
        try:
            load(name).check(device, precision)
            names.append(name)
        except InputError as error:
            reasons[name] = str(error)
    return names, reasons


def only_cpu(name: str, device: str, precision: str) -> None:
    """The check of runtimes that compute on the CPU, from a model in float32."""
    if not device.startswith("cpu") or precision != "fp32":
        raise InputError(f"backend {name} runs on the CPU in fp32: give --device cpu --precision fp32")


def state_bytes(model: nn.Module) -> int:
    """Bytes of a model's state dict as a safetensors file, but for the header of some KB."""
    return sum(tensor.numel() * tensor.element_size() for tensor in model.state_dict().values())
