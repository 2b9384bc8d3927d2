"""Whether a change made the commands themselves slower: two revisions in turns, from the command to its record.

    python benchmarks/before_after.py BASE [--turns 3] [--model NAME] [--backend NAME] [--run-all quick|full]

Each turn runs both revisions one after the other, each in a checkout, a cache folder and a results folder of its own,
with the packages of the environment that this script runs in. The first turn fills the caches and is printed apart.
``--run-all`` runs what ./run_all.sh runs after its set-up, instead of one network.
"""

import argparse
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base", metavar="BASE", help="the revision before the change")
    parser.add_argument("--turns", type=int, default=3, help="after the first")
    parser.add_argument("--model", default="lightweight_mobilenetv3")
    parser.add_argument("--backend", default="eager")
    parser.add_argument("--run-all", choices=["quick", "full"])
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        sides = {"before": checkout(options.base, folder / "before"), "after": checkout("HEAD", folder / "after")}
        try:
            seconds: dict[str, list[float]] = {side: [] for side in sides}
            for turn in range(options.turns + 1):
                for side, root in sides.items():
                    seconds[side].append(run(root, folder / f"{side}-cache", folder / f"{side}-{turn}", options))
                print(f"turn {turn}: " + ", ".join(f"{side} {taken[-1]:.1f} s" for side, taken in seconds.items()))
        finally:
            for root in sides.values():
                git("worktree", "remove", "--force", str(root))
    first = seconds["after"][0] / seconds["before"][0]
    print(f"empty caches: {first:.2f} times as long as before")
    if options.turns:
        medians = {side: statistics.median(taken[1:]) for side, taken in seconds.items()}
        print(f"filled caches: {medians['before']:.1f} s before, {medians['after']:.1f} s after, "
              f"{medians['after'] / medians['before']:.2f} times as long")  # fmt: skip


def checkout(revision: str, folder: Path) -> Path:
    git("worktree", "add", "--quiet", "--detach", str(folder), revision)
    return folder


def git(*arguments: str) -> None:
    subprocess.run(["git", "-C", str(ROOT), *arguments], check=True)


def run(root: Path, cache: Path, out: Path, options: argparse.Namespace) -> float:
    """Seconds from the command to its end."""
    out.mkdir()
    variables = os.environ | {"PYTHONPATH": str(root), "XDG_CACHE_HOME": str(cache)}
    if options.run_all:
        # The script as it stands, in the environment of this one in place of what its set-up makes. Records and reports
        # go into the checkout; the next turn begins without them.
        venv = root / ".venv"
        if not venv.is_symlink():
            venv.symlink_to(sys.prefix)
        text = re.sub(r"(?m)^source .*setup\.sh.*$", "bin=.venv/bin", (root / "run_all.sh").read_text())
        script = f"rm -rf results/local reports/local\n{text}"
        command = ["bash", "-c", script, "run_all.sh", *(["--quick"] if options.run_all == "quick" else [])]
    else:
        command = [sys.executable, "-m", "bench.speed", "--device", "cpu", "--models", options.model, "--backend",
                   options.backend, "--results", str(out)]  # fmt: skip
    start = time.perf_counter()
    done = subprocess.run(command, cwd=root, env=variables, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{root}: {' '.join(command)[:200]} ended with status {done.returncode}: {done.stderr[-500:]}")
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
