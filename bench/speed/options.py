"""The options of ``python -m bench.speed``."""

import argparse

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

ROUNDS, WARMUP, SETS = 50, 5, 5  # section IV-D of the paper; several sets, averaged
QUICK_ROUNDS, QUICK_SETS = 10, 2
STEADY_ROUNDS, STEADY_SETS, STEADY_BUDGET_S = 10, 3, 20.0


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("speed", "Time networks: 5 warm-up rounds and 50 timed rounds, in 5 fresh processes each.")
    cli.add_model_options(parser)
    cli.add_device_option(parser)
    parser.add_argument(
        "--backend", metavar="NAME[,NAME]", type=cli.names,
        help="all (every one that runs here), or names (default: eager; of a model file, its own): "
        f"{', '.join(catalogue.names())}",
    )  # fmt: skip
    parser.add_argument(
        "--list-backends",
        action="store_true",
        help="list the backends, their versions, and how to install them",
    )
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    cli.add_threads_option(parser)
    parser.add_argument("--batch", type=batches, default="1", metavar="N[,N]", help="images per round")
    parser.add_argument(
        "--protocol", default="paper", choices=["paper", "steady"],
        help="paper: a fixed number of rounds; steady: rounds until the 95 %% confidence interval of each process's "
        f"median is within 1 %%, or the process's share of the budget is spent, in {STEADY_SETS} processes",
    )  # fmt: skip
    parser.add_argument("--budget", type=cli.seconds, default=STEADY_BUDGET_S, help="seconds per network (steady only)")
    parser.add_argument("--rounds", type=cli.count, help=f"timed rounds per set (paper only; default: {ROUNDS})")
    parser.add_argument("--warmup", type=cli.count, help=f"warm-up rounds per set, not counted (default: {WARMUP})")
    parser.add_argument("--sets", type=cli.count, help=f"fresh processes per network (default: {SETS})")
    cli.add_ahead_option(parser)
    cli.add_timeout_option(parser)
    parser.add_argument(
        "--image", type=cli.file, help="picture to time on (default: the one that comes with the project)"
    )
    parser.add_argument("--seed", type=cli.seed, default=0, help="seed of the random weights")
    parser.add_argument(
        "--quick",
        action="store_true",
        help=f"{QUICK_SETS} sets of {QUICK_ROUNDS} rounds; records are marked as quick",
    )
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    quick = arguments.quick
    steady = arguments.protocol == "steady"
    if steady and (quick or arguments.rounds):
        raise InputError("--protocol steady decides on the rounds itself: leave out --rounds and --quick")
    if not steady:
        cli.refuse(parser, argv, ["--budget"], "it is of --protocol steady, the others time a fixed number of rounds")
    if arguments.quick:
        arguments.protocol = "quick"
    # Numbers given explicitly count; --quick only changes the defaults.
    defaults = {
        "rounds": STEADY_ROUNDS if steady else QUICK_ROUNDS if quick else ROUNDS,
        "warmup": WARMUP,
        "sets": STEADY_SETS if steady else QUICK_SETS if quick else SETS,
    }
    for name, default in defaults.items():
        if getattr(arguments, name) is None:
            setattr(arguments, name, default)
        elif getattr(arguments, name) != default and not steady:
            arguments.protocol = "custom"
    return arguments


def batches(text: str) -> list[int]:
    """``1,8,32`` as numbers, each once."""
    return list(dict.fromkeys(cli.batch(part.strip()) for part in text.split(",")))
