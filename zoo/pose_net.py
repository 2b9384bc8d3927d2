"""What every network of the zoo is: a backbone and a head."""

from dataclasses import dataclass, field

from torch import Tensor, nn

from zoo.errors import ZooError
from zoo.registry import ModelCard, Size


@dataclass(frozen=True)
class Spec:
    """What ``create_model`` was asked for."""

    name: str
    num_joints: int
    input_size: Size
    options: dict[str, str] = field(default_factory=dict)
    card: ModelCard | None = None  # of a network of the zoo


class PoseNet(nn.Module):
    """A backbone and a head: images ``[N, 3, H, W]`` to what the head makes of them.

    That is heatmaps ``[N, J, H/4, W/4]`` unless the head says otherwise in ``output_kind``. H and
    W are multiples of 32, and those of ``fixed_size`` where the parameters depend on the size;
    other sizes raise ``ZooError``.

    Args:
        fixed_size: the only height and width that the network takes.
        published_head: what the published checkpoints call the head: ``keypoint_head`` in MMPose
            0.x, ``head`` in 1.x.
    """

    spec: Spec | None = None  # of a network that create_model made
    udp = False  # whether it sees UDP crops, and bins a pixel; create_model sets both from the card
    split_ratio = 2.0

    def __init__(
        self,
        backbone: nn.Module,
        head: nn.Module,
        *,
        fixed_size: Size | None = None,
        published_head: str = "keypoint_head",
    ) -> None:
        super().__init__()
        self.backbone = backbone
        self.head = head
        self.fixed_size = fixed_size
        self.published_head = published_head
        self.output_kind: str = getattr(head, "output_kind", "heatmap")

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        height, width = x.shape[-2], x.shape[-1]
        if height % 32 or width % 32:
            raise ZooError(input_size_error(height, width))
        if self.fixed_size is not None and (height, width) != self.fixed_size:
            made = "x".join(map(str, self.fixed_size))
            raise ZooError(
                f"input size {height}x{width} does not fit a network that was made for {made}: "
                f"create it with input_size=({height}, {width}), and load weights of that size"
            )
        return self.head(self.backbone(x))


def input_size_error(height: int, width: int) -> str:
    """The message for a size that no network of the zoo takes."""

    def nearest(size: int) -> int:
        return max(32, round(size / 32) * 32)

    return (
        f"input size {height}x{width} is impossible: height and width must be multiples of 32, "
        f"for example {nearest(height)}x{nearest(width)}"
    )
