"""One evaluation from start to record: go on from what is there, predict, join the processes' parts, score, write."""

import contextlib
import hashlib
import json
import re
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from lightning_fabric import Fabric

from bench import cli
from bench.accuracy.coco import PERSON, coco_results
from bench.accuracy.predicting import BatchPredictions, predict
from bench.accuracy.settings import GROUND_TRUTH, GROUND_TRUTH_BOXES, EvaluationOptions, EvaluationSettings
from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.calibration import inputs_of
from bench.backends.session import Session
from bench.codecs.codec import Codec
from bench.core import machine
from bench.core.errors import InputError
from bench.core.files import whole_file, write_whole
from bench.core.processes import bounded
from bench.core.record import Measurement, Record, complete
from bench.core.results import only_one
from bench.core.unfinished import Unfinished, Work
from bench.data import Dataset
from bench.data.cropping import photograph
from bench.model_files.reading import from_json
from bench.models import network_sha256, precision_of, recorded_name
from bench.opening import reference
from bench.timing import parity
from bench.weights import Trained

PHASES = ("read", "crop", "wait", "network", "decode")


@dataclass(frozen=True)
class Evaluation:
    """One network on one data set."""

    model: str  # as named on the command line
    trained: Trained
    dataset: Dataset
    settings: EvaluationSettings
    options: EvaluationOptions
    codec: Codec
    file: dict[str, Any] | None = None  # of a model that is a file: see ``bench.models.Model.planned``

    @property
    def name(self) -> str:
        """The stem of its files: readable, and with a hash of all that decides the result."""
        readable = f"{recorded_name(self.model)}_{cli.input_text(self.settings.input)}_{self.dataset.name}"
        identity = f"{self.identity()} {len(self.dataset)} {self.options.device} {machine.source_sha256()}"
        digest = hashlib.sha256(identity.encode()).hexdigest()
        return f"{re.sub(r'[^a-zA-Z0-9_.-]', '-', readable)}_{digest[:12]}"

    def measurement(self) -> Measurement:
        """What is measured and how, as the record has it."""
        settings = self.settings
        return Measurement(
            kind="accuracy",
            model=recorded_name(self.model),
            options=dict(self.trained.options),
            input=cli.input_text(settings.input),
            num_joints=len(self.dataset.skeleton.joints),
            network_sha256=network_sha256(self.model, self.file),
            backend=settings.backend,
            device=self.options.device.partition(":")[0],
            precision=self.precision,  # type: ignore[arg-type]
            batch=self.options.batch,
            threads=self.options.threads,
            protocol={
                "name": self.protocol,
                "boxes": settings.boxes,
                "flip": settings.flip,
                "decode": settings.decode,
                "evaluator": self.options.evaluator,
                **({"crop": "udp"} if self.codec.udp else {}),
                **({"limit": settings.limit} if settings.limit else {}),
                **(from_json(self.file).protocol() if self.file else {}),
            },
            dataset=self.dataset.name,
            dataset_fingerprint=self.dataset.fingerprint,
            weights=self.trained.weights,
            weights_sha256=self.trained.sha256,
        )

    def identity(self) -> str:
        """Of the measurement, with the backend's version."""
        return self.measurement().identity(catalogue.version(self.settings.backend))

    @property
    def precision(self) -> str:
        """What it computes in, as records name it."""
        return precision_of(self.file, self.settings.backend, self.options.device, self.settings.precision)

    @property
    def protocol(self) -> str:
        """How far this is the paper's evaluation, in words that stand beside the figure."""
        if self.trained.weights == "random":
            return "random weights"
        if not self.settings.flip or self.settings.decode != self.codec.decoding or self.settings.limit:
            return "custom"
        detectors = self.dataset.entry.detector_boxes and self.settings.boxes == GROUND_TRUTH
        return GROUND_TRUTH_BOXES if detectors else "paper"

    @property
    def folder(self) -> Path:
        return self.options.results / "predictions"


@dataclass(frozen=True)
class EvaluationResult:
    """A finished evaluation."""

    files: tuple[Path, ...]  # predictions, and what the server takes
    record: Record | None  # none where only the server can score
    warnings: list[str]


def run(
    evaluation: Evaluation, fabric: Fabric, step: cli.Step, save: Callable[[list[Record]], None]
) -> EvaluationResult | None:
    """Evaluate, going on from what earlier runs of the same evaluation left.

    Args:
        fabric: from ``bench.distributed.launch``; the people are split over its processes.
        step: told how many people were done.
        save: called with the record, which is on the disk when it returns; only then the finished batches go.

    Returns:
        What came of it; ``None`` in all processes but the first.

    Raises:
        InputError: more bad pictures than allowed, or the same evaluation is running elsewhere.
        OSError: predictions cannot be written; what was written before is kept.
    """
    with only_one(evaluation.folder, evaluation.name) if fabric.is_global_zero else contextlib.nullcontext():
        progress = _progress(evaluation)
        known = {prediction["index"] for answer in progress.parts.values() for prediction in answer.predictions}
        # Bad pictures are looked at again: they may have been mended.
        todo = [index for index in range(len(evaluation.dataset)) if index not in known]
        if fabric.is_global_zero:
            step(len(known), recorded_name(evaluation.model), earlier=True)
        fabric.barrier()  # everyone has read before anyone adds
        share = [int(index) for index in np.array_split(todo, fabric.world_size)[fabric.global_rank]]
        _predict_share(evaluation, fabric, share, progress, step)
        fabric.barrier()
        if not fabric.is_global_zero:
            return None
        progress = _progress(evaluation)  # with what the other processes added
        outcome = _finish(evaluation, fabric, list(progress.parts.values()), progress.started_at)
        if outcome.record is not None:
            save([outcome.record])
        progress.drop()
        return outcome


def forget(evaluation: Evaluation) -> None:
    """Drop what is left of one that has its record: a kill came between the two."""
    _progress(evaluation).drop()


def _progress(evaluation: Evaluation) -> Work[BatchPredictions]:
    """The finished batches of earlier runs, from however many processes, one line of a file each."""
    return Unfinished(evaluation.folder / f"{evaluation.name}.partial", BatchPredictions).work(evaluation.name)


def _predict_share(
    evaluation: Evaluation,
    fabric: Fabric,
    indices: Sequence[int],
    progress: Work[BatchPredictions],
    step: cli.Step,
) -> None:
    if not indices:
        return
    bad: dict[str, None] = {}
    with bounded(evaluation.model):
        opened, remarks = _open(evaluation, fabric.device)
    with opened as session:
        for answer in predict(
            session,
            evaluation.dataset,
            indices,
            evaluation.settings.input,
            batch=evaluation.options.batch,
            workers=evaluation.options.workers,
            flip=evaluation.settings.flip,
            method=evaluation.settings.decode,
            codec=evaluation.codec,
            normalisation=evaluation.trained.normalisation,
            who=evaluation.model,
        ):
            bad |= dict.fromkeys(answer.errors.values())
            refuse_bad(list(bad), evaluation.options.skip_bad)
            people = [*(prediction["index"] for prediction in answer.predictions), *answer.errors]
            answer.warnings = remarks
            progress.add(f"{len(people)} people, {min(people)} to {max(people)}", answer)
            # The other processes are as fast; the first speaks for all.
            step(len(people) * fabric.world_size, recorded_name(evaluation.model))


def refuse_bad(bad: Sequence[str], allowed: int) -> None:
    """Raises ``InputError`` for more bad pictures than are allowed."""
    if len(bad) > allowed:
        others = f" and {len(bad) - 1} more bad pictures so far" if len(bad) > 1 else ""
        raise InputError(f"{bad[0]}{others}; --skip-bad N leaves out up to N bad pictures and says so")


def _open(evaluation: Evaluation, device: torch.device) -> tuple[Session, list[str]]:
    """The network, ready to be run on full batches, and what there is to say of its outputs."""
    settings, threads = evaluation.settings, evaluation.options.threads
    example = torch.zeros(evaluation.options.batch, 3, *settings.input, device=device)
    trained = evaluation.trained
    # Drawn people are what a quantising backend is calibrated on if nothing else is given.
    own = catalogue.find(settings.backend).quantises and evaluation.dataset.entry.needs_files
    artifact = catalogue.build(
        settings.backend,
        trained.on(device),
        example,
        precision=settings.precision,
        threads=threads,
        calibration=(
            inputs_of(evaluation.dataset, settings.input, normalisation=trained.normalisation, codec=evaluation.codec)
            if own
            else None
        ),
    )
    session = catalogue.open_artifact(artifact, device=str(device), threads=threads)
    session.prepare(example.cpu().numpy())
    try:
        return session, _compare(evaluation, artifact, session, device)
    except BaseException:
        session.close()
        raise


def _compare(evaluation: Evaluation, artifact: Artifact, session: Session, device: torch.device) -> list[str]:
    """Fail on what computes something other than its reference, whose accuracy would be of another network.

    What int8 costs is measured, however much it is: where outputs differ by much, a warning says how to find out where.

    Returns:
        Warnings.

    Raises:
        ParityError: it differs by more than its precision explains, or its outputs have other shapes or are not finite.
    """
    settings, options, model = evaluation.settings, evaluation.options, evaluation.trained.on(device)
    if (settings.backend, settings.precision) == (catalogue.reference_of(model), "fp32"):
        return []
    picture = photograph(settings.input, how=evaluation.trained.normalisation)
    images = picture.expand(options.batch, -1, -1, -1).contiguous().numpy()
    expected = reference(model, images, device=str(device), threads=options.threads, who=evaluation.model)
    found = session.run(images)
    if artifact.precision != "int8":
        remark = expected.remark(artifact, expected.check(artifact, found))
        return [remark] if remark else []
    if (difference := expected.difference(artifact, found)) <= parity.TOLERANCE["int8"]:
        return []
    return [
        f"int8 changes its outputs by {difference:.2g} of the largest: python -m bench.explain --backend "
        f"{artifact.backend} --differences names the layer where it begins"
    ]


def _finish(
    evaluation: Evaluation, fabric: Fabric, answers: list[BatchPredictions], started_at: str
) -> EvaluationResult:
    # A batch that two runs did counts once.
    by_index = {prediction["index"]: prediction for answer in answers for prediction in answer.predictions}
    errors = {index: text for answer in answers for index, text in answer.errors.items() if index not in by_index}
    # Every process looked at its own share only.
    refuse_bad(sorted(set(errors.values())), evaluation.options.skip_bad)
    predictions = [by_index[index] for index in sorted(by_index)]
    results = json.dumps(_results(evaluation.dataset, predictions), separators=(",", ":"))
    files = [evaluation.folder / f"{evaluation.name}.json"]
    write_whole(files[0], results.encode())
    said = list(dict.fromkeys(warning for answer in answers for warning in answer.warnings))
    if errors:
        said.append(f"{len(set(errors.values()))} bad pictures were left out")
    if not evaluation.dataset.annotated:
        files.append(_server_file(evaluation, results))
        return EvaluationResult(tuple(files), None, said)
    metrics: dict[str, int | float] = dict(
        evaluation.dataset.score(predictions, evaluator=evaluation.options.evaluator)
    )
    metrics |= {
        "people": len(evaluation.dataset),
        "people_left_out": len(errors),
        "bad_pictures": len(set(errors.values())),
    }
    metrics |= _throughput(answers, fabric.world_size)
    record = _record(evaluation, fabric, metrics, said, sorted(set(errors.values())), files[0], started_at)
    return EvaluationResult(tuple(files), record, said)


def _results(dataset: Dataset, predictions: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """In COCO's result format; rescored and without doubles where the data set is scored by OKS."""
    if dataset.skeleton.sigmas is not None:
        found = coco_results(
            predictions,
            skeleton=dataset.skeleton,
            fields=dataset.entry.result_fields,
            category=getattr(dataset, "category", PERSON),
        )
        texts: dict[int, str] = getattr(dataset, "texts", {})
        return [one | {"image_id": texts[one["image_id"]]} for one in found] if texts else found
    return [
        {
            "image_id": one["image_id"],
            "category_id": PERSON,
            "keypoints": [number for joint in one["keypoints"] for number in joint],
            "score": one["bbox_score"],
        }
        for one in predictions
    ]


def _server_file(evaluation: Evaluation, results: str) -> Path:
    """The archive that COCO's evaluation server takes, named as it demands."""
    method = re.sub(r"[^a-zA-Z0-9]", "", recorded_name(evaluation.model))
    inner = f"person_keypoints_test-dev2017_{method}_results"
    archive = evaluation.folder / f"{inner}.zip"
    with whole_file(archive) as partial, zipfile.ZipFile(partial, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr(f"{inner}.json", results)
    return archive


def _throughput(answers: list[BatchPredictions], processes: int) -> dict[str, float]:
    """Milliseconds a person, phase by phase, and what part of the time the network had."""
    people = sum(len(answer.predictions) for answer in answers)
    spent = {phase: sum(answer.seconds.get(phase, 0.0) for answer in answers) for phase in PHASES}
    in_turn = spent["wait"] + spent["network"] + spent["decode"]
    if not (people and in_turn):
        return {}
    per_person = {f"{phase}_ms": 1e3 * seconds / people for phase, seconds in spent.items()}
    return per_person | {"people_per_s": processes * people / in_turn, "network_share": spent["network"] / in_turn}


def _record(
    evaluation: Evaluation,
    fabric: Fabric,
    metrics: dict[str, int | float],
    warnings: list[str],
    bad: list[str],
    file: Path,
    started_at: str,
) -> Record:
    waits = {"reading and cropping": "wait_ms", "the network": "network_ms", "decoding": "decode_ms"}
    return complete(
        evaluation.measurement(),
        metrics=metrics,
        warnings=warnings,
        notes={
            "predictions": file.name,
            "predictions_sha256": hashlib.sha256(file.read_bytes()).hexdigest(),
            "limited_by": max(waits, key=lambda what: metrics.get(waits[what], 0.0)),
            "processes": fabric.world_size,
            "workers": evaluation.options.workers,
            "bad_pictures": list(bad),
            "left_out": dict(getattr(evaluation.dataset, "left_out", {})),
        },
        machine=machine.this_machine(str(fabric.device)),
        software=machine.this_software(
            catalogue.version(evaluation.settings.backend),
            ("faster-coco-eval", "pycocotools", "opencv-python-headless"),
        ),
        started_at=started_at,
        command=cli.command_line(),
    )
