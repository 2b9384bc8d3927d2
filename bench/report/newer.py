"""What the publishers of the newer networks print, digits kept as text."""

import csv
import functools
from decimal import Decimal

from bench.report.paper import FOLDER
from zoo.registry import list_models
from zoo.weights.catalogue import Entry, published_figures


@functools.cache
def names() -> tuple[str, ...]:
    """The networks of after the paper."""
    return tuple(list_models("newer"))


@functools.cache
def costs() -> tuple[dict[str, str], ...]:
    """Parameters and multiply-adds by network and input."""
    with (FOLDER / "newer.csv").open(newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))


def cost(model: str, size: str) -> dict[str, str]:
    """What is printed of a network at an input size; empty where nothing is."""
    return next((row for row in costs() if (row["model"], row["input"]) == (model, size)), {})


def figures(model: str, size: str, dataset: str) -> list[Entry]:
    """The accuracy of its checkpoints and where only figures were published, those trained on the set itself first."""
    found = [one for one in published_figures() if (one.model, one.input, one.dataset) == (model, size, dataset)]
    return sorted(found, key=lambda one: one.training_data != dataset.upper())


def percent(entry: Entry, metric: str) -> str:
    """A metric of a checkpoint in percent, with one decimal, as the paper prints it; empty where it is not given."""
    value = dict(part.split("=") for part in entry.metrics).get(metric)
    return f"{Decimal(value) * 100:.1f}" if value else ""
