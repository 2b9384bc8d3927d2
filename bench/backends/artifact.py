"""What the build half of a backend makes and the open half opens: a prepared network, as files or in memory."""

from __future__ import annotations  # this file is read by Python 3.9 too

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class OnDisk:
    """A file that somebody brought, before it is opened."""

    files: tuple[Path, ...]  # the one to open first, and what it needs beside it
    precision: str = "fp32"  # of its computation, as far as the file tells


@dataclass(frozen=True)
class Artifact:
    """A network as a backend runs it.

    ``metadata`` says what a user of the files must know, as texts (lists as JSON): ``input`` (channels, height, width),
    ``channels``, ``mean``, ``std``, ``output_kind``, ``num_joints``, ``joints``, ``flip_pairs``, ``limbs``,
    ``weights_sha256``, ``versions``. Another process can open files; a network in memory cannot leave this process.
    """

    backend: str
    precision: str  # of its computation: fp32, tf32, fp16, bf16 or int8
    files: tuple[Path, ...] = ()  # the one to open first
    network: Any = None  # a torch module, in its precision and on its device
    metadata: Mapping[str, str] = field(default_factory=dict)
    from_cache: bool = False  # whether the files came from the cache
    note: str = ""  # for readers of its timings
    size_bytes: int = 0  # to ship, without the runtime

    @property
    def file(self) -> Path:
        """The file to open."""
        return self.files[0]

    def to_json(self) -> dict[str, Any]:
        """A description for another process on this machine.

        Raises:
            ValueError: the network is in memory.
        """
        if not self.files:
            raise ValueError("a network in memory cannot be handed to another process")
        return {
            "backend": self.backend, "precision": self.precision, "files": [str(path) for path in self.files],
            "metadata": dict(self.metadata), "from_cache": self.from_cache, "note": self.note,
            "size_bytes": self.size_bytes,
        }  # fmt: skip

    @classmethod
    def from_json(cls, told: Mapping[str, Any]) -> Artifact:
        return cls(**{**told, "files": tuple(map(Path, told["files"]))})


def sha256(path: Path) -> str:
    """SHA-256 of a file's content, as hex digits."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for block in iter(lambda: file.read(1 << 20), b""):
            digest.update(block)
    return digest.hexdigest()


def digest(files: Sequence[Path]) -> str:
    """SHA-256 of a file; of the hashes of several."""
    hashes = [sha256(file) for file in files]
    return hashes[0] if len(hashes) == 1 else hashlib.sha256("\n".join(hashes).encode()).hexdigest()
