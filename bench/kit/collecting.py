"""``python -m bench.kit collect`` and ``check``: records of devices, of which nothing is taken on trust."""

import argparse
import hashlib
import json
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench import cli
from bench.core import results
from bench.core.errors import InputError
from bench.core.record import Record
from bench.kit import reporting
from bench.kit.manifest import KITS, LARGEST_BYTES, NAME, Manifest, inside, keep
from bench.kit.soundness import number_problem, problems

RECORDS = "speed.jsonl"
LARGEST_RECORDS_BYTES = 2**30
MOST_MEMBERS = 10_000  # of an archive


@dataclass(frozen=True)
class RecordSource:
    """Records that came back, and the manifests that may be those of their kits, by SHA-256."""

    where: str
    lines: list[tuple[int, str]]
    manifests: dict[str, str]


@dataclass(frozen=True)
class Checked:
    """A line of records, and what is wrong with it."""

    where: str
    record: Record | None
    wrong: list[str]
    manifest: str = ""


def main(arguments: argparse.Namespace) -> int:
    own = read_kit(arguments.kit) if arguments.kit else {}
    checked = [one for path in arguments.paths for one in check(read(path, own))]
    if not checked:
        raise InputError(
            f"{' '.join(map(str, arguments.paths))}: not a single record, and nothing that could be checked"
        )
    refused = [one for one in checked if one.wrong]
    sound = [one for one in checked if not one.wrong]
    for one in refused:
        for problem in one.wrong:
            print(f"{one.where}: {problem}")
    if arguments.command == "collect":
        sound = collect(sound, arguments.results, refused)
    if not arguments.quiet:
        reporting.print_table([json.loads(one.record.to_json()) for one in sound if one.record])
        done = "collected" if arguments.command == "collect" else "sound"
        cli.say(f"{len(checked)} records: {len(sound)} {done}, {len(refused)} refused")
    return int(bool(refused))


def collect(sound: Sequence[Checked], folder: Path, refused: list[Checked]) -> list[Checked]:
    """Add records to a folder, each once; what conflicts with one that is there is named and joins ``refused``.

    Raises:
        InputError: what is there are no records.
        OSError: they cannot be written.
    """
    known: dict[tuple[object, ...], Record] = {}
    newest: dict[tuple[str, ...], str] = {}
    for old in results.open_folder(folder):
        known[old.key, old.started_at] = old
        newest[old.key] = max(old.started_at, newest.get(old.key, ""))
    added: list[Checked] = []
    for one in sound:
        if one.record is None:
            continue
        record = one.record
        conflict = ""
        there = known.get((record.key, record.started_at))
        if record.emulated:
            conflict = f"made on an emulated processor ({record.emulated}): its timings are of no use"
        elif there is not None and there != record:
            conflict = (
                f"conflicts with one in {folder}: the same measurement, begun at the same time, with other figures"
            )
        if conflict:
            print(f"{one.where}: {conflict}")
            refused.append(one)
            continue
        if there is not None:
            cli.say(f"{one.where}: is in {folder} already")
            continue
        if record.key in newest:
            cli.say(f"{one.where}: {folder} has this measurement of {newest[record.key]} too; the newest counts")
        known[record.key, record.started_at] = record
        newest[record.key] = max(record.started_at, newest.get(record.key, ""))
        added.append(one)
    for text in {one.manifest for one in added}:
        keep(text, folder)
    results.append([one.record for one in added if one.record], folder)
    return added


# ------------------------------------------------------------------------------ checking


def check(source: RecordSource) -> Iterator[Checked]:
    """Each line of records, with all that is wrong with it."""
    begun: dict[tuple[object, ...], int] = {}
    for number, line in source.lines:
        where = f"{source.where}:{number}"
        wrong = number_problem(line)
        if wrong:
            yield Checked(where, None, [wrong])
            continue
        try:
            record = results.parse(line, "this line")
        except results.RecordError as error:
            yield Checked(where, None, [str(error)])
            continue
        kit = record.notes.get("kit")
        digest = kit.get("manifest_sha256") if isinstance(kit, dict) else None
        if not isinstance(digest, str):
            yield Checked(where, record, ["is not of a kit: notes.kit is missing"])
            continue
        text = source.manifests.get(digest)
        if text is None:
            yield Checked(
                where, record, [f"is of a kit that is not here (manifest {digest[:16]}): give it with --kit DIR"]
            )  # fmt: skip
            continue
        try:
            found = list(problems(record, Manifest.parse(text, "its manifest")))
        except InputError as error:
            found = [str(error)]
        before = begun.setdefault((record.key, record.started_at), number)
        if before != number:
            found.append(f"the same measurement as in line {before}, begun at the same time")
        yield Checked(where, record, found, text)


# ------------------------------------------------------------------------------ reading


def read_kit(kit: Path) -> dict[str, str]:
    """The manifest of a kit by its SHA-256, its files checked against it.

    Raises:
        InputError: it is no kit, or a file of it is missing or changed.
    """
    wrong = Manifest.read(kit / NAME).wrong(kit, sorted(Manifest.read(kit / NAME).files))
    if wrong:
        raise InputError(f"--kit {kit}: {wrong}")
    text = (kit / NAME).read_text()
    return {_sha256(text): text}


def read(path: Path, manifests: dict[str, str]) -> RecordSource:
    """What a device brought back.

    Args:
        path: a folder, an archive, or a file of records.
        manifests: that are known besides those beside the records.

    Raises:
        InputError: there are no records, or what there is cannot be read safely.
    """
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    if path.suffix == ".zip" and not path.is_dir():
        results.refuse_special_file(path)
        return _read_archive(path, manifests)
    file = path / RECORDS if path.is_dir() else path
    if not file.exists():
        raise InputError(f"{path} holds no records: give the folder that has {RECORDS}, as KIT/records")
    results.refuse_special_file(file)
    _refuse_large(file.stat().st_size, LARGEST_RECORDS_BYTES, str(file))
    beside = [file.parent / NAME, file.parent.parent / NAME, *sorted((file.parent / KITS).glob("*.json"))]
    found = dict(manifests)
    for manifest in beside:
        if manifest.is_file() and manifest.stat().st_size <= LARGEST_BYTES:
            text = manifest.read_bytes().decode(errors="replace")
            found[_sha256(text)] = text
    return RecordSource(str(file), list(results.lines(file)), found)


def _read_archive(path: Path, manifests: dict[str, str]) -> RecordSource:
    """Nothing of it is written anywhere: what it says of folders and sizes is not believed either."""
    found = dict(manifests)
    lines: list[tuple[int, str]] = []
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
            if len(members) > MOST_MEMBERS:
                raise InputError(f"{path} has {len(members)} members: no archive of a kit's records")
            for member in members:
                if not inside(member.filename.rstrip("/")):
                    raise InputError(f"{path} names {member.filename[:100]!r}, which leaves its folder: it is refused")
            chosen = [one for one in members if one.filename.endswith((RECORDS, ".json"))]
            _refuse_large(sum(one.file_size for one in chosen), LARGEST_RECORDS_BYTES, str(path))
            for member in chosen:
                is_records = member.filename.endswith(RECORDS)
                largest = LARGEST_RECORDS_BYTES if is_records else LARGEST_BYTES
                _refuse_large(member.file_size, largest, f"{path}, {member.filename}")
                with archive.open(member) as file:
                    content = file.read(largest + 1)
                _refuse_large(len(content), largest, f"{path}, {member.filename}")
                text = content.decode(errors="replace")
                if is_records:
                    first = len(lines)
                    lines += [(first + n, line) for n, line in enumerate(text.split("\n"), 1) if line.strip()]
                else:
                    found[_sha256(text)] = text
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError) as error:
        raise InputError(f"{path} is no archive that can be read: {error}") from error
    if not lines:
        raise InputError(f"{path} holds no records: an archive of KIT/records has {RECORDS}")
    return RecordSource(str(path), lines, found)


def _refuse_large(size: int, largest: int, where: str) -> None:
    if size > largest:
        raise InputError(f"{where} is of {size / 1e6:.0f} MB, more than the {largest / 1e6:.0f} MB that any kit writes")


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
