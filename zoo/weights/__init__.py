"""Weights: checkpoint files, and the catalogue of published weights.

``python -m zoo.weights`` lists and fetches what was published.
"""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from zoo.naming import published_name as published_name
    from zoo.weights.catalogue import Entry as Entry
    from zoo.weights.catalogue import fetch as fetch
    from zoo.weights.catalogue import fetch_default as fetch_default
    from zoo.weights.catalogue import find as find
    from zoo.weights.catalogue import published as published
    from zoo.weights.loading import load_weights as load_weights
    from zoo.weights.loading import save_weights as save_weights

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "Entry": "zoo.weights.catalogue",
        "fetch": "zoo.weights.catalogue",
        "fetch_default": "zoo.weights.catalogue",
        "find": "zoo.weights.catalogue",
        "load_weights": "zoo.weights.loading",
        "published": "zoo.weights.catalogue",
        "published_name": "zoo.naming",
        "save_weights": "zoo.weights.loading",
    },
)
