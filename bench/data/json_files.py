"""JSON files that people bring, read so that what is wrong is said with the file and the item."""

import hashlib
import json
import re
import stat
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.core.errors import InputError

_LARGEST = 2**63 - 1
_DIGITS = re.compile(r"-?[0-9]{1,18}")


class _RepeatedKeyError(ValueError):
    """An object in JSON has a key twice, of which Python keeps the last value alone."""


def read_json(path: Path) -> tuple[Any, str]:
    """What a JSON file holds, with or without a byte-order mark, and the SHA-256 of its bytes.

    Raises:
        InputError: the file is missing, no regular file, or not JSON, where the message gives line and column; or an
            object in it has a key twice.
    """
    content = read_bytes(path)
    try:
        return json.loads(content, object_pairs_hook=_object), hashlib.sha256(content).hexdigest()
    except _RepeatedKeyError as error:
        raise InputError(f"{path} has {error}") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise InputError(f"{path} is not JSON: {error.msg} at {where}") from error
    except RecursionError as error:
        raise InputError(f"{path} is not JSON that can be read: it is nested too deeply") from error
    except ValueError as error:  # bytes that are no text, or a number of thousands of digits
        raise InputError(f"{path} is not JSON: {error}") from error


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of a JSON file; called for each of them, so it must be quick.

    Raises:
        _RepeatedKeyError: a key stands in it twice.
    """
    found = dict(pairs)
    if len(found) < len(pairs):
        key = next(key for key, count in Counter(key for key, _ in pairs).items() if count > 1)
        first, second = [shown(value) for name, value in pairs if name == key][:2]
        raise _RepeatedKeyError(
            f"the key {shown(key)} twice in one object, with {first} and with {second}: each key may stand there once"
        )
    return found


def read_bytes(path: Path) -> bytes:
    """What a file holds.

    Raises:
        InputError: there is no such file, or it is a folder, a device or a pipe, which may never end.
    """
    try:
        if not stat.S_ISREG(path.stat().st_mode):
            raise InputError(f"{path} is no regular file: give a file")
        return path.read_bytes()
    except InputError:
        raise
    except FileNotFoundError:
        raise InputError(f"no file {path}") from None
    except (OSError, ValueError) as error:
        raise InputError(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error


@dataclass(frozen=True)
class Fingerprints:
    """What decides a result: of annotations and pictures together, and of the annotations alone."""

    whole: str  # SHA-256 over the hashes of files and over name and size in bytes of each picture (-1 if it is missing)
    annotations: str
    absent: tuple[str, ...]  # pictures


def fingerprints(hashes: Iterable[str], pictures: Iterable[tuple[str, Path]]) -> Fingerprints:
    """Those of the files with these hashes and of pictures, by name and place."""
    digest = hashlib.sha256()
    absent = []
    for text in hashes:
        digest.update(f"{text}\n".encode())
    annotations = digest.hexdigest()
    for name, path in pictures:
        try:
            size = path.stat().st_size
        except OSError:
            size = -1
            absent.append(name)
        digest.update(f"{name}\0{size}\n".encode())
    return Fingerprints(digest.hexdigest(), annotations, tuple(absent))


class Items:
    """A list of objects of one kind from a JSON file; each method raises an InputError that names a bad one.

    Args:
        values: the list.
        where: file and kind, for messages: ``val.json, annotation``.
        key: the field that identifies an item in messages; by default its position, from 0.
        positions: of the values in the file's list, where they are some of it.
    """

    def __init__(
        self, values: Any, where: str, key: str | None = None, positions: npt.NDArray[Any] | None = None
    ) -> None:
        self.where = where
        if not isinstance(values, list):
            raise InputError(f"{where} list: must be a list of objects, and is {shown(values)}")
        self.values: list[dict[str, Any]] = values
        self._key = key
        self._positions = positions
        for index, value in enumerate(values):
            if not isinstance(value, dict):
                self.fail(index, f"is {shown(value)}, not an object")

    def __len__(self) -> int:
        return len(self.values)

    def chosen(self, indices: npt.NDArray[Any]) -> "Items":
        """Some of the items, by index or by a mask."""
        chosen = np.arange(len(self))[indices]
        positions = chosen if self._positions is None else self._positions[chosen]
        return Items([self.values[index] for index in chosen], self.where, self._key, positions)

    def with_values(self, key: str, change: Callable[[Any], Any]) -> "Items":
        """The same items with a field changed, where they have it."""
        values = [one | {key: change(one[key])} if key in one else one for one in self.values]
        return Items(values, self.where, self._key, self._positions)

    @property
    def file(self) -> str:
        """Its name, with which messages about all of the items begin."""
        return self.where.partition(",")[0]

    def name(self, index: int) -> str:
        """File, kind and item, as messages begin."""
        value = self.values[index]
        identity = value.get(self._key, None) if self._key and isinstance(value, dict) else None
        return (
            f"{self.where} {shown(identity).strip(chr(34))}"
            if identity is not None
            else f"{self.where} at position {index if self._positions is None else self._positions[index]}"
        )

    def fail(self, index: int, problem: str) -> None:
        """Refuse the file because of one item."""
        raise InputError(f"{self.name(index)}: {problem}")

    def refuse(self, bad: npt.ArrayLike, problem: Callable[[int], str]) -> None:
        """Refuse the file if an item is bad (``[len(self)]`` booleans), naming the first."""
        if np.any(bad):
            first = int(np.argmax(bad))
            self.fail(first, problem(first))

    def has(self, key: str) -> npt.NDArray[np.bool_]:
        """Which items have a field at all, ``[len(self)]``; null is as good as nothing."""
        return np.array([value.get(key) is not None for value in self.values], np.bool_)

    def numbers(self, key: str, *shape: int) -> npt.NDArray[np.float64]:
        """A field of finite numbers, ``[len(self), *shape]``."""
        return self._column(key, shape, "iuf").astype(np.float64)

    def integers(self, key: str) -> npt.NDArray[np.int64]:
        """A field of whole numbers, ``[len(self)]``; 7.0 and "7" are one."""
        return self._column(key, (), "iu").astype(np.int64)

    def truths(self, key: str) -> npt.NDArray[np.bool_]:
        """A field of whole numbers or of true and false, ``[len(self)]``: whether it is not 0."""
        return self._column(key, (), "iub").astype(np.bool_)

    def texts(self, key: str) -> list[str]:
        """A field of texts that are not empty."""
        texts = [value.get(key) for value in self.values]
        for index, text in enumerate(texts):
            if not (isinstance(text, str) and text):
                self.fail(index, f"{key} is {shown(text)}, not a text" if text is not None else f"lacks {key}")
        return [str(text) for text in texts]

    def _column(self, key: str, shape: tuple[int, ...], kinds: str) -> npt.NDArray[Any]:
        """All at once, which is fast; item by item if that fails, to find the one that is at fault."""
        values = [value.get(key) for value in self.values]
        if not values:
            return np.zeros((0, *shape))
        if not shape and "b" not in kinds and bool in set(map(type, values)):  # among numbers, NumPy takes it for one
            index = list(map(type, values)).index(bool)
            self.fail(index, f"{key} is not a number: {shown(values[index])}")
        column = _array(values, kinds)
        if column is None or _fault(column, (len(values), *shape), kinds):
            for index, value in enumerate(values):
                if value is None:
                    self.fail(index, f"lacks {key}")
                array = _array(value, kinds)
                fault = "is ragged" if array is None else _fault(array, shape, kinds)
                if fault:
                    self.fail(index, f"{key} {fault}: {shown(value)}")
            raise InputError(f"{self.where} list: {key} mixes kinds of values, and must be of one kind throughout")
        return column


def _array(value: Any, kinds: str) -> npt.NDArray[Any] | None:
    try:
        array = np.array(value)
    except (ValueError, OverflowError, RecursionError):
        return None
    if "f" not in kinds and array.dtype.kind == "U" and all(map(_DIGITS.fullmatch, array.ravel().tolist())):
        return array.astype(np.int64)
    return array


def _fault(array: npt.NDArray[Any], shape: tuple[int, ...], kinds: str) -> str | None:
    if array.shape != shape:
        return f"has {_count(array.shape)}, not {_count(shape)}"
    if array.dtype.kind not in kinds and not ("i" in kinds and _is_whole(array)):
        return "is not a whole number" if "f" not in kinds else "is not a number" if not shape else "holds no numbers"
    if array.dtype.kind == "u" and "f" not in kinds and (array > _LARGEST).any():
        return "is too large"
    if not np.isfinite(array).all():
        return "is not finite"
    return None


def _is_whole(array: npt.NDArray[Any]) -> bool:
    """Whether all are whole numbers that a float holds exactly, as libraries of tables write numbers."""
    return array.dtype.kind == "f" and bool(((np.abs(array) < 2**53) & (array == np.floor(array))).all())


def _count(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) + " values" if shape else "a single value"


def is_whole_text(value: Any) -> bool:
    """Whether it is a text that stands for a whole number."""
    return isinstance(value, str) and _DIGITS.fullmatch(value) is not None


def shown(value: Any) -> str:
    """A value as JSON, short enough for a message."""
    try:
        text = json.dumps(value)
    except (RecursionError, ValueError):  # nested deeply, or a number of thousands of digits
        return "something that cannot be shown"
    return text if len(text) <= 60 else f"{text[:57]}..."
