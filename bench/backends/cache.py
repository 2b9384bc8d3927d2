"""Files made from networks: made once, and found again by a key of everything that they depend on."""

import os
from collections.abc import Callable
from pathlib import Path

from bench.core.errors import InputError, in_short
from bench.core.files import cache_folder, cache_path, side_folder


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
    with side_folder(folder) as side:
        temporary = side / path.name
        try:
            make(temporary)
        except (OSError, InputError):
            raise
        except Exception as error:
            raise InputError(f"cannot be turned into {kind}: {in_short(error)}") from error
        # Files beside it are moved first: once the file exists, everything does.
        for made in sorted(side.iterdir(), key=lambda made: made == temporary):
            if made.is_file():
                with made.open("rb") as file:
                    os.fsync(file.fileno())  # or the name may outlive a power failure, and the content not
            made.replace(folder / made.name)
    return path, False
