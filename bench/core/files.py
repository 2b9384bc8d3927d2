"""Files that appear whole or not at all, and the folder of those that can be made again."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.core.errors import InputError

PROJECT = "lightpose-bench"  # the name of this distribution, and of its cache folder


class CacheError(InputError):
    """The cache folder cannot be written."""


def cache_path(kind: str) -> Path:
    """The folder of files of one kind that can be made again; it may not be there yet."""
    from platformdirs import user_cache_path

    return user_cache_path(PROJECT) / kind


def cache_folder(kind: str) -> Path:
    """``cache_path``, made if it is not there.

    Raises:
        CacheError: it cannot be made or written; the message says what would help.
    """
    folder = cache_path(kind)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise CacheError(
            f"the cache folder {folder} cannot be written ({error.strerror}): "
            "set the variable XDG_CACHE_HOME to a folder that can"
        ) from error
    return folder


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it replaces ``path`` if all goes well, and is removed if not.

    An existing file stays until then. Parent folders are created.

    Raises:
        OSError: it cannot be written; with the file's name.
    """
    partial = path.with_name(f".{path.name}.{os.getpid()}.partial")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        yield partial
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        partial.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        partial.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes | memoryview) -> None:
    """Write a file in one step; it is on the disk when this returns.

    Raises:
        OSError: as ``whole_file``.
    """
    with whole_file(path) as partial:
        partial.write_bytes(content)


def _sync_folder(folder: Path) -> None:
    """Sync the file's name too, if the system can."""
    with contextlib.suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
