"""Light networks for human pose estimation, exactly as published, and any timm backbone under the same heads."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from zoo.create import create_model as create_model
    from zoo.errors import ZooError as ZooError
    from zoo.registry import ModelCard as ModelCard
    from zoo.registry import list_models as list_models
    from zoo.registry import model_card as model_card
    from zoo.weights.loading import load_weights as load_weights
    from zoo.weights.loading import save_weights as save_weights

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "ModelCard": "zoo.registry",
        "ZooError": "zoo.errors",
        "create_model": "zoo.create",
        "list_models": "zoo.registry",
        "load_weights": "zoo.weights.loading",
        "model_card": "zoo.registry",
        "save_weights": "zoo.weights.loading",
    },
)
