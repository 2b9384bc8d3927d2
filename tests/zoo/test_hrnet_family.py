"""What is particular to Lite-HRNet, Small HRNet and ViPNAS: the release's fusion, and the cheaper forms.

That all networks compute the published outputs and take the published weights is in test_zoo.py.
"""

from unittest import mock

import pytest
import torch
from torch import Tensor

import zoo
from tests.reference_weights import FORWARD, reference_state
from zoo import blocks
from zoo.lite_hrnet import WIDTHS, Fusion


def plain_forms() -> mock._patch:
    """What compilers and exporters get: standard layout, convolutions, one stacking copy."""
    return mock.patch.object(blocks, "eager", return_value=False)


def branches(count: int) -> list[Tensor]:
    return [torch.randn(2, WIDTHS[b], 32 >> b, 24 >> b, dtype=torch.float64) for b in range(count)]


@pytest.mark.parametrize("count", [2, 3, 4])
def test_fusion_is_the_release_s(count: int) -> None:
    """Accumulating in place, from branch 0 on, with the path from branch 0 run twice."""
    torch.manual_seed(0)
    fusion = Fusion(count).double().eval()
    xs = branches(count)
    given = [x.clone() for x in xs]
    outputs = fusion(xs)
    assert all(torch.equal(x, before) for x, before in zip(xs, given, strict=True))
    sums = list(xs)
    for i in range(count):
        total = sums[0].clone() if i == 0 else fusion.paths[f"0to{i}"](sums[0])
        for j in range(count):
            if j == 0:
                total = total + (sums[0] if i == 0 else fusion.paths[f"0to{i}"](sums[0]))
            else:
                total = total + (xs[i] if j == i else fusion.paths[f"{j}to{i}"](xs[j]))
        sums[i] = total
    for output, total in zip(outputs, sums, strict=True):
        torch.testing.assert_close(output, total.relu(), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("name", zoo.list_models("paper"))
def test_eager_and_plain_forms_agree(name: str) -> None:
    model = zoo.create_model(name).double().eval()
    zoo.load_weights(model, reference_state(name, FORWARD[name]["gain"]))
    x = torch.randn(2, 3, 64, 96, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    with torch.inference_mode():
        eager = model(x)
        with plain_forms():
            plain = model(x)
    assert eager.is_contiguous()
    torch.testing.assert_close(eager, plain, rtol=0, atol=1e-11 * float(plain.abs().max()))


@pytest.mark.parametrize("name", ["lite_hrnet_18", "small_hrnet_w16", "vipnas_mobilenetv3"])
def test_a_training_step_in_both_forms(name: str) -> None:
    """Sums in place, ReLUs in place and the interleaving must leave the gradients right."""
    state = reference_state(name, FORWARD[name]["gain"])
    x = torch.randn(2, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(0))

    def step() -> dict[str, Tensor]:
        model = zoo.create_model(name).double().train()
        zoo.load_weights(model, state)
        model(x).square().mean().backward()
        gradients = {key: p.grad for key, p in model.named_parameters() if p.grad is not None}
        assert len(gradients) == len(list(model.parameters()))
        # Every running statistic moves once, those of the paths from branch 0 included.
        counts = {int(value) for key, value in model.state_dict().items() if key.endswith("num_batches_tracked")}
        assert counts == {1}
        return gradients

    eager = step()
    with plain_forms():
        plain = step()
    scale = max(float(gradient.abs().max()) for gradient in plain.values())
    assert scale > 0
    for key, gradient in plain.items():
        torch.testing.assert_close(eager[key], gradient, rtol=1e-6, atol=1e-9 * scale, msg=key)


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32, torch.bfloat16])
@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_concat_shuffle(dtype: torch.dtype, layout: torch.memory_format) -> None:
    whole = torch.randn(2, 12, 5, 7).to(dtype).contiguous(memory_format=layout)
    first, second = whole.chunk(2, 1)
    for a, b in ((first, second), (first, second.contiguous(memory_format=layout))):
        expected = blocks.channel_shuffle(torch.cat((a, b), 1), 2)
        assert torch.equal(blocks.concat_shuffle(a, b), expected)
        with plain_forms():
            assert torch.equal(blocks.concat_shuffle(a, b), expected)


def test_pointwise_is_a_convolution() -> None:
    layer = blocks.Pointwise(6, 4).double()
    whole = torch.randn(2, 12, 5, 7, dtype=torch.float64).contiguous(memory_format=torch.channels_last)
    for x in (whole[:, :6], whole[:, 6:].contiguous(), whole[:, :6, :1, :1]):
        torch.testing.assert_close(layer(x), torch.conv2d(x, layer.weight, layer.bias), rtol=1e-12, atol=1e-12)


def test_exporters_get_convolutions() -> None:
    """No transposed matrix products and complex numbers in what other runtimes execute."""
    model = torch.nn.Sequential(blocks.ConvBNAct(8, 8), blocks.SqueezeExcite(8, 2)).eval()
    program = torch.export.export(model, (torch.zeros(1, 8, 4, 4).contiguous(memory_format=torch.channels_last),))
    called = [str(node.target) for node in program.graph.nodes if node.op == "call_function"]
    assert sum("conv2d" in target for target in called) == 3
    assert not any("linear" in target or "permute" in target for target in called)
    traced = torch.jit.trace(model, torch.zeros(1, 8, 4, 4))
    assert "aten::linear" not in str(traced.inlined_graph)
