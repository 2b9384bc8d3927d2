"""Pictures that people name, one by one or by folders; and folders in COCO's layout."""

import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from bench.core.errors import InputError
from bench.data import pictures

ENDINGS = (".jpg", ".jpeg", ".png", ".bmp", ".webp", ".tif", ".tiff")
Names = dict[Path, str]  # of each picture, its name in the folder that was given


@dataclass(frozen=True)
class PictureFiles:
    """What was found.

    Attributes:
        names: of every picture, once, in the order in which they were given; those of a folder are sorted.
        annotated: the pictures of each folder in COCO's layout, by its annotation file.
    """

    names: Names = field(default_factory=dict)
    annotated: dict[Path, Names] = field(default_factory=dict)


def find_pictures(arguments: Sequence[Path], *, out: Path | None = None) -> PictureFiles:
    """Every picture that was named, or lies in a folder that was named or below it.

    Args:
        arguments: pictures and folders. Of a folder in COCO's layout, those of its ``val2017``.
        out: where results go: pictures in it are not looked at.

    Raises:
        InputError: there are none.
    """
    found = PictureFiles()
    for argument in arguments:
        annotations = argument / "annotations" / "person_keypoints_val2017.json"
        in_layout = argument.is_dir() and annotations.is_file()
        names = _pictures(argument / "val2017" if in_layout else argument, out)
        if in_layout:
            found.annotated[annotations] = names
        for path, name in names.items():
            found.names.setdefault(path, name)
    if not found.names:
        raise InputError("there are no pictures: name picture files, or folders of them")
    return found


def _pictures(argument: Path, out: Path | None) -> Names:
    if not argument.is_dir():
        if not argument.exists():
            raise InputError(f"no picture {argument}: name picture files, or folders of them")
        return {argument: argument.name}
    seen = sorted(path.relative_to(argument) for path in files_in(argument) if path.suffix.lower() in ENDINGS)
    if out is not None:
        seen = [name for name in seen if not (argument / name).resolve().is_relative_to(out.resolve())]
    if not seen:
        raise InputError(f"there are no pictures in {argument}: looked for {', '.join(ENDINGS)}")
    return {pictures.locate(argument, name.as_posix()): name.as_posix() for name in seen}


def files_in(folder: Path) -> Iterator[Path]:
    """Those in a folder and below it that are not hidden. A folder that vanishes meanwhile has none.

    Raises:
        OSError: a folder cannot be read.
    """

    def refuse(error: OSError) -> None:
        if not isinstance(error, FileNotFoundError):
            raise error

    for place, folders, files in os.walk(folder, onerror=refuse):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place) / name for name in files if not name.startswith("."))
