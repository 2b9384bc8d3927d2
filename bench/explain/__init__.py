"""Why a network is as slow as it is: what its operators must take, what they take, and where the rest goes."""

from bench.explain.measuring import explain

__all__ = ["explain"]
