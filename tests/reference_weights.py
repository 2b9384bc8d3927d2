"""Weights and input by the rule stated in tests/reference/README.md."""

import json
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"


def _both(file: str) -> dict[str, Any]:
    """A file of the paper's networks, and its counterpart of the newer ones."""
    return json.loads((REFERENCE / file).read_text()) | json.loads((REFERENCE / "newer" / file).read_text())


FORWARD = _both("forward.json")
CHECKPOINT_KEYS = _both("checkpoint_keys.json")
COMPLEXITY = _both("complexity.json")
# Of the newer networks, what depends on the input's size.
SHAPES_384X288 = json.loads((REFERENCE / "newer" / "checkpoint_keys_384x288.json").read_text())


def reference_state(model_name: str, gain: float, size: str = "256x192") -> dict[str, torch.Tensor]:
    """A published checkpoint of made-up weights, float64, under the published names."""
    shapes = CHECKPOINT_KEYS[model_name]
    if size == "384x288":
        shapes = shapes | SHAPES_384X288.get(model_name, {})
    return {name: torch.as_tensor(_values(name, shape, gain)) for name, shape in shapes.items()}


def _values(name: str, shape: list[int], gain: float) -> np.ndarray:
    if name.endswith("num_batches_tracked"):
        return np.zeros(shape, np.int64)
    noise = np.random.RandomState(zlib.crc32(name.encode())).standard_normal(shape)
    if name.endswith("running_var"):
        return 1 + 0.1 * np.abs(noise)
    if name.endswith(("running_mean", "bias")):
        return 0.1 * noise
    if len(shape) >= 2:
        return gain * noise / np.sqrt(np.prod(shape[1:]))
    return 1 + 0.1 * noise


def reference_input(height: int, width: int) -> torch.Tensor:
    """The input that goes with ``reference_state``, float64 ``[1, 3, H, W]``."""
    return torch.from_numpy(np.random.RandomState(0).standard_normal((1, 3, height, width)))
