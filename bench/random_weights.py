"""Random weights under which a network's output depends on its input."""

import torch
from torch import nn


def enliven(model: nn.Module, seed: int) -> nn.Module:
    """Give a network, in place, weights of variance 1 / fan-in, and batch norms and biases that vary.

    With freshly initialised weights the signal of most networks of the zoo dies out on the way: the heatmaps of
    SimpleBaseline are its last bias but for 1e-8 of it. No comparison of runtimes would see a wrong layer, and
    quantisation would have nothing to work on. With these weights the output varies by a fifth of its maximum at least,
    and float32 stays within 3e-6 of float64. Speed does not depend on it (docs/timing.md).
    """
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.state_dict().items():
            if not isinstance(tensor, torch.Tensor) or not tensor.is_floating_point():  # such as a module's extra state
                continue
            noise = torch.randn(tensor.shape, generator=generator)
            if name.endswith("running_var"):
                tensor.copy_(1 + 0.1 * noise.abs())
            elif tensor.dim() > 1:
                tensor.copy_(noise / tensor[0].numel() ** 0.5)
            elif name.endswith(("running_mean", "bias")):
                tensor.copy_(0.1 * noise)
            else:
                tensor.copy_(1 + 0.1 * noise)
    return model
