"""The options of ``python -m bench.report``."""

import argparse
from pathlib import Path

from bench import cli

DEFAULT_OUT = Path("reports/local")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("report", "Make the paper's tables and its speed-accuracy figure from records.")
    parser.add_argument(
        "--out", type=cli.writable_folder, default=DEFAULT_OUT, metavar="DIR", help="folder of the report"
    )
    parser.add_argument(
        "--compare",
        type=cli.folder,
        metavar="DIR",
        help="make no report: print how the records in DIR differ from these",
    )
    parser.add_argument(
        "--figures", choices=("main", "all"), default="main",
        help="main: Fig. 5 and the ranking once for each machine and device, of eight at most; all: Fig. 5 in every "
        "runtime and precision, and both with every number of threads",
    )  # fmt: skip
    parser.add_argument(
        "--update-docs", action="store_true",
        help="for developers: write the blocks of tables in README.md and docs/ from results/reference, and check the "
        "figures that they quote; no report is made",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    of_a_report = ["--out", "--figures", "--json"]
    if arguments.update_docs:
        of_all = [*of_a_report, "--results", "--compare"]
        cli.refuse(parser, argv, of_all, "--update-docs reads results/reference, and makes no report")
    if arguments.compare:
        cli.refuse(parser, argv, of_a_report, "--compare makes no report, and prints lines of text")
    return arguments
