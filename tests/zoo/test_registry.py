"""Networks are found by themselves, their cards without PyTorch; adding one is one file."""

import subprocess
import sys
from pathlib import Path

import pytest
import torch

import zoo
from tests.conftest import ROOT
from zoo import registry

PAPER = [
    "simplebaseline_mobilenetv2",
    "simplebaseline_mobilenetv3",
    "simplebaseline_shufflenetv2",
    "vipnas_mobilenetv3",
    "small_hrnet_w16",
    "lite_hrnet_18",
    "lite_hrnet_30",
    "lightweight_mobilenetv3",
]

OWN = """
from torch import nn

from zoo.blocks import ConvBNAct
from zoo.heads import PointwiseHead
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

QUIRKS = ("it is tiny",)


@network(ModelCard("tiny", "Tiny", "one convolution", "Tiny", "none", "this test", QUIRKS))
def tiny(num_joints: int, input_size: Size, *, width: str = "8") -> PoseNet:
    return PoseNet(ConvBNAct(3, int(width), 3, stride=4), PointwiseHead(int(width), num_joints))
"""


def test_the_paper_s_networks_come_first_in_the_order_of_table_i() -> None:
    assert zoo.list_models("paper") == PAPER
    assert zoo.list_models() == PAPER + zoo.list_models("newer")
    with pytest.raises(zoo.ZooError, match="unknown generation 'old': give all, paper or newer"):
        zoo.list_models("old")


def test_names_and_cards_need_no_torch() -> None:
    script = (
        "import sys\nfor name in ('torch', 'timm', 'cv2', 'pandas'): sys.modules[name] = None\n"
        "import zoo, zoo.weights\n"
        "print(*zoo.list_models())\n"
        "assert all(zoo.model_card(name).name == name for name in zoo.list_models())\n"
        "assert zoo.weights.published() and zoo.weights.find('lite_hrnet_18')\n"
        "try: zoo.model_card('rtmpose')\n"
        "except zoo.ZooError as error: assert 'unknown model' in str(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.split() == zoo.list_models()


@pytest.mark.parametrize("name", zoo.list_models())
def test_cards_agree_with_what_is_built(name: str) -> None:
    with torch.device("meta"):
        model = zoo.create_model(name, input_size=(64, 64))
    card = zoo.model_card(name)
    assert (model.spec.card, model.spec.name, model.spec.input_size) == (card, name, (64, 64))
    assert model.output_kind == card.output_kind
    assert (card.split_ratio > 0) == (card.output_kind == "simcc")
    assert all((card.method, card.backbone, card.label, card.paper, card.source))


def test_adding_a_network_is_one_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tiny_network.py").write_text(OWN)
    monkeypatch.setattr(zoo, "__path__", [*zoo.__path__, str(tmp_path)])
    registry._entries.cache_clear()
    try:
        assert zoo.list_models()[: len(PAPER)] == PAPER
        assert "tiny" in zoo.list_models("newer")
        assert zoo.model_card("tiny").quirks == ("it is tiny",)
        model = zoo.create_model("tiny", num_joints=5, width="4").eval()
        assert model(torch.zeros(1, 3, 64, 32)).shape == (1, 5, 16, 8)
        zoo.save_weights(model, tmp_path / "tiny.safetensors")
        zoo.create_model("tiny", num_joints=5, width="4", weights=tmp_path / "tiny.safetensors")
        with pytest.raises(zoo.ZooError, match="has no option 'depth': it takes width"):
            zoo.create_model("tiny", depth="4")
    finally:
        registry._entries.cache_clear()
        sys.modules.pop("zoo.tiny_network", None)


@pytest.mark.parametrize("size", [(0, 192), (250, 192), (-32, 32), (256, 190)])
def test_impossible_input_sizes(size: tuple[int, int]) -> None:
    with pytest.raises(zoo.ZooError, match=r"is impossible: height and width must be multiples of 32, for example"):
        zoo.create_model("simplebaseline_mobilenetv2", input_size=size)
