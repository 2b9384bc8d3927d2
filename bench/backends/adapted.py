"""A file made elsewhere, run as this project's own files are: one input of one form, outputs in a known order."""

from __future__ import annotations  # this file is read by Python 3.9 too

import json
from collections.abc import Mapping
from contextlib import AbstractContextManager

import numpy as np

from bench.backends.session import Session
from bench.core.errors import InputError
from bench.timing.clock import Inference

MARK = "input_type"  # is in the metadata of a file made elsewhere, and of no other


def adapted(session: Session, metadata: Mapping[str, str]) -> Session:
    """A session that takes float32 ``[N, 3, H, W]`` and gives the outputs that the metadata of the artifact name.

    Args:
        session: of the file.
        metadata: of the artifact; sessions of what this project built are returned as they are.

    Raises:
        InputError: the file lacks an output that is named.
    """
    return _Adapted(session, metadata) if MARK in metadata else session


class _Adapted(Session):
    """What is timed (``bind``) is the file alone, on an input that already has its form."""

    def __init__(self, session: Session, metadata: Mapping[str, str]) -> None:
        self.session = session
        self.note, self.from_cache = session.note, session.from_cache
        self.inputs, self.outputs, self.metadata = session.inputs, session.outputs, session.metadata
        self.type = np.dtype(metadata[MARK])
        self.channels_last = metadata.get("layout") == "NHWC"
        self.batch = json.loads(metadata.get("file_batch", "null"))
        self.joints = json.loads(metadata.get("num_joints", "null"))
        self.wanted = tuple(json.loads(metadata.get("output_names", "[]")))
        missing = [name for name in self.wanted if name not in session.outputs]
        if missing and len(self.wanted) != len(session.outputs):  # a converter may rename them, and keeps their order
            raise InputError(f"there is no output {missing[0]!r}: the file has {', '.join(session.outputs)}")
        self.chosen = [] if missing else [session.outputs.index(name) for name in self.wanted]

    def prepare(self, images: np.ndarray) -> None:
        self.session.prepare(self._parts(images)[0])
        self.note, self.from_cache = self.session.note, self.session.from_cache

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        found = [self.session.run(part) for part in self._parts(images)]
        cut = self.batch not in (None, len(images))
        whole = [np.concatenate(one)[: len(images)] if cut else one[0] for one in zip(*found)]
        chosen = [whole[index] for index in self.chosen] or whole
        return [self._channels_second(np.asarray(array, np.float32)) for array in chosen]

    def bind(self, images: np.ndarray) -> Inference:
        parts = self._parts(images)
        if len(parts) == 1:
            return self.session.bind(parts[0])
        return Inference(lambda: [self.session.run(part) for part in parts])

    def computing(self) -> AbstractContextManager[None]:
        return self.session.computing()

    def peak_device_bytes(self) -> int:
        return self.session.peak_device_bytes()

    def close(self) -> None:
        self.session.close()

    def _parts(self, images: np.ndarray) -> list[np.ndarray]:
        """The images in the file's form, in batches of its size; the last one is filled up."""
        placed = images.transpose(0, 2, 3, 1) if self.channels_last else images
        if self.type.kind in "iu":
            limits = np.iinfo(self.type)
            placed = np.clip(np.rint(placed), limits.min, limits.max)
        placed = np.ascontiguousarray(placed, self.type)
        if self.batch is None or len(placed) == self.batch:
            return [placed]
        short = -len(placed) % self.batch
        placed = np.concatenate((placed, np.repeat(placed[-1:], short, 0))) if short else placed
        return [placed[start : start + self.batch] for start in range(0, len(placed), self.batch)]

    def _channels_second(self, array: np.ndarray) -> np.ndarray:
        """Heatmaps ``[N, h, w, J]`` as ``[N, J, h, w]``."""
        last = array.ndim == 4 and self.joints is not None and array.shape[1] != self.joints == array.shape[3]
        return np.ascontiguousarray(array.transpose(0, 3, 1, 2)) if last else array
