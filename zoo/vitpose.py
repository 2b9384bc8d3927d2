"""ViTPose-S (arXiv 2204.12484): a plain vision transformer under two heads.

12 layers of width 384 with 12 heads of 32 (DeiT's small one has 6), no class token.
"""

from typing import ClassVar

import torch
from torch import Tensor, nn
from torch.nn import functional

from zoo.heads import DeconvHead, init_head
from zoo.naming import Rule
from zoo.pose_net import PoseNet
from zoo.registry import ModelCard, Size, network

WIDTH = 384
HIDDEN = 1536
HEADS = 12
LAYERS = 12
PATCH = 16
PADDING = 2  # of the patches' convolution: they overlap the picture's border, and end 2 pixels before its far side
DROP_PATH = 0.1  # of the last layer; from 0 in the first, linearly
EPS = 1e-6  # of all layer norms


class PatchEmbed(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 384, H/16, W/16]``."""

    def __init__(self) -> None:
        super().__init__()
        self.projection = nn.Conv2d(3, WIDTH, PATCH, PATCH, PADDING)

    def forward(self, x: Tensor) -> Tensor:
        return self.projection(x)


class Attention(nn.Module):
    """Self-attention with 12 heads; tokens ``[N, L, 384]`` in and out."""

    def __init__(self) -> None:
        super().__init__()
        self.qkv = nn.Linear(WIDTH, 3 * WIDTH)
        self.proj = nn.Linear(WIDTH, WIDTH)

    def forward(self, x: Tensor) -> Tensor:
        n, length, _ = x.shape
        query, key, value = (
            part.view(n, length, HEADS, WIDTH // HEADS).transpose(1, 2) for part in self.qkv(x).chunk(3, 2)
        )
        y = functional.scaled_dot_product_attention(query, key, value)
        return self.proj(y.transpose(1, 2).reshape(n, length, WIDTH))


class FeedForward(nn.Module):
    """Two linear layers with the exact GELU between them."""

    def __init__(self) -> None:
        super().__init__()
        self.layers = nn.Sequential(nn.Sequential(nn.Linear(WIDTH, HIDDEN), nn.GELU()), nn.Linear(HIDDEN, WIDTH))
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.normal_(module.bias, std=1e-6)

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x)


class Layer(nn.Module):
    """``x + attention(norm(x))``, then ``x + feed_forward(norm(x))``; ``[N, L, 384]`` in and out.

    In training, each branch is left out for a sample with a probability of ``drop_path``.
    """

    def __init__(self, drop_path: float) -> None:
        super().__init__()
        self.ln1 = nn.LayerNorm(WIDTH, EPS)
        self.attn = Attention()
        self.ln2 = nn.LayerNorm(WIDTH, EPS)
        self.ffn = FeedForward()
        self.drop_path = drop_path

    def forward(self, x: Tensor) -> Tensor:
        x = x + self._dropped(self.attn(self.ln1(x)))
        return x + self._dropped(self.ffn(self.ln2(x)))

    def _dropped(self, x: Tensor) -> Tensor:
        if not self.training or self.drop_path == 0:
            return x
        keep = 1 - self.drop_path
        return x * (x.new_empty(len(x), 1, 1).bernoulli_(keep) / keep)


class VisionTransformer(nn.Module):
    """``[N, 3, H, W]`` to ``[N, 384, H/16, W/16]``; the position embedding is of one input size."""

    out_channels = WIDTH
    # The names in the checkpoints of ViTPose's own authors.
    official_names: ClassVar[list[Rule]] = [
        (r"^patch_embed\.projection\.", "patch_embed.proj."),
        (r"^layers\.(\d+)\.ln(\d)\.", r"blocks.\1.norm\2."),
        (r"^layers\.(\d+)\.attn\.", r"blocks.\1.attn."),
        (r"^layers\.(\d+)\.ffn\.layers\.0\.0\.", r"blocks.\1.mlp.fc1."),
        (r"^layers\.(\d+)\.ffn\.layers\.1\.", r"blocks.\1.mlp.fc2."),
        (r"^ln1\.", "last_norm."),
        (r"^pos_embed$", "pos_embed"),
    ]

    def __init__(self, input_size: Size) -> None:
        super().__init__()
        height, width = input_size
        self.patch_embed = PatchEmbed()
        self.pos_embed = nn.Parameter(torch.zeros(1, (height // PATCH) * (width // PATCH), WIDTH))
        self.layers = nn.Sequential(*(Layer(DROP_PATH * index / (LAYERS - 1)) for index in range(LAYERS)))
        self.ln1 = nn.LayerNorm(WIDTH, EPS)
        nn.init.trunc_normal_(self.pos_embed, std=0.02)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patch_embed(x)
        tokens = (x.flatten(2).transpose(1, 2) + self.pos_embed).contiguous()  # or every norm would make a copy
        return self.ln1(self.layers(tokens)).transpose(1, 2).reshape(x.shape)

    @staticmethod
    def from_official(key: str, value: Tensor) -> Tensor:
        """An entry of the authors' checkpoints as it is here.

        Their position embedding has one more entry, the class token's, which is added to all others.
        """
        if key == "backbone.pos_embed" and value.dim() == 3 and value.shape[1] > 1:
            return value[:, 1:] + value[:, :1]
        return value


class SimpleHead(nn.Module):
    """ReLU, bilinear upsampling by 4, a 3x3 convolution; ``[N, C, H, W]`` to heatmaps ``[N, J, 4H, 4W]``."""

    published_names: ClassVar[list[Rule]] = [(r"^final\.", "final_layer.")]

    def __init__(self, in_channels: int, num_joints: int) -> None:
        super().__init__()
        self.final = nn.Conv2d(in_channels, num_joints, 3, padding=1)
        init_head(self)

    def forward(self, x: Tensor) -> Tensor:
        x = functional.interpolate(functional.relu(x), scale_factor=4.0, mode="bilinear", align_corners=False)
        return self.final(x).contiguous()


PAPER = "Xu et al., ViTPose: Simple Vision Transformer Baselines for Human Pose Estimation, NeurIPS 2022"
PATCHES = (
    "The convolution that makes the patches has a padding of 2, so that they lie 2 pixels further up and left than "
    "a plain grid."
)
POSITIONS = "The position embedding is of one input size; here a network is made for a size, and nothing is resized."


@network(
    ModelCard(
        name="vitpose_s",
        method="ViTPose",
        backbone="ViT-S",
        label="ViTPose-S",
        paper=PAPER,
        source="ViT-S with two deconvolutions, as retrained and released in MMPose 1.x; the authors' own checkpoints "
        "load too.",
        quirks=(PATCHES, POSITIONS),
        udp=True,
    )
)
def vitpose_s(num_joints: int, input_size: Size) -> PoseNet:
    head = DeconvHead(WIDTH, num_joints, layers=2)
    init_head(head)
    return PoseNet(VisionTransformer(input_size), head, fixed_size=input_size, published_head="head")


@network(
    ModelCard(
        name="vitpose_s_simple",
        method="ViTPose",
        backbone="ViT-S",
        label="ViTPose-S simple",
        paper=PAPER,
        source="ViT-S with one upsampling and one convolution, as retrained and released in MMPose 1.x; the authors' "
        "own checkpoints load too.",
        quirks=(PATCHES, POSITIONS, "The head's ReLU comes before the upsampling."),
        udp=True,
    )
)
def vitpose_s_simple(num_joints: int, input_size: Size) -> PoseNet:
    head = SimpleHead(WIDTH, num_joints)
    return PoseNet(VisionTransformer(input_size), head, fixed_size=input_size, published_head="head")
