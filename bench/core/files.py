"""Files that appear whole or not at all, and the folder of those that can be made again."""

import contextlib
import functools
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.core.errors import InputError

_SIDE = ".lightpose-"  # begins the name of what is being written
_LONGEST_NAME, _LONGEST_SUFFIX = 255, 40  # bytes; what common file systems allow, and what more is no suffix
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


def can_be_made(folder: Path) -> bool:
    """Whether a folder can be written, or made in the nearest one above it that is there; nothing is made."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    return folder.is_dir() and os.access(folder, os.W_OK | os.X_OK)


@contextlib.contextmanager
def whole_file(path: Path) -> Iterator[Path]:
    """A temporary path to write to; it replaces ``path`` if all goes well, and is removed if not.

    An existing file stays until then. Parent folders are created. What a process that was killed left half-written is
    removed by the next one that writes into the folder.

    Raises:
        OSError: it cannot be written; with the file's name.
    """
    side = side_path(path)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        _remove_abandoned(path.parent)
        side.touch()
        with _in_use(side):
            yield side
            with side.open("rb") as file:
                os.fsync(file.fileno())
            side.replace(path)
        _sync_folder(path.parent)
    except OSError as error:
        error.filename = str(path)
        raise
    finally:
        side.unlink(missing_ok=True)


@contextlib.contextmanager
def side_folder(parent: Path) -> Iterator[Path]:
    """A folder in ``parent`` to write files in that are then moved out of it; it goes with whatever is left in it.

    That of a process that was killed is removed by the next one.

    Raises:
        OSError: it cannot be made.
    """
    parent.mkdir(parents=True, exist_ok=True)
    _remove_abandoned(parent)
    with (
        tempfile.TemporaryDirectory(prefix=_SIDE, dir=parent, ignore_cleanup_errors=True) as name,
        _in_use(Path(name)),
    ):
        Path(name).mkdir(exist_ok=True)  # another process may have found it before it was in use
        yield Path(name)


def side_path(path: Path) -> Path:
    """Where this process writes a file before it gets its name."""
    return fitting(path.with_name(f"{_SIDE}{os.getpid()}-{path.name}"))


def fitting(path: Path) -> Path:
    """A path whose name its folder can hold: as it is, or cut, with the suffix and a part that tells it from others."""
    room = longest_name(path.parent)
    if len(os.fsencode(path.name)) <= room:
        return path
    suffix = path.suffix if len(os.fsencode(path.suffix)) <= _LONGEST_SUFFIX else ""
    end = f"~{hashlib.sha256(os.fsencode(path.name)).hexdigest()[:12]}{suffix}"
    room -= len(os.fsencode(end))
    begin = path.name[:room]  # no letter has less than a byte
    while len(os.fsencode(begin)) > room:
        begin = begin[:-1]
    return path.with_name(begin + end)


def longest_name(folder: Path) -> int:
    """How many bytes a name may have in a folder, or in the nearest one above it that is there."""
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    try:
        told = os.pathconf(folder, "PC_NAME_MAX")
    except (AttributeError, OSError, ValueError):  # Windows, or a file system that does not tell
        return _LONGEST_NAME
    return min(told, _LONGEST_NAME) if told > 0 else _LONGEST_NAME


def is_side_path(path: Path) -> bool:
    """Whether it is something half-written."""
    return path.name.startswith(_SIDE)


@contextlib.contextmanager
def _in_use(path: Path) -> Iterator[None]:
    """A lock on a file or folder that the system takes away when this process ends, where it has such locks."""
    descriptor = _locked(path)
    try:
        yield
    finally:
        if descriptor is not None:
            os.close(descriptor)


def _locked(path: Path) -> int | None:
    """The file or folder, open and locked; none if it is in use, gone, or no locks are to be had."""
    try:
        import fcntl

        descriptor = os.open(path, os.O_RDONLY)
    except (ImportError, OSError):
        return None
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


@functools.cache
def _remove_abandoned(folder: Path) -> None:
    """What processes that were killed were writing in a folder; looked for once a process."""
    for left in folder.glob(f"{_SIDE}*"):
        descriptor = _locked(left)
        if descriptor is None:
            continue
        try:
            if os.fstat(descriptor).st_uid == os.getuid():
                shutil.rmtree(left, ignore_errors=True) if left.is_dir() else left.unlink(missing_ok=True)
        except OSError:
            pass  # another process was faster
        finally:
            os.close(descriptor)


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
