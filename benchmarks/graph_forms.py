"""What rewrites and precisions bring on a GPU: every form of a network, recorded as a CUDA graph.

All graphs of a network take turns in one process, some replays each; the first two of a turn do not count. Printed are
medians of the replays by CUDA's events, of some forms launched one by one as well, and the difference of the outputs to
eager's in float32, relative to the largest.

    python benchmarks/graph_forms.py --models vipnas_mobilenetv3,lite_hrnet_18 --compile
"""

import argparse
import copy
import statistics
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, fx, nn

import zoo
from bench.backends import precisions
from bench.backends.families.cuda_graphs import Recorded
from bench.backends.families.pytorch import on_cuda
from bench.backends.graphs.capture import capture
from bench.backends.graphs.shuffle_blocks import keep_channels_in_place
from bench.backends.graphs.simplify import fold_batch_norms, join_groups, keep_channels_last, split_transposed
from bench.data import photograph
from bench.models import build
from bench.random_weights import enliven
from bench.timing.clock import Fixed, time_rounds

REWRITES: dict[str, Callable[[fx.GraphModule, Tensor], object]] = {
    "folded": lambda graph, example: None,
    "in place": keep_channels_in_place,
    "dense split": lambda graph, example: split_transposed(graph, example, of_groups=False),
    "all split": lambda graph, example: split_transposed(graph, example, of_groups=True),
    "groups of 8": lambda graph, example: join_groups(graph, 8),
    "groups of 16": lambda graph, example: join_groups(graph, 16),
}
LAUNCHED = ("modules", "folded", "compiled")  # timed one by one as well


def forms(model: nn.Module, example: Tensor, *, compiled: bool) -> dict[str, Callable[[Tensor], Any]]:
    """The modules, the graph as traced, and after folding batch norms and one more rewrite, where it can be done."""
    traced = capture(model, example)
    found: dict[str, Callable[[Tensor], Any]] = {"modules": model}
    for name, rewrite in REWRITES.items():
        graph = traced.graph()
        fold_batch_norms(graph)
        try:
            rewrite(graph, example)
        except RuntimeError as error:  # views that were traced need not fit what libraries put out, with channels last
            print(f"    {name}: left out, {str(error).splitlines()[0][:60]}")
            continue
        keep_channels_last(graph, example)
        found[name] = graph
    if compiled:
        found["compiled"] = torch.compile(copy.deepcopy(found["folded"]), dynamic=False)
    return found


def launched_ms(run: Callable[[Tensor], Any], example: Tensor) -> float:
    return statistics.median(time_rounds(on_cuda(lambda: run(example), example.device), Fixed(20)).latency_ms)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default=",".join(zoo.list_models("paper")))
    parser.add_argument("--precisions", default="fp32,tf32,fp16")
    parser.add_argument("--compile", action="store_true", help="torch.compile's kernels too")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=10, help="of a turn that count")
    arguments = parser.parse_args()
    if not torch.cuda.is_available():
        parser.error("this measures CUDA graphs, and there is no CUDA device that torch can use")
    for name in arguments.models.split(","):
        model, example = enliven(build(name), 0).eval().cuda(), photograph((256, 192)).cuda()
        recorded: dict[tuple[str, str], Recorded] = {}
        told: dict[tuple[str, str], str] = {}
        with torch.inference_mode():
            with precisions.arithmetic("fp32"):
                wanted = model(example)
            for precision in arguments.precisions.split(","):
                own, entry = precisions.cast(model, example, precision)
                with precisions.arithmetic(precision):
                    for form, run in forms(own, entry, compiled=arguments.compile).items():
                        key = precision, form
                        off = float((run(entry).float() - wanted).abs().max() / wanted.abs().max())
                        one = f"  launched {launched_ms(run, entry):7.3f} ms" if form in LAUNCHED else ""
                        told[key] = f"off by {off:.1e}{one}"
                        recorded[key] = Recorded(run, entry)
            times: dict[tuple[str, str], list[float]] = {key: [] for key in recorded}
            for _ in range(arguments.turns):
                for key, graph in recorded.items():
                    inference = on_cuda(graph.graph.replay, graph.entry.device)
                    times[key] += time_rounds(inference, Fixed(2 + arguments.rounds)).device_ms[2:]
        print(name)
        for (precision, form), values in times.items():
            print(f"    {precision} {form:14} {statistics.median(values):7.3f} ms  {told[precision, form]}", flush=True)


if __name__ == "__main__":
    main()
