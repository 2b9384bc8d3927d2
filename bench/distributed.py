"""One process or several: the same command alone, and under torchrun on several devices and machines."""

import logging
import os
from typing import Any

import torch
from lightning_fabric import Fabric

from bench.core.errors import InputError


def launch(device: str, precision: str = "fp32") -> Fabric:
    """Join the processes that torchrun started, or be the only one.

    Args:
        device: ``cpu``, ``cuda`` or ``cuda:N``; under torchrun every process takes a device of its own.
        precision: fp32, fp16 or bf16 (mixed, weights in float32), as training uses it.

    Returns:
        A launched Fabric: ``global_rank``, ``world_size``, ``device``, ``barrier()``.

    Raises:
        InputError: torchrun started more processes than there are devices.
    """
    # Its advice is for its own users, such as to trade precision for speed on a GPU; its warnings still appear.
    logging.getLogger("lightning_fabric").setLevel(logging.WARNING)
    together = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    kind, _, index = device.partition(":")
    if kind == "cuda" and together > torch.cuda.device_count():
        raise InputError(
            f"torchrun started {together} processes and there are {torch.cuda.device_count()} CUDA devices: "
            "give --nproc-per-node the number of devices"
        )
    devices: Any = [int(index or 0)] if kind == "cuda" and together == 1 else together
    name: Any = {"fp32": "32-true", "fp16": "16-mixed", "bf16": "bf16-mixed"}[precision]
    fabric = Fabric(
        accelerator=kind, devices=devices, num_nodes=int(os.environ.get("GROUP_WORLD_SIZE", "1")), precision=name
    )
    fabric.launch()  # type: ignore[no-untyped-call]
    return fabric
