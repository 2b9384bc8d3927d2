"""The options of ``python -m bench.accuracy``."""

import argparse
from pathlib import Path

from bench import cli
from bench.accuracy.decode import METHODS
from bench.backends import catalogue
from bench.core import machine
from bench.core.errors import InputError
from bench.data.synthetic.dataset import IMAGES, SEED
from bench.weights import default_input

DEFAULT_INPUT = {"coco": "256x192", "mpii": "256x256", "synthetic": "256x192"}


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "accuracy", "Evaluate networks on COCO, MPII or drawn people; an interrupted run goes on where it stopped."
    )
    cli.add_models_option(parser, None, "by default, those that there are such weights of; ")
    parser.add_argument(
        "--input", metavar="HxW",
        help="height x width (default: 256x192; MPII 256x256; bundled weights: what they were trained with)",
    )  # fmt: skip
    parser.add_argument("--dataset", choices=list(DEFAULT_INPUT), default="synthetic", help="synthetic needs no files")
    parser.add_argument("--data-root", type=Path, metavar="DIR", help="folder of COCO or MPII")
    parser.add_argument(
        "--weights", metavar="FILE|published|bundled|random",
        help="a checkpoint, what was published (by default for COCO and MPII), what comes with the project (by default "
        "for synthetic), or random numbers to try things out",
    )  # fmt: skip
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument("--detections", type=Path, metavar="FILE", help="boxes of a person detector, COCO result format")
    boxes.add_argument("--gt-boxes", action="store_true", help="boxes of the annotations; so without --detections")
    parser.add_argument("--no-flip", action="store_true", help="without averaging over the mirrored picture")
    parser.add_argument("--decode", choices=METHODS, default="quarter_offset", help="heatmaps to joints")
    parser.add_argument("--evaluator", choices=("faster", "pycocotools"), default="faster", help="they agree exactly")
    parser.add_argument("--device", default="auto", help="cpu, cuda, cuda:N, or auto: cuda where there is one")
    parser.add_argument("--backend", default="eager", help=", ".join(catalogue.names()))
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    parser.add_argument("--threads", type=cli.count, help="CPU threads (default: one a physical core)")
    parser.add_argument("--batch", type=cli.count, default=8, help="people at a time")
    parser.add_argument("--workers", type=int, help="processes that read pictures (default: 1 to 4, by processors)")
    parser.add_argument("--limit", type=cli.count, metavar="N", help="the first N pictures only, as a set of its own")
    parser.add_argument("--skip-bad", type=int, default=0, metavar="N", help="leave out up to N bad pictures")
    parser.add_argument("--images", type=cli.count, default=IMAGES, help="pictures of the synthetic set")
    parser.add_argument("--seed", type=cli.seed, default=SEED, help="of the synthetic set")
    parser.add_argument(
        "--test-dev", action="store_true", help="COCO's test-dev2017: write the evaluation server's file"
    )
    parser.add_argument(
        "--server-result", type=Path, metavar="FILE",
        help="with --test-dev: what the server answered, its JSON or its printed table, to be recorded",
    )  # fmt: skip
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.server_result and arguments.weights is None:
        raise InputError("--server-result needs --weights: what was evaluated, as the record names it")
    arguments.weights = arguments.weights or ("bundled" if arguments.dataset == "synthetic" else "published")
    usual = DEFAULT_INPUT[arguments.dataset]
    arguments.input = arguments.input or default_input(arguments.weights, arguments.models, usual)
    if arguments.workers is None:
        arguments.workers = max(1, min(4, machine.usable_cores() - 1))
    if arguments.workers < 0 or arguments.skip_bad < 0:
        raise InputError("--workers and --skip-bad cannot be below 0")
    return arguments
