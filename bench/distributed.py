"""One process or several: the same command alone, and under torchrun on several devices and machines."""

import logging
import os
from typing import Any

import torch
from lightning_fabric import Fabric
from lightning_fabric.plugins.environments.cluster_environment import ClusterEnvironment
from lightning_fabric.plugins.environments.lightning import LightningEnvironment
from lightning_fabric.plugins.environments.torchelastic import TorchElasticEnvironment

from bench.core.errors import InputError


def told(variable: str) -> int:
    """A number of processes or machines that torchrun set; 1 where torchrun did not start this process.

    Other launchers leave variables of the same names behind.
    """
    return int(os.environ[variable]) if TorchElasticEnvironment.detect() else 1


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
    together = told("LOCAL_WORLD_SIZE")
    kind, _, index = device.partition(":")
    if kind == "cuda" and together > torch.cuda.device_count():
        raise InputError(
            f"torchrun started {together} processes and there are {torch.cuda.device_count()} CUDA devices: "
            "give --nproc-per-node the number of devices"
        )
    devices: Any = [int(index or 0)] if kind == "cuda" and together == 1 else together
    name: Any = {"fp32": "32-true", "fp16": "16-mixed", "bf16": "bf16-mixed"}[precision]
    # Given, as Fabric would look for one itself and find what a batch system such as Slurm set for other processes.
    environment: ClusterEnvironment = (
        TorchElasticEnvironment() if TorchElasticEnvironment.detect() else LightningEnvironment()
    )
    fabric = Fabric(
        accelerator=kind, devices=devices, num_nodes=told("GROUP_WORLD_SIZE"), precision=name, plugins=[environment]
    )
    fabric.launch()  # type: ignore[no-untyped-call]
    return fabric
