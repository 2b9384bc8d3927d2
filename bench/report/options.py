"""The options of ``python -m bench.report``."""

import argparse
from pathlib import Path

from bench import cli

DEFAULT_OUT = Path("reports/local")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("report", "Make the paper's tables and its speed-accuracy figure from records.")
    parser.add_argument("--out", type=Path, default=DEFAULT_OUT, metavar="DIR", help="folder of the report")
    parser.add_argument(
        "--compare",
        type=cli.folder,
        metavar="DIR",
        help="make no report: print how the records in DIR differ from these",
    )
    parser.add_argument(
        "--figures", choices=("main", "all"), default="main",
        help="main: of each machine and device Fig. 5 in two runtimes and one ranking; all: every runtime and number "
        "of threads",
    )  # fmt: skip
    return parser.parse_args(argv)
