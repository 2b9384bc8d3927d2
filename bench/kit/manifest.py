"""What is in a kit: its networks, and the SHA-256 of every file."""

from __future__ import annotations  # this file is read by Python 3.9 too

import hashlib
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from bench.backends.artifact import Artifact, sha256
from bench.core.errors import InputError

NAME = "manifest.json"
KITS = "kits"  # the folder of manifests beside records, each by the start of its SHA-256
SCHEMA = 1
LARGEST_BYTES = 64 * 2**20  # of a manifest: more is no manifest


@dataclass(frozen=True)
class KitNetwork:
    """A network for a backend."""

    id: str
    measurement: dict[str, Any]  # as records have it; of the protocol only what is measured on
    runtime: str  # name and version of what the artifact was made and tried with
    runs_on: str  # what a device must have installed
    artifact: dict[str, Any]  # backend, precision, metadata, note, size_bytes
    files: list[str]  # of the artifact, within the kit; the one to open first
    input: str
    expected: str  # the reference's outputs for that input
    notes: dict[str, Any]
    reference: str = "eager"  # a model file's is its own backend
    rounding: float = 0.0  # of the reference (``bench.timing.parity.rounding``)

    @property
    def who(self) -> str:
        """As progress and errors call it."""
        return f"{self.measurement['model']}, {self.measurement['backend']}"

    def needs(self) -> list[str]:
        """Its files."""
        return [*self.files, self.input, self.expected]

    def artifact_in(self, kit: Path) -> Artifact:
        return Artifact(**{**self.artifact, "files": tuple(kit / name for name in self.files)})


@dataclass(frozen=True)
class Manifest:
    """The whole of ``manifest.json``."""

    networks: list[KitNetwork]
    files: dict[str, str]  # path within the kit to SHA-256
    protocols: dict[str, dict[str, float]]
    software: dict[str, Any]  # as records have it: of the machine that made the kit
    made_at: str
    command: str
    schema: int = SCHEMA

    def to_json(self) -> str:
        return json.dumps(asdict(self), indent=1, sort_keys=True) + "\n"

    @classmethod
    def read(cls, path: Path) -> Manifest:
        """The manifest in a file.

        Raises:
            InputError: there is none, or it is damaged, or of another version.
        """
        try:
            if path.stat().st_size > LARGEST_BYTES:
                raise InputError(f"{path} is too large for a manifest: it is none of a kit")
            text = path.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError) as error:
            raise InputError(f"{path} cannot be read ({error}): copy the whole kit") from error
        return cls.parse(text, str(path))

    @classmethod
    def parse(cls, text: str, where: str) -> Manifest:
        """Raises ``InputError`` as ``read`` does."""
        try:
            told = json.loads(text)
            schema = told["schema"]
            if schema != SCHEMA:
                age = "newer" if isinstance(schema, int) and schema > SCHEMA else "older"
                raise InputError(
                    f"{where} is of another version of the project, a{'n' if age == 'older' else ''} {age} one (schema "
                    f"{str(schema)[:20]}, this is {SCHEMA}): make the kit anew with the version that is to read it"
                )
            networks = [KitNetwork(**one) for one in told["networks"]]
            found = cls(**{**told, "networks": networks})
            for network in networks:
                if not (network.rounding >= 0 and isinstance(network.reference, str)):
                    raise ValueError("rounding is a share of the largest output, and the reference a name")
                for name in network.needs():
                    found.files[name]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            if isinstance(error, InputError):
                raise
            raise InputError(f"{where} is no manifest of a kit, or is damaged: copy the kit anew") from error
        for name in found.files:
            if not inside(name):
                raise InputError(f"{where} names {name!r}, which is outside of the kit")
        return found

    def wrong(self, kit: Path, names: Sequence[str]) -> str | None:
        """What is wrong with the first of some files that is missing or changed; nothing if none is."""
        for name in names:
            path = kit / name
            if not path.is_file():
                return f"{name} is missing: copy the kit anew"
            if sha256(path) != self.files[name]:
                return f"{name} is not as it was made (its SHA-256 differs from the manifest's): copy the kit anew"
        return None


def keep(text: str, records: Path) -> None:
    """Put a manifest beside the records of its kit, if it is not there; whole or not at all."""
    path = records / KITS / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}.json"
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_suffix(".new")
        new.write_bytes(text.encode())
        new.replace(path)


def inside(name: str) -> bool:
    """Whether a path stays within the folder that it starts from, on any system."""
    path = PurePosixPath(name)
    return bool(path.parts) and not path.is_absolute() and ".." not in path.parts and not set(name) & set("\\:\0")
