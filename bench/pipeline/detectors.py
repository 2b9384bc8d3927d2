"""A person detector as a file: ONNX, or OpenVINO's xml, whose outputs have one of the known forms.

What the file does not say stands in FILE.json beside it, as for pose networks (``bench.model_files``): the form and,
where they differ from those usual for the form, ``input`` (3, height, width), ``channels`` (RGB or BGR), ``mean`` and
``std`` (of values divided by 255), ``resize`` (letterbox or stretch), ``person`` (the class' number), ``decoded``
(boxes are in pixels already).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from bench.backends import catalogue
from bench.backends.artifact import Artifact
from bench.backends.session import Session
from bench.core.arrays import Float64Array
from bench.core.errors import InputError, first_line
from bench.data.json_files import read_json
from bench.model_files.description import Number, Positive, checked_size, in_a_line, sidecar_of
from bench.pipeline.crops import Frame, tables

Outputs = Sequence[npt.NDArray[Any]]
Size = tuple[int, int]  # height, width

BACKENDS = {".onnx": "onnxruntime", ".xml": "openvino"}
CONFIDENCE, OVERLAP = 0.3, 0.45  # of boxes that are kept, and intersection over union above which the surer one stays
MOST_CLASSES = 10_000  # of a detector
GREY = 114  # of letterboxes, as in YOLOX
_PLAIN = (0.0, 0.0, 0.0), (1 / 255, 1 / 255, 1 / 255)  # values from 0 to 255
_IMAGENET_BGR = (
    tuple(value / 255 for value in (103.53, 116.28, 123.675)), tuple(value / 255 for value in (57.375, 57.12, 58.395)),
)  # fmt: skip


@dataclass(frozen=True)
class Form:
    """What the outputs of a family of detectors look like, and what they want to see."""

    name: str
    about: str
    fits: Callable[[Outputs, Size], bool]
    # Corners [A, 4] (left, top, right, bottom in pixels of the input) and scores [A] of one class.
    decode: Callable[[Outputs, Size, "Sidecar"], tuple[Float64Array, Float64Array]]
    channels: str = "BGR"
    mean: tuple[float, ...] = _PLAIN[0]
    std: tuple[float, ...] = _PLAIN[1]
    resize: str = "letterbox"
    person: int = 0
    suppressed: bool = False  # the file itself leaves one box of each person


@dataclass(frozen=True)
class Sidecar:
    """What a detector wants to see and how to read its answer."""

    form: str = ""  # found by the outputs' shapes where it is not told
    input: Size = (0, 0)
    channels: str = ""
    mean: tuple[float, ...] = ()
    std: tuple[float, ...] = ()
    resize: str = ""
    person: int = -1
    decoded: bool = False

    @classmethod
    def read(cls, path: Path) -> "Sidecar":
        """The JSON file; nothing is told where there is none.

        Raises:
            InputError: it is no such file.
        """
        if not (path.exists() or path.is_symlink()):
            return cls()
        told, _ = read_json(path)
        if not isinstance(told, dict):
            raise InputError(f'{path} is no JSON object: give one such as {{"form": "yolox"}}')
        try:
            said = _Told.model_validate(told).model_dump(exclude_none=True)
        except (ValidationError, RecursionError) as error:
            wrong = in_a_line(error, _Told.model_fields)
            raise InputError(f"{path} does not say what a detector needs: {wrong}") from error
        said = {key: tuple(value) if isinstance(value, list) else value for key, value in said.items()}
        return cls(**said | {"input": said.get("input", (3, *cls.input))[1:]})


class _Told(BaseModel):
    """What the file may say of that; everything may be absent."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False)

    form: str | None = None
    input: list[int] | None = None
    channels: Literal["RGB", "BGR"] | None = None
    mean: list[Number] | None = Field(None, min_length=3, max_length=3)
    std: list[Positive] | None = Field(None, min_length=3, max_length=3)
    resize: Literal["letterbox", "stretch"] | None = None
    person: int | None = Field(None, ge=0, lt=MOST_CLASSES)
    decoded: bool | None = None

    @field_validator("form")
    @classmethod
    def _is_known(cls, value: str | None) -> str | None:
        if value is not None and value not in FORMS:
            raise ValueError(f"should be {', '.join(FORMS)}")
        return value

    @field_validator("input")
    @classmethod
    def _is_a_size(cls, value: list[int] | None) -> list[int] | None:
        return checked_size(value)


class Detector:
    """Finds people in frames.

    Args:
        session: the open file.
        sidecar: with the size of the input.
        who: the file, for messages.
        confidence: boxes below that are left out.
    """

    def __init__(self, session: Session, sidecar: Sidecar, who: str, confidence: float = CONFIDENCE) -> None:
        self.session, self.who, self.confidence = session, who, confidence
        height, width = sidecar.input
        outputs = session.run(np.zeros((1, 3, height, width), np.float32))
        self.form = FORMS[sidecar.form] if sidecar.form else form_of(outputs, sidecar.input, who)
        if not self.form.fits(outputs, sidecar.input):
            raise InputError(f"{who} gives {shapes(outputs)}, which is not of the form {self.form.name}: {known()}")
        self.sidecar = replace(
            sidecar,
            channels=sidecar.channels or self.form.channels,
            mean=sidecar.mean or self.form.mean,
            std=sidecar.std or self.form.std,
            resize=sidecar.resize or self.form.resize,
            person=self.form.person if sidecar.person < 0 else sidecar.person,
        )
        try:
            self.form.decode(outputs, self.sidecar.input, self.sidecar)
        except IndexError as error:
            raise InputError(f'{who} has no class {self.sidecar.person}: give another "person" beside it') from error
        self.tables = tables(self.sidecar.mean, self.sidecar.std)
        self.canvas = np.full((height, width, 3), GREY, np.uint8)
        self.image = np.zeros((1, 3, height, width), np.float32)
        self._shown: Size = (0, 0)

    def __call__(self, _number: int, frame: Frame) -> Float64Array:
        """Boxes ``[N, 4]`` of people, x, y, width, height in pixels, the surest first."""
        scale = self._prepare(frame)
        outputs = self.session.run(self.image)
        corners, scores = self.form.decode(outputs, self.sidecar.input, self.sidecar)
        return select(corners / scale, scores, frame.shape[1::-1], self.confidence, suppressed=self.form.suppressed)

    def close(self) -> None:
        """Release its file."""
        self.session.close()

    def _prepare(self, frame: Frame) -> npt.NDArray[np.float64]:
        """The frame as the detector wants it, in ``image``; pixels of the input over those of the frame, both ways."""
        height, width = self.sidecar.input
        scale = np.array((width / frame.shape[1], height / frame.shape[0]))
        if self.sidecar.resize == "letterbox":
            scale[:] = scale.min()
        shown = (round(frame.shape[0] * scale[1]), round(frame.shape[1] * scale[0]))
        if shown != self._shown:  # frames may change their size
            self.canvas[:] = GREY
            self._shown = shown
        cv2.resize(frame, (shown[1], shown[0]), dst=self.canvas[: shown[0], : shown[1]], interpolation=cv2.INTER_LINEAR)
        planes = cv2.split(self.canvas)
        for channel, plane in enumerate(planes[::-1] if self.sidecar.channels == "RGB" else planes):
            cv2.LUT(plane, self.tables[channel], dst=self.image[0, channel])
        return np.tile(scale, 2)


def select(
    corners: Float64Array, scores: Float64Array, size: Sequence[int], confidence: float, *, suppressed: bool = False
) -> Float64Array:
    """The boxes of people: sure enough, inside the frame, and one of each person.

    Args:
        corners: ``[A, 4]`` left, top, right, bottom in pixels of the frame.
        scores: ``[A]``.
        size: width, height of the frame.
        confidence: least score.
        suppressed: no box is one of several of a person.
    """
    corners = np.concatenate((corners[:, :2].clip(0, size), corners[:, 2:].clip(0, size)), 1)
    good = (scores >= confidence) & (corners[:, 2:] - corners[:, :2] >= 1).all(1) & np.isfinite(scores)
    corners, scores = corners[good], scores[good]
    boxes = np.concatenate((corners[:, :2], corners[:, 2:] - corners[:, :2]), 1)
    if suppressed:
        return boxes[np.argsort(-scores, kind="stable")]
    kept = cv2.dnn.NMSBoxes(boxes.tolist(), scores.tolist(), confidence, OVERLAP)
    return np.asarray(boxes[np.asarray(kept, int).reshape(-1)], np.float64)


def open_detector(path: Path, threads: int, confidence: float = CONFIDENCE) -> Detector:
    """A detector from its file and what stands beside it.

    Raises:
        InputError: no such file, one that no runtime here opens, no size of the input, or outputs of no known form.
    """
    artifact = _artifact(path)
    sidecar = Sidecar.read(sidecar_of(path))
    session = catalogue.open_artifact(artifact, threads=threads)
    try:
        if not all(sidecar.input):
            sidecar = replace(sidecar, input=_input_size(session, path))
        return Detector(session, sidecar, str(path), confidence)
    except InputError:
        session.close()
        raise
    except Exception as error:
        session.close()
        height, width = sidecar.input
        raise InputError(f"{path} does not run on an image of 3 x {height} x {width}: {first_line(error)}") from error


def files_of(path: Path) -> list[Path]:
    """All that decides what a detector finds: its file, those that it needs, and what stands beside it.

    Raises:
        InputError: as ``open_detector``, as far as it can be seen before the file is opened.
    """
    return [*_artifact(path).files, sidecar_of(path)]


def _artifact(path: Path) -> Artifact:
    if path.suffix not in BACKENDS:
        raise InputError(f"{path} is no detector that can be opened: give an .onnx file, or OpenVINO's .xml")
    if not path.is_file():
        raise InputError(f"no detector {path}: give an .onnx file, or OpenVINO's .xml")
    backend = BACKENDS[path.suffix]
    catalogue.resolve(backend, "cpu", "fp32")
    found = catalogue.on_disk(backend, path)
    return Artifact(backend, found.precision, found.files)


def _input_size(session: Session, path: Path) -> Size:
    """Height and width as the file itself has them.

    Raises:
        InputError: it leaves them open.
    """
    shape = session.inputs[0].shape if len(session.inputs) == 1 else ()
    if len(shape) != 4 or not shape[2] or not shape[3]:
        example = '{"input": [3, 416, 416]}'
        raise InputError(f"{path} does not fix the size of its input: write {sidecar_of(path)} with {example}")
    return int(shape[2]), int(shape[3])


# ---------------------------------------------------------------------------------------------------------------------
# The forms


def form_of(outputs: Outputs, size: Size, who: str) -> Form:
    """The one form that outputs have.

    Raises:
        InputError: none, or several; the message says what was found and which forms are known.
    """
    fitting = [form for form in FORMS.values() if form.fits(outputs, size)]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        names = " or ".join(form.name for form in fitting)
        raise InputError(f'{who} gives {shapes(outputs)}, which may be {names}: say "form" in the JSON file beside it')
    raise InputError(f"{who} gives {shapes(outputs)} for an input of {size[0]}x{size[1]}, of no known form: {known()}")


def shapes(outputs: Outputs) -> str:
    return " and ".join("x".join(map(str, output.shape)) for output in outputs) or "nothing"


def known() -> str:
    return "; ".join(f"{form.name}: {form.about}" for form in FORMS.values())


def grid(size: Size, strides: Sequence[int]) -> tuple[Float64Array, Float64Array]:
    """Places ``[A, 2]`` of anchors (column, row) and their strides ``[A]``, row by row, one stride after the other."""
    places, steps = [], []
    for stride in strides:
        rows, columns = -(-size[0] // stride), -(-size[1] // stride)
        y, x = np.mgrid[:rows, :columns]
        places.append(np.stack((x.ravel(), y.ravel()), 1))
        steps.append(np.full(rows * columns, stride))
    return np.concatenate(places).astype(np.float64), np.concatenate(steps).astype(np.float64)


def _anchors(size: Size, strides: Sequence[int]) -> int:
    return sum(-(-size[0] // stride) * -(-size[1] // stride) for stride in strides)


YOLOX_STRIDES, NANODET_STRIDES = (8, 16, 32), (8, 16, 32, 64)
BINS = 8  # of NanoDet's distribution of each distance
LEAST_CLASSES = 1


def _fits_yolox(outputs: Outputs, size: Size) -> bool:
    (output, *rest) = outputs
    return not rest and output.ndim == 3 and output.shape[1] == _anchors(size, YOLOX_STRIDES) and output.shape[2] > 5


def _decode_yolox(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """Centre, size, objectness and classes of every anchor; places in cells and sizes as logarithms, unless decoded."""
    found = outputs[0][0].astype(np.float64)
    centres, sizes = found[:, :2], found[:, 2:4]
    if not sidecar.decoded:
        places, steps = grid(size, YOLOX_STRIDES)
        centres, sizes = (centres + places) * steps[:, None], np.exp(sizes) * steps[:, None]
    return np.concatenate((centres - sizes / 2, centres + sizes / 2), 1), found[:, 4] * found[:, 5 + sidecar.person]


def _fits_rtmdet(outputs: Outputs, size: Size) -> bool:
    if len(outputs) != 6 or any(output.ndim != 4 for output in outputs):
        return False
    scores, distances = outputs[:3], outputs[3:]
    cells = [(-(-size[0] // stride), -(-size[1] // stride)) for stride in YOLOX_STRIDES]
    return (
        [output.shape[2:] for output in scores] == [output.shape[2:] for output in distances] == cells
        and all(output.shape[1] == 4 for output in distances)
        and len({output.shape[1] for output in scores}) == 1
    )


def _decode_rtmdet(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """Logits of classes, and pixels from a cell's corner to left, top, right and bottom; a map of each a stride."""
    places, steps = grid(size, YOLOX_STRIDES)
    logits, distances = (
        np.concatenate([output[0].reshape(output.shape[1], -1).T for output in part]).astype(np.float64)
        for part in (outputs[:3], outputs[3:])
    )
    return _around(places * steps[:, None], distances), 1 / (1 + np.exp(-logits[:, sidecar.person]))


def _fits_nanodet(outputs: Outputs, size: Size) -> bool:
    (output, *rest) = outputs
    whole = not rest and output.ndim == 3 and output.shape[2] >= 4 * BINS + LEAST_CLASSES
    return whole and output.shape[1] == _anchors(size, NANODET_STRIDES)


def _decode_nanodet(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """Probabilities of classes, then a distribution over 8 bins for each of four distances (in strides)."""
    found = outputs[0][0].astype(np.float64)
    places, steps = grid(size, NANODET_STRIDES)
    scores, bins = found[:, : -4 * BINS], found[:, -4 * BINS :]
    return _around(places * steps[:, None], _distances(bins, steps)), scores[:, sidecar.person]


def _fits_nanodet_by_stride(outputs: Outputs, size: Size) -> bool:
    """NanoDet before NanoDet-Plus; some files leave out the dimension of the batch."""
    if len(outputs) != 6 or any(output.ndim not in (2, 3) for output in outputs):
        return False
    scores, bins = outputs[:3], outputs[3:]
    cells = [_anchors(size, [stride]) for stride in YOLOX_STRIDES]
    return (
        [output.shape[-2] for output in scores] == [output.shape[-2] for output in bins] == cells
        and all(output.shape[-1] == 4 * BINS for output in bins)
        and len({output.shape[-1] for output in scores}) == 1
    )


def _decode_nanodet_by_stride(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """As ``_decode_nanodet``, but from the middles of cells."""
    scores, bins = (
        np.concatenate([output.reshape(-1, output.shape[-1]) for output in part]).astype(np.float64)
        for part in (outputs[:3], outputs[3:])
    )
    places, steps = grid(size, YOLOX_STRIDES)
    return _around((places + 0.5) * steps[:, None], _distances(bins, steps)), scores[:, sidecar.person]


def _distances(bins: Float64Array, steps: Float64Array) -> Float64Array:
    """The means of NanoDet's distributions ``[A, 32]``, in pixels: ``[A, 4]``."""
    logits = bins.reshape(-1, 4, BINS)
    weights = np.exp(logits - logits.max(2, keepdims=True))
    return np.asarray((weights @ np.arange(BINS)) / weights.sum(2) * steps[:, None], np.float64)


def _fits_ssd(outputs: Outputs, size: Size) -> bool:
    if len(outputs) != 2 or any(output.ndim != 3 for output in outputs):
        return False
    boxes, scores = outputs
    return boxes.shape[2] == 4 and scores.shape[1] == boxes.shape[1] and scores.shape[2] > 1


def _decode_ssd(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """Corners as shares of the input, unless decoded, and probabilities of classes, the background first."""
    corners = outputs[0][0].astype(np.float64)
    if not sidecar.decoded:
        corners = corners * (size[1], size[0], size[1], size[0])
    return corners, outputs[1][0, :, sidecar.person].astype(np.float64)


def _fits_detections(outputs: Outputs, size: Size) -> bool:
    if len(outputs) != 2:
        return False
    boxes, classes = outputs
    return boxes.ndim == 3 and boxes.shape[2] == 5 and classes.shape == boxes.shape[:2]


def _decode_detections(outputs: Outputs, size: Size, sidecar: Sidecar) -> tuple[Float64Array, Float64Array]:
    """Corners in pixels of the input, and a score; the class of each beside them."""
    found, classes = outputs[0][0].astype(np.float64), outputs[1][0]
    return found[:, :4], np.where(classes == sidecar.person, found[:, 4], 0.0)


def _around(points: Float64Array, distances: Float64Array) -> Float64Array:
    return np.concatenate((points - distances[:, :2], points + distances[:, 2:]), 1)


FORMS = {
    form.name: form
    for form in (
        Form(
            "yolox", "[1, anchors of strides 8, 16, 32, 5 + classes]", _fits_yolox, _decode_yolox,
        ),
        Form(
            "rtmdet", "three maps [1, classes, h, w] and three [1, 4, h, w]", _fits_rtmdet, _decode_rtmdet,
            mean=_IMAGENET_BGR[0], std=_IMAGENET_BGR[1],
        ),
        Form(
            "nanodet", "[1, anchors of strides 8 to 64, classes + 32]", _fits_nanodet, _decode_nanodet,
            mean=_IMAGENET_BGR[0], std=_IMAGENET_BGR[1], resize="stretch",
        ),
        Form(
            "nanodet_by_stride", "three [1, anchors, classes] and three [1, anchors, 32]", _fits_nanodet_by_stride,
            _decode_nanodet_by_stride, mean=_IMAGENET_BGR[0], std=_IMAGENET_BGR[1],
        ),
        Form(
            "ssd", "corners [1, A, 4] and classes [1, A, C]", _fits_ssd, _decode_ssd, channels="RGB",
            mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5), resize="stretch", person=1,
        ),
        Form(
            "detections", "corners with scores [1, A, 5] and classes [1, A], one box of each person", _fits_detections,
            _decode_detections, mean=_IMAGENET_BGR[0], std=_IMAGENET_BGR[1], suppressed=True,
        ),
    )
}  # fmt: skip
