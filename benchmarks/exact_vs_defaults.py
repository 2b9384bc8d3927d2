"""How much faster the exact backends are than eager, and than what a user gets without this project.

    python benchmarks/exact_vs_defaults.py [--models paper] [--backends ncnn,litert,...] [--threads 2]

Without it: the ONNX file that torch exports, opened in ONNX Runtime and in OpenVINO, and ncnn's file as pnnx converts
the network, which is what the backend ``ncnn`` opens too. All forms of a network take turns in one process, some rounds
each; the first two of a turn do not count: they find the caches full of another form's data, and another runtime's
threads still spinning. A form that differs from eager by more than float32 may is refused. Printed are medians in ms
and, below, the ratios that matter, with their geometric means.
"""

import argparse
import functools
import math
import statistics
import tempfile
from pathlib import Path
from typing import Any

import torch
from simplify_ratio import medians_ms  # type: ignore[import-not-found]
from torch import Tensor, nn

from bench import cli
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.families.pytorch import arrays
from bench.backends.graphs import onnx_export
from bench.core.errors import InputError
from bench.data import photograph
from bench.models import build, model_names
from bench.random_weights import enliven
from bench.timing.clock import Inference
from bench.timing.parity import difference

EXACT = ("fused", "onnxruntime", "openvino", "ncnn", "mnn", "litert", "executorch")
RAW = {"raw onnxruntime": "onnxruntime", "raw openvino": "openvino"}
DEFAULTS = (*RAW, "ncnn")


@torch.inference_mode()
def run_eager(model: nn.Module, example: Tensor) -> Any:
    return model(example)


def forms(model: nn.Module, example: Tensor, backends: list[str], threads: int, folder: Path) -> dict[str, Inference]:
    """Every form that can be made, its outputs compared with eager's; a line says why another cannot."""
    eager = functools.partial(run_eager, model, example)
    found, expected, images = {"eager": Inference(eager)}, arrays(eager()), example.numpy()
    raw = folder / "raw.onnx"
    onnx_export.write(model, example, raw)
    for form in (*RAW, *backends):
        try:
            if form in RAW:
                artifact = Artifact(RAW[form], "fp32", (raw,))
            else:
                artifact = catalogue.build(form, model, example, threads=threads)
            session = catalogue.open_artifact(artifact, threads=threads)
            session.prepare(images)
            difference(expected, session.run(images), artifact.backend)
            found[form] = session.bind(images)
        except InputError as error:
            print(f"    {form}: {error}", flush=True)
    return found


def ratios_of(ms: dict[str, float]) -> dict[str, float]:
    """What a network's medians say."""
    exact = min(value for form, value in ms.items() if form != "eager" and form not in RAW)
    found = {"eager / best exact": ms["eager"] / exact}
    found["best default / best exact"] = min(ms[form] for form in DEFAULTS if form in ms) / exact
    raw = ms.get("raw onnxruntime", math.nan)
    return found | {
        f"{form} / raw onnxruntime": value / raw for form, value in ms.items() if form not in ("eager", *RAW)
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="paper")
    parser.add_argument("--backends", help="exact ones (default: those of a CPU that are installed)")
    parser.add_argument("--turns", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=6, help="of a turn that count")
    parser.add_argument("--threads", type=int, default=2)
    arguments = parser.parse_args()
    torch.set_num_threads(arguments.threads)
    there = catalogue.usable("cpu", "fp32")[0]
    backends = (
        cli.listed(cli.names(arguments.backends)) if arguments.backends else [name for name in EXACT if name in there]
    )
    example = photograph((256, 192))
    all_ratios: dict[str, list[float]] = {}
    for name in model_names(arguments.models):
        print(name, flush=True)
        with tempfile.TemporaryDirectory() as folder, torch.no_grad():
            found = forms(enliven(build(name), 0), example, backends, arguments.threads, Path(folder))
            ms = medians_ms(found, arguments.turns, arguments.rounds)
        print("    " + ", ".join(f"{form} {value:.2f}" for form, value in ms.items()))
        for what, ratio in ratios_of(ms).items():
            all_ratios.setdefault(what, []).append(ratio)
        print("    " + "; ".join(f"{what} {ratio:.2f}" for what, ratio in ratios_of(ms).items()), flush=True)
    print("geometric means and ranges")
    for what, ratios in all_ratios.items():
        mean = math.exp(statistics.mean(map(math.log, ratios)))
        print(f"    {what:32} {mean:5.2f}   {min(ratios):.2f} to {max(ratios):.2f}, of {len(ratios)}")


if __name__ == "__main__":
    main()
