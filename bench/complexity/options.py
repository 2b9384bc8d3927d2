"""The options of ``python -m bench.complexity``."""

import argparse

from bench import cli


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("complexity", "Count parameters and multiply-adds, by five counters.")
    cli.add_model_options(parser, several_inputs=True)
    parser.add_argument("--layers", action="store_true", help="break every network down by layer")
    cli.add_timeout_option(parser)
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.json:
        cli.refuse(parser, argv, ["--layers"], "it prints tables, and --json records alone")
    return arguments
