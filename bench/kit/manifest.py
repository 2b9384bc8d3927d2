"""What is in a kit: its networks, and the SHA-256 of every file."""

from __future__ import annotations  # this file is read by Python 3.9 too

import hashlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import Any

from bench.backends.artifact import Artifact, sha256
from bench.core.errors import InputError
from bench.kit import bounded_json

NAME = "manifest.json"
KITS = "kits"  # the folder of manifests beside records, each by the start of its SHA-256
SCHEMA = 1
LARGEST_BYTES = 64 * 2**20  # of a manifest: more is no manifest
MOST = 10**6  # of rounds, sets and seconds


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
    protocols: dict[str, dict[str, float]]  # paper, steady and sustained, each with its numbers
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
            told = bounded_json.loads(text)
            schema = told["schema"]
            if type(schema) is int and schema != SCHEMA:
                age = "newer" if schema > SCHEMA else "older"
                raise InputError(
                    f"{where} is of another version of the project, a{'n' if age == 'older' else ''} {age} one (schema "
                    f"{schema}, this is {SCHEMA}): make the kit anew with the version that is to read it"
                )
            if not _is_manifest(told):
                raise ValueError("something in it is missing, or of another type")
            found = cls(**{**told, "networks": [KitNetwork(**one) for one in told["networks"]]})
            for network in found.networks:
                network.artifact_in(Path())
                for name in network.needs():
                    found.files[name]
        except (ValueError, KeyError, TypeError) as error:
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


# ------------------------------------------------------------------------------ what JSON must be to be a manifest


def _is_text(value: Any) -> bool:
    return isinstance(value, str)


def _is_line(value: Any) -> bool:
    """Whether it is a text that can stand in a message."""
    return isinstance(value, str) and bool(value.strip()) and value.isprintable()


def _is_bool(value: Any) -> bool:
    return isinstance(value, bool)


def _is_time(value: Any) -> bool:
    """Whether it is one that times on a device can be counted from."""
    time = datetime.fromisoformat(value)
    return time.tzinfo is not None and 1970 <= time.year <= 9000


def _number(low: float, high: float, *types: type) -> Callable[[Any], bool]:
    """True and false, which Python counts as numbers, are none."""
    return lambda value: type(value) in types and low <= value <= high


def _list(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    return lambda value: isinstance(value, list) and all(map(of, value))


def _table(of: Callable[[Any], bool]) -> Callable[[Any], bool]:
    """An object with any names."""
    return lambda value: isinstance(value, dict) and all(map(of, value.values()))


def _object(
    needed: dict[str, Callable[[Any], bool]], optional: dict[str, Callable[[Any], bool]]
) -> Callable[[Any], bool]:
    """An object with entries of some names; what else is in it is not looked at."""
    known = {**needed, **optional}
    return lambda value: (
        isinstance(value, dict)
        and needed.keys() <= value.keys()
        and all(fits(value[name]) for name, fits in known.items() if name in value)
    )


_NUMBER = _number(-bounded_json.LARGEST, bounded_json.LARGEST, int, float)
_AMOUNT = _number(0, bounded_json.LARGEST, int, float)
_COUNT = _number(1, MOST, int)
_SCALARS = _table(lambda value: _is_text(value) or _is_bool(value) or _NUMBER(value))
_MEASUREMENT = _object(
    {
        "kind": _is_line, "model": _is_line, "input": _is_line, "backend": _is_line, "device": _is_line,
        "precision": _is_line, "batch": _COUNT,
    },
    {
        "options": _SCALARS, "protocol": _SCALARS, "num_joints": _COUNT, "seed": _AMOUNT, "network_sha256": _is_text,
        "weights": _is_text, "weights_sha256": _is_text,
    },
)  # fmt: skip
_ARTIFACT = _object(
    {"backend": _is_line, "precision": _is_line},
    {"metadata": _table(_is_text), "from_cache": _is_bool, "note": _is_text, "size_bytes": _AMOUNT},
)
_NETWORK = _object(
    {
        "id": lambda value: _is_line(value) and inside(value),  # it names folders
        "measurement": _MEASUREMENT, "runtime": _is_line, "runs_on": _is_line, "artifact": _ARTIFACT,
        "files": lambda value: _list(_is_line)(value) and bool(value),
        "input": _is_line, "expected": _is_line, "notes": lambda value: isinstance(value, dict),
    },
    {"reference": _is_line, "rounding": _AMOUNT},
)  # fmt: skip
_ROUNDS = {"rounds": _COUNT, "sets": _COUNT, "warmup": _number(0, MOST, int)}
_PROTOCOLS = _object(
    {
        "paper": _object(_ROUNDS, {}),
        "steady": _object({**_ROUNDS, "budget_s": _number(1e-3, MOST, int, float)}, {}),
        "sustained": _object(_ROUNDS, {}),
    },
    {},
)
_is_manifest = _object(
    {
        "schema": _number(SCHEMA, SCHEMA, int),
        "networks": _list(_NETWORK),
        "files": lambda value: _table(_is_text)(value) and all(map(_is_line, value)),
        "protocols": lambda value: _PROTOCOLS(value) and _table(_table(_NUMBER))(value),
        "software": _object(
            {"torch": _is_text, "project": _is_text, "source_sha256": _is_text},
            {"git_commit": _is_text, "git_dirty": _is_bool},
        ),
        "made_at": _is_time,
        "command": _is_text,
    },
    {},
)
