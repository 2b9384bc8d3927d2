"""Crop and normalise everyone in a frame: the same pixels as ``bench.data.cropping``, to the bit, without its detours.

OpenCV 5 warps pixels of four channels faster than of three, to the same values. So the part of the frame that a person
fills gets a fourth channel first. Float32 values are looked up in a table of the 256 that there can be: nothing is
computed, and nothing copied, in floating point.
``benchmarks/pipeline_crops.py`` times this against other ways.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float32Array
from bench.core.errors import InputError
from bench.data.cropping import Normalisation

PADDING = 1.25  # of ``bench.data.cropping.box_to_crop``

Frame = npt.NDArray[np.uint8]  # BGR [H, W, 3], as OpenCV decodes it

# Place in memory, matrix from the frame to the crop, and the part of the frame that it shows: left, top; right, bottom.
_Person = tuple[int, npt.NDArray[np.floating], list[int], list[int]]


class Crops:
    """The people of a frame as a network's input ``[N, 3, H, W]``, in memory that the next frame overwrites.

    Args:
        input_size: height, width of the network's input.
        most: people that there is memory for.
        pixels: leave them uint8, for a runtime that normalises inside; otherwise float32, normalised.
        mirrored: make the mirror images as well.
        threads: that share the people; the caller's own is one of them.
        udp: sizes are measured between the centres of the outermost pixels, as ``bench.data.cropping.crop`` has it.
        how: the network wants its pixels normalised; by default as networks of the zoo do.
    """

    def __init__(
        self,
        input_size: tuple[int, int],
        most: int,
        *,
        pixels: bool = False,
        mirrored: bool = False,
        threads: int = 1,
        udp: bool = False,
        how: Normalisation | None = None,
    ) -> None:
        self.height, self.width = input_size
        self.most, self.pixels, self.udp = most, pixels, udp
        how = how or Normalisation()
        self.tables = tables(how.mean, how.std)
        self.with_alpha = cv2.COLOR_BGR2BGRA if how.channels == "BGR" else cv2.COLOR_BGR2RGBA
        self.frame = np.zeros((0, 0, 4), np.uint8)  # the frame with a fourth channel, where people are
        self.planes = np.zeros((most, 3, self.height, self.width), np.uint8)
        self.images: npt.NDArray[Any] = self.planes if pixels else np.zeros(self.planes.shape, np.float32)
        self.mirrors: npt.NDArray[Any] | None = np.zeros_like(self.images) if mirrored else None
        # What a thread works in: of one person, so that it stays in the processor's cache.
        self.scratch = [
            (np.zeros((self.height, self.width, 4), np.uint8), np.zeros((self.height, self.width), np.uint8))
            for _ in range(max(threads, 1))
        ]
        self.others = ThreadPoolExecutor(threads - 1) if threads > 1 else None

    def fill(self, frame: Frame, boxes: npt.NDArray[np.float64], start: int = 0) -> tuple[Float32Array, Float32Array]:
        """Crop everyone into ``images``, and their mirror images into ``mirrors``.

        Args:
            frame: BGR uint8 ``[H, W, 3]``.
            boxes: ``[N, 4]`` x, y, width, height in pixels; they may lie outside the frame, which is black there.
            start: place in memory of the first one.

        Returns:
            Centres ``[N, 2]`` and sizes ``[N, 2]`` of the crops, in pixels of the frame.

        Raises:
            InputError: more people than there is memory for, or a box that is none.
        """
        if start + len(boxes) > self.most:
            raise InputError(f"{start + len(boxes)} people are more than the {self.most} that there is memory for")
        centers, sizes = regions(boxes, self.height, self.width)
        matrices = self._matrices(centers.astype(np.float64), sizes.astype(np.float64))
        if self.frame.shape[:2] != frame.shape[:2]:
            self.frame = np.zeros((*frame.shape[:2], 4), np.uint8)
        low = np.clip(np.floor(centers - sizes / 2) - 1, 0, frame.shape[1::-1]).astype(int)
        high = np.clip(np.ceil(centers + sizes / 2) + 2, 0, frame.shape[1::-1]).astype(int)
        people = list(zip(range(start, start + len(boxes)), matrices, low.tolist(), high.tolist(), strict=True))
        # A task for each thread costs less than one for each person.
        share = max(1, -(-len(people) // len(self.scratch)))
        waiting = [
            self.others.submit(self._share, frame, people[begin : begin + share], scratch)
            for begin, scratch in zip(range(share, len(people), share), self.scratch[1:], strict=False)
            if self.others is not None
        ]
        self._share(frame, people[:share], self.scratch[0])
        for one in waiting:
            one.result()
        return centers, sizes

    def _matrices(
        self, centers: npt.NDArray[np.float64], sizes: npt.NDArray[np.float64]
    ) -> npt.NDArray[np.floating]:  # fmt: skip
        """From the frame to each crop, ``[N, 2, 3]``."""
        if self.udp:
            scales = np.array([self.width - 1, self.height - 1]) / sizes
            middles = scales * sizes / 2
        else:
            scales = np.repeat(self.width / sizes[:, :1], 2, 1)
            middles = np.array([[self.width / 2, self.height / 2]])
        matrices = np.zeros((len(sizes), 2, 3))
        matrices[:, 0, 0], matrices[:, 1, 1] = scales.T
        matrices[:, :, 2] = middles - scales * centers
        return matrices.astype(np.float32) if self.udp else matrices

    def _share(self, frame: Frame, people: Sequence[_Person], scratch: tuple[Frame, Frame]) -> None:
        """Some of the people, one after another."""
        warped, alpha = scratch
        for number, matrix, (left, top), (right, bottom) in people:
            if left < right and top < bottom:
                part = slice(top, bottom), slice(left, right)
                cv2.cvtColor(frame[part], self.with_alpha, dst=self.frame[part])
            cv2.warpAffine(self.frame, matrix, (self.width, self.height), dst=warped, flags=cv2.INTER_LINEAR)
            planes, image = self.planes[number], self.images[number]
            cv2.split(warped, [*planes, alpha])
            if not self.pixels:
                for plane, table, values in zip(planes, self.tables, image, strict=True):
                    cv2.LUT(plane, table, dst=values)
            if self.mirrors is not None:
                cv2.flip(image.reshape(-1, self.width), 1, dst=self.mirrors[number].reshape(-1, self.width))

    def close(self) -> None:
        """End its threads."""
        if self.others is not None:
            self.others.shutdown()


def tables(mean: Sequence[float], std: Sequence[float]) -> list[Float32Array]:
    """Normalised values of the 256 levels of red, green and blue, as ``bench.data.cropping.normalise`` has them."""
    levels = np.arange(256, dtype=np.float32) / np.float32(255)
    return [(levels - np.float32(m)) / np.float32(s) for m, s in zip(mean, std, strict=True)]


def regions(boxes: npt.NDArray[np.float64], height: int, width: int) -> tuple[Float32Array, Float32Array]:
    """``bench.data.cropping.box_to_crop`` for all boxes ``[N, 4]`` at once: centres and sizes ``[N, 2]``, float32.

    Raises:
        InputError: a box is not four finite numbers with a width or height above 0.
    """
    found = np.asarray(boxes, np.float64).reshape(-1, 4)
    good = np.isfinite(found).all(1) & (found[:, 2:].min(1) >= 0) & (found[:, 2:].max(1) > 0)
    if not good.all():
        bad = found[np.flatnonzero(~good)[0]].tolist()
        raise InputError(f"{bad} is no box: x, y, width and height are needed, finite and above 0")
    aspect = width / height
    wide = found[:, 2] > aspect * found[:, 3]
    sizes = np.stack(
        (np.where(wide, found[:, 2], found[:, 3] * aspect), np.where(wide, found[:, 2] / aspect, found[:, 3])), 1
    )
    centers = found[:, :2] + found[:, 2:] * 0.5
    return centers.astype(np.float32), sizes.astype(np.float32) * np.float32(PADDING)
