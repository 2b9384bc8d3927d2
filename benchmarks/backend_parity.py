"""How far every network is from eager in every runtime of devices: a table for docs/device_backends.md.

    python benchmarks/backend_parity.py --out parity.partial
    python benchmarks/backend_parity.py --models vipnas_mobilenetv3 --backends mnn,litert_int8

Batch 1, one thread, random weights under which the output depends on the input, a photograph. A cell is the largest
difference to eager in float32 as a share of the largest output, in bold where it is out of bounds; where there is none,
the reason stands below. What was found is kept in ``--out``: the same command goes on where it was interrupted, and
measures again what changed. Nothing is timed.
"""

import argparse
import functools
import hashlib
import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.core import machine
from bench.core.errors import InputError
from bench.core.unfinished import Unfinished
from bench.models import model_names
from bench.timing.parity import TOLERANCE, ParityError, difference

ROOT = Path(__file__).resolve().parent.parent
USUAL = [name for name in catalogue.names() if name.partition("_")[0] in ("ncnn", "mnn", "litert", "executorch")]


@dataclass
class Parity:
    """Of one network in one backend."""

    difference: float | None = None
    error: str = ""  # why there is none


def compare(model: str, backend: str, size: tuple[int, int]) -> Parity:
    from bench.backends.families.pytorch import arrays

    try:
        network, example, outputs = prepared(model, size)
        artifact = catalogue.build(backend, network, example, threads=1)
        with catalogue.open_artifact(artifact, threads=1) as session:
            session.prepare(example.numpy())
            return Parity(difference(arrays(outputs), session.run(example.numpy()), backend))
    except (InputError, ParityError) as error:
        return Parity(error=str(error))


@functools.cache
def prepared(model: str, size: tuple[int, int]) -> tuple[Any, Any, Any]:
    """The network, its input, and what eager makes of it."""
    import torch

    from bench.data import photograph
    from bench.models import build
    from bench.random_weights import enliven

    torch.set_num_threads(1)
    network, example = enliven(build(model, input_size=size), 0).eval(), photograph(size)
    with torch.inference_mode():
        return network, example, network(example)


def in_another_process(
    model: str, backends: list[str], size: tuple[int, int], limit_s: float
) -> Iterator[tuple[str, Parity]]:
    """Each backend with what was found, as soon as it was; a runtime that takes the process down is said to."""
    left = list(backends)
    while left:
        words = [
            sys.executable, __file__, "--child", "--models", model, "--backends", ",".join(left), "--input",
            f"{size[0]}x{size[1]}",
        ]  # fmt: skip
        with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
            assert process.stdout is not None
            while left:
                timer = threading.Timer(limit_s, process.kill)
                timer.start()
                line = process.stdout.readline()
                ended = not timer.is_alive()
                timer.cancel()
                if not line:
                    process.wait()
                    why = f"more than {limit_s:g} s" if ended else f"its process ended with {process.returncode}"
                    yield left.pop(0), Parity(error=why)
                    break
                yield left.pop(0), Parity(**json.loads(line))


def sources(backend: str) -> str:
    """A hash of all that decides the numbers of a backend: the networks, the rewrites, its family's file."""
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted([*(ROOT / "zoo").rglob("*.py"), *(ROOT / "bench/backends").rglob("*.py")]):
        if path.parent.name not in ("families", "profilers") or path.stem == catalogue.find(backend).family:
            digest.update(path.read_bytes())
    return digest.hexdigest()


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="all", help="paper, newer, all, or names with commas between")
    parser.add_argument("--backends", default=",".join(USUAL), help="names with commas between")
    parser.add_argument("--input", default="256x192", metavar="HxW")
    parser.add_argument("--limit", type=float, default=600.0, metavar="SECONDS", help="of one network in one backend")
    parser.add_argument("--out", type=Path, default=Path("parity.partial"), help="what has been found")
    parser.add_argument("--child", action="store_true", help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    height, width = map(int, arguments.input.split("x"))
    models, backends = model_names(arguments.models), cli.listed(arguments.backends)
    if arguments.child:
        for backend in backends:
            print(json.dumps(asdict(compare(models[0], backend, (height, width)))), flush=True)
        return 0
    where = machine.this_machine("cpu").model_dump_json()
    able = catalogue.usable("cpu", "fp32")[0]
    works = {
        name: Unfinished(arguments.out, Parity).work(
            f"{name} {catalogue.version(name)} {sources(name)} {arguments.input} {where}"
        )
        for name in backends
        if name in able
    }  # fmt: skip
    for model in models:
        left = [name for name in works if model not in works[name].parts]
        for name, found in in_another_process(model, left, (height, width), arguments.limit):
            works[name].add(model, found)
            print(f"{model}, {name}: {found.error or found.difference}", file=sys.stderr, flush=True)
    print(", ".join(dict.fromkeys(map(catalogue.version, works))), end="\n\n")
    print("| network | " + " | ".join(name.replace("_", r"\_") for name in works) + " |")
    print("|---" * (1 + len(works)) + "|")
    reasons: dict[str, int] = {}
    for model in models:
        cells = [shown(works[name].parts[model], name, reasons) for name in works]
        print(f"| {model} | {' | '.join(cells)} |")
    print("".join(f"\n({number}) {reason}" for reason, number in reasons.items()))
    return 0


def shown(one: Parity, backend: str, reasons: dict[str, int]) -> str:
    if one.difference is None:
        return f"({reasons.setdefault(one.error, len(reasons) + 1)})"
    text = f"{one.difference:.2g}"
    good = one.difference <= TOLERANCE[catalogue.resolve(backend, "cpu", "fp32")]
    return text if good else f"**{text}**"


if __name__ == "__main__":
    sys.exit(main())
