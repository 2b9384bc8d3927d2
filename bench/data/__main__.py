"""``python -m bench.data``: write the synthetic data set, or look at it."""

import argparse
from pathlib import Path

from bench import InputError, cli
from bench.data.synthetic import sheet, writing
from bench.data.synthetic.dataset import DRAW

# Columns of a contact sheet, and width and height of its cells.
LAYOUT = {"scenes": (4, (400, 320)), "portraits": (6, (252, 280))}


def main(argv: list[str]) -> int:
    commands = {"synthetic": synthetic, "sheet": contact_sheet}
    if not argv or argv[0] not in commands:
        parser = cli.make_parser("data", "Write the synthetic data set, or look at it.", records=False)
        parser.add_argument(
            "command", choices=list(commands),
            help="synthetic: write it in COCO's layout; sheet: draw pictures of it side by side "
            "(python -m bench.data COMMAND --help says more)",
        )  # fmt: skip
        parser.parse_args(argv)
    return commands[argv[0]](argv[1:])


def synthetic(argv: list[str]) -> int:
    """Write pictures and annotations as files."""
    parser = cli.make_parser(
        "data synthetic", "Draw people from a seed and write them in COCO's layout and format.", records=False
    )
    parser.add_argument("--out", type=Path, required=True, metavar="DIR", help="folder of the data set")
    _add_choice(parser, 200)
    arguments = parser.parse_args(argv)
    try:
        with cli.counter(arguments.images, "pictures", shown=not arguments.quiet) as step:
            target = writing.write(arguments.out, arguments.images, arguments.seed, arguments.kind, step)
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished pictures are kept, the same command goes on from there"
        ) from None
    print(target)
    return 0


def contact_sheet(argv: list[str]) -> int:
    """Draw a contact sheet with the skeletons."""
    parser = cli.make_parser(
        "data sheet", "Draw pictures side by side with the skeletons: the person's left orange, right blue, hidden "
        "joints hollow.", records=False,
    )  # fmt: skip
    parser.add_argument("--out", type=Path, required=True, metavar="FILE.png")
    _add_choice(parser, 12)
    parser.add_argument("--no-skeletons", action="store_true", help="the pictures alone")
    arguments = parser.parse_args(argv)
    if arguments.out.suffix.lower() != ".png":
        raise InputError(f"--out {arguments.out}: give a name that ends in .png")
    scenes = [DRAW[arguments.kind](arguments.seed, index) for index in range(arguments.images)]
    page = sheet.sheet(scenes, *LAYOUT[arguments.kind], skeletons=not arguments.no_skeletons)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    writing.replace(arguments.out, sheet.png(page))
    print(arguments.out)
    return 0


def _add_choice(parser: argparse.ArgumentParser, images: int) -> None:
    parser.add_argument("--images", type=cli.positive, default=images, metavar="N", help="how many pictures")
    parser.add_argument("--seed", type=_seed, default=0, help="a whole number: the same one draws the same pictures")
    parser.add_argument(
        "--kind", choices=list(DRAW), default="scenes",
        help="scenes: several people a picture, as for evaluation; portraits: one, as for training",
    )  # fmt: skip


def _seed(text: str) -> int:
    if text.isdecimal():
        return int(text)
    raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0")


if __name__ == "__main__":
    cli.run(main)
