"""One network explained in a fresh process, started by ``bench.explain.command`` through ``bench.core.workers``."""

import sys
from collections.abc import Callable
from typing import Any

from bench.core.workers import serve


def _run(plan: dict[str, Any], ready: Callable[[], None]) -> dict[str, Any]:
    from bench.core.errors import InputError, described
    from bench.explain.in_process import explain
    from bench.speed import preparation

    try:
        model, example = preparation.network(plan)
        record = explain(model, example, rounds=plan["rounds"], precision=plan["precision"], ready=ready)
        return {"record": record.to_json()}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)}


if __name__ == "__main__":
    sys.exit(serve(_run))
