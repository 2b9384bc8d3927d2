"""One network explained in a fresh process: a job as JSON on standard input, its record as JSON on standard output.

Started by ``bench.explain``. What else prints to standard output is sent to standard error.
"""

import json
import os
import sys
from typing import Any


def main() -> int:
    answer = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    job = json.load(sys.stdin)
    answer.write(json.dumps(_run(job)))
    answer.close()
    return 0


def _run(job: dict[str, Any]) -> dict[str, str]:
    import torch

    from bench import InputError
    from bench.data import photograph
    from bench.explain.measuring import explain
    from bench.models import build
    from zoo import ZooError

    torch.set_num_threads(job["threads"])
    device = torch.device(job["device"])
    try:
        example = photograph(tuple(job["input"])).to(device)
        model = build(job["model"], num_joints=job["num_joints"], seed=job["seed"]).to(device)
        return {"record": explain(model, example, rounds=job["rounds"]).to_json()}
    except (InputError, ZooError) as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": f"{type(error).__name__}: {error}"}


if __name__ == "__main__":
    sys.exit(main())
