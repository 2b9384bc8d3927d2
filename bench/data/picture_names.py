"""Which pictures are meant by the names and numbers that files have for them."""

import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePath, PurePosixPath
from urllib.parse import unquote

from bench.data.picture_files import ENDINGS, files_in
from bench.data.pictures import place

Parts = tuple[str, ...]
_DIGITS, _LAST_DIGITS = re.compile(r"[0-9]{1,18}"), re.compile(r"[0-9]{1,18}$")


class PictureIndex:
    """Pictures by whole name, by ends of their paths, and by number.

    Args:
        names: of each picture, its name in the folder that was given.
    """

    def __init__(self, names: Mapping[Path, str]) -> None:
        self._with_ending, self._without, self._small = _Spelling(), _Spelling(), _Spelling()
        self._numbers: dict[int, list[Path]] = defaultdict(list)
        for path, name in names.items():
            whole, in_folder = _parts(path), _parts(PurePosixPath(name))
            self._with_ending.add(path, whole, in_folder)
            self._without.add(path, _without_ending(whole), _without_ending(in_folder))
            self._small.add(path, _small(whole), _small(in_folder))
            digits = _LAST_DIGITS.search(path.stem)
            if digits:  # COCO's image id, which its file names hold: 000000000139.jpg is 139
                self._numbers[int(digits[0])].append(path)

    def named(self, name: str) -> list[Path]:
        """The pictures that a name may mean.

        Those of this very name; if there is none, those whose paths end with it; if there is none, those whose names
        it ends with. If that leaves none, the same for a name without an ending, for names in other capitals
        (``.JPG``), and for what the name was before it became part of an address (``%20``); then, of digits alone,
        those of this number.
        """
        for written in dict.fromkeys((name, unquote(name))):
            wanted = _parts(PurePosixPath(written.replace("\\", "/")))
            ended = bool(wanted) and wanted[-1].lower().endswith(ENDINGS)
            found = (
                self._with_ending.find(wanted)
                or ([] if ended else self._without.find(wanted))
                or self._small.find(_small(wanted))
            )
            if found:
                return found
        return self.numbered(int(name)) if _DIGITS.fullmatch(name) else []

    def numbered(self, number: int) -> list[Path]:
        return self._numbers.get(number, [])


class _Spelling:
    """Pictures by one way of writing their names."""

    def __init__(self) -> None:
        self._whole: dict[Parts, list[Path]] = defaultdict(list)
        self._alike: dict[str, list[tuple[Path, Parts, Parts]]] = defaultdict(list)  # by the last part

    def add(self, picture: Path, path: Parts, name: Parts) -> None:
        for whole in {path, name}:
            self._whole[whole].append(picture)
        self._alike["".join(path[-1:])].append((picture, path, name))

    def find(self, wanted: Parts) -> list[Path]:
        if not wanted:
            return []
        alike = self._alike.get(wanted[-1], [])
        return (
            self._whole.get(wanted)
            or [picture for picture, path, _ in alike if path[-len(wanted) :] == wanted]
            or [picture for picture, _, name in alike if wanted[-len(name) :] == name]
        )


def _parts(path: PurePath) -> Parts:
    """Of a path, its letters composed: some systems write ä as a and two dots."""
    return tuple(unicodedata.normalize("NFC", part) for part in path.parts)


def _without_ending(parts: Parts) -> Parts:
    return (*parts[:-1], *(PurePosixPath(part).stem for part in parts[-1:]))


def _small(parts: Parts) -> Parts:
    return tuple(part.casefold() for part in parts)


def find_moved(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """Pictures that are not where a file says, and are elsewhere in the folder.

    Each is found by the rule by which boxes find theirs, where that leaves one picture that nothing else in the file
    means.

    Args:
        folder: of the pictures.
        names: as ``bench.data.pictures.relative_name`` gives them.

    Returns:
        Of these, the name in the file, and the one in the folder.
    """
    wanted = set(names)
    missing = sorted(name for name in wanted if not is_there(folder, name))
    if not missing:
        return {}
    try:
        here = {path: path.relative_to(folder).as_posix() for path in _pictures_in(folder)}
    except OSError:  # of a folder in it that cannot be read: what is missing is said when it is read
        return {}
    index = PictureIndex(here)
    found = {name: here[some[0]] for name in missing if len(some := index.named(name)) == 1}
    times: dict[str, int] = defaultdict(int)
    for name in found.values():
        times[name] += 1
    return {name: other for name, other in found.items() if times[other] == 1 and other not in wanted}


def _pictures_in(folder: Path) -> Iterator[Path]:
    return (path for path in files_in(folder) if path.suffix.lower() in ENDINGS)


def is_there(folder: Path, name: str) -> bool:
    """Whether a picture of this name is in a folder, or cannot be asked for."""
    try:
        return place(folder, name).exists()
    except (OSError, RuntimeError):  # a name too long, or links in a circle: it is said when the picture is read
        return True
