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
        if plan["differences"]:
            from bench.explain import differences

            ready()
            how = {key: plan[key] for key in ("backend", "precision", "threads")}
            return {"differences": differences.find(model, example, **how).to_json()}
        how = {key: plan[key] for key in ("backend", "rounds", "precision", "threads")}
        record = explain(model, example, ready=ready, **how)
        return {"record": record.to_json()}
    except InputError as error:
        return {"input_error": str(error)}
    except Exception as error:
        return {"input_error": described(error)}


if __name__ == "__main__":
    sys.exit(serve(_run))
