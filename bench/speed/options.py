"""The options of ``python -m bench.speed``."""

import argparse
from pathlib import Path

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

ROUNDS, WARMUP, SETS = 50, 5, 5  # section IV-D of the paper; several sets, averaged
QUICK_ROUNDS, QUICK_SETS = 10, 2
STEADY_ROUNDS, STEADY_SETS, STEADY_BUDGET_S = 10, 3, 20.0


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("speed", "Time networks: 50 rounds after 5 of warm-up, in 5 fresh processes each.")
    cli.add_model_options(parser)
    cli.add_device_option(parser)
    parser.add_argument(
        "--backend", default="eager", metavar="NAME[,NAME]", type=cli.names,
        help=f"all that run here, or names of {', '.join(catalogue.names())}",
    )  # fmt: skip
    parser.add_argument("--list-backends", action="store_true", help="say what each backend is and whether it is here")
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    cli.add_threads_option(parser)
    parser.add_argument("--batch", type=batches, default="1", metavar="N[,N]", help="images a round")
    parser.add_argument(
        "--protocol", default="paper", choices=["paper", "steady"],
        help="paper: a fixed number of rounds; steady: rounds until the 95 %% interval of each process's median is "
        f"within 1 %%, or its share of the budget is spent, in {STEADY_SETS} processes",
    )  # fmt: skip
    parser.add_argument("--budget", type=cli.seconds, default=STEADY_BUDGET_S, help="seconds a network, steady only")
    parser.add_argument("--rounds", type=cli.count, help=f"timed rounds a set, paper only (default: {ROUNDS})")
    parser.add_argument("--warmup", type=cli.count, help=f"rounds before them, not counted (default: {WARMUP})")
    parser.add_argument("--sets", type=cli.count, help=f"fresh processes a network (default: {SETS})")
    cli.add_ahead_option(parser)
    cli.add_timeout_option(parser)
    parser.add_argument("--image", type=Path, help="time on this picture instead of the one shipped")
    parser.add_argument("--seed", type=cli.seed, default=0, help="of the random weights")
    parser.add_argument(
        "--quick", action="store_true", help=f"{QUICK_SETS} sets of {QUICK_ROUNDS} rounds, marked so in the records"
    )
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    quick = arguments.quick
    steady = arguments.protocol == "steady"
    if steady and (quick or arguments.rounds):
        raise InputError("--protocol steady decides on the rounds itself: leave out --rounds and --quick")
    if arguments.quick:
        arguments.protocol = "quick"
    # What was asked for by number counts; --quick only changes what was left open.
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
