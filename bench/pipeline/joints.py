"""From a network's output to joints, by the functions of ``bench.codecs``, so that accuracy is that of evaluation."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from bench.codecs.codec import Codec
from bench.core.errors import InputError
from bench.core.skeletons import Skeleton

Arrays = Sequence[npt.NDArray[Any]]


def check_outputs(outputs: Arrays, joints: int, codec: Codec) -> None:
    """Raise ``InputError`` unless outputs are of so many joints, in the form of the codec."""
    if not codec.fits([output.shape for output in outputs], joints):
        shapes = " and ".join("x".join(map(str, one.shape[1:])) for one in outputs)
        raise InputError(f"the network gives {shapes} a person: {codec.describe(joints)} are needed")


def joints_of(
    outputs: Arrays,
    mirrored: Arrays | None,
    centers: npt.NDArray[np.float32],
    sizes: npt.NDArray[np.float32],
    skeleton: Skeleton,
    codec: Codec,
) -> npt.NDArray[np.float64]:
    """Everybody's joints, ``[N, J, 3]``: x, y in pixels of the frame and confidence.

    Args:
        outputs: of the network for the crops, as its codec has them.
        mirrored: the same for their mirror images, to be averaged with; None without the flip test.
        centers: ``[N, 2]`` of the crops in pixels.
        sizes: ``[N, 2]`` likewise.
        skeleton: whose joints they are.
        codec: of the network.

    Raises:
        InputError: outputs that are none of these joints.
    """
    check_outputs(outputs, len(skeleton.joints), codec)
    found = list(outputs)
    if mirrored is not None:
        found = codec.flip_average(found, list(mirrored), skeleton.flip_pairs)
    places, scores = codec.decode(found, centers, sizes, codec.decoding)
    return np.concatenate((places, scores[..., None]), 2)
