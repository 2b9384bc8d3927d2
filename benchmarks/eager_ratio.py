"""How long each network takes beside torchvision's MobileNetV2 features, eager, on a CPU.

    python benchmarks/eager_ratio.py [--models all|newer] [--rounds 60] [--threads 2]

Prints the median latency of each network and its ratio to the median of
``torchvision.models.mobilenet_v2().features``, the two timed alternately, and beside it the same
ratio of the published implementations (tests/reference/speed.json). A ratio carries over to
another machine better than milliseconds do.

Of the newer networks no such measurement exists. Their third form in the turns is the plain one: the
operator calls that the published code makes, on the same weights (``released_ratio.RELEASED``), and it must
agree with the zoo's to rounding. What is printed is how many times as long it takes.
"""

import argparse
import functools
import json
import math
import statistics
from pathlib import Path

import torch
import torchvision  # type: ignore[import-untyped]
from released_ratio import RELEASED  # type: ignore[import-not-found]
from torch.utils._pytree import tree_leaves

import zoo
from bench.data import photograph
from bench.random_weights import enliven
from bench.timing.clock import Inference, time_in_turns, warm_up
from bench.timing.parity import TOLERANCE, difference

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


class AsReleased(torch.nn.Module):
    """A network with the operators of its publishers, on the same weights."""

    def __init__(self, network: torch.nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: torch.Tensor) -> object:
        # By hand, because ``mock.patch`` takes long enough to be seen in the times.
        before = [getattr(target, attribute) for target, attribute, _ in RELEASED]
        try:
            for target, attribute, value in RELEASED:
                setattr(target, attribute, value)
            return self.network(image)
        finally:
            for (target, attribute, _), value in zip(RELEASED, before, strict=True):
                setattr(target, attribute, value)


def compare_newer(name: str, image: torch.Tensor, calibrator: torch.nn.Module, rounds: int) -> str:
    """A newer network beside its plain transcription, in turns."""
    network = enliven(zoo.create_model(name), 0).eval()
    released = AsReleased(network).eval()
    with torch.inference_mode():
        outputs = [tree_leaves(one(image)) for one in (network, released)]
    ours, theirs = ([leaf.numpy() for leaf in leaves] for leaves in outputs)
    gap = difference(ours, theirs)
    if gap > TOLERANCE["fp32"]:
        raise SystemExit(f"{name}: the plain form differs by {gap:.2g} of the largest output")
    own, plain, base = alternate([network, released, calibrator], image, rounds)
    return f"{name:30} {1e3 * own:7.2f} {1e3 * base:14.2f} {own / base:6.2f}  as released x {plain / own:.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description="Eager CPU latency as a ratio to torchvision's MobileNetV2 features.")
    parser.add_argument("--models", default="all", help="names with commas between, all or newer")
    parser.add_argument("--rounds", type=int, default=60)
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    groups = {"all": "paper", "newer": "newer"}
    given = arguments.models
    names = zoo.list_models(groups[given]) if given in groups else given.split(",")
    published = json.loads(PUBLISHED.read_text())["ratio"]
    calibrator = torchvision.models.mobilenet_v2(weights=None).features.eval()
    image = photograph((256, 192))
    print(f"{'network':30} {'ms':>7} {'calibrator ms':>14} {'ratio':>6}  published ratio, two runs")
    for name in names:
        if name in zoo.list_models("newer"):
            print(compare_newer(name, image, calibrator, arguments.rounds), flush=True)
            continue
        network = zoo.create_model(name).eval()
        own, base = alternate([network, calibrator], image, arguments.rounds)
        known = ", ".join(f"{ratio:.2f}" for ratio in published.get(name, []))
        print(f"{name:30} {1e3 * own:7.2f} {1e3 * base:14.2f} {own / base:6.2f}  {known}", flush=True)


if __name__ == "__main__":
    main()
