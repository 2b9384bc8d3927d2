"""What OpenVINO's older kernels bring, network by network: what ``bench.backends.openvino_kernels`` chooses from.

All forms of a network take turns in one process, some rounds each; the first two of a turn do not count. Printed are
medians, and for the fastest form the share of the machine's large matrix product that its multiply-adds reach.

    python benchmarks/openvino_kernels_ratio.py --models lightweight_mobilenetv3,lite_hrnet_18
"""

import argparse
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench.product import Product
from bench.speed.weights import enliven
from torch import Tensor

import zoo
from bench.backends import openvino
from bench.backends.openvino_kernels import CANDIDATES, prefer
from bench.complexity import COUNTERS
from bench.data import photograph
from bench.models import build


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models()))
    parser.add_argument("--turns", type=int, default=15)
    parser.add_argument("--rounds", type=int, default=5, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    example = photograph((256, 192))
    product = Product(torch.device("cpu"))
    for name in arguments.models.split(","):
        model = enliven(build(name), 0).eval()
        macs = COUNTERS["torch"](model, example)[0]
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            plain, _ = openvino.convert(model, example)
            runs: dict[str, Callable[[Tensor], Any]] = {"as it comes": openvino.on_cpu(plain, "f32")}
            for kinds in CANDIDATES:
                path = Path(folder) / f"{'-'.join(kinds)}.xml"
                prefer(plain, kinds).write(path)
                shutil.copy(plain.with_suffix(".bin"), path.with_suffix(".bin"))
                runs[f"older: {', '.join(kinds)}"] = openvino.on_cpu(path, "f32")
            runs["product"] = lambda _: product()
            times: dict[str, list[float]] = {form: [] for form in runs}
            for _ in range(arguments.turns):
                for form, run in runs.items():
                    for index in range(2 + arguments.rounds):
                        start = time.perf_counter()
                        run(example)
                        if index >= 2:
                            times[form].append((time.perf_counter() - start) * 1000)
            medians = {form: statistics.median(values) for form, values in times.items()}
            peak = product.macs / medians.pop("product")
            print(f"{name}: matrix product {peak / 1e6:.1f} G multiply-adds/s")
            for form, value in medians.items():
                share = macs / value / peak
                print(f"    {form:36} {value:7.2f} ms, {share:4.0%} of the matrix product", flush=True)


if __name__ == "__main__":
    main()
