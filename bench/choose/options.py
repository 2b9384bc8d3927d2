"""The options of ``python -m bench.choose``."""

import argparse

from bench import cli
from bench.backends import catalogue
from bench.core.errors import InputError

BEST = ("ap", "latency", "size", "memory")
limit = cli.real_number("a limit", 0, 1e9)


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "choose", "Choose a network from records: which ones keep within limits, the best first, and why the others "
        "do not. The exit status is 1 if none does.", records=False,
    )  # fmt: skip
    parser.add_argument(
        "--results", type=cli.folder, default=cli.DEFAULT_RESULTS, metavar="DIR", help="folder of the records"
    )
    parser.add_argument("--json", action="store_true", help="print a JSON line for each network, and nothing else")
    limits = parser.add_argument_group("limits")
    limits.add_argument("--max-ms", type=limit, metavar="MS", help="mean latency of a batch, in ms")
    limits.add_argument(
        "--min-ap", type=cli.real_number("a percentage", 0, 100), metavar="AP", help="AP, or PCKh, in percent"
    )
    limits.add_argument("--max-mib", type=limit, metavar="MIB", help="file that has to be shipped, in MiB")
    limits.add_argument(
        "--max-memory-mib", type=limit, metavar="MIB", help="largest memory of the process, or on the GPU, in MiB"
    )
    parser.add_argument(
        "--best", choices=BEST, help="what comes first (default: ap with --max-ms, latency without)",
    )  # fmt: skip
    where = parser.add_argument_group("where it has to run")
    where.add_argument(
        "--machine", metavar="TEXT", help="part of the name of a processor or GPU (default: this machine, or the only "
        "one with records)",
    )  # fmt: skip
    where.add_argument("--device", choices=("cpu", "cuda"), help="default: cpu, where that was timed")
    where.add_argument("--backend", default="all", metavar="NAME", help="all, or one")
    where.add_argument(
        "--precision",
        choices=(*catalogue.PRECISIONS, "int8", "all"),
        help="default: fp32, or what the backend named has",
    )
    where.add_argument("--threads", type=cli.threads, help="default: one per core, where that was timed")
    where.add_argument("--batch", type=cli.batch, default=1, help="images at a time")
    where.add_argument("--input", default="256x192", metavar="HxW", help="height x width of the input")
    parser.add_argument("--dataset", default="coco_val2017", metavar="NAME", help="data set of the AP")
    arguments = parser.parse_args(argv)
    if arguments.min_ap is not None and 0 < arguments.min_ap < 1:
        given = arguments.min_ap
        raise InputError(f"--min-ap {given:g} is less than one percent: give it in percent, such as {100 * given:g}")
    return arguments
