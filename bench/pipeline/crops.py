"""Crop and normalise everyone in a frame: the same pixels as ``bench.data.cropping``, to the bit, without its detours.

Pixels go straight from the frame into the memory that the network reads. Its float32 values are looked up in a table
of the 256 that there can be, so nothing is computed, and nothing copied, in floating point.
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
        self.order = slice(None) if how.channels == "BGR" else slice(None, None, -1)
        self.planes = np.zeros((most, 3, self.height, self.width), np.uint8)
        self.images: npt.NDArray[Any] = self.planes if pixels else np.zeros(self.planes.shape, np.float32)
        self.mirrors: npt.NDArray[Any] | None = np.zeros_like(self.images) if mirrored else None
        # What a thread works in: of one person, so that it stays in the processor's cache.
        self.warped = [np.zeros((self.height, self.width, 3), np.uint8) for _ in range(max(threads, 1))]
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
        share = max(1, -(-len(boxes) // len(self.warped)))  # a task for each thread costs less than one for each person
        waiting = [
            self.others.submit(self._share, frame, matrices[begin : begin + share], start + begin, warped)
            for begin, warped in zip(range(share, len(boxes), share), self.warped[1:], strict=False)
            if self.others is not None
        ]
        self._share(frame, matrices[:share], start, self.warped[0])
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

    def _share(self, frame: Frame, matrices: npt.NDArray[np.floating], start: int, warped: Frame) -> None:
        """Some of the people, one after another."""
        for number, matrix in enumerate(matrices, start):
            cv2.warpAffine(frame, matrix, (self.width, self.height), dst=warped, flags=cv2.INTER_LINEAR)
            planes, image = self.planes[number], self.images[number]
            cv2.split(warped, list(planes[self.order]))
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
