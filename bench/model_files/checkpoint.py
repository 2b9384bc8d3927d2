"""A checkpoint as a model: weights of a network of the zoo, which the file, its sidecar or an option names."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from pydantic import BaseModel, ConfigDict

from bench.backends.artifact import digest
from bench.core.errors import InputError
from bench.model_files.description import SIZES, Description, checked, merged, sidecar_of

if TYPE_CHECKING:
    from torch import nn

    from bench.data.cropping import Normalisation
    from bench.data.skeleton_files import SkeletonFile

Size = tuple[int, int]  # height, width


class Checkpoint(BaseModel):
    """A file of weights and the network that they are of; plain values, so that a process can be told."""

    model_config = ConfigDict(frozen=True)

    kind: Literal["checkpoint"] = "checkpoint"
    path: Path
    sha256: str
    network: str  # of the zoo
    options: dict[str, str]
    num_joints: int
    size: Size | None  # of the input that it was saved for; networks whose parameters do not depend on it take others
    joints_told: dict[str, Any] = {}  # what the file itself says of its joints: ``bench.data.skeleton_files``
    backend: Literal["eager"] = "eager"

    @property
    def name(self) -> str:
        """In messages and records."""
        return self.path.name

    @property
    def normalisation(self) -> "Normalisation":
        """Of its input, as networks of the zoo have it."""
        from bench.data.cropping import Normalisation

        return Normalisation()

    @property
    def skeleton_file(self) -> "SkeletonFile | None":
        """What it says of the joints that it finds."""
        from bench.data.skeleton_files import SkeletonFile

        return SkeletonFile(self.name, self.joints_told) if self.joints_told else None

    def check_backend(self, name: str) -> None:
        """Every backend runs networks of the zoo."""

    def check_batch(self, batch: int) -> None:
        """They take any number of images."""

    def precision_in(self, backend: str, resolved: str) -> str:
        return resolved

    def require(self, *keys: str, command: str) -> None:
        """The network's card says it all."""

    def protocol(self) -> dict[str, str | float | bool]:
        """What decides an evaluation's result beside the weights."""
        return {}

    def make(self, num_joints: int, size: Size) -> "nn.Module":
        """The network in evaluation mode, with the weights.

        Raises:
            ZooError: they do not fit it.
        """
        import zoo

        model = zoo.create_model(self.network, num_joints=num_joints, input_size=size, **self.options)
        zoo.load_weights(model, self.path)
        return model.eval()


def read(path: Path, sources: Mapping[str, Mapping[str, Any]]) -> Checkpoint:
    """A checkpoint, with what its metadata, its sidecar and the options say together.

    Args:
        path: of the file.
        sources: what the sidecar and the options say, by what messages call them.

    Raises:
        InputError: nothing says which network it is, or what says so contradicts itself.
        ZooError: the file is no checkpoint, or there is no such network.
    """
    import zoo
    from bench.data.skeleton_files import of_metadata
    from zoo.weights import files

    _, metadata = files.read(path)
    joints = of_metadata(metadata, path.name)
    said = merged({f"the metadata inside {path.name}": _of_metadata(path, metadata), **sources})
    if said.network is None:
        raise InputError(
            f"{path.name} does not say which network it is of: write {sidecar_of(path)} with "
            '{"network": "lite_hrnet_18"}, or give --model-info network=NAME'
        )
    if ":timm/" not in said.network:
        zoo.model_card(said.network)
    _refuse_what_a_network_says_itself(path, said)
    return Checkpoint(
        path=path, sha256=digest([path]), network=said.network, options=_options(path, said),
        num_joints=said.joint_count or 17, size=(said.input[1], said.input[2]) if said.input else None,
        joints_told=dict(joints.told) if joints else {},
    )  # fmt: skip


def _of_metadata(path: Path, metadata: Mapping[str, str]) -> dict[str, Any]:
    """What ``zoo.save_weights`` wrote."""
    told: dict[str, Any] = {}
    where = f"the metadata inside {path.name}"
    if "name" in metadata:
        told["network"] = metadata["name"]
        told["options"] = from_json(metadata.get("options", "{}"), where)
        told["num_joints"] = from_json(metadata.get("num_joints", "null"), where)
        size = re.fullmatch(r"(\d{1,6})x(\d{1,6})", metadata.get("input_size", ""))
        sizes = [int(size[1]), int(size[2])] if size else []
        if sizes and all(SIZES[0] <= one <= SIZES[1] for one in sizes):
            told["input"] = [3, *sizes]
    return checked(told, where)


def from_json(text: str, where: str) -> Any:
    """What a file's metadata hold as JSON; raises an ``InputError`` that says where."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(f"{where} is not JSON: {text[:60]!r}") from error


def _options(path: Path, said: Description) -> dict[str, str]:
    """Options as a table; as a text they are ``key=value, key=value``."""
    from zoo.create import checked_options

    if said.options is None or isinstance(said.options, dict):
        return checked_options(str(said.network), said.options or {}, path.name)
    pairs = [part.strip().partition("=") for part in said.options.split(",") if part.strip()]
    if not all(equals for _, equals, _ in pairs):
        raise InputError(f"{path.name}: options {said.options[:60]!r} are not KEY=VALUE, such as attention=se")
    return checked_options(str(said.network), {key: value for key, _, value in pairs}, path.name)


def _refuse_what_a_network_says_itself(path: Path, said: Description) -> None:
    """A sidecar cannot change what a network of the zoo takes and gives."""
    own = (
        "channels", "mean", "std", "output_kind", "output_names", "split_ratio", "udp", "layout", "input_name",
        "joints", "flip_pairs", "limbs", "precision",
    )  # fmt: skip
    given = [key for key in own if getattr(said, key) is not None]
    if given:
        raise InputError(
            f"{path.name}: {', '.join(given)} cannot be chosen for a checkpoint: {said.network} decides on it"
        )
