"""What a model file says of itself, inside or beside it, as one checked schema.

The names are those of the metadata that ``bench.export`` writes. ``docs/model_file.schema.json`` is the JSON Schema.
"""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from bench.core.errors import InputError
from bench.core.files import PROJECT
from bench.core.output_kinds import KINDS

LARGEST_BYTES = 1_000_000  # of a sidecar
SIZES = (32, 4096)  # of an input's height and width, as --input takes them
Name = Annotated[str, Field(min_length=1, max_length=200, pattern=r"^[^\x00-\x1f\x7f]+$")]
Number = Annotated[float, Field(ge=-1e6, le=1e6)]
Positive = Annotated[float, Field(ge=1e-6, le=1e6)]


def checked_size(value: list[int] | None) -> list[int] | None:
    """An input's size, if one is told.

    Raises:
        ValueError: it is none.
    """
    low, high = SIZES
    if value is not None and not (len(value) == 3 and value[0] == 3 and all(low <= size <= high for size in value[1:])):
        raise ValueError(f"is not [3, height, width] with sizes from {low} to {high}")
    return value


class Description(BaseModel):
    """What a model file takes and gives. Everything may be absent; each command says what it needs."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, allow_inf_nan=False)

    input: list[int] | None = Field(None, description="channels, height, width of the input: [3, 256, 192]")
    input_name: Name | None = Field(None, description="of the input for images, where the file has several")
    layout: Literal["NCHW", "NHWC"] | None = Field(None, description="of the input, where its shape does not tell")
    channels: Literal["RGB", "BGR"] | None = Field(None, description="order of the colours")
    mean: list[Number] | None = Field(
        None, min_length=3, max_length=3, description="to subtract from pixels divided by 255, in the order of channels"
    )
    std: list[Positive] | None = Field(
        None, min_length=3, max_length=3, description="to divide by after that: [1, 1, 1] for none"
    )
    output_kind: Literal["heatmap", "simcc", "coordinates"] | None = Field(
        None, description="heatmaps [J, h, w]; simcc: vectors along x and along y, [J, bins] each; coordinates [J, 2]"
    )
    output_names: list[Name] | None = Field(
        None, min_length=1, max_length=64,
        description="which of the file's outputs: one of heatmaps or coordinates, or two of simcc, x first",
    )  # fmt: skip
    split_ratio: Positive | None = Field(None, description="simcc: bins per pixel of the input")
    udp: bool | None = Field(None, description="crops measure sizes between pixel centres (W - 1), not edges")
    num_joints: int | None = Field(None, ge=1, le=1024)
    joints: list[Name] | None = Field(None, max_length=1024, description="their names, in the order of the output")
    flip_pairs: list[list[int]] | None = Field(
        None, max_length=512, description="joints that change places in a mirrored picture, by number from 0"
    )
    limbs: list[list[int]] | None = Field(
        None, max_length=4096, description="joints to connect in drawings, by number from 0"
    )
    precision: Literal["fp32", "fp16", "bf16", "int8"] | None = Field(
        None, description="what the file computes in, where its operators do not tell"
    )
    network: Name | None = Field(None, description="of a checkpoint: the zoo's name of the network")
    options: dict[str, str] | str | None = Field(None, description="of that network, such as attention")
    # For readers; nothing depends on them.
    about: Name | None = Field(None, description="where the file came from")
    project: Name | None = None
    project_version: Name | None = None
    model: Name | None = None
    weights: Name | None = None
    weights_sha256: Name | None = None
    output: list[int] | list[list[int]] | None = Field(None, description="shapes of the outputs, for one image")
    dynamic_batch: bool | None = None

    @field_validator("input")
    @classmethod
    def _is_a_size(cls, value: list[int] | None) -> list[int] | None:
        return checked_size(value)

    @field_validator("flip_pairs", "limbs")
    @classmethod
    def _are_pairs(cls, value: list[list[int]] | None) -> list[list[int]] | None:
        if value is not None and any(len(pair) != 2 for pair in value):
            raise ValueError("is not a list of pairs of numbers")
        return value

    @field_validator("flip_pairs")
    @classmethod
    def _are_apart(cls, value: list[list[int]] | None) -> list[list[int]] | None:
        numbers = [number for pair in value or () for number in pair]
        if len(set(numbers)) != len(numbers):
            raise ValueError("names a joint twice")
        return value

    @model_validator(mode="after")
    def _agree(self) -> "Description":
        if self.joints is not None:
            if len(set(self.joints)) != len(self.joints):
                raise ValueError("joints: two joints have one name")
            if self.num_joints not in (None, len(self.joints)):
                raise ValueError(f"joints: {len(self.joints)} names, and num_joints is {self.num_joints}")
        count = self.num_joints or (len(self.joints) if self.joints is not None else None)
        for key in ("flip_pairs", "limbs"):
            for pair in getattr(self, key) or ():
                if not all(0 <= number < (count or 1024) for number in pair):
                    raise ValueError(f"{key}: {pair} names a joint that is not there (they are counted from 0)")
        if self.output_kind is not None and self.output_names is not None:
            wanted = len(KINDS[self.output_kind].arrays)
            if len(self.output_names) != wanted:
                named = len(self.output_names)
                raise ValueError(f"output_names: {self.output_kind} has {wanted}, and {named} are named")
        if self.split_ratio is not None and self.output_kind not in (None, "simcc"):
            raise ValueError(f"split_ratio: belongs to simcc, and output_kind is {self.output_kind}")
        return self

    @property
    def joint_count(self) -> int | None:
        return self.num_joints or (len(self.joints) if self.joints is not None else None)


FIELDS = tuple(Description.model_fields)


def sidecar_of(path: Path) -> Path:
    """The file beside a model file that describes it."""
    return path.with_name(f"{path.name}.json")


def read_sidecar(path: Path) -> dict[str, Any]:
    """What a sidecar says, checked; nothing where there is none.

    Raises:
        InputError: it is no regular file, too large, no JSON, or does not fit the schema.
    """
    from bench.data.json_files import read_json

    if not (path.exists() or path.is_symlink()):
        return {}
    if path.is_file() and path.stat().st_size > LARGEST_BYTES:
        raise InputError(f"{path} is larger than {LARGEST_BYTES // 1000} kB: that is no description of a model file")
    told, _ = read_json(path)
    if not isinstance(told, dict):
        raise InputError(f'{path} must hold one object, such as {{"mean": [0.485, 0.456, 0.406]}}')
    return checked(told, str(path))


def read_options(texts: list[str]) -> dict[str, Any]:
    """``KEY=VALUE`` of ``--model-info``, checked; values are JSON, or texts.

    Raises:
        InputError: one has no such form, stands twice, or does not fit the schema.
    """
    told: dict[str, Any] = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals or key in told:
            twice = "is given twice" if key in told else "is not KEY=VALUE, such as channels=BGR"
            raise InputError(f"--model-info {text[:80]!r} {twice}")
        told[key] = _value(key, value)
    return checked(told, "--model-info")


def of_metadata(metadata: Mapping[str, str], who: str) -> dict[str, Any]:
    """What metadata inside a file say, if this project wrote them: texts, JSON where they are numbers or lists.

    Raises:
        InputError: they do not fit the schema: the file was changed.
    """
    if metadata.get("project") != PROJECT:
        return {}
    told = {key: _value(key, text) for key, text in metadata.items() if key in FIELDS}
    return checked(told, f"the metadata inside {who}")


def _value(key: str, text: str) -> Any:
    """A text as the field of that name takes it."""
    field = Description.model_fields.get(key)
    if field is None or ("str" in str(field.annotation) and "list" not in str(field.annotation)):
        return text
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def checked(told: Mapping[str, Any], where: str) -> dict[str, Any]:
    """What was said, without what is null, if it fits the schema; ``where`` is for messages.

    Raises:
        InputError: it does not.
    """
    try:
        return Description.model_validate(dict(told)).model_dump(exclude_none=True)
    except (ValidationError, RecursionError) as error:
        raise InputError(f"{where}: {in_a_line(error, FIELDS)}") from error


def in_a_line(error: ValidationError | RecursionError, fields: Iterable[str]) -> str:
    """What does not fit a schema first, by the name of its field.

    Args:
        error: of pydantic.
        fields: that there are.
    """
    if isinstance(error, RecursionError):
        return "is nested too deeply"
    first = error.errors(include_url=False)[0]
    if first["type"] == "extra_forbidden":
        return f"{str(first['loc'][0])[:60]!r} is not known: there is {', '.join(fields)}"
    where = str(first["loc"][0]) if first["loc"] else ""
    given = json.dumps(first["input"], default=str)[:60] if where else ""
    said = first["msg"].removeprefix("Value error, ").removeprefix("Input ")
    return f"{where}: {said}, and is {given}" if where else said


def merged(sources: Mapping[str, Mapping[str, Any]]) -> Description:
    """One description from several places, which must agree.

    Args:
        sources: what each says, by what messages call it.

    Raises:
        InputError: two of them contradict each other, or do not go together.
    """
    whole: dict[str, Any] = {}
    said_by: dict[str, str] = {}
    for where, told in sources.items():
        for key, value in told.items():
            if key in whole and whole[key] != value and key != "about":
                raise InputError(
                    f"{where} says {key} {_short(value)}, and {said_by[key]} says {_short(whole[key])}: "
                    "leave out the one that is wrong"
                )
            whole.setdefault(key, value)
            said_by.setdefault(key, where)
    return Description.model_validate(checked(whole, " and ".join(sources) or "the description"))


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."


def json_schema() -> str:
    """The JSON Schema of a sidecar, as text."""
    return json.dumps(Description.model_json_schema(), indent=1) + "\n"
