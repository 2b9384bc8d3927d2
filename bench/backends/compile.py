"""``torch.compile`` over the simplified graph, as it comes."""

import os
import shutil
from pathlib import Path
from typing import Any

import torch
from platformdirs import user_cache_path
from torch import Tensor, nn

from bench.backends import Prepared, state_bytes
from bench.backends.graph import quiet
from bench.backends.simplify import kept_if_possible
from bench.core.errors import InputError

ABOUT = "torch.compile, its default mode"
DEVICES = ("cpu", "cuda")
PACKAGES = ()
INSTALL = ""
QUANTISED = False


def version() -> str:
    return f"torch {torch.__version__}, inductor"


def check(device: str, precision: str) -> None:
    """Raises ``InputError`` where there is nothing to compile with."""
    check_compiler("compile", device)


def check_compiler(name: str, device: str) -> None:
    """For the CPU torch writes C++, for CUDA Triton code."""
    if device.startswith("cuda"):
        from torch.utils._triton import has_triton

        if not has_triton():
            raise InputError(f"backend {name} needs Triton for this CUDA device: install with pip install triton")
    elif not any(shutil.which(word) for word in (os.environ.get("CXX"), "g++", "clang++", "cl") if word):
        raise InputError(
            f"backend {name} needs a C++ compiler, and there is neither g++ nor clang++ here: install one "
            "(apt install g++), or name it in the environment variable CXX"
        )


def prepare(model: nn.Module, example: Tensor) -> Prepared:
    """Compile for inputs of the example's shape; what was compiled before comes from the cache folder."""
    return prepare_in_mode(model, example, None)


def prepare_in_mode(
    model: nn.Module, example: Tensor, mode: str | None, options: dict[str, Any] | None = None
) -> Prepared:
    """Compile in one of ``torch.compile``'s modes, or with options of its compiler; it allows for one of the two.

    Raises:
        InputError: the model cannot be compiled.
    """
    cache = os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(user_cache_path("lightpose-bench") / "inductor"))
    os.environ.setdefault("TRITON_CACHE_DIR", str(Path(cache) / "triton"))
    from torch._dynamo.utils import counters

    found = counters["inductor"]["fxgraph_cache_hit"], counters["inductor"]["fxgraph_cache_miss"]
    module, _ = kept_if_possible(model, example)
    run = torch.compile(module, mode=mode, options=options, dynamic=False)
    try:
        with quiet():
            run(example)
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise InputError(f"cannot be compiled: {type(error).__name__}: {reason}") from error
    hits, misses = (counters["inductor"][f"fxgraph_cache_{what}"] for what in ("hit", "miss"))
    return Prepared(run, state_bytes(module), "state dict", from_cache=hits > found[0] and misses == found[1])
