"""How much of a network's difference in half precision its float32 explains: see docs/backends.md, "Rounding".

For each network: the change of its outputs in float32 where every number of its input moves to the next one; its
difference from float32 in fp16 and bf16, in eager on the CPU; and that difference over the change times the ratio of
the types' last bits.

    python benchmarks/rounding.py --models paper,newer
"""

import argparse

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_leaves

import zoo
from bench.backends.precisions import DTYPES
from bench.data import photograph
from bench.models import build
from bench.random_weights import enliven
from bench.timing import parity


def outputs(network: nn.Module, images: np.ndarray, precision: str) -> list[np.ndarray]:
    """All outputs for float32 images, computed in a precision."""
    with torch.inference_mode():
        found = network.to(DTYPES[precision])(torch.from_numpy(images).to(DTYPES[precision]))
    return [tensor.float().numpy() for tensor in tree_leaves(found)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="paper,newer", help="paper, newer, or names")
    arguments = parser.parse_args()
    images = photograph((256, 192)).numpy()
    for group in arguments.models.split(","):
        for name in zoo.list_models(group) if group in ("paper", "newer") else [group]:
            network = enliven(build(name), 0).eval()
            wanted = outputs(network, images, "fp32")
            change = parity.difference(wanted, outputs(network, parity.last_bits(images), "fp32"))
            told = [f"{name:28} changes by {change:.1e} in fp32"]
            for precision in ("fp16", "bf16"):
                off = parity.difference(wanted, outputs(network, images, precision))
                explained = change * parity.LAST_BIT[precision]
                told.append(f"{precision} off by {off:.1e}, {off / explained:.2f} of what its last bits explain")
                network = enliven(build(name), 0).eval()  # casting back would keep the rounded weights
            print("; ".join(told), flush=True)


if __name__ == "__main__":
    main()
