"""One network and how it is timed in two revisions."""

from dataclasses import dataclass
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.core.record import Measurement
from bench.models import is_factory, recorded_name


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

    def measurement(self, protocol: dict[str, Any], options: dict[str, Any] | None = None) -> Measurement:
        """What is measured and how, as records have it; the file of a user's own network is what is compared, and so
        no part of it."""
        own = is_factory(self.model)
        return Measurement(
            kind="regress",
            model=recorded_name(self.model),
            options=options or {},
            input=cli.input_text(self.input),
            num_joints=self.num_joints,
            backend=self.backend,
            device=self.device.partition(":")[0],
            precision=catalogue.resolve(self.backend, self.device, "fp32", here=False),  # type: ignore[arg-type]
            batch=self.batch,
            threads=self.threads,
            protocol=protocol,
            weights="the factory's own" if own else "random",
            seed=self.seed,
        )
