"""Does the time depend on the weights? It does where activations become subnormal, and only there.

For each network, with (a) the random weights that bench.speed times, (b) weights that keep activations at their scale
as training does, (c) weights forced to make subnormal activations: the share of subnormal numbers among all
activations in (a) and (c), and the median latency of (b) and (c), alternated with (a) in one process, as ratios to it.
See docs/timing.md for what came out.

    python benchmarks/weights_and_speed.py --rounds 40
"""

import argparse
import functools
import math
import statistics

import torch
from torch import Tensor, nn

import zoo
from bench.data import photograph
from bench.models import build
from bench.timing.clock import Inference, time_in_turns, warm_up

SMALLEST_NORMAL = torch.finfo(torch.float32).tiny


def lively(model: nn.Module) -> nn.Module:
    """Weights of variance gain / fan-in and batch norms that vary: activations keep their scale through the net."""
    generator = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for parameter in model.parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() > 1:
                parameter.copy_(noise * (2 / parameter[0].numel()) ** 0.5)
            else:
                parameter.add_(0.1 * noise)
    return model


def starved(model: nn.Module) -> nn.Module:
    """All batch norms scale to about 1e-39: subnormal activations everywhere."""
    with torch.no_grad():
        for module in model.modules():
            if isinstance(module, nn.BatchNorm2d):
                module.weight.fill_(1e-39)
                module.bias.zero_()
    return model


def subnormal_share(model: nn.Module, example: Tensor) -> float:
    """Of all numbers that leaf modules put out, the share that is subnormal."""
    seen = subnormal = 0

    def look(module: nn.Module, inputs: object, output: object) -> None:
        nonlocal seen, subnormal
        if isinstance(output, Tensor):
            size = output.abs()
            seen += size.numel()
            subnormal += int(((size > 0) & (size < SMALLEST_NORMAL)).sum())

    hooks = [m.register_forward_hook(look) for m in model.modules() if not any(m.children())]
    with torch.inference_mode():
        model(example)
    for hook in hooks:
        hook.remove()
    return subnormal / seen


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models("paper")))
    parser.add_argument("--rounds", type=int, default=40)
    arguments = parser.parse_args()
    example = photograph((256, 192))
    print(
        f"{'model':28} {'subnormal, random':>17} {'subnormal, starved':>18} {'lively / random':>15} "
        f"{'starved / random':>16}"
    )
    for name in arguments.models.split(","):
        variants = [build(name), lively(build(name)), starved(build(name))]
        runs = [Inference(functools.partial(variant, example)) for variant in variants]
        with torch.inference_mode():
            for run in runs:
                warm_up(run, 5)
            times = time_in_turns(
                runs, turns=arguments.rounds, rounds=1, skipped=0, budget_s=math.inf, give_up=math.inf
            )
        random, live, starving = (statistics.median(latency) for latency in times)
        shares = [subnormal_share(variant, example) for variant in (variants[0], variants[2])]
        print(
            f"{name:28} {shares[0]:17.2%} {shares[1]:18.2%} {live / random:15.2f} {starving / random:16.2f}", flush=True
        )


if __name__ == "__main__":
    main()
