"""Training: the loss, what a sample shows, and that nothing is lost, whatever happens."""

import hashlib
import itertools
import json
import logging
import math
import os
import random
import re
import resource
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file
from torch import nn
from torch.utils._pytree import tree_leaves
from torch.utils.data import DataLoader

import zoo
from bench import distributed, models
from bench.accuracy.predicting import evaluate
from bench.codecs.codec import Codec, HeatmapCodec, SimccCodec
from bench.codecs.losses import heatmap_accuracy
from bench.core import results
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.core.record import Record
from bench.core.skeletons import COCO
from bench.data.dataset import Person
from bench.data.synthetic import SyntheticDataset, draw_portrait
from bench.data.synthetic.dataset import coco_dict, file_name
from bench.distributed import launch
from bench.models import build
from bench.report import command as report
from bench.report import curves
from bench.report import training as report_training
from bench.report.measured import Measured
from bench.train import ablations, checkpoint, heatmap_loss
from bench.train.augment import View, half_body, plain_view, random_view, show
from bench.train.bundle import bundle
from bench.train.command import VALIDATION_IMAGES, VALIDATION_SEED, open_data, tell_of_new, world_size
from bench.train.initial import initialise
from bench.train.options import parse
from bench.train.recipe import Recipe, make_recipe
from bench.train.samples import BatchPlan, Samples, start
from bench.train.training import Training, answer, make_network, taken_over
from bench.weights import build_trained, bundled, default_input
from tests.commands import command
from zoo.weights.imagenet import torchvision_mobilenet_v2

main = command("train")
ROOT = Path(__file__).resolve().parents[2]
REFERENCE = json.loads((ROOT / "tests/reference/pipeline.json").read_text())["loss"]
SIZE = (64, 48)

NETWORKS = """
from pathlib import Path

import numpy
import torch
from torch import nn


class Frozen(nn.BatchNorm2d):
    def train(self, mode=True):
        return super().train(False)


class Double(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Sequential(nn.Conv2d(3, 4, 7, 4, 3), Frozen(4), nn.ReLU(), nn.Conv2d(4, 17, 1)).double()

    def forward(self, x):
        return self.net(x.double())


class Bursts(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 17, 4, 4)
        self.register_buffer("steps", torch.zeros((), dtype=torch.int64))

    def forward(self, x):
        self.steps += self.training
        return self.net(x) + (float("nan") if self.steps == 7 else 0)


def drops():
    return nn.Sequential(
        nn.Conv2d(3, 8, 7, 4, 3), nn.BatchNorm2d(8), nn.ReLU(), nn.Dropout(0.2), nn.Conv2d(8, 17, 1)
    )


def small():
    return nn.Conv2d(3, 17, 8, 8)


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.net = nn.Conv2d(3, 17, 4, 4)

    def forward(self, x):
        return self.net(x)


class Tied(Tiny):
    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(17, 17, 1), nn.Conv2d(17, 17, 1)
        self.second.weight = self.first.weight

    def forward(self, x):
        return self.second(self.first(self.net(x)).relu())


class Empty(nn.Module):
    def forward(self, x):
        return x[:, :1, ::4, ::4].expand(-1, 17, -1, -1)


class AllFrozen(Tiny):
    def __init__(self):
        super().__init__()
        self.requires_grad_(False)


class WithoutGradients(Tiny):
    @torch.no_grad()
    def forward(self, x):
        return self.net(x)


class Overwrites(Tiny):
    def forward(self, x):
        values = self.net(x).exp()
        return values.sigmoid() * values.mul_(2)


class Another(Tiny):
    def forward(self, x):
        return (self.net(x), self.net(x)) if self.training else self.net(x)


class Forgets(Tiny):
    def forward(self, x):
        return None if self.training else self.net(x)


class Chance(Tiny):
    def __init__(self):
        super().__init__()
        nn.init.constant_(self.net.bias, numpy.random.default_rng().random())

    def forward(self, x):
        return self.net(x) * (1 + numpy.random.default_rng().random() / 10)


def fetched():
    network = Tiny()
    network.load_state_dict(torch.load(Path(__file__).parent / "own.pt"))
    return network


class Beside(Tiny):
    def get_extra_state(self):
        return {"version": 1}


class Sparse(Tiny):
    def __init__(self):
        super().__init__()
        self.register_buffer("ones", torch.eye(3).to_sparse())


class OneNumber(Tiny):
    def __init__(self):
        super().__init__()
        self.norm = nn.BatchNorm1d(17)

    def forward(self, x):
        maps = self.net(x)
        return maps * self.norm(maps.mean((2, 3)))[:, :, None, None]
"""


@pytest.fixture(scope="module")
def coco(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tiny COCO: 20 drawn people to train on, 3 to validate on."""
    root = tmp_path_factory.mktemp("coco")
    (root / "annotations").mkdir()
    for split, people, seed in (("train2017", 20, 0), ("val2017", 3, 1)):
        (root / split).mkdir()
        pictures = []
        for index in range(people):
            scene = draw_portrait(seed, index)
            cv2.imwrite(str(root / split / file_name(index)), scene.image[:, :, ::-1])
            pictures.append((index, scene.image.shape[1::-1], scene.annotations[:1]))
        content = coco_dict(seed, "portraits", pictures)
        content["info"] = {}
        (root / "annotations" / f"person_keypoints_{split}.json").write_text(json.dumps(content))
    return root


@pytest.fixture
def networks(tmp_path: Path) -> str:
    path = tmp_path / "networks.py"
    path.write_text(NETWORKS)
    return str(path)


@pytest.fixture
def options(coco: Path, tmp_path: Path) -> list[str]:
    """Two epochs of ten steps, a checkpoint every three."""
    return [
        "--dataset", "coco", "--data-root", str(coco), "--input", "64x48", "--epochs", "2", "--batch", "2",
        "--checkpoint-every", "3", "--validate-every", "1", "--workers", "1", "--threads", "1", "--device", "cpu",
        "--results", str(tmp_path / "results"), "--quiet",
    ]  # fmt: skip


pytestmark = pytest.mark.filterwarnings("ignore:person_keypoints")


def only(folder: Path, name: str) -> Path:
    """The file of this name of the one training in a folder."""
    (path,) = folder.glob(f"*/{name}")
    return path


def run_command(*arguments: str, launcher: tuple[str, ...] = ()) -> subprocess.CompletedProcess[str]:
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    return subprocess.run(
        [sys.executable, *launcher, "-m", "bench.train", *arguments],
        env=environment, capture_output=True, text=True, timeout=300,
    )  # fmt: skip


def said(done: subprocess.CompletedProcess[str]) -> int:
    """How many lines a command said, but for the warnings that the data set is not COCO's own."""
    return sum(not line.startswith("warning: person_keypoints") for line in done.stderr.splitlines())


# ------------------------------------------------------------------------------------ loss


@pytest.mark.parametrize(
    ("kind", "key"),
    [("mse", "mse"), ("none", "mse"), ("x", "weighted_x"), ("2x", "weighted_2x"), ("x^2", "weighted_x2"),
     ("e^x", "weighted_exp")],
)  # fmt: skip
def test_the_loss_is_the_released_one(kind: str, key: str) -> None:
    prediction = torch.from_numpy(np.random.RandomState(9).rand(2, 17, 64, 48))
    target = torch.from_numpy(np.random.RandomState(10).rand(2, 17, 64, 48))
    weight = torch.from_numpy((np.random.RandomState(11).rand(2, 17, 1) > 0.2).astype(np.float64))
    for shape in (weight, weight[..., 0]):
        assert heatmap_loss(prediction, target, shape, kind).item() == pytest.approx(REFERENCE[key], abs=1e-12)


def test_an_unknown_loss_is_named() -> None:
    with pytest.raises(InputError, match=r"unknown loss 'x3': use mse, x, 2x, x\^2, e\^x"):
        heatmap_loss(torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2), torch.ones(1, 1), "x3")


def test_accuracy_counts_labelled_joints_whose_peak_is_near() -> None:
    target = torch.zeros(1, 3, 64, 48)
    target[0, :, 30, 20] = 1
    prediction = torch.zeros(1, 3, 64, 48)
    prediction[0, 0, 33, 20] = 1  # 3 / 64 of the height away
    prediction[0, 1, 30, 23] = 1  # 3 / 48 of the width away
    prediction[0, 2, 0, 0] = 1
    assert heatmap_accuracy(prediction, target, torch.tensor([[1.0, 1.0, 0.0]])) == 0.5
    assert heatmap_accuracy(prediction, target, torch.zeros(1, 3)) == 0


# ---------------------------------------------------------------------------------- recipe


def test_the_paper_recipe() -> None:
    def paper(size: tuple[int, int], **more: Any) -> Recipe:
        return make_recipe("paper", "net", "", KINDS["heatmap"], size, **more)

    recipe = paper((256, 192))
    assert recipe == Recipe()
    steps = 2340
    at = {0: 5e-7, 250: 5e-4 * (0.001 + 0.999 / 2), 499: 5e-4 * (0.001 + 0.999 * 499 / 500), 500: 5e-4}
    at |= {170 * steps - 1: 5e-4, 170 * steps: 5e-5, 200 * steps - 1: 5e-5, 200 * steps: 5e-6, 210 * steps - 1: 5e-6}
    for step, rate in at.items():
        assert recipe.learning_rate(step, steps) == pytest.approx(rate, rel=1e-9)
    assert paper((256, 256), half_body=False).half_body_prob == 0
    assert (paper((256, 256)).sigma, paper((384, 288)).sigma, paper((128, 96)).sigma) == (2, 3, 1)
    short = paper((256, 192), epochs=21)
    assert (short.lr_decay_epoch_1, short.lr_decay_epoch_2) == (17, 20)
    # 21 epochs of 10 steps: the warm-up is a tenth, not longer than the training.
    assert short.learning_rate(20, 10) < 5e-4 == short.learning_rate(21, 10)


# ---------------------------------------------------------------------------- augmentation


@settings(max_examples=60, deadline=None)
@given(
    rotation=st.floats(-80, 80),
    scale=st.floats(0.7, 1.5),
    shift=st.tuples(st.floats(-15, 15), st.floats(-15, 15)),
    mirrored=st.booleans(),
)
def test_joints_follow_the_picture(rotation: float, scale: float, shift: tuple[float, float], mirrored: bool) -> None:
    nose, left, right = 0, 9, 10
    joints = np.zeros((17, 2), np.float32)
    joints[nose], joints[left], joints[right] = (100, 80), (85, 120), (112, 131)
    picture = np.zeros((200, 200, 3), np.uint8)
    for channel, joint in enumerate((nose, left, right)):
        x, y = joints[joint].astype(int)
        layer = np.zeros((200, 200), np.uint8)
        cv2.circle(layer, (int(x), int(y)), 5, 255, -1)
        picture[..., channel] = layer
    view = View(np.array((100.0, 105.0)) + shift, np.array((144.0, 192.0)) * scale, rotation, mirrored)
    image, seen, order = show(picture, joints, view, COCO, (256, 192))
    # A mirrored picture's left wrist is where the person's right one was.
    assert (order[nose], order[left], order[right]) == ((nose, right, left) if mirrored else (nose, left, right))
    for joint in (nose, left, right):
        channel = (nose, left, right).index(order[joint])
        weight = image[..., channel].astype(float)
        ys, xs = np.mgrid[:256, :192]
        found = np.array([(xs * weight).sum(), (ys * weight).sum()]) / weight.sum()
        if (seen[joint] > 15).all() and (seen[joint] < (177, 241)).all():
            np.testing.assert_allclose(seen[joint], found, atol=0.25)


def person(labelled: int = 17) -> Person:
    rng = np.random.default_rng(3)
    joints = np.stack((rng.uniform(50, 90, 17), np.linspace(40, 200, 17)), 1).astype(np.float32)
    visible = np.where(np.arange(17) < labelled, 2, 0).astype(np.float32)
    return Person(1, (40, 30, 60, 180), joints=joints, visible=visible)


def test_random_views_have_the_recipe_s_frequencies() -> None:
    recipe, someone = Recipe(), person()
    whole = random_view(
        someone, COCO, SIZE, replace(recipe, half_body_prob=0, scale_factor=0), np.random.default_rng(0)
    )
    views = [random_view(someone, COCO, SIZE, recipe, np.random.default_rng((1, i))) for i in range(4000)]
    halves = [view for view in views if (view.center != whole.center).any()]
    full = [view for view in views if (view.center == whole.center).all()]
    scales = np.array([view.size_px[0] / whole.size_px[0] for view in full])
    turns = np.array([view.rotation for view in views])
    assert np.mean([view.mirrored for view in views]) == pytest.approx(0.5, abs=0.03)
    assert len(halves) / len(views) == pytest.approx(0.3, abs=0.03)
    assert np.mean(turns != 0) == pytest.approx(0.6, abs=0.03)
    assert np.abs(turns).max() == 80
    assert np.std(turns[turns != 0]) == pytest.approx(37.6, abs=2)  # of N(0, 40) cut to 80
    assert (scales.min(), scales.max()) == (pytest.approx(0.5), pytest.approx(1.5))
    assert np.mean(scales < 0.501) == pytest.approx(0.159, abs=0.03)  # what lies beyond one sigma
    lower = [view for view in halves if view.center[1] > 140]
    assert 1 - len(lower) / len(halves) == pytest.approx(0.69, abs=0.05)


def test_the_light_recipe_shows_people_whole_and_upright() -> None:
    recipe = make_recipe("light", "net", "", KINDS["heatmap"], (128, 96), epochs=20, batch=16, lr=1e-3)
    someone = person()
    assert (recipe.name, recipe.epochs, recipe.batch, recipe.lr, recipe.sigma) == ("light", 20, 16, 1e-3, 1.0)
    views = [random_view(someone, COCO, SIZE, recipe, np.random.default_rng((2, i))) for i in range(500)]
    usual = plain_view(someone, SIZE, recipe)
    assert {view.rotation for view in views} == {0.0}
    assert all((view.center == usual.center).all() for view in views)
    assert np.mean([view.mirrored for view in views]) == pytest.approx(0.5, abs=0.1)
    factors = np.array([view.size_px[0] / usual.size_px[0] for view in views])
    assert (factors.min(), factors.max()) == (pytest.approx(0.75), pytest.approx(1.25))


@pytest.mark.parametrize("name", ["lightweight_mobilenetv3", "simplebaseline_shufflenetv2", "lite_hrnet_18"])
def test_initial_weights_have_their_deviations(name: str) -> None:
    """He's everywhere, small ones in the head, the same for the same seed; heatmaps begin at nearly nothing."""
    network, again = (zoo.create_model(name) for _ in range(2))
    for one in (network, again):
        initialise(one, 3)
    assert all(torch.equal(a, b) for a, b in zip(network.parameters(), again.parameters(), strict=True))
    small = 0
    for module in network.modules():
        if not isinstance(module, (nn.Conv2d, nn.ConvTranspose2d)):
            continue
        assert module.bias is None or not module.bias.any()
        if module.weight.numel() < 1000:  # too few to tell
            continue
        fan_out = module.out_channels * module.kernel_size[0] * module.kernel_size[1]
        in_head = isinstance(module, nn.ConvTranspose2d) or module is network.head.final
        small += in_head
        wanted = 0.001 if in_head else (2 / fan_out) ** 0.5
        assert float(module.weight.detach().std()) == pytest.approx(wanted, rel=0.15)
    assert small == {"lightweight_mobilenetv3": 4, "simplebaseline_shufflenetv2": 4, "lite_hrnet_18": 0}[name]
    assert float(network(torch.rand(2, 3, 64, 64)).detach().abs().mean()) < 0.05


def test_only_what_the_zoo_made_gets_our_initial_weights(tmp_path: Path) -> None:
    """A user's network begins as its factory made it; on a timm backbone, only the head is ours."""
    (tmp_path / "own.py").write_text("from torch import nn\n\n\ndef own():\n    return nn.Conv2d(3, 17, 4, 4)\n")
    run = Training(f"{tmp_path}/own.py:own", None, "scratch", SIZE, 4, "fp32", 0, sync_bn=False, recipe=Recipe())
    assert make_network(run, 17).weight.std() > 0.05  # PyTorch's own
    timm = make_network(replace(run, model="simplebaseline:timm/mobilenetv3_small_050", input=(64, 64)), 17)
    made = build("simplebaseline:timm/mobilenetv3_small_050", seed=0)
    assert all(torch.equal(a, b) for a, b in zip(timm.backbone.parameters(), made.backbone.parameters(), strict=True))
    assert float(timm.head.final.weight.detach().std()) == pytest.approx(0.001, rel=0.2)


def test_bundling_keeps_the_weights_and_the_record(tmp_path: Path) -> None:
    network = zoo.create_model("small_hrnet_w16")
    initialise(network, 1)
    (tmp_path / "done").mkdir()
    zoo.save_weights(network, tmp_path / "done" / "last.safetensors")
    with pytest.raises(InputError, match="is no finished training"):
        bundle(tmp_path / "done", tmp_path)
    (record_file,) = (ROOT / "bench/assets/weights").glob("*.json")
    sha256 = hashlib.sha256((tmp_path / "done" / "last.safetensors").read_bytes()).hexdigest()
    told = Record.model_validate_json(record_file.read_text()).model_copy(
        update={"model": "small_hrnet_w16", "weights_sha256": sha256}
    )
    (tmp_path / "done" / "record.json").write_text(told.to_json())
    path = bundle(tmp_path / "done", tmp_path / "package")
    assert Record.model_validate_json(path.with_suffix(".json").read_text()) == told
    assert path.stat().st_size < 0.6 * (tmp_path / "done" / "last.safetensors").stat().st_size
    other = zoo.create_model("small_hrnet_w16")
    zoo.load_weights(other, path)
    for mine, theirs in zip(network.parameters(), other.parameters(), strict=True):
        assert theirs.dtype == torch.float32
        assert torch.equal(mine.half().float(), theirs)


def test_what_float16_cannot_hold_is_not_bundled(tmp_path: Path) -> None:
    """Nor weights that are not those of the record."""
    network = zoo.create_model("small_hrnet_w16")
    name = next(name for name, _ in network.named_buffers() if name.endswith("running_var"))
    network.get_buffer(name).fill_(1e5)
    zoo.save_weights(network, tmp_path / "last.safetensors")
    (record_file,) = (ROOT / "bench/assets/weights").glob("*.json")
    told = Record.model_validate_json(record_file.read_text())
    (tmp_path / "record.json").write_text(told.to_json())
    with pytest.raises(InputError, match=r"last.safetensors is damaged or not the file that record.json is of"):
        bundle(tmp_path, tmp_path / "package")
    sha256 = hashlib.sha256((tmp_path / "last.safetensors").read_bytes()).hexdigest()
    (tmp_path / "record.json").write_text(told.model_copy(update={"weights_sha256": sha256}).to_json())
    with pytest.raises(InputError, match=rf"{re.escape(name)} holds numbers that float16 cannot"):
        bundle(tmp_path, tmp_path / "package")
    assert not (tmp_path / "package").exists()


def test_the_bundled_weights_have_the_accuracy_of_their_record() -> None:
    """On the scenes that validated their training; float16 may move a joint by a hair."""
    for name, path in bundled().items():
        assert path.stat().st_size <= 7_000_000
        told = Record.model_validate_json(path.with_suffix(".json").read_text())
        assert (told.kind, told.model, told.dataset.split()[0]) == ("train", name, "synthetic")  # type: ignore[union-attr]
        size = tuple(map(int, told.input.split("x")))
        assert default_input("bundled", name, "256x192") == told.input
        scenes = SyntheticDataset(VALIDATION_IMAGES, VALIDATION_SEED, "scenes")
        assert scenes.fingerprint == told.protocol["validation_fingerprint"]
        network = build_trained(name, "bundled", num_joints=17, input_size=told.input).model
        found = evaluate(network, scenes, size, batch=16, workers=1)  # type: ignore[arg-type]
        for metric in ("ap", "ap50", "ar"):
            assert found[metric] == pytest.approx(told.metrics[metric], abs=0.005)


@pytest.mark.parametrize("upper", [True, False])
def test_half_a_body_holds_its_joints(upper: bool) -> None:
    someone = person()
    view = half_body(someone, COCO, SIZE, Recipe(), upper=upper)
    assert view is not None
    assert someone.joints is not None
    joints = someone.joints[:11] if upper else someone.joints[11:]
    assert (np.abs(joints - view.center) <= view.size_px / 2).all()
    assert view.size_px[0] / view.size_px[1] == pytest.approx(48 / 64)
    assert half_body(person(8), COCO, SIZE, Recipe(), upper=upper) is None
    # Nine labelled joints, all of the upper body: there is no lower half to show.
    only_upper = half_body(person(9), COCO, SIZE, Recipe(), upper=upper)
    assert only_upper is not None
    assert only_upper.center == pytest.approx(someone.joints[:9].mean(0))


# --------------------------------------------------------------------------- what is learned from


@settings(max_examples=50, deadline=None)
@given(
    people=st.integers(1, 60), samples=st.integers(8, 60), epochs=st.integers(1, 4), batch=st.integers(1, 4),
    data=st.data(),
)  # fmt: skip
def test_a_plan_does_not_depend_on_processes_or_interruptions(
    people: int, samples: int, epochs: int, batch: int, data: st.DataObject
) -> None:
    alone = list(BatchPlan(range(people), samples, epochs, 2 * batch, seed=5))
    shares = [list(BatchPlan(range(people), samples, epochs, batch, 5, rank, processes=2)) for rank in (0, 1)]
    assert [first + second for first, second in zip(*shares, strict=True)] == alone
    done = data.draw(st.integers(0, len(alone)))
    assert list(BatchPlan(range(people), samples, epochs, 2 * batch, 5, start=done)) == alone[done:]
    keys = list(itertools.chain(*alone))
    assert len(keys) == epochs * (samples // (2 * batch)) * 2 * batch
    assert len(set(keys)) == len(keys)
    for turn in range(len(keys) // people):
        assert sorted(index for t, index in keys if t == turn) == list(range(people))


HEATMAPS, VECTORS = (HeatmapCodec(SIZE), "x", 17 * 16 * 12), (SimccCodec(SIZE), "kl", 17 * 2 * (64 + 48))


@pytest.mark.parametrize(("codec", "loss", "numbers"), [HEATMAPS, VECTORS])
def test_little_shared_memory_changes_no_sample(
    codec: Codec, loss: str, numbers: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A container has 64 MB of it, in which the workers of the paper's recipe died, sooner or later."""
    plan = BatchPlan(range(4), 4, 1, 2, seed=2)
    samples = Samples(SyntheticDataset(4, 0, "portraits"), SIZE, Recipe(sigma=0.5, loss=loss), 2, codec)
    needed = 7 * 2 * (3 * 64 * 48 + 4 * (17 + numbers))  # four batches ahead, one being made, two in use
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed - 1))
    there, here = (list(start(samples, plan, workers=n, pin=False)) for n in (1, 0))
    for few, many in zip(there, here, strict=True):
        assert not any(one.is_shared() for one in tree_leaves(few))
        assert all(torch.equal(a, b) for a, b in zip(tree_leaves(few), tree_leaves(many), strict=True))
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=needed))
    monkeypatch.setattr(sys.modules["bench.train.samples"], "start_reading", lambda loader: loader)
    assert isinstance(start(samples, plan, workers=1, pin=False), DataLoader)  # as it comes from there


def test_samples_do_not_depend_on_workers() -> None:
    plan = BatchPlan(range(6), 6, 1, 3, seed=2)
    samples = Samples(SyntheticDataset(6, 0, "portraits"), SIZE, Recipe(sigma=SIZE[0] / 128), seed=2)
    here, there = (list(start(samples, plan, workers=n, pin=False)) for n in (0, 2))
    for mine, theirs in zip(here, there, strict=True):
        assert all(torch.equal(a, b) for a, b in zip(mine, theirs, strict=True))
    images, heatmaps, weights = here[0]
    assert (images.shape, images.dtype) == ((3, 64, 48, 3), torch.uint8)
    assert heatmaps.shape == (3, 17, 16, 12)
    assert torch.equal(heatmaps.flatten(2).amax(-1) > 0, weights > 0)


# ------------------------------------------------------------------------- nothing is lost


def test_kill_and_resume_give_the_weights_of_an_uninterrupted_run(
    networks: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options = ["--model", f"{networks}:drops", *options]
    assert main([*options, "--out", str(tmp_path / "whole")]) == 0
    whole = checkpoint.load(only(tmp_path / "whole", "last.pt"))
    assert (whole["state"]["step"], whole["finished"]) == (20, True)

    out = tmp_path / "killed"
    for sitting in (1, 2):
        process = subprocess.Popen(
            [sys.executable, "-m", "bench.train", *options, "--out", str(out), "--resume"],
            env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
        )  # fmt: skip
        deadline = time.monotonic() + 120
        while process.poll() is None and time.monotonic() < deadline:
            found = list(out.glob("*/last.pt"))
            if found and checkpoint.load(found[0])["state"]["step"] >= 3 * (2 * sitting - 1):
                process.send_signal(signal.SIGKILL)
                break
            time.sleep(0.002)
        process.wait()
        assert process.returncode == -signal.SIGKILL
    kept = checkpoint.load(only(out, "last.pt"))["state"]["step"]
    assert 9 <= kept < 20
    assert main([*options, "--out", str(out), "--resume"]) == 0
    again = checkpoint.load(only(out, "last.pt"))

    for key, value in whole["model"].items():
        assert torch.equal(value, again["model"][key]), key
    for mine, theirs in zip(whole["state"]["history"], again["state"]["history"], strict=True):
        for key in ("loss", "accuracy", "ap", "learning_rate"):
            assert mine[key] == theirs[key]
    weights = load_file(only(out, "last.safetensors"))
    assert all(torch.equal(value, whole["model"][key]) for key, value in weights.items())
    assert only(out, "last.safetensors").read_bytes() == only(tmp_path / "whole", "last.safetensors").read_bytes()
    assert cv2.imread(str(only(out, "curve.png"))).std() > 5
    assert only(out, "log.csv").read_text().splitlines()[2].startswith("2,20,")
    assert not list(out.glob("*/.lightpose-*"))

    # The same again: found to be finished, and not recorded a second time.
    before = (tmp_path / "results/train.jsonl").read_text()
    capsys.readouterr()
    assert main([*options, "--out", str(out), "--resume", "--json"]) == 0
    assert (tmp_path / "results/train.jsonl").read_text() == before
    first, second = results.read(tmp_path / "results/train.jsonl")
    assert first.weights_sha256 == second.weights_sha256
    assert first.metrics["samples"] == 40
    assert first.protocol["rot_factor"] == 40
    assert {"ap", "ap50", "ap75", "ar", "best_ap", "train_loss", "samples_per_s", "data_wait_share"} <= set(
        first.metrics
    )


def test_two_processes_are_one_with_twice_the_batch(networks: str, options: list[str], tmp_path: Path) -> None:
    options = ["--model", f"{networks}:Double", *options]
    options[options.index("--batch") + 1] = "4"
    assert main([*options, "--out", str(tmp_path / "one")]) == 0
    options[options.index("--batch") + 1] = "2"
    launcher = ("-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2")
    done = run_command(*options, "--out", str(tmp_path / "two"), launcher=launcher)
    assert done.returncode == 0, done.stderr
    one, two = (checkpoint.load(only(tmp_path / name, "last.pt")) for name in ("one", "two"))
    assert two["run"]["processes"] == 2
    assert one["state"]["step"] == two["state"]["step"] == 10
    for key, value in one["model"].items():
        torch.testing.assert_close(value, two["model"][key], rtol=0, atol=1e-12, msg=key)
    for state in ("exp_avg", "exp_avg_sq"):  # what Adam remembers of the gradients
        for index, held in one["optimizer"]["state"].items():
            torch.testing.assert_close(held[state], two["optimizer"]["state"][index][state], rtol=1e-9, atol=1e-18)
    assert one["state"]["history"][-1]["loss"] == pytest.approx(two["state"]["history"][-1]["loss"], rel=1e-12)


def test_a_loss_that_is_no_number_stops_and_keeps_the_last_good_checkpoint(
    networks: str, options: list[str], tmp_path: Path
) -> None:
    done = run_command("--model", f"{networks}:Bursts", *options, "--out", str(tmp_path / "out"))
    assert done.returncode == 1
    assert said(done) == 1
    last = only(tmp_path / "out", "last.pt")
    assert f"the loss is nan at step 7; {last} keeps step 6, and --resume goes on from there" in done.stderr
    held = checkpoint.load(last)
    assert all(torch.isfinite(value).all() for value in held["model"].values() if value.is_floating_point())
    with pytest.raises(SystemExit) as stopped:
        main(["--model", f"{networks}:Bursts", *options, "--out", str(tmp_path / "out"), "--resume"])
    assert stopped.value.code == 1


def test_a_full_disk_leaves_the_checkpoint_before(
    networks: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--model", f"{networks}:drops", *options]
    assert main([*options, "--out", str(tmp_path / "whole")]) == 0
    save, calls, limits = checkpoint.save, [], resource.getrlimit(resource.RLIMIT_FSIZE)

    def save_on_a_full_disk(path: Path, content: dict[str, object]) -> None:
        calls.append(path)
        if len(calls) == 3:
            resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        save(path, content)

    monkeypatch.setattr(checkpoint, "save", save_on_a_full_disk)
    out = tmp_path / "full"
    try:
        with pytest.raises(
            InputError, match=r"last.pt cannot be written after step 9 \(File too large\); .* keeps step 6"
        ):
            main([*options, "--out", str(out)])
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert checkpoint.load(only(out, "last.pt"))["state"]["step"] == 6
    assert not list(out.glob("*/.lightpose-*"))
    monkeypatch.undo()
    assert main([*options, "--out", str(out), "--resume"]) == 0
    assert only(out, "last.safetensors").read_bytes() == only(tmp_path / "whole", "last.safetensors").read_bytes()


def test_a_worker_that_dies_is_told_of(
    networks: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load, mother = Samples.__getitem__, os.getpid()

    def die(self: Samples, key: tuple[int, int]) -> object:
        if os.getpid() != mother and key[0] == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        return load(self, key)

    monkeypatch.setattr(Samples, "__getitem__", die)
    with pytest.raises(InputError, match=r"worker process that makes samples died: .* keeps step \d+"):
        main(["--model", f"{networks}:drops", *options, "--epochs", "3", "--out", str(tmp_path / "out")])
    assert checkpoint.load(only(tmp_path / "out", "last.pt"))["state"]["step"] > 0


def test_a_picture_that_is_gone_is_named(networks: str, options: list[str], coco: Path, tmp_path: Path) -> None:
    root = tmp_path / "gone"
    shutil.copytree(coco, root)
    options = ["--model", f"{networks}:drops", *options, "--data-root", str(root), "--out", str(tmp_path / "out")]
    picture = root / "train2017" / file_name(7)
    picture.write_bytes(picture.read_bytes()[:1000])
    done = run_command(*options)
    assert (done.returncode, said(done)) == (2, 1)
    assert re.search(rf"^error: [^;]*{file_name(7)}[^;]*; .*out", done.stderr, re.MULTILINE)
    for split in ("train", "val"):  # no training is to come to it after days
        (root / f"{split}2017" / file_name(0)).rename(root / "aside")
        with pytest.raises(
            InputError, match=rf"coco_{split}2017 .*: there is no picture {file_name(0)}: training needs"
        ):
            main(options)
        (root / "aside").rename(root / f"{split}2017" / file_name(0))


def test_a_training_goes_on_when_the_picture_is_mended_that_ended_it(
    networks: str, options: list[str], coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """It was "another training", as the picture's size is part of what identifies a data set."""
    root = tmp_path / "mended"
    shutil.copytree(coco, root)
    options = ["--model", f"{networks}:drops", *options, "--data-root", str(root), "--out", str(tmp_path / "out")]
    for split, which in (("train2017", 7), ("val2017", 2)):
        picture = root / split / file_name(which)
        whole = picture.read_bytes()
        picture.write_bytes(whole[:1000])
        with pytest.raises(InputError, match=rf"{file_name(which)} .*; .* (--resume goes on|keeps nothing yet)"):
            main([*options, "--resume"])
        picture.write_bytes(whole)
    capsys.readouterr()
    assert main([*options, "--resume"]) == 0
    said = " ".join(capsys.readouterr().err.split())
    assert "warning: coco_val2017 (3 pictures): pictures have other sizes in bytes than when" in said
    assert main([*options[:-4], "--data-root", str(coco), *options[-2:], "--resume"]) == 0  # the very same
    annotations = root / "annotations/person_keypoints_train2017.json"
    annotations.write_text(annotations.read_text().replace('"iscrowd": 0', '"iscrowd":  0', 1))
    with pytest.raises(InputError, match="another training \\(data set's fingerprint"):
        main([*options, "--resume"])


def test_an_interruption_says_what_is_kept(
    networks: str, options: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = sys.modules["bench.train.engine"].next_batch
    taken = itertools.count(1)

    def interrupted(*batches: object) -> object:
        if next(taken) == 5:
            raise KeyboardInterrupt
        return real(*batches)

    monkeypatch.setattr("bench.train.engine.next_batch", interrupted)
    with pytest.raises(
        KeyboardInterrupt, match=r"interrupted after step 4; .*last.pt keeps step 3, and --resume goes on"
    ):
        main(["--model", f"{networks}:drops", *options, "--out", str(tmp_path / "out")])


def test_annotations_given_as_files_train_the_same_weights(
    networks: str, options: list[str], coco: Path, tmp_path: Path
) -> None:
    """An export of a tool: any name, any folder, a category of its own."""
    files = []
    for split in ("train2017", "val2017"):
        content = json.loads((coco / f"annotations/person_keypoints_{split}.json").read_text())
        content["categories"] = [content["categories"][0] | {"name": "athlete"}, {"id": 2, "name": "ball"}]
        files.append(tmp_path / f"export {split}.json")
        files[-1].write_text(json.dumps(content))
    options[options.index("--epochs") + 1] = "1"
    common = ["--model", f"{networks}:drops"]
    assert main([*common, *options, "--out", str(tmp_path / "folder")]) == 0
    at = options.index("--data-root")
    rest = [option for option in options[:at] + options[at + 2 :] if option not in ("--dataset", "coco")]
    exported = [
        *common, *rest, "--annotations", str(files[0]), "--images", str(coco / "train2017"), "--val-annotations",
        str(files[1]), "--val-images", str(coco / "val2017"), "--category", "athlete", "--out", str(tmp_path / "files"),
    ]  # fmt: skip
    assert main(exported) == 0
    by_folder, by_files = results.read(tmp_path / "results")
    assert by_files.weights_sha256 == by_folder.weights_sha256
    assert {name: value for name, value in by_files.metrics.items() if name.startswith(("ap", "ar"))} == {
        name: value for name, value in by_folder.metrics.items() if name.startswith(("ap", "ar"))
    }
    assert by_files.dataset == "export train2017 (20 pictures)"
    assert (tmp_path / "files" / "networks-drops_x_export-train2017_64x48_seed0").is_dir()
    for wrong, says in (
        (["--data-root", str(coco)], "takes the place of --data-root"), (["--category", "horse"], "horse"),
        (["--dataset", "mpii"], "--annotations, --category and --subset go with COCO's"),
    ):  # fmt: skip
        with pytest.raises(InputError, match=says):
            main([*exported, *wrong])
    at = exported.index("--val-annotations")
    with pytest.raises(InputError, match="--annotations needs --val-annotations FILE"):
        main(exported[:at] + exported[at + 2 :])
    with pytest.raises(InputError, match="--images goes with --annotations FILE"):
        main([*common, *options, "--images", str(coco)])


# --------------------------------------------------------------------------------- bad input


def test_a_checkpoint_of_another_training_is_refused(networks: str, options: list[str], tmp_path: Path) -> None:
    options = ["--model", f"{networks}:drops", *options, "--out", str(tmp_path / "out")]
    options[options.index("--epochs") + 1] = "1"
    assert main(options) == 0
    with pytest.raises(InputError, match=r"holds a training: --resume goes on with it, another --out starts anew"):
        main(options)
    with pytest.raises(
        InputError, match=r"another training \(init scratch there, (.*) here; lr 0.0005 there, 0.001 here\)"
    ):
        main([*options, "--resume", "--lr", "1e-3", "--init", str(only(tmp_path / "out", "last.safetensors"))])
    last = only(tmp_path / "out", "last.pt")
    (tmp_path / "networks.py").write_text(NETWORKS.replace("8", "9"))
    last.write_bytes(last.read_bytes()[:1000])
    with pytest.raises(InputError, match=r"last.pt is not a checkpoint that can be read"):
        main([*options, "--resume"])


def test_two_trainings_into_one_folder_are_refused(networks: str, options: list[str], tmp_path: Path) -> None:
    arguments = ["--model", f"{networks}:drops", *options, "--out", str(tmp_path / "out"), "--resume"]
    first = subprocess.Popen(
        [sys.executable, "-m", "bench.train", *arguments, "--samples", "2000"],
        env=os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}, stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        while first.poll() is None and not list(tmp_path.glob("out/*/last.pt")):
            time.sleep(0.05)
        with pytest.raises(
            InputError, match=r"at work in .*out \(networks-drops_x_coco_64x48_seed0\): .* another --out"
        ):
            main([*arguments, "--samples", "2000"])
    finally:
        first.kill()
        first.wait()


def test_what_cannot_be_trained_is_said_beforehand(
    networks: str, options: list[str], coco: Path, tmp_path: Path
) -> None:
    def fails(match: str, *more: str, model: str = f"{networks}:drops") -> None:
        with pytest.raises(InputError, match=match):
            main(["--model", model, *options, "--out", str(tmp_path / "out"), *more])
        assert not (tmp_path / "out").exists()

    fails("--precision fp16 needs a CUDA device", "--precision", "fp16")
    fails("--sync-bn needs CUDA devices", "--sync-bn")
    fails("batch of 21 in each of 1 processes is larger than an epoch of 20 samples", "--batch", "21")
    fails("invalid choice: 'l7'", "--loss", "l7")
    fails("--loss l1 is for others: give --loss x or mse", "--loss", "l1")
    fails("'nan' is not a learning rate: give a number from 1e-09 to 10", "--lr", "nan")
    fails("--attention is for lightweight heads", "--attention", "se")
    fails(r"gives \(1, 17, 8, 6\) for one input of 64x48: \(1, 17, 16, 12\) is needed", model=f"{networks}:small")
    broken = tmp_path / "unlabelled"
    (broken / "annotations").mkdir(parents=True)
    for split in ("train2017", "val2017"):
        (broken / split).symlink_to(coco / split)
        content = json.loads((coco / f"annotations/person_keypoints_{split}.json").read_text())
        for annotation in content["annotations"]:
            annotation |= {"keypoints": [0] * 51, "num_keypoints": 0}
        (broken / f"annotations/person_keypoints_{split}.json").write_text(json.dumps(content))
    fails("nobody to look at", "--data-root", str(broken))
    done = run_command("--model", f"{networks}:drops", *options, "--precision", "fp16")
    assert (done.returncode, said(done)) == (2, 1)


def test_what_cannot_learn_is_said_before_any_work(networks: str, options: list[str], tmp_path: Path) -> None:
    """Of every network of a command: the last of them would fail hours later."""
    for name, says, *more in (
        ("Empty", "nothing to learn"),
        ("AllFrozen", "nothing to learn: no parameter that its output depends on takes a gradient"),
        ("WithoutGradients", "nothing to learn"),
        ("Overwrites", "cannot be trained: RuntimeError: .*modified by an inplace operation"),
        ("Another", r"gives \(2, 17, 16, 12\) and \(2, 17, 16, 12\) in training mode: \(2, 17, 16, 12\) is needed"),
        ("Forgets", r"gives NoneType in training mode: \(2, 17, 16, 12\) is needed"),
        ("Beside", "keeps _extra_state beside its weights, which is no dense tensor"),
        ("Sparse", "keeps ones beside its weights, which is no dense tensor"),
        ("OneNumber", "cannot be trained: ValueError: Expected more than 1 value per channel", "--batch", "1"),
    ):
        models = f"{networks}:Tiny,{networks}:{name}"
        with pytest.raises(InputError, match=rf"networks.py:{name}:? .*{says}"):
            main(["--models", models, *options, *more, "--out", str(tmp_path / "out")])
        assert not (tmp_path / "out").exists()


def test_tied_weights_are_trained_and_kept(networks: str, options: list[str], tmp_path: Path) -> None:
    options = ["--model", f"{networks}:Tied", *options, "--out", str(tmp_path / "out")]
    options[options.index("--epochs") + 1] = "1"
    assert main(options) == 0
    kept = load_file(only(tmp_path / "out", "last.safetensors"))
    assert torch.equal(kept["first.weight"], kept["second.weight"])
    network = build(f"{networks}:Tied")
    zoo.load_weights(network, only(tmp_path / "out", "last.safetensors"))
    assert torch.equal(network.second.weight, kept["first.weight"])


def test_one_training_is_not_taken_for_another(networks: str, options: list[str], coco: Path, tmp_path: Path) -> None:
    """Files of one name in two folders, and other people to validate on: both were "finished before"."""
    (tmp_path / "other").mkdir()
    other = tmp_path / "other" / "networks.py"
    other.write_text(
        NETWORKS.replace("nn.Conv2d(3, 8, 7, 4, 3), nn.BatchNorm2d(8)", "nn.Conv2d(3, 8, 5, 4, 2), nn.BatchNorm2d(8)")
    )
    options[options.index("--epochs") + 1] = "1"
    options += ["--out", str(tmp_path / "out")]
    with pytest.raises(InputError, match=r"drops and .*drops would both be trained into networks-drops_x_coco"):
        main(["--models", f"{networks}:drops,{other}:drops", *options])
    assert not (tmp_path / "out").exists()
    assert main(["--model", f"{networks}:drops", *options]) == 0
    with pytest.raises(InputError, match=r"another training \(tensors 9 of [\d,]+ numbers .* there, 9 of .* here\)"):
        main(["--model", f"{other}:drops", *options, "--resume"])
    root = tmp_path / "coco"
    shutil.copytree(coco, root)
    listed = root / "annotations/person_keypoints_val2017.json"
    content = json.loads(listed.read_text())
    content["annotations"].pop()
    listed.write_text(json.dumps(content))
    with pytest.raises(InputError, match=r"another training \(validation's fingerprint"):
        main(["--model", f"{networks}:drops", *options, "--data-root", str(root), "--resume"])
    last = only(tmp_path / "out", "last.pt")
    older = checkpoint.load(last)
    for key in ("tensors", "validation", "validation's fingerprint"):
        del older["run"][key]
    checkpoint.save(last, older)
    assert main(["--model", f"{networks}:drops", *options, "--resume"]) == 0


def test_a_network_that_computes_something_else_is_another_training(
    networks: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The names and shapes of its tensors may be the same; and what does not change its answers may change."""
    options[options.index("--epochs") + 1] = "1"
    options = ["--model", f"{networks}:drops", *options, "--samples", "4", "--out", str(tmp_path / "out"), "--resume"]
    assert main(options) == 0
    last = only(tmp_path / "out", "last.pt")
    unfinished = checkpoint.load(last) | {"finished": False}
    layers = "nn.Conv2d(3, 8, 7, 4, 3), nn.BatchNorm2d(8), nn.ReLU()"
    assert layers in NETWORKS

    def source(text: str) -> None:
        Path(networks).write_text(text)
        models._network_sha256.cache_clear()

    changes = (
        ("ReLU", "LeakyReLU"), ("ReLU", "SiLU"), ("4, 3", "4, 6, 2"), ("4, 3", "4, 3, padding_mode='reflect'"),
        ("Norm2d(8)", "Norm2d(8, eps=1)"),
    )  # fmt: skip
    for finished in (True, False):
        if not finished:
            checkpoint.save(last, unfinished)
        for old, new in changes if finished else changes[:1]:
            source(NETWORKS.replace(layers, layers.replace(old, new)))
            with pytest.raises(InputError, match=r"last.pt is of another training \(.*drops computes something else"):
                main(options)
    capsys.readouterr()
    source(f"{NETWORKS}# as it was\n")
    assert main(options) == 0
    assert "its source has changed since" in " ".join(capsys.readouterr().err.split())
    older = {key: value for key, value in unfinished.items() if key not in ("answer", "sources")}
    checkpoint.save(last, older)
    source(NETWORKS.replace(layers, layers.replace("ReLU", "SiLU")))
    assert main(options) == 0
    assert "its source has changed since" not in " ".join(capsys.readouterr().err.split())


def test_looking_at_a_network_changes_nothing_of_its_training() -> None:
    """Checkpoints are written at other steps in a training that was interrupted."""

    class Draws(nn.Module):
        drawn = 0.0

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            self.drawn = random.random() + np.random.random() + float(torch.rand(()))
            return x * (2 if self.training else 1)

    network = Draws()
    before = checkpoint.rng_state()
    assert len(answer(network, SIZE, "own")) == 256
    assert network.drawn
    assert network.training
    after = checkpoint.rng_state()
    assert torch.equal(before.pop("torch"), after.pop("torch"))
    assert before == after


def test_weights_that_a_factory_reads_belong_to_its_training(networks: str, options: list[str], tmp_path: Path) -> None:
    options[options.index("--epochs") + 1] = "1"
    options += ["--samples", "2", "--out", str(tmp_path / "out"), "--resume"]
    first, second = (build(f"{networks}:Tiny", seed=seed).state_dict() for seed in (1, 2))
    torch.save(first, tmp_path / "own.pt")
    assert main(["--model", f"{networks}:fetched", *options]) == 0
    torch.save(second, tmp_path / "own.pt")
    with pytest.raises(InputError, match=r"another training \(factory's weights \w{16} there, \w{16} here\)"):
        main(["--model", f"{networks}:fetched", *options])
    torch.save(first, tmp_path / "own.pt", _use_new_zipfile_serialization=False)
    assert main(["--model", f"{networks}:fetched", *options]) == 0
    for _ in range(2):  # weights and answers that nothing repeats are no reason to refuse
        assert main(["--model", f"{networks}:Chance", *options]) == 0


def test_a_replaced_file_of_initial_weights_is_another_training(
    networks: str, options: list[str], tmp_path: Path
) -> None:
    """What was taken over counts, not the name of the file or how it is written."""
    file, name = tmp_path / "initial.pt", f"{networks}:drops"
    options[options.index("--epochs") + 1] = "1"
    options = ["--model", name, *options, "--samples", "2", "--init", str(file), "--out", str(tmp_path / "out")]
    first, second = (build(name, seed=seed).state_dict() for seed in (1, 2))
    torch.save(first, file)
    assert main(options) == 0
    torch.save(second, file)
    with pytest.raises(InputError, match=r"another training \(initial weights \w{16} there, \w{16} here\)"):
        main([*options, "--resume"])
    torch.save({"state_dict": {f"module.{key}": value for key, value in first.items()}}, file)
    assert main([*options, "--resume"]) == 0
    last = only(tmp_path / "out", "last.pt")
    older = checkpoint.load(last)
    del older["run"]["initial weights"]
    checkpoint.save(last, older)
    torch.save(second, file)
    assert main([*options, "--resume"]) == 0


def test_initial_weights_of_a_backbone_are_told_apart(tmp_path: Path) -> None:
    file = tmp_path / "imagenet.pt"
    run = Training(
        "simplebaseline_mobilenetv2", None, f"imagenet:{file}", (64, 64), 4, "fp32", 0, sync_bn=False, recipe=Recipe()
    )
    backbone = build(run.model, input_size=run.input, seed=1).backbone.state_dict()
    told = []
    for factor in (1, 2, 1):
        torch.save({torchvision_mobilenet_v2(key): factor * value for key, value in backbone.items()}, file)
        network = make_network(run, 17)
        torch.nn.init.ones_(network.head.final.bias)  # the head is not the file's
        told.append(taken_over(run, network))
    assert told[0] == told[2] != told[1]
    assert taken_over(replace(run, init="scratch"), network) == "none"


def test_a_resumed_training_that_starts_anew_is_said(
    networks: str, options: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    options[options.index("--epochs") + 1] = "1"
    options.remove("--quiet")
    out = tmp_path / "out"
    tiny, drops = (out / f"networks-{name}_x_coco_64x48_seed0" for name in ("Tiny", "drops"))

    def told() -> list[str]:
        return [line for line in capsys.readouterr().err.splitlines() if line.startswith("--resume")]

    tiny.mkdir(parents=True)  # there, and nothing in it
    resumed = ["--model", f"{networks}:Tiny", *options, "--samples", "2", "--out", str(out), "--resume"]
    for expected in ([f"--resume: no last.pt to go on from in {tiny}: starts anew"], []):
        assert main(resumed) == 0
        assert told() == expected
    tell_of_new([tiny, drops])
    assert told() == [f"--resume: no last.pt to go on from in {drops}: starts anew"]
    tell_of_new([drops, tiny, out])
    assert told() == [f"--resume: no last.pt to go on from in {drops} and {out}: start anew"]
    tell_of_new([drops] * 5)
    assert told() == [f"--resume: no last.pt to go on from in {drops} and 4 other folders: start anew"]


def test_what_is_damaged_of_a_training_is_named(networks: str, options: list[str], tmp_path: Path) -> None:
    options = ["--model", f"{networks}:drops", *options, "--out", str(tmp_path / "out"), "--resume"]
    options[options.index("--epochs") + 1] = "1"
    assert main(options) == 0
    folder = only(tmp_path / "out", "last.pt").parent
    whole = {path: path.read_bytes() for path in folder.iterdir() if path.is_file()}

    def fails(match: str) -> None:
        with pytest.raises(InputError, match=match):
            main(options)
        for path, content in whole.items():
            path.write_bytes(content)

    for name in ("record.json", "last.safetensors"):
        (folder / name).unlink()
        fails(f"is no finished training: {name} is not there")
    for content in (b"{}", b"", b"\xff", b"[" * 100_000):
        (folder / "record.json").write_bytes(content)
        fails(r"record.json is damaged \(.*: get the file again")
    weights = bytearray(whole[folder / "last.safetensors"])
    weights[-1] ^= 1
    (folder / "last.safetensors").write_bytes(weights)
    fails("last.safetensors is damaged or not the file that record.json is of")
    last = folder / "last.pt"
    good = checkpoint.load(last) | {"finished": False}
    for key in ("run", "finished", "state", "model", "optimizer", "precision", "rng"):
        checkpoint.save(last, {name: value for name, value in good.items() if name != key})
        fails(r"last.pt is (damaged|not a checkpoint that can be read \(.*\)): start anew with another --out")
    for key in ("run", "state", "model", "optimizer", "rng"):
        checkpoint.save(last, good | {key: []})
        fails(r"last.pt is (damaged|not a checkpoint that can be read \(.*\)): start anew with another --out")
    content = bytearray(whole[last])
    at = content.find(good["model"]["0.weight"].numpy().tobytes())
    content[at] ^= 1
    last.write_bytes(content)
    fails(r"last.pt is not a checkpoint that can be read \(ValueError: the checksum of .* is another\)")
    last.write_bytes(whole[last][:-100])
    fails("last.pt is not a checkpoint that can be read")


def test_pictures_of_training_and_validation_are_said(coco: Path, tmp_path: Path, capsys: Any) -> None:
    """Where a tool divides people, or a file holds some of another: by the pictures themselves, under any names."""
    held = json.loads((coco / "annotations/person_keypoints_train2017.json").read_text())
    pictures = coco / "train2017"

    def said(train: slice, val: slice, folder: Path = pictures) -> str:
        files = []
        for name, part in (("train", train), ("val", val)):
            some = {one["id"] for one in held["images"][part]}
            content = held | {"images": held["images"][part]}
            content["annotations"] = [one for one in held["annotations"] if one["image_id"] in some]
            files.append(tmp_path / f"{name}.json")
            files[-1].write_text(json.dumps(content))
        arguments = parse([
            "--model", "lite_hrnet_18", "--annotations", str(files[0]), "--images", str(pictures), "--val-annotations",
            str(files[1]), "--val-images", str(folder), "--out", str(tmp_path / "out"),
        ])  # fmt: skip
        open_data(arguments, 0)
        return " ".join(capsys.readouterr().err.split())

    assert "in training too" not in said(slice(0, 6), slice(6, 10))
    first = pictures / held["images"][4]["file_name"]
    expected = f"2 of the 5 pictures with people of val (5 pictures) are in training too, the first: {first}:"
    assert expected in said(slice(0, 6), slice(4, 9))
    (tmp_path / "linked").symlink_to(pictures)
    assert expected in said(slice(0, 6), slice(4, 9), tmp_path / "linked")


def test_what_contradicts_itself_is_refused_or_said(
    networks: str, options: list[str], coco: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(InputError, match="--seeds takes the place of --seed: give one of them"):
        main(["--model", f"{networks}:drops", *options, "--seed", "3", "--seeds", "0,1"])
    file = str(coco / "annotations/person_keypoints_val2017.json")
    data = ["--annotations", file, "--images", str(coco / "val2017"), "--val-annotations", file]
    exported = [one for one in options if one not in ("--dataset", "coco", "--data-root", str(coco))]
    exported[exported.index("--epochs") + 1] = "1"
    assert main(["--model", f"{networks}:drops", *exported, *data, "--out", str(tmp_path / "out")]) == 0
    assert "training and validation are the same people" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    "left",
    [{"SLURM_NTASKS": "4", "SLURM_JOB_ID": "1", "SLURM_JOB_NAME": "x"}, {"WORLD_SIZE": "4", "LOCAL_WORLD_SIZE": "x"}],
)
def test_variables_of_other_launchers_do_not_matter(left: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in left.items():
        monkeypatch.setenv(name, value)
    assert (distributed.launch("cpu").world_size, world_size()) == (1, 1)


# ------------------------------------------------------------------------------ the commands


def test_the_paper_recipe_starts_on_coco(options: list[str], tmp_path: Path) -> None:
    options = [option for option in options if option != "--quiet"]
    options[options.index("--epochs") + 1] = "1"
    done = run_command(
        "--recipe", "paper", "--model", "lightweight_mobilenetv3", *options, "--samples", "4", "--input", "64x64",
        "--out", str(tmp_path / "out"),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    for told in ("recipe: name paper", "loss x", "rot_factor 40.0", "half_body_prob 0.3", "warmup_iterations 500"):
        assert told in done.stderr
    shares = [int(share) for share in re.findall(r"(\d+)% waiting for data", done.stderr)]
    assert all(share <= 100 for share in shares)
    (made,) = results.read(tmp_path / "results")
    assert made.options == {"loss": "x", "attention": "parallel"}
    assert made.dataset == "coco_train2017 (20 pictures)"
    assert made.protocol["validation"] == "coco_val2017 (3 pictures)"
    # What was saved is what evaluation loads.
    import zoo

    zoo.create_model("lightweight_mobilenetv3", weights=only(tmp_path / "out", "best.safetensors"))


def test_tables_share_the_row_that_they_have_in_common() -> None:
    run = Training("", "parallel", "scratch", (256, 192), 100, "fp32", 0, False, Recipe())
    rows = {table: ablations.rows(table, run) for table in ablations.TABLES}
    assert [row.recipe.loss for row in rows["4"]] == ["mse", "x", "2x", "x^2", "e^x"]
    assert [row.attention for row in rows["6"]] == ["none", "se", "cbam", "parallel"]
    assert [row.model for row in rows["models"]] == zoo.list_models("paper")
    assert rows["4"][1] == rows["6"][3]
    assert rows["4"][1] in rows["models"]
    folders = {row.folder_name("synthetic") for row in itertools.chain(*rows.values())}
    assert len(folders) == 5 + 4 + len(zoo.list_models("paper")) - 2
    asked = ablations.rows("models", replace(run, attention="se"))  # as --attention says
    assert {row.attention for row in asked} == {None, "se"}


def test_a_table_is_trained_once_and_reported(options: list[str], tmp_path: Path) -> None:
    options[options.index("--epochs") + 1] = "1"
    table = [*options, "--table", "6", "--samples", "2", "--input", "32x32", "--out", str(tmp_path / "out")]
    assert main(table) == 0
    made = results.read(tmp_path / "results")
    assert [made_.options["attention"] for made_ in made] == ["none", "se", "cbam", "parallel"]
    assert main(table) == 0
    assert results.read(tmp_path / "results") == made

    # As if with a second seed, and with figures that differ, so that the table can be checked.
    seeds = [*made, *(r.model_copy(update={"seed": 1, "weights_sha256": f"{i}"}) for i, r in enumerate(made))]
    seeds = [r.model_copy(update={"metrics": r.metrics | {"ap": 0.5 + 0.01 * i}}) for i, r in enumerate(seeds)]
    files = report.make(seeds)
    # All four ranges hold 53 %: seeds differ more than rows, so nothing of the table was measured. The standard
    # deviation of a row is 4 / sqrt(2) points; the paper's rows are up to 0.54 apart.
    untold = files["table6.md"].decode()
    assert "**" not in untold.split("## Where")[0].replace("**Bold**", "")
    assert "| None | *65.29* | *87.44* | *73.28* | *71.53* | not measured |" in untold
    assert "AP of 52.00 to 55.00 with a standard deviation of 2.83 from seed to seed" in untold
    assert f"takes {math.ceil(2 * (2.8015852 * 2.8284271 / 0.54) ** 2)} seeds a row" in untold
    assert untold.count("not measured") > 4
    without_ap = [r.model_copy(update={"metrics": {"pckh": 50.0}}) for r in seeds]  # as on MPII
    (remark,) = report_training.ablation(report_training.ABLATIONS[1], Measured(without_ap)).remarks
    assert remark.startswith("Not measured. ")
    assert "no training has an AP" in remark
    # A row that is far above them is told apart, and the table is shown.
    above = [
        r.model_copy(update={"metrics": r.metrics | {"ap": 0.9}}) if r.options["attention"] == "parallel" else r
        for r in seeds
    ]
    shown = report.make(above)
    lines = shown["table6.csv"].decode().splitlines()
    cells = dict(zip(lines[0].split(","), lines[1].split(","), strict=True))
    assert (cells["attention"], cells["ap_paper"], cells["trained_ap_measured"]) == ("none", "65.29", "52.00")
    assert (float(cells["trained_ap_low"]), float(cells["trained_ap_high"])) == pytest.approx((50, 54))
    assert len(cells["trained_ap_record"].split()) == 2
    assert "**52.00** (50.00 to 54.00)" in shown["table6.md"].decode()
    assert "Not measured" not in shown["table6.md"].decode()
    assert "Trained on coco\\_train2017" in shown["table6.md"].decode()
    assert "Nothing was trained for this table yet" in files["table4.md"].decode()
    assert "**55.00** (53.00 to 57.00)" in files["training.md"].decode()
    (chart,) = curves.charts(Measured(seeds))  # one network trained alone has nothing to be compared with
    assert (chart.key, chart.table) == ("table6_curves_1", "table6")
    assert {line.label: len(line.seeds) for line in chart.lines} == {
        "None": 2, "SE block": 2, "CBAM": 2, "The paper's": 2
    }  # fmt: skip
    ours = next(line for line in chart.lines if line.label == "The paper's")
    assert ours.end == 100 * made[3].notes["history"][-1]["accuracy"]  # type: ignore[index,call-overload]
    assert {"table6_curves_1.png", "table6_curves_1.svg"} <= set(files)

    # What was trained on other data has columns of its own.
    elsewhere = {"dataset": "synthetic", "protocol": made[0].protocol | {"validation": "synthetic"}}
    drawn = [r.model_copy(update=elsewhere) for r in above]
    both = report_training.ablation(report_training.ABLATIONS[1], Measured([*above, *drawn]))
    assert len({column.group for column in both.columns}) == 3
    for row in both.rows:
        for column, cell in zip(both.columns, row.cells, strict=True):
            assert all(f"Measured on {held.protocol['validation']}," in column.group for held in cell.records)
            assert bool(cell.records) == ("Measured on" in column.group)


def test_the_library_of_several_processes_gives_no_advice() -> None:
    """On a GPU it recommends settings that would change what is computed; what goes wrong it still says."""
    launch("cpu")
    said_by = logging.getLogger("lightning_fabric.utilities.rank_zero")
    assert not said_by.isEnabledFor(logging.INFO)
    assert said_by.isEnabledFor(logging.WARNING)


@pytest.mark.gpu
@pytest.mark.parametrize("precision", ["fp32", "bf16", "fp16"])
def test_training_on_a_gpu(precision: str, options: list[str], tmp_path: Path) -> None:
    options[options.index("--device") + 1] = "cuda"
    options += ["--model", "lightweight_mobilenetv3", "--input", "64x64", "--precision", precision]
    assert main([*options, "--out", str(tmp_path / "out")]) == 0
    (made,) = results.read(tmp_path / "results")
    assert (made.device, made.precision) == ("cuda", precision)
    history = checkpoint.load(only(tmp_path / "out", "last.pt"))["state"]["history"]
    assert history[-1]["loss"] < history[0]["loss"]
