"""What each exact rewrite of the graph brings, runtime by runtime, against eager mode.

All forms of a network, in all runtimes, take turns in one process, some rounds each. The first two of a turn do not
count: they find the caches full of another form's data, and another runtime's threads still spinning. Printed are
medians and their ratios.

    python benchmarks/simplify_ratio.py --models lightweight_mobilenetv3 --threads 2
    python benchmarks/simplify_ratio.py --threads 1 --clock cpu     # on a busy machine: processor time, one thread
"""

import argparse
import copy
import math
import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import torch
from bench.backends.in_place import leave_in_place
from bench.backends.openvino_graph import use_its_operators
from bench.backends.simplify import fold_batch_norms, join_groups, split_transposed, trace
from bench.speed.weights import enliven
from torch import Tensor, fx, nn

import zoo
from bench.backends import fused, onnx_file, onnxruntime, openvino
from bench.data import photograph
from bench.models import build

SIZE = 2048  # of the square matrices whose product is the machine's peak


def forms(model: nn.Module, example: Tensor) -> dict[str, fx.GraphModule]:
    """The graph as traced, and after each rewrite, those before it included; groups are of 8 in the last."""
    names = ("traced", "folded", "dense split", "all split", "groups of 8", "groups of 16", "in place")
    found = {name: trace(model, example) for name in names}
    for name in names[1:]:
        fold_batch_norms(found[name])
    leave_in_place(found["in place"], example)
    for name in names[2:]:
        split_transposed(found[name], example, of_groups=name != "dense split")
    for name, group in (("groups of 8", 8), ("groups of 16", 16), ("in place", 8)):
        join_groups(found[name], group)
    return found


def runs(model: nn.Module, example: Tensor, runtimes: list[str], folder: Path) -> dict[str, Callable[[Tensor], Any]]:
    found: dict[str, Callable[[Tensor], Any]] = {"eager": model}
    for name, graph in forms(model, example).items():
        if "onnxruntime" in runtimes:
            onnx_file.write(graph, example, folder / f"{name}.onnx")
            found[f"onnxruntime, {name}"] = onnxruntime.on_cpu(folder / f"{name}.onnx")
        if "openvino" in runtimes:
            openvino.write(graph, example, folder / f"{name}.xml")
            found[f"openvino, {name}"] = openvino.on_cpu(folder / f"{name}.xml", "f32")
            if name in ("groups of 8", "in place"):
                own = copy.deepcopy(graph)
                use_its_operators(own, example)
                openvino.write(own, example, folder / f"{name}, own.xml")
                found[f"openvino, {name}, its operators"] = openvino.on_cpu(folder / f"{name}, own.xml", "f32")
        if "fused" in runtimes:
            fused.join_activations(graph, example)
            found[f"fused, {name}"] = graph
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models()))
    parser.add_argument("--runtimes", default="onnxruntime,openvino,fused")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--clock", choices=["wall", "cpu"], default="wall")
    arguments = parser.parse_args()
    if arguments.clock == "cpu" and arguments.threads > 1:
        parser.error("--clock cpu adds up the time of all threads: give --threads 1")
    clock = time.perf_counter if arguments.clock == "wall" else time.process_time
    torch.set_num_threads(arguments.threads)
    example = photograph((256, 192))
    left, right = torch.randn(2, SIZE, SIZE)
    best: dict[str, list[float]] = {}
    for name in arguments.models.split(","):
        model = enliven(build(name), 0)
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            found = runs(model, example, arguments.runtimes.split(","), Path(folder)) | {
                "product": lambda _: left @ right
            }
            times: dict[str, list[float]] = {form: [] for form in found}
            for _ in range(arguments.turns):
                for form, run in found.items():
                    for index in range(2 + arguments.rounds):
                        start = clock()
                        run(example)
                        if index >= 2:
                            times[form].append((clock() - start) * 1000)
        medians = {form: statistics.median(values) for form, values in times.items()}
        peak = SIZE**3 / medians.pop("product") / 1e6
        print(f"{name}: matrix product {peak:.1f} G multiply-adds/s")
        for form, value in medians.items():
            print(f"    {form:38} {value:8.2f} ms   eager / this {medians['eager'] / value:5.2f}", flush=True)
            best.setdefault(form, []).append(medians["eager"] / value)
        best.setdefault("best", []).append(medians["eager"] / min(medians.values()))
    print("geometric mean of eager / this")
    for form, ratios in best.items():
        print(f"    {form:38} {math.exp(statistics.mean(map(math.log, ratios))):5.2f}")


if __name__ == "__main__":
    main()
