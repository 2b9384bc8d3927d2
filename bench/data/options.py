"""The options of ``python -m bench.data``."""

import argparse
from collections.abc import Callable

from bench import cli

KINDS = ("scenes", "portraits")
on_a_sheet = cli.whole_number("a number of pictures on one sheet", 1, 800)  # a JPEG ends at 65,500 rows of pixels


def parse(argv: list[str]) -> argparse.Namespace:
    commands = {
        "synthetic": ("write it in COCO's layout", _synthetic),
        "sheet": ("draw pictures of it side by side", _sheet),
    }
    return cli.parse_subcommand("data", "Write the synthetic data set, or look at it.", commands, argv)


def _synthetic() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "data synthetic", "Draw people from a seed and write them in COCO's layout and format.", records=False
    )
    parser.add_argument("--out", type=cli.writable_folder, required=True, metavar="DIR", help="folder of the data set")
    _add_choice(parser, 200, cli.pictures)
    return parser


def _sheet() -> argparse.ArgumentParser:
    parser = cli.make_parser(
        "data sheet", "Draw pictures side by side with the skeletons: the person's left blue, right orange, hidden "
        "joints hollow.", records=False,
    )  # fmt: skip
    parser.add_argument("--out", type=cli.writable_file, required=True, metavar="FILE.png|FILE.jpg")
    _add_choice(parser, 12, on_a_sheet)
    parser.add_argument("--no-skeletons", action="store_true", help="the pictures alone")
    return parser


def _add_choice(parser: argparse.ArgumentParser, images: int, number: Callable[[str], int]) -> None:
    parser.add_argument("--images", type=number, default=images, metavar="N", help="how many pictures")
    parser.add_argument("--seed", type=cli.seed, default=0, help="a whole number: the same one draws the same pictures")
    parser.add_argument(
        "--kind", choices=KINDS, default="scenes",
        help="scenes: several people a picture, as for evaluation; portraits: one, as for training",
    )  # fmt: skip
    more = parser.add_mutually_exclusive_group()
    more.add_argument(
        "--feet", dest="variant", action="store_const", const="feet", default="body",
        help="label big toes, small toes and heels too: 23 joints",
    )  # fmt: skip
    more.add_argument(
        "--hands", dest="variant", action="store_const", const="hands", default="body",
        help="draw fingers, and label those of the feet and the tips of thumb, forefinger and little finger: 29 joints",
    )  # fmt: skip
