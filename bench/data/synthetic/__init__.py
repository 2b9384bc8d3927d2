"""People drawn procedurally, the same from the same seed everywhere, with COCO's annotations: docs/synthetic.md."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.data.synthetic.dataset import SyntheticDataset, fingerprint
    from bench.data.synthetic.picture import GENERATOR_VERSION, Scene, draw_portrait, draw_scene

__all__ = ["GENERATOR_VERSION", "Scene", "SyntheticDataset", "draw_portrait", "draw_scene", "fingerprint"]

__getattr__, __dir__, _ = attach(
    __name__,
    {
        **dict.fromkeys(("SyntheticDataset", "fingerprint"), "bench.data.synthetic.dataset"),
        **dict.fromkeys(("GENERATOR_VERSION", "Scene", "draw_portrait", "draw_scene"), "bench.data.synthetic.picture"),
    },
)
