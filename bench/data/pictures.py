"""Reading picture files, so that what cannot be read is said and never silently grey."""

import io
import re
import signal
import stat
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import cv2
import numpy as np
from PIL import Image, UnidentifiedImageError

from bench.core.errors import InputError, last_line
from bench.core.processes import start_worker
from bench.data.dataset import ImageError, Picture
from bench.data.json_files import Items, shown

if TYPE_CHECKING:
    from torch.utils.data import DataLoader

Batch = TypeVar("Batch")
MAX_BYTES = 1_000_000_000
MAX_PIXELS = 100_000_000  # 300 MB once decoded; the largest picture of COCO or MPII has about 2 million

# A JPEG marker: not the stuffed zeros and restart markers inside compressed data, nor fill bytes.
_MARKER = re.compile(rb"\xff[^\x00\xd0-\xd7\xff]")
_END_OF_IMAGE = 0xD9
_LONGEST_NAME = 1024  # characters; systems allow 255 bytes for each part of a path
_ORIENTATION, _ON_THE_SIDE = 0x0112, (5, 6, 7, 8)  # EXIF


def read(path: Path, size: tuple[int, int] | None = None) -> Picture:
    """A picture file as RGB, whatever it is stored as.

    Greyscale, palette and CMYK become RGB, 16 bits become 8, transparency is dropped; all as OpenCV does it, which is
    what the published figures were made with. The picture is turned upright as its EXIF data ask.

    Args:
        path: a JPEG, PNG or other file that OpenCV reads.
        size: width, height that the annotations give. Where only the picture as stored has it, and not the upright
            one, the annotations were made on the picture as stored, and that is returned.

    Returns:
        ``[H, W, 3]`` uint8.

    Raises:
        ImageError: the file is missing, empty, cut short, no picture, above 100 megapixels, or not of this size.
    """
    data = _bytes(path)
    _check(path, data)
    picture = _decode(path, data, cv2.IMREAD_COLOR)
    if size is None or picture.shape[1::-1] == size:
        return picture
    if picture.shape[:2] == size:
        stored = _decode(path, data, cv2.IMREAD_COLOR | cv2.IMREAD_IGNORE_ORIENTATION)
        if stored.shape[1::-1] == size:
            return stored
    height, width, _ = picture.shape
    raise ImageError(f"{path} is {width}x{height}, and the annotations say {size[0]}x{size[1]} (width x height)")


def relative_name(text: str) -> str:
    """A picture's name in an annotation file, as a path inside a folder, with slashes.

    Raises:
        InputError: it is absolute, leads out of the folder, or no file can have it; the message lacks the file.
    """
    name = text.replace("\\", "/")
    if len(name) > _LONGEST_NAME or any(letter < " " or "\ud800" <= letter <= "\udfff" for letter in name):
        raise InputError(f"{shown(text)} is no name that a file can have")
    if name.startswith("/") or re.match(r"[A-Za-z]:", name):
        raise InputError(f"{shown(text)} is absolute: names relative to the folder of the pictures are needed")
    if ".." in name.split("/"):
        raise InputError(f"{shown(text)} leads out of the folder of the pictures")
    return name


def relative_names(items: Items, key: str) -> list[str]:
    """``relative_name`` of a field of each item; raises an ``InputError`` that names the first bad one."""
    names = []
    for index, text in enumerate(items.texts(key)):
        try:
            names.append(relative_name(text))
        except InputError as error:
            items.fail(index, f"{key} {error}")
    return names


def place(folder: Path, name: str) -> Path:
    """Where a picture lies: in a folder, or in the one above it if its name begins with the folder's.

    Raises:
        OSError: the name is too long.
        RuntimeError: links lead in a circle.
    """
    path = folder / name
    first, _, rest = name.partition("/")
    return folder / rest if rest and first == folder.resolve().name and not path.exists() else path


def places(folder: Path, names: Mapping[str, str]) -> Iterator[tuple[str, Path]]:
    """Names in a file with the ``place`` of what each is called in the folder, also where nothing can be there."""
    for name, called in names.items():
        try:
            yield name, place(folder, called)
        except (OSError, RuntimeError):
            yield name, folder / called


def locate(folder: Path, name: str) -> Path:
    """``place``, if no link leads out of the folder.

    Raises:
        ImageError: one does, or nothing can be there.
    """
    path = folder / name
    try:
        path = place(folder, name)
        if not path.resolve().is_relative_to(folder.resolve()):
            raise ImageError(f"{path} leads out of {folder}: put the picture itself there")
    except (OSError, RuntimeError) as error:  # a name too long, or links in a circle
        raise ImageError(f"{path} cannot be followed: {error}") from error
    return path


def read_size(path: Path) -> tuple[int, int]:
    """Width and height of a picture, turned upright as ``read`` does.

    Raises:
        ImageError: as ``read``, but pixels are not looked at.
    """
    try:
        with Image.open(io.BytesIO(_bytes(path))) as header:
            turned = header.getexif().get(_ORIENTATION, 1) in _ON_THE_SIDE
            return (header.height, header.width) if turned else (header.width, header.height)
    except ImageError:
        raise
    except Exception as error:  # Pillow lets through whatever its decoders stumble over
        raise ImageError(f"{path} is no picture that can be read: give a JPEG or PNG file") from error


def _bytes(path: Path) -> bytes:
    try:
        status = path.stat()
        if not stat.S_ISREG(status.st_mode):
            raise ImageError(f"{path} is no regular file")
        if status.st_size > MAX_BYTES:
            raise ImageError(f"{path} has {status.st_size:,} bytes: a picture of up to {MAX_BYTES:,} is needed")
        data = path.read_bytes()
    except FileNotFoundError:
        raise ImageError(f"no picture {path}") from None
    except (OSError, ValueError) as error:
        raise ImageError(f"{path}: {getattr(error, 'strerror', None) or error}") from error
    if not data:
        raise ImageError(f"{path} is empty")
    return data


def _check(path: Path, data: bytes) -> None:
    """Size and completeness, before memory is spent on the pixels.

    Some versions of OpenCV fill up with grey what is missing of a file. A JPEG is complete if it has its end marker;
    this takes a fiftieth of the time of decoding. What has none, and other formats, Pillow decodes strictly.
    """
    try:
        with Image.open(io.BytesIO(data)) as header:
            if header.width * header.height > MAX_PIXELS:
                raise Image.DecompressionBombError
            if not (header.format in ("JPEG", "MPO") and _reaches_end(data)):
                header.load()
    except UnidentifiedImageError as error:
        raise ImageError(f"{path} is no picture that can be read: give a JPEG or PNG file") from error
    except Image.DecompressionBombError as error:
        raise ImageError(f"{path} has more than {MAX_PIXELS // 1_000_000} megapixels: make it smaller") from error
    except Exception as error:  # Pillow lets through whatever its decoders stumble over
        raise ImageError(f"{path} is cut short or damaged ({error})") from error


def _reaches_end(jpeg: bytes) -> bool:
    """Whether a JPEG has its end marker. Segments are stepped over: a thumbnail in one has such a marker as well."""
    position = 2
    while found := _MARKER.search(jpeg, position):
        if jpeg[found.start() + 1] == _END_OF_IMAGE:
            return True
        length = jpeg[found.end() : found.end() + 2]
        position = found.end() + int.from_bytes(length, "big")
    return False


def _decode(path: Path, data: bytes, flags: int) -> Picture:
    try:
        picture = cv2.imdecode(np.frombuffer(data, np.uint8), flags)
    except cv2.error as error:
        raise ImageError(f"{path} cannot be decoded: {error.err}") from error
    if picture is None:
        raise ImageError(f"{path} cannot be decoded: give a JPEG or PNG file")
    return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2RGB), np.uint8)


def start_reader(_: int = 0) -> None:
    """What a process that reads pictures ahead does first."""
    start_worker()
    cv2.setNumThreads(0)  # there is one such process a core already


def start_reading(loader: "DataLoader[Any]") -> Iterator[Any]:
    """The batches of a ``DataLoader``, whose processes start now; for ``next_batch``."""
    batches = iter(loader)
    if loader.num_workers and hasattr(signal, "SIGCHLD") and threading.current_thread() is threading.main_thread():
        # PyTorch would raise at any line when such a process dies, in the middle of a file too; ``next_batch`` sees it.
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
    return batches


def next_batch(batches: Iterator[Batch], what: str) -> Batch:
    """The next batch, which worker processes made ahead.

    Args:
        batches: from ``start_reading``.
        what: it is a batch of, for messages.

    Raises:
        InputError: a picture cannot be used, or a worker process died.
    """
    try:
        return next(batches)
    except InputError as error:
        # From a worker it comes with the traceback in its text; the last line is what was said.
        last = last_line(str(error))
        raise InputError(last.partition("Error: ")[2] or last) from error
    except (RuntimeError, ConnectionError, EOFError, FileNotFoundError) as error:
        if isinstance(error, RuntimeError) and "DataLoader worker" not in str(error):
            raise
        raise InputError(
            f"a worker process that makes {what} died: was memory short? Fewer --workers need less"
        ) from error
