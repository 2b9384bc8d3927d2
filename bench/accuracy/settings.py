"""What decides an evaluation's result, and how to go about it; imports nothing heavy, as options are made of it."""

from dataclasses import dataclass
from pathlib import Path

EVALUATORS = ("faster", "pycocotools")
GROUND_TRUTH = "ground truth"
GROUND_TRUTH_BOXES = "ground-truth boxes"  # the protocol: the paper's, but for the boxes


@dataclass(frozen=True)
class EvaluationSettings:
    """What decides the result, besides network and data."""

    input: tuple[int, int]
    boxes: str  # ground truth, or the detections file's name
    backend: str = "eager"
    precision: str = "fp32"
    flip: bool = True
    decode: str = "quarter_offset"  # of ``bench.core.output_kinds``
    limit: int | None = None  # pictures or people, as the data set counts, which it was cut to


@dataclass(frozen=True)
class EvaluationOptions:
    """How to go about it; batch, threads and device may change last digits, the rest nothing."""

    results: Path
    batch: int
    workers: int
    threads: int
    device: str
    evaluator: str
    skip_bad: int
