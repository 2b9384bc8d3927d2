"""The options of ``python -m bench.explain``."""

import argparse

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

SHOWN = 10  # layers
ROUNDS = 12


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("explain", "Say why networks take the time they take, operator by operator.")
    cli.add_model_options(parser)
    cli.add_device_option(parser)
    parser.add_argument(
        "--backend", metavar="NAME[,NAME]", type=cli.names,
        help="what runs the networks (default: eager; a model file: its own): eager, "
        "a runtime by its own profiler (onnxruntime, openvino, ...), or all that "
        "can be explained here",
    )  # fmt: skip
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    cli.add_threads_option(parser)
    parser.add_argument(
        "--differences", action="store_true",
        help="time nothing: compare what every layer computes with float32, and name the first large difference",
    )  # fmt: skip
    parser.add_argument("--rounds", type=cli.count, help=f"timed with the profiler and without (default: {ROUNDS})")
    parser.add_argument("--seed", type=cli.seed, default=0, help="of the random weights")
    cli.add_ahead_option(parser)
    parser.add_argument(
        "--layers", action="store_true", help=f"print and record every layer, not only the {SHOWN} costliest"
    )
    cli.add_timeout_option(parser)
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    for option, given in (("--rounds", arguments.rounds), ("--missing", arguments.missing)):
        if given and arguments.differences:
            raise InputError(f"{option} is of timings, and --differences times and records nothing: leave it out")
    arguments.rounds = arguments.rounds or ROUNDS
    return arguments
