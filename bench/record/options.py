"""The options of ``python -m bench.record``."""

import argparse

from bench import cli


def parse(argv: list[str]) -> argparse.Namespace:
    commands = {"check": ("whether records are sound", _check), "schema": ("the JSON Schema of a record", _schema)}
    return cli.parse_subcommand("record", "Check records, or print their JSON Schema.", commands, argv)


def _check() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "record check", "Check records: whether each line is a record, and whether its figures follow "
        "from its samples. Prints one line per problem; the exit status is 1 if there is one.", records=False,
    )  # fmt: skip
    parser.add_argument(
        "paths", nargs="+", type=cli.file, metavar="FILE|DIR", help="files of records, or folders with such files"
    )
    return parser


def _schema() -> argparse.ArgumentParser:
    return cli.make_parser("record schema", "Print the JSON Schema of a record.", records=False)
