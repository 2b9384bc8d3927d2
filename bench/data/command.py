"""``python -m bench.data``: write the synthetic data set, or look at it."""

import argparse

import cv2
import numpy as np

from bench import cli
from bench.core.errors import InputError
from bench.core.files import write_whole
from bench.core.skeletons import Skeleton
from bench.data.dataset import Picture
from bench.data.synthetic import writing
from bench.data.synthetic.dataset import DRAW
from bench.data.synthetic.picture import Scene
from bench.data.synthetic.variants import SKELETONS
from bench.drawing import draw_skeleton, sheet

# Columns of a contact sheet, and width and height of its cells.
LAYOUT = {"scenes": (4, (400, 320)), "portraits": (6, (252, 280))}


def main(arguments: argparse.Namespace) -> int:
    commands = {"synthetic": synthetic, "sheet": contact_sheet}
    return commands[arguments.command](arguments)


def synthetic(arguments: argparse.Namespace) -> int:
    """Write pictures and annotations as files."""
    try:
        with cli.counter(arguments.images, "pictures", shown=not arguments.quiet) as step:
            target = writing.write(
                arguments.out, arguments.images, arguments.seed, arguments.kind, step, arguments.variant
            )
    except KeyboardInterrupt:
        raise KeyboardInterrupt(
            "interrupted: the finished pictures are kept, the same command goes on from there"
        ) from None
    print(target)
    return 0


def contact_sheet(arguments: argparse.Namespace) -> int:
    """Draw a contact sheet with the skeletons."""
    if arguments.out.suffix.lower() not in (".png", ".jpg"):
        raise InputError(f"--out {arguments.out}: give a name that ends in .png or .jpg")
    columns, cell = LAYOUT[arguments.kind]
    scenes = (DRAW[arguments.kind](arguments.seed, index, arguments.variant) for index in range(arguments.images))
    skeleton = None if arguments.no_skeletons else SKELETONS[arguments.variant]
    tiles = [tile(scene, cell, skeleton) for scene in scenes]
    page = sheet(tiles, columns=columns, cell=cell)
    quality = (cv2.IMWRITE_JPEG_QUALITY, 85)
    suffix = arguments.out.suffix.lower()
    encoded = cv2.imencode(suffix, page[:, :, ::-1], quality if suffix == ".jpg" else ())[1]
    write_whole(arguments.out, encoded.tobytes())
    print(arguments.out)
    return 0


def tile(scene: Scene, cell: tuple[int, int], skeleton: Skeleton | None) -> Picture:
    """A picture in the size of its cell (width, height); with a skeleton, its people are drawn, crowds in a frame."""
    scale = min(cell[0] / scene.image.shape[1], cell[1] / scene.image.shape[0])
    size = round(scene.image.shape[1] * scale), round(scene.image.shape[0] * scale)
    picture = np.asarray(cv2.resize(scene.image, size, interpolation=cv2.INTER_AREA), np.uint8)
    if skeleton is None:
        return picture
    for annotation in scene.annotations:
        x, y, width, height = (round(value * scale) for value in annotation["bbox"])
        if annotation["iscrowd"]:
            cv2.rectangle(picture, (x, y), (x + width, y + height), (255, 255, 0), 1)
        joints = np.array(annotation["keypoints"], np.float64).reshape(-1, 3) * (scale, scale, 1)
        labelled = joints[:, 2] > 0
        drawn = np.column_stack((joints[:, :2], labelled))
        draw_skeleton(picture, drawn, skeleton, size=80, hollow=(joints[:, 2] == 1).tolist())
    return picture
