"""SimCC, UDP and coordinates, from crop to loss: what was published (tests/reference/newer/pipeline.json), and that
every kind of output finds again what it wrote down."""

import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

import zoo
from bench.accuracy import decode, decode_simcc, flip_average, flip_average_simcc
from bench.codecs import CODECS, Codec, codec_of
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.core.skeletons import COCO
from bench.data import box_to_crop, crop, make_simcc_target, make_udp_target
from bench.train import keypoint_mse, simcc_loss

PIPELINE = json.loads((Path(__file__).parents[1] / "reference" / "newer" / "pipeline.json").read_text())
PAIRS = [tuple(pair) for pair in PIPELINE["flip_pairs"]]


def size_of(case: dict[str, Any]) -> tuple[int, int]:
    return case["input"][0], case["input"][1]


def normal(seed: int, shape: tuple[int, ...]) -> np.ndarray:
    return np.random.RandomState(seed).standard_normal(shape).astype(np.float32)


# ------------------------------------------------------------------------------------ what was published


@pytest.mark.parametrize("kind", ["crop", "crop_udp"])
def test_crops_are_the_published_ones(kind: str) -> None:
    noise = np.random.RandomState(3).randint(0, 256, (480, 640, 3)).astype(np.uint8)
    picture = cv2.GaussianBlur(noise, (0, 0), 3)
    for case in PIPELINE[kind]:
        size = size_of(case)
        center, size_px = box_to_crop(tuple(case["box_xywh"]), size)
        np.testing.assert_allclose(center, case["center"], rtol=1e-6)
        np.testing.assert_allclose(size_px, case["size_px"], rtol=1e-6)
        pixels, matrix = crop(picture, center, size_px, size, case["rotation_degrees"], udp=kind == "crop_udp")
        np.testing.assert_allclose(matrix, case["affine"], rtol=0, atol=5e-5)
        np.testing.assert_allclose(
            np.array(case["points"]) @ matrix[:, :2].T + matrix[:, 2], case["points_in_crop"], rtol=0, atol=1e-3
        )
        assert pixels.flatten()[case["sample_index"]].tolist() == case["sample"]


@pytest.mark.parametrize("case", PIPELINE["simcc_decode"]["cases"], ids=lambda case: str(case["input"]))
def test_simcc_decoding_is_the_published_one(case: dict) -> None:
    height, width = case["input"]
    first = {256: 21, 384: 61}[height]
    x, y, x_mirrored, y_mirrored = (
        normal(first + number, (2, 17, 2 * size)) for number, size in enumerate((width, height, width, height))
    )
    for one in (x, x_mirrored):
        one[0, 3] -= 10
        one[1, 5] *= 0.5
    average = flip_average_simcc(
        (torch.from_numpy(x), torch.from_numpy(y)), (torch.from_numpy(x_mirrored), torch.from_numpy(y_mirrored)), PAIRS
    )
    for (along_x, along_y), wanted in (((x, y), case["plain"]), (average, case["flip_averaged"])):
        found, scores = decode_simcc(along_x, along_y, case["center"], case["size_px"])
        np.testing.assert_allclose(found, wanted["xy"], rtol=0, atol=2e-5)
        np.testing.assert_array_equal(scores, np.array(wanted["score"], np.float32))
        in_input, _ = decode_simcc(along_x, along_y, [[width / 2, height / 2]] * 2, [[width, height]] * 2)
        np.testing.assert_allclose(in_input, wanted["xy_input"], rtol=0, atol=1e-9)
    assert (np.array(case["plain"]["score"]) <= 0).any()  # the case has a joint that is nowhere


@pytest.mark.parametrize("number", range(4))
def test_udp_decoding_is_the_published_one(number: int) -> None:
    case = PIPELINE["udp_decode"]["cases"][number]
    height, width = case["input"]
    rows, columns = case["heatmap"]
    shape = (2, 17, rows, columns)
    if number % 2 == 0:
        plain, mirrored = (
            np.array(
                [[cv2.GaussianBlur(one, (0, 0), 2) for one in person]
                 for person in np.random.RandomState(seed).rand(*shape).astype(np.float32)]
            )
            for seed in ((41, 42) if number == 0 else (45, 46))
        )  # fmt: skip
        average = flip_average(torch.from_numpy(plain), torch.from_numpy(mirrored), PAIRS, shift=False)
        todo: list[tuple[Any, dict]] = [(plain, case["plain"]), (average, case["flip_averaged"])]
    else:
        random = np.random.RandomState(43 if number == 1 else 47)
        joints = (random.rand(2, 1, 17, 2) * [width, height]).astype(np.float32)[:, 0]
        joints[0, 0], joints[0, 1], joints[1, 2] = (0.4, 0.3), (width - 1, height - 1), (width / 2, 0)
        np.testing.assert_allclose(joints, case["joints"], rtol=0, atol=1e-6)
        maps = np.stack([make_udp_target(person, np.ones(17), (height, width), 2)[0] for person in joints])
        maps += (0.02 * random.standard_normal(shape)).astype(np.float32)
        maps[0, 5] = -np.abs(maps[0, 5])
        todo = [(maps, case["plain"])]
    for maps, wanted in todo:
        found, scores = decode(maps, case["center"], case["size_px"], "dark_udp")
        np.testing.assert_allclose(scores, wanted["score"], rtol=0, atol=1e-6)
        counts = np.array(wanted["score"]) > 0
        error = np.abs(found - wanted["xy"])[counts]
        assert error.max() < 1e-3
        assert np.median(error) < 2e-5


@pytest.mark.parametrize("case", PIPELINE["simcc_target"], ids=lambda case: case["of"])
def test_simcc_targets_are_the_published_ones(case: dict) -> None:
    x, y, weights = make_simcc_target(
        case["joints"], case["visible"], size_of(case), tuple(case["sigma"]), normalised=case["normalised"]
    )
    assert weights.tolist() == case["weight"]
    for vectors, wanted in ((x, case["x"]), (y, case["y"])):
        assert (list(vectors.shape), vectors.dtype) == (wanted["shape"], np.float32)
        np.testing.assert_allclose(vectors.sum(1), wanted["per_joint_sum"], rtol=1e-6, atol=1e-6)
        np.testing.assert_allclose(vectors.max(1), wanted["per_joint_max"], rtol=1e-6, atol=1e-7)
        assert vectors.argmax(1).tolist() == wanted["per_joint_argmax"]
        np.testing.assert_allclose(vectors.flatten()[wanted["sample_index"]], wanted["sample"], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize("case", PIPELINE["udp_target"], ids=lambda case: str(case["input"]))
def test_udp_targets_are_the_published_ones(case: dict) -> None:
    heatmaps, weights = make_udp_target(case["joints"], case["visible"], size_of(case), case["sigma"])
    assert list(heatmaps.shape) == case["shape"]
    assert weights.tolist() == case["weight"]
    np.testing.assert_allclose(heatmaps.sum((1, 2)), case["per_joint_sum"], rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(heatmaps.max((1, 2)), case["per_joint_max"], rtol=0, atol=1e-6)
    np.testing.assert_allclose(heatmaps.flatten()[case["sample_index"]], case["sample"], rtol=0, atol=1e-6)


def test_losses_and_their_gradients_are_the_published_ones() -> None:
    case = PIPELINE["kl_loss"]
    shapes = ((2, 17, 384), (2, 17, 512))
    random = [torch.from_numpy(np.random.RandomState(73 + n).rand(*shape)) for n, shape in enumerate(shapes)]
    weight = torch.from_numpy((np.random.RandomState(75).rand(2, 17) > 0.2).astype(np.float64))
    people = zip(case["encoded_joints"], case["encoded_visible"], strict=True)
    encoded = [
        [make_simcc_target(*person, (256, 192), sigma, normalised=sigma == 6) for sigma in ((4.9, 5.66), 6)]
        for person in people
    ]
    published, simcc = (
        [torch.from_numpy(np.stack([person[kind][n] for person in encoded]).astype(np.float64)) for n in range(3)]
        for kind in (0, 1)
    )
    cases = {
        "rtmpose_random_targets (beta 10, targets through softmax of 10 t)": (random, weight, True),
        "rtmpose_random_targets_unweighted": (random, torch.ones_like(weight), True),
        "simcc_random_targets (beta 1, targets as they are)": (random, weight, False),
        "rtmpose_encoded_targets": (published[:2], published[2], True),
        "simcc_encoded_targets (sigma 6, normalised)": (simcc[:2], simcc[2], False),
    }
    for name, (targets, weights, sharp) in cases.items():
        scores = [
            torch.from_numpy(np.random.RandomState(71 + n).standard_normal(shape)).requires_grad_()
            for n, shape in enumerate(shapes)
        ]
        loss = simcc_loss((scores[0], scores[1]), (targets[0], targets[1]), weights, sharp=sharp)
        # Of encoded targets, float32 exponentials differ in the last digit from one machine to another.
        relative = 1e-6 if "encoded" in name else 1e-13
        assert float(loss.detach()) == pytest.approx(case[name]["value"], rel=relative)
        loss.backward()
        for one, axis in zip(scores, "xy", strict=True):
            assert one.grad is not None
            wanted = case[name][f"grad_{axis}"]
            np.testing.assert_allclose(
                one.grad.flatten()[wanted["sample_index"]].numpy(), wanted["sample"], rtol=1e-5, atol=1e-12
            )
    mse = PIPELINE["keypoint_mse"]
    prediction, target = (torch.from_numpy(np.random.RandomState(seed).rand(2, 17, 64, 48)) for seed in (91, 92))
    weight = torch.from_numpy(np.random.RandomState(93).rand(2, 17))
    assert float(keypoint_mse(prediction, target, weight)) == pytest.approx(mse["value"], rel=1e-13)
    ones = torch.ones(2, 17, 1)
    assert float(keypoint_mse(prediction, target, ones)) == pytest.approx(mse["value_unweighted"], rel=1e-13)


# ----------------------------------------------------------------------------- what every kind promises


def networks() -> dict[str, Codec]:
    declared = {
        "heatmap": SimpleNamespace(),
        "udp": SimpleNamespace(udp=True),
        "simcc": SimpleNamespace(output_kind="simcc"),
        "fine bins": SimpleNamespace(output_kind="simcc", split_ratio=3),
        "coordinates": SimpleNamespace(output_kind="coordinates"),
    }
    return {name: codec_of(network, (128, 96)) for name, network in declared.items()}


@settings(max_examples=30, deadline=None)
@given(st.sampled_from(list(networks())), st.integers(0, 2**31), st.booleans())
def test_every_kind_finds_the_joints_that_it_wrote_down(which: str, seed: int, flip: bool) -> None:
    """A perfect network, its flip test included, is right to the fineness of its kind."""
    codec = networks()[which]
    random = np.random.RandomState(seed)
    center, size_px = box_to_crop((200.0, 100.0, *random.uniform(20, 300, 2)), codec.input_size)
    _, matrix = codec.crop(np.zeros((8, 8, 3), np.uint8), center, size_px)
    seen = random.uniform(12, (84, 116), (17, 2))  # pixels of the crop
    joints = (seen - matrix[:, 2]) / np.diag(matrix)
    mirrored = seen.copy()
    for left, right in COCO.flip_pairs:
        mirrored[[left, right]] = seen[[right, left]]
    mirrored[:, 0] = 95 - mirrored[:, 0]
    answers = []
    for points in (seen, mirrored):
        target, weights = codec.target(points, np.ones(17), (2.0, 2.0), codec.kind.losses[0])
        tensors = target if isinstance(target, tuple) else (target,)
        assert weights.tolist() == [1] * 17
        assert codec.fits([(1, *one.shape) for one in tensors], 17)
        assert not codec.fits([(1, *one.shape) for one in tensors], 16)
        answers.append([one[None].numpy() for one in tensors])
    outputs = codec.flip_average(answers[0], answers[1], COCO.flip_pairs) if flip else answers[0]
    found, scores = codec.decode(outputs, center[None], size_px[None], codec.decoding)
    # In pixels of the crop: a quarter of a map's pixel and its rounding, and with plain crops the flip test's shift;
    # UDP nearly exactly; half a bin, and with the flip test the neighbours between pixels.
    bounds = {"heatmap": 4.0, "udp": 0.3, "simcc": 0.51, "fine bins": 0.51, "coordinates": 1e-3}
    error = np.abs(found[0] - joints) * np.diag(matrix)
    assert error.max() <= bounds[which]
    assert scores.min() > 0
    prediction = [torch.from_numpy(one) for one in answers[0]]
    structure = tuple(prediction) if len(prediction) > 1 else prediction[0]
    weight = torch.ones(1, 17)
    assert float(codec.accuracy(structure, structure, weight)) == 1
    assert float(codec.accuracy(structure, structure, 0 * weight)) == 0


@settings(max_examples=30, deadline=None)
@given(st.integers(0, 2**31), st.floats(-180, 180))
def test_udp_crops_take_corners_to_corners_and_turn_about_the_centre(seed: int, rotation: float) -> None:
    random = np.random.RandomState(seed)
    center, size = random.uniform(0, 500, 2), random.uniform(10, 500, 2)
    _, plain = crop(np.zeros((4, 4, 3), np.uint8), center, size, (64, 48), udp=True)
    np.testing.assert_allclose(plain @ [*(center - size / 2), 1], [0, 0], atol=1e-2)
    np.testing.assert_allclose(plain @ [*(center + size / 2), 1], [47, 63], atol=1e-2)
    _, turned = crop(np.zeros((4, 4, 3), np.uint8), center, size, (64, 48), rotation, udp=True)
    np.testing.assert_allclose(turned @ [*center, 1], [23.5, 31.5], atol=1e-2)


def test_networks_of_the_zoo_declare_what_they_are() -> None:
    for name in ("rtmpose_t", "vitpose_s", "cspnext_t_udp", "dite_hrnet_18", "lightweight_mobilenetv3"):
        card = zoo.model_card(name)
        codec = codec_of(zoo.create_model(name, input_size=(64, 64)), (64, 64))
        assert (codec.name, codec.udp) == (card.output_kind, card.udp)
        assert codec.kind.losses
    assert codec_of(zoo.create_model("vitpose_s", input_size=(64, 64)), (64, 64)).decoding == "dark_udp"
    assert list(CODECS) == list(KINDS)


@pytest.mark.parametrize(
    ("declared", "problem"),
    [({"output_kind": "boxes"}, "mine declares output_kind 'boxes': give heatmap, simcc, coordinates"),
     ({"output_kind": "simcc", "split_ratio": 0}, "mine declares split_ratio 0: give the number of bins a pixel"),
     ({"udp": "yes"}, "mine declares udp 'yes': give True or False")],
)  # fmt: skip
def test_what_a_network_cannot_declare_is_one_line(declared: dict, problem: str) -> None:
    with pytest.raises(InputError, match=f"^{problem}[^\n]*$"):
        codec_of(SimpleNamespace(**declared), (64, 64), "mine")


def test_vectors_that_cannot_be_decoded_are_one_line() -> None:
    x, y = np.zeros((2, 17, 8)), np.zeros((2, 17, 10))
    with pytest.raises(InputError, match=r"\(2, 17, 8\) and \(2, 16, 10\)"):
        decode_simcc(x, y[:, :16], [[0, 0]] * 2, [[1, 1]] * 2)
    y[1, 4, 3] = np.nan
    with pytest.raises(InputError, match=r"joint 4 of person 1 .* NaN"):
        decode_simcc(x, y, [[0, 0]] * 2, [[1, 1]] * 2)
