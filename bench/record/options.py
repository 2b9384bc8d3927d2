"""The options of ``python -m bench.record``."""

import argparse
from pathlib import Path

from bench import cli


def parse(argv: list[str]) -> argparse.Namespace:
    commands = {"check": _check, "schema": _schema}
    if not argv or argv[0] not in commands:
        parser = cli.make_parser("record", "Check records, or print their JSON Schema.", records=False)
        parser.add_argument(
            "command", choices=list(commands),
            help="check: whether records are sound; schema: the JSON Schema of a record "
            f"({cli.program('record COMMAND')} --help says more)",
        )  # fmt: skip
        return parser.parse_args(argv)
    arguments = commands[argv[0]]().parse_args(argv[1:])
    arguments.command = argv[0]
    return arguments


def _check() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "record check", "Check records: whether each line is a record, and whether its figures follow "
        "from its samples. Prints one line per problem; the exit status is 1 if there is one.", records=False,
    )  # fmt: skip
    parser.add_argument(
        "paths", nargs="+", type=Path, metavar="FILE|DIR", help="files of records, or folders with such files"
    )
    return parser


def _schema() -> argparse.ArgumentParser:
    return cli.make_parser("record schema", "Print the JSON Schema of a record.", records=False)
