"""The options of ``python -m bench.regress``."""

import argparse
import contextlib
from pathlib import Path

from bench import backends, cli
from bench.core.errors import InputError

BUDGET_S = 150.0


THRESHOLD = "5%"


# Of the self-test, which makes hundreds of comparisons of one network.
SELF_TEST_MODEL = "lightweight_mobilenetv3"


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "regress", "Tell whether networks became slower than in another revision: exit status 1 if one did."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--base", metavar="REV", help="commit, branch or tag to compare the working tree with")
    what.add_argument(
        "--baseline", type=Path, metavar="FILE", help="compare with stored latencies of this very machine instead"
    )
    what.add_argument(
        "--self-test", type=cli.count, metavar="N",
        help="measure the check's own error rates: N comparisons of the same code, N beside a busy process, and N each "
        "with the new side made 20, 10 and 5 %% slower, as far as that is above --threshold",
    )  # fmt: skip
    parser.add_argument(
        "--update", action="store_true", help="with --baseline: measure and store anew, compare nothing"
    )
    cli.add_models_option(parser, default=None)
    parser.add_argument("--input", default="256x192", metavar="HxW", help="height x width of the input")
    parser.add_argument("--joints", type=cli.count, default=17, help="heatmaps of a network of the zoo")
    parser.add_argument("--batch", type=cli.count, default=1, help="images a round")
    parser.add_argument("--backend", default="eager", help=f"one of {', '.join(backends.BACKENDS)}")
    parser.add_argument("--device", default="cpu", help="cpu, cuda, cuda:N, or auto: cuda where there is one")
    parser.add_argument(
        "--threads", type=cli.count, default=1,
        help="CPU threads (default: 1, which a busy neighbour hardly disturbs)",
    )  # fmt: skip
    parser.add_argument(
        "--threshold", type=share, default=THRESHOLD, metavar="P%", help=f"slow-down that is let pass ({THRESHOLD})"
    )
    parser.add_argument(
        "--budget", type=cli.seconds, default=BUDGET_S, metavar="SECONDS",
        help=f"for a set of pairs of one network; a regression takes a second set ({BUDGET_S:g})",
    )  # fmt: skip
    parser.add_argument("--strict", action="store_true", help="exit status 1 for undecided, too")
    parser.add_argument("--markdown", type=Path, metavar="FILE", help="write a summary for a pull request")
    parser.add_argument(
        "--benchmark-json", type=Path, metavar="FILE",
        help="write latencies for github-action-benchmark (tool customSmallerIsBetter)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    if arguments.update and not arguments.baseline:
        raise InputError("--update stores a baseline: give --baseline FILE with it")
    arguments.named = arguments.models is not None
    arguments.models = arguments.models or (SELF_TEST_MODEL if arguments.self_test else "all")
    return arguments


def share(text: str) -> float:
    """``5%`` or ``0.05`` as a number."""
    with contextlib.suppress(ValueError):
        value = float(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if 0 < value < 1:
            return value
    raise argparse.ArgumentTypeError(f"{text!r} is no share between 0 and 100 %, such as 5% or 0.05")
