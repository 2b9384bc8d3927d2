"""ONNX Runtime's CUDA provider; input and outputs stay on the device."""

from typing import Any

import torch
from torch import Tensor, nn

from bench.backends import Prepared, onnx_file, onnxruntime
from bench.core.errors import InputError

ABOUT = "ONNX Runtime with its CUDA provider"
DEVICES = ("cuda",)
PACKAGES = onnxruntime.PACKAGES
INSTALL = "pip install onnxruntime-gpu onnx onnxscript"
QUANTISED = False
PROVIDER = "CUDAExecutionProvider"


def version() -> str:
    return f"{onnxruntime.version()}, CUDA provider"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    check_provider("onnxruntime_cuda", PROVIDER, device)


def check_provider(name: str, provider: str, device: str) -> None:
    """The package for the CPU has no such provider, and both cannot be installed at once."""
    if not device.startswith("cuda"):
        raise InputError(f"backend {name} runs on CUDA devices only: give --device cuda")
    from onnxruntime import get_available_providers

    if provider not in get_available_providers():
        raise InputError(
            f"backend {name} needs ONNX Runtime with {provider}: pip uninstall onnxruntime, then {INSTALL}"
        )


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Export and open a session on the example's device. Raises ``InputError`` where that is not possible."""
    check(example.device.type, "")
    return prepare_with(PROVIDER, {}, model, example)


def prepare_with(provider: str, options: dict[str, Any], model: nn.Module, example: Tensor) -> Prepared:
    """Export and open a session with a provider, which must not leave the whole network to another one.

    Raises:
        InputError: the provider cannot be started here, for example for want of a library.
    """
    path, found = onnx_file.export(model, example)
    device = example.device.index or 0
    own = {"device_id": device, "use_tf32": int(torch.backends.cudnn.allow_tf32)}
    first = [] if provider == PROVIDER else [(provider, {"device_id": device} | options)]
    session = onnxruntime.open_session(path, [*first, (PROVIDER, own)])
    if provider not in session.get_providers():
        raise InputError(f"ONNX Runtime could not start its {provider}: its message above names what it misses")
    entry = session.get_inputs()[0].name
    exits = session.get_outputs()
    shapes = [[int(size) for size in out.shape] for out in exits]
    outputs = [torch.empty(shape, dtype=example.dtype, device=example.device) for shape in shapes]
    element = {torch.float32: 1, torch.float16: 10, torch.bfloat16: 16}[example.dtype]  # ONNX's numbers for types
    binding = session.io_binding()
    for out, tensor in zip(exits, outputs, strict=True):
        binding.bind_output(out.name, "cuda", device, element, tuple(tensor.shape), tensor.data_ptr())

    def run(batch: Tensor) -> Any:
        batch = batch.contiguous()
        # What torch has still to write into the batch must be there: the two do not share a stream.
        torch.cuda.current_stream(batch.device).synchronize()
        binding.bind_input(entry, "cuda", device, element, tuple(batch.shape), batch.data_ptr())
        session.run_with_iobinding(binding)
        return outputs[0] if len(outputs) == 1 else outputs

    return Prepared(run, path.stat().st_size, "onnx", from_cache=found)
