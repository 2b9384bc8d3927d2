"""The networks of after the paper compute what was published, at both sizes, and take the published weights."""

import re
from pathlib import Path
from unittest import mock

import numpy as np
import pytest
import torch
from torch import Tensor, nn

import zoo
from tests.reference_weights import CHECKPOINT_KEYS, COMPLEXITY, FORWARD, reference_input, reference_state
from zoo import blocks
from zoo.naming import official_name, published_name
from zoo.vitpose import VisionTransformer

NEWER = zoo.list_models("newer")
FAMILIES = ("rtmpose_t", "simcc_vipnas_mobilenetv3", "vitpose_s", "vitpose_s_simple", "dite_hrnet_18", "cspnext_t_udp")
SIZES = {"256x192": (256, 192), "384x288": (384, 288)}


def loaded(name: str, size: str = "256x192") -> nn.Module:
    """A network with the reference's made-up weights, in float64."""
    model = zoo.create_model(name, input_size=SIZES[size]).double().eval()
    zoo.load_weights(model, reference_state(name, FORWARD[name]["gain"], size))
    return model


def outputs(found: Tensor | tuple[Tensor, Tensor]) -> dict[str, Tensor]:
    return dict(zip("xy", found, strict=True)) if isinstance(found, tuple) else {"heatmaps": found}


def test_they_are_eleven() -> None:
    assert sorted(NEWER) == sorted(set(FORWARD) - set(zoo.list_models("paper")))
    assert len(NEWER) == 11


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize("size", SIZES)
def test_outputs_are_the_published_implementations(name: str, size: str) -> None:
    model = loaded(name, size)
    with torch.inference_mode():
        found = outputs(model(reference_input(*SIZES[size])))
    assert zoo.model_card(name).output_kind == ("simcc" if "x" in found else "heatmap")
    for key, output in found.items():
        figures = FORWARD[name][size] if key == "heatmaps" else FORWARD[name][size][key]
        assert list(output.shape) == figures["shape"]
        assert output.is_contiguous()
        sample = output.flatten()[figures["sample_index"]].numpy()
        np.testing.assert_allclose(sample, figures["sample"], rtol=0, atol=1e-9 * figures["absmax"])
        assert float(output.mean()) == pytest.approx(figures["mean"], abs=1e-9 * figures["absmax"])
        assert float(output.std(unbiased=False)) == pytest.approx(figures["std"], rel=1e-9)
        assert float(output.abs().max()) == pytest.approx(figures["absmax"], rel=1e-9)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_batch_is_its_pictures_one_by_one_in_both_forms(name: str) -> None:
    """What compilers and exporters get, standard layout and convolutions, computes the same as the eager form."""
    model = loaded(name)
    x = torch.randn(3, 3, 256, 192, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        together = outputs(model(x))
        singly = [outputs(model(picture[None])) for picture in x]
        with mock.patch.object(blocks, "eager", return_value=False):
            plain = outputs(model(x))
    for key, output in together.items():
        assert len({float(picture[0].std()) for picture in output}) == 3
        scale = 1e-11 * float(output.abs().max())
        torch.testing.assert_close(torch.cat([single[key] for single in singly]), output, rtol=0, atol=scale)
        torch.testing.assert_close(plain[key], output, rtol=0, atol=scale)


@pytest.mark.parametrize("name", NEWER)
@pytest.mark.parametrize(("size", "joints"), [((384, 288), 17), ((256, 256), 16), ((64, 96), 23)])
def test_any_input_that_is_a_multiple_of_32(name: str, size: tuple[int, int], joints: int) -> None:
    height, width = size
    model = zoo.create_model(name, num_joints=joints, input_size=size).eval()
    with torch.inference_mode():
        shapes = {key: tuple(output.shape) for key, output in outputs(model(torch.zeros(2, 3, *size))).items()}
    if zoo.model_card(name).output_kind == "simcc":
        assert shapes == {"x": (2, joints, 2 * width), "y": (2, joints, 2 * height)}
    else:
        assert shapes == {"heatmaps": (2, joints, height // 4, width // 4)}
    key = f"{height}x{width}_{joints}"
    if key in COMPLEXITY[name]:
        assert sum(p.numel() for p in model.parameters()) == COMPLEXITY[name][key]["params"]


@pytest.mark.parametrize("name", FAMILIES)
def test_weights_go_in_under_every_naming(name: str, tmp_path: Path) -> None:
    published = {key: value.float() for key, value in reference_state(name, 1.0).items()}
    first = zoo.create_model(name)
    zoo.load_weights(first, published)
    state = first.state_dict()
    assert {published_name(first, key) for key in state} == set(CHECKPOINT_KEYS[name])
    older = {"module." + key.replace("head.", "keypoint_head.", 1) if key.startswith("head.") else "module." + key:
             value for key, value in published.items()}  # fmt: skip
    torch.save({"state_dict": older, "meta": {"epoch": 210}}, tmp_path / "published.pth")
    zoo.save_weights(first, tmp_path / "own.safetensors")
    for file in ("published.pth", "own.safetensors"):
        other = zoo.create_model(name, weights=tmp_path / file)
        assert all(torch.equal(state[key], value) for key, value in other.state_dict().items())


SIZED = [name for name in NEWER if name.startswith(("rtmpose", "simcc", "vitpose"))]


@pytest.mark.parametrize("name", SIZED)
def test_an_input_size_that_it_was_not_made_for_is_one_line(name: str, tmp_path: Path) -> None:
    model = zoo.create_model(name)
    with pytest.raises(zoo.ZooError) as caught:
        model(torch.zeros(1, 3, 384, 288))
    assert str(caught.value) == (
        "input size 384x288 does not fit a network that was made for 256x192: "
        "create it with input_size=(384, 288), and load weights of that size"
    )
    # A usual size, which nothing tells; and any other, which the file tells.
    torch.save(zoo.create_model(name, input_size=(384, 288)).state_dict(), tmp_path / "large.pth")
    zoo.save_weights(zoo.create_model(name, input_size=(96, 64)), tmp_path / "small.safetensors")
    for file, size in (("large.pth", (384, 288)), ("small.safetensors", (96, 64))):
        shown = re.escape(f"are for input {size[0]}x{size[1]}; create the network with input_size={size}")
        with pytest.raises(zoo.ZooError, match=f"{shown}$"):
            zoo.load_weights(model, tmp_path / file)
    with pytest.raises(zoo.ZooError, match=r"for 17 joints and the network has 14; create it with num_joints=17$"):
        zoo.create_model(name, num_joints=14, input_size=(96, 64), weights=tmp_path / "small.safetensors")


@pytest.mark.parametrize("name", ["vitpose_s", "vitpose_s_simple"])
def test_the_authors_own_vitpose_checkpoints(name: str) -> None:
    """Other names, and a position embedding whose first entry, of no picture's place, is added to all others."""
    model = zoo.create_model(name).double()
    zoo.load_weights(model, reference_state(name, FORWARD[name]["gain"]))
    state = model.state_dict()
    official = {official_name(model, key): value for key, value in state.items()}
    assert {"backbone.blocks.11.mlp.fc2.bias", "backbone.blocks.0.attn.qkv.weight", "backbone.last_norm.weight",
            "backbone.patch_embed.proj.weight", "keypoint_head.final_layer.bias"} <= set(official)  # fmt: skip
    first = torch.randn(1, 1, 384, dtype=torch.float64)
    official["backbone.pos_embed"] = torch.cat((first, state["backbone.pos_embed"] - first), 1)
    other = zoo.create_model(name).double()
    zoo.load_weights(other, {"state_dict": official})
    for key, value in other.state_dict().items():
        torch.testing.assert_close(value, state[key], rtol=0, atol=1e-12 if "pos_embed" in key else 0)


def test_of_19_published_joints_the_first_17_are_coco_s() -> None:
    larger = zoo.create_model("cspnext_t_udp", num_joints=19)
    model = zoo.create_model("cspnext_t_udp")
    zoo.load_weights(model, larger.state_dict())
    assert torch.equal(model.head.final.weight, larger.head.final.weight[:17])
    assert torch.equal(model.head.final.bias, larger.head.final.bias[:17])
    with pytest.raises(zoo.ZooError, match="they are for 19 joints and the network has 16"):
        zoo.load_weights(zoo.create_model("cspnext_t_udp", num_joints=16), larger.state_dict())
    other = zoo.create_model("simcc_mobilenetv2", num_joints=19).state_dict()
    with pytest.raises(zoo.ZooError, match="they are for 19 joints and the network has 17"):
        zoo.load_weights(zoo.create_model("simcc_mobilenetv2"), other)


@pytest.mark.parametrize("name", FAMILIES)
def test_a_training_step_reaches_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    model = zoo.create_model(name, input_size=(64, 64)).double().train()
    zoo.load_weights(model, {
        key: torch.randn_like(value) / max(value[0].numel(), 1) ** 0.5 if value.dim() > 1 else value
        for key, value in model.state_dict().items()
    })  # fmt: skip
    found = outputs(model(torch.randn(4, 3, 64, 64, dtype=torch.float64)))
    sum(output.square().mean() for output in found.values()).backward()
    silent = {key for key, p in model.named_parameters() if p.grad is None or float(p.grad.abs().max()) == 0}
    # Never used, and dropped by a softmax over positions.
    expected = {key for key, _ in model.named_parameters() if "conv_mask" in key}
    assert silent <= expected
    counts = {int(value) for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
    assert counts <= {1}


def test_stochastic_depth_is_for_training_only_and_keeps_the_mean() -> None:
    torch.manual_seed(0)
    layer = VisionTransformer((64, 64)).layers[-1]
    assert layer.drop_path == pytest.approx(0.1)
    x = torch.ones(20_000, 1, 1)
    dropped = layer.train()._dropped(x)
    assert sorted(dropped.unique().tolist()) == pytest.approx([0, 1 / 0.9])
    assert float(dropped.mean()) == pytest.approx(1, abs=0.01)
    assert torch.equal(layer.eval()._dropped(x), x)


def test_initial_weights_are_the_published_ones() -> None:
    torch.manual_seed(0)
    head = zoo.create_model("rtmpose_t").head
    assert float(head.cls_x.weight.std()) == pytest.approx(0.01, rel=0.02)
    assert float(head.gau.uv.weight.std()) == pytest.approx(0.01, rel=0.02)
    assert float(head.final_layer.weight.std()) == pytest.approx(0.001, rel=0.02)
    assert 0 <= float(head.gau.gamma.min()) < 0.1 < 0.9 < float(head.gau.gamma.max()) <= 1
    assert float(head.mlp[0].g) == float(head.gau.ln.g) == 1
    head = zoo.create_model("simcc_mobilenetv2").head
    assert float(head.mlp_head_y.weight.std()) == pytest.approx(0.01, rel=0.02)
    assert float(head.final_layer.weight.std()) == pytest.approx(0.001, rel=0.05)
    vit = zoo.create_model("vitpose_s")
    assert float(vit.backbone.pos_embed.std()) == pytest.approx(0.02, rel=0.02)
    first = vit.backbone.layers[0].ffn.layers[0][0]
    assert float(first.weight.abs().max()) == pytest.approx((6 / (384 + 1536)) ** 0.5, rel=0.01)
    assert float(first.bias.std()) == pytest.approx(1e-6, rel=0.1)
    assert float(vit.head.layers[0].deconv.weight.std()) == pytest.approx(0.001, rel=0.02)
    dite = zoo.create_model("dite_hrnet_18")
    for kernel in dite.backbone.stem.branch1[2].conv.aggregation.weight:  # 1x1, 16 channels in
        assert float(kernel.abs().max()) == pytest.approx((6 / 16) ** 0.5, rel=0.1)
    assert float(dite.backbone.stem.conv1.conv.weight.std()) == pytest.approx(0.001, rel=0.1)
    assert not dite.head.final.bias.any()
