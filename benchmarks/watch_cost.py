"""What watching frequency, temperature and throttling between rounds costs, as a share of the time of the rounds.

    python benchmarks/watch_cost.py [--rounds 400] [--round-ms 10]

Files as those of a Raspberry Pi 5, a phone, a board whose sensor takes 5 ms to read, and a server with a policy for
each of 128 cores stand in for the system's; and the system's own. They take turns within one process: rounds of a
matrix product, a watch after each as in every timed set. The time of every look is taken around the call, by the wall
and by the processor; the time of a call that does not look, on its own.
"""

import argparse
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np

from bench.core import system_files
from bench.timing import conditions

TURNS = 4


def lay_out(root: Path, policies: int, zones: int, *, cooling: int = 1, firmware: bool = False) -> Path:
    """Files as a board's, in ``root``."""
    files: dict[str, str] = {}
    for number in range(policies):
        folder = f"devices/system/cpu/cpufreq/policy{number}"
        files |= {f"{folder}/cpuinfo_max_freq": "2400000\n", f"{folder}/scaling_cur_freq": "2400000\n"}
    for number in range(zones):
        files[f"class/thermal/thermal_zone{number}/temp"] = "61450\n"
    for number in range(cooling):
        folder = f"class/thermal/cooling_device{number}"
        files |= {f"{folder}/type": "cpufreq-cpu0\n", f"{folder}/cur_state": "0\n"}
    if firmware:
        files["devices/platform/soc@0/soc@0:firmware/get_throttled"] = "0\n"
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)
    return root


def slow_content(path: Path) -> str:
    """A sensor behind a slow bus."""
    if path.name == "temp":
        time.sleep(0.005)
    return system_files.content(path)


def looking(watch: conditions.Watch, rounds: int, work: Callable[[], object]) -> tuple[float, float, float]:
    """Seconds of some rounds with the watch between them, and of its looks by the wall and by the processor."""
    wall = processor = 0.0
    begun = time.perf_counter()
    for _ in range(rounds):
        work()
        now = time.perf_counter_ns()
        due, before = now >= watch.next_ns, time.thread_time()
        watch(now)
        if due:
            wall += (time.perf_counter_ns() - now) / 1e9
            processor += time.thread_time() - before
    return time.perf_counter() - begun, wall, processor


def call_s(watch: conditions.Watch) -> float:
    """Of a call that does not look."""
    watch.next_ns = 2**62
    begun = time.thread_time()
    for _ in range(100_000):
        watch(1)
    return (time.thread_time() - begun) / 100_000


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=400, help="in a turn")
    parser.add_argument("--round-ms", type=float, default=10.0, help="about how long a round takes")
    arguments = parser.parse_args()
    block = np.ones((400, 400), np.float32)
    begun = time.perf_counter()
    for _ in range(20):
        block @ block
    times = max(1, round(arguments.round_ms / 1000 / ((time.perf_counter() - begun) / 20)))

    def work() -> None:
        for _ in range(times):
            block @ block

    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        boards = {
            "this machine": system_files.SYSTEM,
            "Pi 5": lay_out(root / "pi", 1, 1, firmware=True),
            "phone": lay_out(root / "phone", 3, 40, cooling=8),
            "slow sensor": lay_out(root / "slow", 1, 1),
            "128 policies": lay_out(root / "server", 128, 8),
        }
        spent = {name: [0.0, 0.0, 0.0] for name in boards}
        looks, calls = dict.fromkeys(boards, 0), dict.fromkeys(boards, 0.0)
        for _ in range(TURNS):
            for name, folder in boards.items():
                system_files.SYSTEM = folder
                conditions.content = slow_content if name == "slow sensor" else system_files.content  # type: ignore[attr-defined]
                watch = conditions.Watch()
                found = looking(watch, arguments.rounds, work)
                spent[name] = [one + more for one, more in zip(spent[name], found, strict=True)]
                looks[name] += len(watch.looking_ns)
                calls[name] = call_s(watch)
    for name, (total, wall, processor) in spent.items():
        each, all_calls = 1e6 / max(1, looks[name]), calls[name] * TURNS * arguments.rounds
        by_processor, by_clock = (100 * (one + all_calls) / total for one in (processor, wall))
        print(
            f"{name}: {looks[name]} looks of {processor * each:.0f} us of processor time ({wall * each:.0f} us by the "
            f"clock), a call without one {1e9 * calls[name]:.0f} ns; together {by_processor:.4f} % ({by_clock:.4f} % "
            f"by the clock) of {total:.1f} s of rounds"
        )


if __name__ == "__main__":
    main()
