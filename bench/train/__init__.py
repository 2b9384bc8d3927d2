"""Training: recipes and losses, the paper's first."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.train.loss import heatmap_loss, keypoint_mse, simcc_loss

__all__ = ["heatmap_loss", "keypoint_mse", "simcc_loss"]

__getattr__, __dir__, _ = attach(__name__, dict.fromkeys(__all__, "bench.train.loss"))
