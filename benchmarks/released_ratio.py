"""How much faster the zoo's eager form and the exact backends are than the networks as they were released.

    python benchmarks/released_ratio.py [--models all] [--turns 10] [--threads 2]

As released: the operator calls of PyTorch that the published code makes, in the standard memory layout, with the same
weights. All forms take turns in one process, some rounds each; the first two of a turn do not count: they find the
caches full of another form's data, and another backend's threads still spinning. Printed are medians, and ratios to the
first.
"""

import argparse
import contextlib
import functools
import math
import statistics
from unittest import mock

import torch
from lite_hrnet_steps import Patch, paths_twice, two_copies  # type: ignore[import-not-found]
from torch import Tensor, nn
from torch.nn import functional

import zoo
from bench.backends import catalogue
from bench.data import photograph
from bench.models import build
from bench.random_weights import enliven
from bench.timing.clock import Fixed, Inference, time_rounds
from zoo import blocks, dite_hrnet, lite_hrnet, shufflenet_v2, vitpose

BACKENDS = ("onnxruntime", "openvino")


def scaled_after(self: vitpose.Attention, x: Tensor) -> Tensor:
    """ViTPose's attention as its authors released it: the product, a softmax, the product."""
    n, length, _ = x.shape
    heads = self.qkv(x).reshape(n, length, 3, vitpose.HEADS, -1).permute(2, 0, 3, 1, 4)
    query, key, value = heads[0] * (vitpose.WIDTH // vitpose.HEADS) ** -0.5, heads[1], heads[2]
    y = (query @ key.transpose(-2, -1)).softmax(-1) @ value
    return self.proj(y.transpose(1, 2).reshape(n, length, -1))


def dite_paths_twice(self: dite_hrnet.Fusion, xs: list[Tensor]) -> list[Tensor]:
    """Dite-HRNet's fusion with the paths from branch 0 run twice, after its ReLU in place."""
    fused: list[Tensor] = []
    for i, x in enumerate(xs):
        others = [self.paths[f"{j}to{i}"](xs[j]) for j in range(1, len(xs)) if j != i]
        y = x + x if i == 0 else self.paths[f"0to{i}"](fused[0]) + self.paths[f"0to{i}"](fused[0]) + x
        for other in others:
            y = y + other
        fused.append(self.act(y))
    return fused


def one_group_a_picture(self: dite_hrnet.KernelBank, x: Tensor, mixture: Tensor) -> Tensor:
    """Dynamic convolution as released: always by groups of a batch of one."""
    n, channels, height, width = x.shape
    _, out, per_group, size, _ = self.weight.shape
    kernels = torch.mm(mixture, self.weight.flatten(1)).view(n * out, per_group, size, size)
    joined = x.reshape(1, n * channels, height, width)
    y = functional.conv2d(joined, kernels, None, self.stride, size // 2, groups=n * self.groups)
    return y.view(n, out, y.shape[-2], y.shape[-1])


def two_steps(first: Tensor, *others: Tensor) -> Tensor:
    return blocks.channel_shuffle(torch.cat((first, *others), 1), 1 + len(others))


RELEASED: list[Patch] = [
    (blocks, "eager", lambda: False),
    (lite_hrnet, "concat_shuffle", two_copies),
    (lite_hrnet.Fusion, "forward", paths_twice),
    (shufflenet_v2, "concat_shuffle", two_copies),
    (dite_hrnet, "concat_shuffle", two_steps),
    (dite_hrnet.Fusion, "forward", dite_paths_twice),
    (dite_hrnet.KernelBank, "forward", one_group_a_picture),
    (vitpose.Attention, "forward", scaled_after),
]
NOT_COUNTED = 2


def latencies(model: nn.Module, example: Tensor, turns: int, count: int, threads: int) -> dict[str, float]:
    """Median ms of every form, in turns."""
    eager = Inference(functools.partial(model, example))
    runs = {"as released": eager, "eager": eager}
    for name in BACKENDS:
        artifact = catalogue.build(name, model, example, threads=threads)
        runs[name] = catalogue.open_artifact(artifact, threads=threads).bind(example.numpy())
    times: dict[str, list[float]] = {form: [] for form in runs}
    for _ in range(turns):
        for form, run in runs.items():
            with contextlib.ExitStack() as stack, torch.inference_mode():
                for target, attribute, value in RELEASED if form == "as released" else []:
                    stack.enter_context(mock.patch.object(target, attribute, value))
                times[form] += time_rounds(run, Fixed(NOT_COUNTED + count)).latency_ms[NOT_COUNTED:]
    return {form: statistics.median(values) for form, values in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="all", help="names with commas between, or all")
    parser.add_argument("--turns", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=6, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    example = photograph((256, 192))
    ratios: dict[str, list[float]] = {}
    for name in zoo.list_models() if arguments.models == "all" else arguments.models.split(","):
        found = latencies(enliven(build(name), 0), example, arguments.turns, arguments.rounds, arguments.threads)
        first = found["as released"]
        print(name, *(f"{form} {ms:.2f} ms, x {first / ms:.2f}" for form, ms in found.items()), sep="; ", flush=True)
        for form, ms in found.items():
            ratios.setdefault(form, []).append(first / ms)
        ratios.setdefault("fastest", []).append(first / min(found.values()))
    print("geometric mean of as released / this:")
    for form, values in ratios.items():
        print(f"    {form:14} {math.exp(statistics.mean(map(math.log, values))):5.2f}")


if __name__ == "__main__":
    main()
