"""What the report of many machines costs: processor seconds and bytes for 4,000 speed records of 25 machines.

    python benchmarks/report_speed.py [--figures main|all] [--keep DIR] [--tree DIR ...]

The records are made up: eight networks in five runtimes with one and two threads at batch 1 and 8. ``--tree`` makes
the report with other checkouts of this project as well, so that before and after stand in one run.
"""

import argparse
import itertools
import json
import os
import random
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
MACHINES = 25
NETWORKS = {"simplebaseline_mobilenetv2": 19.0, "simplebaseline_mobilenetv3": 18.2, "simplebaseline_shufflenetv2": 20.0,
            "vipnas_mobilenetv3": 5.0, "small_hrnet_w16": 30.0, "lite_hrnet_18": 10.0, "lite_hrnet_30": 6.0,
            "lightweight_mobilenetv3": 18.0}  # fmt: skip
RUNTIMES = {"eager": 1.0, "fused": 1.1, "compile": 1.5, "onnxruntime": 2.2, "openvino": 2.6}


def records() -> list[dict[str, object]]:
    """Made-up speed records, always the same."""
    rng = random.Random(0)
    software = {"python": "3.11.9", "torch": "2.6.0", "project": "0.1.0", "source_sha256": "ab" * 32}
    made = []
    for number, backend, threads, batch in itertools.product(range(MACHINES), RUNTIMES, (1, 2), (1, 8)):
        machine = {"os": "Linux", "cpu": f"Processor {number}", "cores": 2, "logical_cores": 2, "memory_bytes": 2**33}
        for model, paper in NETWORKS.items():
            fps = paper * RUNTIMES[backend] * threads * (1 + number / MACHINES) * rng.uniform(0.8, 1.2)
            made.append({
                "kind": "speed", "model": model, "input": "256x192", "num_joints": 17, "backend": backend,
                "device": "cpu", "precision": "fp32", "batch": batch, "threads": threads, "schema": 2,
                "protocol": {"name": "paper", "rounds": 50, "warmup": 5, "sets": 5}, "weights": "random",
                "metrics": {"fps": fps, "fps_ci95_low": 0.95 * fps, "fps_ci95_high": 1.04 * fps,
                            "latency_ms_mean": 1000 / fps},
                "samples": {"latency_ms": [[1000 / fps * rng.uniform(0.9, 1.1) for _ in range(50)] for _ in range(5)]},
                "machine": machine, "software": software | {"runtime": f"{backend} 1.0"},
                "started_at": "2026-01-02T03:04:05.000+00:00", "command": f"python -m bench.speed --threads {threads}",
            })  # fmt: skip
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--figures", choices=("main", "all"), help="handed to bench.report; without it, its default")
    parser.add_argument("--tree", type=Path, action="append", default=[], help="another checkout to compare with")
    parser.add_argument("--keep", type=Path, help="folder for records and report")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (arguments.keep or Path(temporary)).resolve()
        (folder / "results").mkdir(parents=True, exist_ok=True)
        made = records()
        lines = "".join(json.dumps(record) + "\n" for record in made)
        (folder / "results" / "speed.jsonl").write_text(lines)
        print(f"{len(made)} speed records of {MACHINES} machines, {len(lines) / 1e6:.1f} MB")
        for number, tree in enumerate((*arguments.tree, ROOT)):
            out = folder / f"report{number}"
            command = [sys.executable, "-m", "bench.report", "--results", folder / "results", "--out", out, "--quiet"]
            if arguments.figures and tree == ROOT:
                command += ["--figures", arguments.figures]
            before = resource.getrusage(resource.RUSAGE_CHILDREN)
            environment = os.environ | {"PYTHONPATH": str(tree), "OMP_NUM_THREADS": "1"}
            subprocess.run(command, cwd=tree, check=True, stdout=subprocess.DEVNULL, env=environment)
            after = resource.getrusage(resource.RUSAGE_CHILDREN)
            seconds = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
            sizes = [path.stat().st_size for path in out.iterdir()]
            print(f"{tree}: {seconds:.1f} s processor time, {sum(sizes) / 1e6:.1f} MB in {len(sizes)} files")


if __name__ == "__main__":
    main()
