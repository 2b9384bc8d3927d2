"""Whether a file is what it was said to be: its input, its outputs and their shapes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.backends.session import Port
from bench.core.errors import InputError
from bench.core.output_kinds import KINDS
from bench.model_files.description import Description, sidecar_of

Size = tuple[int, int]  # height, width
Shapes = Mapping[str, tuple[int, ...]]


@dataclass(frozen=True)
class Form:
    """In which form a file takes images."""

    size: Size
    batch: int | None  # none: any number
    layout: str
    type: str


def form(path: Path, inputs: Sequence[Port], said: Description) -> Form:
    """The form of a file's input, from what the file tells and what was said.

    Raises:
        InputError: there is no input for images, or it is not as it was said, or its size is not known.
    """
    port = _images(path, inputs, said)
    shape = port.shape or (None,) * 4
    shown = f"input {port.name!r} {_text(shape)}"
    if len(shape) != 4:
        raise InputError(f"{path.name} takes {shown}: images need four dimensions")
    layout = said.layout or ("NHWC" if shape[3] == 3 != shape[1] else "NCHW")
    channels, *sizes = (shape[3], shape[1], shape[2]) if layout == "NHWC" else shape[1:]
    if channels not in (None, 3):
        raise InputError(f"{path.name} takes {shown}, which has {channels} channels as {layout}: 3 are needed")
    wanted = said.input[1:] if said.input else [None, None]
    for found, told in zip(sizes, wanted, strict=True):
        if None not in (found, told) and found != told:
            asked = "x".join(map(str, wanted))
            raise InputError(f"{path.name} takes {shown}, and {asked} was asked for (height x width)")
    height, width = (told or found for found, told in zip(sizes, wanted, strict=True))
    if height is None or width is None:
        raise InputError(
            f"{path.name} does not say its input size ({shown}): give --input HxW, or write {sidecar_of(path)} with "
            '{"input": [3, 256, 192]}'
        )
    if port.type not in ("float32", "float16", "float64", "uint8", "int8"):
        raise InputError(f"{path.name} takes {shown} of {port.type}: floating-point numbers or 8 bits are needed")
    return Form((height, width), shape[0], layout, port.type)


def _images(path: Path, inputs: Sequence[Port], said: Description) -> Port:
    """The file's input for images, which must be its only one."""
    names = ", ".join(f"{one.name!r} {_text(one.shape)}" for one in inputs)
    if said.input_name is not None and said.input_name not in [one.name for one in inputs]:
        raise InputError(f"{path.name} has no input {said.input_name!r}: it takes {names or 'nothing'}")
    if len(inputs) != 1:
        raise InputError(f"{path.name} takes {names or 'nothing'}: one input, for images, is needed")
    return inputs[0]


def outputs(path: Path, found: Shapes, size: Size, said: Description) -> Description:
    """The description with the names of the outputs that are meant; as it is where no kind of output was said.

    Args:
        path: of the file.
        found: its outputs by name, and the shapes that they had.
        size: height, width of its input.
        said: by the file, its sidecar and the options.

    Raises:
        InputError: the outputs do not fit what was said.
    """
    listed = ", ".join(f"{name!r} {_text(shape)}" for name, shape in found.items())
    for name in said.output_names or ():
        if name not in found:
            raise InputError(f"{path.name} has no output {name!r}: it gives {listed}")
    if said.output_kind is None:
        return said
    count = len(KINDS[said.output_kind].arrays)
    names = said.output_names or list(found)
    if len(names) != count:
        raise InputError(
            f"{path.name} gives {listed}, and {said.output_kind} is {count} of them: say which with output_names"
        )
    shapes = [found[name] for name in names]
    if said.output_kind == "simcc":
        names, ratio = _simcc_order(path, names, shapes, size, said)
        joints = shapes[0][1] if ratio else None
    elif said.output_kind == "heatmap":
        joints = _heatmap_joints(shapes[0], said)
    else:
        joints = shapes[0][1] if len(shapes[0]) == 3 and shapes[0][2] in (2, 3) else None
    told = said.joint_count
    if joints is None or told not in (None, joints):
        wanted = {"heatmap": "[N, J, h, w]", "simcc": "[N, J, bins]", "coordinates": "[N, J, 2 or 3]"}[said.output_kind]
        of = f" of {told} joints" if told else ""
        raise InputError(f"{path.name} gives {listed}, which is no {said.output_kind} {wanted}{of}")
    for key in ("flip_pairs", "limbs"):
        for pair in getattr(said, key) or ():
            if max(pair) >= joints:
                raise InputError(f"{path.name} has {joints} joints, and {key} names joint {max(pair)}")
    bins = {"split_ratio": ratio} if said.output_kind == "simcc" else {}
    return said.model_copy(update={"output_names": names, "num_joints": joints, **bins})


def _heatmap_joints(shape: tuple[int, ...], said: Description) -> int | None:
    """How many joints heatmaps are of, whose channels may come last."""
    if len(shape) != 4 or 0 in shape:
        return None
    if said.joint_count is not None and shape[1] != said.joint_count == shape[3]:
        return shape[3]
    return shape[1]


def _simcc_order(
    path: Path, names: list[str], shapes: Sequence[tuple[int, ...]], size: Size, said: Description
) -> tuple[list[str], float]:
    """Names of the vectors along x and along y, and their bins per pixel: 0 where they are no such vectors."""
    if any(len(shape) != 3 for shape in shapes) or shapes[0][:2] != shapes[1][:2]:
        return names, 0.0
    height, width = size
    ratios = [(shapes[one][2] / width, shapes[other][2] / height) for one, other in ((0, 1), (1, 0))]
    fits = [x == y and said.split_ratio in (None, x) for x, y in ratios]
    text = f"{path.name} gives {' and '.join(f'{n!r} {_text(s)}' for n, s in zip(names, shapes, strict=True))}"
    named = [*KINDS["simcc"].arrays]
    if said.output_names is None and all(fits):  # of a square input
        if sorted(names) == sorted(named):
            return named, ratios[0][0]
        raise InputError(f"{text}: say which is along x, by output_names with x first")
    if not any(fits) or (said.output_names is not None and not fits[0]):
        told = f" with {said.split_ratio:g} bins a pixel" if said.split_ratio else ""
        other = ": the other way round they do" if any(fits) else ""
        raise InputError(f"{text}, which do not fit an input of {height}x{width}{told}{other}")
    return (names, ratios[0][0]) if fits[0] else (names[::-1], ratios[1][0])


def _text(shape: Sequence[int | None]) -> str:
    return "[" + ", ".join("?" if size is None else str(size) for size in shape) + "]"
