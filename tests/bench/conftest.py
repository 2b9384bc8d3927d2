"""What several tests share: people made of dots with a network that finds them, and a kit with a Python to run it."""

import importlib.metadata
import json
import os
import re
import subprocess
import sys
import venv
from pathlib import Path

import cv2
import numpy as np
import pytest

from tests.commands import clean
from tests.conftest import ROOT

# Finds joints by the colour of dots; each joint has its own. Sleeps, so that a test can interrupt it.
NETWORK = """
import os, time
import torch
from torch import nn
from torch.nn.functional import avg_pool2d

COLOURS = torch.tensor({colours}, dtype=torch.float32)
MEAN, STD = torch.tensor((0.485, 0.456, 0.406)), torch.tensor((0.229, 0.224, 0.225))


class Finder(nn.Module):
    def forward(self, x):
        time.sleep(float(os.environ.get("FINDER_SLEEP", 0)))
        rgb = x * STD[:, None, None] + MEAN[:, None, None]
        far = (rgb[:, None] - (COLOURS / 255)[:, :, None, None]).abs().sum(2)
        return avg_pool2d((1 - 4 * far).clamp(0), 4)


def finder():
    return Finder()
"""
COLOURS = [(r, g, b) for r in (40, 140, 240) for g in (40, 140, 240) for b in (60, 220)][:17]


@pytest.fixture(scope="module")
def dots(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A COCO folder of 14 pictures with one or two people made of dots, and ``finder.py``."""
    root = tmp_path_factory.mktemp("coco")
    (root / "annotations").mkdir()
    (root / "val2017").mkdir()
    random = np.random.default_rng(5)
    images, annotations = [], []
    for number in range(1, 15):
        picture = np.zeros((300, 800, 3), np.uint8)
        for place in range(1 + number % 2):
            x, y = 400 * place + random.uniform(10, 100), random.uniform(10, 40)
            box = (x, y, 110.0 + 5 * len(annotations) % 40, 230.0)
            # A grid keeps dots apart; nobody is in the crop of another.
            spots = random.permutation(20)[:17]
            joints = np.stack((x + 12 + 25 * (spots % 4), y + 20 + 45 * (spots // 4)), 1) + random.uniform(
                -3, 3, (17, 2)
            )
            for joint, colour in zip(joints, COLOURS, strict=True):
                cv2.circle(picture, tuple(round(v * 16) for v in joint), 5 * 16, colour, -1, cv2.LINE_AA, 4)
            keypoints = np.column_stack((joints, np.full(17, 2))).round(2).flatten().tolist()
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": 1, "iscrowd": 0, "bbox": list(box),
                "area": box[2] * box[3] * 0.6, "num_keypoints": 17, "keypoints": keypoints, "segmentation": [],
            })  # fmt: skip
        name = f"{number:012d}.png"
        cv2.imwrite(str(root / "val2017" / name), picture[:, :, ::-1])
        images.append({"id": number, "file_name": name, "width": 800, "height": 300})
    # A set of another size than COCO's own would be named as such, and stay out of Table I.
    images += [{"id": n, "file_name": f"{n:012d}.png", "width": 8, "height": 8} for n in range(15, 5001)]
    person = {"id": 1, "name": "person", "keypoints": [str(joint) for joint in range(17)], "skeleton": []}
    held = {"info": {}, "licenses": [], "images": images, "annotations": annotations, "categories": [person]}
    (root / "annotations" / "person_keypoints_val2017.json").write_text(json.dumps(held))
    (root / "finder.py").write_text(NETWORK.format(colours=COLOURS))
    return root


# ------------------------------------------------------------------------------ kits

KIT_NETWORKS = """
from torch import nn


def tiny():
    return nn.Sequential(nn.Conv2d(3, 17, 3, 4, 1), nn.ReLU())


def other():
    return nn.Sequential(nn.Conv2d(3, 8, 3, 2, 1), nn.BatchNorm2d(8), nn.ReLU(), nn.Conv2d(8, 17, 3, 2, 1))


def broken():
    raise RuntimeError("this one cannot be built")
"""
ABSENT = ("torch", "pydantic", "psutil", "filelock", "scipy", "rich")


@pytest.fixture(scope="session")
def made_kit(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A kit of two networks, and a third that cannot be built; as it was written, not to be run in."""
    pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    folder = tmp_path_factory.mktemp("home")
    (folder / "own.py").write_text(KIT_NETWORKS)
    models = ",".join(f"{folder / 'own.py'}:{name}" for name in ("tiny", "broken", "other"))
    done = subprocess.run(
        [sys.executable, "-m", "bench.kit", "make", "--models", models, "--input", "64x64", "--out", folder / "kit"],
        cwd=ROOT, capture_output=True, text=True,
    )  # fmt: skip
    assert done.returncode == 2
    assert "this one cannot be built" in done.stderr
    assert done.stderr.index("2 networks, ") < done.stderr.index("the rest is in the kit")
    assert done.stdout == f"{folder / 'kit'}\n"
    return folder / "kit"


@pytest.fixture(scope="session")
def bare_python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of an environment with numpy, ONNX Runtime and what they need, and nothing else."""
    folder = tmp_path_factory.mktemp("venv")
    venv.create(folder, with_pip=False, symlinks=os.name != "nt")
    (site,) = folder.glob("lib/python*/site-packages")
    todo, seen = ["numpy", "onnxruntime"], set()
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        try:
            distribution = importlib.metadata.distribution(name)
        except importlib.metadata.PackageNotFoundError:
            continue
        for top in {Path(file).parts[0] for file in distribution.files or () if ".." not in Path(file).parts}:
            there = Path(str(distribution.locate_file(top)))
            if there.exists() and not (site / top).exists():
                (site / top).symlink_to(there)
        todo += [re.split(r"[^\w.-]", one)[0] for one in distribution.requires or () if "extra ==" not in one]
    python = folder / "bin" / "python"
    script = f"import numpy, onnxruntime, importlib.util as u; print([n for n in {ABSENT} if u.find_spec(n)])"
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, env=clean())
    if done.returncode or done.stdout.strip() != "[]":
        pytest.skip(f"no environment with numpy and onnxruntime alone can be made here: {done.stdout}{done.stderr}")
    return python
