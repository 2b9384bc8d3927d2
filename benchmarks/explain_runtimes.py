"""Why a network is slow in one runtime and fast in another: a paragraph from records, each number with its source.

python -m bench.explain --models lite_hrnet_30 --backend eager,onnxruntime,openvino --results FOLDER
python benchmarks/explain_runtimes.py FOLDER --model lite_hrnet_30

What it prints can stand in a page of docs: ``bench.report --update-docs`` checks the numbers against the report.
"""

import argparse
from pathlib import Path

from bench.core.metrics import printed
from bench.core.record import Record
from bench.core.results import read
from bench.explain.explanation import rows
from bench.report import paper
from bench.report.measured import Measured, name, runtime_order
from bench.report.sections.explain import is_doubtful

PARTS = {
    "compute_bound_ms": "multiply-adds at the peak", "memory_bound_ms": "data at the bandwidth",
    "above_bound_ms": "operators above their bound", "setup_ms": "set-up of operators",
    "layout_ms": "changes of layout", "dispatch_ms": "calls and what is between them",
}  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("results", type=Path, help="folder of records")
    parser.add_argument("--model", default="lite_hrnet_30")
    arguments = parser.parse_args()
    found = [one for one in Measured(read(arguments.results)).of_kind("explain") if name(one) == arguments.model]
    if not found:
        parser.exit(2, f"error: {arguments.results} explains no {arguments.model}: run bench.explain --backend\n")
    newest = {(one.backend, one.precision): one for one in sorted(found, key=lambda one: one.started_at)}
    chosen = sorted(newest.values(), key=lambda one: runtime_order(one.backend or ""))
    print("\n".join([*map(_sentence, chosen), *(mark for one in chosen for mark in _marks(one))]))


def _sentence(record: Record) -> str:
    m = record.metrics
    total = m["latency_ms_measured"]
    shares = sorted(((100 * m[part] / total, text) for part, text in PARTS.items() if part in m), reverse=True)
    spent = ", ".join(f"{printed(share, 1, 0)} % {text}" for share, text in shares if share >= 1)
    kinds = ", ".join(f"{row['name']} {printed(100 * row['share'], 1, 0)} %" for row in rows(record, "kinds")[:3])
    joined = f" ({m['joined_operators']:,} of them joined)" if "joined_operators" in m else ""
    added = 1 + m.get("discrepancy_relative", 0.0)
    doubt = f" Do not trust this split: its parts add up to {added:.0%} of the time." if is_doubtful(record) else ""
    return (
        f"In `{record.backend}`{'' if record.precision == 'fp32' else f' ({record.precision})'}, "
        f"{paper.label(record.model)} runs {m['operators']:,} operators{joined} in {printed(total, 1, 1)} ms: {spent}. "
        f"By kind: {kinds}.{doubt}"
    )


def _marks(record: Record) -> list[str]:
    """Where the report has the numbers."""
    total = record.metrics["latency_ms_measured"]
    where = (
        f"model={name(record)} backend={record.backend} precision={record.precision} input={record.input} "
        f"'cpu={record.machine.cpu}' cores={record.machine.cores} device={record.device} threads={record.threads}"
    )
    shown = {"latency_measured": printed(total, 1, 1), "operators_measured": f"{record.metrics['operators']:,}"}
    for part in PARTS:
        share = 100 * record.metrics.get(part, 0.0) / total
        if share >= 1:
            shown[f"{part.removesuffix('_ms')}_measured"] = printed(share, 1, 0)
    return [f"<!-- figure {text}: explain.csv {column} {where} -->" for column, text in shown.items()]


if __name__ == "__main__":
    main()
