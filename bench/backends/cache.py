"""Files made from networks: made once, and found again by a key of everything that they depend on."""

import tempfile
from collections.abc import Callable
from pathlib import Path

from platformdirs import user_cache_path

from bench.core.errors import InputError


def folder() -> Path:
    """The project's folder for what can be made again."""
    return user_cache_path("lightpose-bench")


def cached(kind: str, key: str, ending: str, make: Callable[[Path], None]) -> tuple[Path, bool]:
    """The file of a kind and key in the user's cache folder, made by ``make(path)`` if it does not exist yet.

    It is written to the side and moved into place, so no half-written file ever has the name.

    Returns:
        Its path, and whether it existed.

    Raises:
        InputError: ``make`` failed; OSError: the folder cannot be written.
    """
    path = folder() / kind / f"{key}{ending}"
    if path.is_file():
        return path, True
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        place = tempfile.TemporaryDirectory(prefix=".new-", dir=path.parent)
    except OSError as error:
        error.filename = f"{path.parent} (the cache folder; the environment variable XDG_CACHE_HOME names another)"
        raise
    with place as name:
        temporary = Path(name) / path.name
        make_in_place(kind, temporary, make)
        # Files beside it are moved first: once the file exists, everything does.
        for made in sorted(Path(name).iterdir(), key=lambda made: made == temporary):
            made.replace(path.parent / made.name)
    return path, False


def make_in_place(kind: str, path: Path, make: Callable[[Path], None]) -> None:
    """Call ``make(path)``; anything that a converter raises becomes an ``InputError``."""
    try:
        make(path)
    except (OSError, InputError):
        raise
    except Exception as error:
        reason = next(iter(str(error).strip().splitlines()), "no message")
        raise InputError(f"cannot be turned into {kind}: {type(error).__name__}: {reason}") from error
