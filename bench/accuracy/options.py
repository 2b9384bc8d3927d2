"""The options of ``python -m bench.accuracy``."""

import argparse

from bench import cli
from bench.accuracy.settings import EVALUATORS
from bench.backends import catalogue
from bench.core.errors import InputError
from bench.core.output_kinds import DECODINGS
from bench.data import registry
from bench.data.synthetic.evaluation_set import IMAGES, SEED


def parse(argv: list[str]) -> argparse.Namespace:
    limits = [
        f"of {', '.join(entry.name for entry in registry.entries().values() if entry.unit == unit)} the first N {unit}"
        for unit in sorted({entry.unit for entry in registry.entries().values()})
    ]
    parser = cli.make_parser(
        "accuracy", "Evaluate networks on COCO, MPII or drawn people; an interrupted run goes on where it stopped."
    )
    cli.add_models_option(parser, None, "default: all networks with these weights; ")
    cli.add_model_info_option(parser)
    parser.add_argument(
        "--input", metavar="HxW",
        help="height x width (default: 256x192; MPII 256x256; bundled weights: what they were trained with; a model "
        "file: its own)",
    )  # fmt: skip
    parser.add_argument(
        "--dataset", choices=list(registry.entries()),
        help="default: synthetic, which needs no files; coco with --annotations",
    )  # fmt: skip
    parser.add_argument("--data-root", type=cli.folder, metavar="DIR", help="folder of COCO or MPII")
    parser.add_argument(
        "--annotations", type=cli.file, metavar="FILE",
        help="in place of --data-root: any annotation file in COCO's format, as it was exported; its pictures are in "
        "--images DIR, or beside it",
    )  # fmt: skip
    parser.add_argument(
        "--images", metavar="N|DIR",
        help=f"of the synthetic set: how many pictures to draw (default: {IMAGES}); with --annotations: the folder of "
        "the pictures",
    )  # fmt: skip
    parser.add_argument("--category", metavar="NAME", help="of the people in the annotations (default: person)")
    cli.add_skeleton_option(parser, "of the people in the annotations")
    parser.add_argument(
        "--weights", metavar="FILE|published|bundled|own|random",
        help="a checkpoint, what was published (default for COCO and MPII), what comes with the project (default for "
        "synthetic), own: those that your factory has loaded itself, or random numbers to try things out",
    )  # fmt: skip
    boxes = parser.add_mutually_exclusive_group()
    boxes.add_argument(
        "--detections", type=cli.file, metavar="FILE", help="boxes of a person detector, COCO result format"
    )
    parser.add_argument(
        "--subset", action="store_true", help="leave out, and count, detections in pictures outside the set"
    )
    boxes.add_argument("--gt-boxes", action="store_true", help="boxes of the annotations (default)")
    parser.add_argument("--no-flip", action="store_true", help="without averaging over the mirrored picture")
    parser.add_argument(
        "--decode", choices=DECODINGS,
        help="from output to joints (default: what the network was published with, quarter_offset for plain heatmaps)",
    )  # fmt: skip
    parser.add_argument("--evaluator", choices=EVALUATORS, default="faster", help="they agree exactly")
    cli.add_device_option(parser)
    parser.add_argument("--backend", help=f"{', '.join(catalogue.names())} (default: eager; of a model file, its own)")
    parser.add_argument("--precision", default="fp32", choices=catalogue.PRECISIONS)
    cli.add_threads_option(parser)
    parser.add_argument("--batch", type=cli.batch, default=8, help="people at a time")
    parser.add_argument(
        "--workers", type=cli.processes, help="processes that read pictures (default: 1 to 4, by cores)"
    )
    parser.add_argument(
        "--limit", type=cli.pictures_or_people, metavar="N",
        help=f"a smaller set, with a name of its own: {'; '.join(limits)}",
    )  # fmt: skip
    parser.add_argument("--skip-bad", type=cli.tolerated, default=0, metavar="N", help="leave out up to N bad pictures")
    parser.add_argument("--seed", type=cli.seed, help=f"of the synthetic set (default: {SEED})")
    parser.add_argument(
        "--test-dev", action="store_true", help="COCO's test-dev2017: write the evaluation server's file"
    )
    parser.add_argument(
        "--server-result", type=cli.file, metavar="FILE",
        help="with --test-dev: what the server answered, its JSON or its printed table, to be recorded",
    )  # fmt: skip
    cli.add_timeout_option(parser)
    cli.add_missing_option(parser)
    arguments = parser.parse_args(argv)
    if arguments.server_result and arguments.weights is None:
        raise InputError("--server-result needs --weights: what was evaluated, as the record names it")
    _add_source(arguments)
    entry = registry.entry_of(arguments.dataset)
    arguments.weights = arguments.weights or entry.default_weights
    if arguments.server_result:
        return arguments  # nothing is read but that
    if entry.needs_files and not (arguments.data_root or arguments.annotations):
        raise InputError(f"--dataset {entry.name} needs --data-root: the folder of its annotations and pictures")
    if arguments.test_dev and not arguments.detections:
        raise InputError("--test-dev goes with --dataset coco and --detections: its pictures come without boxes")
    return arguments


def _add_source(arguments: argparse.Namespace) -> None:
    """Which data set, and what ``--images`` means for it: a number, or a folder.

    Raises:
        InputError: an option that says how to draw people, and a set that is read; or what would have no effect.
    """
    arguments.pictures = None
    drawn = arguments.annotations is None and arguments.data_root is None
    if arguments.annotations is not None:
        arguments.pictures = None if arguments.images is None else cli.folder(arguments.images)
        arguments.images = None
    elif arguments.images is not None:
        try:
            arguments.images = cli.pictures(arguments.images)
        except argparse.ArgumentTypeError as error:
            raise InputError(f"argument --images: {error}; a folder of pictures goes with --annotations") from None
        if not drawn:
            raise InputError(
                "--images N says how many pictures to draw, and --data-root names a set that is there: --limit N "
                "takes its first N"
            )
    if arguments.seed is not None and not drawn:
        raise InputError("--seed is of people that are drawn, and this set is read: leave it out")
    if arguments.subset and arguments.detections is None:
        raise InputError("--subset is for boxes in other pictures: give --detections FILE with it")
    arguments.dataset = arguments.dataset or ("coco" if arguments.annotations is not None else "synthetic")
