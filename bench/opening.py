"""A network opened by a backend, and what it has to compute there."""

from __future__ import annotations  # this file is read by Python 3.9 too

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.session import Session
from bench.core.errors import InputError, described
from bench.timing import parity
from bench.timing.clock import once


@dataclass(frozen=True)
class Opened:
    """A network ready to be run, and how long that took."""

    artifact: Artifact
    session: Session
    images: np.ndarray
    outputs: list[np.ndarray]  # of the first inference
    prepare_s: float
    from_cache: bool
    first_s: float


def open_network(
    build: Callable[[], Artifact], images: np.ndarray, *, device: str, threads: int, who: str, built: bool = False
) -> Opened:
    """Build or take an artifact, open it, and run it once.

    Args:
        build: makes or returns the artifact.
        images: float32 ``[N, 3, H, W]``.
        device: cpu, cuda or cuda:N.
        threads: CPU threads.
        who: the network, for messages.
        built: whether another process built the artifact.

    Raises:
        InputError: it cannot be built or opened, fails on the input, or returns something other than numbers.
    """

    def ready() -> tuple[Artifact, Session]:
        artifact = build()
        session = catalogue.open_artifact(artifact, device=device, threads=threads)
        session.prepare(images)
        return artifact, session

    (artifact, session), prepare_s = once(ready)
    try:
        outputs, first_s = once(lambda: session.run(images))
        outputs = parity.check_outputs(outputs, who)
    except InputError:
        session.close()
        raise
    except Exception as error:
        session.close()
        size = f"{images.shape[2]}x{images.shape[3]}"
        raise InputError(f"{who} fails on an input of {size}: {described(error)}") from error
    from_cache = (built or artifact.from_cache) and session.from_cache is not False
    if not built and session.from_cache is not None:
        from_cache = session.from_cache
    return Opened(
        artifact, session, images, outputs, prepare_s, from_cache, first_s
    )  # fmt: skip


@dataclass(frozen=True)
class Reference:
    """What a network computes: in eager PyTorch and float32, or, if it is a model file, in the file's own backend."""

    backend: str
    outputs: Sequence[np.ndarray]
    rounding: float = 0.0  # of these (``parity.rounding``)

    def difference(self, artifact: Artifact, outputs: Sequence[np.ndarray]) -> float:
        """The largest difference of an artifact's outputs from these, relative to the largest of these.

        Raises:
            ParityError: another number of outputs, another shape, or a value that is not finite.
        """
        return parity.difference(self.outputs, outputs, f"backend {artifact.backend}", self.backend)

    def check(self, artifact: Artifact, outputs: Sequence[np.ndarray]) -> float:
        """The same, if it is within what the artifact's precision explains.

        Raises:
            ParityError: also if it is not.
        """
        who = f"backend {artifact.backend}"
        return parity.check(self.outputs, outputs, artifact.precision, who, self.backend, self.rounding)

    def remark(self, artifact: Artifact, difference: float) -> str:
        """What to say of a difference that passed, as the network amplifies rounding; empty for a usual one."""
        if difference <= parity.TOLERANCE[artifact.precision]:
            return ""
        coarser = parity.LAST_BIT[artifact.precision]
        said = f", and its last bits are {coarser} times as large in {artifact.precision}" if coarser > 1 else ""
        return (
            f"amplifies rounding: {self.backend} itself changes by {self.rounding:.1g} of the largest output where the "
            f"input changes by its last bits{said}, so backend {artifact.backend} may differ by {difference:.1g}"
        )


def reference(model: Any, images: np.ndarray, *, device: str, threads: int, who: str) -> Reference:
    """Run a network in its reference, and see how much it amplifies rounding.

    Args:
        model: what ``catalogue.build`` takes: a network in evaluation mode on the device, or a model file.
        images: float32 ``[N, 3, H, W]``.
        device: cpu, cuda or cuda:N. Only eager runs there: a model file's own backend runs on the CPU.
        threads: CPU threads.
        who: the network, for messages.

    Raises:
        InputError: as ``open_network``.
    """
    import torch  # a device that opens finished artifacts has none

    backend = catalogue.reference_of(model)
    place = device if backend == "eager" else "cpu"
    example = torch.from_numpy(images).to(place)
    opened = open_network(
        lambda: catalogue.build(backend, model, example, threads=threads),
        images, device=place, threads=threads, who=who,
    )  # fmt: skip
    with opened.session as session:
        try:
            rounding = parity.rounding(session.run, images, opened.outputs, backend)
        except parity.ParityError:  # values that are not finite, which whoever compares will find
            rounding = 0.0
        return Reference(backend, opened.outputs, rounding)
