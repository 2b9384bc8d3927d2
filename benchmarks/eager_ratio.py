"""How long each network takes beside torchvision's MobileNetV2 features, eager, on a CPU.

    python benchmarks/eager_ratio.py [--models all] [--rounds 60] [--threads 2]

Prints the median latency of each network and its ratio to the median of
``torchvision.models.mobilenet_v2().features``, the two timed alternately, and beside it the same
ratio of the published implementations (tests/reference/speed.json). A ratio carries over to
another machine better than milliseconds do.
"""

import argparse
import functools
import json
import math
import statistics
from pathlib import Path

import torch
import torchvision  # type: ignore[import-untyped]

import zoo
from bench.data import photograph
from bench.timing.clock import Inference, time_in_turns, warm_up

PUBLISHED = Path(__file__).parents[1] / "tests" / "reference" / "speed.json"
WARM_UP = 8


def alternate(networks: list[torch.nn.Module], image: torch.Tensor, rounds: int) -> list[float]:
    """The median of each network's seconds, after a few rounds that do not count."""
    runs = [Inference(functools.partial(network, image)) for network in networks]
    with torch.inference_mode():
        for run in runs:
            warm_up(run, WARM_UP)
        found = time_in_turns(runs, turns=rounds, rounds=1, skipped=0, budget_s=math.inf, give_up=math.inf)
    return [statistics.median(sample) for sample in found]


def main() -> None:
    parser = argparse.ArgumentParser(description="Eager CPU latency as a ratio to torchvision's MobileNetV2 features.")
    parser.add_argument("--models", default="all", help="names with commas between, or all")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    names = zoo.list_models("paper") if arguments.models == "all" else arguments.models.split(",")
    published = json.loads(PUBLISHED.read_text())["ratio"]
    calibrator = torchvision.models.mobilenet_v2(weights=None).features.eval()
    image = photograph((256, 192))
    print(f"{'network':30} {'ms':>7} {'calibrator ms':>14} {'ratio':>6}  published ratio, two runs")
    for name in names:
        network = zoo.create_model(name).eval()
        own, base = alternate([network, calibrator], image, arguments.rounds)
        known = ", ".join(f"{ratio:.2f}" for ratio in published.get(name, []))
        print(f"{name:30} {1e3 * own:7.2f} {1e3 * base:14.2f} {own / base:6.2f}  {known}", flush=True)


if __name__ == "__main__":
    main()
