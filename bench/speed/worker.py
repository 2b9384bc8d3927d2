"""One process of a network, started by ``bench.speed.schedule`` through ``bench.core.workers``.

It prepares the network, or times a set. If the backend runs from a file, timing a set imports the backend's runtime and
numpy, but not PyTorch.
"""

from __future__ import annotations  # this file is read by Python 3.9 too

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.core.workers import serve


def _run(plan: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from bench.core.errors import InputError, described
    from bench.timing.parity import ParityError

    try:
        return _prepare(plan, ready) if plan.get("prepare") else _time(plan, ready)
    except ParityError as error:
        return {"parity_error": str(error)}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)}


def _prepare(plan: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    """Build, open and compare with the reference; the answer has everything that a set needs."""
    from bench.backends import catalogue
    from bench.core.errors import InputError
    from bench.opening import open_network, reference
    from bench.speed import preparation
    from bench.speed.timed_set import time_set
    from bench.timing.clock import Fixed
    from bench.timing.parity import ParityError

    device, threads, who = plan["device"], plan["threads"], plan["model"]
    network_error = False
    try:
        network_error = True
        model, example = preparation.network(plan)
        images = example.cpu().numpy()
        computed = reference(model, images, device=device, threads=threads, who=who)
        network_error = False
        opened = open_network(
            lambda: catalogue.build(plan["backend"], model, example, precision=plan["precision"], threads=threads),
            images, device=device, threads=threads, who=who,
        )  # fmt: skip
    except InputError as error:
        return {"input_error": str(error), "network_error": network_error}
    with opened.session:
        expected = None if (plan["backend"], plan["precision"]) == (computed.backend, "fp32") else computed
        try:
            result = time_set(
                opened, Fixed(1), 0, device=device, expected=expected, count_energy=False, ready=ready
            )  # fmt: skip
        except ParityError as error:
            raise ParityError(f"{error}{_where(plan, model, example)}") from error
    try:
        artifact: dict[str, Any] | None = opened.artifact.to_json()
    except ValueError:
        artifact = None
    prepared = {
        "images": preparation.keep([images]),
        "expected": preparation.keep(expected.outputs) if expected is not None else None,
        "rounding": expected.rounding if expected is not None else 0.0,
        "artifact": artifact,
    }
    return {"result": asdict(result), "prepared": prepared}


def _where(plan: dict[str, Any], model: Any, example: Any) -> str:
    """Where the difference from eager begins, if that can be seen."""
    from bench.backends import catalogue, differences
    from bench.core.errors import InputError, described

    backend, precision = plan["backend"], plan["precision"]
    seen = catalogue.shows_values(backend) and example.device.type == "cpu"
    shown = seen or catalogue.resolve(backend, plan["device"], precision) in differences.HALF
    if not shown or plan.get("file"):  # of a file, nothing is known but what it is
        return ""
    try:
        return f"; {differences.find(model, example, backend, precision=precision).sentence()}"
    except InputError as error:
        return f"; {error}"
    except Exception as error:  # that it differs is to be said all the same
        return f"; where it begins cannot be seen ({described(error)})"


def _other_joints(plan: dict[str, Any], outputs: Any) -> list[str]:
    """A network of the user's own is built long after its joints were counted: by ``--joints``, or as 17."""
    shape = outputs[0].shape
    own = ":" in plan["model"] and ":timm/" not in plan["model"] and not plan.get("file")
    if not own or len(shape) < 3 or shape[1] == plan["num_joints"]:
        return []
    return [f"recorded as of {plan['num_joints']} joints, and it gives {shape[1]} x ...: --joints {shape[1]} says so"]


def _time(plan: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    import numpy as np

    from bench.backends import catalogue
    from bench.backends.artifact import Artifact
    from bench.opening import Reference, open_network
    from bench.speed.timed_set import time_set
    from bench.timing import conditions, yardstick
    from bench.timing.clock import Fixed, Steady

    device, threads = plan["device"], plan["threads"]
    with np.load(plan["images"]) as file:
        (images,) = (file[name] for name in file.files)
    expected = None
    if plan["expected"]:
        with np.load(plan["expected"]) as file:
            own = plan["file"]["backend"] if plan.get("file") else "eager"
            expected = Reference(own, [file[name] for name in file.files], plan["rounding"])
    until = Steady(plan["rounds"], plan["budget_s"]) if plan["budget_s"] else Fixed(plan["rounds"])
    built = plan["artifact"] is not None
    idle = conditions.memory_bytes()
    if built:
        artifact = Artifact.from_json(plan["artifact"])
        opened = open_network(
            lambda: artifact, images, device=device, threads=threads, who=plan["model"], built=True
        )  # fmt: skip
    else:
        from bench.speed import preparation

        model, example = preparation.network(plan)
        opened = open_network(
            lambda: catalogue.build(plan["backend"], model, example, precision=plan["precision"], threads=threads),
            images, device=device, threads=threads, who=plan["model"],
        )  # fmt: skip
    with opened.session:
        result = time_set(opened, until, plan["warmup"], device=device, expected=expected, ready=ready)
    result.rss_before_bytes = idle
    result.warnings += _other_joints(plan, opened.outputs)
    if device == "cpu":
        result.product_ms = yardstick.rounds_ms()
    return {"result": asdict(result)}


if __name__ == "__main__":
    sys.path.insert(0, str(Path.cwd()))
    sys.exit(serve(_run))
