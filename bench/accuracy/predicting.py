"""From a data set to predictions: crops made ahead by worker processes, the network, flip test, decoding."""

import time
import warnings
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor, nn
from torch.utils.data import DataLoader
from torch.utils.data import Dataset as TorchDataset

from bench.backends import catalogue
from bench.backends.session import Session
from bench.codecs.codec import Arrays, Codec, HeatmapCodec, codec_of
from bench.core.errors import InputError
from bench.core.processes import user_code
from bench.data import ImageError, box_to_crop, normalise
from bench.data.cropping import Normalisation
from bench.data.dataset import Dataset, Person
from bench.data.pictures import next_batch, start_reader, start_reading
from bench.timing.parity import check_outputs

# What is kept of a prediction: far finer than any metric sees, and the same whichever kernel rounded the last bit.
PIXEL_DECIMALS, SCORE_DECIMALS = 3, 6


@dataclass
class BatchPredictions:
    """What one batch gave."""

    predictions: list[dict[str, Any]]  # as ``Dataset.score`` takes them, each with its ``index``
    errors: dict[int, str] = field(default_factory=dict)  # person -> why the picture cannot be used
    # read and crop: spent by the workers, side by side with the rest; wait, network and decode: here, one by one.
    seconds: dict[str, float] = field(default_factory=dict)
    warnings: list[str] = field(default_factory=list)  # of the network that gave them, beside its reference


@dataclass(frozen=True)
class _Crop:
    index: int
    person: Person | None
    pixels: npt.NDArray[np.uint8] | None
    center: npt.NDArray[np.float32] | None
    size_px: npt.NDArray[np.float32] | None
    read_s: float
    crop_s: float
    error: str = ""


def predict(
    session: Session,
    dataset: Dataset,
    indices: Sequence[int],
    input_size: tuple[int, int],
    *,
    batch: int,
    workers: int,
    flip: bool = True,
    method: str | None = None,
    codec: Codec | None = None,
    normalisation: Normalisation | None = None,
    who: str = "the network",
) -> Iterator[BatchPredictions]:
    """Predictions for some people of a data set, batch by batch, in order.

    Args:
        session: an open network of images ``[batch, 3, H, W]``; it gets full batches only, the last one filled up, so
            that backends of a fixed shape will do.
        indices: which people.
        input_size: height, width.
        batch: people at a time.
        workers: processes that read and crop ahead; 0 does it in this one.
        flip: average with the output for the mirrored picture, the paper's flip test.
        method: one of the decodings of the network's kind (``bench.core.output_kinds``); by default, the usual one.
        codec: of the network; by default, it gives heatmaps of plain crops.
        normalisation: of the network's input; by default that of the zoo.
        who: the network, for messages.

    Raises:
        InputError: the network gives something else than its codec says, or for another number of joints than the
            data set's; or the method is not of its kind.
    """
    codec = codec or HeatmapCodec(input_size)
    method = method or codec.decoding
    codec.kind.check_decoding(method, udp=codec.udp, who=who)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*suggested max number of worker")  # that is the user's choice
        loader = DataLoader(
            _Crops(dataset, indices, codec),
            batch_size=batch,
            num_workers=workers,
            collate_fn=list,
            worker_init_fn=start_reader,
            prefetch_factor=4 if workers else None,
        )
        batches = start_reading(loader)
    for _ in range(len(loader)):
        started = time.perf_counter()
        crops: list[_Crop] = next_batch(batches, "crops")
        waited = time.perf_counter() - started
        good = [one for one in crops if one.pixels is not None]
        answer = _predict_batch(session, good, dataset, batch, flip, method, codec, normalisation, who)
        answer.errors = {one.index: one.error for one in crops if one.pixels is None}
        answer.seconds |= {
            "read": sum(one.read_s for one in crops), "crop": sum(one.crop_s for one in crops), "wait": waited,
        }  # fmt: skip
        yield answer


def evaluate(
    model: nn.Module,
    dataset: Dataset,
    input_size: tuple[int, int],
    *,
    batch: int = 32,
    workers: int = 0,
    flip: bool = True,
) -> dict[str, float]:
    """The data set's own metrics of a network in this process, for training and for scripts.

    Args:
        model: on its device; evaluated in evaluation mode and left as it was.
        dataset: who to find.
        input_size: height, width.

    Returns:
        ``ap``, ``ap50`` … as fractions for COCO and synthetic data, ``head`` … ``pckh`` in percent for MPII.

    Raises:
        ImageError: a picture cannot be used.
        InputError: see ``predict``.
    """
    device = next((parameter.device for parameter in model.parameters()), torch.device("cpu"))
    was_training = model.training
    model.eval()
    predictions = []
    try:
        artifact = catalogue.build("eager", model, torch.zeros(batch, 3, *input_size, device=device))
        with catalogue.open_artifact(artifact, device=str(device)) as session:
            for answer in predict(
                session, dataset, range(len(dataset)), input_size, batch=batch, workers=workers, flip=flip,
                codec=codec_of(model, input_size),
            ):  # fmt: skip
                for error in answer.errors.values():
                    raise ImageError(error)
                predictions += answer.predictions
    finally:
        model.train(was_training)
    return dataset.score(predictions)


class _Crops(TorchDataset[_Crop]):
    def __init__(self, dataset: Dataset, indices: Sequence[int], codec: Codec) -> None:
        self.dataset, self.indices, self.codec = dataset, indices, codec

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, position: int) -> _Crop:
        index = self.indices[position]
        started = time.perf_counter()
        try:
            picture, person = self.dataset.load(index)
        except ImageError as error:
            return _Crop(index, None, None, None, None, time.perf_counter() - started, 0.0, str(error))
        read = time.perf_counter()
        center, size_px = box_to_crop(person.box, self.codec.input_size)
        pixels, _ = self.codec.crop(picture, center, size_px)
        return _Crop(index, person, pixels, center, size_px, read - started, time.perf_counter() - read)


def _outputs(session: Session, images: Tensor, codec: Codec, joints: int, dataset: str, who: str) -> Arrays:
    """What the network returns, checked to be what its codec says."""
    with user_code(who, "fails on a batch of people"):
        found = session.run(images.contiguous().numpy())
    outputs = check_outputs(found, who)
    if not codec.fits([output.shape for output in outputs], joints):
        shown = " and ".join(" x ".join(map(str, output.shape[1:])) for output in outputs)
        raise InputError(
            f"{who} gives {shown} and {dataset} has {joints} joints: a network of {codec.describe(joints)} is needed"
        )
    if any(len(output) != len(images) for output in outputs):
        raise InputError(f"{who} gives answers for {len(outputs[0])} images of {len(images)}: one for each is needed")
    if not all(np.isfinite(output).all() for output in outputs):
        raise InputError(f"{who} returns {codec.kind.name} output that is not finite (NaN or infinity)")
    return outputs


def _predict_batch(
    session: Session,
    crops: list[_Crop],
    dataset: Dataset,
    batch: int,
    flip: bool,
    method: str,
    codec: Codec,
    normalisation: Normalisation | None,
    who: str,
) -> BatchPredictions:
    if not crops:
        return BatchPredictions([], seconds={"network": 0.0, "decode": 0.0})
    started = time.perf_counter()
    filled = crops + crops[-1:] * (batch - len(crops))
    pixels = torch.from_numpy(np.stack([one.pixels for one in filled]))  # type: ignore[misc]
    images = normalise(pixels, normalisation)
    joints = len(dataset.skeleton.joints)
    outputs = _outputs(session, images, codec, joints, dataset.name, who)
    if odd := codec.oddity(outputs):
        warnings.warn(f"{who} {odd}", stacklevel=2)
    if flip:
        mirrored = _outputs(session, images.flip(3), codec, joints, dataset.name, who)
        outputs = codec.flip_average(outputs, mirrored, dataset.skeleton.flip_pairs)
    outputs = [output[: len(crops)] for output in outputs]
    ran = time.perf_counter()
    centers, sizes = (np.stack([getattr(one, name) for one in crops]) for name in ("center", "size_px"))
    coordinates, scores = codec.decode(outputs, centers, sizes, method)
    rounded = coordinates.astype(np.float64).round(PIXEL_DECIMALS), scores.astype(np.float64).round(SCORE_DECIMALS)
    keypoints = np.concatenate((rounded[0], rounded[1][..., None]), axis=2).tolist()
    predictions = [
        {
            "index": one.index,
            "image_id": one.person.image_id,
            "bbox": list(one.person.box),
            "bbox_score": one.person.score,
            "keypoints": joints_of,
            "center": one.center.tolist(),
            "size_px": one.size_px.tolist(),
        }
        for one, joints_of in zip(crops, keypoints, strict=True)
        if one.person is not None and one.center is not None and one.size_px is not None
    ]
    return BatchPredictions(predictions, seconds={"network": ran - started, "decode": time.perf_counter() - ran})
