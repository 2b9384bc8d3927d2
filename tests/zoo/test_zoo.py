"""The networks compute what was published; names, options and weights that do not fit are refused."""

import re
from pathlib import Path

import numpy as np
import pytest
import torch

import zoo
from tests.reference_weights import COMPLEXITY, FORWARD, reference_input, reference_state
from zoo.timm_backbone import EXAMPLES
from zoo.weights import published_name


@pytest.mark.parametrize("name", zoo.list_models("paper"))
def test_outputs_are_the_published_implementations(name: str) -> None:
    expected = FORWARD[name]
    model = zoo.create_model(name).double().eval()
    zoo.load_weights(model, reference_state(name, expected["gain"]))
    for size, figures in expected.items():
        if size == "gain":
            continue
        height, width = map(int, size.split("x"))
        with torch.inference_mode():
            output = model(reference_input(height, width))
        assert list(output.shape) == figures["shape"]
        sample = output.flatten()[figures["sample_index"]].numpy()
        np.testing.assert_allclose(sample, figures["sample"], rtol=0, atol=1e-9 * figures["absmax"])
        assert float(output.mean()) == pytest.approx(figures["mean"], abs=1e-9 * figures["absmax"])
        assert float(output.abs().max()) == pytest.approx(figures["absmax"], rel=1e-9)


@pytest.mark.parametrize("name", zoo.list_models("paper"))
@pytest.mark.parametrize(("size", "joints"), [((384, 288), 17), ((256, 256), 16), ((64, 96), 17)])
def test_any_input_that_is_a_multiple_of_32(name: str, size: tuple[int, int], joints: int) -> None:
    model = zoo.create_model(name, num_joints=joints).eval()
    with torch.inference_mode():
        assert model(torch.zeros(2, 3, *size)).shape == (2, joints, size[0] // 4, size[1] // 4)
    key = f"{size[0]}x{size[1]}_{joints}"
    if key in COMPLEXITY[name]:
        assert sum(p.numel() for p in model.parameters()) == COMPLEXITY[name][key]["params"]


@pytest.mark.parametrize("name", zoo.list_models("paper"))
def test_weights_go_in_under_every_naming(name: str, tmp_path) -> None:
    published = {key: value.float() for key, value in reference_state(name, 1.0).items()}
    first = zoo.create_model(name)
    zoo.load_weights(first, published)
    state = first.state_dict()
    assert {published_name(first, key) for key in state} == set(published)
    # MMPose 1.x, wrapped and prefixed as training scripts leave it, from a file.
    newer = {"module." + key.replace("keypoint_head.", "head."): value for key, value in published.items()}
    torch.save({"state_dict": newer, "meta": {"epoch": 210}}, tmp_path / "published.pth")
    # Our own naming.
    torch.save(state, tmp_path / "own.pth")
    for file in ("published.pth", "own.pth"):
        other = zoo.create_model(name)
        zoo.load_weights(other, tmp_path / file)
        assert all(torch.equal(state[key], value) for key, value in other.state_dict().items())


def test_weights_that_do_not_fit_are_refused_whole() -> None:
    name = "lightweight_mobilenetv3"
    model = zoo.create_model(name)
    before = {key: value.clone() for key, value in model.state_dict().items()}
    state = reference_state(name, 1.0)
    missing = {key: value for key, value in state.items() if key != "backbone.layer4.se.conv1.conv.bias"}
    with pytest.raises(zoo.ZooError, match=r"missing: backbone\.layer4\.se\.conv1\.conv\.bias"):
        zoo.load_weights(model, missing)
    with pytest.raises(zoo.ZooError, match=r"unexpected: extra\.weight"):
        zoo.load_weights(model, state | {"extra.weight": torch.zeros(1)})
    wrong_joints = reference_state(name, 1.0) | {"keypoint_head.final_layer.weight": torch.zeros(16, 256, 1, 1)}
    with pytest.raises(zoo.ZooError, match=r"final_layer\.weight is 16x256x1x1 and should be 17x256x1x1"):
        zoo.load_weights(model, wrong_joints)
    with pytest.raises(zoo.ZooError, match="do not fit"):
        zoo.load_weights(model, reference_state("simplebaseline_mobilenetv2", 1.0))
    assert all(torch.equal(before[key], value) for key, value in model.state_dict().items())


def test_a_file_that_holds_no_weights_is_named(tmp_path) -> None:
    model = zoo.create_model("lightweight_mobilenetv3")
    (tmp_path / "broken.pth").write_bytes(b"not a checkpoint")
    for file in ("absent.pth", "broken.pth"):
        with pytest.raises(zoo.ZooError, match=re.escape(file)):
            zoo.load_weights(model, tmp_path / file)


def test_attention_blocks_of_table_vi() -> None:
    """Costs derived by hand from the definitions: C = 256, ratio 4 (SE, parallel) and 16 (CBAM)."""
    params = {}
    for kind in ("parallel", "se", "cbam", "none"):
        model = zoo.create_model("lightweight_mobilenetv3", attention=kind)
        params[kind] = sum(p.numel() for p in model.head.attention.parameters())
    se = 256 * 64 + 64 + 64 * 256 + 256
    spatial = 256 + 1 + 9 + 1
    cbam = 256 * 16 + 16 + 16 * 256 + 256 + 2 * 49 + 1
    assert params == {"parallel": se + spatial, "se": se, "cbam": cbam, "none": 0}


def test_parallel_attention_is_equation_7() -> None:
    block = zoo.create_model("lightweight_mobilenetv3").head.attention.double()
    x = torch.randn(2, 256, 5, 7, dtype=torch.float64)

    def hard_sigmoid(value: torch.Tensor) -> torch.Tensor:
        return (value / 6 + 0.5).clamp(0, 1)

    c, s = block.channel, block.spatial
    pooled = x.mean((2, 3))
    hidden = (pooled @ c.reduce.weight[:, :, 0, 0].T + c.reduce.bias).relu()
    channel = hard_sigmoid(hidden @ c.expand.weight[:, :, 0, 0].T + c.expand.bias)[:, :, None, None]
    one = (torch.einsum("nchw,c->nhw", x, s.squeeze.weight[0, :, 0, 0]) + s.squeeze.bias).relu()
    spatial = hard_sigmoid(torch.nn.functional.conv2d(one[:, None], s.conv.weight, s.conv.bias, padding=1))
    torch.testing.assert_close(block(x), x + x * channel + x * spatial, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("head", ["simplebaseline", "lightweight"])
def test_timm_backbones_under_both_heads(head: str) -> None:
    model = zoo.create_model(f"{head}:timm/mobilenetv3_small_050", num_joints=16).eval()
    with torch.inference_mode():
        assert model(torch.zeros(1, 3, 64, 96)).shape == (1, 16, 16, 24)


@pytest.mark.parametrize("backbone", EXAMPLES)
@pytest.mark.parametrize("head", ["simplebaseline", "lightweight"])
def test_the_paper_s_question_with_backbones_of_today(head: str, backbone: str, tmp_path: Path) -> None:
    name = f"{head}:timm/{backbone}"
    model = zoo.create_model(name, num_joints=16, input_size=(96, 64)).eval()
    zoo.save_weights(model, tmp_path / "weights.safetensors")
    other = zoo.create_model(name, num_joints=16, weights=tmp_path / "weights.safetensors").eval()
    # As a training script on several devices leaves them; the backbone's own names begin with "model." too.
    torch.save({"model": {f"module.{k}": v for k, v in model.state_dict().items()}}, tmp_path / "last.pth")
    third = zoo.create_model(name, num_joints=16, weights=tmp_path / "last.pth").eval()
    x = torch.randn(1, 3, 96, 64)
    with torch.inference_mode():
        heatmaps = model(x)
        assert heatmaps.shape == (1, 16, 24, 16)
        assert float(heatmaps.std()) > 0
        assert torch.equal(other(x), heatmaps)
        assert torch.equal(third(x), heatmaps)
    with pytest.raises(zoo.ZooError, match="for 16 joints and the network has 17; create it with num_joints=16"):
        zoo.create_model(name, weights=tmp_path / "last.pth")


def test_impossible_requests_name_what_is_possible() -> None:
    with pytest.raises(zoo.ZooError, match="did you mean lightweight_mobilenetv3"):
        zoo.create_model("lightwieght_mobilenetv3")
    with pytest.raises(zoo.ZooError, match="did you mean mobilenetv3_large_100"):
        zoo.create_model("lightweight:timm/mobilenetv3_larg_100")
    with pytest.raises(zoo.ZooError, match="no stride-32 feature map"):
        zoo.create_model("simplebaseline:timm/vit_tiny_patch16_224")
    with pytest.raises(zoo.ZooError, match="choose one of parallel, se, cbam, none"):
        zoo.create_model("lightweight_mobilenetv3", attention="sse")
    with pytest.raises(zoo.ZooError, match="has no option 'attention'"):
        zoo.create_model("simplebaseline_mobilenetv2", attention="se")
    with pytest.raises(zoo.ZooError, match="multiples of 32, for example 256x192"):
        zoo.create_model("simplebaseline_shufflenetv2")(torch.zeros(1, 3, 250, 190))
