"""What COCO's evaluation server answered about test-dev2017, as a record."""

import json
import re
from pathlib import Path

from bench import cli
from bench.core import machine
from bench.core.errors import InputError
from bench.core.record import Record, now
from bench.data.json_files import read_bytes

NAMES = ("ap", "ap50", "ap75", "ap_m", "ap_l", "ar", "ar50", "ar75", "ar_m", "ar_l")
# The ten lines of the evaluator's summary, in its order: "Average Precision (AP) @[ IoU=0.50:0.95 | ... ] = 0.653".
_SUMMARY_LINE = re.compile(r"Average (?:Precision|Recall)\b.*=\s*(-?\d+(?:\.\d+)?)\s*$", re.MULTILINE)


def make_record(path: Path, model: str, size: str, *, weights: str) -> Record:
    """The accuracy record of a server's answer.

    Args:
        path: a JSON object with AP, AP50 … (``AP_50`` and ``AP .5`` too), or the summary as the server prints it.
        model: as records name it.
        size: height x width of the input.
        weights: what the network was evaluated with.

    Raises:
        InputError: the file is missing, or none of the two.
    """
    text = read_bytes(path).decode("utf-8-sig", errors="replace")
    metrics = _from_json(text) if text.lstrip().startswith("{") else _from_summary(text)
    if "ap" not in metrics or not all(-1 <= value <= 1 for value in metrics.values()):
        raise InputError(
            f"{path} is not an answer of the evaluation server: expected JSON with AP, AP50, AP75, ..., or the "
            "ten lines of the evaluator's summary, as fractions"
        )
    return Record(
        kind="accuracy",
        model=model,
        input=size,
        num_joints=17,
        metrics=metrics,
        protocol={"name": "paper", "scored_by": "COCO's evaluation server", "file": path.name},
        dataset="coco_test-dev2017",
        weights=weights,
        machine=machine.this_machine(),
        software=machine.this_software("COCO's evaluation server"),
        started_at=now(),
        command=cli.command_line(),
    )


def _from_json(text: str) -> dict[str, int | float]:
    try:
        scores = json.loads(text)
    except (ValueError, RecursionError):
        return {}
    plain = {_plain(key): value for key, value in scores.items() if isinstance(value, (int, float))}
    return {name: plain[_plain(name)] for name in NAMES if _plain(name) in plain}


def _plain(key: str) -> str:
    """``AP_50``, ``AP .5`` and ``ap50`` alike."""
    return re.sub(r"[^a-z0-9]", "", key.lower().replace(".5", "50").replace("medium", "m").replace("large", "l"))


def _from_summary(text: str) -> dict[str, int | float]:
    values = [float(value) for value in _SUMMARY_LINE.findall(text)]
    return dict(zip(NAMES, values, strict=True)) if len(values) == len(NAMES) else {}
