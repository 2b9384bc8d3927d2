"""Networks as files that run without this project, checked against eager PyTorch."""

from bench.export.formats import FORMATS
from bench.export.writing import export

__all__ = ["FORMATS", "export"]
