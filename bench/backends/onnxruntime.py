"""ONNX Runtime on the CPU, from an export that is made once and cached by content."""

import hashlib
import importlib.metadata
import inspect
import io
import logging
import os
import tempfile
import warnings
from collections.abc import Callable
from contextlib import redirect_stdout, suppress
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from bench import InputError

PACKAGES = ("onnxruntime", "onnx", "onnxscript")
OPSET = 18
# Before torch 2.9 the exporter on torch.export was not the default yet, and breaks with newer versions of onnxscript.
DYNAMO = tuple(map(int, torch.__version__.split(".")[:2])) >= (2, 9)


def version() -> str:
    return f"onnxruntime {importlib.metadata.version('onnxruntime')}"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` for what this backend cannot run."""
    if device != "cpu" or precision != "fp32":
        raise InputError("backend onnxruntime runs on the CPU in fp32: give --device cpu --precision fp32")


def prepare(model: nn.Module, example: Tensor) -> Callable[[Tensor], Any]:
    """Export (or take from the cache) and open a session with as many threads as torch uses.

    Raises:
        InputError: another device than the CPU or another precision than float32.
    """
    check(example.device.type, "fp32" if example.dtype == torch.float32 else "another")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = torch.get_num_threads()
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        export(model, example).read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name

    def run(batch: Tensor) -> Any:
        outputs = [torch.from_numpy(output) for output in session.run(None, {name: batch.numpy()})]
        return outputs[0] if len(outputs) == 1 else outputs

    return run


def export(model: nn.Module, example: Tensor) -> Path:
    """The model as an ONNX file in the user's cache folder, written there if it is not yet.

    Raises:
        InputError: the model cannot be exported.
    """
    path = user_cache_path("lightpose-bench") / "onnx" / f"{_content(model, example)}.onnx"
    if path.is_file():
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=path.parent, suffix=".partial")
    os.close(handle)
    try:
        with warnings.catch_warnings(), redirect_stdout(io.StringIO()):
            warnings.simplefilter("ignore")
            logging.getLogger("torch.onnx").setLevel(logging.ERROR)
            new_only: Any = {"external_data": False, "verbose": False} if DYNAMO else {}
            torch.onnx.export(model, (example,), temporary, dynamo=DYNAMO, opset_version=OPSET, **new_only)
        Path(temporary).replace(path)
    except OSError:
        raise
    except Exception as error:
        reason = next(iter(str(error).splitlines()), "no message")
        raise InputError(f"cannot be exported to ONNX: {type(error).__name__}: {reason}") from error
    finally:
        Path(temporary).unlink(missing_ok=True)
    return path


def _content(model: nn.Module, example: Tensor) -> str:
    """What the exported file depends on: code, structure, weights, input, exporter.

    Code is taken file by file, so a helper in a third file can change unseen; parity with eager is
    checked before every timing and would show it.
    """
    described = (model, example.shape, example.dtype, OPSET, DYNAMO, torch.__version__)
    digest = hashlib.sha256(repr(described).encode())
    digest.update(importlib.metadata.version("onnxscript").encode())
    for cls in sorted({type(module) for module in model.modules()}, key=repr):
        if not cls.__module__.startswith("torch."):
            with suppress(TypeError, OSError):  # a class made in an interactive session has no file
                digest.update(Path(inspect.getfile(cls)).read_bytes())
    for name, tensor in model.state_dict().items():
        digest.update(name.encode() + tensor.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:32]
