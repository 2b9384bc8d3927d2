"""The ids of pictures in files in COCO's format: whole numbers, or texts that numbers stand for within this project."""

from collections.abc import Mapping

import numpy as np

from bench.core.arrays import Int64Array
from bench.data.json_files import Items, is_whole_text, shown

Texts = Mapping[str, int]
NOBODYS = -1  # of a text that is no picture's


def read_image_ids(images: Items) -> tuple[Int64Array, Texts]:
    """The id of each picture, ``[len(images)]``, and what texts the numbers stand for; none where the ids are numbers.

    Raises:
        InputError: some are neither.
    """
    given = [one.get("id") for one in images.values]
    if not all(isinstance(one, str) and one for one in given) or all(map(is_whole_text, given)):
        return images.integers("id"), {}
    texts: dict[str, int] = {}
    return np.array([texts.setdefault(str(one), len(texts) + 1) for one in given], np.int64), texts


def image_numbers(items: Items, texts: Texts) -> Int64Array:
    """The ``image_id`` of each item as the numbers of ``read_image_ids``, ``[len(items)]``.

    Raises:
        InputError: an item has none, or a number where texts are needed, or the other way round.
    """
    if not texts:
        return items.integers("image_id")
    given = [one.get("image_id") for one in items.values]
    for index, one in enumerate(given):
        if not isinstance(one, str):
            problem = "lacks image_id" if one is None else f"image_id is {shown(one)}, and the ids of images are texts"
            items.fail(index, problem)
    return np.array([texts.get(str(one), NOBODYS) for one in given], np.int64)
