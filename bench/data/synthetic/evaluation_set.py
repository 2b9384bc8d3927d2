"""The set of drawn people to evaluate on, unless another is asked for."""

IMAGES = 200
SEED = 2_000_003  # no training's, nor that of its validation
