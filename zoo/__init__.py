"""The networks of the paper, exactly as published, and any timm backbone under the same heads."""

from zoo.errors import ZooError
from zoo.registry import ModelCard, create_model, list_models, model_card
from zoo.weights import load_weights, save_weights

__all__ = ["ModelCard", "ZooError", "create_model", "list_models", "load_weights", "model_card", "save_weights"]
