"""What libraries are told before they are imported: where to write, and to report nothing."""

from __future__ import annotations  # this file is read by Python 3.9 too

import os


def forbid_telemetry() -> None:
    """ONNX Runtime reports usage to its makers by default; this variable is read while it is imported."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")


def set_folders() -> None:
    """Where libraries keep files of their own: torch.compile, with whatever traces a network, and Matplotlib.

    In the project's cache folder, unless the user has named another; where that cannot be written, with the temporary
    files, as nothing depends on what is kept.
    """
    import tempfile

    from bench.core.files import cache_path, can_be_made

    for variable, kind in (("TORCHINDUCTOR_CACHE_DIR", "inductor"), ("MPLCONFIGDIR", "matplotlib")):
        kept = cache_path(kind)
        folder = kept if can_be_made(kept) else os.path.join(tempfile.gettempdir(), kind)  # noqa: PTH118
        os.environ.setdefault(variable, str(folder))
