"""Processor seconds that the help of each command takes, subcommands included: python benchmarks/help_time.py"""

import argparse
import os
import re
import subprocess
import sys

from bench.__main__ import COMMANDS

ROUNDS = 5


def help_of(command: list[str]) -> tuple[str, float]:
    """What ``--help`` prints, and the processor time of the process."""
    before = os.times()
    done = subprocess.run(
        [sys.executable, "-m", f"bench.{command[0]}", *command[1:], "--help"],
        capture_output=True,
        text=True,
        check=True,
    )
    after = os.times()
    return done.stdout, sum(after[2:4]) - sum(before[2:4])


def main() -> None:
    argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter).parse_args()
    asked = [[name] for name in COMMANDS]
    for command in asked:
        times = []
        for _ in range(ROUNDS):
            text, seconds = help_of(command)
            times.append(seconds)
        print(f"{min(times):6.2f} s  bench.{' '.join(command)}")
        subcommands = re.search(r"^positional arguments:\n +\{([^}]+)\}", text, re.M)
        asked += [[*command, name] for name in subcommands[1].split(",")] if subcommands else []


if __name__ == "__main__":
    main()
