"""AP of bundled weights in float16 arithmetic, which no x86 processor has, beside float32, on drawn people.

ncnn runs on an Arm processor that QEMU emulates, in the folder that ``.ci/arm64.sh`` makes; crops and joints are made
here. Without the flip test. Accuracy only: emulated timings mean nothing.

    python benchmarks/arm64_accuracy.py --people 36
"""

import argparse
import io
import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch

from bench import cli
from bench.accuracy.predicting import predict
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.session import Session
from bench.core.machine import ROOT
from bench.data import Dataset, open_dataset
from bench.weights import build_trained, bundled, default_input

# Reads paths of inputs, a line each, and writes the outputs beside them.
CHILD = """
import json, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from bench.backends import catalogue
from bench.backends.artifact import Artifact
with catalogue.open_artifact(Artifact.from_json(json.loads(sys.argv[2])), threads=1) as session:
    print(session.note, flush=True)
    for line in sys.stdin:
        np.savez(line.strip() + ".npz", *session.run(np.load(line.strip())))
        print("done", flush=True)
"""


class Emulated(Session):
    """A network that runs in a Python for arm64, one process for all inputs.

    Args:
        root: the folder that ``.ci/arm64.sh`` made.
        modules: where ``bench`` is, as it is to be imported there: a checkout or a kit.
        artifact: what to run.
        cpu: as QEMU names it.
    """

    def __init__(self, root: Path, modules: Path, artifact: Artifact, cpu: str) -> None:
        self.folder = tempfile.TemporaryDirectory()
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [root / "python", "-c", CHILD, modules, json.dumps(artifact.to_json())], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True, env=environment | {"EMULATED_CPU": cpu},
        )  # fmt: skip
        assert self.process.stdout is not None
        self.note = self.process.stdout.readline().strip()

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        path = Path(self.folder.name) / "images.npy"
        np.save(path, images)
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        if self.process.stdout.readline() != "done\n":
            raise RuntimeError(f"the emulated process ended with status {self.process.wait()}")
        with np.load(io.BytesIO(path.with_suffix(".npy.npz").read_bytes())) as file:
            return [file[name] for name in file.files]

    def close(self) -> None:
        self.process.kill()
        self.process.communicate()
        self.folder.cleanup()


def ap(session: Session, dataset: Dataset, size: tuple[int, int], people: int) -> float:
    """AP of a data set's first people."""
    found = [
        one for answer in predict(session, dataset, range(people), size, batch=1, workers=0, flip=False)
        for one in answer.predictions
    ]  # fmt: skip
    return dataset.score(found)["ap"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=36, help="at least that many: whole pictures")
    parser.add_argument("--model", default="lightweight_mobilenetv3", choices=list(bundled()))
    parser.add_argument("--cpu", default="cortex-a76", help="as QEMU names it")
    arguments = parser.parse_args()
    made = subprocess.run([ROOT / ".ci" / "arm64.sh"], stdout=subprocess.PIPE, text=True)
    if made.returncode:
        sys.exit(made.returncode)
    text = default_input("bundled", arguments.model, "256x192")
    size = cli.one_input(text, "accuracy")
    trained = build_trained(arguments.model, "bundled", num_joints=17, input_size=text)
    pictures = 1
    while len(dataset := open_dataset("synthetic", images=pictures)) < arguments.people:
        pictures += 1
    print(f"{arguments.model} at {text}, {len(dataset)} drawn people in {pictures} pictures", flush=True)
    example = torch.zeros(1, 3, *size)
    with catalogue.open_artifact(catalogue.build("eager", trained.model, example)) as session:
        print(f"eager here: AP {100 * ap(session, dataset, size, len(dataset)):.1f}", flush=True)
    for backend in ("ncnn", "ncnn_fp16"):
        artifact = catalogue.build(backend, trained.model, example)
        with Emulated(Path(made.stdout.strip()), ROOT, artifact, arguments.cpu) as session:
            found = ap(session, dataset, size, len(dataset))
            print(f"{backend} on {arguments.cpu} ({session.note or 'float32'}): AP {100 * found:.1f}", flush=True)


if __name__ == "__main__":
    main()
