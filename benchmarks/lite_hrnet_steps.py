"""What each step that makes the zoo's networks faster in eager mode gives on a CPU.

    python benchmarks/lite_hrnet_steps.py [--models lite_hrnet_18] [--rounds 40] [--threads 2]

Every form of a network computes the same function with the same weights; the forms are timed
alternately, so that drift hits all alike. For a Lite-HRNet each row adds one step to the row
above; any other network is timed in its plain form and as it is.
"""

import argparse
import contextlib
import functools
import statistics
from typing import Any
from unittest import mock

import torch
from torch import Tensor, nn

import zoo
from bench.timing.clock import once
from zoo import blocks, lite_hrnet

WARM_UP = 4
Patch = tuple[Any, str, Any]  # what is replaced: an object, its attribute, the new value


def paths_twice(self: lite_hrnet.Fusion, xs: list[Tensor]) -> list[Tensor]:
    """The fusion with the paths from branch 0 run twice, as the release does."""
    fused: list[Tensor] = []
    for i, x in enumerate(xs):
        others = [self.paths[f"{j}to{i}"](xs[j]) for j in range(1, len(xs)) if j != i]
        y = x + x if i == 0 else self.paths[f"0to{i}"](fused[0]) + self.paths[f"0to{i}"](fused[0]) + x
        for other in others:
            y = y + other
        fused.append(y)
    return [self.act(y) for y in fused]


def two_copies(first: Tensor, second: Tensor) -> Tensor:
    return blocks.channel_shuffle(torch.cat((first, second), 1), 2)


def one_copy(first: Tensor, second: Tensor) -> Tensor:
    return torch.stack((first, second), 2).flatten(1, 2)


def innermost(x: Tensor) -> Tensor:
    return x.contiguous(memory_format=torch.channels_last)


def forms(name: str) -> dict[str, list[Patch]]:
    """The forms of a network, slowest first, each by what is replaced in the zoo."""
    plain: Patch = (blocks, "eager", lambda: False)
    if not name.startswith("lite_hrnet"):
        return {"plain form": [plain], "as it is": []}
    shuffle: Patch = (lite_hrnet, "concat_shuffle", one_copy)
    convolution: Patch = (blocks.Pointwise, "forward", nn.Conv2d.forward)
    return {
        "as released": [
            plain,
            (lite_hrnet, "concat_shuffle", two_copies),
            (lite_hrnet.Fusion, "forward", paths_twice),
        ],
        "paths from branch 0 run once": [plain, (lite_hrnet, "concat_shuffle", two_copies)],
        "shuffle with one copy": [plain, shuffle],
        "channels innermost in memory": [convolution, shuffle, (lite_hrnet, "eager_layout", innermost)],
        "shuffle as complex pairs": [convolution],
        "1x1 convolutions as matrix products": [],
    }


def main() -> None:
    parser = argparse.ArgumentParser(description="What each step towards speed gives, eager, on a CPU.")
    parser.add_argument("--models", default="lite_hrnet_18", help="names with commas between, or all")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    image = torch.randn(1, 3, 256, 192, generator=torch.Generator().manual_seed(0))
    for name in zoo.list_models("paper") if arguments.models == "all" else arguments.models.split(","):
        network = zoo.create_model(name).eval()
        samples: dict[str, list[float]] = {form: [] for form in forms(name)}
        expected = None
        for index in range(WARM_UP + arguments.rounds):
            for form, patches in forms(name).items():
                with contextlib.ExitStack() as stack, torch.inference_mode():
                    for target, attribute, value in patches:
                        stack.enter_context(mock.patch.object(target, attribute, value))
                    output, taken = once(functools.partial(network, image))
                if index >= WARM_UP:
                    samples[form].append(taken)
                expected = output if expected is None else expected
                torch.testing.assert_close(output, expected, rtol=1e-3, atol=1e-4 * float(expected.abs().max()))
        first = statistics.median(next(iter(samples.values())))
        before = first
        for form, sample in samples.items():
            median = statistics.median(sample)
            print(
                f"{name:27} {form:36} {1e3 * median:7.2f} ms  {median / before:5.2f} x the row above"
                f"  {median / first:5.2f} x the first",
                flush=True,
            )
            before = median


if __name__ == "__main__":
    main()
