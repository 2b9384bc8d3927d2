"""Every record of a GPU, in steps that fit a time limit: what Table V's GPU columns need, and why it takes that time.

    python benchmarks/gpu_records.py FOLDER [--minutes 9.5] [--steps fp16_graphs,fp16_compiled,...]

A step is a command of this project, printed before it starts, and appends its records to FOLDER. Steps run in the order
below while time is left; one that the limit ends keeps what it has timed, and ``--steps`` with its name goes on there.
A step for an ONNX Runtime provider that is not installed says so and takes no time. Last comes how far each network in
fp16 is from its bound, what ``bench.explain`` found that its operators must take at the GPU's peaks.
``--list`` prints the commands and runs nothing.
"""

import argparse
import math
import shlex
import subprocess
import sys
import time
from pathlib import Path

from bench.core.record import Record
from bench.core.results import read
from bench.report.measured import Measured
from bench.report.sections import speedup

_STEADY = "--device cuda --models paper --protocol steady --budget 3 --warmup 30"
_SPEED = f"-m bench.speed {_STEADY}"

# In the order of what a table lacks most, one backend a step: the limit ends a step between two sets, and a network has
# a record only when it has all its sets. Most time goes into getting processes ready, so as many as there are
# combinations get ready at once: on an H100 with 16 cores, fp16_graphs took 370 s, tf32_graphs would take 160 s.
STEPS = {
    "fp16_graphs": f"{_SPEED} --precision fp16 --backend cudagraphs --batch 1,32,128 --ahead 24",
    "fp16_compiled": f"{_SPEED} --precision fp16 --backend compile_cudagraphs --ahead 8",
    "fp16_explain": "-m bench.explain --device cuda --precision fp16 --models paper --rounds 2 --ahead 8",
    "fp32_graphs": f"{_SPEED} --backend cudagraphs --ahead 8",
    "fp32": f"{_SPEED} --backend eager --ahead 8",
    "tf32_graphs": f"{_SPEED} --precision tf32 --backend cudagraphs --ahead 8",
    "batch_8": f"{_SPEED} --precision fp16 --backend cudagraphs --batch 8 --ahead 8",
    "tests": "-m pytest -q -m gpu -n 8 tests",
    "onnxruntime_cuda": f"{_SPEED} --backend onnxruntime_cuda --ahead 8",
    "onnxruntime_tensorrt": f"{_SPEED} --backend onnxruntime_tensorrt --ahead 8",
    "fp16_eager": f"{_SPEED} --precision fp16 --backend eager --ahead 8",
    "tf32": f"{_SPEED} --precision tf32 --backend eager --ahead 8",
    "fp32_compiled": f"{_SPEED} --backend compile_cudagraphs --ahead 8",
    "newer": f"{_SPEED.replace('paper', 'newer')} --precision fp16 --backend cudagraphs --ahead 9",
}


def command(step: str, folder: Path) -> list[str]:
    """The step as Python's arguments."""
    arguments = STEPS[step].split()
    return arguments if "pytest" in arguments else [*arguments, "--results", str(folder)]


def run(step: str, folder: Path, seconds: float) -> str:
    """How the step ended, in words."""
    started = time.monotonic()
    with subprocess.Popen([sys.executable, *command(step, folder)]) as process:
        try:
            status = process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.terminate()  # it keeps what it has timed
            return f"stopped by the limit after {seconds:.0f} s"
    return f"exit status {status} after {time.monotonic() - started:.0f} s"


def over_bounds(records: list[Record]) -> dict[str, float]:
    """Of each network the latency of its best fp16 backend over its bound, as the report has it."""
    table = speedup.table(Measured(records))
    if table is None:
        return {}
    fp16 = [i for i, c in enumerate(table.columns) if c.key == "times_bound" and ("precision", "fp16") in c.setting]
    return {
        row.names["model"]: float(row.cells[i].extra["times"])
        for row in table.rows
        for i in fp16
        if "times" in row.cells[i].extra
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, metavar="FOLDER", help="of the records; they are appended")
    parser.add_argument("--minutes", type=float, default=9.5, help="for all steps together (default: 9.5)")
    parser.add_argument("--steps", default=",".join(STEPS), metavar="NAME[,NAME]", help=f"from {', '.join(STEPS)}")
    parser.add_argument("--list", action="store_true", help="print the commands and run nothing")
    arguments = parser.parse_args()
    steps = arguments.steps.split(",")
    if unknown := [step for step in steps if step not in STEPS]:
        parser.error(f"there is no step {unknown[0]!r}: choose from {', '.join(STEPS)}")
    if not math.isfinite(arguments.minutes) or arguments.minutes <= 0:
        parser.error(f"--minutes must be above 0, not {arguments.minutes}")
    ends = time.monotonic() + 60 * arguments.minutes
    ended = {}
    for step in steps:
        left = ends - time.monotonic()
        print(f"== {step}: {shlex.join(['python', *command(step, arguments.folder)])}", flush=True)
        if not arguments.list:
            ended[step] = run(step, arguments.folder, left) if left > 0 else "not started: no time was left"
            print(f"   {ended[step]}", flush=True)
    if arguments.list:
        return
    print("\n".join(f"{step}: {how}" for step, how in ended.items()))
    records = read(arguments.folder) if arguments.folder.is_dir() else []
    for name, ratio in over_bounds(records).items():
        print(f"{name}: its best fp16 backend takes {ratio:.1f} times its bound")


if __name__ == "__main__":
    main()
