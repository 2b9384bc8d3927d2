"""Crops against the reference pipeline's (tests/reference/pipeline.json)."""

import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from bench.data import box_to_crop, crop, photograph

CASES = json.loads((Path(__file__).parents[1] / "reference" / "pipeline.json").read_text())["crop"]


@pytest.fixture(scope="module")
def picture() -> np.ndarray:
    noise = np.random.RandomState(3).randint(0, 256, (480, 640, 3)).astype(np.uint8)
    return cv2.GaussianBlur(noise, (0, 0), 3)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['input']}-{case['box_xywh']}")
def test_crop_is_the_reference_crop(case: dict, picture: np.ndarray) -> None:
    size = tuple(case["input"])
    center, size_px = box_to_crop(tuple(case["box_xywh"]), size)
    assert center.tolist() == case["center"]
    assert size_px.tolist() == case["size_px"]
    pixels, matrix = crop(picture, center, size_px, size)
    np.testing.assert_allclose(matrix, case["affine"], atol=1e-9)
    assert pixels.flatten()[case["sample_index"]].tolist() == case["sample"]


def test_rotation_turns_about_the_centre(picture: np.ndarray) -> None:
    center, size_px = np.array([300.0, 200.0]), np.array([192.0, 256.0])
    _, matrix = crop(picture, center, size_px, (256, 192), rotation=30)
    np.testing.assert_allclose(matrix @ [300, 200, 1], [96, 128])
    # Counter-clockwise on screen: what lay right of the centre now lies above it (y grows downward).
    right = matrix @ [310, 200, 1]
    np.testing.assert_allclose(right, [96 + 10 * np.cos(np.pi / 6), 128 - 10 * np.sin(np.pi / 6)])


def test_photograph_shows_the_person() -> None:
    example = photograph((256, 192))
    assert example.shape == (1, 3, 256, 192)
    # A real photograph: normalised values spread about as ImageNet's do, and are not constant anywhere large.
    assert 0.8 < float(example.std()) < 1.8
    assert photograph((384, 288)).shape == (1, 3, 384, 288)
