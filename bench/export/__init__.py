"""Networks as files that run without this project, checked against eager PyTorch."""

from typing import TYPE_CHECKING

from bench.core.lazy import attach

if TYPE_CHECKING:
    from bench.export.formats import FORMATS as FORMATS
    from bench.export.writing import export as export

__getattr__, __dir__, __all__ = attach(__name__, {"FORMATS": "bench.export.formats", "export": "bench.export.writing"})
