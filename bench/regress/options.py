"""The options of ``python -m bench.regress``."""

import argparse
import contextlib
from pathlib import Path

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

BUDGET_S = 150.0
THRESHOLD = 0.05
# Of the self-test, which makes hundreds of comparisons of one network.
SELF_TEST_MODEL = "lightweight_mobilenetv3"


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "regress", "Check whether networks became slower than in another revision: exit status 1 if one did."
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--base", metavar="REV", help="commit, branch or tag to compare the working tree with")
    what.add_argument(
        "--baseline", type=cli.file, metavar="FILE", help="compare with stored latencies of this machine instead"
    )
    what.add_argument(
        "--self-test", type=cli.count, metavar="N",
        help="measure the check's own error rates: N comparisons each of the same code and of code made 10 %% slower, "
        "beside no, one and two busy processes, and of code made 20 and 5 %% slower, except where that is tolerated",
    )  # fmt: skip
    parser.add_argument(
        "--planted", type=shares, metavar="P%,P%",
        help="with --self-test: of these slow-downs only, as 0%% of the same code",
    )  # fmt: skip
    parser.add_argument(
        "--update", action="store_true", help="with --baseline: measure and store new latencies, compare nothing"
    )
    cli.add_models_option(parser, default=None)
    parser.add_argument(
        "--input", metavar="HxW", help="height x width of the input (default: 256x192; of a model file, its own)"
    )
    cli.add_joints_option(parser)
    cli.add_skeleton_option(parser, "of the networks' joints, for --people, where their files do not name them")
    cli.add_model_info_option(parser)
    parser.add_argument("--batch", type=cli.batch, default=1, help="images per round")
    parser.add_argument(
        "--people", type=cli.whole_number("a number of people", 1, 32), metavar="N",
        help="time the whole way from a drawn frame with so many people to their joints, as bench.pipeline does",
    )  # fmt: skip
    parser.add_argument(
        "--backend", help=f"one of {', '.join(catalogue.names())} (default: eager; of a model file, its own)"
    )
    cli.add_device_option(parser, default="cpu")
    cli.add_threads_option(parser, default=1, why="%(default)s, which a busy neighbour hardly disturbs")
    parser.add_argument(
        "--threshold", type=share, metavar="P%", help=f"slow-down that is tolerated (default: {100 * THRESHOLD:g}%%)"
    )
    parser.add_argument(
        "--budget", type=cli.seconds, metavar="SECONDS",
        help="for drawing the pairs of one network, after both sides were made ready; as much again to confirm a "
        f"regression (default: {BUDGET_S:g})",
    )  # fmt: skip
    cli.add_timeout_option(parser)
    parser.add_argument("--strict", action="store_true", help="exit status 1 for undecided, too")
    parser.add_argument("--markdown", type=cli.writable_file, metavar="FILE", help="write a summary for a pull request")
    parser.add_argument(
        "--benchmark-json", type=cli.writable_file, metavar="FILE",
        help="write latencies for github-action-benchmark (tool customSmallerIsBetter)",
    )  # fmt: skip
    arguments = parser.parse_args(argv)
    if arguments.update and not arguments.baseline:
        raise InputError("--update stores a baseline: give --baseline FILE with it")
    if arguments.update:
        _check_writable(arguments.baseline)
    if arguments.planted and not arguments.self_test:
        raise InputError("--planted chooses what a self-test compares: give --self-test N with it")
    outputs = (("--markdown", arguments.markdown), ("--benchmark-json", arguments.benchmark_json))
    for option, given in (*outputs, ("--strict", arguments.strict)):
        if given and (arguments.update or arguments.self_test):
            instead = "--update compares nothing" if arguments.update else "--self-test is of the check itself"
            raise InputError(f"{option} is of a comparison, and {instead}: leave it out")
    if arguments.markdown and arguments.markdown == arguments.benchmark_json:
        raise InputError(f"--markdown and --benchmark-json would both write {arguments.markdown}: give two files")
    if arguments.baseline and arguments.budget is not None:
        raise InputError("--budget is for pairs, and --baseline times a fixed number of processes: leave it out")
    if arguments.update and arguments.threshold is not None:
        raise InputError("--threshold is of a comparison, and --update compares nothing: leave it out")
    arguments.budget = arguments.budget or BUDGET_S
    arguments.threshold = THRESHOLD if arguments.threshold is None else arguments.threshold
    if not arguments.people:
        cli.refuse(parser, argv, ["--skeleton"], "joints are looked for with --people N alone")
    if arguments.people and arguments.batch != 1:
        raise InputError("--people takes all people of a frame at a time: leave out --batch")
    arguments.named = arguments.models is not None
    arguments.models = arguments.models or (SELF_TEST_MODEL if arguments.self_test else "paper")
    return arguments


def _check_writable(path: Path) -> None:
    try:
        cli.writable_file(str(path))
    except argparse.ArgumentTypeError as error:
        raise InputError(f"argument --baseline: {error}") from None


def shares(text: str) -> list[float]:
    """Shares with commas between, 0 allowed."""
    parts = [part.strip() for part in text.split(",")]
    return [0.0 if part in ("0", "0%") else share(part) for part in dict.fromkeys(parts)]


def share(text: str) -> float:
    """``5%`` or ``0.05`` as a number."""
    with contextlib.suppress(ValueError):
        value = cli.decimal(text.removesuffix("%")) / (100 if text.endswith("%") else 1)
        if 0 < value < 1:
            return value
    raise argparse.ArgumentTypeError(f"{text[:40]!r} is no share between 0 and 100 %, such as 5% or 0.05")
