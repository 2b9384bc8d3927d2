"""One network explained in a fresh process, started by ``bench.explain`` through ``bench.core.workers``."""

import sys
from collections.abc import Callable
from typing import Any

from bench.core.workers import serve


def _run(job: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    import torch

    from bench.core.errors import InputError
    from bench.data import photograph
    from bench.explain.measuring import explain
    from bench.models import build

    torch.set_num_threads(job["threads"])
    device = torch.device(job["device"])
    try:
        example = photograph(tuple(job["input"])).to(device)
        model = build(job["model"], num_joints=job["num_joints"], seed=job["seed"]).to(device)
        record = explain(model, example, rounds=job["rounds"], precision=job["precision"], ready=ready)
        return {"record": record.to_json()}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(serve(_run))
