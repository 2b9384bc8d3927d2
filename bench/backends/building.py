"""What the build halves share: the network, its traced graph, and files that are made once."""

import functools
import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor, nn

from bench.backends import precisions
from bench.backends.artifact import sha256
from bench.backends.cache import cached
from bench.backends.graphs.capture import Captured, capture
from bench.codecs.codec import Codec, codec_of
from bench.core.errors import InputError
from bench.data.cropping import Normalisation

if TYPE_CHECKING:
    from bench.backends.catalogue import Backend


@dataclass(frozen=True)
class Made:
    """A file made from a network."""

    path: Path
    from_cache: bool


@dataclass
class Network:
    """A network to build for a backend: a module, or an ONNX file for the backends that make their own file of it."""

    # A module in evaluation mode, on its device, in its precision, or in float32 for what rounds by itself; or the
    # ``bench.model_files.ModelFile`` that ``onnx`` is of.
    model: Any
    example: Tensor  # ``[N, 3, H, W]`` likewise
    precision: str
    threads: int
    calibration: Sequence[Tensor] | None = None
    onnx: Path | None = None

    @classmethod
    def in_precision(
        cls, model: nn.Module, example: Tensor, precision: str, threads: int, calibration: Sequence[Tensor] | None,
        *, cast: bool = True,
    ) -> "Network":  # fmt: skip
        if cast:
            model, example = precisions.cast(model, example, precision)
        return cls(model, example, precision, threads or torch.get_num_threads(), calibration)

    @property
    def codec(self) -> Codec:
        """What it sees, and what its output means."""
        return codec_of(self.model, (self.example.shape[2], self.example.shape[3]))

    @classmethod
    def of_file(
        cls, file: Any, backend: "Backend", example: Tensor, precision: str, threads: int,
        calibration: Sequence[Tensor] | None,
    ) -> "Network":  # fmt: skip
        """A ``ModelFile`` for a backend that makes its own file of ONNX files.

        Raises:
            InputError: it is no ONNX file, or of a form that converters do not keep.
        """
        path = file.onnx_for(backend).absolute()  # converters run in a folder of their own
        return cls(file, example, precision, threads or torch.get_num_threads(), calibration, path)

    @property
    def normalisation(self) -> Normalisation | None:
        """Of its input; none: as networks of the zoo have it."""
        found: Normalisation | None = self.model.normalisation if self.onnx else None
        return found

    @functools.cached_property
    def traced(self) -> Captured | None:
        """Its traced graph; None if it cannot be traced, and then nothing made from it is cached."""
        try:
            return self.captured
        except InputError:
            return None

    @functools.cached_property
    def captured(self) -> Captured:
        """Its traced graph.

        Raises:
            InputError: it cannot be traced, for example because its path depends on the values of its input.
        """
        return capture(self.model, self.example)

    def file(self, kind: str, ending: str, make: Callable[[Path], None], *also: object) -> Made:
        """A file made from it. Its key in the cache is the traced graph and ``also``: everything that it depends on.

        What cannot be traced gets no file: nothing would tell it from another network, and converters with a tracer of
        their own may keep one branch of several without a word.

        Raises:
            InputError: it cannot be traced, or ``make`` failed.
            OSError: the cache folder cannot be written.
        """
        return Made(*cached(kind, self._key(*also), ending, make))

    def _key(self, *also: object) -> str:
        if self.onnx is None:
            return self.captured.key(*also)
        parts = (sha256(self.onnx), tuple(self.example.shape), torch.__version__, *also)
        return hashlib.sha256(b"\0".join(map(_bytes, parts))).hexdigest()[:32]


def _bytes(part: object) -> bytes:
    return part.cpu().contiguous().numpy().tobytes() if isinstance(part, Tensor) else repr(part).encode()
