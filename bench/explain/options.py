"""The options of ``python -m bench.explain``."""

import argparse

from bench import cli, precisions
from bench.explain.measuring import ROUNDS

SHOWN = 10  # layers


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("explain", "Say why networks take the time they take, operator by operator.")
    cli.add_model_options(parser)
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or auto: cuda where there is one")
    parser.add_argument("--precision", default="fp32", choices=list(precisions.DTYPES))
    parser.add_argument("--threads", type=cli.count, help="CPU threads (default: one a physical core)")
    parser.add_argument("--rounds", type=cli.count, default=ROUNDS, help="timed with the profiler and without")
    cli.add_ahead_option(parser)
    parser.add_argument(
        "--layers", action="store_true", help=f"print and record every layer, not only the {SHOWN} costliest"
    )
    cli.add_missing_option(parser)
    return parser.parse_args(argv)
