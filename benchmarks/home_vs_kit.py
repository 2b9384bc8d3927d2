"""Does a kit time what ``bench.speed`` times? The same network on the same machine, both ways in turns.

    python benchmarks/home_vs_kit.py [--model lightweight_mobilenetv3] [--backend onnxruntime] [--pairs 10]

Each half of a pair is a command of its own, by the paper's protocol: 5 fresh processes of 50 rounds. Which comes first
changes from pair to pair. Prints the ratio of the median latencies, kit to home, pair by pair, and the median of them.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.core.machine import ROOT


def last_median_ms(records: Path) -> float:
    """Of the record that was added last."""
    median: float = json.loads(records.read_text().splitlines()[-1])["metrics"]["latency_ms_median"]
    return median


def run(command: list[object], cwd: Path) -> None:
    # What the kit brings is imported from the kit, and not from this checkout.
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH" or cwd == ROOT}
    done = subprocess.run([*map(str, command)], cwd=cwd, capture_output=True, text=True, env=environment)
    if done.returncode:
        sys.exit(done.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", default="lightweight_mobilenetv3")
    parser.add_argument("--backend", default="onnxruntime")
    parser.add_argument("--pairs", type=int, default=10)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    what = ["--models", arguments.model, "--backend", arguments.backend, "--threads", arguments.threads]
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        kit, home = folder / "kit", folder / "home"
        run([sys.executable, "-m", "bench.kit", "make", *what, "--out", kit], ROOT)
        at_home = [sys.executable, "-m", "bench.speed", "--device", "cpu", *what, "--results", home]
        away = [sys.executable, "run.py", "--threads", arguments.threads]
        ratios = []
        for pair in range(arguments.pairs):
            for kits_turn in (True, False) if pair % 2 else (False, True):
                run(away, kit) if kits_turn else run(at_home, ROOT)
            of_kit, of_home = last_median_ms(kit / "records" / "speed.jsonl"), last_median_ms(home / "speed.jsonl")
            ratios.append(of_kit / of_home)
            print(
                f"pair {pair + 1:2}: kit {of_kit:7.3f} ms, home {of_home:7.3f} ms, ratio {ratios[-1]:.4f}", flush=True
            )
    print(f"median ratio of {len(ratios)} pairs: {statistics.median(ratios):.4f}")


if __name__ == "__main__":
    main()
