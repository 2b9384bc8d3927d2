"""One network to count, for one size of input."""

from dataclasses import dataclass
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.core.record import Measurement
from bench.models import network_sha256, recorded_name

PROTOCOL: dict[str, str | int | float | bool] = {"name": "paper"}


@dataclass(frozen=True)
class ComplexityPlan:
    model: str  # as on the command line
    num_joints: int
    input: tuple[int, int]
    file: dict[str, Any] | None = None  # of a model that is a file: see ``bench.models.Model.planned``

    def measurement(self) -> Measurement:
        """What is counted, as the record has it."""
        return Measurement(
            kind="complexity",
            model=recorded_name(self.model),
            input=cli.input_text(self.input),
            num_joints=self.num_joints,
            network_sha256=network_sha256(self.model, self.file),
            protocol=PROTOCOL,
        )

    def identity(self) -> str:
        return self.measurement().identity(catalogue.version("eager"))
