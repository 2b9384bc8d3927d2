"""``python -m bench.record``: check records, print their JSON Schema."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from bench import cli
from bench.core import results
from bench.core.errors import InputError
from bench.core.record import KINDS, json_schema
from bench.record.soundness import problems


def main(arguments: argparse.Namespace) -> int:
    if arguments.command == "schema":
        print(json_schema(), end="")
        return 0
    files = [file for path in arguments.paths for file in files_of(path)]
    found = count = 0
    for file in files:
        for where, wrong in check(file):
            count += 1
            for problem in wrong:
                found += 1
                print(f"{where}: {problem}")
    if not count:
        raise InputError(
            f"{' '.join(map(str, arguments.paths))}: not a single record, and nothing that could be checked"
        )
    if not arguments.quiet:
        cli.say(f"{count} records in {len(files)} files: {f'{found} problems' if found else 'sound'}")
    return int(found > 0)


def files_of(path: Path) -> list[Path]:
    """Raises ``InputError`` where there are no records: an empty check would pass for a good one."""
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    files = results.record_files(path)
    if not files:
        raise InputError(f"{path} holds no records: a folder of records has files such as speed.jsonl")
    return files


def check(file: Path) -> Iterator[tuple[str, list[str]]]:
    """Each line of a file as ``FILE:LINE``, and what is wrong with it."""
    first: dict[tuple[object, ...], int] = {}
    for number, line in results.lines(file):
        where = f"{file}:{number}"
        try:
            record = results.parse(line, "this line")
        except results.RecordError as error:
            yield where, [str(error)]
            continue
        wrong = problems(record)
        if file.suffix == ".jsonl" and file.stem in KINDS and file.stem != record.kind:
            wrong.append(f"a record of kind {record.kind} in a file of kind {file.stem}")
        before = first.setdefault((record.key, record.started_at), number)
        if before != number:
            wrong.append(f"the same measurement as in line {before}, begun at the same time")
        yield where, wrong
