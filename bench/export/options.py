"""The options of ``python -m bench.export``."""

import argparse
from pathlib import Path

from bench import cli
from bench.export.formats import FORMATS
from bench.weights import default_input


def parse(argv: list[str]) -> argparse.Namespace:
    parser = cli.make_parser("export", "Write a network to a file that runs without this project.", records=False)
    parser.add_argument(
        "--model", required=True, metavar="NAME",
        help="of the zoo, simplebaseline:timm/NAME, lightweight:timm/NAME, or a factory of your own as "
        "path/to/file.py:function or package.module:function",
    )  # fmt: skip
    parser.add_argument("--weights", required=True, metavar="FILE|published|bundled|random")
    parser.add_argument("--format", required=True, metavar="NAME", help=", ".join(FORMATS))
    parser.add_argument(
        "--input", metavar="HxW", help="height x width (default: 256x192; bundled weights: what they were trained with)"
    )
    parser.add_argument("--joints", type=cli.count, default=17, help="heatmaps of a network of the zoo")
    parser.add_argument("--dynamic-batch", action="store_true", help="take any number of images, not one")
    parser.add_argument("--int8", action="store_true", help="quantise, calibrated on drawn people (onnx, openvino)")
    parser.add_argument("--out", type=Path, metavar="FILE", help="default: the model's name and input, here")
    arguments = parser.parse_args(argv)
    arguments.input = arguments.input or default_input(arguments.weights, arguments.model, "256x192")
    return arguments
