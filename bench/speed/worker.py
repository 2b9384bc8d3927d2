"""One set in a fresh process: a job as JSON on standard input, its result as JSON on standard output.

Started by ``bench.speed.schedule``. What else prints to standard output is sent to standard error.
"""

import json
import os
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any


def main() -> int:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    answer.write(json.dumps(_run(job)))
    answer.close()
    return 0


def _run(job: dict[str, Any]) -> dict[str, Any]:
    import psutil
    import torch

    from bench import InputError
    from bench.data import photograph
    from bench.models import build, is_factory
    from bench.speed.loop import ParityError, Steady, run_set
    from bench.speed.weights import enliven
    from zoo import ZooError

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
        )
    except ParityError as error:
        return {"parity_error": str(error)}
    except (InputError, ZooError) as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": f"{type(error).__name__}: {error}"}
    result.rss_before_bytes = idle_rss
    return {"result": asdict(result)}


if __name__ == "__main__":
    sys.exit(main())
