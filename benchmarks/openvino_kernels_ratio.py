"""What OpenVINO's older kernels bring, network by network: what ``bench.backends.openvino_kernels`` chooses from.

All forms of a network take turns in one process, some rounds each; the first two of a turn do not count. Printed are
medians, and for the fastest form the share of the machine's large matrix product that its multiply-adds reach.

    python benchmarks/openvino_kernels_ratio.py --models lightweight_mobilenetv3,lite_hrnet_18
"""

import argparse
import math
import shutil
import statistics
import tempfile
from pathlib import Path

import torch

import zoo
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.building import Network
from bench.backends.families import openvino
from bench.backends.openvino_kernels import CANDIDATES, prefer
from bench.complexity import COUNTERS
from bench.data import photograph
from bench.models import build
from bench.random_weights import enliven
from bench.timing import yardstick
from bench.timing.clock import time_in_turns


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models("paper")))
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    example = photograph((256, 192))
    images = example.numpy()
    for name in arguments.models.split(","):
        model = enliven(build(name), 0).eval()
        macs = COUNTERS["torch"](model, example)[0] or 0
        with tempfile.TemporaryDirectory() as folder:
            made = openvino.convert(Network.in_precision(model, example, "fp32", arguments.threads, None))
            files = {"as it comes": made.path}
            for kinds in CANDIDATES:
                path = Path(folder) / f"{'-'.join(kinds)}.xml"
                prefer(made.path, kinds).write(path)
                shutil.copy(made.path.with_suffix(".bin"), path.with_suffix(".bin"))
                files[f"older: {', '.join(kinds)}"] = path
            sessions = [
                catalogue.open_artifact(Artifact("openvino", "fp32", (path,)), threads=arguments.threads)
                for path in files.values()
            ]
            seconds = time_in_turns(
                [session.bind(images) for session in sessions], turns=arguments.turns, rounds=2 + arguments.rounds,
                skipped=2, budget_s=math.inf, give_up=math.inf,
            )  # fmt: skip
            for session in sessions:
                session.close()
        peak = yardstick.MACS / statistics.median(yardstick.rounds_ms()) * 1000
        print(f"{name}: matrix product {peak / 1e9:.1f} G multiply-adds/s")
        for form, taken in zip(files, seconds, strict=True):
            median = statistics.median(taken)
            print(
                f"    {form:36} {median * 1000:7.2f} ms, {macs / median / peak:4.0%} of the matrix product", flush=True
            )


if __name__ == "__main__":
    main()
