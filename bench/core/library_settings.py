"""What libraries are told before they are imported: where to write, and to report nothing."""

from __future__ import annotations  # this file is read by Python 3.9 too

import os


def forbid_telemetry() -> None:
    """ONNX Runtime reports usage to its makers by default; this variable is read while it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def set_inductor_folder() -> str:
    """Where torch.compile, and whatever traces a network, keeps its files.

    In the project's cache folder, unless the user has named another; where that cannot be written, with the temporary
    files, as nothing depends on what is kept.
    """
    import tempfile

    from bench.core.files import cache_path, can_be_made

    kept = cache_path("inductor")
    folder = kept if can_be_made(kept) else os.path.join(tempfile.gettempdir(), "inductor")  # noqa: PTH118
    return os.environ.setdefault("TORCHINDUCTOR_CACHE_DIR", str(folder))
