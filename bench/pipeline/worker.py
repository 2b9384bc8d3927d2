"""One process of a network, started by ``bench.pipeline.command`` through ``bench.core.workers``.

It prepares the network for every batch size that is needed, or measures all cells of one set.
"""

import random
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from bench.core.workers import serve


def _run(task: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from bench.core.errors import InputError, described
    from bench.timing.parity import ParityError

    try:
        return _prepare(task, ready) if task.get("prepare") else _measure(task, ready)
    except (InputError, ParityError) as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)}


def _prepare(task: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from bench.pipeline.plan import network_of
    from bench.pipeline.preparation import prepare

    network = network_of(task["network"])
    ready()
    found = prepare(network, task["batches"])
    try:
        told: dict[str, Any] | None = {str(batch): one.to_json() for batch, one in found.artifacts.items()}
    except ValueError:  # a network in memory: every process builds its own
        told = None
    return {"prepared": {"artifacts": told, "parity": found.worst, "warnings": found.warnings}}


def _measure(task: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from dataclasses import asdict

    from bench.backends.artifact import Artifact
    from bench.pipeline.cell import measure
    from bench.pipeline.plan import plan_of
    from bench.pipeline.preparation import artifact_of, module

    plans = [plan_of(told) for told in task["plans"]]
    if task["artifacts"]:
        artifacts = {int(batch): Artifact.from_json(told) for batch, told in task["artifacts"].items()}
    else:
        network = plans[0].network
        model = module(network)
        artifacts = {batch: artifact_of(network, model, batch) for plan in plans for batch in plan.batches}
    ready()
    # In another order in each set, so that what slows the machine for a while does not always meet the same cells.
    order = list(range(len(plans)))
    random.Random(task["set"]).shuffle(order)
    found = {index: asdict(measure(plans[index], artifacts)) for index in order}
    return {"cells": [found[index] for index in range(len(plans))]}


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(serve(_run))
