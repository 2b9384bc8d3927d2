"""Skeletons of one's own: what an annotation file and a file of ``--skeleton`` say of the joints, put together."""

import json
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench.core.errors import InputError
from bench.core.skeletons import COCO, KNOWN, Pairs, Skeleton, guess_flip_pairs, side_of, words
from bench.data.json_files import read_json, shown

MOST, LONGEST = 1024, 200  # joints, and characters of a name
LONGEST_LINE = 600  # characters of a line to write
FIELDS = ("joints", "flip_pairs", "sigmas", "limbs", "upper_body", "head")
_LARGE = 0.3  # of sigmas: nobody places a joint so badly, but COCO's tools write theirs as tenths
# Joints of the lower body, by a word of their names.
_LOWER = {"hip", "hips", "pelvis", "knee", "ankle", "foot", "toe", "heel"}


@dataclass(frozen=True)
class SkeletonFile:
    """What a file of ``--skeleton`` says; everything may be absent.

    Attributes:
        name: of the file, for messages.
        told: what it says, by ``FIELDS``, as JSON has it.
    """

    name: str
    told: Mapping[str, Any]

    @property
    def joints(self) -> tuple[str, ...] | None:
        return None if "joints" not in self.told else tuple(self.told["joints"])


def read_skeleton(path: Path) -> SkeletonFile:
    """A file of ``--skeleton``: one JSON object with some of ``FIELDS``.

    Raises:
        InputError: there is no such file, or it says something else.
    """
    told, _ = read_json(path)
    if not isinstance(told, dict):
        raise InputError(f'{path} must hold one object, such as {{"flip_pairs": [["left_eye", "right_eye"]]}}')
    for key in told:
        if key not in FIELDS:
            raise InputError(f"{path}: {shown(key)} is not known: there is {', '.join(FIELDS)}")
    if "joints" in told:
        check_names(told["joints"], f"{path}: joints")
    return SkeletonFile(path.name, told)


def of_metadata(metadata: Mapping[str, str], name: str) -> SkeletonFile | None:
    """What the metadata of a checkpoint say of its joints (``zoo.save_weights``); none where they say nothing.

    Args:
        metadata: texts, of which these are JSON.
        name: of the checkpoint, for messages.

    Raises:
        InputError: they are no JSON, or name no joints.
    """
    told = {}
    for key in ("joints", "flip_pairs", "limbs"):
        if key in metadata:
            try:
                told[key] = json.loads(metadata[key])
            except (ValueError, RecursionError) as error:
                raise InputError(f"the metadata inside {name}: {key} is not JSON: {metadata[key][:60]!r}") from error
    if "joints" not in told:
        return None
    where = f"the metadata inside {name}"
    check_names(told["joints"], f"{where}: joints")
    for key, check in (("flip_pairs", _flip_pairs), ("limbs", _limbs)):
        if key in told:
            told[key] = [list(pair) for pair in check(told[key], told["joints"], where)]
    return SkeletonFile(name, told)


def check_names(names: Any, where: str) -> None:
    """Raise ``InputError`` unless these are names of joints, each another."""
    if not isinstance(names, list) or not names or not all(isinstance(name, str) and _is_name(name) for name in names):
        raise InputError(f"{where} is not a list of names: {shown(names)}")
    if len(names) > MOST:
        raise InputError(f"{where}: {len(names)} joints are more than {MOST}")
    twice = next((name for number, name in enumerate(names) if name in names[:number]), None)
    if twice is not None:
        raise InputError(f"{where}: two joints are named {shown(twice)}")


def _is_name(text: str) -> bool:
    return 0 < len(text) <= LONGEST and text.isprintable() and not text.isspace()


def known_as(names: Sequence[str]) -> Skeleton | None:
    """The built-in skeleton whose joints have these names in this order, however they are spelt; none otherwise."""
    return next((one for one in KNOWN if [*map(words, names)] == [*map(words, one.joints)]), None)


def make_skeleton(
    names: Sequence[str] | None,
    limbs: Any = None,
    file: SkeletonFile | None = None,
    *,
    where: str,
    scored: bool = True,
) -> Skeleton:
    """A skeleton from what is said of it. Pairs that nobody gives are guessed from names, and a warning shows them.

    Args:
        names: of the joints, as an annotation file or a network has them, if it names them.
        limbs: of an annotation file's category: pairs of joints, counted from 1.
        file: of ``--skeleton``, which comes first in all but the names.
        where: whose joints these are, for messages.
        scored: whether sigmas are needed.

    Raises:
        InputError: something is missing, impossible or contradictory.
    """
    if names is not None:
        check_names(list(names), f"{where}: keypoints")
    joints = file.joints if file is not None and file.joints is not None else None if names is None else tuple(names)
    if joints is None:
        raise InputError(
            f'{where} does not name its joints: write them into a file of --skeleton, as {{"joints": ["nose", ...]}}'
        )
    if names is not None and file is not None:
        refuse_other_joints(names, where, joints, file.name)
    known = known_as(joints)
    if known is not None and file is None and not (scored and known.sigmas is None):
        return known
    try:
        made = _put_together(joints, limbs, known, file, where)
    except InputError as error:
        # The same file goes with several annotation files: which one it does not fit must be said.
        told = f"{error} (the joints of {where})" if file is not None and file.name != where else str(error)
        raise InputError(told) from error
    if scored and made.sigmas is None:
        raise InputError(_lacking(joints, where, file))
    return made


def _put_together(
    joints: tuple[str, ...], limbs: Any, known: Skeleton | None, file: SkeletonFile | None, where: str
) -> Skeleton:
    """A skeleton from what the file says, then from what is known of the joints, then from their names."""
    owner, told = (file.name, file.told) if file is not None else (where, {})
    if "flip_pairs" in told:
        pairs = _flip_pairs(told["flip_pairs"], joints, owner)
        if pairs:  # an empty list says on purpose that there are none
            _warn_of_sides(pairs, joints, owner)
    elif known:
        pairs = known.flip_pairs
    else:
        pairs = guess_flip_pairs(joints)
        _show_guess(pairs, joints, where)
    sigmas = _sigmas(told["sigmas"], joints, owner) if "sigmas" in told else known.sigmas if known else None
    if "limbs" in told:
        lines = _limbs(told["limbs"], joints, owner)
    else:
        lines = _category_limbs(limbs, len(joints), where) or (known.limbs if known else _usual_limbs(joints))
    if "upper_body" in told:
        upper = tuple(
            _joint(one, joints, f"{owner}: upper_body") for one in _listed(told["upper_body"], f"{owner}: upper_body")
        )
    else:
        upper = known.upper_body if known else _upper_body(joints)
    head = _pairs([told["head"]], joints, f"{owner}: head")[0] if "head" in told else None
    return Skeleton(joints, pairs, lines, upper, sigmas, head)


def refuse_other_joints(theirs: Sequence[str], owner: str, ours: Sequence[str], needed_by: str) -> None:
    """Raise ``InputError`` if joints are not the same in the same order, however they are spelt."""
    if len(theirs) != len(ours):
        raise InputError(f"{owner} has {len(theirs)} joints, and {needed_by} has {len(ours)}")
    for number, (one, other) in enumerate(zip(theirs, ours, strict=True)):
        if words(one) != words(other):
            raise InputError(f"{owner} has {one!r} as joint {number}, and {needed_by} has {other!r} there")


# ------------------------------------------------------------------------------ what a file says, checked


def _joint(value: Any, joints: Sequence[str], where: str) -> int:
    """A joint by its name, however it is spelt, or by its number from 0."""
    if isinstance(value, str):
        exact = [number for number, joint in enumerate(joints) if joint == value]
        # Names of signs alone have no words, and are not all the same.
        same = exact or [number for number, joint in enumerate(joints) if words(value) and words(joint) == words(value)]
        if len(same) > 1:
            candidates = ", ".join(shown(joints[number]) for number in same)
            raise InputError(f"{where}: {shown(value)} may be any of {candidates}: write it as one of them")
        if same:
            return same[0]
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value < len(joints):
        return value
    raise InputError(f"{where}: there is no joint {shown(value)}: give names, or numbers from 0 to {len(joints) - 1}")


def _listed(value: Any, where: str) -> list[Any]:
    if not isinstance(value, list):
        raise InputError(f"{where}: {shown(value)} is not a list")
    return value


def _pairs(value: Any, joints: Sequence[str], where: str) -> Pairs:
    pairs = []
    for pair in _listed(value, where):
        if not isinstance(pair, list) or len(pair) != 2:
            raise InputError(f"{where}: {shown(pair)} is not a pair of joints")
        first, second = (_joint(one, joints, where) for one in pair)
        if first == second:
            raise InputError(f"{where}: {shown(pair)} is a joint and itself: give pairs of two joints")
        pairs.append((first, second))
    return tuple(pairs)


def _limbs(value: Any, joints: Sequence[str], owner: str) -> Pairs:
    return _pairs(value, joints, f"{owner}: limbs")


def _flip_pairs(value: Any, joints: Sequence[str], owner: str) -> Pairs:
    where = f"{owner}: flip_pairs"
    pairs = _pairs(value, joints, where)
    flat = [joint for pair in pairs for joint in pair]
    twice = next((joint for number, joint in enumerate(flat) if joint in flat[:number]), None)
    if twice is not None:
        raise InputError(f"{where}: {joints[twice]!r} is in two pairs")
    return pairs


def _sigmas(value: Any, joints: Sequence[str], owner: str) -> tuple[float, ...]:
    """A list in the order of the joints, or an object by their names."""
    where = f"{owner}: sigmas"
    if isinstance(value, dict):
        names: dict[int, str] = {}
        for name in value:
            place = _joint(name, joints, where)
            if place in names:
                raise InputError(
                    f"{where}: {shown(names[place])} and {shown(name)} are both {joints[place]!r}: give one"
                )
            names[place] = name
        missing = next((joint for number, joint in enumerate(joints) if number not in names), None)
        if missing is not None:
            raise InputError(f"{where}: there is none of {missing!r}")
        value = [value[names[place]] for place in range(len(joints))]
    if not isinstance(value, list):
        raise InputError(f"{where}: {shown(value)} is neither a list of numbers nor an object of names and numbers")
    if len(value) != len(joints):
        raise InputError(f"{where}: {len(value)} numbers for {len(joints)} joints: one for each joint is needed")
    for joint, sigma in zip(joints, value, strict=True):
        number = isinstance(sigma, (int, float)) and not isinstance(sigma, bool)
        if not number or not 1e-6 <= sigma <= 1e3:
            raise InputError(
                f"{where}: {joint!r} has {shown(sigma)}, and must have a number above 0 and up to 1000, such as 0.05"
            )
    largest = max(value)
    if largest > _LARGE:
        warnings.warn(
            f"{where}: {joints[value.index(largest)]!r} has {largest:g}, and COCO's joints have 0.025 to 0.107, "
            "shares of the square root of a person's area: the larger, the higher AP",
            stacklevel=5,
        )
    return tuple(float(sigma) for sigma in value)


def _category_limbs(limbs: Any, count: int, where: str) -> Pairs:
    """Those of a category, counted from 1; tools write all kinds of things there, and what is none is no limb.

    Some count from 0. That shows where there is a joint 0 and none of the last number.
    """
    pairs = [
        pair for pair in (limbs if isinstance(limbs, list) else [])
        if isinstance(pair, list) and len(pair) == 2 and all(isinstance(one, int) for one in pair)
        and pair[0] != pair[1]
    ]  # fmt: skip
    numbers = {number for pair in pairs for number in pair}
    first = int(not numbers or min(numbers) != 0 or max(numbers) >= count)
    if not first:
        warnings.warn(f"{where}: skeleton is taken as counted from 0, because it names a joint 0", stacklevel=5)
    return tuple((one - first, other - first) for one, other in pairs if {one, other} <= {*range(first, first + count)})


# ------------------------------------------------------------------------------ what names tell


def _show_guess(pairs: Pairs, joints: Sequence[str], where: str) -> None:
    shown_pairs = ", ".join(f"{joints[first]} and {joints[second]}" for first, second in pairs[:4])
    more = f" and {len(pairs) - 4} more" if len(pairs) > 4 else ""
    paired = {joint for pair in pairs for joint in pair}
    alone = [joint for number, joint in enumerate(joints) if number not in paired and side_of(joint)]
    odd = f"; {', '.join(alone[:4])} without a partner" if alone else ""
    found = f"{shown_pairs}{more}" if pairs else "none"
    warnings.warn(
        f"{where}: joints that change places in a mirrored picture, by their names: {found}{odd}; "
        "flip_pairs in a file of --skeleton says others",
        stacklevel=4,
    )  # fmt: skip


def _warn_of_sides(pairs: Pairs, joints: Sequence[str], owner: str) -> None:
    """Say where pairs are not those that the names tell, as where their numbers count from 1."""
    partners = dict(pairs) | {second: first for first, second in pairs}
    for first, second in guess_flip_pairs(joints):
        if partners.get(first) != second:
            one, other = (
                f"{joints[joint]} with {joints[partners[joint]] if joint in partners else 'nothing'}"
                for joint in (first, second)
            )
            warnings.warn(
                f"{owner}: flip_pairs has {one} and {other}, which by their names change places with each other in a "
                "mirrored picture: numbers count from 0",
                stacklevel=5,
            )
            return


def _usual_limbs(joints: Sequence[str]) -> Pairs:
    """COCO's limbs between joints of the same names."""
    places = {words(joint): number for number, joint in enumerate(joints)}
    pairs = ((words(COCO.joints[first]), words(COCO.joints[second])) for first, second in COCO.limbs)
    return tuple((places[first], places[second]) for first, second in pairs if first in places and second in places)


def _upper_body(joints: Sequence[str]) -> tuple[int, ...]:
    """Those that are not of hips, legs and feet; none where that is everything or nothing."""
    upper = tuple(number for number, joint in enumerate(joints) if not _LOWER & set(words(joint)))
    return upper if 0 < len(upper) < len(joints) else ()


def _lacking(joints: Sequence[str], where: str, file: SkeletonFile | None) -> str:
    """What to write so that OKS can be measured: COCO's numbers for COCO's joints, and a gap for every other."""
    by_name = {words(joint): f"{sigma:g}" for joint, sigma in zip(COCO.joints, COCO.sigmas or (), strict=True)}
    line = ", ".join(f"{json.dumps(joint, ensure_ascii=False)}: {by_name.get(words(joint), '?')}" for joint in joints)
    line, gaps = f"{{{line}}}", any(words(joint) not in by_name for joint in joints)
    note = "; for each ?, the spread between annotators over the root of the area, such as 0.05" if gaps else ""
    if len(line) > LONGEST_LINE:
        line, note = "[?, ...]", f"; {len(joints)} numbers in the order of the joints, such as 0.05"
    place = f"into {file.name}" if file is not None else "into a file, and give it with --skeleton"
    return (
        f"{where}: the sigmas of its joints, which OKS and AP need, are not known: "
        f'write {{"sigmas": {line}}} {place}{note}'
    )
