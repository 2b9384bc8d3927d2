"""What the records of 1,000 devices cost: processor seconds to load 20,000, and bytes read to add one more.

    python benchmarks/record_loading.py [--records 20000] [--keep DIR]

The records are made up: 20 a device, 5 sets of 50 rounds each, as the kit writes them; a file a device, and all of them
in one file. Loading is what ``bench.report`` does before anything else: every line is checked against the schema.
"""

import argparse
import json
import random
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.core import results
from bench.report.command import read
from bench.speed.statistics import summarise

BACKENDS = ("onnxruntime", "openvino", "ncnn", "mnn", "litert")
NETWORKS = ("lite_hrnet_18", "lite_hrnet_30", "small_hrnet_w16", "lightweight_mobilenetv3")


def line(number: int, sets: list[list[float]], metrics: dict[str, float]) -> str:
    """A record as one line: made up, of the size of a real one."""
    device = number // 20
    conditions = {"elapsed_s": 0.6, "cpu_mhz_before": 2400.0, "cpu_mhz_after": 2400.0, "others_cores": 0.01}
    return json.dumps({
        "schema": 2, "kind": "speed", "model": NETWORKS[number % 4], "input": "256x192", "num_joints": 17,
        "backend": BACKENDS[number % 20 // 4], "device": "cpu", "precision": "fp32", "batch": 1, "threads": 4,
        "protocol": {"name": "paper", "rounds": 50, "warmup": 5, "sets": 5, "image": "astronaut"}, "weights": "random",
        "metrics": metrics, "samples": {"latency_ms": sets}, "conditions": [conditions] * 5,
        "notes": {"device": {"board": f"Board {device}", "architecture": "aarch64"},
                  "kit": {"manifest_sha256": "ab" * 32, "network": "n", "made_with": "onnxruntime 1.20"}},
        "machine": {"os": "Linux", "cpu": f"Board {device}", "cores": 4, "logical_cores": 4, "memory_bytes": 2**33},
        "software": {"python": "3.11.2", "torch": "2.6.0", "project": "0.1.0", "source_sha256": "cd" * 32,
                     "runtime": f"{BACKENDS[number % 20 // 4]} 1.0", "packages": {"numpy": "1.26.4"}},
        "started_at": "2026-01-02T03:04:05.000+00:00", "command": "python run.py",
    })  # fmt: skip


def processor_s(work: Callable[[], object]) -> float:
    before = time.process_time()
    work()
    return time.process_time() - before


def bytes_read() -> int:
    """By this process so far, from files or caches; Linux counts them."""
    told = dict(text.split(": ") for text in Path("/proc/self/io").read_text().splitlines())
    return int(told["rchar"])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--keep", type=Path, metavar="DIR", help="where to make the folders, and leave them")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        root = arguments.keep or Path(temporary)
        rng = random.Random(0)
        drawn = [[[round(rng.uniform(9, 11), 6) for _ in range(50)] for _ in range(5)] for _ in range(100)]
        figures = [summarise(sets) for sets in drawn]
        lines = [line(n, drawn[n % 100], figures[n % 100]) + "\n" for n in range(arguments.records)]
        for device in range(0, arguments.records, 20):
            folder = root / "devices" / str(device // 20)
            folder.mkdir(parents=True)
            (folder / "speed.jsonl").write_text("".join(lines[device : device + 20]))
        (root / "one").mkdir()
        one = root / "one" / "speed.jsonl"
        one.write_text("".join(lines))
        print(f"{len(lines)} records, {one.stat().st_size / 1e6:.0f} MB", flush=True)
        for name in ("devices", "one"):
            spent = processor_s(lambda folder=root / name: read(folder))  # type: ignore[misc]
            print(f"load {name}: {spent:.1f} s of processor time", flush=True)
        half = root / "half"
        half.mkdir()
        (half / "speed.jsonl").write_text("".join(lines[: len(lines) // 2]))
        spent = processor_s(lambda: read(half))
        print(f"load half of them: {spent:.1f} s of processor time")
        record = results.parse(lines[0], "the first line")
        for name in ("one", "half"):
            before = bytes_read()
            results.append([record], root / name)
            print(f"append to {name}: {bytes_read() - before} bytes read")


if __name__ == "__main__":
    main()
