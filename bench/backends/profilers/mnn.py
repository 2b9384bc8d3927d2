"""MNN, operator by operator: it calls back before and after each one.

The callbacks belong to another interface than the one that is timed without them; the operators are the same. MNN calls
an operator by the tensor that it puts out. What a converted file does not say about them stands in a file beside it.
"""

from __future__ import annotations

import json
import math
import os
import re
import time
from typing import Any

import numpy as np

from bench.backends.artifact import Artifact
from bench.backends.catalogue import Backend
from bench.backends.families.mnn import LEAST_MEMORY, WINOGRAD_LEVEL
from bench.backends.native_output import caught
from bench.backends.profilers.mnn_operators import description_of
from bench.backends.profiles import Executed, Part, Profile, ProfiledSession
from bench.core.errors import InputError

RASTER = "Raster"  # copies regions of tensors: a layout for the next operator, or what the network wants moved
SUFFIX = re.compile(r"(_raster_\d+|__[A-Za-z_]+(_\d+)?)$")  # what MNN adds to names
PRODUCTS = ("MatMul", "Gemm")  # to which it joins the addition of a bias
ACTIVATIONS = ("Relu", "Clip")  # which it joins to a convolution
MOVING = (
    "Concat", "DepthToSpace", "Expand", "Flatten", "Pad", "Reshape", "Slice", "Split", "Squeeze", "Transpose",
    "Unsqueeze",
)  # fmt: skip


def open_profiled(backend: Backend, artifact: Artifact, device: str, threads: int) -> ProfiledSession:
    """A session with callbacks.

    Raises:
        InputError: the file cannot be opened, or was made elsewhere, so that nothing is known of its operators.
    """
    if not description_of(artifact.file).is_file():
        raise InputError(
            f"{description_of(artifact.file)} is missing, which says what {artifact.file.name} was made of"
        )
    return _Session(artifact, threads)


class _Session(ProfiledSession):
    def __init__(self, artifact: Artifact, threads: int) -> None:
        with caught():  # it says what the processor has
            import MNN

            self.mnn = MNN
            self.interpreter = MNN.Interpreter(str(artifact.file))
            self.interpreter.setSessionHint(WINOGRAD_LEVEL, LEAST_MEMORY)
            precision = "low" if artifact.precision == "fp16" else "high"
            self.session = self.interpreter.createSession(
                {"backend": "CPU", "numThread": threads or os.cpu_count() or 1, "precision": precision}
            )
        self.known: dict[str, Any] = json.loads(description_of(artifact.file).read_text())
        self.seen: list[tuple[str, str, int]] = []  # name, kind, and numbers moved of each operator, once
        self.rounds: list[list[int]] = []  # nanoseconds of each operator

    def run(self, images: np.ndarray) -> list[np.ndarray]:
        mnn = self.mnn
        entry = self.interpreter.getSessionInput(self.session)
        placed = mnn.Tensor(images.shape, mnn.Halide_Type_Float, images, mnn.Tensor_DimensionType_Caffe)
        entry.copyFrom(placed)
        clock, started, took = time.perf_counter_ns, [0], list[int]()
        described: list[tuple[str, str, int]] = []

        def before(tensors: Any, operator: Any) -> bool:
            if not self.seen:
                described.append((operator.getName(), operator.getType(), _numbers(tensors)))
            started[0] = clock()
            return True

        def after(tensors: Any, operator: Any) -> bool:
            took.append(clock() - started[0])
            if not self.seen:
                name, kind, numbers = described[-1]
                described[-1] = (name, kind, numbers + _numbers(tensors))
            return True

        self.interpreter.runSessionWithCallBackInfo(self.session, before, after)
        self.seen = self.seen or described
        self.rounds.append(took)
        return [self._read(one) for one in self.interpreter.getSessionOutputAll(self.session).values()]

    def _read(self, output: Any) -> np.ndarray:
        mnn, shape = self.mnn, output.getShape()
        found = mnn.Tensor(shape, mnn.Halide_Type_Float, np.zeros(shape, np.float32), mnn.Tensor_DimensionType_Caffe)
        output.copyToHostTensor(found)
        return np.array(found.getNumpyData(), np.float32).reshape(shape)

    def profile(self) -> Profile:
        if not self.rounds:
            raise InputError("MNN was not run: there is nothing to tell")
        if {len(one) for one in self.rounds} != {len(self.seen)}:
            raise InputError("MNN does not run the same operators every time: its times cannot be compared")
        ran = {self._tensor(name) for name, kind, _ in self.seen if kind != RASTER}
        pieces = [self._tensor(name) for name, kind, _ in self.seen if kind != RASTER]
        operators = []
        for name, kind, numbers in self.seen:
            tensor = self._tensor(name)
            computed = () if kind == RASTER else self._computed(tensor, ran)
            parts = self._moved(tensor, ran) if kind == RASTER else tuple(
                self._part(one, pieces.count(tensor)) for one in computed
            )  # fmt: skip
            weights = sum(self.known[one]["weights"] for one in computed)
            operators.append(Executed(name, kind, parts, 4 * (numbers + weights)))
        return Profile(tuple(operators), tuple(tuple(ns / 1e9 for ns in one) for one in self.rounds))

    def _tensor(self, name: str) -> str:
        """The tensor that an operator is called by; the name itself where it is none of the file's."""
        cut = name
        while cut not in self.known:
            shorter = SUFFIX.sub("", cut)
            if shorter == cut:
                return name
            cut = shorter
        return cut

    def _part(self, tensor: str, pieces: int = 1) -> Part:
        told = self.known[tensor]
        return Part(told["name"], told["kind"], told["macs"] // pieces)

    def _computed(self, tensor: str, ran: set[str]) -> tuple[str, ...]:
        """The operator itself, with the product that it adds a bias to, and an activation that was joined to it."""
        if tensor not in self.known:
            return ()
        products = [one for one in self.known[tensor]["inputs"] if self.known[one]["kind"] in PRODUCTS]
        readers = [one for one, told in self.known.items() if tensor in told["inputs"]]
        joined = [one for one in readers if self.known[one]["kind"] in ACTIVATIONS and one not in ran]
        return *(one for one in products if one not in ran), tensor, *joined[: len(readers) == 1]

    def _moved(self, tensor: str, ran: set[str]) -> tuple[Part, ...]:
        """What the network wants moved before an operator; nothing: MNN copies for its own sake."""
        found: dict[str, Part] = {}
        open_ends = [tensor] if tensor in self.known else []
        while open_ends:
            one = open_ends.pop()
            moving = self.known[one]["kind"] in MOVING and one not in ran
            if moving and one not in found:
                found[one] = self._part(one)
            if moving or one == tensor:
                open_ends += [source for source in self.known[one]["inputs"] if source not in found]
        order = {name: number for number, name in enumerate(self.known)}
        return tuple(found[one] for one in sorted(found, key=order.__getitem__))

    def close(self) -> None:
        self.session = None
        self.interpreter = None


def _numbers(tensors: Any) -> int:
    return sum(math.prod(one.getShape()) for one in tensors)
