"""Which joints a network finds, as its weights, its file and ``--skeleton`` say."""

import argparse
from pathlib import Path

from bench.core.errors import InputError
from bench.core.skeletons import Skeleton
from bench.data.skeleton_files import SkeletonFile, make_skeleton, of_metadata, read_skeleton
from bench.model_files.endings import is_file
from bench.models import Model

KEYWORDS = ("published", "bundled", "own", "random")  # of --weights, which are no files


def count_joints(arguments: argparse.Namespace) -> None:
    """Set ``joints`` where the option was not given and ``skeleton`` or ``weights`` say how many there are.

    Raises:
        InputError: one of these files cannot be used.
    """
    if arguments.joints is None:
        given = _given(arguments)
        said = None if is_file(arguments.model) else _said_by_weights(arguments.weights)
        names = (said and said.joints) or (given and given.joints)
        arguments.joints = len(names) if names else None


def skeleton_of(arguments: argparse.Namespace, model: Model) -> Skeleton | None:
    """The joints that a model finds; none where nothing names them.

    Args:
        arguments: ``skeleton`` and ``weights`` of them.
        model: what they go with.

    Raises:
        InputError: they contradict each other, or are of another number than the model's.
    """
    given = _given(arguments)
    said = model.file.skeleton_file if model.file else _said_by_weights(arguments.weights)
    if given is None and said is None:
        return None
    names = said.joints if said else None
    file = given or said
    if given and said:
        file = SkeletonFile(given.name, {**said.told, **given.told})
    where = said.name if said else given.name if given else ""
    skeleton = make_skeleton(names, None, file, where=where, scored=False)
    if len(skeleton.joints) != model.num_joints:
        raise InputError(f"{model.name} finds {model.num_joints} joints, and {where} names {len(skeleton.joints)}")
    return skeleton


def _given(arguments: argparse.Namespace) -> SkeletonFile | None:
    return read_skeleton(arguments.skeleton) if arguments.skeleton else None


def _said_by_weights(weights: str | None) -> SkeletonFile | None:
    """What a checkpoint says; what is wrong with it otherwise is said when it is loaded."""
    from zoo.weights import files

    if weights is None or weights in KEYWORDS or not Path(weights).is_file():
        return None
    return of_metadata(files.read(Path(weights))[1], Path(weights).name)
