"""The options of ``python -m bench.export``."""

import argparse
from pathlib import Path

from bench import cli
from bench.export.formats import FORMATS

FOLDER = Path("exports")


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("export", "Write a network to a file that runs without this project.", records=False)
    parser.add_argument(
        "--model", required=True, metavar="NAME",
        help="of the zoo, simplebaseline:timm/NAME, lightweight:timm/NAME, or a factory of your own as "
        "path/to/file.py:function or package.module:function, or a model file: a checkpoint, or an ONNX file",
    )  # fmt: skip
    cli.add_model_info_option(parser)
    parser.add_argument("--weights", metavar="FILE|published|bundled|random", help="of a network that is no file")
    parser.add_argument("--format", required=True, metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument(
        "--input", metavar="HxW", help="height x width (default: 256x192; bundled weights: what they were trained with)"
    )
    cli.add_joints_option(parser)
    cli.add_skeleton_option(parser, "of the network's joints, where the weights do not name them")
    parser.add_argument("--dynamic-batch", action="store_true", help="take any number of images, not one")
    parser.add_argument("--int8", action="store_true", help="quantise, calibrated on drawn people (onnx, openvino)")
    parser.add_argument(
        "--out", type=cli.writable_file, metavar="FILE", help=f"default: the model's name and input, in {FOLDER}/"
    )
    cli.add_timeout_option(parser)
    return parser.parse_args(argv)
