"""Files made from networks: made once, and found again by a key of everything that they depend on."""

import shutil
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from bench.core.errors import InputError, first_line
from bench.core.files import cache_folder, cache_path

_SIDE = ".new-"  # begins the name of a folder that a file is written in
_LEFT_S = 86_400.0  # a folder that old was left by a process that was killed


def cached(kind: str, key: str, ending: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """The file of a kind and key in the user's cache folder, made by ``make(path)`` if it does not exist yet.

    It is written to the side and moved into place, so no half-written file ever has the name.

    Returns:
        Its path, and whether it existed.

    Raises:
        CacheError: the folder cannot be written.
        InputError: ``make`` failed.
    """
    path = cache_path(kind) / f"{key}{ending}"
    if path.is_file():
        return path, True
    folder = cache_folder(kind)
    for left in folder.glob(f"{_SIDE}*"):
        if time.time() - left.stat().st_mtime > _LEFT_S:
            shutil.rmtree(left, ignore_errors=True)
    with tempfile.TemporaryDirectory(prefix=_SIDE, dir=folder) as name:
        temporary = Path(name) / path.name
        try:
            make(temporary)
        except (OSError, InputError):
            raise
        except Exception as error:
            raise InputError(f"cannot be turned into {kind}: {type(error).__name__}: {first_line(error)}") from error
        # Files beside it are moved first: once the file exists, everything does.
        for made in sorted(Path(name).iterdir(), key=lambda made: made == temporary):
            made.replace(folder / made.name)
    return path, False
