"""Weights and input by the rule stated in tests/reference/README.md."""

import json
import zlib
from pathlib import Path

import numpy as np
import torch

REFERENCE = Path(__file__).parent / "reference"
FORWARD = json.loads((REFERENCE / "forward.json").read_text())
CHECKPOINT_KEYS = json.loads((REFERENCE / "checkpoint_keys.json").read_text())
COMPLEXITY = json.loads((REFERENCE / "complexity.json").read_text())


def reference_state(model_name: str, gain: float) -> dict[str, torch.Tensor]:
    """A published checkpoint of made-up weights, float64, under the published names."""
    return {
        name: torch.as_tensor(_values(name, shape, gain)) for name, shape in CHECKPOINT_KEYS[model_name].items()
    }


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
