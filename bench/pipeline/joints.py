"""From a network's output to joints, by the functions of ``bench.accuracy``, so that accuracy is the same."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from bench.codecs.decoding import decode
from bench.codecs.flip import flip_average
from bench.core.errors import InputError
from bench.core.skeletons import Skeleton

Arrays = Sequence[npt.NDArray[Any]]


def joints_of(
    outputs: Arrays,
    mirrored: Arrays | None,
    centers: npt.NDArray[np.float32],
    sizes: npt.NDArray[np.float32],
    skeleton: Skeleton,
) -> npt.NDArray[np.float64]:
    """Everybody's joints, ``[N, J, 3]``: x, y in pixels of the frame and confidence.

    Args:
        outputs: of the network for the crops: heatmaps ``[N, J, h, w]``.
        mirrored: the same for their mirror images, to be averaged with; None without the flip test.
        centers: ``[N, 2]`` of the crops in pixels.
        sizes: ``[N, 2]`` likewise.
        skeleton: whose joints they are.

    Raises:
        InputError: outputs that are no heatmaps of these joints.
    """
    if len(outputs) != 1 or outputs[0].ndim != 4 or outputs[0].shape[1] != len(skeleton.joints):
        shapes = " and ".join("x".join(map(str, one.shape[1:])) for one in outputs)
        raise InputError(f"the network gives {shapes} a person: {len(skeleton.joints)} heatmaps are needed")
    heatmaps: Any = outputs[0]
    if mirrored is not None:
        heatmaps = flip_average(torch.from_numpy(heatmaps), torch.from_numpy(mirrored[0]), skeleton.flip_pairs)
    places, scores = decode(heatmaps, centers, sizes)
    return np.concatenate((places, scores[..., None]), 2)
