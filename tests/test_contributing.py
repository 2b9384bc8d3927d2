"""Adding something works as CONTRIBUTING says: its examples, each put where it says, are found and run."""

import importlib
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image
from torch import nn

import zoo
from bench.backends import catalogue
from bench.core import metrics
from bench.core.metrics import Metric, printed
from bench.core.results import read
from bench.data import open_dataset, registry
from bench.report import render
from bench.report.measured import Measured
from bench.report.sections import all_sections
from bench.speed import measure
from tests.conftest import ROOT
from zoo import registry as networks

CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text()
EXAMPLES = dict(re.findall(r"```python\n# (\S+)\n(.*?)```", CONTRIBUTING, re.S))


@pytest.fixture(autouse=True)
def _added(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """All examples as if they lay in their folders."""
    caches = (networks._entries, catalogue.catalogue, registry.entries)
    for path, text in EXAMPLES.items():
        place = tmp_path / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        package = importlib.import_module(path.rpartition("/")[0].replace("/", "."))
        monkeypatch.setattr(package, "__path__", [*package.__path__, str(place.parent)])
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for cache in caches:
        cache.cache_clear()
    yield
    for cache in caches:
        cache.cache_clear()
    for path in EXAMPLES:
        sys.modules.pop(path.removesuffix(".py").replace("/", "."), None)


def test_a_network() -> None:
    assert "tiny_pose" in zoo.list_models("newer")
    assert zoo.create_model("tiny_pose", num_joints=5)(torch.zeros(1, 3, 64, 32)).shape == (1, 5, 16, 8)


def test_a_backend() -> None:
    model = nn.Sequential(nn.Conv2d(3, 17, 3, 4, 1), nn.ReLU())
    record = measure(model, torch.rand(1, 3, 64, 32), backend="torchscript", rounds=2, warmup=1)
    assert record.software.runtime.endswith("TorchScript")
    assert 0 <= record.metrics["parity_max_relative"] < 1e-4  # it was compared with eager
    assert measure(model, torch.rand(1, 3, 64, 32), backend="torchscript", rounds=2).metrics["prepare_cached_s"] > 0


def test_a_data_set(tmp_path: Path) -> None:
    (tmp_path / "pictures").mkdir()
    Image.fromarray(np.zeros((40, 30, 3), np.uint8)).save(tmp_path / "pictures" / "a.png")
    person = {
        "id": 1, "image_id": 1, "category_id": 1, "bbox": [5, 5, 20, 30], "area": 300, "iscrowd": 0,
        "keypoints": [9, 9, 2] * 17, "num_keypoints": 17,
    }  # fmt: skip
    told = {
        "images": [{"id": 1, "file_name": "a.png", "width": 30, "height": 40}],
        "annotations": [person],
        "categories": [{"id": 1, "name": "person"}],
    }
    (tmp_path / "ward.json").write_text(json.dumps(told))
    dataset = open_dataset("ward", tmp_path)
    assert (len(dataset), dataset.name, dataset.entry.name) == (1, "ward", "ward")
    assert dataset.load(0)[0].shape == (40, 30, 3)


def test_a_table() -> None:
    measured = Measured(read(ROOT / "results/reference"))
    slowest = min(measured.of_kind("speed"), key=lambda one: one.metrics["fps"])
    (section,) = (one for one in all_sections() if one.key == "slowest")
    table = section.table(measured)
    assert table is not None
    fps = printed(slowest.metrics["fps"], 1, 1)
    assert f"| `{slowest.model}` | **{fps}**" in render.markdown(table, measured)


def test_a_metric(monkeypatch: pytest.MonkeyPatch) -> None:
    (line,) = re.findall(r"^    (Metric\(.*\)),$", CONTRIBUTING, re.M)
    monkeypatch.setattr(metrics, "METRICS", (*metrics.METRICS, eval(line, {"Metric": Metric})))
    metrics.find.cache_clear()
    try:
        assert (metrics.text("warmup_s", 1.234), metrics.heading("warmup_s")) == ("1.23", "s")
    finally:
        metrics.find.cache_clear()
