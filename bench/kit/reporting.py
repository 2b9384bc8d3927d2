"""What a run on a device says and writes: lines for a slow console, and records."""

from __future__ import annotations  # this file is read by Python 3.9 too

import contextlib
import hashlib
import importlib.metadata
import importlib.util
import json
import platform
import shlex
import sys
import time
from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import numpy as np

from bench.backends import catalogue
from bench.core import board, hardware
from bench.core.errors import InputError
from bench.kit.console import say
from bench.kit.ledger import append_line, lines
from bench.kit.manifest import NAME, KitNetwork, Manifest, keep
from bench.timing import sustained
from bench.timing.intervals import rounds_for_percentile
from bench.timing.process_variables import process_variables

SCHEMA = 2  # of records


class Steps:
    """A line a step, with how many there are and about how long the rest takes."""

    def __init__(self, total: int) -> None:
        self.total, self.done, self.started = total, 0, time.monotonic()

    def step(self, what: str, result: dict[str, Any]) -> None:
        self.done += 1
        left_s = (time.monotonic() - self.started) / self.done * (self.total - self.done)
        rest = f", about {left_s / 60:.0f} min left" if left_s > 90 else ""
        say(f"{self.done}/{self.total} {what}: median {float(np.median(result['latency_ms'])):.2f} ms{rest}")

    def drop(self, count: int) -> None:
        self.total -= count


def percentile_text(latency_ms: Sequence[Sequence[float]], percentile: float) -> str:
    """A percentile of all rounds, or how many rounds it would need."""
    rounds = np.concatenate([np.asarray(one, float) for one in latency_ms])
    needed = rounds_for_percentile(percentile)
    return f"{np.percentile(rounds, percentile):.2f}" if len(rounds) >= needed else f"needs {needed}"


def print_table(records: Sequence[dict[str, Any]]) -> None:
    """A line a record, on standard output; of an emulated processor only that it computes the same."""
    rows: list[tuple[str, ...]] = [("model", "backend", "median ms", "p90 ms", "p99 ms", "FPS", "parity", "settled ms")]
    for record in records:
        metrics, latency = record["metrics"], record["samples"]["latency_ms"]
        settled = metrics.get("latency_ms_settled")
        if record["notes"]["device"].get("emulated"):
            parity = f"{metrics.get('parity_max_relative', 0):.0e}"
            rows.append((record["model"], record["backend"], *["emulated"] * 4, parity, "-"))
            continue
        rows.append((
            record["model"], record["backend"], f"{metrics['latency_ms_median']:.2f}", percentile_text(latency, 90),
            percentile_text(latency, 99), f"{metrics['fps']:.1f}", f"{metrics.get('parity_max_relative', 0):.0e}",
            f"{settled:.2f}" if settled else "-",
        ))  # fmt: skip
    if len(rows) == 1:
        return
    if all(row[-1] == "-" for row in rows[1:]):
        rows = [row[:-1] for row in rows]
    widths = [max(len(row[column]) for row in rows) for column in range(len(rows[0]))]
    for row in rows:
        print("  ".join(text.ljust(width) for text, width in zip(row, widths)).rstrip(), flush=True)


def append_once(record: dict[str, Any], folder: Path, *, resumed: bool) -> None:
    """Add a record to ``speed.jsonl``, and the manifest beside it; not if a run that was killed had added it.

    Args:
        record: of a network with all its sets.
        folder: of the records.
        resumed: whether an earlier run left parts of it; only then the file is read.
    """
    keep((folder.parent / NAME).read_bytes().decode(), folder)
    path = folder / "speed.jsonl"
    if not (resumed and any(_name(line) == _name(record) for line in lines(path))):
        append_line(path, json.dumps(record, separators=(",", ":")))


def _name(record: dict[str, Any]) -> tuple[Any, ...] | None:
    """What tells a record from the others of its kit; nothing where it is none of a kit."""
    try:
        return record["started_at"], record["notes"]["kit"]["network"]
    except (KeyError, TypeError):
        return None


def _digest(*told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


class RecordMaker:
    """Makes records, schema 2, of what this device is and what was found on it."""

    def __init__(self, kit: Path, manifest: Manifest, protocol: dict[str, Any], threads: int, records: Path) -> None:
        self.manifest, self.protocol, self.threads, self.records = manifest, protocol, threads, records
        self.machine = hardware.describe()
        self.device = board.describe()
        self.manifest_sha256 = hashlib.sha256((kit / NAME).read_bytes()).hexdigest()
        self.behind_s = (datetime.fromisoformat(manifest.made_at) - datetime.now(timezone.utc)).total_seconds()
        self.warnings = self._warnings()

    def _warnings(self) -> list[str]:
        """What speaks against the timings of this run as a whole."""
        found = []
        if "emulated" in self.device:
            found.append(f"emulated processor: {self.device['emulated']}; timings mean nothing")
        if self.device.get("power") == "battery":
            found.append("on battery: it may run slower than on mains")
        slow = {one["governor"] for one in self.device.get("classes", ()) if one.get("governor") == "powersave"}
        if slow and "intel" not in self.machine["cpu"].lower():  # whose driver calls its usual governor so
            found.append("frequency governor powersave: it may keep to its lowest frequency")
        if self.behind_s > 60:
            found.append("the clock was never set: times are those of the kit's making, and how long the device is on")
        return found

    def now(self) -> str:
        """The time as records write it; on a board whose clock was never set, one that cannot be earlier."""
        known = datetime.now(timezone.utc)
        if self.behind_s > 60:
            known = datetime.fromisoformat(self.manifest.made_at) + timedelta(seconds=time.monotonic())
        return known.isoformat(timespec="milliseconds")

    def runtime(self, network: KitNetwork) -> str:
        """Name and version of what runs a network here.

        Raises:
            InputError: it is not installed, or nothing tells its version.
        """
        backend = catalogue.find(network.measurement["backend"])
        absent = [package for package in backend.open_packages if importlib.util.find_spec(package) is None]
        if absent:
            raise InputError(f"{' and '.join(absent)} is not installed here: pip install {' '.join(absent)}")
        try:
            return catalogue.version(backend.name)
        except importlib.metadata.PackageNotFoundError:
            # What only the maker of the kit needs, such as a quantiser, stays as it was there.
            first, _, rest = network.runtime.partition(",")
            name = first.partition(" ")[0]
            try:
                return f"{name} {importlib.metadata.version(name)}{',' if rest else ''}{rest}"
            except (importlib.metadata.PackageNotFoundError, ValueError):  # the latter of no name at all
                raise InputError(f"nothing here tells the version of {name or network.runtime}: install it") from None
        except (ImportError, OSError, RuntimeError) as error:
            reason = " ".join(str(error).split())[:200]
            raise InputError(f"{', '.join(backend.open_packages)} cannot be imported here: {reason}") from error

    def measurement(self, network: KitNetwork) -> dict[str, Any]:
        protocol = {**network.measurement.get("protocol", {}), **self.protocol}
        return {**network.measurement, "threads": self.threads, "protocol": protocol}

    def identity(self, network: KitNetwork, runtime: str) -> str:
        """Sets may be put together only if nothing differs that can change them."""
        return _digest(
            self.measurement(network), runtime, self.machine, self.manifest_sha256, network.id,
            platform.python_version(), np.__version__,
        )  # fmt: skip

    def recorded(self) -> set[str]:
        """The identities that have a record here, in ``records/speed.jsonl``."""
        networks = {network.id: network for network in self.manifest.networks}
        found = set()
        for line in lines(self.records / "speed.jsonl"):
            with contextlib.suppress(KeyError, TypeError):
                kit, software = line["notes"]["kit"], line["software"]
                measured = {key: line[key] for key in self.measurement(networks[kit["network"]])}
                found.add(_digest(
                    measured, software["runtime"], line["machine"], kit["manifest_sha256"], kit["network"],
                    software["python"], software["packages"]["numpy"],
                ))  # fmt: skip
        return found

    def record(
        self, network: KitNetwork, runtime: str, results: Sequence[dict[str, Any]], started_at: str
    ) -> dict[str, Any]:
        """The record of a network from its sets."""
        from bench.speed.figures import figures
        from bench.speed.timed_set import SetResult

        found = figures([SetResult(**result) for result in results])
        if self.protocol["name"] == "sustained":
            found.metrics.update(sustained.figures(found.samples["latency_ms"][0]))
        notes = {
            **network.notes,
            "environment": process_variables(self.threads),
            "device": self.device,
            "kit": {"manifest_sha256": self.manifest_sha256, "network": network.id, "made_with": network.runtime},
            **found.notes,
        }
        return {
            "schema": SCHEMA,
            **self.measurement(network),
            "metrics": found.metrics,
            "samples": found.samples,
            "conditions": found.conditions,
            "warnings": sorted({*found.warnings, *self.warnings}),
            "notes": notes,
            "machine": self.machine,
            "software": {
                **self.manifest.software,
                "python": platform.python_version(),
                "runtime": runtime,
                "packages": {"numpy": np.__version__},
            },
            "started_at": started_at,
            "command": " ".join(["python", "run.py", *map(shlex.quote, sys.argv[1:])]),  # as one would type it
        }
