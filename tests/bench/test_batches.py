"""Larger batches in the report: from made-up records to table and figure."""

import itertools
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.report.command import make
from bench.report.measured import Measured
from bench.report.sections import batches
from tests.bench.test_report import GPU, all_complexity, page_section, speed

ON_GPU = {"device": "cuda", "machine": GPU, "threads": 16, "backend": "cudagraphs", "precision": "fp16"}


def test_images_a_second_stand_by_batch_beside_multiply_adds() -> None:
    energy = speed("lite_hrnet_18", 50.0, batch=16, **ON_GPU)
    energy.metrics["energy_gpu_j_per_image"] = 0.25
    records = [
        *all_complexity(),
        speed("lite_hrnet_18", 100.0, **ON_GPU),
        energy,
        speed("small_hrnet_w16", 400.0, **ON_GPU),
        speed("small_hrnet_w16", 90.0, batch=32, **ON_GPU),
        speed("lite_hrnet_30", 70.0, **ON_GPU),  # at one batch only
        speed("lite_hrnet_30", 5.0),  # elsewhere, at one batch only
    ]
    (view,) = batches.views(Measured(records))
    assert view.batches == (1, 16, 32)
    files = make(records)
    (small,) = (line for line in files["batches.md"].decode().splitlines() if "`small_hrnet_w16`" in line)
    cells = [cell.strip() for cell in small.split("|")[3:-1]]
    assert cells == ["**0.58**", "**400.0** (380.0 to 416.0)", "—", "**2880.0** (2736.0 to 2995.2)", "**7.2**"]
    (lite,) = (line for line in files["batches.md"].decode().splitlines() if "`lite_hrnet_18`" in line)
    assert "**800.0** (760.0 to 832.0, 0.2500 J)" in lite
    assert lite.split("|")[-2].strip() == "**8.0**"
    assert "lite_hrnet_30" not in files["batches.csv"].decode()
    (figure,) = page_section(files, "batches")["figures"]
    assert files[f"{figure}.png"].startswith(b"\x89PNG")


def test_one_batch_has_no_section() -> None:
    files = make([speed("lite_hrnet_18", 10.0), speed("lite_hrnet_30", 1.0, batch=8)])
    assert not [name for name in files if Path(name).stem.startswith("batches")]


@given(st.dictionaries(st.text(max_size=3), st.floats(0, 1), max_size=9))
def test_names_stand_apart_in_the_order_of_the_lines(heights: dict[str, float]) -> None:
    placed = batches._apart(heights)
    assert list(placed) == sorted(heights, key=heights.__getitem__)
    assert all(placed[above] - placed[below] >= 0.9 * batches.APART for below, above in itertools.pairwise(placed))
    if heights and min((b - a for a, b in itertools.pairwise(sorted(heights.values()))), default=1) > batches.APART:
        assert placed == pytest.approx(heights)
