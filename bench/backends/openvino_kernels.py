"""Which of OpenVINO's kernels convolutions run in, chosen by trying.

OpenVINO takes the kernel that comes first in a fixed order, on newer versions those of brgemm with channels innermost.
Its older ones, with channels in blocks, are faster for some networks and slower for others. A layer of the ``xml`` file
may name the kernel that it prefers; where that does not exist on a processor or for a layer, the usual one is taken.
"""

import itertools
import shutil
import statistics
import time
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

ROUNDS, TURNS = 6, 10  # the first two rounds of a turn do not count: they find another candidate's data in the caches
KINDS = ("depthwise", "pointwise", "other")
# Kinds of convolutions that get their older kernels, besides none at all.
CANDIDATES: tuple[tuple[str, ...], ...] = (("depthwise", "pointwise"), KINDS)


def keep_fastest(path: Path, example: Tensor, load: Callable[[Path], Callable[[Tensor], Any]]) -> None:
    """Rewrite a model's ``xml`` so that it runs in what is fastest here, with as many threads as torch uses now.

    Args:
        path: the ``xml`` file, with its ``bin`` file beside it.
        example: what to run it on.
        load: makes a file ready to run.
    """
    # Files of their own: the weights are mapped from them.
    files = [path, *(path.with_name(f"{path.stem}-{number}.xml") for number, _ in enumerate(CANDIDATES))]
    for file, kinds in zip(files[1:], CANDIDATES, strict=True):
        prefer(path, kinds).write(file)
        shutil.copy(path.with_suffix(".bin"), file.with_suffix(".bin"))
    chosen = files[_fastest([load(file) for file in files], example)]
    chosen.replace(path)
    for file in files[1:]:
        file.unlink(missing_ok=True)
        file.with_suffix(".bin").unlink()


def prefer(path: Path, kinds: tuple[str, ...]) -> "ET.ElementTree[ET.Element]":
    """The model with its older kernels preferred by all convolutions of some kinds."""
    tree: ET.ElementTree[ET.Element] = ET.parse(path)
    names = _names()
    for layer in tree.iter("layer"):
        kind = _kind(layer)
        data = layer.find("data")
        if kind in kinds and data is not None:
            told = ET.Element("rt_info")
            ET.SubElement(told, "attribute", name="primitives_priority", version="0", value=f"cpu:{names[kind]}")
            layer.insert(list(layer).index(data) + 1, told)
    return tree


def note(path: Path) -> str:
    """What was chosen, for records."""
    layers = [layer for layer in ET.parse(path).iter("layer") if _kind(layer)]
    count = sum(layer.find("rt_info/attribute[@name='primitives_priority']") is not None for layer in layers)
    return f"{count} of {len(layers)} convolutions in older kernels"


def _names() -> dict[str, str]:
    isa = "avx512" if torch.backends.cpu.get_cpu_capability() == "AVX512" else "avx2"
    return {"depthwise": f"jit_{isa}_dw", "pointwise": f"jit_{isa}_1x1", "other": f"jit_{isa}"}


def _kind(layer: ET.Element) -> str:
    """What kind of convolution a layer is; empty for all else."""
    if layer.get("type") not in ("Convolution", "GroupConvolution"):
        return ""
    # [out, in, kh, kw], or [groups, out / groups, in / groups, kh, kw]
    *channels, height, width = (int(size.text or 0) for size in layer.findall("input/port")[1].findall("dim"))
    if len(channels) == 3:
        return "depthwise" if channels[1:] == [1, 1] else "other"
    return "pointwise" if (height, width) == (1, 1) else "other"


def _fastest(runs: list[Callable[[Tensor], Any]], example: Tensor) -> int:
    """Which one has the lowest median, all taking turns."""
    times: list[list[float]] = [[] for _ in runs]
    for _, (run, taken) in itertools.product(range(TURNS), list(zip(runs, times, strict=True))):
        for index in range(ROUNDS):
            start = time.perf_counter()
            run(example)
            if index >= 2:
                taken.append(time.perf_counter() - start)
    medians = list(map(statistics.median, times))
    return medians.index(min(medians))
