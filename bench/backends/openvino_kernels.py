"""Chooses, by timing, the OpenVINO kernels that convolutions run in.

OpenVINO takes the first usable kernel of a fixed order; in newer versions that is brgemm, with channels innermost. Its
older kernels, with channels in blocks, are faster for some networks and slower for others. A layer of the ``xml`` file
may name a preferred kernel; if that does not exist on a processor or for a layer, OpenVINO takes its usual one.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import shutil
import statistics
import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.backends.session import Session
from bench.timing.clock import time_in_turns

ROUNDS, SKIPPED, TURNS = 6, 2, 10
BUDGET_S = 8.0  # for the trials of one network
KINDS = ("depthwise", "pointwise", "other")
# Kinds of convolutions that get older kernels; the first form, without any, is always tried.
CANDIDATES: tuple[tuple[str, ...], ...] = (("depthwise", "pointwise"), KINDS)


def keep_fastest(path: Path, images: np.ndarray, load: Callable[[Path], Session]) -> None:
    """Rewrite a model's ``xml`` so that it runs in the fastest kernels on this machine.

    A form far slower than the best, as one without vector instructions is, is dropped after its first inference.

    Args:
        path: the ``xml`` file, with its ``bin`` file beside it.
        images: the input to time on, float32 ``[N, 3, H, W]``.
        load: opens a file.
    """
    # Separate files, because the weights are memory-mapped from them.
    files = [path, *(path.with_name(f"{path.stem}-{number}.xml") for number, _ in enumerate(CANDIDATES))]
    for file, kinds in zip(files[1:], CANDIDATES):
        prefer(path, kinds).write(file)
        shutil.copy(path.with_suffix(".bin"), file.with_suffix(".bin"))
    sessions = [load(file) for file in files]
    seconds = time_in_turns(
        [session.bind(images) for session in sessions], turns=TURNS, rounds=ROUNDS, skipped=SKIPPED, budget_s=BUDGET_S
    )
    for session in sessions:
        session.close()
    medians = [statistics.median(taken) for taken in seconds]
    files[medians.index(min(medians))].replace(path)
    for file in files[1:]:
        if file.exists():
            file.unlink()
        file.with_suffix(".bin").unlink()


def prefer(path: Path, kinds: tuple[str, ...]) -> ET.ElementTree[ET.Element]:
    """The model, with older kernels preferred for all convolutions of these kinds."""
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
    """The choice, for records."""
    layers = [layer for layer in ET.parse(path).iter("layer") if _kind(layer)]
    count = sum(layer.find("rt_info/attribute[@name='primitives_priority']") is not None for layer in layers)
    return f"{count} of {len(layers)} convolutions in older kernels"


def _names() -> dict[str, str]:
    isa = "avx512" if "avx512f" in processor_features() else "avx2"
    return {"depthwise": f"jit_{isa}_dw", "pointwise": f"jit_{isa}_1x1", "other": f"jit_{isa}"}


def _kind(layer: ET.Element) -> str:
    """The kind of a convolution; empty for other layers."""
    if layer.get("type") not in ("Convolution", "GroupConvolution"):
        return ""
    # [out, in, kh, kw], or [groups, out / groups, in / groups, kh, kw]
    *channels, height, width = (int(size.text or 0) for size in layer.findall("input/port")[1].findall("dim"))
    if len(channels) == 3:
        return "depthwise" if channels[1:] == [1, 1] else "other"
    return "pointwise" if (height, width) == (1, 1) else "other"


def processor_features() -> set[str]:
    """The processor's feature flags, as Linux lists them; empty on other systems."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return set()
    return {flag for line in lines if line.startswith(("flags", "Features")) for flag in line.partition(":")[2].split()}
