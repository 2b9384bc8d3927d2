"""Decoding and the flip test, against the published implementation and a plain loop."""

import json
import math
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bench.accuracy import decode, flip_average
from bench.codecs.decoding import METHODS
from bench.core.errors import InputError
from bench.core.skeletons import COCO

PIPELINE = json.loads((Path(__file__).parents[1] / "reference" / "pipeline.json").read_text())


@pytest.fixture(scope="module")
def heatmaps() -> np.ndarray:
    noise = np.random.RandomState(6).rand(2, 17, 64, 48).astype(np.float32)
    return np.stack([[cv2.GaussianBlur(plane, (0, 0), 2) for plane in person] for person in noise])


@pytest.mark.parametrize(
    ("method", "entry"),
    [("quarter_offset", "quarter_offset"), ("argmax", "argmax"), ("dark", "dark_unbiased_kernel11")],
)
def test_decode_meets_the_published_coordinates(heatmaps: np.ndarray, method: str, entry: str) -> None:
    expected = PIPELINE["decode"]
    for given_as in (heatmaps, torch.from_numpy(heatmaps), torch.from_numpy(heatmaps).double()):
        coordinates, scores = decode(given_as, expected["center"], expected["size_px"], method)
        np.testing.assert_allclose(coordinates, expected[entry]["xy"], rtol=0, atol=1e-4)
        np.testing.assert_array_equal(scores, np.float32(expected["quarter_offset"]["score"]))


def decode_one(heatmap: np.ndarray, method: str) -> tuple[float, float]:
    """The rules for one joint, step by step, in heatmap pixels."""
    height, width = heatmap.shape
    y, x = divmod(int(heatmap.argmax()), width)
    if heatmap[y, x] <= 0:
        return -1, -1
    if method == "quarter_offset" and 1 < x < width - 1 and 1 < y < height - 1:
        dx = np.sign(heatmap[y, x + 1] - heatmap[y, x - 1])
        dy = np.sign(heatmap[y + 1, x] - heatmap[y - 1, x])
        return x + 0.25 * dx, y + 0.25 * dy
    if method == "dark" and 1 < x < width - 2 and 1 < y < height - 2:
        smooth = cv2.GaussianBlur(np.pad(heatmap, 5), (11, 11), 0)[5:-5, 5:-5]
        log = np.log(np.maximum(smooth * (heatmap.max() / smooth.max()), 1e-10).astype(np.float64))
        gradient = np.array([log[y, x + 1] - log[y, x - 1], log[y + 1, x] - log[y - 1, x]]) / 2
        xx = (log[y, x + 2] - 2 * log[y, x] + log[y, x - 2]) / 4
        yy = (log[y + 2, x] - 2 * log[y, x] + log[y - 2, x]) / 4
        xy = (log[y + 1, x + 1] - log[y + 1, x - 1] - log[y - 1, x + 1] + log[y - 1, x - 1]) / 4
        if xx * yy != xy * xy:
            dx, dy = np.linalg.solve([[xx, xy], [xy, yy]], -gradient)
            return x + dx, y + dy
    return x, y


@settings(max_examples=60, deadline=None)
@given(
    people=st.integers(0, 3),
    joints=st.integers(1, 5),
    height=st.integers(1, 20),
    width=st.integers(1, 20),
    seed=st.integers(0, 2**31),
)
def test_decode_does_for_a_batch_what_a_loop_does(people: int, joints: int, height: int, width: int, seed: int) -> None:
    """Peaks anywhere, also at and beyond the border, and maps without a positive value."""
    random = np.random.RandomState(seed)
    rows, columns = np.mgrid[:height, :width]
    shape = (people, joints, 1, 1)
    x, y = random.uniform(-2, width + 2, shape), random.uniform(-2, height + 2, shape)
    sharpness = random.uniform(0.05, 0.5, shape)
    maps = np.exp(-sharpness * ((columns - x) ** 2 + (rows - y) ** 2)) + 0.02 * random.rand(
        people, joints, height, width
    )
    maps = (maps * random.choice([-1, 1, 1, 1], shape)).astype(np.float32)
    centers, sizes = random.uniform(-50, 700, (people, 2)), random.uniform(1, 500, (people, 2))
    for method in METHODS:
        coordinates, scores = decode(maps, centers, sizes, method)
        assert coordinates.shape == (people, joints, 2)
        np.testing.assert_array_equal(scores, maps.max((2, 3)))
        pixel = np.array([[decode_one(one, method) for one in person] for person in maps]).reshape(people, joints, 2)
        expected = pixel * (sizes / (width, height))[:, None] + (centers - sizes / 2)[:, None]
        # A Taylor step far out of the map comes from a matrix close to singular, which magnifies rounding.
        near = np.abs(pixel).max(-1, initial=0) < 50
        np.testing.assert_allclose(coordinates[near], expected[near], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize(("method", "error"), [("argmax", 0.71), ("quarter_offset", 0.36), ("dark", 0.01)])
def test_a_gaussian_is_found_between_pixels(method: str, error: float) -> None:
    """In heatmap pixels: half a diagonal, a quarter's, and next to nothing."""
    rows, columns = np.mgrid[:64, :48]
    offsets = np.linspace(-0.49, 0.49, 8)
    centres = np.array([(24 + dx, 32 + dy) for dx in offsets for dy in offsets])
    maps = np.exp(-((columns - centres[:, :1, None]) ** 2 + (rows - centres[:, 1:, None]) ** 2) / 8)[None]
    coordinates, _ = decode(maps, [[24, 32]], [[48, 64]], method)
    distance = np.hypot(*(coordinates[0] - centres).T)
    assert distance.max() <= error
    assert method == "dark" or distance.max() > 0.7 * error  # the bound is one that is met, not one far away


@pytest.mark.filterwarnings("error")
def test_a_flat_or_tiny_map_stays_at_its_pixel() -> None:
    """Nothing to divide by: no NaN, no step, no warning."""
    maps = np.full((1, 3, 9, 9), 0.5, np.float32)
    maps[0, 1:] = 0
    maps[0, 1:, 4, 4] = np.float32([1e-30, 1e-45])  # the blur of the last is 0 everywhere
    for method in METHODS:
        coordinates, _ = decode(maps, [[4.5, 4.5]], [[9, 9]], method)
        np.testing.assert_allclose(coordinates[0], [[0, 0], [4, 4], [4, 4]])


def test_heatmaps_that_cannot_be_decoded(heatmaps: np.ndarray) -> None:
    centers, sizes = [[100, 120], [300, 200]], [[120, 160], [300, 400]]
    broken = heatmaps.copy()
    broken[1, 3, 20, 20] = math.nan
    with pytest.raises(InputError, match=r"joint 3 of person 1 .* NaN"):
        decode(broken, centers, sizes)
    with pytest.raises(InputError, match=r"centroid.*quarter_offset, argmax, dark"):
        decode(heatmaps, centers, sizes, "centroid")
    with pytest.raises(InputError, match=r"\(2, 17, 64, 48\).*\(1, 2\)"):
        decode(heatmaps, centers[:1], sizes[:1])


def test_flip_average_meets_the_published_sample(heatmaps: np.ndarray) -> None:
    expected = PIPELINE["flip_average"]
    maps = torch.from_numpy(heatmaps)
    average = flip_average(maps, maps, expected["pairs"])
    sample = average.flatten()[expected["sample_index"]]
    torch.testing.assert_close(sample, torch.tensor(expected["sample"]), rtol=0, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(width=st.integers(1, 8), seed=st.integers(0, 2**31))
@example(width=1, seed=0)
def test_flip_average_undoes_the_mirror(width: int, seed: int) -> None:
    """Of a network that treats left and right alike, the flip test changes nothing but by the shift."""
    maps = torch.rand(2, 17, 5, width, generator=torch.Generator().manual_seed(seed))
    swapped = maps.clone()
    for left, right in COCO.flip_pairs:
        swapped[:, left], swapped[:, right] = maps[:, right], maps[:, left]
    mirrored = torch.flip(swapped, (3,))
    torch.testing.assert_close(flip_average(maps, mirrored, COCO.flip_pairs, shift=False), maps)
    shifted = flip_average(maps, mirrored, COCO.flip_pairs) * 2 - maps
    torch.testing.assert_close(shifted[..., 0], maps[..., 0])
    torch.testing.assert_close(shifted[..., 1:], maps[..., :-1])
