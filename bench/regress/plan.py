"""One network and how it is timed in two revisions."""

from dataclasses import dataclass
from typing import Any

from bench import cli
from bench.core.record import Measurement
from bench.core.skeletons import Skeleton
from bench.models import own_weights, precision_of, recorded_name


@dataclass(frozen=True)
class RegressPlan:
    """Plain values, so that a process can be told."""

    model: str  # as on the command line
    num_joints: int
    input: tuple[int, int]
    batch: int
    device: str
    backend: str
    threads: int
    warmup: int = 5
    seed: int = 0
    people: int = 0  # time the whole way of a frame with so many; 0: the network alone
    file: dict[str, Any] | None = None  # of a model that is a file: see ``bench.models.Model.planned``
    skeleton: Skeleton | None = None  # of people, where these are timed

    def measurement(self, protocol: dict[str, Any], options: dict[str, Any] | None = None) -> Measurement:
        """What is measured and how, as records have it; the file of a user's own network is what is compared, and so
        no part of it."""
        return Measurement(
            kind="regress",
            model=recorded_name(self.model),
            options=options or {},
            input=cli.input_text(self.input),
            num_joints=self.num_joints,
            backend=self.backend,
            device=self.device.partition(":")[0],
            precision=precision_of(self.file, self.backend, self.device, "fp32"),  # type: ignore[arg-type]
            batch=self.batch,
            threads=self.threads,
            protocol=protocol | ({"people": self.people} if self.people else {}),
            weights=own_weights(self.model),
            seed=self.seed,
        )
