"""Files that a network was turned into, made once and found again by the content they depend on."""

import hashlib
import inspect
import tempfile
from collections.abc import Callable, Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from bench.core.errors import InputError


def cached(kind: str, key: str, ending: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """The file of a kind and key in the user's cache folder, made by ``make(path)`` if it is not there yet.

    It is written beside its place and moved there, so that there is no half-written one.

    Returns:
        Where it is, and whether it was there.

    Raises:
        InputError: ``make`` failed; OSError: the folder cannot be written.
    """
    path = user_cache_path("lightpose-bench") / kind / f"{key}{ending}"
    if path.is_file():
        return path, True
    path.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent) as folder:
        temporary = Path(folder) / path.name
        try:
            make(temporary)
        except (OSError, InputError):
            raise
        except Exception as error:
            reason = next(iter(str(error).strip().splitlines()), "no message")
            raise InputError(f"cannot be turned into {kind}: {type(error).__name__}: {reason}") from error
        # What belongs to the file goes first: once the file is there, all is.
        for made in sorted(Path(folder).iterdir(), key=lambda made: made == temporary):
            made.replace(path.parent / made.name)
    return path, False


def content(model: nn.Module, example: Tensor, *also: object, tensors: Iterable[Tensor] = ()) -> str:
    """What a file made from a network depends on, as a key: code, structure, weights, input, and what is named.

    Code is taken file by file, so a helper in a third file can change unseen; parity with eager is
    checked before every timing and would show it.
    """
    described = (model, example.shape, example.dtype, torch.__version__, *also)
    digest = hashlib.sha256(repr(described).encode())
    for own in sorted(Path(__file__).parent.glob("*.py")):
        digest.update(own.read_bytes())
    for cls in sorted({type(module) for module in model.modules()}, key=repr):
        if not cls.__module__.startswith("torch."):
            with suppress(TypeError, OSError):  # a class made in an interactive session has no file
                digest.update(Path(inspect.getfile(cls)).read_bytes())
    named: dict[str, Any] = model.state_dict() | {str(index): tensor for index, tensor in enumerate(tensors)}
    for name, tensor in named.items():
        flat = tensor.detach().cpu().flatten().contiguous()  # as bytes, since NumPy has no bfloat16
        digest.update(name.encode() + flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()[:32]
