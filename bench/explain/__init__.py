"""Why a network is as slow as it is: what its operators must take, what they take, and where the rest goes."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.explain.in_process import explain as explain

__getattr__, __dir__, __all__ = attach(__name__, {"explain": "bench.explain.in_process"})
