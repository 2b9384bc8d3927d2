"""Training: the paper's recipe and heatmap weighting loss."""

from bench.train.loss import heatmap_loss

__all__ = ["heatmap_loss"]
