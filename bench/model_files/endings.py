"""Which names of models are files, by their endings. Imports nothing heavy."""

from pathlib import Path

from bench.backends import catalogue

CHECKPOINTS = (".safetensors", ".pth", ".pt", ".ckpt")  # of files that hold weights alone


def endings() -> list[str]:
    """Of all files that can be models."""
    opened = {ending for backend in catalogue.catalogue().values() for ending in backend.opens}
    return sorted(opened.union(CHECKPOINTS))


def is_file(name: str) -> bool:
    """Whether a name stands for a model file: one that a backend opens, or a checkpoint."""
    return bool(catalogue.openers(Path(name).suffix.lower())) or is_checkpoint(name)


def is_checkpoint(name: str) -> bool:
    """Whether a name stands for a file that holds the weights of a network alone."""
    return Path(name).suffix.lower() in CHECKPOINTS
