"""One set in a fresh process, started by ``bench.speed.schedule`` through ``bench.core.workers``."""

import sys
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.core.workers import serve


def _run(job: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    import psutil
    import torch

    from bench import product
    from bench.core.errors import InputError
    from bench.data import photograph
    from bench.models import build, is_factory
    from bench.speed.loop import ParityError, Steady, run_set
    from bench.speed.weights import enliven

    torch.set_num_threads(job["threads"])
    idle_rss = psutil.Process().memory_info().rss
    device = torch.device(job["device"])
    try:
        image = Path(job["image"]) if job["image"] else None
        example = photograph(tuple(job["input"]), image).expand(job["batch"], -1, -1, -1).contiguous().to(device)
        model = build(job["model"], num_joints=job["num_joints"], seed=job["seed"])
        if not is_factory(job["model"]):
            enliven(model, job["seed"])
        model.to(device)
        result = run_set(
            model,
            example,
            backend=job["backend"],
            precision=job["precision"],
            rounds=job["rounds"],
            warmup=job["warmup"],
            steady=Steady(job["budget_s"]) if job["budget_s"] else None,
            ready=ready,
        )
    except ParityError as error:
        return {"parity_error": str(error)}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": f"{type(error).__name__}: {error}"}
    result.rss_before_bytes = idle_rss
    if device.type == "cpu":
        result.product_ms = product.rounds_ms()
    return {"result": asdict(result)}


if __name__ == "__main__":
    sys.exit(serve(_run))
