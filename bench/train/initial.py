"""The weights that a training from scratch begins with."""

import torch
from torch import nn

HEAD_STD = 0.001


def initialise(network: nn.Module, seed: int) -> None:
    """Draw a network's weights anew, in place: convolutions as He et al. do, the head's as SimpleBaseline does.

    PyTorch's own initial weights are too small for the networks here, and their heatmaps begin far from zero: for
    thousands of steps they learn little but where joints are on average. Of 32 crops of 128x96, learnt by heart,
    lightweight_mobilenetv3 finds all joints after 50 steps from these weights, and 14 % after 150 from PyTorch's
    (benchmarks/initial_weights.py).

    Convolutions get a variance of 2 / fan-out, which PyTorch counts as if there were no groups; transposed ones and the
    last one, which makes the heatmaps, a standard deviation of ``HEAD_STD``; biases 0. Batch norms are the identity.

    Sources: He et al., arXiv 1502.01852, section 2.2; SimpleBaseline, arXiv 1804.06208, released code.
    """
    last = [module for module in network.modules() if isinstance(module, nn.Conv2d)][-1]
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        for module in network.modules():
            if isinstance(module, nn.ConvTranspose2d) or module is last:
                nn.init.normal_(module.weight, std=HEAD_STD)
            elif isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)) and module.bias is not None:
                nn.init.zeros_(module.bias)
