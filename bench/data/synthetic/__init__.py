"""People drawn procedurally, the same from the same seed everywhere, with COCO's annotations: docs/synthetic.md."""

from bench.data.synthetic.dataset import SyntheticDataset, fingerprint
from bench.data.synthetic.picture import GENERATOR_VERSION, Scene, draw_portrait, draw_scene

__all__ = ["GENERATOR_VERSION", "Scene", "SyntheticDataset", "draw_portrait", "draw_scene", "fingerprint"]
