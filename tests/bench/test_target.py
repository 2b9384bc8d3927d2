"""Training targets against the reference pipeline's (tests/reference/pipeline.json)."""

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.data import make_target

CASES = json.loads((Path(__file__).parents[1] / "reference" / "pipeline.json").read_text())["target"]


@pytest.mark.parametrize("case", CASES, ids=lambda case: str(case["input"]))
def test_target_is_the_reference_target(case: dict) -> None:
    height, width = case["input"]
    heatmaps, weights = make_target(case["joints"], case["visible"], (height, width), case["sigma"])
    assert heatmaps.shape == (17, height // 4, width // 4)
    assert heatmaps.dtype == weights.dtype == np.float32
    assert weights.tolist() == case["weight"]
    np.testing.assert_allclose(heatmaps.flatten()[case["sample_index"]], case["sample"], rtol=1e-6)
    np.testing.assert_allclose(heatmaps.sum(axis=(1, 2)), case["per_joint_sum"], rtol=1e-6, atol=1e-7)


@given(st.tuples(st.floats(-60, 260), st.floats(-60, 320)), st.sampled_from([0, 1, 2]), st.sampled_from([1, 2, 2.5, 3]))
def test_target_is_the_gaussian_that_its_description_promises(joint: tuple, visible: int, sigma: float) -> None:
    heatmaps, weights = make_target([joint], [visible], (256, 192), sigma)
    x, y = (int(value / 4 + 0.5) for value in joint)
    across, down = np.meshgrid(np.arange(48) - x, np.arange(64) - y)
    expected = np.exp(-(across**2 + down**2) / (2 * sigma**2))
    expected[np.maximum(abs(across), abs(down)) > 3 * sigma] = 0
    np.testing.assert_allclose(heatmaps[0], expected * (visible > 0), rtol=1e-6)
    assert weights[0] == (heatmaps.max() > 0)
