"""What libraries are told before they are imported: where to write, and to report nothing."""

from __future__ import annotations  # this file is read by Python 3.9 too

import os


def forbid_telemetry() -> None:
    """ONNX Runtime reports usage to its makers by default; this variable is read while it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def set_inductor_folder() -> str:
    """Where torch.compile keeps its files: in the project's cache folder, unless the user has named another."""
    from bench.core.files import cache_path

    return os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(cache_path("inductor")))
