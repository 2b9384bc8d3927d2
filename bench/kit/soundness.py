"""What must be true of a record that a kit made, beside what must be true of every record."""

import functools
import json
import math
from collections.abc import Iterator

from bench.backends.artifact import sha256
from bench.core import machine
from bench.core.record import Measurement, Record
from bench.kit import bounded_json
from bench.kit.manifest import KitNetwork, Manifest
from bench.record import soundness
from bench.speed.statistics import mean_interval
from bench.timing import parity, sustained, yardstick
from bench.timing.intervals import relative_precision

TOLERANCE = 1e-6  # relative: devices have other versions of numpy
ROUNDED_S = 0.0005  # by how much ``conditions.elapsed_s`` is off, which has three decimals
OF_THE_DEVICE = {"threads", "protocol"}  # what a manifest leaves open
# What was read from the device and follows from nothing else in the record.
READ = {
    "peak_rss_bytes", "rss_before_bytes", "model_file_bytes", "prepare_s", "prepare_cached_s", "first_inference_ms",
    "parity_max_relative", "energy_cpu_j_per_image",
}  # fmt: skip


def number_problem(line: str) -> str | None:
    """What is wrong with the numbers or the depth of a line of JSON; nothing where it is no JSON at all."""
    try:
        bounded_json.loads(line)
    except json.JSONDecodeError:
        return None  # reading it as a record says more
    except ValueError as error:
        return " ".join(str(error).split())[:200]
    return None


def problems(record: Record, manifest: Manifest) -> Iterator[str]:
    """What is wrong with a record of a kit, a line each; nothing if it is sound."""
    found = soundness.problems(record)
    yield from found
    yield from _of_the_kit(record, manifest)
    yield from _parity(record, _network(record, manifest))
    if not any("samples" in problem for problem in found):
        yield from _figures(record)
        yield from _times(record)


def _of_the_kit(record: Record, manifest: Manifest) -> Iterator[str]:
    network = _network(record, manifest)
    if network is None:
        yield f"notes.kit.network {str(_name(record))[:60]!r} is not in the kit"
        return
    yield from _measurement(record, network)
    for key, value in manifest.software.items():
        if getattr(record.software, key, None) != value:
            yield f"software.{key} is not as the kit was made with"
    yield from _protocol(record, manifest)
    yield from _modules(manifest)


def _name(record: Record) -> object:
    kit = record.notes["kit"]
    return kit.get("network") if isinstance(kit, dict) else None


def _network(record: Record, manifest: Manifest) -> KitNetwork | None:
    return next((one for one in manifest.networks if one.id == _name(record)), None)


def _measurement(record: Record, network: KitNetwork) -> Iterator[str]:
    told = record.model_dump(mode="json", include=set(Measurement.model_fields), exclude_none=True)
    for key in sorted((told.keys() | network.measurement.keys()) - OF_THE_DEVICE):
        if told.get(key) != network.measurement.get(key) and (told.get(key) or network.measurement.get(key)):
            yield f"{key} is {str(told.get(key))[:60]!r}, and the kit's network has {network.measurement.get(key)!r}"
    for key, value in network.measurement.get("protocol", {}).items():
        if record.protocol.get(key) != value:
            yield f"protocol.{key} is not that of the kit"
    if record.threads is None:
        yield "threads is missing"
    first, _, _ = network.runtime.partition(" ")
    if record.software.runtime.partition(" ")[0] != first:
        yield f"software.runtime is {record.software.runtime[:60]!r}, and the kit's file is for {first}"


def _protocol(record: Record, manifest: Manifest) -> Iterator[str]:
    """A protocol that bears a name has that protocol's numbers."""
    name = str(record.protocol.get("name"))
    if name not in (*manifest.protocols, "custom"):
        yield f"protocol.name is {name[:40]!r}: a kit has {', '.join(manifest.protocols)}, custom"
        return
    usual = manifest.protocols.get(name, {})
    free = {"sets", "budget_s"} if name == "steady" else {"rounds"} if name == "sustained" else set()
    for key, value in usual.items():
        if key not in free and record.protocol.get(key) != value:
            yield f"protocol.{key} is {record.protocol.get(key)}, and protocol {name} has {value:g}"


@functools.cache
def _changed_modules(files: frozenset[tuple[str, str]]) -> list[str]:
    return [name for name, told in sorted(files) if not _same_module(name, told)]


def _same_module(name: str, told: str) -> bool:
    path = machine.ROOT / ("bench/kit/run.py" if name == "run.py" else name)
    return path.is_file() and sha256(path) == told


def _modules(manifest: Manifest) -> Iterator[str]:
    """A kit of these very sources has their modules, unless somebody changed them."""
    if manifest.software.get("source_sha256") == machine.source_sha256():
        modules = frozenset((name, told) for name, told in manifest.files.items() if name.endswith(".py"))
        for name in _changed_modules(modules)[:1]:
            yield f"the kit's {name} is not the one of the sources that it says it was made from"


def _parity(record: Record, network: KitNetwork | None) -> Iterator[str]:
    worst = record.metrics.get("parity_max_relative")
    allowed = parity.allowed(record.precision or "fp32", network.rounding if network else 0.0)
    if worst is None:
        yield "parity_max_relative is missing: nothing says that the device computed the same"
    elif not 0 <= worst <= allowed:
        yield f"parity_max_relative is {worst:.2g}, and {record.precision} allows 0 to {allowed:g}"


def _figures(record: Record) -> Iterator[str]:
    """Those beside the summary that follow from samples; and none that nothing is known of."""
    expected = follow_from(record)
    summary = soundness.summary(record.samples["latency_ms"])
    for name, value in expected.items():
        told = record.metrics.get(name)
        if told is None:
            yield f"{name} is missing"
        elif not math.isclose(told, value, rel_tol=TOLERANCE, abs_tol=1e-12):
            yield f"{name} is {told:.12g}, and the samples give {value:.12g}"
    for name in sorted(record.metrics.keys() - expected.keys() - summary.keys() - READ):
        yield f"{name[:60]} follows from nothing in the record"


def follow_from(record: Record) -> dict[str, float]:
    """The figures that follow from a record's samples, beside those of ``bench.record.soundness.summary``."""
    sets = record.samples["latency_ms"]
    found: dict[str, float] = {}
    if len(sets) != 2:
        low, high = mean_interval(sets)
        found |= {
            "latency_ms_mean_ci95_low": low, "latency_ms_mean_ci95_high": high, "fps_ci95_low": 1000 / high,
            "fps_ci95_high": 1000 / low,
        }  # fmt: skip
    products = record.samples.get("product_ms", [])
    if products and all(products):
        mean_ms = sum(sum(one) / len(one) for one in products) / len(products)
        found["product_macs_per_s"] = 1000 * yardstick.MACS / mean_ms
    if record.protocol.get("name") == "steady":
        reached = [relative_precision(one) for one in sets]
        if all(map(math.isfinite, reached)):
            medians = sorted(soundness.summary([one])["latency_ms_median"] for one in sets)
            middle = (medians[(len(medians) - 1) // 2] + medians[len(medians) // 2]) / 2
            found["median_ci95_relative"] = max(reached)
            found["median_spread_relative"] = (medians[-1] - medians[0]) / middle
    if record.protocol.get("name") == "sustained":
        found |= sustained.figures(sets[0])
    return found


def _times(record: Record) -> Iterator[str]:
    """Rounds took no longer than the time around them."""
    sets = record.samples["latency_ms"]
    if len(record.conditions) != len(sets):
        yield f"conditions are of {len(record.conditions)} sets, and samples of {len(sets)}"
        return
    for number, (rounds, around) in enumerate(zip(sets, record.conditions, strict=True), 1):
        elapsed = around.get("elapsed_s")
        took = sum(rounds) / 1000
        if not isinstance(elapsed, int | float) or took > elapsed + ROUNDED_S:
            yield f"the rounds of set {number} took {took:.3f} s, and conditions.elapsed_s is {elapsed}"
