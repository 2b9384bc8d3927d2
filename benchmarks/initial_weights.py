"""How fast networks learn a few crops by heart, from PyTorch's initial weights and from bench.train's.

    python benchmarks/initial_weights.py [NAME ...]

Prints the share of joints found (bench.codecs.losses.heatmap_accuracy) of 32 portraits of 128x96, step by step: Adam,
5e-4 after 40 steps of linear warm-up, the paper's loss, no validation.
"""

import argparse

import torch
from torch import Tensor

import zoo
from bench.codecs.losses import heatmap_accuracy, heatmap_loss
from bench.core.output_kinds import KINDS
from bench.data import normalise
from bench.data.synthetic import SyntheticDataset
from bench.train.initial import initialise
from bench.train.recipe import make_recipe
from bench.train.samples import Samples

SIZE, PEOPLE, LR, WARMUP = (128, 96), 32, 5e-4, 40
STEPS = (25, 50, 75, 100, 150)
Heatmaps = tuple[Tensor, Tensor, Tensor]  # crops, targets, weights


def people() -> Heatmaps:
    recipe = make_recipe("light", "net", "", KINDS["heatmap"], SIZE)
    samples = Samples(SyntheticDataset(PEOPLE, 0, "portraits"), SIZE, recipe, 0)
    images, targets, weights = zip(*(samples[0, index] for index in range(PEOPLE)), strict=True)
    return torch.stack(images), torch.stack([one for one in targets if isinstance(one, Tensor)]), torch.stack(weights)


def learn(name: str, batch: Heatmaps, *, ours: bool) -> list[float]:
    images, targets, weights = batch
    torch.manual_seed(0)
    network = zoo.create_model(name).train()
    if ours:
        initialise(network, 0)
    optimizer = torch.optim.Adam(network.parameters())
    found = []
    for step in range(1, STEPS[-1] + 1):
        optimizer.param_groups[0]["lr"] = LR * min(1, step / WARMUP)
        prediction = network(normalise(images))
        loss = heatmap_loss(prediction, targets, weights, "x")
        optimizer.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimizer.step()
        if step in STEPS:
            found.append(float(heatmap_accuracy(prediction.detach(), targets, weights)))
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=zoo.list_models("paper"), metavar="NAME")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    batch = people()
    print("network, initial weights: joints found after", ", ".join(map(str, STEPS)), "steps")
    for name in arguments.models:
        for ours in (False, True):
            shares = " ".join(f"{share:5.2f}" for share in learn(name, batch, ours=ours))
            print(f"{name:28} {'ours' if ours else 'PyTorch':8} {shares}", flush=True)


if __name__ == "__main__":
    main()
