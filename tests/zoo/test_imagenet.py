"""The backbones compute what torchvision's and timm's do, and take their ImageNet weights."""

import urllib.error
from collections.abc import Callable
from pathlib import Path

import pytest
import timm
import torch
import torchvision
from torch import Tensor, nn

import zoo
from zoo.weights.imagenet import load_backbone


def random_statistics(model: nn.Module) -> nn.Module:
    """Batch norms that do something, so that a wrong order of layers shows."""
    generator = torch.Generator().manual_seed(0)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            for tensor in (module.weight.data, module.running_var):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) + 0.5)
            for tensor in (module.bias.data, module.running_mean):
                tensor.copy_(torch.rand(tensor.shape, generator=generator) - 0.5)
            module.num_batches_tracked.fill_(5)
    return model


def shufflenet_features(model: nn.Module) -> Callable[[Tensor], Tensor]:
    return nn.Sequential(model.conv1, model.maxpool, model.stage2, model.stage3, model.stage4, model.conv5)


CASES: dict[str, tuple[str, Callable[[], nn.Module], Callable[[nn.Module], Callable[[Tensor], Tensor]]]] = {
    "torchvision MobileNetV2": ("mobilenetv2", torchvision.models.mobilenet_v2, lambda model: model.features),
    "timm MobileNetV2": ("mobilenetv2", lambda: timm.create_model("mobilenetv2_100"), lambda m: m.forward_features),
    "torchvision ShuffleNetV2": ("shufflenetv2", torchvision.models.shufflenet_v2_x1_0, shufflenet_features),
}


@pytest.mark.parametrize("case", CASES)
def test_backbones_agree_with_the_libraries(case: str, tmp_path: Path) -> None:
    backbone, make, features = CASES[case]
    theirs = random_statistics(make()).double().eval()
    torch.save(theirs.state_dict(), tmp_path / "imagenet.pth")
    ours = zoo.create_model(f"simplebaseline_{backbone}").double().eval()
    head = {key: value.clone() for key, value in ours.head.state_dict().items()}
    load_backbone(ours, tmp_path / "imagenet.pth")
    x = torch.randn(2, 3, 96, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        expected = features(theirs)(x)
        torch.testing.assert_close(ours.backbone(x), expected, rtol=1e-10, atol=1e-10 * float(expected.abs().max()))
    assert all(torch.equal(head[key], value) for key, value in ours.head.state_dict().items())


def test_create_model_takes_files_and_the_libraries_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    published = random_statistics(torchvision.models.mobilenet_v2()).state_dict()
    # Files of early PyTorch count no batches.
    old = {key: value for key, value in published.items() if not key.endswith("num_batches_tracked")}
    torch.save(old, tmp_path / "old.pth", _use_new_zipfile_serialization=False)
    asked = []

    def download(url: str, **options: object) -> dict[str, Tensor]:
        asked.append((url, options["weights_only"], options["check_hash"]))
        return published

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", download)
    for source in (tmp_path / "old.pth", str(tmp_path / "old.pth"), "torchvision"):
        model = zoo.create_model("simplebaseline_mobilenetv2", pretrained_backbone=source)
        assert torch.equal(model.backbone.last.conv.weight, published["features.18.0.weight"])
    assert asked == [(torchvision.models.MobileNet_V2_Weights.DEFAULT.url, True, True)]


def test_what_is_not_the_same_network_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    create = zoo.create_model
    with pytest.raises(zoo.ZooError, match="for the backbones MobileNetV2 and ShuffleNetV2, not MobileNetV3: "):
        create("lightweight_mobilenetv3", pretrained_backbone="torchvision")
    with pytest.raises(zoo.ZooError, match=r"timm/mobilenetv2_140\.ra_in1k is not the backbone MobileNetV2"):
        create("simplebaseline_mobilenetv2", pretrained_backbone="timm/mobilenetv2_140.ra_in1k")
    with pytest.raises(zoo.ZooError, match="timm/mobilenetv2_100 is not the backbone ShuffleNetV2: use torchvision"):
        create("simplebaseline_shufflenetv2", pretrained_backbone="timm/mobilenetv2_100")
    with pytest.raises(zoo.ZooError, match="give one of the two"):
        create("simplebaseline_mobilenetv2", weights="published", pretrained_backbone="torchvision")
    torch.save(torchvision.models.shufflenet_v2_x0_5().state_dict(), tmp_path / "half.pth")
    for name in ("simplebaseline_shufflenetv2", "simplebaseline_mobilenetv2"):
        with pytest.raises(zoo.ZooError, match=r"half\.pth are not of (Shuffle|Mobile)NetV2 x1\.0: "):
            create(name, pretrained_backbone=tmp_path / "half.pth")

    def offline(*_: object, **__: object) -> None:
        raise urllib.error.URLError("Name or service not known")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", offline)
    monkeypatch.setattr("timm.create_model", offline)
    for source in ("torchvision", "timm/mobilenetv2_100.ra_in1k"):
        with pytest.raises(zoo.ZooError, match=f"{source} cannot be had .*Name or service not known.*: go online"):
            create("simplebaseline_mobilenetv2", pretrained_backbone=source)


def test_imagenet_weights_that_are_no_numbers_are_refused(tmp_path: Path) -> None:
    """NaN was found in the first step's loss, integers and complex numbers were taken as they are."""
    state = torchvision.models.mobilenet_v2().state_dict()
    weight, variance = "features.0.0.weight", "features.0.1.running_var"
    network = zoo.create_model("simplebaseline_mobilenetv2")
    before = {key: value.clone() for key, value in network.state_dict().items()}

    def fails(says: str, name: str, value: Tensor) -> None:
        torch.save(state | {name: value}, tmp_path / "weights.pth")
        with pytest.raises(zoo.ZooError, match=rf"weights.pth .*{says}"):
            load_backbone(network, tmp_path / "weights.pth")
        assert all(torch.equal(value, before[key]) for key, value in network.state_dict().items())

    fails(f"cannot be used: {weight} holds NaN", weight, torch.full_like(state[weight], float("nan")))
    fails(f"cannot be used: {variance} holds NaN", variance, torch.full_like(state[variance], float("nan")))
    fails(f"cannot be used: {weight} holds infinite numbers", weight, state[weight].double() * 1e300)
    for other in (torch.int8, torch.complex64):
        fails(f"{weight} missing, unexpected or of another shape or type", weight, state[weight].to(other))
    fails("of another shape or type", weight, state[weight].to("meta"))
    torch.save({key: value.half() if value.is_floating_point() else value for key, value in state.items()},
               tmp_path / "half.pth")  # fmt: skip
    load_backbone(network, tmp_path / "half.pth")
    assert network.backbone.stem.conv.weight.dtype == torch.float32
    with pytest.raises(zoo.ZooError, match="the backbones MobileNetV2 and ShuffleNetV2, not Conv2d: "):
        load_backbone(nn.Conv2d(3, 17, 1), tmp_path / "half.pth")
