"""The options of ``python -m bench.predict``."""

import argparse

from bench import cli


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser(
        "predict", "Draw the joints that a network finds on pictures; blue is the person's left, orange the right, "
        "and the fainter, the less sure.", records=False,
    )  # fmt: skip
    parser.add_argument("images", nargs="+", type=cli.file, metavar="IMAGE", help="pictures, or folders of them")
    parser.add_argument("--model", default="lightweight_mobilenetv3", metavar="NAME", help="as --models of bench.speed")
    cli.add_model_info_option(parser)
    parser.add_argument(
        "--weights", default="bundled", metavar="FILE|published|bundled|own|random",
        help="a checkpoint, what was published, what comes with the project (not for photographs), own: those that "
        "your factory has loaded itself, or random numbers",
    )  # fmt: skip
    parser.add_argument(
        "--boxes", type=cli.file, metavar="FILE",
        help="where the people are: picture names with lists of x, y, width, height, or COCO's detections or "
        "annotations, all JSON; without it, the whole picture is one person",
    )  # fmt: skip
    parser.add_argument("--out", type=cli.writable_folder, required=True, metavar="DIR", help="folder of the results")
    parser.add_argument(
        "--input", metavar="HxW", help="height x width (default: 256x192; bundled weights: what they were trained with)"
    )
    parser.add_argument(
        "--joints", type=cli.joints,
        help="number of joints of the network (default: what the weights or --skeleton say, or 17 of COCO)",
    )  # fmt: skip
    cli.add_skeleton_option(parser, "of the network's joints, where the weights do not name them")
    parser.add_argument(
        "--threshold", type=cli.confidence, default=0.2, help="joints below this confidence are not drawn"
    )
    parser.add_argument("--no-flip", action="store_true", help="without averaging over the mirrored picture")
    cli.add_device_option(parser)
    parser.add_argument("--category", metavar="NAME", help="of the people in a COCO annotation file (default: person)")
    parser.add_argument("--skip-bad", type=cli.tolerated, default=0, metavar="N", help="leave out up to N bad pictures")
    parser.add_argument("--batch", type=cli.batch, default=8, help="people at a time")
    cli.add_timeout_option(parser)
    return parser.parse_args(argv)
