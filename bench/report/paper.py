"""What the paper printed: its tables as data, digits kept as text."""

import csv
import functools
from collections.abc import Iterable
from pathlib import Path

FOLDER = Path(__file__).parent / "paper"
# The network that the ratios of Table V refer to: the paper's own.
BASELINE = "lightweight_mobilenetv3"
# The columns of Tables I to III that hold accuracy, and how they are headed.
COCO = {"ap": "AP", "ap50": "AP50", "ap75": "AP75", "ap_m": "AP(M)", "ap_l": "AP(L)", "ar": "AR"}
MPII = {name: name.capitalize() for name in ("head", "shoulder", "elbow", "wrist", "hip", "knee", "ankle")}
MPII["pckh"] = "PCKh"


@functools.cache
def table(number: int) -> tuple[dict[str, str], ...]:
    """The rows of Table I to VI, every value as printed."""
    with (FOLDER / f"table{number}.csv").open(newline="") as file:
        return tuple(csv.DictReader(line for line in file if not line.startswith("#")))


@functools.cache
def row(number: int, model: str, size: str = "256x192") -> dict[str, str] | None:
    """A network's row in a table, at one input size where the table has several."""
    return next((r for r in table(number) if r["model"] == model and r.get("input", size) == size), None)


@functools.cache
def models() -> tuple[str, ...]:
    """The paper's networks in the order of Table I."""
    return tuple(dict.fromkeys(r["model"] for r in table(1)))


def in_order(found: Iterable[str]) -> tuple[list[str], list[str]]:
    """Networks of the paper in its order, and all others by name."""
    given = set(found)
    return [model for model in models() if model in given], sorted(given.difference(models()))


def method(printed: str) -> str:
    """A method as the paper names it; its "Ours" is not this report's."""
    return "Ours (the paper's)" if printed == "Ours" else printed


def label(model: str) -> str:
    """A network's short name, from Table V where it has one."""
    in_speed_table = row(5, model)
    if in_speed_table:
        return method(in_speed_table["name"])
    in_first_table = row(1, model)
    if in_first_table is None:
        return model
    first, second = in_first_table["method"], in_first_table["backbone"]
    # "Small HRNet" on "HRNet-W16" is Small HRNet-W16.
    return second if first == "SimpleBaseline" else f"{first}{second.removeprefix(first.split()[-1])}"


def taken_from_lite_hrnet(model: str) -> bool:
    """Whether the GFLOPs of a row are the Lite-HRNet paper's, counted with torchstat at 1 G = 2^30."""
    return model == "small_hrnet_w16" or model.startswith("lite_hrnet_")
