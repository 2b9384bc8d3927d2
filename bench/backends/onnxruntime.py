"""ONNX Runtime on the CPU, from an export that is made once and cached by content."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from bench.backends import Prepared, only_cpu, onnx_file

ABOUT = "ONNX Runtime on the CPU, from the simplified graph"
DEVICES = ("cpu",)
PACKAGES = ("onnxruntime", *onnx_file.PACKAGES)
INSTALL = "pip install 'lightpose-bench[onnxruntime]'"
QUANTISED = False


def version() -> str:
    from onnxruntime import __version__  # the package's name is another one where it brings CUDA

    return f"onnxruntime {__version__}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    only_cpu("onnxruntime", device, precision)


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Export (or take from the cache) and open a session with as many threads as torch uses.

    Raises:
        InputError: another device than the CPU or another precision than float32, or no export is possible.
    """
    check(example.device.type, "fp32" if example.dtype == torch.float32 else "another")
    path, found = onnx_file.export(model, example)
    return Prepared(on_cpu(path), path.stat().st_size, "onnx", from_cache=found)


def on_cpu(path: Path) -> Callable[[Tensor], Any]:
    """A session on the CPU, from tensor to tensor."""
    session = open_session(path, ["CPUExecutionProvider"])
    name = session.get_inputs()[0].name

    def run(batch: Tensor) -> Any:
        outputs = [torch.from_numpy(output) for output in session.run(None, {name: batch.numpy()})]
        return outputs[0] if len(outputs) == 1 else outputs

    return run


def open_session(path: Path, providers: Sequence[Any]) -> Any:
    """A session with as many threads as torch uses."""
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(path.read_bytes(), options, providers=list(providers))
