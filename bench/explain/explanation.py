"""A record in words that a person understands."""

from collections.abc import Mapping
from typing import Any

from bench.backends.profiles import is_of_kind
from bench.core.record import Record

# What each part is, after "61 % of its time is".
PARTS = {
    "dispatch_ms": "calling operators: the calls themselves, and Python between them",
    "setup_ms": "what operators take before they get to the pixels",
    "compute_bound_ms": "multiply-adds at the machine's peak",
    "memory_bound_ms": "moving data at the machine's bandwidth",
    "above_bound_ms": "above the bound: operators slower than the machine allows",
    "layout_ms": "changes of layout and number type, which the runtime adds",
}
RUNTIME_DISPATCH = "calling operators: the least that one takes, and what is between them"


def paragraph(record: Record) -> str:
    """Why this network takes the time it takes, the most important first.

    Every number is one of the record's, or the ratio of two.
    """
    m = record.metrics
    total = m["latency_ms_measured"]
    share = {part: m.get(part, 0.0) / total for part in PARTS}
    starting = share["dispatch_ms"] + share["setup_ms"]
    eager = record.backend in (None, "eager")
    told = [*(f"Caution: {warning}." for warning in record.warnings), _lead(record, total)]
    if starting >= max(share[part] for part in PARTS if part not in ("dispatch_ms", "setup_ms")):
        told += _starting(record, share)
        shown = {"dispatch_ms", "setup_ms"}
    else:
        largest = max(share, key=lambda part: share[part])
        told.append(_LARGEST[largest].format(percent=_percent(share[largest]), times=total / m["must_take_ms"]))
        shown = {largest}
    rest = sorted((part for part in PARTS if part in m and part not in shown), key=lambda part: -share[part])
    what = PARTS if eager else PARTS | {"dispatch_ms": RUNTIME_DISPATCH}
    told.append(f"The rest: {'; '.join(f'{_percent(share[part])} {what[part]}' for part in rest)}.")
    if not eager:
        told += _as_run(record)
    told.append(_small(record, total))
    told += _costliest(record)
    if m["faster_than_bound_ms"] > 0.05 * total:
        told.append(
            f"Some operators are faster than main memory allows, by {m['faster_than_bound_ms']:.1f} ms in all: their "
            "data stay in a cache."
        )
    return " ".join(told)


_LARGEST = {
    "layout_ms": "{percent} of the time is spent on changing layouts and number types: the runtime's fast kernels need "
    "another layout than their neighbours, and operators that have no such kernel lie between them.",
    "dispatch_ms": "",
    "setup_ms": "",
    "compute_bound_ms": "{percent} of the time is multiply-adds at the machine's peak: only fewer of them, lower "
    "precision or a faster machine would help.",
    "memory_bound_ms": "{percent} of the time is data on their way to memory and back, at the machine's bandwidth: "
    "fewer and smaller tensors, or operators fused into one, would help.",
    "above_bound_ms": "{percent} of the time has no reason that can be seen from here: operators take longer than "
    "their multiply-adds, bytes and calls need, and the more so the more pixels they have. Better kernels could make "
    "the network up to {times:.1f} times as fast.",
}


def _lead(record: Record, total: float) -> str:
    m = record.metrics
    where = record.machine.gpu if record.device == "cuda" else f"{record.threads} thread{'s'[: record.threads != 1]}"
    runtime = "" if record.backend in (None, "eager") else f" in {record.software.runtime}"
    alone = m["macs"] / m["peak_macs_per_s"] * 1e3
    return (
        f"{record.model} takes {total:.1f} ms{runtime} ({where}, {record.input}); at the "
        f"{m['peak_macs_per_s'] / 1e9:,.0f} G multiply-adds a second that a large matrix product reaches here, its "
        f"{m['macs'] / 1e6:,.0f} M would take {f'{alone:.1f}' if alone >= 0.1 else f'{alone:.2g}'} ms."
    )


def _starting(record: Record, share: Mapping[str, float]) -> list[str]:
    m = record.metrics
    kinds = f"{m['operators']:,} operators"
    if record.device == "cuda":
        setup = f", and {_percent(share['setup_ms'])} on what these take before they get to the pixels"
        return [
            f"It spends {_percent(share['dispatch_ms'])} of its time launching {kinds} ({m['kernels']:,} kernels)"
            f"{setup if 'setup_ms' in m else ''}."
        ]
    total = m["latency_ms_measured"]
    between = m["dispatch_between_ms"] / total
    parts = [
        f"{_percent(between)} {'in Python between them' if record.backend in (None, 'eager') else 'between them'}",
        f"{_percent(share['dispatch_ms'] - between)} in empty calls",
    ]
    if "setup_ms" in m:
        parts.append(f"{_percent(share['setup_ms'])} in setting them up")
    told = [f"It spends {_percent(share['dispatch_ms'] + share['setup_ms'])} of its time on getting {kinds} started, "
            f"not on their work: {', '.join(parts)}."]  # fmt: skip
    if "latency_ms_smallest" in m:
        told.append(f"On a picture of {record.notes['smallest']} it still takes {m['latency_ms_smallest']:.1f} ms.")
    return told


def _as_run(record: Record) -> list[str]:
    """What became of the network's operators in a runtime."""
    m = record.metrics
    told = [f"It runs {m['operators']:,} operators, {m['joined_operators']:,} of them joined from several"]
    if m["layout_operators"]:
        told.append(f"{m['layout_operators']:,} added to change layouts or number types")
    return [" and ".join(told) + "."]


def _small(record: Record, total: float) -> str:
    m = record.metrics
    count, of = m["small_operators"], m["operators"]
    took = _percent(m["small_operators_ms"] / total)
    return (
        f"{count:,} of its {of:,} operators are too small to fill the machine (they take longer to start than their "
        f"work must take); {took} of the time passes in them."
    )


def _costliest(record: Record) -> list[str]:
    told = []
    if kinds := rows(record, "kinds"):
        shares = [f"{row['name']} {_percent(row['share'])}" for row in kinds[:3]]
        told.append(f"By kind: {', '.join(shares)}.")
    if layers := rows(record, "layers"):
        first = layers[0]
        times = f", {first['times_bound']:.1f} times what it must" if first["times_bound"] else ""
        told.append(f"The costliest layer, {first['name']}, takes {_percent(first['share'])}{times}.")
        if any(is_of_kind(str(row["name"])) for row in layers):
            told.append("Operators whose names in the file tell no layer stand together by their kind, in parentheses.")
    return told


def rows(record: Record, what: str) -> list[dict[str, Any]]:
    """Its ``layers`` or its ``kinds`` of operators, the costliest first."""
    found: Any = record.notes.get(what, [])
    return found


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")
