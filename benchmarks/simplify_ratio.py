"""What each exact rewrite of the graph brings, backend by backend, against eager mode.

All forms of a network, in all backends, take turns in one process, some rounds each. The first two of a turn do not
count: they find the caches full of another form's data, and another backend's threads still spinning. Printed are
medians and their ratios.

    python benchmarks/simplify_ratio.py --models lightweight_mobilenetv3 --threads 2
"""

import argparse
import copy
import functools
import math
import statistics
import tempfile
from pathlib import Path

import torch
from torch import Tensor, fx, nn

import zoo
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.families import openvino
from bench.backends.graphs import onnx_export
from bench.backends.graphs.capture import capture
from bench.backends.graphs.fusing import join_activations
from bench.backends.graphs.openvino_operators import use_its_operators
from bench.backends.graphs.shuffle_blocks import keep_channels_in_place
from bench.backends.graphs.simplify import fold_batch_norms, join_groups, split_transposed
from bench.data import photograph
from bench.models import build
from bench.random_weights import enliven
from bench.timing import yardstick
from bench.timing.clock import Inference, time_in_turns


def forms(model: nn.Module, example: Tensor) -> dict[str, fx.GraphModule]:
    """The graph as traced, and after each rewrite, those before it included; groups are of 8 in the last."""
    names = ("traced", "folded", "dense split", "all split", "groups of 8", "groups of 16", "in place")
    captured = capture(model, example)
    found = {name: captured.graph() for name in names}
    for name in names[1:]:
        fold_batch_norms(found[name])
    keep_channels_in_place(found["in place"], example)
    for name in names[2:]:
        split_transposed(found[name], example, of_groups=name != "dense split")
    for name, group in (("groups of 8", 8), ("groups of 16", 16), ("in place", 8)):
        join_groups(found[name], group)
    return found


def runs(model: nn.Module, example: Tensor, backends: list[str], threads: int, folder: Path) -> dict[str, Inference]:
    def opened(backend: str, path: Path) -> Inference:
        return catalogue.open_artifact(Artifact(backend, "fp32", (path,)), threads=threads).bind(example.numpy())

    found = {"eager": Inference(functools.partial(model, example))}
    for name, graph in forms(model, example).items():
        if "onnxruntime" in backends:
            onnx_export.write(graph, example, folder / f"{name}.onnx")
            found[f"onnxruntime, {name}"] = opened("onnxruntime", folder / f"{name}.onnx")
        if "openvino" in backends:
            openvino.write(graph, example, folder / f"{name}.xml")
            found[f"openvino, {name}"] = opened("openvino", folder / f"{name}.xml")
            if name in ("groups of 8", "in place"):
                own = copy.deepcopy(graph)
                use_its_operators(own, example)
                openvino.write(own, example, folder / f"{name}, own.xml")
                found[f"openvino, {name}, its operators"] = opened("openvino", folder / f"{name}, own.xml")
        if "fused" in backends:
            join_activations(graph, example)
            found[f"fused, {name}"] = Inference(functools.partial(graph, example))
    return found


def medians_ms(found: dict[str, Inference], turns: int, rounds: int) -> dict[str, float]:
    """Of every form, in turns; ``rounds``: of a turn that count."""
    seconds = time_in_turns(
        list(found.values()), turns=turns, rounds=2 + rounds, skipped=2, budget_s=math.inf, give_up=math.inf
    )
    return {form: 1000 * statistics.median(taken) for form, taken in zip(found, seconds, strict=True)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models("paper")))
    parser.add_argument("--backends", default="onnxruntime,openvino,fused")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    example = photograph((256, 192))
    best: dict[str, list[float]] = {}
    for name in arguments.models.split(","):
        model = enliven(build(name), 0)
        with tempfile.TemporaryDirectory() as folder, torch.inference_mode():
            found = runs(model, example, arguments.backends.split(","), arguments.threads, Path(folder))
            medians = medians_ms(found, arguments.turns, arguments.rounds)
        peak = yardstick.MACS / statistics.median(yardstick.rounds_ms()) / 1e6
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
