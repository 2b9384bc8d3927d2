"""The one table of metrics: it knows every name that is written, and prints each in one way."""

import ast
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.core import metrics
from tests.conftest import ROOT


def names_written() -> dict[str, str]:
    """The keys that the sources put into what they call ``metrics``, by file; of f-strings with x for a word."""
    found = {}
    for path in sorted((ROOT / "bench").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            targets = node.targets if isinstance(node, ast.Assign) else [getattr(node, "target", None)]
            value = getattr(node, "value", None)
            if isinstance(node, ast.keyword) and node.arg == "metrics":
                targets = [ast.Name("metrics")]
            for target in targets:
                keys: list[ast.expr | None] = []
                if isinstance(target, ast.Name) and target.id == "metrics" and isinstance(value, ast.Dict):
                    keys = list(value.keys)
                elif isinstance(target, ast.Subscript) and ast.unparse(target.value) == "metrics":
                    keys = [target.slice]
                for key in keys:
                    if isinstance(key, ast.Constant) and isinstance(key.value, str):
                        found[key.value] = str(path)
                    elif isinstance(key, ast.JoinedStr):
                        parts = (part.value if isinstance(part, ast.Constant) else "x" for part in key.values)
                        found["".join(map(str, parts))] = str(path)
    return found


def test_every_metric_that_is_written_or_was_recorded_is_in_the_table() -> None:
    written = names_written()
    assert {"fps", "energy_x_j_per_image", "macs_per_byte", "base_ms", "people"} <= set(written)
    recorded = {
        name: str(file)
        for file in (ROOT / "results/reference").rglob("*.jsonl")
        for line in file.read_text().splitlines()
        for name in json.loads(line)["metrics"]
    }
    assert {"macs_mmcv", "latency_ms_p90", "clear_rate_low", "ar_l", "best_epoch"} <= set(recorded)
    names = {name.replace("best_x", "best_ap"): file for name, file in (written | recorded).items()}
    assert {name: file for name, file in names.items() if metrics.find(name) is None} == {}


def test_names_are_told_apart() -> None:
    for name, entry in {
        "ap": "ap{variant}", "ap50": "ap{variant}", "ap_m": "ap{variant}", "pckh@0.1": "pckh{variant}",
        "macs": "macs", "macs_per_byte": "macs_per_byte", "macs_thop": "macs_{counter}", "network_ms": "network_ms",
        "latency_ms_p99": "latency_ms_p{rank}", "latency_ms_measured": "latency_ms_measured",
    }.items():  # fmt: skip
        found = metrics.find(name)
        assert found is not None
        assert found.name == entry
    assert metrics.find("apple") is None
    assert metrics.find("") is None


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("params", 3077882, "3.078"), ("macs_mmcv", 579935424, "0.580"), ("fps", 18.25, "18.3"),
        ("latency_ms_mean", 54.75, "54.8"), ("peak_rss_bytes", 2**20 * 100 + 2**19, "101"), ("ap", 0.5625, "56.3"),
        ("pckh", 87.25, "87.3"), ("median_ci95_relative", 0.0125, "1.3"), ("ratio", 1.0005, "1.000"),
        ("product_macs_per_s", 81.4e9, "81"), ("of_tomorrow", 1.5, "1.500"),
    ],
)  # fmt: skip
def test_metrics_are_printed_as_on_paper(name: str, value: float, text: str) -> None:
    """Rounded half up: what lies in the middle, as far as a float can, goes up."""
    assert metrics.text(name, value) == text


@given(st.floats(allow_nan=False, allow_infinity=False), st.sampled_from([1, 1000, 2**20, 10**9]), st.integers(0, 6))
def test_any_number_is_printed_to_its_last_digit(value: float, unit: int, decimals: int) -> None:
    text = metrics.printed(value, unit, decimals)
    assert re.fullmatch(r"-?\d+" + (rf"\.\d{{{decimals}}}" if decimals else ""), text)
    assert abs(float(text) - value / unit) <= 0.5 * 10.0**-decimals * (1 + 1e-9) + abs(value / unit) * 1e-15


def test_no_entry_is_there_twice_and_each_says_what_it_is() -> None:
    names = [metric.name for metric in metrics.METRICS]
    assert len(names) == len(set(names))
    assert all(metric.label for metric in metrics.METRICS)
    schema = json.loads((ROOT / "docs/record.schema.json").read_text())
    assert schema["properties"]["metrics"]["description"] == metrics.description()
