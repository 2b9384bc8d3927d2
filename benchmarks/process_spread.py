"""How much do fresh processes of the same network differ, and what makes them?

Starts processes of ``bench.speed``'s worker under several settings in turn, round after round, and
prints for each setting the median latency, the standard deviation over processes of the logarithm of
their medians, and page faults a round. See docs/timing.md for what came out.

    python benchmarks/process_spread.py --model lightweight_mobilenetv3 --processes 10
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
from dataclasses import asdict
from math import log
from typing import Any

from bench.speed.plan import SpeedPlan
from bench.timing.process_variables import KEEP_MEMORY

BIND = {"OMP_PROC_BIND": "true", "OMP_PLACES": "cores"}
HUGE = {"GLIBC_TUNABLES": "glibc.malloc.hugetlb=1"}
SETTINGS: dict[str, tuple[dict[str, str], list[str]]] = {
    "as it comes": ({}, []),
    "threads bound to cores": (BIND, []),
    "passive waiting": ({"OMP_WAIT_POLICY": "PASSIVE"}, []),
    "memory kept": (KEEP_MEMORY, []),
    "huge pages": (HUGE, []),
    "no address randomisation": ({}, ["setarch", "-R"]),
    "memory kept + huge pages": (KEEP_MEMORY | HUGE, []),
    "memory kept + bound": (KEEP_MEMORY | BIND, []),
    "spin 1000": ({"GOMP_SPINCOUNT": "1000"}, []),
    "spin 10000": ({"GOMP_SPINCOUNT": "10000"}, []),
    "spin 100000": ({"GOMP_SPINCOUNT": "100000"}, []),
    "spin 10000 + memory kept": ({"GOMP_SPINCOUNT": "10000"} | KEEP_MEMORY, []),
    "spin 10000 + memory kept + huge pages": ({"GOMP_SPINCOUNT": "10000"} | KEEP_MEMORY | HUGE, []),
}


def answer(told: dict[str, Any], environment: dict[str, str], prefix: list[str]) -> dict[str, Any]:
    """What a worker says that is told to go on as soon as it is ready; it ends where its input does."""
    with subprocess.Popen(
        [*prefix, sys.executable, "-m", "bench.speed.worker"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=os.environ | environment,
    ) as process:  # fmt: skip
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{json.dumps(told)}\ngo\n".encode())
        process.stdin.flush()
        lines = (json.loads(line) for line in process.stdout)
        found: dict[str, Any] = next((line for line in lines if "ready" not in line), {})
    if "result" not in found:
        sys.exit(f"{told['model']}: {found or 'its process died'}")
    return found


def one(told: dict[str, Any], environment: dict[str, str], prefix: list[str]) -> tuple[float, float]:
    """Median latency in ms and minor page faults a round of one fresh process."""
    result = answer(told, environment, prefix)["result"]
    return statistics.median(result["latency_ms"]), result["conditions"]["page_faults_per_round"]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3")
    parser.add_argument("--processes", type=int, default=10)
    parser.add_argument("--rounds", type=int, default=30)
    parser.add_argument("--threads", type=int, default=os.cpu_count())
    parser.add_argument("--settings", default=",".join(SETTINGS))
    parser.add_argument("--backend", default="eager")
    parser.add_argument("--busy", action="store_true", help="with one other process that never rests")
    arguments = parser.parse_args()
    plan = SpeedPlan(
        arguments.model, 17, (256, 192), None, 1, "cpu", arguments.backend, "fp32", arguments.threads, "custom",
        arguments.rounds, 5, 1, 0,
    )  # fmt: skip
    threads = {"OMP_NUM_THREADS": str(arguments.threads)}
    prepared = answer(asdict(plan) | {"prepare": True}, threads, [])["prepared"]
    told = asdict(plan) | {name: prepared[name] for name in ("images", "expected", "artifact")}
    chosen = {name: SETTINGS[name] for name in arguments.settings.split(",")}
    chosen = {name: (env, prefix) for name, (env, prefix) in chosen.items() if not prefix or shutil.which(prefix[0])}
    medians: dict[str, list[float]] = {name: [] for name in chosen}
    faults: dict[str, list[float]] = {name: [] for name in chosen}
    neighbour = subprocess.Popen([sys.executable, "-c", "while True: pass"]) if arguments.busy else None
    for _ in range(arguments.processes):
        for name, (environment, prefix) in chosen.items():
            median, fault = one(told, environment | threads, prefix)
            medians[name].append(median)
            faults[name].append(fault)
    if neighbour is not None:
        neighbour.kill()
    neighbours = ", a busy neighbour" if arguments.busy else ""
    print(f"{arguments.model}, {arguments.threads} threads, {arguments.processes} processes a setting{neighbours}")
    print(f"{'setting':38} {'median ms':>9} {'sd of log':>9} {'least':>7} {'most':>7} {'faults a round':>14}")
    for name, values in medians.items():
        spread = statistics.stdev([log(value) for value in values]) if len(values) > 1 else 0.0
        print(
            f"{name:38} {statistics.median(values):9.2f} {spread:9.3f} {min(values):7.2f} {max(values):7.2f} "
            f"{statistics.median(faults[name]):14.0f}"
        )


if __name__ == "__main__":
    main()
