"""The functions of each kind of output: crops, targets, losses, the flip test and decoding.

``codec_of(model, size)`` gives the codec of a network: what it sees, how joints are written down for it to learn, and
how they are read from what it gives. Commands go through the codec and never ask for the kind. The table of the kinds
is ``bench.core.output_kinds``.
"""

import abc
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from bench.codecs.decoding import decode, decode_coordinates, decode_simcc
from bench.codecs.flip import flip_average, flip_average_coordinates, flip_average_simcc
from bench.codecs.losses import (
    coordinate_accuracy,
    coordinate_loss,
    heatmap_accuracy,
    heatmap_loss,
    keypoint_mse,
    simcc_accuracy,
    simcc_loss,
)
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS, OutputKind, output_kind
from bench.data.cropping import crop
from bench.data.dataset import Picture
from bench.data.target import make_coordinate_target, make_simcc_target, make_target, make_udp_target

Arrays = list[npt.NDArray[np.float32]]
Target = Tensor | tuple[Tensor, ...]  # of the structure that the network gives
Located = tuple[npt.NDArray[np.float64], npt.NDArray[np.float32]]


@dataclass(frozen=True)
class Codec(abc.ABC):
    """How a network sees people and says where their joints are."""

    input_size: tuple[int, int]  # height, width
    udp: bool = False  # crops of unbiased data processing: sizes between the centres of the outermost pixels
    split_ratio: float = 2.0  # bins a pixel of the input, where there are bins

    name: ClassVar[str]  # of the kind

    @property
    def kind(self) -> OutputKind:
        return KINDS[self.name]

    @property
    def decoding(self) -> str:
        """The usual way from its output to joints."""
        return self.kind.decodings_of(udp=self.udp)[0]

    def crop(
        self, picture: Picture, center: npt.ArrayLike, size_px: npt.ArrayLike, rotation: float = 0
    ) -> tuple[Picture, npt.NDArray[np.floating]]:
        """What the network sees of a picture, and the matrix that leads there (``bench.data.crop``)."""
        return crop(picture, center, size_px, self.input_size, rotation, udp=self.udp)

    def fits(self, shapes: Sequence[tuple[int, ...]], joints: int) -> bool:
        """Whether a network's output is of this kind and for so many joints, by the shapes of its tensors."""
        wanted = self.wanted(joints)
        return len(shapes) == len(wanted) and all(
            len(found) == 1 + len(allowed)
            and all(size > 0 and size in (sizes or (size,)) for size, sizes in zip(found[1:], allowed, strict=True))
            for found, allowed in zip(shapes, wanted, strict=True)
        )

    @abc.abstractmethod
    def wanted(self, joints: int) -> list[tuple[tuple[int, ...], ...]]:
        """Of each array for one image, the sizes that each dimension may have; none given: any."""

    @abc.abstractmethod
    def describe(self, joints: int) -> str:
        """What is needed for so many joints, in words."""

    def trained_shapes(self, joints: int) -> list[list[tuple[int, ...]]]:
        """What a network to be trained gives for one image, each possibility a list of shapes; as its targets have."""
        target, _ = self.target(np.zeros((joints, 2)), np.zeros(joints), (1.0, 1.0), self.kind.losses[0])
        return [[(1, *one.shape) for one in (target if isinstance(target, tuple) else (target,))]]

    @abc.abstractmethod
    def flip_average(self, outputs: Arrays, mirrored: Arrays, flip_pairs: Sequence[tuple[int, int]]) -> Arrays:
        """The mean of an output and that for the mirrored input."""

    @abc.abstractmethod
    def decode(self, outputs: Arrays, centers: npt.ArrayLike, sizes: npt.ArrayLike, decoding: str) -> Located:
        """Coordinates ``[N, J, 2]`` in image pixels and scores ``[N, J]``."""

    def oddity(self, outputs: Arrays) -> str:
        """What makes it likely that the output is not what it was declared to be; empty where nothing does."""
        return ""

    @abc.abstractmethod
    def target(
        self, joints: npt.ArrayLike, visible: npt.ArrayLike, sigmas: tuple[float, float], loss: str
    ) -> tuple[Target, Tensor]:
        """What to learn for joints ``[J, 2]`` in pixels of the crop, and weights ``[J]``.

        Args:
            sigmas: of the Gaussians along x and y, in pixels of a heatmap or in bins.
            loss: one of the kind's losses: some go with targets of their own.
        """

    @abc.abstractmethod
    def loss(self, prediction: Any, target: Any, weight: Tensor, kind: str) -> Tensor:
        """A scalar to make small; ``kind`` is one of the kind's losses."""

    @abc.abstractmethod
    def accuracy(self, prediction: Any, target: Any, weight: Tensor) -> Tensor:
        """The share of joints that are near, to watch a training by."""


class HeatmapCodec(Codec):
    """One map for each joint, a quarter of the input's size or any other."""

    name = "heatmap"

    def wanted(self, joints: int) -> list[tuple[tuple[int, ...], ...]]:
        return [((joints,), (), ())]

    def describe(self, joints: int) -> str:
        return f"{joints} heatmaps"

    def flip_average(self, outputs: Arrays, mirrored: Arrays, flip_pairs: Sequence[tuple[int, int]]) -> Arrays:
        # In a UDP crop the mirror image comes back to where it was; in others it is a pixel off.
        maps, theirs = torch.from_numpy(outputs[0]), torch.from_numpy(mirrored[0])
        return [flip_average(maps, theirs, flip_pairs, shift=not self.udp).numpy()]

    def decode(self, outputs: Arrays, centers: npt.ArrayLike, sizes: npt.ArrayLike, decoding: str) -> Located:
        return decode(outputs[0], centers, sizes, decoding)

    def target(
        self, joints: npt.ArrayLike, visible: npt.ArrayLike, sigmas: tuple[float, float], loss: str
    ) -> tuple[Target, Tensor]:
        make = make_udp_target if self.udp else make_target
        heatmaps, weights = make(joints, visible, self.input_size, sigmas[1])
        return torch.from_numpy(heatmaps), torch.from_numpy(weights)

    def loss(self, prediction: Any, target: Any, weight: Tensor, kind: str) -> Tensor:
        if kind == "keypoint_mse":
            return keypoint_mse(prediction, target, weight)
        return heatmap_loss(prediction, target, weight, kind)

    def accuracy(self, prediction: Any, target: Any, weight: Tensor) -> Tensor:
        return heatmap_accuracy(prediction, target, weight)


class SimccCodec(Codec):
    """Scores of every bin along x and along y."""

    name = "simcc"

    @property
    def bins(self) -> tuple[int, int]:
        """Along x and along y."""
        height, width = self.input_size
        return round(width * self.split_ratio), round(height * self.split_ratio)

    def wanted(self, joints: int) -> list[tuple[tuple[int, ...], ...]]:
        return [((joints,), (size,)) for size in self.bins]

    def describe(self, joints: int) -> str:
        x, y = self.bins
        return f"{joints} vectors of {x} bins along x and as many of {y} along y"

    def flip_average(self, outputs: Arrays, mirrored: Arrays, flip_pairs: Sequence[tuple[int, int]]) -> Arrays:
        (x, y), (their_x, their_y) = ([torch.from_numpy(one) for one in both] for both in (outputs, mirrored))
        return [one.numpy() for one in flip_average_simcc((x, y), (their_x, their_y), flip_pairs)]

    def decode(self, outputs: Arrays, centers: npt.ArrayLike, sizes: npt.ArrayLike, decoding: str) -> Located:
        return decode_simcc(outputs[0], outputs[1], centers, sizes)

    def target(
        self, joints: npt.ArrayLike, visible: npt.ArrayLike, sigmas: tuple[float, float], loss: str
    ) -> tuple[Target, Tensor]:
        x, y, weights = make_simcc_target(
            joints, visible, self.input_size, sigmas, split_ratio=self.split_ratio, normalised=loss == "kl"
        )
        return (torch.from_numpy(x), torch.from_numpy(y)), torch.from_numpy(weights)

    def loss(self, prediction: Any, target: Any, weight: Tensor, kind: str) -> Tensor:
        return simcc_loss(prediction, target, weight, sharp=kind == "kl_sharp")

    def accuracy(self, prediction: Any, target: Any, weight: Tensor) -> Tensor:
        return simcc_accuracy(prediction, target, weight)


class CoordinateCodec(Codec):
    """x and y as shares of the input's width and height, and a score where there are three numbers."""

    name = "coordinates"

    def wanted(self, joints: int) -> list[tuple[tuple[int, ...], ...]]:
        return [((joints,), (2, 3))]

    def describe(self, joints: int) -> str:
        return f"{joints} x 2 coordinates, or {joints} x 3 with scores"

    def trained_shapes(self, joints: int) -> list[list[tuple[int, ...]]]:
        return [[(1, joints, 2)], [(1, joints, 3)]]

    def oddity(self, outputs: Arrays) -> str:
        if np.median(np.abs(outputs[0][..., :2])) <= 2:
            return ""
        return "gives coordinates far outside the crop: shares of its width and height, from 0 to 1, are needed"

    def flip_average(self, outputs: Arrays, mirrored: Arrays, flip_pairs: Sequence[tuple[int, int]]) -> Arrays:
        given, theirs = torch.from_numpy(outputs[0]), torch.from_numpy(mirrored[0])
        return [flip_average_coordinates(given, theirs, flip_pairs, self.input_size[1]).numpy()]

    def decode(self, outputs: Arrays, centers: npt.ArrayLike, sizes: npt.ArrayLike, decoding: str) -> Located:
        return decode_coordinates(outputs[0], centers, sizes)

    def target(
        self, joints: npt.ArrayLike, visible: npt.ArrayLike, sigmas: tuple[float, float], loss: str
    ) -> tuple[Target, Tensor]:
        coordinates, weights = make_coordinate_target(joints, visible, self.input_size)
        return torch.from_numpy(coordinates), torch.from_numpy(weights)

    def loss(self, prediction: Any, target: Any, weight: Tensor, kind: str) -> Tensor:
        return coordinate_loss(prediction, target, weight)

    def accuracy(self, prediction: Any, target: Any, weight: Tensor) -> Tensor:
        return coordinate_accuracy(prediction, target, weight)


CODECS: dict[str, type[Codec]] = {codec.name: codec for codec in (HeatmapCodec, SimccCodec, CoordinateCodec)}
assert list(CODECS) == list(KINDS)


def codec_of(model: object, input_size: tuple[int, int], who: str = "the network") -> Codec:
    """The codec that a network declares by its attributes ``output_kind``, ``udp`` and ``split_ratio``.

    Networks of the zoo have them from their cards. A module of your own without them gives heatmaps of plain crops.

    Args:
        model: a module.
        input_size: height, width.
        who: for messages.

    Raises:
        InputError: no such kind, or an attribute that cannot be what it is called.
    """
    kind = output_kind(str(getattr(model, "output_kind", "heatmap")), who)
    udp, ratio = getattr(model, "udp", False), getattr(model, "split_ratio", 2.0)
    if not isinstance(udp, bool):
        raise InputError(f"{who} declares udp {udp!r}: give True or False")
    if not isinstance(ratio, (int, float)) or not 0 < ratio < float("inf"):
        raise InputError(f"{who} declares split_ratio {ratio!r}: give the number of bins a pixel, such as 2.0")
    return CODECS[kind.name](input_size, udp, float(ratio))
