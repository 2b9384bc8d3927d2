"""Training: the paper's recipe and heatmap weighting loss."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.train.loss import heatmap_loss

__all__ = ["heatmap_loss"]

__getattr__, __dir__, _ = attach(__name__, {"heatmap_loss": "bench.train.loss"})
