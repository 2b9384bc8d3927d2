"""How long the first answer takes with an empty cache: every network in every backend of the CPU that runs here.

    python benchmarks/first_answer.py --out first_answer.partial
    python benchmarks/first_answer.py --models vipnas_mobilenetv3 --backends openvino --threads 1

Runs the real command, ``bench.speed --rounds 3 --sets 1``, in a cache folder of its own that is empty, and takes the
processor time of it and of all that it starts, and the time on the clock, from its start until it ends: tracing,
conversion, compilation and choosing kernels, one process that compares with eager, and one that times. What converters
need as an environment of their own is installed beforehand and not counted. The answers are kept in ``--out``: the same
command goes on where it was interrupted. Printed is a table in Markdown.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path

from bench import cli
from bench.backends import catalogue
from bench.core import machine, processes
from bench.core.files import cache_path
from bench.core.unfinished import Unfinished
from bench.models import model_names

ROOT = Path(__file__).resolve().parent.parent
WANTED_S = 60.0  # of processor time


@dataclass
class FirstAnswer:
    """Of one network in one backend."""

    processor_s: float
    wall_s: float
    error: str = ""


def first_answer(model: str, backend: str, threads: int, limit_s: float) -> FirstAnswer:
    """Run the command with an empty cache; what takes longer than the limit is ended, and says so."""
    with tempfile.TemporaryDirectory(prefix="first-answer-") as name:
        folder = Path(name)
        environments = cache_path("environments")
        if environments.is_dir():
            there = folder / "cache" / environments.parent.name
            there.mkdir(parents=True)
            (there / environments.name).symlink_to(environments)
        words = [
            sys.executable, "-m", "bench.speed", "--models", model, "--backend", backend, "--threads", str(threads),
            "--device", "cpu", "--rounds", "3", "--sets", "1", "--warmup", "1", "--results", str(folder / "results"),
            "--quiet",
        ]  # fmt: skip
        with (folder / "errors").open("wb") as errors:
            began, before = time.monotonic(), os.times()
            process = subprocess.Popen(
                words, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=errors, start_new_session=True,
                env=os.environ | {"XDG_CACHE_HOME": str(folder / "cache"), "OMP_NUM_THREADS": str(threads),
                                  processes.PARENT: str(os.getpid())},
            )  # fmt: skip
            try:
                status = process.wait(limit_s)
            except subprocess.TimeoutExpired:
                return FirstAnswer(0.0, limit_s, f"more than {limit_s:g} s")
            finally:
                process.kill()  # after Ctrl-C, too
                process.wait()
            wall_s, after = time.monotonic() - began, os.times()  # of children that were waited for, theirs included
        said = (folder / "errors").read_text(errors="replace").strip().splitlines()
    spent = sum(after[2:4]) - sum(before[2:4])
    return FirstAnswer(spent, wall_s, said[-1] if status and said else "")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", default="paper", help="paper, all, or names with commas between")
    parser.add_argument("--backends", help="names with commas between; by default, all that run on this CPU")
    parser.add_argument("--threads", default="1,2", help="numbers with commas between")
    parser.add_argument("--limit", type=float, default=900.0, metavar="SECONDS", help="of one answer, on the clock")
    parser.add_argument("--out", type=Path, default=Path("first_answer.partial"), help="what has been measured")
    arguments = parser.parse_args()
    backends = cli.listed(arguments.backends) if arguments.backends else catalogue.usable("cpu", "fp32")[0]
    for backend in backends:
        catalogue.resolve(backend, "cpu", "fp32")
    where = machine.this_machine("cpu")
    chosen = [
        (model, backend, int(threads))
        for model in model_names(arguments.models) for backend in backends for threads in arguments.threads.split(",")
    ]  # fmt: skip
    found: dict[tuple[str, str, int], FirstAnswer] = {}
    for number, (model, backend, threads) in enumerate(chosen, 1):
        identity = f"{catalogue.version(backend)} {machine.source_sha256()} {where.model_dump_json()}"
        work = Unfinished(arguments.out, FirstAnswer).work(identity)
        part = f"{model} {backend} {threads}"
        if part not in work.parts:
            work.add(part, first_answer(model, backend, threads, arguments.limit))
        found[model, backend, threads] = one = work.parts[part]
        took = one.error or f"{one.processor_s:.1f} s of processor time, {one.wall_s:.1f} s on the clock"
        print(f"{number}/{len(chosen)} {model}, {backend}, {threads} threads: {took}", file=sys.stderr, flush=True)
    print(f"{where.cpu}, {where.cores} cores; {', '.join(dict.fromkeys(map(catalogue.version, backends)))}\n")
    print("| network | threads | " + " | ".join(backends) + " |")
    print("|---" * (2 + len(backends)) + "|")
    for model, threads in dict.fromkeys((model, threads) for model, _, threads in chosen):
        cells = [shown(found[model, backend, threads]) for backend in backends]
        print(f"| {model} | {threads} | {' | '.join(cells)} |")
    print(f"\nProcessor seconds, and seconds on the clock; in bold where processor time is above {WANTED_S:g} s.")
    return 0


def shown(one: FirstAnswer) -> str:
    if one.error:
        return one.error.replace("|", "/")
    processor = f"{one.processor_s:.1f}"
    return f"{f'**{processor}**' if one.processor_s > WANTED_S else processor} ({one.wall_s:.1f})"


if __name__ == "__main__":
    with cli.errors_as_lines():
        status = main()
    sys.exit(status)
