"""Networks with trained weights, as commands name them: a file, what was published, what is bundled, or random."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch import nn

import zoo
from bench.core.errors import InputError
from bench.core.record import Record
from bench.data.cropping import Normalisation
from bench.data.skeleton_files import SkeletonFile, of_metadata
from bench.model_files.checkpoint import from_json
from bench.models import Model, build, is_factory
from bench.network_joints import learnt_joints
from zoo.create import checked_options
from zoo.weights import fetch, files, find

# NAME.safetensors each, with the training's record in NAME.json: trained by this project on drawn people, for checking
# the harness, not for photographs.
BUNDLED = Path(__file__).parent / "assets" / "weights"


@dataclass(frozen=True)
class Trained:
    """A model and where its weights came from."""

    model: Any  # a network in evaluation mode, or a file that a backend opens (``bench.model_files.ModelFile``)
    options: dict[str, str]
    weights: str  # published, bundled, own, random, or the file's name
    sha256: str  # of the file; of the parameters where there is none
    normalisation: Normalisation = field(default_factory=Normalisation)
    skeleton_file: SkeletonFile | None = None  # what the weights say of the joints that they find

    def on(self, device: str | torch.device) -> Any:
        """The model on a device; a file is on none."""
        return self.model.to(device) if isinstance(self.model, nn.Module) else self.model


def bundled() -> dict[str, Path]:
    """The weights that come with the project, by network."""
    return {path.stem: path for path in sorted(BUNDLED.glob("*.safetensors"))}


def default_input(weights: str, name: str | None, otherwise: str) -> str:
    """The input, height x width, that bundled weights were trained with; for other weights the usual one."""
    there = bundled()
    if weights != "bundled" or not there:
        return otherwise
    path = there.get(name or next(iter(there)))
    return Record.model_validate_json(path.with_suffix(".json").read_text()).input if path else otherwise


def trained(model: Model, weights: str, *, dataset: str = "coco") -> Trained:
    """A model with trained weights: a file has its own, whatever ``weights`` says; see ``build_trained``."""
    if model.file is None:
        size = "x".join(map(str, model.input))
        return build_trained(model.name, weights, num_joints=model.num_joints, input_size=size, dataset=dataset)
    file = model.file
    made, options = file.make(model.num_joints, model.input), dict(getattr(file, "options", {}))
    return Trained(made, options, file.name, file.sha256, file.normalisation, file.skeleton_file)


def build_trained(name: str, weights: str, *, num_joints: int, input_size: str, dataset: str = "coco") -> Trained:
    """A network in evaluation mode with the weights asked for.

    Args:
        name: as ``bench.models.build`` takes it.
        weights: ``published`` (for this data set and input), ``bundled``, ``own`` (of a factory that has loaded them),
            ``random`` or a checkpoint file.
        num_joints: for networks of the zoo.
        input_size: height x width, which published weights and some networks depend on.
        dataset: coco or mpii.

    Raises:
        InputError: there are no such bundled weights.
        ZooError: unknown network; weights that cannot be had or do not fit.
    """
    height, width = map(int, input_size.split("x"))
    size = (height, width)
    if weights == "own" and not is_factory(name):
        raise InputError(f"--weights own is for a network of your own, as FILE.py:FUNCTION, and {name} is the zoo's")
    if weights in ("own", "random"):
        model = build(name, num_joints=num_joints, input_size=size)
        return Trained(model, {}, weights, state_sha256(model))
    path = _file(name, weights, input_size, dataset)
    metadata = files.read(path)[1]
    options = {} if is_factory(name) else _options(metadata, name, f"the metadata inside {path.name}")
    model = build(name, num_joints=num_joints, input_size=size, options=options)
    zoo.load_weights(model, path)
    label = weights if weights in ("published", "bundled") else path.name
    sha = hashlib.sha256(path.read_bytes()).hexdigest()
    said = of_metadata(metadata, path.name)
    if said is None and label in ("published", "bundled"):
        said = learnt_joints(name, label, "coco" if label == "bundled" else dataset)
    return Trained(model, options, label, sha, skeleton_file=said)


def _file(name: str, weights: str, input_size: str, dataset: str) -> Path:
    if weights == "published":
        try:
            entry = find(name, input_size, dataset)
        except InputError as error:
            raise InputError(f"{error}; --weights FILE takes a checkpoint of your own") from error
        return fetch(entry)
    if weights != "bundled":
        return Path(weights)
    if name not in bundled():
        raise InputError(
            f"no weights of {name} are bundled (bundled: {', '.join(bundled()) or 'none'}): "
            "train some with python -m bench.train, and give the file with --weights"
        )
    return bundled()[name]


def _options(metadata: Mapping[str, str], name: str, where: str) -> dict[str, str]:
    """The options that a network of this project was saved with."""
    if metadata.get("name") != name:
        return {}
    return checked_options(name, from_json(metadata.get("options", "{}"), where), where)


def state_sha256(model: nn.Module) -> str:
    """SHA-256 over the names and the bytes of a network's tensors."""
    digest = hashlib.sha256()
    for key, value in model.state_dict().items():
        if isinstance(value, torch.Tensor):  # a module may keep anything else beside
            dense = value if value.layout == torch.strided else value.to_dense()
            flat = dense.detach().cpu().flatten().contiguous()  # as bytes, because NumPy has no bfloat16
            digest.update(key.encode() + flat.view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
