"""Where frames come from: drawn scenes and videos with the truth about them, pictures, and video files."""

import contextlib
import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from bench.core.arrays import Float64Array
from bench.core.errors import InputError
from bench.core.files import cache_folder, write_whole
from bench.data.annotations import FARTHEST
from bench.data.boxes import BoxFile, Size, boxes_in
from bench.data.json_files import read_json
from bench.data.synthetic import frames as drawn
from bench.data.synthetic.random_numbers import RandomNumbers
from bench.pipeline.crops import Frame

QUALITY = 95  # of the JPEG files that drawn frames are decoded from
JITTER_STREAM = 9


@dataclass
class Drawn:
    """Drawn frames as JPEG files in memory, with the truth.

    ``read`` decodes, as for a camera that sends motion JPEG.
    """

    files: list[npt.NDArray[np.uint8]]
    boxes: list[Float64Array]  # [N, 4] a frame
    joints: list[Float64Array]  # [N, 17, 2] a frame
    seen: list[Float64Array]  # [N, 17] a frame, 0 not labelled
    still: tuple[bool, ...] = ()  # of a video: who stands still

    def __len__(self) -> int:
        return len(self.files)

    def read(self, number: int) -> Frame:
        return decoded(self.files[number % len(self.files)])

    def given(self, jitter: float, seed: int) -> Callable[[int, Frame], Float64Array]:
        """The true boxes, moved and resized as a detector's would be.

        Args:
            jitter: standard deviation of each side's place, as a share of the box' width or height.
            seed: of the jitter.
        """
        moved = [jittered(boxes, jitter, seed, number) for number, boxes in enumerate(self.boxes)]
        return lambda number, _frame: moved[number % len(moved)]


def jittered(boxes: Float64Array, jitter: float, seed: int, number: int) -> Float64Array:
    """Boxes ``[N, 4]`` with each side moved at random; a side stays on its side of the middle."""
    if not jitter or not len(boxes):
        return np.asarray(boxes, np.float64)
    rng = RandomNumbers(seed, number, JITTER_STREAM)
    moves = np.array([[rng.bell(0, jitter) for _ in range(4)] for _ in boxes]).clip(-0.45, 0.45)
    low = boxes[:, :2] + moves[:, :2] * boxes[:, 2:]
    high = boxes[:, :2] + boxes[:, 2:] * (1 + moves[:, 2:])
    return np.asarray(np.concatenate((low, high - low), 1), np.float64)


def drawn_scenes(people: int, size: tuple[int, int], count: int, seed: int) -> Drawn:
    """Scenes with exactly so many people, drawn once and kept in the cache folder.

    Raises:
        InputError: so many people cannot be drawn.
    """
    return _cached(
        f"scenes-{people}-{size[0]}x{size[1]}-{count}-{seed}",
        lambda: [drawn.draw_people(seed, index, people, size) for index in range(count)],
    )


def drawn_video(people: int, size: tuple[int, int], count: int, rate: float, seed: int) -> Drawn:
    """A sequence with so many people in motion; the one who stands still is told.

    Raises:
        InputError: so many people cannot be drawn.
    """
    sequence = drawn.Sequence(seed, people, size, rate)
    name = f"video-{people}-{size[0]}x{size[1]}-{count}-{rate:g}-{seed}"
    found = _cached(name, lambda: [sequence.frame(number) for number in range(count)])
    found.still = sequence.still
    return found


def _cached(name: str, draw: Callable[[], list[drawn.Frame]]) -> Drawn:
    """Drawn frames by a name that says all about them."""
    path = cache_folder("frames") / f"{name}-v{drawn.FRAMES_VERSION}-opencv{cv2.__version__}.npz"
    if path.is_file():
        with contextlib.suppress(Exception):  # of a damaged file numpy lets through whatever it stumbles over
            return _read(path)
    content = io.BytesIO()
    arrays: dict[str, Any] = {}
    for index, frame in enumerate(draw()):
        arrays[f"file{index}"] = encoded(frame.image)
        arrays |= {f"boxes{index}": frame.boxes, f"joints{index}": frame.joints, f"seen{index}": frame.seen}
    np.savez(content, **arrays)
    write_whole(path, content.getvalue())
    return _read(path)


def _read(path: Path) -> Drawn:
    with np.load(path) as kept:
        indices = range(len(kept.files) // 4)
        boxes, joints, seen = (
            [kept[f"{what}{index}"].astype(np.float64) for index in indices] for what in ("boxes", "joints", "seen")
        )
        return Drawn([kept[f"file{index}"] for index in indices], boxes, joints, seen)


def encoded(rgb: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """A picture as a JPEG file."""
    done = cv2.imencode(".jpg", np.ascontiguousarray(rgb[:, :, ::-1]), (cv2.IMWRITE_JPEG_QUALITY, QUALITY))[1]
    return np.asarray(done, np.uint8)


def decoded(file: npt.NDArray[np.uint8]) -> Frame:
    return np.asarray(cv2.imdecode(file, cv2.IMREAD_COLOR), np.uint8)


@dataclass
class Pictures:
    """Picture files, read anew each time.

    Attributes:
        paths: of the files.
        sizes: width and height of those whose boxes tell how the picture stood when they were drawn.
    """

    paths: Sequence[Path]
    sizes: Mapping[Path, Size] = field(default_factory=dict)

    def __len__(self) -> int:
        return len(self.paths)

    def read(self, number: int) -> Frame:
        from bench.data import pictures

        path = self.paths[number % len(self.paths)]
        return np.asarray(pictures.read(path, self.sizes.get(path))[:, :, ::-1].copy(), np.uint8)


@dataclass
class Video:
    """A video file, frame after frame; from its end it starts again.

    Raises:
        InputError: it cannot be opened, or holds no frame.
    """

    path: Path
    most: int | None = None  # frames that are used
    sizes: set[tuple[int, int]] = field(default_factory=set)  # width, height of frames read so far
    rate: float = 0.0  # frames a second, as the file says; 0: it does not

    def __post_init__(self) -> None:
        if not self.path.is_file():
            raise InputError(f"no video {self.path}: give a file that OpenCV reads, such as MP4 or AVI")
        self._capture = cv2.VideoCapture(str(self.path))
        self.told = int(self._capture.get(cv2.CAP_PROP_FRAME_COUNT)) if self._capture.isOpened() else 0
        self.rate = float(self._capture.get(cv2.CAP_PROP_FPS)) if self._capture.isOpened() else 0.0
        if not 0 < self.rate < 1e4:
            self.rate = 0.0
        self._at = 0
        self.count: int | None = None  # frames that can be read, once that is known
        if self._next() is None:
            raise InputError(f"{self.path} holds no frame that can be decoded: give a video that OpenCV reads")
        self._rewind()

    def __len__(self) -> int:
        """Frames that can be read: all are, the first time that this is asked."""
        if self.count is None:
            self._rewind()
            while self.count is None:
                if self._next() is None or (self.most and self._at >= self.most):
                    self.count = self._at
            self._rewind()
        return self.count

    @property
    def broken_off(self) -> bool:
        """Whether it has fewer frames than it says."""
        return self.count is not None and self.count < min(self.told, self.most or self.told)

    @property
    def may_go_on(self) -> bool:
        """Whether the file may have frames after those that can be read, or that are used."""
        return self.broken_off or len(self) == self.most

    def read(self, number: int) -> Frame:
        if number % len(self) != self._at:
            self._rewind()
            while self._at < number % len(self):
                self._next()
        frame = self._next()
        if frame is None:
            raise InputError(f"{self.path} cannot be decoded at frame {self._at} any more: has it changed meanwhile?")
        return frame

    def _next(self) -> Frame | None:
        good, frame = self._capture.read()
        if not good or frame is None:
            return None
        self._at += 1
        self.sizes.add((frame.shape[1], frame.shape[0]))
        return np.asarray(frame, np.uint8)

    def _rewind(self) -> None:
        self._capture.release()
        self._capture = cv2.VideoCapture(str(self.path))
        self._at = 0


@dataclass
class ListedBoxes:
    """The boxes of every frame, from a file; for any number of frames, from its end it starts again."""

    frames: list[Float64Array]  # [N, 4] each
    notes: list[str] = field(default_factory=list)  # what of the file is not among them
    sizes: dict[Path, Size] = field(default_factory=dict)  # of pictures, where the file gives them

    def __call__(self, number: int, _frame: Frame) -> Float64Array:
        return self.frames[number % len(self.frames)]


def boxes_from_file(
    path: Path, count: int, names: Mapping[Path, str] | None = None, *, part: bool = False
) -> ListedBoxes:
    """Boxes of every frame, from JSON.

    That is a list with one list of ``[x, y, width, height]`` a frame; or, for pictures, what ``bench.predict`` takes,
    by the same rules.

    Args:
        path: of the file.
        count: of the frames.
        names: of each picture, its name in the folder that was given; none of a video.
        part: whether there are more frames than these, which the file may have boxes for.

    Raises:
        InputError: the file is no such file, does not say which pictures it means, or has entries for other pictures
            or for another number of frames.
    """
    told, _ = read_json(path)
    if isinstance(told, Mapping) or (isinstance(told, list) and told and isinstance(told[0], Mapping)):
        if not names:
            raise InputError(
                f"{path} names pictures, and a video's frames have no names: give a list with one list of boxes a frame"
            )
        return _boxes_of_pictures(boxes_in(told, path), names)
    if not isinstance(told, list) or len(told) < count or (len(told) > count and not part):
        found = f"{len(told)} entries" if isinstance(told, list) else type(told).__name__
        raise InputError(f"{path} has {found}, and there are {count} frames: give a list of boxes for each frame")
    frames: list[Float64Array] = []
    for number, boxes in enumerate(told[:count]):
        try:
            found_boxes = np.array(boxes if boxes != [] else np.zeros((0, 4)))
        except (TypeError, ValueError, OverflowError):
            found_boxes = np.array(None)
        if found_boxes.ndim != 2 or found_boxes.shape[1] != 4 or found_boxes.dtype.kind not in "iuf":
            raise InputError(
                f"{path}, frame {number}: a list of boxes is needed, each a list of x, y, width and height in pixels"
            )
        found_boxes = found_boxes.astype(np.float64)
        if (np.abs(found_boxes) > FARTHEST).any():
            raise InputError(f"{path}, frame {number}: a box is farther than {FARTHEST:g} pixels")
        if not np.isfinite(found_boxes).all() or (found_boxes[:, 2:] <= 0).any():
            raise InputError(f"{path}, frame {number}: width and height of a box must be finite and above 0")
        frames.append(found_boxes)
    more = len(told) - count
    return ListedBoxes(
        frames, [f"{path.name}: left out: boxes of {more} frames after the last one used"] if more else []
    )


def _boxes_of_pictures(file: BoxFile, names: Mapping[Path, str]) -> ListedBoxes:
    """Those of each picture. A file of names must name them all; who is in no other file was not found."""
    found = file.match(names)
    without = [path for path in names if path not in found.boxes]
    if without and file.by_name:
        raise InputError(
            f"{file.path} names pictures, and it has no boxes of {without[0]}: give each its list, which may be empty"
        )
    if not found.boxes:
        raise InputError(found.problem)
    notes = [f"{file.path.name}: {remark}" for remark in found.remarks]
    if without:
        notes.append(f"{file.path.name}: it has no boxes of {len(without)} pictures, the first: {without[0]}")
    frames = [[box for box, _ in found.boxes.get(path, [])] for path in names]
    return ListedBoxes([np.array(boxes, np.float64).reshape(-1, 4) for boxes in frames], notes, found.sizes)
