"""One process of a side: makes its network ready, or times as many rounds as it is told to.

    python -P worker.py

Started by ``bench.regress.sides`` with the root of the revision first on the path. Both revisions are timed by this
same code and by the clock that stands beside it; all that is theirs is what they import. It is told a plan as a line of
JSON, then numbers of rounds, a line each, and answers every line (``bench.core.workers.ChildProcess``).
"""

import contextlib
import gc
import importlib
import importlib.util
import inspect
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

Call = Callable[[], Any]
PlanAsJson = dict[str, Any]


def main() -> None:
    clock, workers, parity = _own_modules("timing.clock", "core.workers", "timing.parity")
    lines, say = workers.conversation()
    plan = json.loads(lines.get())
    try:
        side = _new_side(plan) if importlib.util.find_spec("bench.backends.catalogue") else _old_side(plan)
        numbers = [one for one in side.outputs() if getattr(getattr(one, "dtype", None), "kind", "") == "f"]
        parity.check_finite(numbers, "the network")
        if plan["prepare"]:
            say({"root": side.root, "artifact": side.artifact})
            return
        timer = _Timer(plan, side, clock)
    except Exception as error:
        say(_problem(error, plan))
        return
    say({"round_ms": timer.round_ms, "root": side.root})
    while True:  # until the end of the input ends this process
        say({"ms": timer.rounds(int(lines.get()))})


def _own_modules(*names: str) -> list[Any]:
    """Modules of the tree that this file is in, imported before the revision's own of those names."""
    own = str(Path(__file__).parents[2])
    sys.path.insert(0, own)
    try:
        return [importlib.import_module(f"bench.{name}") for name in names]
    finally:
        sys.path.remove(own)
        for name in [name for name in sys.modules if name == "bench" or name.startswith("bench.")]:
            del sys.modules[name]
        importlib.invalidate_caches()


class _Side:
    """A network that is ready to run, with what the revision made of it."""

    def __init__(self, run: Call, wait: Call | None, outputs: Call, artifact: Any = None, context: Any = None) -> None:
        self.run, self.wait, self.artifact, self.context = run, wait, artifact, context
        self.outputs = outputs  # of one inference, as arrays
        self.root = str(Path(_bench().__file__ or "").parent.parent)


def _bench() -> ModuleType:
    import bench

    return bench


def _new_side(plan: PlanAsJson) -> _Side:
    """A revision whose backends build artifacts and open them."""
    import numpy as np

    from bench.backends import catalogue
    from bench.backends.artifact import Artifact

    if plan.get("artifact"):
        images = np.load(plan["images"])
        artifact = Artifact.from_json(plan["artifact"])
    else:
        model, example = _network(plan)
        images = example.cpu().numpy()
        artifact = catalogue.build(plan["backend"], model, example, threads=plan["threads"])
    if plan.get("people"):
        look = _whole_frame(plan, artifact)
        return _Side(look, None, lambda: [look().joints], _told(plan, artifact, images))
    session = catalogue.open_artifact(artifact, device=plan["device"], threads=plan["threads"])
    session.prepare(images)
    context = session.computing()  # for as long as this process lasts; leaving it would undo what it sets
    context.__enter__()
    inference = session.bind(images)
    return _Side(inference.run, inference.wait, lambda: session.run(images), _told(plan, artifact, images), context)


def _told(plan: PlanAsJson, artifact: Any, images: Any) -> Any:
    """The artifact for the processes that time it, with their input beside it; of a network in memory nothing."""
    import numpy as np

    if plan["prepare"]:
        with contextlib.suppress(ValueError):  # every process builds its own
            told = artifact.to_json()
            np.save(plan["images"], images)
            return told
    return None


def _whole_frame(plan: PlanAsJson, artifact: Any) -> Call:
    """The revision's own way from a frame to joints."""
    from bench.core.errors import InputError

    if importlib.util.find_spec("bench.pipeline") is None:
        raise InputError("this revision has no bench.pipeline: leave out --people")
    from bench.pipeline.plan import PoseNetwork
    from bench.pipeline.whole_frame import whole_frame

    network = PoseNetwork(
        plan["model"], plan["num_joints"], (plan["input"][0], plan["input"][1]), plan["backend"], "fp32",
        plan["device"], plan["threads"], "random", "random", None, plan["seed"],
        json.dumps(plan["file"]) if plan["file"] else "", **_found_joints(plan),
    )  # fmt: skip
    return whole_frame(artifact, network, plan["people"])


def _found_joints(plan: PlanAsJson) -> dict[str, Any]:
    """The joints that the network finds, where the revision can be told of others than its own."""
    from bench.pipeline.plan import PoseNetwork

    if not plan["skeleton"] or "skeleton" not in PoseNetwork.__dataclass_fields__:
        return {}
    from pydantic import TypeAdapter

    from bench.core.skeletons import Skeleton

    return {"skeleton": TypeAdapter(Skeleton).validate_python(plan["skeleton"])}


def _old_side(plan: PlanAsJson) -> _Side:
    """A revision whose backends take a module: what they keep is in their cache, by their own keys."""
    import torch
    from torch.utils._pytree import tree_leaves

    backends: Any = importlib.import_module("bench.backends")
    torch.set_grad_enabled(False)
    model, example = _network(plan)
    load = backends.load  # type: ignore[attr-defined]  # of that revision
    prepared = load(plan["backend"]).prepare(model, example)
    cuda = plan["device"].startswith("cuda")
    return _Side(
        lambda: prepared(example),
        torch.cuda.synchronize if cuda else None,
        lambda: [tensor.float().cpu().numpy() for tensor in tree_leaves(prepared(example)) if torch.is_tensor(tensor)],
    )


def _network(plan: PlanAsJson) -> Any:
    """The network and its input, by the revision's own code."""
    import torch

    from bench.data import photograph
    from bench.models import build, is_factory

    torch.set_num_threads(plan["threads"])
    device, size = torch.device(plan["device"]), tuple(plan["input"])
    given: dict[str, Any] = {"num_joints": plan["num_joints"], "seed": plan["seed"]}
    if "input_size" in inspect.signature(build).parameters:
        given["input_size"] = size
    example = photograph(size).expand(plan["batch"], -1, -1, -1).contiguous()
    if plan.get("file"):
        return _of_file(plan, size, device), example.to(device)
    model = build(plan["model"], **given)
    if not is_factory(plan["model"]):
        where = "bench.random_weights" if importlib.util.find_spec("bench.random_weights") else "bench.speed.weights"
        importlib.import_module(where).enliven(model, plan["seed"])
    return model.to(device), example.to(device)


def _of_file(plan: PlanAsJson, size: Any, device: Any) -> Any:
    """What the revision makes of a model file that no backend opens as it is."""
    if importlib.util.find_spec("bench.model_files") is None:
        raise ValueError("this revision knows no model files")
    made = importlib.import_module("bench.model_files.reading").from_json(plan["file"]).make(plan["num_joints"], size)
    return made.to(device) if hasattr(made, "to") else made


class _Timer:
    def __init__(self, plan: PlanAsJson, side: _Side, clock: Any) -> None:
        run, wait, slower = side.run, side.wait, float(plan["slower"])
        if slower:
            run, wait = _slowed(run, wait, slower), None
        self.clock = clock
        self.inference = clock.Inference(run, wait)
        clock.warm_up(self.inference, plan["warmup"])
        gc.collect()
        gc.freeze()  # what there is by now need not be looked through before every block
        _stay_on(plan["processor"])
        self.round_ms = min(self.rounds(3))

    def rounds(self, count: int) -> list[float]:
        found: list[float] = self.clock.time_rounds(self.inference, self.clock.Fixed(count)).latency_ms
        return found


def _slowed(run: Call, wait: Call | None, slower: float) -> Call:
    """A slow-down on purpose, for the check's own test: the processor is kept busy for a share of the time."""
    clock = time.perf_counter

    def both() -> None:
        start = clock()
        run()
        if wait is not None:
            wait()
        end = start + (clock() - start) * (1 + slower)
        while clock() < end:
            pass

    return both


def _stay_on(processor: int | None) -> None:
    """Keep this process to one processor, all threads that it has by now."""
    if processor is not None:
        for thread in Path("/proc/self/task").iterdir():
            os.sched_setaffinity(int(thread.name), {processor})


def _problem(error: Exception, plan: PlanAsJson) -> dict[str, Any]:
    """What to answer when the network cannot be timed, and whether the revision just does not know it."""
    unknown = False
    try:
        import zoo

        unknown = ":" not in plan["model"] and plan["model"] not in zoo.list_models()
    except Exception:  # what failed was the import, and that is what is told
        pass
    kind = "" if type(error).__name__ in ("InputError", "ZooError") else f"{type(error).__name__}: "
    return {"error": f"{kind}{error}", "unknown": unknown}


if __name__ == "__main__":
    main()
