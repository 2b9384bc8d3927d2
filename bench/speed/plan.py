"""A plan: one network and how to time it."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import cli
from bench.backends import catalogue
from bench.backends.artifact import sha256
from bench.core import machine
from bench.core.record import Measurement
from bench.models import network_sha256, own_weights, precision_of, recorded_name

PHOTOGRAPH = "astronaut.png"


@dataclass(frozen=True)
class SpeedPlan:
    """One network, one backend, and how to time it; plain values, so it can be sent to a worker."""

    model: str  # as on the command line
    num_joints: int
    input: tuple[int, int]
    image: str | None  # path of a picture; None: the one that comes with the project
    batch: int
    device: str
    backend: str
    precision: str  # as asked for
    threads: int
    protocol: str
    rounds: int
    warmup: int
    sets: int
    seed: int
    budget_s: float = 0.0  # per set, for the steady protocol; 0: a fixed number of rounds
    file: dict[str, Any] | None = None  # of a model that is a file: see ``bench.models.Model.planned``

    @property
    def who(self) -> str:
        """Its name in progress and errors."""
        return f"{self.model}, {self.backend}"

    def measurement(self) -> Measurement:
        """What is measured and how, as in the record."""
        steady: dict[str, Any] = {"budget_s": self.budget_s * self.sets} if self.budget_s else {}
        picture: dict[str, Any] = {"image_sha256": sha256(Path(self.image))} if self.image else {}
        return Measurement(
            kind="speed",
            model=recorded_name(self.model),
            input=cli.input_text(self.input),
            num_joints=self.num_joints,
            network_sha256=network_sha256(self.model, self.file),
            backend=self.backend,
            device=self.device.partition(":")[0],
            precision=precision_of(self.file, self.backend, self.device, self.precision),  # type: ignore[arg-type]
            batch=self.batch,
            threads=self.threads,
            protocol={
                "name": self.protocol,
                "rounds": self.rounds,
                "warmup": self.warmup,
                "sets": self.sets,
                "image": Path(self.image).name if self.image else PHOTOGRAPH,
                "interval": {1: "rounds", 2: "none"}.get(self.sets, "sets, then rounds"),
                **picture,
                **steady,
            },
            weights=own_weights(self.model),
            seed=self.seed,
        )

    def identity(self) -> str:
        """The measurement's identity, with the backend's version."""
        return self.measurement().identity(catalogue.version(self.backend))

    def circumstances(self) -> str:
        """Identity of unfinished work: sets are combined only if measurement, machine and software are the same."""
        where = machine.this_machine(self.device).model_dump_json()
        software = machine.this_software(catalogue.version(self.backend))
        return json.dumps([self.identity(), where, software.model_dump_json(exclude={"git_commit", "git_dirty"})])
