"""Weights: checkpoint files, the published names, and the catalogue of published weights.

``python -m zoo.weights`` lists and fetches what was published.
"""

from zoo.weights.catalogue import Entry, fetch, fetch_default, find, published
from zoo.weights.loading import load_weights, save_weights
from zoo.weights.names import published_name

__all__ = ["Entry", "fetch", "fetch_default", "find", "load_weights", "published", "published_name", "save_weights"]
