"""The network and the input of a plan, made in a worker."""

import hashlib
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from bench.core.files import cache_folder, write_whole
from bench.data.cropping import Normalisation, photograph
from bench.model_files.reading import from_json
from bench.models import build, is_factory
from bench.random_weights import enliven


def network(plan: Mapping[str, Any]) -> tuple[Any, Tensor]:
    """What ``catalogue.build`` takes for a plan: a network in evaluation mode, or a model file; and its input.

    Both are on the plan's device; the input is ``[N, 3, H, W]``.

    Raises:
        InputError: it cannot be built, or the picture cannot be read.
    """
    torch.set_num_threads(plan["threads"])
    device = torch.device(plan["device"])
    image = Path(plan["image"]) if plan["image"] else None
    size = (plan["input"][0], plan["input"][1])
    file = from_json(plan["file"]) if plan.get("file") else None
    how = file.normalisation if file else Normalisation()
    example = photograph(size, image, how).expand(plan["batch"], -1, -1, -1).contiguous().to(device)
    if file:
        made = file.make(plan["num_joints"], size)
        return made.to(device) if isinstance(made, nn.Module) else made, example
    model = build(plan["model"], num_joints=plan["num_joints"], input_size=size, seed=plan["seed"])
    if not is_factory(plan["model"]):
        enliven(model, plan["seed"])
    return model.to(device), example


def keep(arrays: Sequence[np.ndarray]) -> str:
    """Save arrays to a file in the cache folder, named by its content, for the following processes."""
    content = io.BytesIO()
    np.savez(content, *arrays)
    name = hashlib.sha256(b"".join(array.tobytes() + repr(array.shape).encode() for array in arrays)).hexdigest()[:32]
    path = cache_folder("arrays") / f"{name}.npz"
    if not path.is_file() or path.read_bytes() != content.getvalue():  # or it was damaged
        write_whole(path, content.getvalue())
    return str(path)
