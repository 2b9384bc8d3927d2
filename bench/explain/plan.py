"""One network and how to explain it."""

from dataclasses import dataclass
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.core.record import Measurement
from bench.models import network_sha256, own_weights, recorded_name

WARMUP = 5
TOLERANCE = 0.1  # of the sum of all operators and what is between them, against a run with nothing watching


@dataclass(frozen=True)
class ExplainPlan:
    """Plain values, so that a worker can be told; the names are those of ``bench.speed.plan.SpeedPlan``."""

    model: str  # as on the command line
    num_joints: int
    input: tuple[int, int]
    device: str
    precision: str  # that was asked for
    threads: int
    rounds: int
    seed: int
    batch: int = 1
    image: str | None = None  # the picture that comes along
    file: dict[str, Any] | None = None  # of a model that is a file: see ``bench.models.Model.planned``
    backend: str = "eager"
    differences: bool = False  # compare layers with float32, and time nothing

    @property
    def who(self) -> str:
        """Its name in progress and errors."""
        return self.model if self.backend == "eager" else f"{self.model}, {self.backend}"

    def measurement(self) -> Measurement:
        """What is measured and how, as the record has it."""
        return Measurement(
            kind="explain",
            model=recorded_name(self.model),
            input=cli.input_text(self.input),
            num_joints=self.num_joints,
            network_sha256=network_sha256(self.model, self.file),
            backend=self.backend,
            device=self.device.partition(":")[0],
            precision=catalogue.resolve(self.backend, self.device, self.precision, here=False),  # type: ignore[arg-type]
            batch=self.batch,
            threads=self.threads,
            protocol=protocol(self.rounds),
            weights=own_weights(self.model),
            seed=self.seed,
        )

    def identity(self) -> str:
        return self.measurement().identity(catalogue.version(self.backend))


def protocol(rounds: int) -> dict[str, Any]:
    """How it is measured, as records have it."""
    return {"name": "explain", "rounds": rounds, "warmup": WARMUP, "tolerance": TOLERANCE}
