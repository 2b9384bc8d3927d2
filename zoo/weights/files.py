"""Checkpoint files to plain names and tensors, without running anything that they hold.

Three formats, told apart by their first bytes: safetensors, PyTorch's zip archive, and the bare
pickles that PyTorch wrote before version 1.6 (the MMPose checkpoints of 2020).
"""

import json
import struct
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import IO

import numpy as np
import torch
from torch import Tensor

from bench.core.errors import first_line
from zoo.errors import ZooError
from zoo.weights import pickles

# What a file of bare pickles begins with (torch.serialization writes both), and their order:
# magic number, version, facts about the writer, the object, keys of the stored tensors; then their bytes.
_MAGIC = 0x1950A86A20F9469CFC6C
_VERSION = 1001


class _CutShortError(Exception):
    """The file ends before what it announces."""


def read(path: Path) -> tuple[Mapping[str, object], dict[str, str]]:
    """What a checkpoint file holds, and the text metadata of a safetensors file.

    Raises:
        ZooError: no such file, no checkpoint, cut short, damaged, or refused because it names
            something that Python would have to run; one line that names the file.
    """
    if not path.is_file():
        what = "is a folder" if path.is_dir() else "is no regular file" if path.exists() else "does not exist"
        raise ZooError(f"the weights file {path} {what}: give an existing file")
    try:
        return _read(path)
    except ZooError:
        raise
    except pickles.RefusedError as error:
        raise ZooError(
            f"{path} is refused: it asks for {error}, which is neither a tensor nor plain metadata; "
            "nothing in it was run. Save the state dict alone, best with zoo.save_weights"
        ) from error
    except (_CutShortError, EOFError) as error:
        raise ZooError(f"{path} is cut short: get the file again, whole") from error
    except OSError as error:
        raise ZooError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # What a failed look-up says is the key alone.
        says = str(error).strip() and not isinstance(error, LookupError)
        reason = first_line(error) if says else "its structure is broken"
        raise ZooError(f"{path} is damaged ({reason}): get the file again") from error


def _read(path: Path) -> tuple[Mapping[str, object], dict[str, str]]:
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(9)
    if not start:
        raise ZooError(f"{path} is empty: get the file again, whole")
    # Asked first: a header's length, which comes first here, may begin like either of the others.
    if start[4:] == bytes(4) + b"{":
        return _read_safetensors(path, size)
    if start.startswith(b"PK\x03\x04"):
        return _state_dict(path, _read_zip(path)), {}
    if start.startswith(b"\x80"):
        return _state_dict(path, _read_pickles(path)), {}
    raise ZooError(f"{path} is no weights file, {_what_begins(path)}")


def _what_begins(path: Path) -> str:
    """What a file is that holds no weights, as far as its beginning tells, and what would help."""
    with path.open("rb") as file:
        start = file.read(1000)
    text = start.lstrip().lower()
    if start.startswith(b"version https://git-lfs"):
        return "it is Git LFS's pointer to one: run git lfs pull where it came from"
    if text.startswith((b"<!doctype", b"<html", b"<?xml")):
        return "it is a web page, as servers send for files that they do not give: get the file again"
    if (text.startswith(b"{") and b'"weight_map"' in start) or path.name.endswith(".index.json"):
        return "it is the list of the parts of one: load them together, and give a file that zoo.save_weights wrote"
    return f"it begins with {start[:9]!r}: give a .safetensors file or what torch.save wrote"


def _state_dict(path: Path, content: object) -> Mapping[str, object]:
    if not isinstance(content, Mapping):
        what = content.name if isinstance(content, pickles.Inert) else type(content).__name__
        raise ZooError(f"{path} holds {what}, not a state dict: save model.state_dict()")
    return content


def _read_safetensors(path: Path, size: int) -> tuple[Mapping[str, object], dict[str, str]]:
    from safetensors import safe_open

    with path.open("rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        if 8 + length > size:
            raise _CutShortError
        header = json.loads(file.read(length))
    end = max((entry["data_offsets"][1] for key, entry in header.items() if key != "__metadata__"), default=0)
    if 8 + length + end > size:
        raise _CutShortError
    with safe_open(path, framework="pt") as opened:
        tensors: dict[str, object] = {key: opened.get_tensor(key) for key in opened.keys()}  # noqa: SIM118
        return tensors, dict(opened.metadata() or {})


def _read_zip(path: Path) -> object:
    try:
        archive = zipfile.ZipFile(path)
    except zipfile.BadZipFile as error:
        # The table of contents comes last.
        raise _CutShortError from error
    with archive:
        names = archive.namelist()
        pickle_name = next((name for name in names if name.count("/") == 1 and name.endswith("/data.pkl")), None)
        if pickle_name is None:
            raise ZooError(f"{path} is a zip archive without weights: give what torch.save wrote")
        folder = pickle_name.removesuffix("data.pkl")
        if f"{folder}constants.pkl" in names:
            raise ZooError(f"{path} is a TorchScript program, not weights: save its state_dict()")
        # PyTorch's own reader does not look at checksums; it stores everything uncompressed, and
        # leaves a checksum at 0 where told to save without.
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            if member.CRC:
                with archive.open(member) as opened:
                    while opened.read(1 << 20):
                        pass
        try:
            return torch.load(path, map_location="cpu", weights_only=True)
        except Exception:
            return _read_zip_inert(path, archive, folder)


def _read_zip_inert(path: Path, archive: zipfile.ZipFile, folder: str) -> object:
    if f"{folder}byteorder" in archive.namelist() and archive.read(f"{folder}byteorder") != b"little":
        raise ValueError("its numbers are big-endian")
    stored = _Stored(path.stat().st_size)

    def storage(dtype: torch.dtype, key: str, number: int) -> Tensor:
        if key not in stored.tensors:
            with archive.open(f"{folder}data/{key}") as file:
                stored.make(dtype, key, number)
                stored.fill(key, file)
        return stored.get(dtype, key, number)

    with archive.open(f"{folder}data.pkl") as file:
        return pickles.load(file, storage)


def _read_pickles(path: Path) -> object:
    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except Exception:
        return _read_pickles_inert(path)


def _read_pickles_inert(path: Path) -> object:
    stored = _Stored(path.stat().st_size)

    def storage(dtype: torch.dtype, key: str, number: int) -> Tensor:
        if key not in stored.tensors:
            stored.make(dtype, key, number)
        return stored.get(dtype, key, number)

    def next_pickle() -> object:
        try:
            return pickles.load(file, storage)
        except ValueError as error:
            if not file.read(1):
                raise _CutShortError from error
            raise

    with path.open("rb") as file:
        first = next_pickle()
        if first != _MAGIC:
            raise ZooError(f"{path} is a pickle that torch.save did not write: save a state dict with torch.save")
        if next_pickle() != _VERSION:
            raise ValueError("it is of an unknown version")
        facts = next_pickle()
        if isinstance(facts, dict) and facts.get("little_endian") is False:
            raise ValueError("its numbers are big-endian")
        content, keys = next_pickle(), next_pickle()
        if not isinstance(keys, list):
            raise ValueError("the list of stored tensors is missing")
        for key in keys:
            # Each is preceded by its number of elements, which the pickle gave already.
            file.read(8)
            stored.fill(key, file)
    return content


class _Stored:
    """The elements of stored tensors by key; in all no more of them than the file can hold."""

    def __init__(self, limit: int) -> None:
        self.limit = limit
        self.tensors: dict[str, Tensor] = {}

    def make(self, dtype: torch.dtype, key: str, number: int) -> None:
        """Room for a tensor's elements."""
        if number < 0:
            raise ValueError(f"stored tensor {key} has a negative size")
        if number * dtype.itemsize > self.limit:
            raise _CutShortError
        self.limit -= number * dtype.itemsize
        self.tensors[key] = torch.zeros(number, dtype=dtype)

    def fill(self, key: str, file: IO[bytes]) -> None:
        """Read the elements from where ``file`` stands."""
        target = self.tensors[key].view(torch.uint8).numpy()
        data = file.read(target.nbytes)
        if len(data) < target.nbytes:
            raise _CutShortError
        target[:] = np.frombuffer(data, np.uint8)

    def get(self, dtype: torch.dtype, key: str, number: int) -> Tensor:
        """All elements of a stored tensor, ``[number]``."""
        tensor = self.tensors[key]
        if tensor.dtype != dtype or len(tensor) != number:
            raise ValueError(f"stored tensor {key} is described in two ways")
        return tensor
